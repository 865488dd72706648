"""Random pods: each feature of a family adds its part of the spec now and then."""

from collections.abc import Sequence
from random import Random
from typing import Any

from .generate_volumes import add_volumes

Json = dict[str, Any]

APPS = ["web", "api", "db"]
NAMESPACES = ["default", "shop", "bank"]
DISKS = ["ssd", "hdd"]
ARCHITECTURES = ["amd64", "arm64"]
TAINT_KEYS = ["dedicated", "spot", "node.kubernetes.io/unschedulable"]
TAINT_VALUES = ["a", "b", ""]
IMAGES = [
    "registry.example/web:1",
    "registry.example/web",
    "registry.example:5000/api",
    "nginx",
    "registry.example/db@sha256:aa",
    "registry.example/init:2",
]
TOPOLOGY_KEYS = ["kubernetes.io/hostname", "topology.kubernetes.io/zone", "rack"]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def chance(rng: Random, probability: float) -> bool:
    return rng.random() < probability


def random_pod(
    rng: Random, name: str, features: frozenset[str], config: Json, node_names: Sequence[str]
) -> Json:
    labels = _labels(rng)
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": _namespace(rng, features), "labels": labels},
        "spec": {"containers": [_container(rng, f"c{i}", features) for i in range(_few(rng))]},
    }
    profile = rng.choice(config["profiles"]).get("schedulerName")
    if profile:
        pod["spec"]["schedulerName"] = profile
    for feature, add in FEATURES.items():
        if feature in features:
            add(rng, pod, node_names)
    return pod


def _few(rng: Random) -> int:
    return rng.choice([1, 1, 1, 2])


def _labels(rng: Random) -> dict[str, str]:
    if chance(rng, 0.1):
        return {}
    labels = {"app": rng.choice(APPS)}
    return labels | ({"rev": rng.choice(["1", "2"])} if chance(rng, 0.7) else {})


def _namespace(rng: Random, features: frozenset[str]) -> str:
    far = features & {"pod affinity", "spread", "priorities"}
    return rng.choice(NAMESPACES) if far and chance(rng, 0.3) else "default"


def _container(rng: Random, name: str, features: frozenset[str]) -> Json:
    image = rng.choice(IMAGES) if "images" in features else "registry.example/app:1"
    return {"name": name, "image": image, "resources": {"requests": _requests(rng, features)}}


def _requests(rng: Random, features: frozenset[str]) -> dict[str, str]:
    requests = {}
    if chance(rng, 0.85):
        requests["cpu"] = rng.choice(["0", "100m", "250m", "0.5", "1", "1500m", "3"])
    if chance(rng, 0.85):
        requests["memory"] = rng.choice(["0", "64Mi", "500M", "1Gi", "1.5Gi", "3Gi"])
    if chance(rng, 0.1):
        requests["ephemeral-storage"] = rng.choice(["1Gi", "8Gi"])
    if "extended" in features:
        if chance(rng, 0.25):
            requests["nvidia.com/gpu"] = rng.choice(["1", "2"])
        if chance(rng, 0.1):
            requests["example.com/fpga"] = "1"
        if chance(rng, 0.1):
            requests["hugepages-2Mi"] = "64Mi"
    return requests


# Each feature ------------------------------------------------------------------------------


def _add_requests(rng: Random, pod: Json, node_names: Sequence[str]) -> None:
    spec = pod["spec"]
    if chance(rng, 0.5):
        spec["initContainers"] = [_init_container(rng, i) for i in range(rng.randint(1, 3))]
    if chance(rng, 0.3):
        spec["overhead"] = {"cpu": "50m", "memory": "32Mi"}
    if chance(rng, 0.3):
        named = rng.choice([("cpu",), ("memory",), ("cpu", "memory")])
        amounts = {"cpu": rng.choice(["500m", "2"]), "memory": rng.choice(["256Mi", "2Gi"])}
        spec["resources"] = {"requests": {resource: amounts[resource] for resource in named}}


def _init_container(rng: Random, number: int) -> Json:
    container = _container(rng, f"i{number}", frozenset())
    return container | ({"restartPolicy": "Always"} if chance(rng, 0.5) else {})


def _add_tolerations(rng: Random, pod: Json, node_names: Sequence[str]) -> None:
    if chance(rng, 0.6):
        pod["spec"]["tolerations"] = [_toleration(rng) for _ in range(rng.randint(1, 3))]


def _toleration(rng: Random) -> Json:
    effects = ["NoSchedule", "NoExecute", "PreferNoSchedule", None]
    if chance(rng, 0.15):
        return {"operator": "Exists"}
    toleration = {"key": rng.choice(TAINT_KEYS), "effect": rng.choice(effects)}
    if chance(rng, 0.4):
        toleration["operator"] = "Exists"
    else:
        toleration |= {"operator": rng.choice(["Equal", None]), "value": rng.choice(TAINT_VALUES)}
    return {key: value for key, value in toleration.items() if value}


def _add_ports(rng: Random, pod: Json, node_names: Sequence[str]) -> None:
    if chance(rng, 0.4):
        rng.choice(pod["spec"]["containers"])["ports"] = [_port(rng) for _ in range(_few(rng))]


def _port(rng: Random) -> Json:
    port: Json = {"containerPort": 80, "hostPort": rng.choice([8080, 8443])}
    if chance(rng, 0.5):
        port["protocol"] = rng.choice(["TCP", "UDP"])
    if chance(rng, 0.5):
        port["hostIP"] = rng.choice(["10.0.0.1", "10.0.0.2", "0.0.0.0"])
    return port


def _add_name(rng: Random, pod: Json, node_names: Sequence[str]) -> None:
    if chance(rng, 0.05):
        pod["spec"]["nodeName"] = rng.choice(node_names)


def _add_node_affinity(rng: Random, pod: Json, node_names: Sequence[str]) -> None:
    if chance(rng, 0.25):
        pod["spec"]["nodeSelector"] = {"disk": rng.choice(DISKS)}
    affinity: Json = {}
    if chance(rng, 0.4):
        terms = [_node_term(rng, node_names) for _ in range(rng.randint(1, 2))]
        affinity[REQUIRED] = {"nodeSelectorTerms": terms}
    if chance(rng, 0.4):
        affinity[PREFERRED] = [
            {"weight": rng.randint(1, 100), "preference": node_term(rng)} for _ in range(_few(rng))
        ]
    if affinity:
        pod["spec"].setdefault("affinity", {})["nodeAffinity"] = affinity


def node_term(rng: Random) -> Json:
    """A nodeSelectorTerm on labels; seldom an empty one."""
    if chance(rng, 0.05):
        return {}
    return {"matchExpressions": [_node_expression(rng) for _ in range(_few(rng))]}


def _node_expression(rng: Random) -> Json:
    operator = rng.choice(["In", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])
    if operator in ("Gt", "Lt"):
        return {"key": "gen", "operator": operator, "values": [rng.choice(["1", "2", "3"])]}
    key, values = rng.choice(
        [("disk", DISKS), ("arch", ARCHITECTURES), ("topology.kubernetes.io/zone", ["z0", "z1"])]
    )
    if operator in ("Exists", "DoesNotExist"):
        return {"key": key, "operator": operator}
    return {"key": key, "operator": operator, "values": rng.sample(values, rng.randint(1, 2))}


def _node_term(rng: Random, node_names: Sequence[str]) -> Json:
    """On labels, or on the node's name, or both."""
    if chance(rng, 0.6):
        return node_term(rng)
    fields = [
        {
            "key": "metadata.name",
            "operator": rng.choice(["In", "In", "NotIn"]),
            "values": [rng.choice(node_names)],
        }
        for _ in range(_few(rng))
    ]
    return {"matchFields": fields} | (node_term(rng) if chance(rng, 0.3) else {})


def _add_spread(rng: Random, pod: Json, node_names: Sequence[str]) -> None:
    if chance(rng, 0.5):
        keys = rng.sample(TOPOLOGY_KEYS, rng.randint(1, 2))
        pod["spec"]["topologySpreadConstraints"] = [_constraint(rng, key) for key in keys]
    if chance(rng, 0.5):
        kind, name = rng.choice(["ReplicaSet", "StatefulSet"]), rng.choice(APPS)
        owner = {"apiVersion": "apps/v1", "kind": kind, "name": name, "controller": True}
        pod["metadata"]["ownerReferences"] = [owner]


def _constraint(rng: Random, key: str) -> Json:
    constraint: Json = {
        "maxSkew": rng.randint(1, 3),
        "topologyKey": key,
        "whenUnsatisfiable": rng.choice(["DoNotSchedule", "ScheduleAnyway"]),
    }
    if chance(rng, 0.95):
        constraint["labelSelector"] = label_selector(rng)
        if chance(rng, 0.3):
            constraint["matchLabelKeys"] = ["rev"]
    if constraint["whenUnsatisfiable"] == "DoNotSchedule" and chance(rng, 0.3):
        constraint["minDomains"] = rng.randint(1, 4)
    for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        if chance(rng, 0.4):
            constraint[policy] = rng.choice(["Honor", "Ignore"])
    return constraint


def label_selector(rng: Random) -> Json:
    """Seldom the empty one."""
    if chance(rng, 0.08):
        return {}
    if chance(rng, 0.6):
        return {"matchLabels": {"app": rng.choice(APPS)}}
    operator = rng.choice(["In", "NotIn", "Exists", "DoesNotExist"])
    expression: Json = {"key": rng.choice(["app", "rev"]), "operator": operator}
    if operator in ("In", "NotIn"):
        expression["values"] = rng.sample(["web", "api", "1", "2"], 2)
    return {"matchExpressions": [expression]}


def _add_pod_affinity(rng: Random, pod: Json, node_names: Sequence[str]) -> None:
    for kind, probability in (("podAffinity", 0.25), ("podAntiAffinity", 0.2)):
        affinity: Json = {}
        if chance(rng, probability):
            affinity[REQUIRED] = [_pod_term(rng) for _ in range(_few(rng))]
        if chance(rng, 0.3):
            affinity[PREFERRED] = [
                {"weight": rng.randint(1, 100), "podAffinityTerm": _pod_term(rng)}
                for _ in range(_few(rng))
            ]
        if affinity:
            pod["spec"].setdefault("affinity", {})[kind] = affinity


def _pod_term(rng: Random) -> Json:
    term: Json = {"topologyKey": rng.choice(TOPOLOGY_KEYS)}
    if chance(rng, 0.95):
        term["labelSelector"] = label_selector(rng)
    if chance(rng, 0.2):
        term["namespaces"] = rng.sample(NAMESPACES, _few(rng))
    if chance(rng, 0.25):
        term["namespaceSelector"] = _namespace_selector(rng)
    if chance(rng, 0.15):
        term[rng.choice(["matchLabelKeys", "mismatchLabelKeys"])] = ["rev"]
    return term


def _namespace_selector(rng: Random) -> Json:
    return rng.choice(
        [
            {},
            {"matchLabels": {"team": "red"}},
            {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["red"]}]},
            {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]},
            {"matchLabels": {"kubernetes.io/metadata.name": "bank"}},
        ]
    )


def _add_init_images(rng: Random, pod: Json, node_names: Sequence[str]) -> None:
    for container in pod["spec"].get("initContainers") or ():
        container["image"] = rng.choice(IMAGES)
    if chance(rng, 0.2) and "initContainers" not in pod["spec"]:
        container = {"name": "i0", "image": rng.choice(IMAGES), "resources": {}}
        pod["spec"]["initContainers"] = [container]


def _add_priority(rng: Random, pod: Json, node_names: Sequence[str]) -> None:
    if chance(rng, 0.9):
        pod["spec"]["priority"] = rng.choice([-10, 0, 0, 10, 100, 1000])
    if chance(rng, 0.1):
        pod["spec"]["preemptionPolicy"] = rng.choice(["Never", "PreemptLowerPriority"])


FEATURES = {
    "requests": _add_requests,
    "taints": _add_tolerations,
    "ports": _add_ports,
    "names": _add_name,
    "node affinity": _add_node_affinity,
    "spread": _add_spread,
    "pod affinity": _add_pod_affinity,
    "images": _add_init_images,
    "priorities": _add_priority,
    "volumes": add_volumes,
}
