"""Numba kernels of the scheduling core: pure functions of arrays.

Names of dimensions: N nodes, K classes of nodes that no static rule tells apart, C classes of
units, R resources (columns 0 and 1 are cpu and memory), D GPU boards, P host ports, M waiting
units. Quantities are int64: milli-cores, bytes, pieces. Go's integer division truncates; all
dividends here are non-negative except where a note says otherwise.

Each plugin is one function over a list of nodes, `todo[:count]`. It is called once a list, not
once a node: numba counts references to every array argument, which costs more than the plugin.
Refusals are codes: 0 fits, k > 0 the k-th static filter, -1 host ports, -2 resources, -3 boards,
-4 no label of a spread key, -5 spread too uneven, -6 company missing, -7 unwanted company, -8
unwanted by others.

Topology terms (PodTopologySpread, InterPodAffinity) read counters: a row q counts units of one
description by the domains of one topology key. A class of units that has such terms sees the
nodes as cells: nodes that are in the same domains of all its keys. What its terms say is asked
once a cell; in each cell a tournament tree keeps the best of the other scores.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
#: The code of a cell in which no node fits.
_EMPTY = 100


class Nodes(NamedTuple):
    """What N nodes offer and what is taken; updated in place while units are placed."""

    offered: Int64
    """[N, R]"""
    used: Int64
    """[N, R]"""
    accounted: Int64
    """[N, 2] cpu and memory as the score of NodeResourcesFit counts them."""
    gpu_free: Int64
    """[N, D] thousandths left on each board, -1 where there is none."""
    port_use: NDArray[np.int32]
    """[N, P]"""


class Units(NamedTuple):
    """What C classes of units ask for."""

    request: Int64
    """[C, R] what is taken of a node."""
    checked: Int64
    """[C, R] the same without the resources that the filter ignores."""
    scoring: Int64
    """[C, R] what counts in the score of NodeResourcesFit."""
    accounted: Int64
    """[C, 2] what counts there once placed."""
    gpu_need: Int64
    """[C, 2] boards, thousandths of each."""
    conflict_start: Int64
    """[C + 1] where a class begins in conflict_port."""
    conflict_port: Int64
    own_start: Int64
    """[C + 1] where a class begins in own_port."""
    own_port: Int64
    skips_balance: NDArray[np.bool_]
    """[C] whether NodeResourcesBalancedAllocation has nothing to look at."""


class Static(NamedTuple):
    """What labels, taints and images say, for classes of units and of nodes."""

    node_class: NDArray[np.int32]
    """[N]"""
    refusal: NDArray[np.int8]
    """[C, K]"""
    score: Int64
    """[C, K] weighted score that needs no normalisation."""
    taint_raw: Int64
    """[C, K]"""
    affinity_raw: Int64
    """[C, K]"""
    varies: NDArray[np.bool_]
    """[C] whether raw scores differ among the nodes that pass."""
    tops: Int64
    """[C, 2] the largest raw taint and affinity scores of the nodes that pass."""


class Policy(NamedTuple):
    """Weights of the plugins, and what the resource scores look at."""

    w_fit: int
    w_balanced: int
    w_taint: int
    w_affinity: int
    w_spread: int
    w_pods: int
    """InterPodAffinity."""
    strategy: int
    """0 LeastAllocated, 1 MostAllocated, 2 RequestedToCapacityRatio."""
    fit_plain: bool
    """Whether that is cpu and memory alone, by one of the first two strategies."""
    fit_columns: Int64
    fit_weights: Int64
    fit_scalar: NDArray[np.bool_]
    shape_u: Int64
    """Utilisation of the curve's points, percent."""
    shape_s: Int64
    """Their scores, 0..100."""
    balanced_columns: Int64
    balanced_scalar: NDArray[np.bool_]


class Rows(NamedTuple):
    """Q rows of counters: what each counts, and what each class of units adds to them."""

    domain: NDArray[np.int32]
    """[keys, N] domain of each node by topology key, -1 where it has no such label."""
    eligible: NDArray[np.bool_]
    """[masks, N] nodes whose units count."""
    key: Int64
    """[Q]"""
    mask: Int64
    """[Q] row of eligible, -1 for every node."""
    blank: Int64
    """[Q] domain in which nodes without the label count, -1 for none."""
    start: Int64
    """[Q + 1] where a row begins in Counts.number."""
    exists: NDArray[np.bool_]
    """[start[Q]] whether the domain has an eligible node."""
    domains: Int64
    """[Q] how many exist, where the smallest count matters; else 0."""
    key_blank: Int64
    """[keys] the domain of the empty value."""
    add_start: Int64
    """[C + 1] where a class begins in add_row."""
    add_row: Int64
    add_amount: Int64


class Counts(NamedTuple):
    """The counters; updated in place while units are placed and evicted."""

    number: Int64
    """Ragged, see Rows.start."""
    total: Int64
    """[Q] units counted in any domain."""
    lowest: Int64
    """[Q] the smallest count of a domain that exists."""
    at_lowest: Int64
    """[Q] domains that have it."""


class Asks(NamedTuple):
    """What classes of units look at: rows of counters, ragged by class (start: [C + 1])."""

    cells: Int64
    """[C] row of Cells, -1 for a class without topology terms."""
    hard_start: Int64
    hard_row: Int64
    hard_skew: Int64
    hard_domains: Int64
    """minDomains"""
    hard_self: Int64
    """1 where the unit counts itself."""
    soft_start: Int64
    soft_row: Int64
    soft_skew: Int64
    soft_host: NDArray[np.bool_]
    """Whether the domains are single nodes."""
    need_all: NDArray[np.bool_]
    """[C] nodes that lack a soft key are left out of the spread score."""
    near_start: Int64
    near_row: Int64
    near_self: NDArray[np.bool_]
    """[C] the unit meets its own required terms."""
    apart_start: Int64
    apart_row: Int64
    shun_start: Int64
    shun_row: Int64
    pull_start: Int64
    pull_row: Int64
    pull_weight: Int64


class Cells(NamedTuple):
    """S ways to see the nodes as cells; each cell is a subtree of a tournament tree."""

    single: NDArray[np.bool_]
    """[S] every node is a cell of its own, in node order."""
    start: Int64
    """[S + 1] where a way begins in node and root."""
    node: Int64
    """A node of each cell."""
    root: Int64
    """Place of each cell's root in the tree."""
    cell: NDArray[np.int32]
    """[S, N]"""
    leaf: NDArray[np.int32]
    """[S, N] place of each node in the tree."""
    node_at: NDArray[np.int32]
    """[S, .] node of each leaf."""
    leaves: Int64
    """[S]"""


class Scratch(NamedTuple):
    """Room for the spread score to work in."""

    raw: NDArray[np.float64]
    """[N]"""
    stamp: Int64
    """[domains] the last question in which a domain was seen."""
    asked: Int64
    """[1] number of such questions."""
    logarithm: NDArray[np.float64]
    """[N + 3] natural logarithms."""


class Memory(NamedTuple):
    """What is kept of the last answers, and room to work in."""

    slot_of: Int64
    """[C] the row of the class in the score cache, -1 for none."""
    tree: NDArray[np.int32]
    """[slots + 1, .] tournament trees; -1 where the node does not fit."""
    seen: Int64
    """[slots + 1] changes that a row has taken in, -1 for an empty row."""
    tops: Int64
    """[slots + 1, 4]"""
    fits: Int64
    """[slots + 1] nodes that fit, for classes without topology terms."""
    members: Int64
    """[slots + 1, cells] nodes that fit in each cell."""
    log: Int64
    """Changed nodes in order."""
    logged: Int64
    """[1]"""
    last_change: Int64
    """[N] place of the node's last entry in log."""
    refused: NDArray[np.bool_]
    """[C] classes that find no node until one is freed."""
    worth_of: Int64
    """[C] the row of worth that the class shares with others, -1 for none."""
    worth: NDArray[np.int32]
    """[., N] the weighted scores of the resource plugins, -1 where a resource is short."""
    worth_seen: Int64
    """Changes that a row has taken in, -1 for an empty row."""
    todo: Int64
    code: NDArray[np.int8]
    total: Int64
    have: Int64
    scratch: Scratch


class Residents(NamedTuple):
    """Which units are on each node, in the scheduler's order: doubly linked lists of rows."""

    first: Int64
    """[N]"""
    last: Int64
    """[N]"""
    after: Int64
    """[U]"""
    before: Int64
    """[U]"""
    node: Int64
    """[U] -1 for a unit that is nowhere."""
    away: NDArray[np.bool_]
    """[U] evicted on trial."""
    unit_class: Int64
    """[U]"""
    priority: Int64
    """[U]"""


@njit(cache=True, error_model="numpy")
def filter_nodes(c, todo, count, nodes, units, static, code):
    """Ask every filter about some nodes, in the scheduler's order; sets code[:count]."""
    static_filter(c, todo, count, static, code)
    if units.conflict_start[c + 1] > units.conflict_start[c]:
        ports_filter(c, todo, count, nodes, units, code)
    resources_filter(c, todo, count, nodes, units, code)
    if units.gpu_need[c, 0] > 0:
        boards_filter(c, todo, count, nodes, units, code)


@njit(cache=True, error_model="numpy")
def static_filter(c, todo, count, static, code):
    """What cordons, names, taints and affinities say."""
    node_class, refusal = static.node_class, static.refusal
    for i in range(count):
        code[i] = refusal[c, node_class[todo[i]]]


@njit(cache=True, error_model="numpy")
def ports_filter(c, todo, count, nodes, units, code):
    """NodePorts: refuse where a conflicting host port is in use."""
    port_use, port = nodes.port_use, units.conflict_port
    first, last = units.conflict_start[c], units.conflict_start[c + 1]
    for i in range(count):
        for p in range(first, last):
            if code[i] == 0 and port_use[todo[i], port[p]] > 0:
                code[i] = -1


@njit(cache=True, error_model="numpy")
def resources_filter(c, todo, count, nodes, units, code):
    """NodeResourcesFit: refuse where a resource, or a pod slot, is short."""
    offered, used, checked = nodes.offered, nodes.used, units.checked
    for i in range(count):
        n = todo[i]
        short = False
        for r in range(offered.shape[1]):
            need = checked[c, r]
            short |= need > 0 and need > offered[n, r] - used[n, r]
        if short and code[i] == 0:
            code[i] = -2


@njit(cache=True, error_model="numpy")
def boards_filter(c, todo, count, nodes, units, code):
    """GpuShare: refuse where fewer boards than needed have enough thousandths left."""
    gpu_free, devices, milli = nodes.gpu_free, units.gpu_need[c, 0], units.gpu_need[c, 1]
    for i in range(count):
        if code[i] != 0:
            continue
        boards = 0
        for d in range(gpu_free.shape[1]):
            boards += gpu_free[todo[i], d] >= milli
        if boards < devices:
            code[i] = -3


@njit(cache=True, error_model="numpy")
def fit_scores(c, todo, count, code, nodes, units, policy, weight, total):
    """NodeResourcesFit: add weight * (0..100) to total[i] of each node that fits.

    Source: Kubernetes 1.34, noderesources plugin.
    """
    if policy.fit_plain:
        plain_fit_scores(c, todo, count, code, nodes, units, policy, weight, total)
        return
    offered, used, accounted = nodes.offered, nodes.used, nodes.accounted
    scoring, strategy = units.scoring, policy.strategy
    columns, weights, scalar = policy.fit_columns, policy.fit_weights, policy.fit_scalar
    shape_u, shape_s = policy.shape_u, policy.shape_s
    for i in range(count):
        if code[i] != 0:
            continue
        n = todo[i]
        points = 0
        weight_sum = 0
        for j in range(len(columns)):
            r = columns[j]
            capacity = offered[n, r]
            asked = scoring[c, r]
            if capacity == 0 or (scalar[j] and asked == 0):
                continue
            requested = (accounted[n, r] if r < 2 else used[n, r]) + asked
            if strategy == 0:
                score = 0 if requested > capacity else _percent(capacity - requested, capacity)
            elif strategy == 1:
                score = _percent(min(requested, capacity), capacity)
            else:
                u = 100 if requested > capacity else requested * 100 // capacity
                score = _on_shape(u, shape_u, shape_s)
                if score <= 0:
                    continue
            points += score * weights[j]
            weight_sum += weights[j]
        if weight_sum == 0:
            continue
        if strategy == 2:
            total[i] += weight * int(np.floor(points / weight_sum + 0.5))
        else:
            total[i] += weight * (points if weight_sum == 1 else points // weight_sum)


@njit(cache=True, error_model="numpy")
def plain_fit_scores(c, todo, count, code, nodes, units, policy, weight, total):
    """The same for cpu and memory alone, by LeastAllocated or MostAllocated."""
    offered, accounted = nodes.offered, nodes.accounted
    least = policy.strategy == 0
    cpu, memory = units.scoring[c, 0], units.scoring[c, 1]
    w_cpu, w_memory = policy.fit_weights[0], policy.fit_weights[1]
    for i in range(count):
        if code[i] != 0:
            continue
        n = todo[i]
        points = 0
        weights = 0
        capacity = offered[n, 0]
        if capacity > 0:
            free = max(0, capacity - accounted[n, 0] - cpu)
            points += w_cpu * _percent(free if least else capacity - free, capacity)
            weights += w_cpu
        capacity = offered[n, 1]
        if capacity > 0:
            free = max(0, capacity - accounted[n, 1] - memory)
            points += w_memory * _percent(free if least else capacity - free, capacity)
            weights += w_memory
        if weights == 2:
            total[i] += weight * (points >> 1)
        elif weights > 0:
            total[i] += weight * (points // weights)


@njit(cache=True, error_model="numpy")
def _percent(part, whole):
    """100 * part // whole for 0 <= part <= whole; floating point is faster, then set right."""
    share = int(100.0 * part / whole)
    rest = 100 * part - share * whole
    if rest < 0:
        return share - 1
    return share + 1 if rest >= whole else share


@njit(cache=True, error_model="numpy")
def _on_shape(u, shape_u, shape_s):
    """Broken line through (shape_u, shape_s), flat outside; slopes truncate toward zero."""
    if u <= shape_u[0]:
        return shape_s[0]
    for i in range(1, len(shape_u)):
        if u <= shape_u[i]:
            rise = (shape_s[i] - shape_s[i - 1]) * (u - shape_u[i - 1])
            run = shape_u[i] - shape_u[i - 1]
            step = rise // run if rise >= 0 else -((-rise) // run)
            return shape_s[i - 1] + step
    return shape_s[-1]


@njit(cache=True, error_model="numpy")
def balanced_scores(c, todo, count, code, nodes, units, policy, weight, total):
    """NodeResourcesBalancedAllocation: add weight * int((1 - deviation of shares) * 100).

    Two shares: |a - b| / 2; more: the population standard deviation; fewer: 0.
    Source: Kubernetes 1.34, noderesources plugin.
    """
    offered, used, request = nodes.offered, nodes.used, units.request
    columns, scalar = policy.balanced_columns, policy.balanced_scalar
    shares = np.empty(len(columns), np.float64)
    for i in range(count):
        if code[i] != 0:
            continue
        n = todo[i]
        known = 0
        for j in range(len(columns)):
            r = columns[j]
            if offered[n, r] == 0 or (scalar[j] and request[c, r] == 0):
                continue
            shares[known] = min(1.0, (used[n, r] + request[c, r]) / offered[n, r])
            known += 1
        deviation = 0.0
        if known == 2:
            deviation = abs((shares[0] - shares[1]) / 2.0)
        elif known > 2:
            mean = 0.0
            for j in range(known):
                mean += shares[j]
            mean /= known
            for j in range(known):
                deviation += (shares[j] - mean) * (shares[j] - mean)
            deviation = np.sqrt(deviation / known)
        total[i] += weight * int((1.0 - deviation) * 100.0)


@njit(cache=True, error_model="numpy")
def static_scores(c, todo, count, code, static, policy, taint_top, affinity_top, total):
    """ImageLocality and the normalised scores of TaintToleration and NodeAffinity."""
    node_class, score = static.node_class, static.score
    taint_raw, affinity_raw = static.taint_raw, static.affinity_raw
    for i in range(count):
        if code[i] == 0:
            k = node_class[todo[i]]
            total[i] += (
                score[c, k]
                + policy.w_taint * _normalised(taint_raw[c, k], taint_top, True)
                + policy.w_affinity * _normalised(affinity_raw[c, k], affinity_top, False)
            )


@njit(cache=True, error_model="numpy")
def varied_scores(c, count, code, static, policy, total):
    """The same for the first `count` nodes, whose largest raw scores are not known yet."""
    node_class, score = static.node_class, static.score[c]
    taint_raw, affinity_raw = static.taint_raw[c], static.affinity_raw[c]
    w_taint, w_affinity = policy.w_taint, policy.w_affinity
    taint_top = 0
    affinity_top = 0
    for n in range(count):
        if code[n] == 0:
            taint_top = max(taint_top, taint_raw[node_class[n]])
            affinity_top = max(affinity_top, affinity_raw[node_class[n]])
    for n in range(count):
        if code[n] == 0:
            k = node_class[n]
            total[n] += (
                score[k]
                + w_taint * _normalised(taint_raw[k], taint_top, True)
                + w_affinity * _normalised(affinity_raw[k], affinity_top, False)
            )


@njit(cache=True, error_model="numpy")
def _normalised(raw, largest, reverse):
    """The scheduler's default normalisation of a raw score to 0..100."""
    if largest == 0:
        return 100 if reverse else 0
    scaled = _percent(raw, largest) if raw > 0 else 0
    return 100 - scaled if reverse else scaled


@njit(cache=True, error_model="numpy")
def bind(n, c, nodes, units):
    """Account one unit of class c on node n; it takes the tightest GPU boards that fit."""
    used = nodes.used
    for r in range(used.shape[1]):
        used[n, r] += units.request[c, r]
    nodes.accounted[n, 0] += units.accounted[c, 0]
    nodes.accounted[n, 1] += units.accounted[c, 1]
    for i in range(units.own_start[c], units.own_start[c + 1]):
        nodes.port_use[n, units.own_port[i]] += 1
    if units.gpu_need[c, 0] > 0:
        take_boards(n, c, nodes.gpu_free, units.gpu_need)


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def release(n, c, nodes, units):
    """Take one unit of class c off node n; its GPU boards are dealt anew by `deal_boards`."""
    used = nodes.used
    for r in range(used.shape[1]):
        used[n, r] -= units.request[c, r]
    nodes.accounted[n, 0] -= units.accounted[c, 0]
    nodes.accounted[n, 1] -= units.accounted[c, 1]
    for i in range(units.own_start[c], units.own_start[c + 1]):
        nodes.port_use[n, units.own_port[i]] -= 1


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def bind_all(unit_class, unit_node, nodes, counts, units, rows):
    """Account every unit that runs already (unit_node >= 0)."""
    for u in range(len(unit_node)):
        if unit_node[u] >= 0:
            bind(unit_node[u], unit_class[u], nodes, units)
            count_unit(unit_node[u], unit_class[u], 1, rows, counts)


@njit(cache=True, error_model="numpy")
def settle_all(order, unit_node, residents):
    """Note where units are, in this order of arrival."""
    for u in order:
        settle(u, unit_node[u], residents)


@njit(cache=True, error_model="numpy")
def arrive(u, n, nodes, counts, units, rows, residents, memory):
    """Bind unit u to node n outside of `schedule`."""
    bind(n, residents.unit_class[u], nodes, units)
    count_unit(n, residents.unit_class[u], 1, rows, counts)
    settle(u, n, residents)
    note(n, memory)


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def schedule(
    unit_class,
    unit_pin,
    may_preempt,
    begin,
    nodes,
    counts,
    units,
    static,
    policy,
    rows,
    asks,
    cells,
    memory,
    out_node,
    out_fits,
    out_total,
):
    """Place waiting units one by one, each where its score is highest; first node on ties.

    unit_class, unit_pin: int[M], in the order of the queue; pin -1 for none, -2 for a node that
    is not there. may_preempt: bool[C]. begin: the first unit to place. nodes and counts are
    updated in place. out_node, out_fits, out_total: [M]; the node (-1 where nothing fits), the
    number of nodes that fit, the score of the node (where several fit).

    Returns: the first unit that finds no node though it may preempt, or M.

    A class of units that is met again looks only at the nodes that changed since: its scores are
    kept in a tournament tree, so the best node costs log N.
    """
    size = len(static.node_class)
    leaves = 1
    while leaves < size:
        leaves *= 2
    slots = len(memory.seen) - 1
    slot_of, tree, seen, tops = memory.slot_of, memory.tree, memory.seen, memory.tops
    log, last_change, refused = memory.log, memory.last_change, memory.refused
    todo, code, total = memory.todo, memory.code, memory.total
    # Fields of the tuples that every unit needs: numba counts a reference at each access.
    position, fits, ways, added = memory.logged, memory.fits, asks.cells, rows.add_start
    varies, static_tops, skips_balance = static.varies, static.tops, units.skips_balance
    worth_of = memory.worth_of

    for m in range(begin, len(unit_class)):
        c = unit_class[m]
        out_node[m] = -1
        out_fits[m] = 0
        if unit_pin[m] == -2 or refused[c]:
            chosen = -1
        elif unit_pin[m] >= 0:
            todo[0] = unit_pin[m]
            filter_nodes(c, todo, 1, nodes, units, static, code)
            if ways[c] >= 0:
                topology_filter(c, todo, 1, rows, counts, asks, code)
            chosen = todo[0] if code[0] == 0 else -1
            out_fits[m] = code[0] == 0
        else:
            # Classes without a row of their own share the last one and start afresh each time.
            row = slot_of[c] if slot_of[c] >= 0 else slots
            logged = position[0]
            way = ways[c]
            fresh = row == slots or seen[row] < 0 or logged - seen[row] > size
            count = 0
            if not fresh:
                for i in range(seen[row], logged):
                    todo[count] = log[i]
                    count += last_change[log[i]] == i
                filter_nodes(c, todo, count, nodes, units, static, code)
                if varies[c] and way < 0:
                    fresh = _top_lost(c, todo, count, code, static, tree, row, leaves, tops)
            if fresh:
                count = size
                if worth_of[c] >= 0:
                    refresh_worth(c, worth_of[c], nodes, units, policy, memory)
                for n in range(size):
                    todo[n] = n
                if worth_of[c] >= 0:
                    known_filter(c, todo, count, nodes, units, static, memory, code)
                else:
                    filter_nodes(c, todo, count, nodes, units, static, code)
                if varies[c] and way < 0:
                    _find_top(c, todo, count, code, static, row, tops)
                else:
                    tops[row, 0] = static_tops[c, 0]
                    tops[row, 1] = static_tops[c, 1]
            if fresh and worth_of[c] >= 0:
                total[:count] = memory.worth[worth_of[c]]
            else:
                total[:count] = 0
                if policy.w_fit > 0:
                    fit_scores(c, todo, count, code, nodes, units, policy, policy.w_fit, total)
                if policy.w_balanced > 0 and not skips_balance[c]:
                    balanced_scores(
                        c, todo, count, code, nodes, units, policy, policy.w_balanced, total
                    )
            if way < 0 or not varies[c]:
                static_scores(
                    c, todo, count, code, static, policy, tops[row, 0], tops[row, 1], total
                )
            seen[row] = logged
            if way < 0:
                if fresh:
                    fits[row] = _fill(tree, row, leaves, size, code, total)
                else:
                    fits[row] += _update(tree, row, leaves, todo, count, code, total)
                chosen = _first_best(tree, row, leaves)
                out_fits[m] = fits[row]
                out_total[m] = tree[row, 1]
                refused[c] = chosen < 0
            else:
                if fresh:
                    _fill_cells(way, row, size, code, total, cells, memory)
                else:
                    _update_cells(way, row, todo, count, code, total, cells, memory)
                chosen, out_fits[m], out_total[m] = _choose(
                    c, way, row, counts, static, policy, rows, asks, cells, memory
                )
        if chosen >= 0:
            bind(chosen, c, nodes, units)
            if added[c + 1] > added[c]:
                count_unit(chosen, c, 1, rows, counts)
            out_node[m] = chosen
            logged = position[0]
            if logged == len(log):
                note(chosen, memory)
            else:
                log[logged] = chosen
                last_change[chosen] = logged
                position[0] = logged + 1
        elif may_preempt[c]:
            return m
    return len(unit_class)


@njit(cache=True, error_model="numpy")
def refresh_worth(c, row, nodes, units, policy, memory):
    """Bring a row of resource scores up to date: all of it, or the nodes changed since."""
    todo, code, total, worth = memory.todo, memory.code, memory.total, memory.worth
    size, logged, seen = worth.shape[1], memory.logged[0], memory.worth_seen[row]
    count = 0
    if seen < 0 or logged - seen > size:
        for n in range(size):
            todo[n] = n
        count = size
    else:
        for i in range(seen, logged):
            todo[count] = memory.log[i]
            count += memory.last_change[memory.log[i]] == i
    code[:count] = 0
    total[:count] = 0
    resources_filter(c, todo, count, nodes, units, code)
    if policy.w_fit > 0:
        fit_scores(c, todo, count, code, nodes, units, policy, policy.w_fit, total)
    if policy.w_balanced > 0 and not units.skips_balance[c]:
        balanced_scores(c, todo, count, code, nodes, units, policy, policy.w_balanced, total)
    for i in range(count):
        worth[row, todo[i]] = total[i] if code[i] == 0 else -1
    memory.worth_seen[row] = logged


@njit(cache=True, error_model="numpy")
def known_filter(c, todo, count, nodes, units, static, memory, code):
    """The same as `filter_nodes`, where the resource scores are known."""
    worth, row = memory.worth, memory.worth_of[c]
    static_filter(c, todo, count, static, code)
    if units.conflict_start[c + 1] > units.conflict_start[c]:
        ports_filter(c, todo, count, nodes, units, code)
    for i in range(count):
        if code[i] == 0 and worth[row, todo[i]] < 0:
            code[i] = -2
    if units.gpu_need[c, 0] > 0:
        boards_filter(c, todo, count, nodes, units, code)


@njit(cache=True, error_model="numpy")
def _find_top(c, todo, count, code, static, row, tops):
    """tops[row]: the largest raw taint and affinity scores, and how many nodes have them."""
    for which, raw in ((0, static.taint_raw), (1, static.affinity_raw)):
        top = 0
        having = 0
        for i in range(count):
            if code[i] == 0:
                value = raw[c, static.node_class[todo[i]]]
                if value > top:
                    top = value
                    having = 0
                having += value == top
        tops[row, which] = top
        tops[row, which + 2] = having


@njit(cache=True, error_model="numpy")
def _top_lost(c, todo, count, code, static, tree, row, leaves, tops):
    """Whether changed nodes leave the largest raw scores unknown; counts those that have them."""
    for which, raw in ((0, static.taint_raw), (1, static.affinity_raw)):
        for i in range(count):
            fits = code[i] == 0
            if fits != (tree[row, leaves + todo[i]] >= 0):
                value = raw[c, static.node_class[todo[i]]]
                if fits and value > tops[row, which]:
                    return True
                if value == tops[row, which]:
                    tops[row, which + 2] += 1 if fits else -1
        if tops[row, which + 2] <= 0:
            return True
    return False


@njit(cache=True, error_model="numpy")
def _fill(tree, row, leaves, nodes, code, total):
    """Set every leaf of a tournament tree (-1 where the node does not fit) and the maxima.

    Returns: the number of nodes that fit.
    """
    fits = 0
    for n in range(nodes):
        tree[row, leaves + n] = total[n] if code[n] == 0 else -1
        fits += code[n] == 0
    tree[row, leaves + nodes : 2 * leaves] = -1
    for i in range(leaves - 1, 0, -1):
        tree[row, i] = max(tree[row, 2 * i], tree[row, 2 * i + 1])
    return fits


@njit(cache=True, error_model="numpy")
def _update(tree, row, leaves, todo, count, code, total):
    """Set some leaves of a tournament tree and the maxima above, as far as they change.

    Returns: how many more nodes fit than before.
    """
    more = 0
    for j in range(count):
        more += (code[j] == 0) - (tree[row, leaves + todo[j]] >= 0)
        tree[row, leaves + todo[j]] = total[j] if code[j] == 0 else -1
        i = (leaves + todo[j]) // 2
        while i > 0:
            best = max(tree[row, 2 * i], tree[row, 2 * i + 1])
            if tree[row, i] == best:
                break
            tree[row, i] = best
            i //= 2
    return more


@njit(cache=True, error_model="numpy")
def _first_best(tree, row, leaves):
    """The first node with the highest score, -1 where none fits."""
    return -1 if tree[row, 1] < 0 else _first_leaf(tree, row, 1, leaves) - leaves


@njit(cache=True, error_model="numpy")
def _first_leaf(tree, row, root, leaves):
    """Place of the first leaf below root that has its score."""
    best = tree[row, root]
    i = root
    while i < leaves:
        i *= 2
        if tree[row, i] != best:
            i += 1
    return i


@njit(cache=True, error_model="numpy")
def _fill_cells(way, row, nodes, code, total, cells, memory):
    """Set the trees of all cells, and how many of the nodes of each fit."""
    tree, members, leaf, cell = memory.tree, memory.members, cells.leaf, cells.cell
    leaves = cells.leaves[way]
    if cells.single[way]:
        for n in range(nodes):
            tree[row, leaves + n] = total[n] if code[n] == 0 else -1
        return
    tree[row, : 2 * leaves] = -1
    members[row, : cells.start[way + 1] - cells.start[way]] = 0
    for n in range(nodes):
        if code[n] == 0:
            tree[row, leaf[way, n]] = total[n]
            members[row, cell[way, n]] += 1
    for i in range(leaves - 1, 0, -1):
        tree[row, i] = max(tree[row, 2 * i], tree[row, 2 * i + 1])


@njit(cache=True, error_model="numpy")
def _update_cells(way, row, todo, count, code, total, cells, memory):
    """Set some leaves of the trees of cells, and the maxima of their own cells."""
    tree, members = memory.tree, memory.members
    single, start = cells.single[way], cells.start[way]
    for j in range(count):
        i = cells.leaf[way, todo[j]]
        fitted = tree[row, i] >= 0
        tree[row, i] = total[j] if code[j] == 0 else -1
        if not single:
            g = cells.cell[way, todo[j]]
            members[row, g] += (code[j] == 0) - fitted
            while i > cells.root[start + g]:
                i //= 2
                tree[row, i] = max(tree[row, 2 * i], tree[row, 2 * i + 1])


@njit(cache=True, error_model="numpy")
def _choose(c, way, row, counts, static, policy, rows, asks, cells, memory):
    """The best node of a class with topology terms: (node or -1, nodes that fit, its score)."""
    tree, members, have = memory.tree, memory.members, memory.have
    todo, code, total = memory.todo, memory.code, memory.total
    start, single, root = cells.start[way], cells.single[way], cells.root
    count = cells.start[way + 1] - start
    for g in range(count):
        todo[g] = cells.node[start + g]
        total[g] = 0
    if single:
        leaves = cells.leaves[way]
        for n in range(count):
            code[n] = 0 if tree[row, leaves + n] >= 0 else _EMPTY
            have[n] = 1
    else:
        for g in range(count):
            have[g] = members[row, g]
            code[g] = 0 if have[g] > 0 else _EMPTY
    topology_filter(c, todo, count, rows, counts, asks, code)
    fits = 0
    for g in range(count):
        if code[g] == 0:
            fits += have[g]
    if fits == 0:
        return -1, 0, 0
    if fits > 1:
        if policy.w_spread > 0:
            scratch, weight = memory.scratch, policy.w_spread
            spread_scores(c, todo, count, code, have, rows, counts, asks, scratch, weight, total)
        if policy.w_pods > 0:
            pods_scores(c, todo, count, code, rows, counts, asks, policy.w_pods, total)
        if static.varies[c]:
            varied_scores(c, count, code, static, policy, total)
    best = -1
    chosen = -1
    for g in range(count):
        if code[g] == 0:
            score = tree[row, root[start + g]] + total[g]
            if score > best and single:
                best, chosen = score, todo[g]
            elif score >= best and not single:
                n = _first_node(way, row, g, cells, tree)
                if score > best or n < chosen:
                    best, chosen = score, n
    return chosen, fits, best


@njit(cache=True, error_model="numpy")
def _first_node(way, row, g, cells, tree):
    """The first node of a cell that has its best score."""
    i = _first_leaf(tree, row, cells.root[cells.start[way] + g], cells.leaves[way])
    return cells.node_at[way, i - cells.leaves[way]]


@njit(cache=True, error_model="numpy")
def topology_filter(c, todo, count, rows, counts, asks, code):
    """PodTopologySpread and InterPodAffinity: refuse by what the domains of a node hold."""
    spread_filter(c, todo, count, rows, counts, asks, code)
    company_filter(c, todo, count, rows, counts, asks, code)


@njit(cache=True, error_model="numpy")
def company_filter(c, todo, count, rows, counts, asks, code):
    """InterPodAffinity: refuse by who else is there."""
    if asks.near_start[c + 1] > asks.near_start[c]:
        near_filter(c, todo, count, rows, counts, asks, code)
    apart_filter(asks.apart_row, asks.apart_start, c, todo, count, rows, counts, -7, code)
    apart_filter(asks.shun_row, asks.shun_start, c, todo, count, rows, counts, -8, code)


@njit(cache=True, error_model="numpy")
def spread_filter(c, todo, count, rows, counts, asks, code):
    """PodTopologySpread: refuse where the unit would make a domain too full.

    Source: Kubernetes 1.34, podtopologyspread plugin.
    """
    domain, counted = rows.domain, counts.number
    for h in range(asks.hard_start[c], asks.hard_start[c + 1]):
        q = asks.hard_row[h]
        key, start = rows.key[q], rows.start[q]
        lowest = counts.lowest[q] if rows.domains[q] >= asks.hard_domains[h] else 0
        most = asks.hard_skew[h] + lowest - asks.hard_self[h]
        for i in range(count):
            if code[i] == 0:
                d = domain[key, todo[i]]
                if d < 0:
                    code[i] = -4
                elif counted[start + d] > most:
                    code[i] = -5


@njit(cache=True, error_model="numpy")
def near_filter(c, todo, count, rows, counts, asks, code):
    """InterPodAffinity: refuse where required company is missing.

    The first unit of a kind that wants to be with its like needs only the labels.
    Source: Kubernetes 1.34, interpodaffinity plugin.
    """
    domain, counted = rows.domain, counts.number
    first, last = asks.near_start[c], asks.near_start[c + 1]
    alone = asks.near_self[c]
    for t in range(first, last):
        alone = alone and counts.total[asks.near_row[t]] == 0
    for t in range(first, last):
        q = asks.near_row[t]
        key, start = rows.key[q], rows.start[q]
        for i in range(count):
            if code[i] == 0:
                d = domain[key, todo[i]]
                if d < 0 or (not alone and counted[start + d] == 0):
                    code[i] = -6


@njit(cache=True, error_model="numpy")
def apart_filter(term_row, term_start, c, todo, count, rows, counts, refusal, code):
    """InterPodAffinity: refuse where a row counts anyone in the node's domain."""
    domain, counted = rows.domain, counts.number
    for t in range(term_start[c], term_start[c + 1]):
        q = term_row[t]
        key, start = rows.key[q], rows.start[q]
        if counts.total[q] == 0:
            continue
        for i in range(count):
            if code[i] == 0:
                d = domain[key, todo[i]]
                if d >= 0 and counted[start + d] > 0:
                    code[i] = refusal


@njit(cache=True, error_model="numpy")
def spread_scores(c, todo, count, code, have, rows, counts, asks, scratch, weight, total):
    """PodTopologySpread: add weight * (0..100), more where domains are emptier.

    todo[i] stands for have[i] nodes. Raw: sum over the keys of count * ln(domains + 2) +
    maxSkew - 1, rounded half up. Source: Kubernetes 1.34, podtopologyspread plugin.
    """
    domain, counted = rows.domain, counts.number
    raw, stamp, asked = scratch.raw, scratch.stamp, scratch.asked
    first, last = asks.soft_start[c], asks.soft_start[c + 1]
    if first == last:
        return
    for i in range(count):
        raw[i] = 0.0 if code[i] == 0 else -1.0
    if asks.need_all[c]:
        for t in range(first, last):
            key = rows.key[asks.soft_row[t]]
            for i in range(count):
                if domain[key, todo[i]] < 0:
                    raw[i] = -1.0
    scored = 0
    for i in range(count):
        if raw[i] >= 0.0:
            scored += have[i]
    for t in range(first, last):
        q = asks.soft_row[t]
        key, start = rows.key[q], rows.start[q]
        size = scored
        if not asks.soft_host[t]:
            size = 0
            asked[0] += 1
            for i in range(count):
                if raw[i] >= 0.0:
                    d = domain[key, todo[i]]
                    if d < 0:
                        d = rows.key_blank[key]
                    size += stamp[d] != asked[0]
                    stamp[d] = asked[0]
        factor = scratch.logarithm[size + 2]
        skew = float(asks.soft_skew[t] - 1)
        for i in range(count):
            d = domain[key, todo[i]]
            if raw[i] >= 0.0 and d >= 0:
                raw[i] += counted[start + d] * factor + skew
    lowest = np.iinfo(np.int64).max
    highest = 0
    for i in range(count):
        if raw[i] >= 0.0:
            points = int(np.floor(raw[i] + 0.5))
            lowest = min(lowest, points)
            highest = max(highest, points)
    for i in range(count):
        if raw[i] >= 0.0:
            points = int(np.floor(raw[i] + 0.5))
            total[i] += weight * (
                100 * (highest + lowest - points) // highest if highest > 0 else 100
            )


@njit(cache=True, error_model="numpy")
def pods_scores(c, todo, count, code, rows, counts, asks, weight, total):
    """InterPodAffinity: add weight * (0..100), more where welcome company is.

    Returns: whether any term had anything to say.
    Source: Kubernetes 1.34, interpodaffinity plugin.
    """
    domain, counted = rows.domain, counts.number
    first, last = asks.pull_start[c], asks.pull_start[c + 1]
    said = False
    for t in range(first, last):
        said = said or counts.total[asks.pull_row[t]] > 0
    if not said:
        return False
    raw = np.zeros(count, np.int64)
    for t in range(first, last):
        q = asks.pull_row[t]
        key, start, worth = rows.key[q], rows.start[q], asks.pull_weight[t]
        if counts.total[q] == 0:
            continue
        for i in range(count):
            d = domain[key, todo[i]]
            if d >= 0:
                raw[i] += worth * counted[start + d]
    lowest = np.iinfo(np.int64).max
    highest = np.iinfo(np.int64).min
    for i in range(count):
        if code[i] == 0:
            lowest = min(lowest, raw[i])
            highest = max(highest, raw[i])
    if highest > lowest:
        for i in range(count):
            if code[i] == 0:
                share = float(raw[i] - lowest) / float(highest - lowest)
                total[i] += weight * int(100.0 * share)
    return True


@njit(cache=True, error_model="numpy")
def topology_scores(c, todo, count, code, rows, counts, asks, scratch, out_spread, out_pods):
    """Scores of PodTopologySpread and InterPodAffinity, and whether each has anything to say."""
    have = np.ones(count, np.int64)
    spread_scores(c, todo, count, code, have, rows, counts, asks, scratch, 1, out_spread)
    said = pods_scores(c, todo, count, code, rows, counts, asks, 1, out_pods)
    return asks.soft_start[c + 1] > asks.soft_start[c], said


@njit(cache=True, error_model="numpy")
def evict_on_trial(u, nodes, counts, units, rows, residents):
    """Take unit u off its node until `return_from_trial`."""
    c, n = residents.unit_class[u], residents.node[u]
    residents.away[u] = True
    release(n, c, nodes, units)
    count_unit(n, c, -1, rows, counts)
    if units.gpu_need[c, 0] > 0:
        deal_boards(n, nodes, units, residents)


@njit(cache=True, error_model="numpy")
def return_from_trial(u, nodes, counts, units, rows, residents):
    """Undo `evict_on_trial`."""
    c, n = residents.unit_class[u], residents.node[u]
    residents.away[u] = False
    bind(n, c, nodes, units)
    count_unit(n, c, 1, rows, counts)
    if units.gpu_need[c, 0] > 0:
        deal_boards(n, nodes, units, residents)


@njit(cache=True, error_model="numpy")
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
        if asks.cells[c] >= 0:
            topology_filter(c, here, 1, rows, counts, asks, code)
        out_fits[i] = code[0] == 0
        for j in range(count):
            return_from_trial(lower[j], nodes, counts, units, rows, residents)
        nodes.gpu_free[todo[i]] = boards


@njit(cache=True, error_model="numpy")
def _is_worth_a_trial(c, n, refusal, lower, nodes, units, residents, heard):
    """Whether without some units there are resources enough, and terms are heard that refuse."""
    if refusal < -3:
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
                left += units.request[residents.unit_class[u], r]
            if need > left:
                return False
    return True


@njit(cache=True, error_model="numpy")
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
        if asks.cells[c] >= 0:
            topology_filter(c, here, 1, rows, counts, asks, code)
        out_victim[j] = code[0] != 0
        if out_victim[j]:
            evict_on_trial(lower[j], nodes, counts, units, rows, residents)
    for j in range(len(lower)):
        if out_victim[j]:
            return_from_trial(lower[j], nodes, counts, units, rows, residents)
    nodes.gpu_free[n] = boards


@njit(cache=True, error_model="numpy")
def short_resources(c, nodes, units, out_short):
    """out_short: bool[N, R], resources of which too little is left on each node."""
    for n in range(out_short.shape[0]):
        for r in range(out_short.shape[1]):
            need = units.checked[c, r]
            out_short[n, r] = need > 0 and need > nodes.offered[n, r] - nodes.used[n, r]


@njit(cache=True, error_model="numpy")
def schedule_sampled(
    unit_class,
    unit_pin,
    may_preempt,
    begin,
    nodes,
    counts,
    units,
    static,
    policy,
    rows,
    asks,
    memory,
    narrowed,
    percentage,
    draws,
    walk,
    out_node,
    out_fits,
    out_total,
):
    """The same as `schedule`, but looks only at a sample of the nodes, or draws among the best.

    narrowed: refusal of nodes that are not even in the list. percentage: of the nodes that fit to
    find, 0 for the adaptive rule. draws: whether one of the best is drawn; else the first in node
    order. walk: int64[2], the node at which the next search starts, and the state of the draws;
    updated. Nothing is kept between units: every node that is looked at is asked anew.
    Source: Kubernetes 1.34, schedule_one (findNodesThatPassFilters, selectHost).
    """
    size = len(static.node_class)
    todo, code, total, have = memory.todo, memory.code, memory.total, memory.have
    among = np.empty(size, np.int64)
    found = np.empty(size, np.int64)
    tops = np.empty((1, 4), np.int64)
    have[:] = 1
    for m in range(begin, len(unit_class)):
        c = unit_class[m]
        out_node[m] = -1
        out_fits[m] = 0
        listed = 0
        if unit_pin[m] >= 0:
            among[0] = unit_pin[m]
            listed = 1
        elif unit_pin[m] == -1 and not memory.refused[c]:
            for n in range(size):
                if static.refusal[c, static.node_class[n]] != narrowed:
                    among[listed] = n
                    listed += 1
        wanted = nodes_to_find(listed, percentage)
        fits, looked = _walk(
            c, among[:listed], wanted, walk, nodes, counts, units, static, rows, asks, memory, found
        )
        if size > 0:
            walk[0] = (walk[0] + looked) % size
        if fits == 0:
            if unit_pin[m] == -1 and asks.cells[c] < 0:
                memory.refused[c] = True
            if may_preempt[c]:
                return m
            continue
        best = 0
        if fits > 1:
            for i in range(fits):
                todo[i] = found[i]
                code[i] = 0
                total[i] = 0
            if policy.w_fit > 0:
                fit_scores(c, todo, fits, code, nodes, units, policy, policy.w_fit, total)
            if policy.w_balanced > 0 and not units.skips_balance[c]:
                balanced_scores(c, todo, fits, code, nodes, units, policy, policy.w_balanced, total)
            _find_top(c, todo, fits, code, static, 0, tops)
            static_scores(c, todo, fits, code, static, policy, tops[0, 0], tops[0, 1], total)
            if asks.cells[c] >= 0:
                if policy.w_spread > 0:
                    spread_scores(
                        c,
                        todo,
                        fits,
                        code,
                        have,
                        rows,
                        counts,
                        asks,
                        memory.scratch,
                        policy.w_spread,
                        total,
                    )
                if policy.w_pods > 0:
                    pods_scores(c, todo, fits, code, rows, counts, asks, policy.w_pods, total)
            best = _drawn(todo, total, fits, draws, walk)
            out_total[m] = total[best]
        chosen = found[best]
        out_node[m] = chosen
        out_fits[m] = fits
        bind(chosen, c, nodes, units)
        count_unit(chosen, c, 1, rows, counts)
        note(chosen, memory)
    return len(unit_class)


@njit(cache=True, error_model="numpy")
def nodes_to_find(listed, percentage):
    """How many nodes that fit are enough, of so many: all of fewer than 100, else at least 100."""
    if listed < 100:
        return listed
    if percentage == 0:
        percentage = max(5, 50 - listed // 125)
    return max(100, listed * percentage // 100)


@njit(cache=True, error_model="numpy")
def _walk(c, among, wanted, walk, nodes, counts, units, static, rows, asks, memory, found):
    """Collect nodes that fit, from the start of the walk on, until one more than wanted is met.

    Returns: (nodes that fit, nodes that were looked at before the one too many).
    """
    todo, code = memory.todo, memory.code
    fits = 0
    done = 0
    while done < len(among):
        step = min(256, len(among) - done)
        for i in range(step):
            todo[i] = among[(walk[0] + done + i) % len(among)]
        filter_nodes(c, todo, step, nodes, units, static, code)
        if asks.cells[c] >= 0:
            topology_filter(c, todo, step, rows, counts, asks, code)
        for i in range(step):
            if code[i] == 0:
                if fits == wanted:
                    return fits, done + i
                found[fits] = todo[i]
                fits += 1
        done += step
    return fits, len(among)


@njit(cache=True, error_model="numpy")
def _drawn(todo, total, count, draws, walk):
    """One of the best: drawn evenly, or the first in node order."""
    best = 0
    ties = 0
    for i in range(count):
        if ties == 0 or total[i] > total[best]:
            best = i
            ties = 1
        elif total[i] == total[best]:
            ties += 1
            if draws:
                # Each of k equal ones stays with probability 1 / k, as in the scheduler.
                if _random(walk) * ties < 1.0:
                    best = i
            elif todo[i] < todo[best]:
                best = i
    return best


@njit(cache=True, error_model="numpy")
def _random(walk):
    """The next number in [0, 1) of a splitmix64 generator whose state is walk[1].

    Source: Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators.
    """
    state = np.uint64(walk[1]) + np.uint64(0x9E3779B97F4A7C15)
    walk[1] = np.int64(state)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state = state ^ (state >> np.uint64(31))
    return float(state >> np.uint64(11)) / 9007199254740992.0
