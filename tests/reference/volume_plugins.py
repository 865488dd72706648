"""The four plugins that look at volumes, and what binding a claim does to the cluster."""

from typing import Any

from .objects import Cluster, Node, Pod
from .plugin import UNRESOLVABLE, Failure, Plugin
from .quantities import exact
from .selectors import NodeTerm, label_selector

Json = dict[str, Any]
BETA = "failure-domain.beta.kubernetes.io/"
STABLE = "topology.kubernetes.io/"
DISKS = ("gcePersistentDisk", "awsElasticBlockStore", "iscsi", "rbd")


class Claim:
    """A claim as a pod refers to it; `raw` is None if it is not there."""

    def __init__(self, volume: Json, pod: Pod, cluster: Cluster) -> None:
        self.is_ephemeral = "ephemeral" in volume
        if self.is_ephemeral:
            self.name = f"{pod.name}-{volume['name']}"
        else:
            self.name = volume["persistentVolumeClaim"]["claimName"]
        self.key = f"{pod.namespace}/{self.name}"
        self.cluster = cluster
        self.raw: Json | None = cluster.claims.get(self.key)

    @property
    def spec(self) -> Json:
        return self.raw["spec"]

    @property
    def notes(self) -> Json:
        return self.raw["metadata"].get("annotations") or {}

    @property
    def volume_name(self) -> str:
        return self.spec.get("volumeName") or ""

    @property
    def volume(self) -> Json | None:
        return self.cluster.volumes.get(self.volume_name)

    @property
    def storage_class(self) -> Json | None:
        return self.cluster.classes.get(self.class_name)

    @property
    def class_name(self) -> str:
        return self.spec.get("storageClassName") or ""

    @property
    def size(self) -> Any:
        return size_of(self.spec.get("resources", {}).get("requests", {}))

    @property
    def is_bound(self) -> bool:
        return bool(self.volume_name) and "pv.kubernetes.io/bind-completed" in self.notes

    @property
    def waits_for_its_pod(self) -> bool:
        found = self.storage_class
        waits = found and found.get("volumeBindingMode") == "WaitForFirstConsumer"
        return bool(waits) and not self.volume_name

    @property
    def is_lone(self) -> bool:
        return "ReadWriteOncePod" in (self.spec.get("accessModes") or ())


def size_of(amounts: Json) -> Any:
    return exact(amounts.get("storage", "0"))


def claims_of(pod: Pod, cluster: Cluster) -> list[Claim]:
    return [
        Claim(volume, pod, cluster)
        for volume in pod.raw["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume or "ephemeral" in volume
    ]


def not_found(claim: Claim) -> str:
    return f'persistentvolumeclaim "{claim.name}" not found'


class VolumeRestrictions(Plugin):
    """Disks that two pods cannot share, claims that only one pod may use."""

    def begin(self) -> None:
        self.claims = [c for c in claims_of(self.pod, self.cluster) if not c.is_ephemeral]

    def rejects(self) -> str | None:
        return next((not_found(claim) for claim in self.claims if claim.raw is None), None)

    def filter(self, node: Node) -> Failure | None:
        for mine in disks(self.pod):
            if any(is_in_conflict(mine, other) for pod in node.pods for other in disks(pod)):
                return Failure(["node(s) had no available disk"])
        lone = {claim.key for claim in self.claims if claim.is_lone}
        for _, pod in self.cluster.located_pods() if lone else ():
            if any(c.key in lone for c in claims_of(pod, self.cluster) if not c.is_ephemeral):
                words = "node has pod using PersistentVolumeClaim with the same name"
                return Failure([f"{words} and ReadWriteOncePod access mode"])
        return None


def disks(pod: Pod) -> list[tuple[str, Json]]:
    return [
        (kind, volume[kind])
        for volume in pod.raw["spec"].get("volumes") or ()
        for kind in DISKS
        if kind in volume
    ]


def is_in_conflict(mine: tuple[str, Json], other: tuple[str, Json]) -> bool:
    (kind, a), (other_kind, b) = mine, other
    if kind != other_kind:
        return False
    both_read = a.get("readOnly", False) and b.get("readOnly", False)
    if kind == "gcePersistentDisk":
        return a["pdName"] == b["pdName"] and not both_read
    if kind == "awsElasticBlockStore":
        return a["volumeID"] == b["volumeID"]
    if kind == "iscsi":
        return a["iqn"] == b["iqn"] and not both_read
    same = a["image"] == b["image"] and a.get("pool", "rbd") == b.get("pool", "rbd")
    return same and bool(set(a["monitors"]) & set(b["monitors"])) and not both_read


class NodeVolumeLimits(Plugin):
    """A node attaches so many different volumes of a driver."""

    def filter(self, node: Node) -> Failure | None:
        mine = self.attached(self.pod)
        if not mine:
            return None
        limits = {
            driver["name"]: driver["allocatable"]["count"]
            for driver in self.cluster.drivers_on(node.name)
            if "allocatable" in driver
        }
        there = {volume for pod in node.pods for volume in self.attached(pod)}
        new = mine - there
        for driver, limit in limits.items():
            added = sum(volume[0] == driver for volume in new)
            if added and added + sum(volume[0] == driver for volume in there) > limit:
                return Failure(["node(s) exceed max volume count"])
        return None

    def attached(self, pod: Pod) -> set[tuple[str, str]]:
        """Driver and handle of each volume; a claim without one stands for itself."""
        found = set()
        for claim in claims_of(pod, self.cluster):
            if claim.raw is None:
                continue
            if claim.volume is not None:
                csi = claim.volume["spec"].get("csi")
                if csi:
                    found.add((csi["driver"], csi["volumeHandle"]))
            elif claim.storage_class is not None:
                found.add((claim.storage_class["provisioner"], f"claim {claim.key}"))
        return found


class VolumeBinding(Plugin):
    """Bound volumes must reach the node; claims that wait must find or get one there."""

    def begin(self) -> None:
        self.claims = claims_of(self.pod, self.cluster)

    def rejects(self) -> str | None:
        for claim in self.claims:
            if claim.raw is None:
                if not claim.is_ephemeral:
                    return not_found(claim)
                waiting = "waiting for ephemeral volume controller to create"
                return f'{waiting} the persistentvolumeclaim "{claim.name}"'
            if (claim.raw.get("status") or {}).get("phase") == "Lost":
                gone = f'bound to non-existent persistentvolume "{claim.volume_name}"'
                return f'persistentvolumeclaim "{claim.name}" {gone}'
            if claim.raw["metadata"].get("deletionTimestamp"):
                return f'persistentvolumeclaim "{claim.name}" is being deleted'
        if any(not claim.is_bound and not claim.waits_for_its_pod for claim in self.claims):
            return "pod has unbound immediate PersistentVolumeClaims"
        return None

    def filter(self, node: Node) -> Failure | None:
        reasons = []
        for claim in self.claims:
            if claim.is_bound and claim.volume is None:
                reasons.append(
                    "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
                )
                break
            if claim.is_bound and not reaches(claim.volume, node):
                reasons.append("node(s) had volume node affinity conflict")
                break
        _, _, refusal = self.plan(node)
        if refusal:
            reasons.append(refusal)
        return Failure(reasons, UNRESOLVABLE) if reasons else None

    def plan(self, node: Node) -> tuple[list[tuple[Claim, Json]], list[Claim], str]:
        """Claims with the volumes they would take, claims to make one for, what is against it."""
        waiting = [claim for claim in self.claims if not claim.is_bound]
        to_make = [c for c in waiting if "volume.kubernetes.io/selected-node" in c.notes]
        if any(c.notes["volume.kubernetes.io/selected-node"] != node.name for c in to_make):
            return [], [], "node(s) didn't find available persistent volumes to bind"
        matches: list[tuple[Claim, Json]] = []
        for claim in sorted((c for c in waiting if c not in to_make), key=lambda c: c.size):
            volume = self.match(claim, node, [volume for _, volume in matches])
            if volume is None:
                to_make.append(claim)
            else:
                matches.append((claim, volume))
        for claim in to_make:
            refusal = self.cannot_make(claim, node)
            if refusal:
                return matches, to_make, refusal
        return matches, to_make, ""

    def match(self, claim: Claim, node: Node, taken: list[Json]) -> Json | None:
        """The volume kept for the claim, else the smallest available one that fits."""
        fitting = []
        for volume in self.cluster.volumes.values():
            spec = volume["spec"]
            if volume in taken or spec.get("storageClassName", "") != claim.class_name:
                continue
            kept = spec.get("claimRef")
            if kept and f"{kept['namespace']}/{kept['name']}" != claim.key:
                continue
            if size_of(spec["capacity"]) < claim.size:
                continue
            modes = (spec.get("volumeMode"), claim.spec.get("volumeMode"))
            if (modes[0] or "Filesystem") != (modes[1] or "Filesystem"):
                continue
            if kept:
                return volume if reaches(volume, node) else None
            if is_fitting(volume, claim) and reaches(volume, node):
                fitting.append(volume)
        return min(fitting, key=lambda each: size_of(each["spec"]["capacity"]), default=None)

    def cannot_make(self, claim: Claim, node: Node) -> str:
        no_volume = "node(s) didn't find available persistent volumes to bind"
        found = claim.storage_class
        if found["provisioner"] == "kubernetes.io/no-provisioner":
            return no_volume
        terms = found.get("allowedTopologies") or ()
        if terms and not any(
            all(node.labels.get(e["key"]) in e["values"] for e in term["matchLabelExpressions"])
            for term in terms
        ):
            return no_volume
        return "" if self.has_room(claim, node) else "node(s) did not have enough free storage"

    def has_room(self, claim: Claim, node: Node) -> bool:
        provisioner = claim.storage_class["provisioner"]
        if provisioner not in self.cluster.drivers_with_capacity or claim.size == 0:
            return True
        for each in self.cluster.capacities:
            room = each.get("maximumVolumeSize") or each.get("capacity")
            if each["storageClassName"] != claim.class_name or room is None:
                continue
            topology = label_selector(each.get("nodeTopology"))
            if exact(room) >= claim.size and topology.matches(frozenset(node.labels.items())):
                return True
        return False

    def reserve(self, node: Node) -> None:
        """The pod goes to the node: its claims are bound, volumes are made."""
        matches, to_make, _ = self.plan(node)
        for claim, volume in matches:
            bind(claim, volume)
        for claim in to_make:
            volume = made_for(claim, node, self.cluster)
            self.cluster.volumes[volume["metadata"]["name"]] = volume
            bind(claim, volume)


def is_fitting(volume: Json, claim: Claim) -> bool:
    """Whether a volume that is kept for nobody is what the claim asks for."""
    if (volume.get("status") or {}).get("phase") != "Available":
        return False
    if not set(claim.spec.get("accessModes") or ()) <= set(volume["spec"].get("accessModes") or ()):
        return False
    chosen = claim.spec.get("selector")
    labels = frozenset((volume["metadata"].get("labels") or {}).items())
    return chosen is None or label_selector(chosen).matches(labels)


def reaches(volume: Json, node: Node) -> bool:
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    if required is None:
        return True
    terms = [NodeTerm(term) for term in required["nodeSelectorTerms"]]
    return any(term.matches("", node.labels) for term in terms)


def bind(claim: Claim, volume: Json) -> None:
    claim.raw["spec"]["volumeName"] = volume["metadata"]["name"]
    notes = {**claim.notes, "pv.kubernetes.io/bind-completed": "yes"}
    claim.raw["metadata"]["annotations"] = notes
    namespace, name = claim.key.split("/")
    volume["spec"]["claimRef"] = {"namespace": namespace, "name": name}


def made_for(claim: Claim, node: Node, cluster: Cluster) -> Json:
    """A volume that is reached from where the driver, or else the class, says."""
    found = claim.storage_class
    driver = found["provisioner"]
    on_node = [each for each in cluster.drivers_on(node.name) if each["name"] == driver]
    keys = on_node[0].get("topologyKeys") if on_node else None
    if not keys:
        terms = found.get("allowedTopologies") or ()
        keys = [e["key"] for term in terms for e in term["matchLabelExpressions"]]
    conditions = [
        {"key": key, "operator": "In", "values": [node.labels[key]]}
        for key in keys
        if key in node.labels
    ]
    spec: Json = {"csi": {"driver": driver, "volumeHandle": f"claim {claim.key}"}}
    if conditions:
        spec["nodeAffinity"] = {
            "required": {"nodeSelectorTerms": [{"matchExpressions": conditions}]}
        }
    return {"metadata": {"name": f"made for {claim.key}"}, "spec": spec}


class VolumeZone(Plugin):
    """A bound volume with zone or region labels is only reached from such nodes."""

    LABELS = (BETA + "zone", BETA + "region", STABLE + "zone", STABLE + "region")

    def begin(self) -> None:
        self.claims = [c for c in claims_of(self.pod, self.cluster) if not c.is_ephemeral]

    def rejects(self) -> str | None:
        for claim in self.claims:
            if claim.raw is None:
                return not_found(claim)
            if claim.volume_name:
                if claim.volume is None:
                    return f'persistentvolume "{claim.volume_name}" not found'
            elif not claim.class_name:
                return "PersistentVolumeClaim had no pv name and storageClass name"
            elif claim.storage_class is None:
                return f'storageclass.storage.k8s.io "{claim.class_name}" not found'
            elif not claim.waits_for_its_pod:
                return "PersistentVolume had no name"
        return None

    def filter(self, node: Node) -> Failure | None:
        if not set(self.LABELS) & set(node.labels):
            return None
        for claim in self.claims:
            volume = claim.volume
            labels = (volume["metadata"].get("labels") or {}) if volume else {}
            for key in self.LABELS:
                if key in labels and not self.is_met(key, labels[key].split("__"), node):
                    return Failure(["node(s) had no available volume zone"], UNRESOLVABLE)
        return None

    def is_met(self, key: str, values: list[str], node: Node) -> bool:
        if "" in values:
            return True
        value = node.labels.get(key, node.labels.get(key.replace(BETA, STABLE)))
        return value in values
