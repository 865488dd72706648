"""Numba kernels of the scheduling core: pure functions of arrays.

Names of dimensions: N nodes, K classes of nodes that no static rule tells apart, C classes of
units, R resources (columns 0 and 1 are cpu and memory), D GPU boards, P host ports, M waiting
units. Quantities are int64: milli-cores, bytes, pieces. Go's integer division truncates; all
dividends here are non-negative except where a note says otherwise.

Each plugin is one function over a list of nodes, `todo[:count]`. It is called once a list, not
once a node: numba counts references to every array argument, which costs more than the plugin.
Refusals are codes: 0 fits, k > 0 the k-th static filter, -1 host ports, -2 resources, -3 boards,
-4 no label of a spread key, -5 spread too uneven, -6 company missing, -7 unwanted company, -8
unwanted by others (or a claim in use), -11 too many volumes. Outside of the kernels also: -9 disk
in use (here -1), -10 claim in use (here -8).

Columns behind those of the resources count the volumes of a driver on each node. A volume that
several units use takes one of its column while any of them is there: it is held like a port.

Topology terms (PodTopologySpread, InterPodAffinity) read counters: a row q counts units of one
description by the domains of one topology key. A class of units that has such terms sees the
nodes as cells: nodes that are in the same domains of all its keys. What its terms say is asked
once a cell; in each cell a tournament tree keeps the best of the other scores. Terms that look
at single nodes are asked once a pile: nodes of one cell with the same number of units.
"""

from __future__ import annotations

from capsim.placement.kubernetes._kernels.arrays import (
    Asks,
    Cells,
    Counts,
    Memory,
    Nodes,
    Piles,
    Policy,
    Residents,
    Rows,
    Scratch,
    Static,
    Units,
)
from capsim.placement.kubernetes._kernels.filters import (
    filter_nodes,
)
from capsim.placement.kubernetes._kernels.labels import (
    static_filter,
    static_scores,
    varied_scores,
)
from capsim.placement.kubernetes._kernels.preemption import (
    evict_on_trial,
    freed,
    reprieve,
    return_from_trial,
)
from capsim.placement.kubernetes._kernels.resources import (
    balanced_scores,
    boards_filter,
    fit_scores,
    plain_fit_scores,
    ports_filter,
    resources_filter,
    short_resources,
    volumes_filter,
)
from capsim.placement.kubernetes._kernels.sampled import nodes_to_find, schedule_sampled
from capsim.placement.kubernetes._kernels.schedule import (
    known_filter,
    refresh_worth,
    schedule,
)
from capsim.placement.kubernetes._kernels.state import (
    arrive,
    bind,
    bind_all,
    count_unit,
    deal_boards,
    find_lowest,
    leave,
    note,
    release,
    settle,
    settle_all,
    take_boards,
    unsettle,
)
from capsim.placement.kubernetes._kernels.terms import (
    apart_filter,
    company_filter,
    near_filter,
    pods_scores,
    spread_filter,
    spread_scores,
    topology_filter,
    topology_scores,
)
from capsim.placement.kubernetes._kernels.trees import (
    fill,
    fill_cells,
    first_best,
    first_leaf,
    first_node,
    update,
    update_cells,
)

__all__ = [
    "Asks",
    "Cells",
    "Counts",
    "Memory",
    "Nodes",
    "Piles",
    "Policy",
    "Residents",
    "Rows",
    "Scratch",
    "Static",
    "Units",
    "apart_filter",
    "arrive",
    "balanced_scores",
    "bind",
    "bind_all",
    "boards_filter",
    "company_filter",
    "count_unit",
    "deal_boards",
    "evict_on_trial",
    "fill",
    "fill_cells",
    "filter_nodes",
    "find_lowest",
    "first_best",
    "first_leaf",
    "first_node",
    "fit_scores",
    "freed",
    "known_filter",
    "leave",
    "near_filter",
    "nodes_to_find",
    "note",
    "plain_fit_scores",
    "pods_scores",
    "ports_filter",
    "refresh_worth",
    "release",
    "reprieve",
    "resources_filter",
    "return_from_trial",
    "schedule",
    "schedule_sampled",
    "settle",
    "settle_all",
    "short_resources",
    "spread_filter",
    "spread_scores",
    "static_filter",
    "static_scores",
    "take_boards",
    "topology_filter",
    "topology_scores",
    "unsettle",
    "update",
    "update_cells",
    "varied_scores",
    "volumes_filter",
]
