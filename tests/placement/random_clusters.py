"""Random clusters as Kubernetes JSON, of what the engine models; `cases()` is the way in.

A case has the format of the recorded ones, and no pod in it may preempt. Its waiting pods are a
crowd made from a few templates, so that nodes fill up while the same questions come again.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.placement.builders import PREFERRED, REQUIRED

Json = dict[str, Any]
Objects = st.SearchStrategy[Json]

IMAGES = ("web:1", "web:latest", "reg.example:5000/api:2")
SCORED_RESOURCES = ("cpu", "memory", "ephemeral-storage", "nvidia.com/gpu")
SCORE_PLUGINS = (
    "TaintToleration",
    "NodeAffinity",
    "NodeResourcesFit",
    "NodeResourcesBalancedAllocation",
    "ImageLocality",
)


def each(**choices: list[Any]) -> Objects:
    """All of the fields, each with one of its values."""
    return st.fixed_dictionaries({name: st.sampled_from(v) for name, v in choices.items()})


@st.composite
def perhaps(draw: st.DrawFn, fields: dict[str, tuple[int, Any]]) -> Json:
    """Any of the fields: each is there in so many percent of all cases."""
    return {
        name: draw(value if isinstance(value, st.SearchStrategy) else st.sampled_from(value))
        for name, (percent, value) in fields.items()
        if draw(st.integers(1, 100)) > 100 - percent
    }


def few(things: Objects, most: int = 2, least: int = 0) -> st.SearchStrategy[list[Json]]:
    return st.lists(things, min_size=least, max_size=most)


def both(first: Objects, second: Objects) -> Objects:
    return st.builds(lambda a, b: a | b, first, second)


# Node affinity ------------------------------------------------------------------------------

EXPRESSIONS = st.one_of(
    each(key=["disk", "zone"], operator=["In", "NotIn"], values=[["ssd"], ["a"], ["a", "b"]]),
    each(key=["disk", "zone"], operator=["Exists", "DoesNotExist"]),
    each(key=["gen"], operator=["Gt", "Lt"], values=[["1"], ["2"], ["x"]]),
)
NAMES = each(key=["metadata.name"], operator=["In", "NotIn"], values=[["n0"], ["n1"], ["n2"]])
TERMS = perhaps(
    {
        "matchExpressions": (90, few(EXPRESSIONS, least=1)),
        "matchFields": (15, few(NAMES, most=1, least=1)),
    }
)
PREFERENCES = st.fixed_dictionaries({"weight": st.integers(1, 100), "preference": TERMS})
AFFINITIES = perhaps(
    {
        REQUIRED: (20, st.fixed_dictionaries({"nodeSelectorTerms": few(TERMS, least=1)})),
        PREFERRED: (80, few(PREFERENCES, most=3, least=1)),
    }
)

# Nodes and pods -----------------------------------------------------------------------------

OFFERS = both(
    each(
        cpu=["1", "2", "3500m", "8", "16"],
        memory=["2Gi", "4Gi", "7500M", "32Gi"],
        pods=["1", "3", "8", "110", "110"],
    ),
    perhaps(
        {
            "ephemeral-storage": (60, ["5Gi", "50Gi"]),
            "nvidia.com/gpu": (50, ["0", "1", "8"]),
        }
    ),
)
TAINTS = each(
    key=["dedicated", "spot"],
    value=["", "a"],
    effect=["NoSchedule", "NoExecute", *["PreferNoSchedule"] * 10],
)
NODES = st.fixed_dictionaries(
    {
        "labels": perhaps(
            {
                "disk": (80, ["ssd", "hdd"]),
                "zone": (80, ["a", "b", "c"]),
                "gen": (60, ["1", "2", "3", "old"]),
            }
        ),
        "taints": few(TAINTS, most=3),
        "unschedulable": st.sampled_from([*[False] * 9, True]),
        "allocatable": OFFERS,
        "images": few(each(names=[[i] for i in IMAGES], sizeBytes=[5**9, 3 * 10**8, 25 * 10**8])),
    }
)
REQUESTS = perhaps(
    {
        "cpu": (80, ["0", "50m", "100m", "700m", "1"]),
        "memory": (80, ["0", "64Mi", "200Mi", "1Gi", "500M"]),
        "ephemeral-storage": (10, ["1Gi"]),
        "nvidia.com/gpu": (10, ["1", "2"]),
    }
)
PORTS = both(
    each(containerPort=[80], hostPort=[0, 8080, 8443]),
    perhaps(
        {"protocol": (50, ["TCP", "UDP"]), "hostIP": (50, ["10.0.0.1", "10.0.0.2", "0.0.0.0"])}
    ),
)
CONTAINERS = both(
    st.fixed_dictionaries(
        {
            "image": st.sampled_from([*IMAGES, "web", "other"]),
            "resources": st.fixed_dictionaries({"requests": REQUESTS}),
        }
    ),
    perhaps({"ports": (15, few(PORTS, least=1))}),
)
TOLERATIONS = st.one_of(
    both(
        each(key=["dedicated", "spot", "node.kubernetes.io/unschedulable"]),
        perhaps({"value": (50, ["a"]), "effect": (50, ["NoSchedule", "PreferNoSchedule"])}),
    ),
    each(operator=["Exists"], key=["dedicated", ""]),
)
POD_SPECS = both(
    st.fixed_dictionaries(
        {
            "containers": few(CONTAINERS, least=1).map(
                lambda listed: [{"name": f"c{i}", **one} for i, one in enumerate(listed)]
            )
        }
    ),
    perhaps(
        {
            "tolerations": (50, few(TOLERATIONS, least=1)),
            "nodeSelector": (15, [{"disk": "ssd"}, {"zone": "a"}]),
            "affinity": (60, st.fixed_dictionaries({"nodeAffinity": AFFINITIES})),
            "priority": (30, [0, 5]),
        }
    ),
)

# The scheduler ------------------------------------------------------------------------------


def weighted(names: tuple[str, ...], most: int) -> st.SearchStrategy[list[Json]]:
    """Some of the names, each once, with a weight."""
    entries = st.fixed_dictionaries(
        {"name": st.sampled_from(names), "weight": st.integers(1, most)}
    )
    return st.lists(entries, min_size=1, unique_by=lambda entry: entry["name"])


SHAPES = st.lists(
    st.fixed_dictionaries({"utilization": st.integers(0, 100), "score": st.integers(0, 10)}),
    min_size=1,
    max_size=4,
    unique_by=lambda point: point["utilization"],
).map(lambda points: sorted(points, key=lambda point: point["utilization"]))
STRATEGIES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"]),
        "resources": weighted(SCORED_RESOURCES, 5),
        "requestedToCapacityRatio": st.fixed_dictionaries({"shape": SHAPES}),
    }
)
ADDED = perhaps(
    {
        REQUIRED: (10, st.fixed_dictionaries({"nodeSelectorTerms": few(TERMS, least=1)})),
        PREFERRED: (90, few(PREFERENCES, least=1)),
    }
)
ARGUMENTS = perhaps(
    {
        "NodeResourcesFit": (70, st.fixed_dictionaries({"scoringStrategy": STRATEGIES})),
        "NodeResourcesBalancedAllocation": (
            50,
            st.fixed_dictionaries({"resources": weighted(SCORED_RESOURCES, 1)}),
        ),
        "NodeAffinity": (30, st.fixed_dictionaries({"addedAffinity": ADDED})),
    }
)


def configuration(arguments: Json, weights: list[Json]) -> Json:
    """One profile, without preemption."""
    plugins = {"postFilter": {"disabled": [{"name": "*"}]}, "score": {"enabled": weights}}
    stated = [{"name": name, "args": args} for name, args in arguments.items()]
    return {"profiles": [{"pluginConfig": stated, "plugins": plugins}]}


# Cases --------------------------------------------------------------------------------------


@st.composite
def cases(draw: st.DrawFn) -> Json:
    """A cluster, pods that run on it whether they fit or not, and a crowd of waiting pods."""
    machines = draw(st.lists(NODES, min_size=1, max_size=10))
    specs = draw(st.lists(POD_SPECS, min_size=1, max_size=5))
    spec, machine = st.integers(0, len(specs) - 1), st.integers(0, len(machines) - 1)
    running = draw(st.lists(st.tuples(spec, machine), max_size=8))
    waiting = draw(st.lists(spec, min_size=1, max_size=50))
    weights = draw(st.one_of(st.just([]), weighted(SCORE_PLUGINS, 9)))
    return {
        "config": configuration(draw(ARGUMENTS), weights),
        "nodes": [node_object(f"n{i}", stated) for i, stated in enumerate(machines)],
        "pods": [
            pod_object(f"old{i}", {**specs[t], "nodeName": f"n{n}"})
            for i, (t, n) in enumerate(running)
        ],
        "pending": [pod_object(f"p{i}", specs[t]) for i, t in enumerate(waiting)],
    }


def node_object(name: str, stated: Json) -> Json:
    """A Node as an API server has stored it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": name, "labels": stated["labels"]},
        "spec": {"taints": stated["taints"], "unschedulable": stated["unschedulable"]},
        "status": {"allocatable": stated["allocatable"], "images": stated["images"]},
    }


def pod_object(name: str, spec: Json) -> Json:
    """A Pod as an API server has stored it."""
    metadata = {"name": name, "namespace": "default", "uid": name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
