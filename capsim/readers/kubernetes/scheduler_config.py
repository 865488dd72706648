"""KubeSchedulerConfiguration: the profile that the scheduler runs with.

Read are weights, enabled and disabled plugins of the multiPoint, preFilter, filter, score and
postFilter points, and the arguments of the plugins that capsim models.
Source: kubescheduler.config.k8s.io/v1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from capsim.errors import InputError, Problem, clip
from capsim.scenario import (
    CLAIM_ORDER,
    DEFAULT_WEIGHTS,
    FILTER_ORDER,
    SchedulerProfile,
    problems_of,
)

_TITLE = "KubeSchedulerConfiguration"
_DEFAULT_NAME = "default-scheduler"
_MAX_WEIGHT = 100
_PREEMPTION = "DefaultPreemption"


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
    """What the extension points say; plugins that a point names itself come first there."""
    defaults: dict[str, int] = dict.fromkeys((*FILTER_ORDER, *DEFAULT_WEIGHTS, _PREEMPTION), 0)
    everywhere = _merged(points, "multiPoint", defaults | DEFAULT_WEIGHTS, file, own_first=False)
    filters, scores, narrowing, evicting = (
        _merged(points, point, everywhere, file, own_first=True)
        for point in ("filter", "score", "preFilter", "postFilter")
    )
    return {
        "filters": tuple(name for name in filters if name in FILTER_ORDER),
        "score_weights": {n: w or 1 for n, w in scores.items() if n in DEFAULT_WEIGHTS},
        "narrows_by_name": "NodeAffinity" in narrowing,
        "rejecting": tuple(name for name in narrowing if name in CLAIM_ORDER),
        "preemption": _PREEMPTION in evicting,
    }


def _merged(
    points: dict[str, Any], point: str, known: dict[str, int], file: str, *, own_first: bool
) -> dict[str, int]:
    """The plugins of a point with their weights: those that were known, disabled and enabled."""
    stated = points.get(point) or {}
    disabled = {str(each.get("name", "")) for each in stated.get("disabled") or ()}
    own = {
        str(each.get("name", "")): _weight(each, str(each.get("name", "")), file)
        for each in stated.get("enabled") or ()
    }
    rest = {
        name: weight
        for name, weight in known.items()
        if name not in disabled and "*" not in disabled
    }
    if own_first:
        return own | {name: weight for name, weight in rest.items() if name not in own}
    return rest | {name: weight or rest.get(name, 0) for name, weight in own.items()}


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
