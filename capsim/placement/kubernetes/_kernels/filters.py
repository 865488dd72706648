"""All filters of a node that look at the unit alone, in the scheduler's order."""

from __future__ import annotations

from capsim.placement.kubernetes._kernels.jit import kernel
from capsim.placement.kubernetes._kernels.labels import static_filter
from capsim.placement.kubernetes._kernels.resources import (
    boards_filter,
    ports_filter,
    resources_filter,
)


@kernel
def filter_nodes(c, todo, count, nodes, units, static, code):
    """Ask every filter about some nodes, in the scheduler's order; sets code[:count]."""
    static_filter(c, todo, count, static, code)
    if units.conflict_start[c + 1] > units.conflict_start[c]:
        ports_filter(c, todo, count, nodes, units, code)
    resources_filter(c, todo, count, nodes, units, code)
    if units.gpu_need[c, 0] > 0:
        boards_filter(c, todo, count, nodes, units, code)
