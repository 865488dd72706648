"""Random small scheduling cases, for property tests: `random_case(random.Random(seed))`.

A case has the format of the recorded ones, without `decisions`. What the rules leave open is
left out, so that every case has one right answer: at most 12 pods on a node where pods are
preempted (beyond, the order of equal pods depends on Go's sort), terminating pods too important
to be preempted, and no plugin that multiPoint names though it is a default.
"""

from collections import Counter
from dataclasses import dataclass
from random import Random

from .generate_configuration import configuration
from .generate_pods import (
    APPS,
    ARCHITECTURES,
    DISKS,
    IMAGES,
    NAMESPACES,
    TAINT_KEYS,
    TAINT_VALUES,
    Json,
    chance,
    label_selector,
    random_pod,
)
from .generate_volumes import storage

MOST_PODS_WHEN_PREEMPTING = 12


@dataclass(frozen=True)
class Family:
    """What the cases of a family are about."""

    features: frozenset[str]
    nodes: tuple[int, int] = (1, 8)
    pods: tuple[int, int] = (0, 12)
    pending: tuple[int, int] = (1, 12)


def family(*features: str, **sizes: tuple[int, int]) -> Family:
    return Family(frozenset(features), **sizes)


ALL = (
    "strategies",
    "requests",
    "taints",
    "ports",
    "names",
    "node affinity",
    "spread",
    "pod affinity",
    "images",
    "priorities",
    "plugins",
)
FAMILIES = {
    "a": family(),
    "b": family("strategies", "extended"),
    "c": family("requests", "extended"),
    "d": family("taints", "ports", "names"),
    "e": family("node affinity", "names"),
    "f": family("spread", "taints", "node affinity"),
    "g": family("pod affinity"),
    "h": family("images"),
    "i": family("priorities", nodes=(1, 6), pods=(4, 30)),
    "j": family(*ALL, "extended", nodes=(2, 12), pods=(0, 30), pending=(1, 20)),
    "l": family("volumes", nodes=(1, 10), pending=(4, 16)),
    "m": family("volumes", "priorities", "plugins", nodes=(1, 6), pods=(2, 20), pending=(4, 16)),
    "k": family(*ALL, nodes=(20, 40), pods=(10, 60), pending=(20, 40)),
}


def random_case(rng: Random, family: str | None = None) -> Json:
    """A case of one family (a to m), or of any."""
    letter = family or rng.choice(sorted(FAMILIES))
    kind = FAMILIES[letter]
    config = configuration(rng, kind.features)
    nodes = [_node(rng, i, kind.features) for i in range(rng.randint(*kind.nodes))]
    case: Json = {
        "name": f"random-{letter}",
        "detail": "full" if chance(rng, 0.8) else "compact",
        "config": config,
        "nodes": nodes,
        "pods": _bound_pods(rng, kind, nodes, config),
        "pending": [
            random_pod(rng, f"p{i}", kind.features, config, [n["metadata"]["name"] for n in nodes])
            for i in range(rng.randint(*kind.pending))
        ],
    }
    return case | _surroundings(rng, kind.features, [node["metadata"]["name"] for node in nodes])


def _node(rng: Random, number: int, features: frozenset[str]) -> Json:
    name = f"n{number:02d}"
    capacity = _capacity(rng, features)
    node: Json = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _node_labels(rng, name)},
        "spec": {},
        "status": {"capacity": dict(capacity), "allocatable": capacity},
    }
    if "taints" in features:
        _add_taints(rng, node["spec"])
    if "images" in features:
        node["status"]["images"] = [
            {"names": _names_of(rng, image), "sizeBytes": rng.choice([5, 50, 400, 2500]) * 10**6}
            for image in rng.sample(IMAGES, rng.randint(0, 4))
        ]
    return node


def _names_of(rng: Random, image: str) -> list[str]:
    tagged = image if ":" in image.rpartition("/")[2] else f"{image}:latest"
    return [tagged, f"mirror.example/{tagged}"] if chance(rng, 0.3) else [tagged]


def _node_labels(rng: Random, name: str) -> dict[str, str]:
    """Some nodes lack some labels, even the usual ones."""
    candidates = {
        "kubernetes.io/hostname": (0.95, name),
        "topology.kubernetes.io/zone": (0.85, f"z{rng.randrange(3)}"),
        "rack": (0.7, f"r{rng.randrange(4)}"),
        "disk": (0.7, rng.choice(DISKS)),
        "arch": (0.9, rng.choice(ARCHITECTURES)),
        "gen": (0.7, rng.choice(["1", "2", "3", "old"])),
    }
    return {key: value for key, (p, value) in candidates.items() if chance(rng, p)}


def _capacity(rng: Random, features: frozenset[str]) -> dict[str, str]:
    most = MOST_PODS_WHEN_PREEMPTING if "priorities" in features else 110
    capacity = {
        "cpu": rng.choice(["1", "2", "4", "8", "1930m", "3500m"]),
        "memory": rng.choice(["2Gi", "4Gi", "8Gi", "16Gi", "7500Mi", "3G"]),
        "pods": str(rng.choice([2, 4, 8, most])),
    }
    if chance(rng, 0.4):
        capacity["ephemeral-storage"] = rng.choice(["5Gi", "20Gi", "100Gi"])
    if "extended" in features:
        if chance(rng, 0.5):
            capacity["nvidia.com/gpu"] = rng.choice(["0", "1", "2", "8"])
        if chance(rng, 0.2):
            capacity["example.com/fpga"] = rng.choice(["1", "2"])
        if chance(rng, 0.2):
            capacity["hugepages-2Mi"] = rng.choice(["128Mi", "512Mi"])
    return capacity


def _add_taints(rng: Random, spec: Json) -> None:
    if chance(rng, 0.15):
        spec["unschedulable"] = True
    taints = [
        {
            "key": rng.choice(TAINT_KEYS),
            "value": rng.choice(TAINT_VALUES),
            "effect": rng.choice(["NoSchedule", "NoExecute", "PreferNoSchedule"]),
        }
        for _ in range(rng.choice([0, 0, 1, 2]))
    ]
    if taints:
        spec["taints"] = [{k: v for k, v in taint.items() if v} for taint in taints]


def _bound_pods(rng: Random, kind: Family, nodes: list[Json], config: Json) -> list[Json]:
    """Anywhere, also where they do not fit: nodes can be overcommitted."""
    pods, count = [], Counter[str]()
    for i in range(rng.randint(*kind.pods)):
        name = rng.choice(nodes)["metadata"]["name"]
        if count[name] == MOST_PODS_WHEN_PREEMPTING:
            continue
        count[name] += 1
        pod = random_pod(rng, f"old{i}", kind.features, config, [name])
        pod["spec"]["nodeName"] = name
        pod["status"] = {"startTime": _time(rng)} if chance(rng, 0.7) else {}
        if chance(rng, 0.05):
            pod["metadata"]["deletionTimestamp"] = _time(rng)
            pod["spec"]["priority"] = 10**6
        pods.append(pod)
    return pods


def _time(rng: Random) -> str:
    return f"2026-11-01T{rng.randrange(4):02d}:00:{rng.randrange(3):02d}Z"


def _surroundings(rng: Random, features: frozenset[str], node_names: list[str]) -> Json:
    """The objects beside nodes and pods."""
    around: Json = {}
    if "pod affinity" in features:
        around["namespaces"] = [
            _object("Namespace", name, {"labels": _namespace_labels(rng, name)})
            for name in rng.sample(NAMESPACES, 2)
        ]
    if "spread" in features:
        around["services"] = [_service(rng, i) for i in range(rng.randrange(3))]
        around["replicasets"] = [_replica_set(rng, app) for app in APPS if chance(rng, 0.5)]
        around["statefulsets"] = [
            raw | {"kind": "StatefulSet"} for raw in [_replica_set(rng, app) for app in APPS[:1]]
        ]
    if "volumes" in features:
        around |= storage(rng, node_names)
    if "priorities" in features:
        around["pdbs"] = [_budget(rng, i) for i in range(rng.randrange(4))]
    return around


def _object(kind: str, name: str, metadata: Json | None = None) -> Json:
    version = {"ReplicaSet": "apps/v1", "PodDisruptionBudget": "policy/v1"}.get(kind, "v1")
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name} | (metadata or {})}


def _namespace_labels(rng: Random, name: str) -> dict[str, str]:
    labels = {"kubernetes.io/metadata.name": name}
    return labels | ({"team": rng.choice(["red", "blue"])} if chance(rng, 0.8) else {})


def _service(rng: Random, number: int) -> Json:
    wanted = {"app": rng.choice(APPS)}
    if chance(rng, 0.3):
        wanted["rev"] = rng.choice(["1", "2"])
    spec = {"selector": wanted} if chance(rng, 0.9) else {}
    place = {"namespace": rng.choice(NAMESPACES[:2])}
    return _object("Service", f"s{number}", place) | {"spec": spec}


def _replica_set(rng: Random, app: str) -> Json:
    spec = {"selector": {"matchLabels": {"app": app}}}
    return _object("ReplicaSet", app, {"namespace": rng.choice(NAMESPACES[:2])}) | {"spec": spec}


def _budget(rng: Random, number: int) -> Json:
    status: Json = {"disruptionsAllowed": rng.randrange(3)}
    if chance(rng, 0.2):
        status["disruptedPods"] = {f"old{rng.randrange(10)}": "2026-11-01T00:00:00Z"}
    spec = {"minAvailable": 1, "selector": label_selector(rng)}
    place = {"namespace": rng.choice(NAMESPACES[:2])}
    return _object("PodDisruptionBudget", f"b{number}", place) | {"spec": spec, "status": status}
