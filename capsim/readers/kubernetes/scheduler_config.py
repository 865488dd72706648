"""KubeSchedulerConfiguration: the profile that the scheduler runs with.

Read are weights, enabled and disabled plugins of the multiPoint, filter, score and postFilter
points, and the arguments of the plugins that capsim models. Source: kubescheduler.config.k8s.io/v1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from capsim.errors import InputError, Problem, clip
from capsim.scenario import DEFAULT_WEIGHTS, FILTER_ORDER, SchedulerProfile, problems_of

_TITLE = "KubeSchedulerConfiguration"
_DEFAULT_NAME = "default-scheduler"
_MAX_WEIGHT = 100


def read_profiles(config: Any, file: str) -> dict[str, SchedulerProfile]:
    """The profiles of a configuration by scheduler name; the default one where none is stated.

    Raises: InputError naming the field of every problem.
    """
    if not isinstance(config, dict):
        raise InputError(Problem(file, clip(config), f"a {_TITLE}"))
    stated = config.get("profiles") or [{}]
    if not isinstance(stated, list) or not all(isinstance(each, dict) for each in stated):
        raise InputError(Problem(file, clip(stated), "a list of profiles", _TITLE, "profiles"))
    profiles = [_profile(each, file) for each in stated]
    return {profile.scheduler_name: profile for profile in profiles}


def _profile(stated: dict[str, Any], file: str) -> SchedulerProfile:
    fields: dict[str, Any] = _plugins(stated.get("plugins") or {}, file)
    fields["scheduler_name"] = stated.get("schedulerName") or _DEFAULT_NAME
    for entry in stated.get("pluginConfig") or ():
        read_arguments = _ARGUMENTS.get(entry.get("name", ""))
        if read_arguments is not None:
            fields |= read_arguments(entry.get("args") or {})
    try:
        return SchedulerProfile(**fields)
    except ValidationError as error:
        raise InputError(problems_of(error, file, None, _TITLE)) from None


def _plugins(points: dict[str, Any], file: str) -> dict[str, Any]:
    weights, filters, preemption = dict(DEFAULT_WEIGHTS), list(FILTER_ORDER), True
    for point in ("multiPoint", "filter", "score", "postFilter"):
        stated = points.get(point) or {}
        disabled = [str(each.get("name", "")) for each in stated.get("disabled") or ()]
        everything = "*" in disabled
        if point in ("multiPoint", "filter"):
            filters = [name for name in filters if not everything and name not in disabled]
        if point in ("multiPoint", "score"):
            weights = {
                name: weight
                for name, weight in weights.items()
                if not everything and name not in disabled
            }
        if point in ("multiPoint", "postFilter"):
            preemption = preemption and not everything and "DefaultPreemption" not in disabled
        for each in stated.get("enabled") or ():
            name = str(each.get("name", ""))
            if point in ("multiPoint", "filter") and name in FILTER_ORDER and name not in filters:
                filters.append(name)
            if point in ("multiPoint", "score") and name in DEFAULT_WEIGHTS:
                weights[name] = _weight(each, name, file) or weights.get(name, 1)
            preemption = preemption or name == "DefaultPreemption"
    ordered = tuple(sorted(filters, key=FILTER_ORDER.index))
    return {"score_weights": weights, "filters": ordered, "preemption": preemption}


def _weight(entry: dict[str, Any], name: str, file: str) -> int:
    weight = entry.get("weight") or 0
    if not isinstance(weight, int) or not 0 <= weight <= _MAX_WEIGHT:
        expected = f"a whole number from 0 to {_MAX_WEIGHT}"
        raise InputError(Problem(file, clip(weight), expected, f"{_TITLE} {name}", "weight"))
    return weight


def _fit(args: dict[str, Any]) -> dict[str, Any]:
    strategy = args.get("scoringStrategy") or {}
    ratio = strategy.get("requestedToCapacityRatio") or {}
    fields = {
        "strategy": strategy.get("type"),
        "resources": _weighted(strategy.get("resources")),
        "shape": ratio.get("shape"),
        "ignored_resources": args.get("ignoredResources"),
        "ignored_resource_groups": args.get("ignoredResourceGroups"),
    }
    return {name: value for name, value in fields.items() if value}


def _balanced(args: dict[str, Any]) -> dict[str, Any]:
    stated = args.get("resources")
    return {"balanced_resources": _weighted(stated)} if stated else {}


def _weighted(stated: Any) -> Any:
    """Resources with their weights; a weight of 0 or none counts 1."""
    if not isinstance(stated, list):
        return stated
    return [
        {**each, "weight": each.get("weight") or 1} if isinstance(each, dict) else each
        for each in stated
    ]


def _affinity(args: dict[str, Any]) -> dict[str, Any]:
    return {"added_affinity": args.get("addedAffinity")}


def _spread(args: dict[str, Any]) -> dict[str, Any]:
    return {
        "default_constraints": args.get("defaultConstraints") or (),
        "system_default_constraints": args.get("defaultingType", "System") == "System",
    }


def _pod_affinity(args: dict[str, Any]) -> dict[str, Any]:
    return {
        "hard_pod_affinity_weight": args.get("hardPodAffinityWeight", 1),
        "ignore_preferred_terms_of_existing_pods": bool(
            args.get("ignorePreferredTermsOfExistingPods", False)
        ),
    }


#: Plugin to what its arguments say of a profile.
_ARGUMENTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "NodeResourcesFit": _fit,
    "NodeResourcesBalancedAllocation": _balanced,
    "NodeAffinity": _affinity,
    "PodTopologySpread": _spread,
    "InterPodAffinity": _pod_affinity,
}
