"""Random KubeSchedulerConfigurations."""

from random import Random

from .generate_pods import PREFERRED, REQUIRED, TOPOLOGY_KEYS, Json, chance, node_term

SCORE_PLUGINS = [
    "TaintToleration",
    "NodeAffinity",
    "NodeResourcesFit",
    "PodTopologySpread",
    "InterPodAffinity",
    "NodeResourcesBalancedAllocation",
    "ImageLocality",
]
FILTER_PLUGINS = ["NodeUnschedulable", "NodeName", "NodePorts", *SCORE_PLUGINS[:5]]
VOLUME_PLUGINS = ["VolumeRestrictions", "NodeVolumeLimits", "VolumeBinding", "VolumeZone"]


def configuration(rng: Random, features: frozenset[str]) -> Json:
    """One profile or two, with the arguments that the features are about."""
    profiles = [_profile(rng, features) | {"schedulerName": "default-scheduler"}]
    if "plugins" in features and chance(rng, 0.4):
        profiles.append(_profile(rng, features) | {"schedulerName": "second"})
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "profiles": profiles,
    }


def _profile(rng: Random, features: frozenset[str]) -> Json:
    config = []
    for feature, name, arguments in ARGUMENTS:
        if feature in features and chance(rng, 0.6):
            version = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": f"{name}Args"}
            config.append({"name": name, "args": version | arguments(rng)})
    profile: Json = {"pluginConfig": config} if config else {}
    if "plugins" in features and chance(rng, 0.4):
        filters = FILTER_PLUGINS + (VOLUME_PLUGINS if "volumes" in features else [])
        profile["plugins"] = _plugins(rng, filters)
    return profile


def _plugins(rng: Random, filters: list[str]) -> Json:
    """Plugins switched off everywhere or at one point, moved to the front, weighed anew."""
    plugins: Json = {}
    if chance(rng, 0.3):
        plugins["multiPoint"] = {"disabled": _some(rng, [*SCORE_PLUGINS, "DefaultPreemption"])}
    if chance(rng, 0.4):
        plugins["filter"] = {"disabled": _some(rng, filters)}
    elif chance(rng, 0.3) and "multiPoint" not in plugins:
        plugins["filter"] = {"enabled": _some(rng, filters)}
    if chance(rng, 0.6):
        weighed = [entry | {"weight": rng.randint(1, 20)} for entry in _some(rng, SCORE_PLUGINS)]
        plugins["score"] = {"enabled": weighed}
        if chance(rng, 0.3):
            plugins["score"]["disabled"] = [{"name": "*"}]
    return plugins


def _some(rng: Random, names: list[str]) -> list[Json]:
    return [{"name": name} for name in rng.sample(names, rng.randint(1, 2))]


def _resources(rng: Random) -> list[Json]:
    names = ["cpu", "memory", "nvidia.com/gpu", "ephemeral-storage", "hugepages-2Mi"]
    chosen = [name for name in names if chance(rng, 0.5)] or ["cpu"]
    return [{"name": name, "weight": rng.randint(1, 5)} for name in chosen]


def _fit(rng: Random) -> Json:
    strategy: Json = {"resources": _resources(rng)}
    strategy["type"] = rng.choice(["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"])
    if strategy["type"] == "RequestedToCapacityRatio":
        utilizations = sorted(rng.sample(range(101), rng.randint(1, 4)))
        shape = [{"utilization": u, "score": rng.randint(0, 10)} for u in utilizations]
        strategy["requestedToCapacityRatio"] = {"shape": shape}
    arguments: Json = {"scoringStrategy": strategy}
    if chance(rng, 0.2):
        arguments["ignoredResources"] = ["nvidia.com/gpu"]
    if chance(rng, 0.2):
        arguments["ignoredResourceGroups"] = ["example.com"]
    return arguments


def _balanced(rng: Random) -> Json:
    return {"resources": [resource | {"weight": 1} for resource in _resources(rng)]}


def _spread(rng: Random) -> Json:
    if chance(rng, 0.4):
        return {"defaultingType": "System"}
    keys = rng.sample(TOPOLOGY_KEYS, rng.randint(0, 2))
    constraints = [
        {
            "maxSkew": rng.randint(1, 4),
            "topologyKey": key,
            "whenUnsatisfiable": rng.choice(["DoNotSchedule", "ScheduleAnyway"]),
        }
        for key in keys
    ]
    return {"defaultingType": "List", "defaultConstraints": constraints}


def _inter_pod_affinity(rng: Random) -> Json:
    return {
        "hardPodAffinityWeight": rng.choice([0, 1, 100]),
        "ignorePreferredTermsOfExistingPods": chance(rng, 0.4),
    }


def _added_affinity(rng: Random) -> Json:
    added: Json = {}
    if chance(rng, 0.4):
        added[REQUIRED] = {"nodeSelectorTerms": [node_term(rng), node_term(rng)]}
    if chance(rng, 0.6):
        added[PREFERRED] = [{"weight": rng.randint(1, 50), "preference": node_term(rng)}]
    return {"addedAffinity": added}


ARGUMENTS = [
    ("strategies", "NodeResourcesFit", _fit),
    ("strategies", "NodeResourcesBalancedAllocation", _balanced),
    ("spread", "PodTopologySpread", _spread),
    ("pod affinity", "InterPodAffinity", _inter_pod_affinity),
    ("node affinity", "NodeAffinity", _added_affinity),
]
