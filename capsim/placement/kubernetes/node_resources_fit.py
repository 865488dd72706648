"""NodeResourcesFit: what is left of every resource, and how full a node should be.

Rule: a node is refused for every resource of which less is left than requested, and when it has
no pod slot; the score prefers empty nodes (LeastAllocated), full ones (MostAllocated) or follows
a curve (RequestedToCapacityRatio). Source: Kubernetes 1.34, noderesources plugin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.scenario import CPU, EPHEMERAL_STORAGE, MEMORY, PODS, ResourceWeight, SchedulerProfile
from capsim.topology import Int64

NAME = "NodeResourcesFit"
TOO_MANY_PODS = "Too many pods"
STRATEGIES = ("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio")


def reason(resource: str) -> str:
    """The scheduler's words for too little of a resource."""
    return TOO_MANY_PODS if resource == PODS else f"Insufficient {resource}"


def is_scalar(resource: str) -> bool:
    """Extended resources and huge pages; they count in scores only where a unit asks for them."""
    return resource not in (CPU, MEMORY, PODS, EPHEMERAL_STORAGE)


def _is_extended(resource: str) -> bool:
    """Resources of a vendor's own; huge pages and those of Kubernetes are native."""
    return "/" in resource and "kubernetes.io/" not in resource


@dataclass(frozen=True, eq=False)
class Scored:
    """The resources that a score looks at, as columns of the topology."""

    columns: Int64
    weights: Int64
    scalar: NDArray[np.bool_]


def scored(weights: Sequence[ResourceWeight], resources: Sequence[str]) -> Scored:
    """The columns of the weighted resources; names that nothing offers or asks for fall out."""
    known = [each for each in weights if each.name in resources]
    return Scored(
        np.array([resources.index(each.name) for each in known], np.int64),
        np.array([each.weight for each in known], np.int64),
        np.array([is_scalar(each.name) for each in known], np.bool_),
    )


def checked(request: Int64, resources: Sequence[str], profile: SchedulerProfile) -> Int64:
    """Requests as the filter sees them: ignored extended resources count 0."""
    ignored = [
        _is_extended(name)
        and (
            name in profile.ignored_resources
            or name.partition("/")[0] in profile.ignored_resource_groups
        )
        for name in resources
    ]
    return np.where(np.array(ignored, bool), 0, request)


def curve(profile: SchedulerProfile) -> tuple[Int64, Int64]:
    """Utilisation in percent and score in 0..100 of the points of RequestedToCapacityRatio."""
    points = [(point.utilization, point.score * 10) for point in profile.shape] or [(0, 0)]
    table = np.array(points, np.int64)
    return table[:, 0].copy(), table[:, 1].copy()
