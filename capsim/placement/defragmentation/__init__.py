"""Defragmentation: the descheduler's strategies and capsim's own, with what each frees."""

from capsim.placement.defragmentation.defragment import (
    STRATEGIES,
    Strategy,
    compare_defragmentations,
    defragment,
)
from capsim.placement.defragmentation.evictor import Evictor
from capsim.placement.defragmentation.fewest_evictions import FewestEvictions
from capsim.placement.defragmentation.high_node_utilization import HighNodeUtilization
from capsim.placement.defragmentation.inter_pod_anti_affinity import (
    RemovePodsViolatingInterPodAntiAffinity,
)
from capsim.placement.defragmentation.low_node_utilization import LowNodeUtilization
from capsim.placement.defragmentation.node_affinity import RemovePodsViolatingNodeAffinity
from capsim.placement.defragmentation.node_taints import RemovePodsViolatingNodeTaints
from capsim.placement.defragmentation.remove_duplicates import RemoveDuplicates
from capsim.placement.defragmentation.result import Defragmentation
from capsim.placement.defragmentation.snapshot import Eviction
from capsim.placement.defragmentation.topology_spread import (
    RemovePodsViolatingTopologySpreadConstraint,
)

__all__ = [
    "STRATEGIES",
    "Defragmentation",
    "Eviction",
    "Evictor",
    "FewestEvictions",
    "HighNodeUtilization",
    "LowNodeUtilization",
    "RemoveDuplicates",
    "RemovePodsViolatingInterPodAntiAffinity",
    "RemovePodsViolatingNodeAffinity",
    "RemovePodsViolatingNodeTaints",
    "RemovePodsViolatingTopologySpreadConstraint",
    "Strategy",
    "compare_defragmentations",
    "defragment",
]
