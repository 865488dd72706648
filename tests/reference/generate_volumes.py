"""Random storage: classes, volumes, claims and what nodes attach; and pods that use it."""

from collections.abc import Sequence
from random import Random
from typing import Any

Json = dict[str, Any]
ZONE = "topology.kubernetes.io/zone"
CLAIMS = [f"c{i}" for i in range(8)]
SIZES = ["1Gi", "5Gi", "20Gi"]
DRIVERS = ["a.csi", "b.csi"]
CLASSES = ["here", "anywhere", "byhand", "now", "tracked"]


def chance(rng: Random, probability: float) -> bool:
    return rng.random() < probability


def storage(rng: Random, node_names: Sequence[str]) -> Json:
    """The lists of a case that are about storage."""
    volumes = [_volume(rng, f"v{i}", node_names) for i in range(rng.randint(1, 8))]
    return {
        "storageclasses": [_class(rng, name) for name in CLASSES if chance(rng, 0.95)],
        "csidrivers": [_object("CSIDriver", "b.csi") | {"spec": {"storageCapacity": True}}],
        "csistoragecapacities": [_capacity(rng, i) for i in range(rng.randrange(3))],
        "csinodes": [_csi_node(rng, name) for name in node_names if chance(rng, 0.8)],
        "persistentvolumes": volumes,
        "persistentvolumeclaims": [
            _claim(rng, name, volumes) for name in CLAIMS if name == "c0" or chance(rng, 0.95)
        ],
    }


def _object(kind: str, name: str, **metadata: Any) -> Json:
    version = "v1" if kind.startswith("Persistent") else "storage.k8s.io/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name} | metadata}


def _class(rng: Random, name: str) -> Json:
    provisioner = {"byhand": "kubernetes.io/no-provisioner", "tracked": "b.csi"}.get(name, "a.csi")
    mode = "Immediate" if name == "now" else "WaitForFirstConsumer"
    made = _object("StorageClass", name) | {"provisioner": provisioner, "volumeBindingMode": mode}
    if name == "here":
        values = rng.sample(["z0", "z1", "z2"], rng.randint(1, 2))
        made["allowedTopologies"] = [{"matchLabelExpressions": [{"key": ZONE, "values": values}]}]
    return made


def _capacity(rng: Random, number: int) -> Json:
    made = _object("CSIStorageCapacity", f"room{number}", namespace="default")
    made |= {"storageClassName": "tracked", "capacity": rng.choice(SIZES)}
    if chance(rng, 0.3):
        made["maximumVolumeSize"] = rng.choice(SIZES)
    made["nodeTopology"] = rng.choice([{}, {"matchLabels": {ZONE: "z0"}}])
    return made


def _csi_node(rng: Random, name: str) -> Json:
    drivers = []
    for driver in DRIVERS:
        stated: Json = {"name": driver, "nodeID": name}
        if chance(rng, 0.7):
            stated["allocatable"] = {"count": rng.randrange(4)}
        if chance(rng, 0.6):
            stated["topologyKeys"] = rng.choice(
                [[ZONE], ["kubernetes.io/hostname"], [ZONE, "rack"]]
            )
        drivers.append(stated)
    return _object("CSINode", name) | {"spec": {"drivers": drivers}}


def _volume(rng: Random, name: str, node_names: Sequence[str]) -> Json:
    spec: Json = {
        "capacity": {"storage": rng.choice(SIZES)},
        "accessModes": rng.choice([["ReadWriteOnce"], ["ReadWriteOnce", "ReadWriteMany"]]),
        "storageClassName": rng.choice(["byhand", "byhand", "anywhere", "here"]),
    }
    key, values = rng.choice(
        [(ZONE, ["z0", "z1", "z2"]), ("kubernetes.io/hostname", node_names), ("rack", ["r0", "r1"])]
    )
    if chance(rng, 0.7):
        condition = {"key": key, "operator": "In", "values": [rng.choice(values)]}
        terms = [{"matchExpressions": [condition]}]
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": terms}}
    if chance(rng, 0.5):
        handle = rng.choice(["h0", "h1", name])
        spec["csi"] = {"driver": rng.choice(DRIVERS), "volumeHandle": handle}
    if chance(rng, 0.15):
        spec["claimRef"] = {"namespace": "default", "name": rng.choice(CLAIMS)}
    if chance(rng, 0.1):
        spec["volumeMode"] = "Block"
    labels = {"tier": rng.choice(["gold", "tin"])}
    if chance(rng, 0.3):
        label = rng.choice([ZONE, "failure-domain.beta.kubernetes.io/zone"])
        labels[label] = rng.choice(["z0", "z1", "z0__z2"])
    phase = "Available" if chance(rng, 0.9) else "Released"
    made = _object("PersistentVolume", name, labels=labels)
    return made | {"spec": spec, "status": {"phase": phase}}


def _claim(rng: Random, name: str, volumes: list[Json]) -> Json:
    made = _object("PersistentVolumeClaim", name, namespace="default")
    modes = ["ReadWriteOnce", "ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]
    spec: Json = {
        "accessModes": [rng.choice(modes)],
        "resources": {"requests": {"storage": rng.choice(SIZES)}},
    }
    if chance(rng, 0.97):
        spec["storageClassName"] = rng.choice([*CLASSES[:3], *CLASSES])
    if chance(rng, 0.15):
        spec["selector"] = {"matchLabels": {"tier": rng.choice(["gold", "tin"])}}
    if chance(rng, 0.35):
        _bind(rng, made, spec, volumes)
    elif chance(rng, 0.05):
        made["metadata"]["annotations"] = {"volume.kubernetes.io/selected-node": "n01"}
    if chance(rng, 0.02):
        made["metadata"]["deletionTimestamp"] = "2026-11-01T00:00:00Z"
    return made | {"spec": spec}


def _bind(rng: Random, claim: Json, spec: Json, volumes: list[Json]) -> None:
    """Bound to a volume that may be kept for somebody else, or not be there."""
    free = [v for v in volumes if "claimRef" not in v["spec"]]
    if chance(rng, 0.05):
        spec["volumeName"] = "gone"
    elif free:
        volume = rng.choice(free)
        spec["volumeName"] = volume["metadata"]["name"]
        volume["spec"]["claimRef"] = {"namespace": "default", "name": claim["metadata"]["name"]}
        volume["status"] = {"phase": "Bound"}
    if "volumeName" in spec and chance(rng, 0.95):
        claim["metadata"]["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}


def add_volumes(rng: Random, pod: Json, node_names: Sequence[str]) -> None:
    """Claims, some of them ephemeral and some of them missing, and disks named in the pod."""
    volumes: list[Json] = []
    if chance(rng, 0.75):
        named = rng.sample(CLAIMS, rng.choice([1, 1, 2, 3]))
        volumes += [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in named]
    if chance(rng, 0.03):
        volumes.append({"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}})
    if chance(rng, 0.25):
        volumes.append({"name": "disk"} | _disk(rng))
    if volumes:
        pod["spec"]["volumes"] = volumes


def _disk(rng: Random) -> Json:
    read_only = {"readOnly": True} if chance(rng, 0.5) else {}
    name = rng.choice(["d0", "d1"])
    return rng.choice(
        [
            {"gcePersistentDisk": {"pdName": name} | read_only},
            {"awsElasticBlockStore": {"volumeID": name} | read_only},
            {"iscsi": {"iqn": name, "targetPortal": "x", "lun": 0} | read_only},
            {"rbd": {"image": name, "monitors": rng.sample(["m0", "m1", "m2"], 2)} | read_only},
        ]
    )
