"""Which unit runs where, what is left, and how few machines would do."""

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
from capsim.placement.whatif import add_machines, grow

__all__ = [
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
    "add_machines",
    "compare_defragmentations",
    "compare_packers",
    "defragment",
    "grow",
    "headroom",
    "headroom_curve",
    "headroom_together",
    "pack",
    "place",
    "size_cluster",
    "stranded",
]
