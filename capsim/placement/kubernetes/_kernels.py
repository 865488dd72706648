"""Numba kernels of the scheduling core: pure functions of arrays.

Names of dimensions: N nodes, K classes of nodes that no static rule tells apart, C classes of
units, R resources (columns 0 and 1 are cpu and memory), D GPU boards, P host ports, M waiting
units. Quantities are int64: milli-cores, bytes, pieces. Go's integer division truncates; all
dividends here are non-negative except where a note says otherwise.

Each plugin is one function over a list of nodes, `todo[:count]`. It is called once a list, not
once a node: numba counts references to every array argument, which costs more than the plugin.
Refusals are codes: 0 fits, k > 0 the k-th static filter, -1 host ports, -2 resources, -3 boards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


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


class Policy(NamedTuple):
    """Weights of the plugins, and what the resource scores look at."""

    w_fit: int
    w_balanced: int
    w_taint: int
    w_affinity: int
    strategy: int
    """0 LeastAllocated, 1 MostAllocated, 2 RequestedToCapacityRatio."""
    fit_columns: Int64
    fit_weights: Int64
    fit_scalar: NDArray[np.bool_]
    shape_u: Int64
    """Utilisation of the curve's points, percent."""
    shape_s: Int64
    """Their scores, 0..100."""
    balanced_columns: Int64
    balanced_scalar: NDArray[np.bool_]


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
                score = 0 if requested > capacity else (capacity - requested) * 100 // capacity
            elif strategy == 1:
                score = min(requested, capacity) * 100 // capacity
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
            total[i] += weight * (points // weight_sum)


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
def _normalised(raw, largest, reverse):
    """The scheduler's default normalisation of a raw score to 0..100."""
    if largest == 0:
        return 100 if reverse else 0
    scaled = raw * 100 // largest
    return 100 - scaled if reverse else scaled


@njit(cache=True, error_model="numpy")
def bind(n, c, nodes, units):
    """Account one unit of class c on node n; it takes the tightest GPU boards that fit."""
    used, gpu_free, milli = nodes.used, nodes.gpu_free, units.gpu_need[c, 1]
    for r in range(used.shape[1]):
        used[n, r] += units.request[c, r]
    nodes.accounted[n, 0] += units.accounted[c, 0]
    nodes.accounted[n, 1] += units.accounted[c, 1]
    for i in range(units.own_start[c], units.own_start[c + 1]):
        nodes.port_use[n, units.own_port[i]] += 1
    # Boards are taken in the order of what they have left; `least`, `last` is the one taken before.
    least = -1
    last = -1
    for _ in range(units.gpu_need[c, 0]):
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
def bind_all(unit_class, unit_node, nodes, units):
    """Account every unit that runs already (unit_node >= 0)."""
    for u in range(len(unit_class)):
        if unit_node[u] >= 0:
            bind(unit_node[u], unit_class[u], nodes, units)


@njit(cache=True, error_model="numpy")
def schedule(unit_class, unit_pin, nodes, units, static, policy, slot_of, slots, out_node):
    """Place the waiting units one by one, each where its score is highest; first node on ties.

    unit_class, unit_pin: int[M], in the order of the queue; pin -1 for none, -2 for a node that
    is not there. nodes is updated in place. slot_of: int[C], the row of the class in the score
    cache, -1 for none; slots: number of rows. out_node: int32[M], overwritten; -1 where nothing
    fits.

    A class of units that is met again looks only at the nodes that changed since: its scores are
    kept in a tournament tree, so the best node costs log N. As nothing is evicted here, a class
    that found no node will not find one later.
    """
    size = len(static.node_class)
    leaves = 1
    while leaves < size:
        leaves *= 2
    tree = np.full((slots + 1, 2 * leaves), -1, np.int32)
    seen = np.full(slots + 1, -1, np.int64)
    tops = np.zeros((slots + 1, 4), np.int64)
    log = np.empty(len(unit_class), np.int64)
    logged = 0
    last_change = np.full(size, -1, np.int64)
    refused = np.zeros(len(slot_of), np.bool_)
    everywhere = np.arange(size)
    todo = np.empty(max(size, 1), np.int64)
    code = np.empty(max(size, 1), np.int8)
    total = np.empty(max(size, 1), np.int64)

    for m in range(len(unit_class)):
        c = unit_class[m]
        out_node[m] = -1
        if refused[c] or unit_pin[m] == -2:
            continue
        if unit_pin[m] >= 0:
            todo[0] = unit_pin[m]
            filter_nodes(c, todo, 1, nodes, units, static, code)
            chosen = todo[0] if code[0] == 0 else -1
        else:
            # Classes without a row of their own share the last one and start afresh each time.
            row = slot_of[c] if slot_of[c] >= 0 else slots
            fresh = row == slots or seen[row] < 0 or logged - seen[row] > size
            count = 0
            if not fresh:
                for i in range(seen[row], logged):
                    todo[count] = log[i]
                    count += last_change[log[i]] == i
                filter_nodes(c, todo, count, nodes, units, static, code)
                if static.varies[c]:
                    fresh = _top_lost(c, todo, count, code, static, tree, row, leaves, tops)
            if fresh:
                todo[:size] = everywhere
                count = size
                filter_nodes(c, todo, count, nodes, units, static, code)
                if static.varies[c]:
                    _find_top(c, todo, count, code, static, row, tops)
            total[:count] = 0
            if policy.w_fit > 0:
                fit_scores(c, todo, count, code, nodes, units, policy, policy.w_fit, total)
            if policy.w_balanced > 0 and not units.skips_balance[c]:
                balanced_scores(
                    c, todo, count, code, nodes, units, policy, policy.w_balanced, total
                )
            static_scores(c, todo, count, code, static, policy, tops[row, 0], tops[row, 1], total)
            if fresh:
                _fill(tree, row, leaves, size, code, total)
            else:
                _update(tree, row, leaves, todo, count, code, total)
            seen[row] = logged
            chosen = _first_best(tree, row, leaves)
            refused[c] = chosen < 0
        if chosen >= 0:
            bind(chosen, c, nodes, units)
            out_node[m] = chosen
            last_change[chosen] = logged
            log[logged] = chosen
            logged += 1


@njit(cache=True, error_model="numpy")
def _find_top(c, todo, count, code, static, row, tops):
    """tops[row]: the largest raw taint and affinity score that fits, and how many nodes have it."""
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
    """Set every leaf of a tournament tree (-1 where the node does not fit) and the maxima."""
    for n in range(nodes):
        tree[row, leaves + n] = total[n] if code[n] == 0 else -1
    for i in range(leaves - 1, 0, -1):
        tree[row, i] = max(tree[row, 2 * i], tree[row, 2 * i + 1])


@njit(cache=True, error_model="numpy")
def _update(tree, row, leaves, todo, count, code, total):
    """Set some leaves of a tournament tree and the maxima above, as far as they change."""
    for j in range(count):
        tree[row, leaves + todo[j]] = total[j] if code[j] == 0 else -1
        i = (leaves + todo[j]) // 2
        while i > 0:
            best = max(tree[row, 2 * i], tree[row, 2 * i + 1])
            if tree[row, i] == best:
                break
            tree[row, i] = best
            i //= 2


@njit(cache=True, error_model="numpy")
def _first_best(tree, row, leaves):
    """The first node with the highest score, -1 where none fits."""
    best = tree[row, 1]
    if best < 0:
        return -1
    i = 1
    while i < leaves:
        i *= 2
        if tree[row, i] != best:
            i += 1
    return i - leaves


@njit(cache=True, error_model="numpy")
def short_resources(c, nodes, units, out_short):
    """out_short: bool[N, R], resources of which too little is left on each node."""
    for n in range(out_short.shape[0]):
        for r in range(out_short.shape[1]):
            need = units.checked[c, r]
            out_short[n, r] = need > 0 and need > nodes.offered[n, r] - nodes.used[n, r]
