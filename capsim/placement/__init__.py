"""Which unit runs where, what is left, and how few machines would do."""

from capsim.placement.comparison import Comparison, compare
from capsim.placement.defragmentation import (
    Defragmentation,
    Evictor,
    FewestEvictions,
    HighNodeUtilization,
    LowNodeUtilization,
    compare_defragmentations,
    defragment,
)
from capsim.placement.headroom import Headroom, headroom, headroom_curve, headroom_together
from capsim.placement.packing import MachineShare, Packing, compare_packers, pack
from capsim.placement.place import place
from capsim.placement.result import Placement
from capsim.placement.sizing import size_cluster
from capsim.placement.stranded import Stranded, stranded
from capsim.placement.whatif import (
    DaemonSetFit,
    Upgrade,
    add_machines,
    change_requests,
    cordon,
    drain,
    grow,
    grow_daemon_set,
    raise_replicas,
    remove_nodes,
    remove_zone,
    set_priority,
    uncordon,
    upgrade,
)

__all__ = [
    "Comparison",
    "DaemonSetFit",
    "Defragmentation",
    "Evictor",
    "FewestEvictions",
    "Headroom",
    "HighNodeUtilization",
    "LowNodeUtilization",
    "MachineShare",
    "Packing",
    "Placement",
    "Stranded",
    "Upgrade",
    "add_machines",
    "change_requests",
    "compare",
    "compare_defragmentations",
    "compare_packers",
    "cordon",
    "defragment",
    "drain",
    "grow",
    "grow_daemon_set",
    "headroom",
    "headroom_curve",
    "headroom_together",
    "pack",
    "place",
    "raise_replicas",
    "remove_nodes",
    "remove_zone",
    "set_priority",
    "size_cluster",
    "stranded",
    "uncordon",
    "upgrade",
]
