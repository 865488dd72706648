"""Profiles of a KubeSchedulerConfiguration: which plugins run, in what order and weight."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

DEFAULT_PLUGINS = {  # in the order of the default profile, with their weights
    "NodeUnschedulable": 0,
    "NodeName": 0,
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "NodePorts": 0,
    "NodeResourcesFit": 1,
    "VolumeRestrictions": 0,
    "NodeVolumeLimits": 0,
    "VolumeBinding": 0,
    "VolumeZone": 0,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "DefaultPreemption": 0,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}
IMPLEMENTED_BY = {
    "preFilter": {
        "NodeAffinity",
        "NodePorts",
        "NodeResourcesFit",
        "VolumeRestrictions",
        "VolumeBinding",
        "VolumeZone",
        "PodTopologySpread",
        "InterPodAffinity",
    },
    "filter": {
        "NodeUnschedulable",
        "NodeName",
        "TaintToleration",
        "NodeAffinity",
        "NodePorts",
        "NodeResourcesFit",
        "VolumeRestrictions",
        "NodeVolumeLimits",
        "VolumeBinding",
        "VolumeZone",
        "PodTopologySpread",
        "InterPodAffinity",
    },
    "postFilter": {"DefaultPreemption"},
    "score": {
        "TaintToleration",
        "NodeAffinity",
        "NodeResourcesFit",
        "PodTopologySpread",
        "InterPodAffinity",
        "NodeResourcesBalancedAllocation",
        "ImageLocality",
    },
}
DEFAULT_ARGS: dict[str, Json] = {
    "NodeResourcesFit": {
        "scoringStrategy": {
            "type": "LeastAllocated",
            "resources": [{"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1}],
        }
    },
    "NodeResourcesBalancedAllocation": {
        "resources": [{"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1}]
    },
    "PodTopologySpread": {"defaultingType": "System"},
    "InterPodAffinity": {"hardPodAffinityWeight": 1},
}


@dataclass(frozen=True)
class Profile:
    """The plugins of one scheduler name, extension point by extension point."""

    filters: list[str]
    scores: dict[str, int]  # plugin -> weight
    prefilters: list[str]
    narrows: bool  # whether NodeAffinity's PreFilter runs
    preempts: bool
    args: dict[str, Json]


def profiles(configuration: Json | None) -> dict[str, Profile]:
    """Scheduler name -> profile; without any, the default one."""
    raw = (configuration or {}).get("profiles") or [{}]
    return {p.get("schedulerName") or "default-scheduler": _profile(p) for p in raw}


def _profile(raw: Json) -> Profile:
    plugins = raw.get("plugins") or {}
    everywhere = _everywhere(plugins.get("multiPoint") or {})
    at = {point: _at_point(point, plugins.get(point) or {}, everywhere) for point in IMPLEMENTED_BY}
    return Profile(
        filters=list(at["filter"]),
        scores={name: weight or 1 for name, weight in at["score"].items()},
        prefilters=list(at["preFilter"]),
        narrows="NodeAffinity" in at["preFilter"],
        preempts="DefaultPreemption" in at["postFilter"],
        args=_args(raw.get("pluginConfig") or ()),
    )


def _everywhere(multi_point: Json) -> dict[str, int]:
    """The plugins of multiPoint: defaults keep their place, and take a weight that is given."""
    asked, refused = _enabled(multi_point), _disabled(multi_point)
    defaults = {
        name: asked.get(name, weight)
        for name, weight in DEFAULT_PLUGINS.items()
        if not refused & {name, "*"}
    }
    return defaults | {name: weight for name, weight in asked.items() if name not in defaults}


def _at_point(point: str, own: Json, everywhere: dict[str, int]) -> dict[str, int]:
    """What a point names itself comes first and wins; the rest comes from multiPoint."""
    asked, refused = _enabled(own), _disabled(own)
    rest = {
        name: weight
        for name, weight in everywhere.items()
        if name not in asked and not refused & {name, "*"}
    }
    merged = asked | rest
    return {name: weight for name, weight in merged.items() if name in IMPLEMENTED_BY[point]}


def _enabled(plugin_set: Json) -> dict[str, int]:
    return {p["name"]: p.get("weight") or 0 for p in plugin_set.get("enabled") or ()}


def _disabled(plugin_set: Json) -> set[str]:
    return {p["name"] for p in plugin_set.get("disabled") or ()}


def _args(plugin_config: list[Json]) -> dict[str, Json]:
    """Every plugin's arguments: a field that is missing or null takes its default."""
    args = {name: DEFAULT_ARGS.get(name, {}) for name in DEFAULT_PLUGINS}
    for entry in plugin_config:
        args[entry["name"]] = _filled(entry.get("args") or {}, args.get(entry["name"], {}))
    return args


def _filled(given: Json, defaults: Json) -> Json:
    present = {key: value for key, value in given.items() if value is not None}
    for key, default in defaults.items():
        if isinstance(default, dict) and key in present:
            present[key] = _filled(present[key], default)
    return defaults | present
