"""Evictions on trial: who would have to leave a node so that a unit fits."""

from __future__ import annotations

import numpy as np

from capsim.placement.kubernetes._kernels.filters import filter_nodes
from capsim.placement.kubernetes._kernels.jit import kernel
from capsim.placement.kubernetes._kernels.resources import volumes_filter
from capsim.placement.kubernetes._kernels.state import bind, count_unit, deal_boards, release
from capsim.placement.kubernetes._kernels.terms import topology_filter


@kernel
def evict_on_trial(u, nodes, counts, units, rows, residents):
    """Take unit u off its node until `return_from_trial`."""
    c, n = residents.unit_class[u], residents.node[u]
    residents.away[u] = True
    release(n, c, nodes, units)
    count_unit(n, c, -1, rows, counts)
    if units.gpu_need[c, 0] > 0:
        deal_boards(n, nodes, units, residents)


@kernel
def return_from_trial(u, nodes, counts, units, rows, residents):
    """Undo `evict_on_trial`."""
    c, n = residents.unit_class[u], residents.node[u]
    residents.away[u] = False
    bind(n, c, nodes, units)
    count_unit(n, c, 1, rows, counts)
    if units.gpu_need[c, 0] > 0:
        deal_boards(n, nodes, units, residents)


@kernel
def freed(
    c,
    priority,
    todo,
    refusal,
    nodes,
    counts,
    units,
    static,
    rows,
    asks,
    residents,
    heard,
    unwanted_row,
    unwanted,
    out_fits,
):
    """Whether class c would fit on each node of todo without its units of lower priority.

    refusal: int[len(todo)], why each node refuses it now. heard: bool[classes], whose units its
    topology terms count. unwanted_row: int[J], the rows that must count nobody in the node's
    domain; unwanted: int[J, classes], what a unit of each class adds to them. out_fits:
    bool[len(todo)], overwritten; False where there are no units of lower priority.
    """
    here = np.empty(1, np.int64)
    code = np.empty(1, np.int8)
    lower = np.empty(len(residents.after), np.int64)
    boards = np.empty(nodes.gpu_free.shape[1], np.int64)
    for i in range(len(todo)):
        here[0] = todo[i]
        count = 0
        u = residents.first[todo[i]]
        while u >= 0:
            if residents.priority[u] < priority:
                lower[count] = u
                count += 1
            u = residents.after[u]
        out_fits[i] = False
        if count == 0:
            continue
        domains = rows.domain[:, todo[i]]
        for j in range(len(unwanted_row)):
            q = unwanted_row[j]
            if domains[rows.key[q]] >= 0:
                others = counts.number[rows.start[q] + domains[rows.key[q]]]
                for k in range(count):
                    others -= unwanted[j, residents.unit_class[lower[k]]]
                if others > 0:
                    count = 0
        if count == 0 or not _is_worth_a_trial(
            c, todo[i], refusal[i], lower[:count], nodes, units, residents, heard
        ):
            continue
        boards[:] = nodes.gpu_free[todo[i]]
        for j in range(count):
            evict_on_trial(lower[j], nodes, counts, units, rows, residents)
        filter_nodes(c, here, 1, nodes, units, static, code)
        if units.own_start[c + 1] > units.own_start[c]:
            volumes_filter(c, here, 1, nodes, units, code)
        if asks.cells[c] >= 0:
            topology_filter(c, here, 1, rows, counts, asks, code)
        out_fits[i] = code[0] == 0
        for j in range(count):
            return_from_trial(lower[j], nodes, counts, units, rows, residents)
        nodes.gpu_free[todo[i]] = boards


@kernel
def _is_worth_a_trial(c, n, refusal, lower, nodes, units, residents, heard):
    """Whether without some units there are resources enough, and terms are heard that refuse."""
    if -9 < refusal < -3:
        speaks = False
        for u in lower:
            speaks |= heard[residents.unit_class[u]]
        if not speaks:
            return False
    for r in range(nodes.offered.shape[1]):
        need = units.checked[c, r]
        if need > 0:
            left = nodes.offered[n, r] - nodes.used[n, r]
            for u in lower:
                gone = residents.unit_class[u]
                left += units.request[gone, r]
                for i in range(units.own_start[gone], units.own_start[gone + 1]):
                    left += units.own_port[i] // nodes.port_use.shape[1] == r
            if need > left:
                return False
    return True


@kernel
def reprieve(c, n, lower, nodes, counts, units, static, rows, asks, residents, out_victim):
    """Which of the units of lower priority on node n must go so that class c fits.

    All are taken off; in the given order each comes back unless the class no longer fits.
    out_victim: bool[len(lower)], overwritten. In the end all is as before.
    """
    here = np.full(1, n)
    code = np.empty(1, np.int8)
    boards = nodes.gpu_free[n].copy()
    for u in lower:
        evict_on_trial(u, nodes, counts, units, rows, residents)
    for j in range(len(lower)):
        return_from_trial(lower[j], nodes, counts, units, rows, residents)
        filter_nodes(c, here, 1, nodes, units, static, code)
        if units.own_start[c + 1] > units.own_start[c]:
            volumes_filter(c, here, 1, nodes, units, code)
        if asks.cells[c] >= 0:
            topology_filter(c, here, 1, rows, counts, asks, code)
        out_victim[j] = code[0] != 0
        if out_victim[j]:
            evict_on_trial(lower[j], nodes, counts, units, rows, residents)
    for j in range(len(lower)):
        if out_victim[j]:
            return_from_trial(lower[j], nodes, counts, units, rows, residents)
    nodes.gpu_free[n] = boards
