"""The scheduler's policy: which plugins with what weight, and how they score."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from capsim.scenario.selectors import NodeAffinity, TopologySpreadConstraint
from capsim.scenario.spec import Spec

Strategy = Literal["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"]

#: Score plugins of the default profile of Kubernetes 1.34 and their weights.
DEFAULT_WEIGHTS = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "NodeResourcesFit": 1,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}
#: Filter plugins of the default profile in the order in which they are asked.
FILTER_ORDER = (
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
)


#: Plugins that may reject a unit for its claims before any node is looked at, in their order.
CLAIM_ORDER = ("VolumeRestrictions", "VolumeBinding", "VolumeZone")


class ResourceWeight(Spec):
    """How much a resource counts in a score."""

    name: str
    weight: int = Field(default=1, ge=1, le=100)


class ShapePoint(Spec):
    """A point of the score curve of RequestedToCapacityRatio."""

    utilization: int = Field(ge=0, le=100)
    """Percent of the capacity that is requested."""
    score: int = Field(ge=0, le=10)


_CPU_AND_MEMORY = (ResourceWeight(name="cpu"), ResourceWeight(name="memory"))


class SchedulerProfile(Spec):
    """The decisions of a kube-scheduler profile; the default is that of Kubernetes 1.34."""

    scheduler_name: str = "default-scheduler"
    """It schedules the units whose templates name it."""
    strategy: Strategy = "LeastAllocated"
    resources: tuple[ResourceWeight, ...] = _CPU_AND_MEMORY
    """What NodeResourcesFit scores."""
    shape: tuple[ShapePoint, ...] = ()
    """The curve of RequestedToCapacityRatio, by rising utilisation."""
    balanced_resources: tuple[ResourceWeight, ...] = _CPU_AND_MEMORY
    ignored_resources: tuple[str, ...] = ()
    ignored_resource_groups: tuple[str, ...] = ()
    filters: tuple[str, ...] = FILTER_ORDER
    """In the order in which they are asked."""
    narrows_by_name: bool = True
    """Node names in required affinity terms narrow the nodes beforehand (NodeAffinity)."""
    rejecting: tuple[str, ...] = CLAIM_ORDER
    """Plugins that reject units for their claims (preFilter), in the order they are asked."""
    score_weights: dict[str, int] = Field(default_factory=lambda: dict(DEFAULT_WEIGHTS))
    added_affinity: NodeAffinity | None = None
    hard_pod_affinity_weight: int = Field(default=1, ge=0, le=100)
    ignore_preferred_terms_of_existing_pods: bool = False
    default_constraints: tuple[TopologySpreadConstraint, ...] = ()
    system_default_constraints: bool = True
    """The built-in soft spread over hosts and zones, for pods that state none."""
    preemption: bool = True

    @model_validator(mode="after")
    def _shape_rises(self) -> Self:
        points = [point.utilization for point in self.shape]
        if points != sorted(set(points)):
            raise ValueError("the points of shape must have rising utilization")
        if self.strategy == "RequestedToCapacityRatio" and not points:
            raise ValueError("RequestedToCapacityRatio needs a shape")
        return self
