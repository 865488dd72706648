"""Numba kernels of the scheduling core: pure functions of arrays.

Names of dimensions: N nodes, K classes of nodes that no static rule tells apart, C classes of
units, R resources (columns 0 and 1 are cpu and memory), D GPU boards, P host ports, M waiting units.
Quantities are int64: milli-cores, bytes, pieces. Go's integer division truncates; all dividends
here are non-negative except where a note says otherwise.

Each plugin is one function over a list of nodes, `todo[:count]`. It is called once a list, not
once a node: numba counts references to every array argument, which costs more than the plugin.
Refusals are codes: 0 fits, k > 0 the k-th static filter, -1 host ports, -2 resources, -3 boards.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def static_filter(c, todo, count, node_class, static_refusal, code):
    """What cordons, names, taints and affinities say; sets code[:count]."""
    for i in range(count):
        code[i] = static_refusal[c, node_class[todo[i]]]


@njit(cache=True, error_model="numpy")
def ports_filter(c, todo, count, port_use, conflict_start, conflict_port, code):
    """NodePorts: refuse where a conflicting host port is in use."""
    for i in range(count):
        for p in range(conflict_start[c], conflict_start[c + 1]):
            if code[i] == 0 and port_use[todo[i], conflict_port[p]] > 0:
                code[i] = -1


@njit(cache=True, error_model="numpy")
def resources_filter(c, todo, count, offered, used, checked, code):
    """NodeResourcesFit: refuse where a resource, or a pod slot, is short."""
    for i in range(count):
        n = todo[i]
        short = False
        for r in range(offered.shape[1]):
            need = checked[c, r]
            short |= need > 0 and need > offered[n, r] - used[n, r]
        if short and code[i] == 0:
            code[i] = -2


@njit(cache=True, error_model="numpy")
def boards_filter(c, todo, count, gpu_free, gpu_need, code):
    """GpuShare: refuse where fewer boards than needed have enough thousandths left."""
    for i in range(count):
        if code[i] != 0:
            continue
        boards = 0
        for d in range(gpu_free.shape[1]):
            boards += gpu_free[todo[i], d] >= gpu_need[c, 1]
        if boards < gpu_need[c, 0]:
            code[i] = -3


@njit(cache=True, error_model="numpy")
def fit_scores(
    c,
    todo,
    count,
    code,
    offered,
    used,
    accounted,
    scoring,
    strategy,
    columns,
    weights,
    scalar,
    shape_u,
    shape_s,
    weight,
    total,
):
    """NodeResourcesFit: add weight * (0..100) to total[i] of each node that fits.

    strategy: 0 LeastAllocated, 1 MostAllocated, 2 RequestedToCapacityRatio (shape_u in percent,
    shape_s in 0..100). Source: Kubernetes 1.34, noderesources plugin.
    """
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
def balanced_scores(c, todo, count, code, offered, used, request, columns, scalar, weight, total):
    """NodeResourcesBalancedAllocation: add weight * int((1 - deviation of shares) * 100).

    Two shares: |a - b| / 2; more: the population standard deviation; fewer: 0.
    Source: Kubernetes 1.34, noderesources plugin.
    """
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
def static_scores(
    c,
    todo,
    count,
    code,
    node_class,
    static_score,
    taint_raw,
    affinity_raw,
    taint_top,
    affinity_top,
    w_taint,
    w_affinity,
    total,
):
    """ImageLocality (static_score) and the normalised scores of taints and preferred nodes."""
    for i in range(count):
        if code[i] == 0:
            k = node_class[todo[i]]
            total[i] += (
                static_score[c, k]
                + w_taint * _normalised(taint_raw[c, k], taint_top, True)
                + w_affinity * _normalised(affinity_raw[c, k], affinity_top, False)
            )


@njit(cache=True, error_model="numpy")
def _normalised(raw, largest, reverse):
    """The scheduler's default normalisation of a raw score to 0..100."""
    if largest == 0:
        return 100 if reverse else 0
    scaled = raw * 100 // largest
    return 100 - scaled if reverse else scaled


@njit(cache=True, error_model="numpy")
def bind(
    n,
    c,
    used,
    accounted,
    gpu_free,
    port_use,
    request,
    accounted_request,
    gpu_need,
    own_start,
    own_port,
):
    """Account one unit of class c on node n; it takes the tightest GPU boards that fit."""
    for r in range(used.shape[1]):
        used[n, r] += request[c, r]
    accounted[n, 0] += accounted_request[c, 0]
    accounted[n, 1] += accounted_request[c, 1]
    for i in range(own_start[c], own_start[c + 1]):
        port_use[n, own_port[i]] += 1
    milli = gpu_need[c, 1]
    for _ in range(gpu_need[c, 0]):
        best = -1
        for d in range(gpu_free.shape[1]):
            if gpu_free[n, d] >= milli and (best < 0 or gpu_free[n, d] < gpu_free[n, best]):
                best = d
        if best >= 0:
            gpu_free[n, best] -= milli


@njit(cache=True, error_model="numpy")
def bind_all(
    unit_class,
    unit_node,
    used,
    accounted,
    gpu_free,
    port_use,
    request,
    accounted_request,
    gpu_need,
    own_start,
    own_port,
):
    """Account every unit that runs already."""
    for u in range(len(unit_class)):
        if unit_node[u] >= 0:
            bind(
                unit_node[u],
                unit_class[u],
                used,
                accounted,
                gpu_free,
                port_use,
                request,
                accounted_request,
                gpu_need,
                own_start,
                own_port,
            )


@njit(cache=True, error_model="numpy")
def schedule(
    unit_class,
    unit_pin,
    node_class,
    static_refusal,
    static_score,
    taint_raw,
    affinity_raw,
    varies,
    offered,
    used,
    accounted,
    gpu_free,
    port_use,
    request,
    checked,
    scoring,
    accounted_request,
    gpu_need,
    conflict_start,
    conflict_port,
    own_start,
    own_port,
    w_fit,
    w_balanced,
    w_taint,
    w_affinity,
    strategy,
    fit_columns,
    fit_weights,
    fit_scalar,
    shape_u,
    shape_s,
    balanced_columns,
    balanced_scalar,
    skips_balance,
    slot_of,
    slots,
    out_node,
):
    """Place the waiting units one by one, each where its score is highest; first node on ties.

    unit_class, unit_pin: int[M], in the order of the queue; pin -1 for none, -2 for a node that
    is not there. node_class: int[N]; static_refusal, static_score, taint_raw, affinity_raw:
    [C, K]. varies: bool[C], whether raw taint or affinity scores differ among the nodes.
    used, accounted, gpu_free, port_use: the state, updated in place.
    slot_of: int[C], the row of the class in the score cache, -1 for none; slots: number of rows.
    out_node: int32[M], overwritten; -1 where nothing fits.

    A class of units that is met again looks only at the nodes that changed since: its scores are
    kept in a tournament tree, so the best node costs log N. As nothing is evicted here, a class
    that found no node will not find one later.
    """
    nodes = len(node_class)
    leaves = 1
    while leaves < nodes:
        leaves *= 2
    tree = np.full((slots + 1, 2 * leaves), -1, np.int32)
    seen = np.full(slots + 1, -1, np.int64)
    tops = np.zeros((slots + 1, 4), np.int64)
    log = np.empty(len(unit_class), np.int64)
    logged = 0
    last_change = np.full(nodes, -1, np.int64)
    refused = np.zeros(static_refusal.shape[0], np.bool_)
    todo = np.empty(max(nodes, 1), np.int64)
    code = np.empty(max(nodes, 1), np.int8)
    total = np.empty(max(nodes, 1), np.int64)

    for m in range(len(unit_class)):
        c = unit_class[m]
        out_node[m] = -1
        if refused[c] or unit_pin[m] == -2:
            continue
        pinned = unit_pin[m] >= 0
        # Classes without a row of their own share the last one and start afresh each time.
        row = slot_of[c] if slot_of[c] >= 0 else slots
        fresh = row == slots or seen[row] < 0 or logged - seen[row] > nodes
        count = 0
        if pinned:
            todo[0] = unit_pin[m]
            count = 1
        elif not fresh:
            for i in range(seen[row], logged):
                todo[count] = log[i]
                count += last_change[log[i]] == i

        while True:
            if fresh and not pinned:
                count = nodes
                for n in range(nodes):
                    todo[n] = n
            static_filter(c, todo, count, node_class, static_refusal, code)
            if conflict_start[c + 1] > conflict_start[c]:
                ports_filter(c, todo, count, port_use, conflict_start, conflict_port, code)
            resources_filter(c, todo, count, offered, used, checked, code)
            if gpu_need[c, 0] > 0:
                boards_filter(c, todo, count, gpu_free, gpu_need, code)
            if pinned:
                break
            if varies[c]:
                if fresh:
                    tops[row] = 0
                for i in range(count):
                    now = code[i] == 0
                    if fresh or now != (tree[row, leaves + todo[i]] >= 0):
                        k = node_class[todo[i]]
                        _count_top(tops, row, 0, taint_raw[c, k], now, fresh)
                        _count_top(tops, row, 1, affinity_raw[c, k], now, fresh)
                if not fresh and (tops[row, 2] <= 0 or tops[row, 3] <= 0):
                    fresh = True
                    continue
            break

        chosen = -1
        if pinned:
            chosen = unit_pin[m] if code[0] == 0 else -1
        else:
            total[:count] = 0
            if w_fit > 0:
                fit_scores(
                    c,
                    todo,
                    count,
                    code,
                    offered,
                    used,
                    accounted,
                    scoring,
                    strategy,
                    fit_columns,
                    fit_weights,
                    fit_scalar,
                    shape_u,
                    shape_s,
                    w_fit,
                    total,
                )
            if w_balanced > 0 and not skips_balance[c]:
                balanced_scores(
                    c,
                    todo,
                    count,
                    code,
                    offered,
                    used,
                    request,
                    balanced_columns,
                    balanced_scalar,
                    w_balanced,
                    total,
                )
            static_scores(
                c,
                todo,
                count,
                code,
                node_class,
                static_score,
                taint_raw,
                affinity_raw,
                tops[row, 0],
                tops[row, 1],
                w_taint,
                w_affinity,
                total,
            )
            if fresh:
                _fill(tree, row, leaves, nodes, code, total)
            else:
                _update(tree, row, leaves, todo, count, code, total)
            seen[row] = logged
            chosen = _first_best(tree, row, leaves)
            refused[c] = chosen < 0
        if chosen >= 0:
            bind(
                chosen,
                c,
                used,
                accounted,
                gpu_free,
                port_use,
                request,
                accounted_request,
                gpu_need,
                own_start,
                own_port,
            )
            out_node[m] = chosen
            last_change[chosen] = logged
            log[logged] = chosen
            logged += 1


@njit(cache=True, error_model="numpy")
def _count_top(tops, row, which, raw, fits, fresh):
    """Keep the largest raw score of the nodes that fit (column `which`) and how many have it.

    A count of 0 or less says that the largest is not known any more.
    """
    if fits and raw > tops[row, which]:
        tops[row, which] = raw
        tops[row, which + 2] = 1 if fresh else -(2**62)
    elif raw == tops[row, which]:
        if fits:
            tops[row, which + 2] += 1
        elif not fresh:
            tops[row, which + 2] -= 1


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
def short_resources(c, offered, used, checked, out_short):
    """out_short: bool[N, R], resources of which too little is left on each node."""
    for n in range(offered.shape[0]):
        for r in range(offered.shape[1]):
            out_short[n, r] = checked[c, r] > 0 and checked[c, r] > offered[n, r] - used[n, r]
