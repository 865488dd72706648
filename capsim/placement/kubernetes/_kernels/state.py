"""Units come and go: what is taken, what is counted, who is where."""

from __future__ import annotations

import numpy as np

from capsim.placement.kubernetes._kernels.jit import kernel


@kernel
def bind(n, c, nodes, units):
    """Account one unit of class c on node n; it takes the tightest GPU boards that fit."""
    used = nodes.used
    for r in range(used.shape[1]):
        used[n, r] += units.request[c, r]
    nodes.accounted[n, 0] += units.accounted[c, 0]
    nodes.accounted[n, 1] += units.accounted[c, 1]
    if units.own_start[c + 1] > units.own_start[c]:
        hold(n, units.own_port[units.own_start[c] : units.own_start[c + 1]], 1, nodes)
    if units.gpu_need[c, 0] > 0:
        take_boards(n, c, nodes.gpu_free, units.gpu_need)


@kernel
def take_boards(n, c, gpu_free, gpu_need):
    """Take the tightest boards of node n that fit a unit of class c."""
    # They are taken in the order of what is left on them; `least`, `last` is the one before.
    milli = gpu_need[c, 1]
    least = -1
    last = -1
    for _ in range(gpu_need[c, 0]):
        best = -1
        for d in range(gpu_free.shape[1]):
            left = gpu_free[n, d]
            unused = left > least or (left == least and d > last)
            if left >= milli and unused and (best < 0 or left < gpu_free[n, best]):
                best = d
        if best >= 0:
            least = gpu_free[n, best]
            last = best
            gpu_free[n, best] -= milli


@kernel
def release(n, c, nodes, units):
    """Take one unit of class c off node n; its GPU boards are dealt anew by `deal_boards`."""
    used = nodes.used
    for r in range(used.shape[1]):
        used[n, r] -= units.request[c, r]
    nodes.accounted[n, 0] -= units.accounted[c, 0]
    nodes.accounted[n, 1] -= units.accounted[c, 1]
    if units.own_start[c + 1] > units.own_start[c]:
        hold(n, units.own_port[units.own_start[c] : units.own_start[c + 1]], -1, nodes)


@kernel
def hold(n, entries, sign, nodes):
    """A unit on node n holds (sign 1), or lets go of (sign -1), some entries of own_port.

    The first to hold a volume takes one of its column, the last gives it back.
    """
    ports = nodes.port_use.shape[1]
    for entry in entries:
        r, p = entry // ports, entry % ports
        before = nodes.port_use[n, p]
        nodes.port_use[n, p] = before + sign
        if r > 0 and (before == 0 or before + sign == 0):
            nodes.used[n, r] += sign


@kernel
def deal_boards(n, nodes, units, residents):
    """Deal the GPU boards of a node to the units that stay, in their order."""
    gpu_free = nodes.gpu_free
    for d in range(gpu_free.shape[1]):
        gpu_free[n, d] = 1000 if gpu_free[n, d] >= 0 else -1
    u = residents.first[n]
    while u >= 0:
        if not residents.away[u]:
            take_boards(n, residents.unit_class[u], gpu_free, units.gpu_need)
        u = residents.after[u]


@kernel
def count_unit(n, c, sign, rows, counts):
    """Count one unit of class c on node n in (sign 1) or out (sign -1) of every row it meets."""
    for i in range(rows.add_start[c], rows.add_start[c + 1]):
        q = rows.add_row[i]
        if rows.mask[q] >= 0 and not rows.eligible[rows.mask[q], n]:
            continue
        d = rows.domain[rows.key[q], n]
        if d < 0:
            d = rows.blank[q]
        if d < 0:
            continue
        before = counts.number[rows.start[q] + d]
        after = before + sign * rows.add_amount[i]
        counts.number[rows.start[q] + d] = after
        counts.total[q] += sign
        if rows.domains[q] > 0:
            if after < counts.lowest[q]:
                counts.lowest[q] = after
                counts.at_lowest[q] = 1
            elif sign < 0:
                counts.at_lowest[q] += after == counts.lowest[q]
            elif before == counts.lowest[q]:
                counts.at_lowest[q] -= 1
                if counts.at_lowest[q] == 0:
                    find_lowest(q, rows, counts)


@kernel
def find_lowest(q, rows, counts):
    """The smallest count of a row, and how many domains have it."""
    lowest = np.iinfo(np.int64).max
    having = 0
    for i in range(rows.start[q], rows.start[q + 1]):
        if rows.exists[i]:
            if counts.number[i] < lowest:
                lowest = counts.number[i]
                having = 0
            having += counts.number[i] == lowest
    counts.lowest[q] = lowest
    counts.at_lowest[q] = having


@kernel
def settle(u, n, residents):
    """Note that unit u is on node n, as the last to arrive."""
    residents.node[u] = n
    residents.after[u] = -1
    residents.before[u] = residents.last[n]
    if residents.last[n] >= 0:
        residents.after[residents.last[n]] = u
    else:
        residents.first[n] = u
    residents.last[n] = u


@kernel
def unsettle(u, residents):
    """Note that unit u is gone; the last unit of its node moves into its place.

    Source: Kubernetes 1.34, NodeInfo.RemovePod.
    """
    n, after, before = residents.node[u], residents.after, residents.before
    last = residents.last[n]
    residents.last[n] = before[last]
    if before[last] >= 0:
        after[before[last]] = -1
    else:
        residents.first[n] = -1
    if last != u:
        after[last] = after[u]
        before[last] = before[u]
        if after[u] >= 0:
            before[after[u]] = last
        else:
            residents.last[n] = last
        if before[u] >= 0:
            after[before[u]] = last
        else:
            residents.first[n] = last
    residents.node[u] = -1


@kernel
def bind_all(unit_class, unit_node, nodes, counts, units, rows):
    """Account every unit that runs already (unit_node >= 0)."""
    for u in range(len(unit_node)):
        if unit_node[u] >= 0:
            bind(unit_node[u], unit_class[u], nodes, units)
            count_unit(unit_node[u], unit_class[u], 1, rows, counts)


@kernel
def settle_all(order, unit_node, residents):
    """Note where units are, in this order of arrival."""
    for u in order:
        settle(u, unit_node[u], residents)


@kernel
def arrive(u, n, nodes, counts, units, rows, residents, memory):
    """Bind unit u to node n outside of `schedule`."""
    bind(n, residents.unit_class[u], nodes, units)
    count_unit(n, residents.unit_class[u], 1, rows, counts)
    settle(u, n, residents)
    note(n, memory)


@kernel
def leave(u, nodes, counts, units, rows, residents, memory):
    """Evict unit u from where it is; classes that found no node may ask again."""
    c, n = residents.unit_class[u], residents.node[u]
    release(n, c, nodes, units)
    count_unit(n, c, -1, rows, counts)
    unsettle(u, residents)
    if units.gpu_need[c, 0] > 0:
        deal_boards(n, nodes, units, residents)
    note(n, memory)
    memory.refused[:] = False


@kernel
def note(n, memory):
    """Log that a node has changed; a full log is thrown away with the scores that rest on it."""
    logged = memory.logged[0]
    if logged == len(memory.log):
        memory.seen[:] = -1
        memory.worth_seen[:] = -1
        memory.last_change[:] = -1
        logged = 0
    memory.log[logged] = n
    memory.last_change[n] = logged
    memory.logged[0] = logged + 1
