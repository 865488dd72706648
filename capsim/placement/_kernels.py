"""Numba kernels of packing, headroom and stranded capacity: pure functions of arrays.

Names of dimensions: C classes of identical units, R resources, D GPU boards of the machine that
has most, S machine shapes, B bins (machines that were opened), N nodes, Q units to place.
Quantities are int64: milli-cores, bytes, pieces, thousandths of a board. `need` is [C, R + 1]: the
last column is the thousandths that the class wants of one board (0: none), and in the free
amounts of a bin that column holds its emptiest board.

Small functions are inlined where handing over their arrays would cost more than what they do.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FIRST, BEST, WORST, NEXT = range(4)
#: More of a shape than any node takes; "this resource does not limit".
UNLIMITED = 2**62


@njit(cache=True)
def boards_fit(row, devices, milli, boards):
    """Whether a row of boards has `devices` distinct ones with `milli` thousandths left each."""
    found = 0
    for d in range(boards.shape[1]):
        if boards[row, d] >= milli:
            found += 1
    return found >= devices


@njit(cache=True)
def take_boards(row, devices, milli, boards):
    """Take `milli` of each of the tightest distinct boards that fit, lowest index on ties.

    Boards are chosen in the order of (what they had free, index), so none is chosen twice: one
    that was taken from has less than it had.
    """
    last = -1
    last_free = -1
    for _ in range(devices):
        best = -1
        for d in range(boards.shape[1]):
            free = boards[row, d]
            if free < milli or free < last_free or (free == last_free and d <= last):
                continue
            if best < 0 or free < boards[row, best]:
                best = d
        last = best
        last_free = boards[row, best]
        boards[row, best] -= milli


@njit(cache=True)
def pack_in_order(
    run_class, run_length, need, devices, capacity, boards_of, holds, share, weight, rule, out_bin
):
    """Put units into bins one after the other; open a new bin when none takes the unit.

    rule: FIRST takes the bin that was opened first, BEST the fullest, WORST the emptiest (by
    sum_r weight_r * free_r, the first on ties), NEXT only ever looks at the last bin.

    run_class, run_length: int64, runs of identical units in the order of packing.
    need: int64[C, R + 1]; devices: int64[C] boards that a unit needs.
    capacity: int64[S, R]; boards_of: int64[S]; holds: bool[C, S], whether an empty machine takes a
    unit (at least one does); share: float64[S], the wanted mix; weight: float64[R + 1].
    out_bin: int32[Q], overwritten. Returns: int32[B], the shape of each bin.

    Bins are the leaves of a tree whose vertices know the most that is free below them of each
    resource, and the least cost (rank) below them; a search cuts what has no room or is not
    better. Bins only get fuller, so a class that found no bin looks at newer ones only.
    """
    leaves = 64
    free = np.full((2 * leaves, need.shape[1]), -1, np.int64)
    cost = np.full(2 * leaves, np.inf)
    boards = np.full((leaves, max(1, boards_of.max())), -1, np.int64)
    shape = np.empty(leaves, np.int32)
    stack = np.empty(128, np.int64)
    opened = np.zeros(len(share), np.int64)
    first_bin = np.zeros(len(need), np.int64)
    bins = 0
    at = 0
    for i in range(len(run_class)):
        c = run_class[i]
        left = run_length[i]
        while left > 0:
            if rule == NEXT:
                first_bin[c] = max(first_bin[c], bins - 1)
            b = _cheapest(c, first_bin[c], free, cost, boards, need, devices, stack)
            if b < 0:
                first_bin[c] = bins
                if bins == leaves:
                    leaves *= 2
                    free = _more_leaves(free)
                    cost = _more_leaves(cost)
                    boards = _longer(boards)
                    shape = _longer(shape)
                b = bins
                shape[b] = _next_shape(holds[c], share, opened)
                opened[shape[b]] += 1
                _open(b, shape[b], leaves + b, free, boards, capacity, boards_of)
                bins += 1
            elif rule == FIRST:
                first_bin[c] = b
            most = 1 if rule == WORST else left
            placed = _fill(c, most, b, leaves + b, free, boards, need, devices)
            cost[leaves + b] = _cost(rule, b, leaves + b, free, weight)
            _update(leaves + b, free, cost)
            for _ in range(placed):
                out_bin[at] = b
                at += 1
            left -= placed
    return shape[:bins].copy()


@njit(cache=True)
def _cheapest(c, first, free, cost, boards, need, devices, stack):
    """The bin from `first` on that takes class c at the least cost, the lowest on ties; or -1."""
    best = -1
    best_cost = np.inf
    leaves = len(cost) // 2
    stack[0] = 1
    depth = 1
    while depth > 0:
        depth -= 1
        vertex = stack[depth]
        if cost[vertex] > best_cost or not _has_room(c, vertex, free, need):
            continue
        if vertex >= leaves:
            b = vertex - leaves
            if b < first or (cost[vertex] == best_cost and b > best):
                continue
            if devices[c] == 0 or boards_fit(b, devices[c], need[c, -1], boards):
                best = b
                best_cost = cost[vertex]
            continue
        low, width = _span(vertex, leaves)
        if low + width <= first or (cost[vertex] == best_cost and low > best):
            continue
        right_first = cost[2 * vertex + 1] < cost[2 * vertex]
        stack[depth] = 2 * vertex + 1 - right_first
        stack[depth + 1] = 2 * vertex + right_first
        depth += 2
    return best


@njit(cache=True, inline="always")
def _span(vertex, leaves):
    """The first leaf below a vertex of the tree, and how many there are."""
    width = 1
    while vertex < leaves:
        vertex *= 2
        width *= 2
    return vertex - leaves, width


@njit(cache=True)
def _has_room(c, vertex, free, need):
    fits = True
    for r in range(need.shape[1]):
        fits &= need[c, r] <= free[vertex, r]
    return fits


@njit(cache=True)
def _fill(c, most, b, leaf, free, boards, need, devices):
    """Put up to `most` units of class c into bin b; returns how many went in."""
    placed = most
    last = need.shape[1] - 1
    for r in range(last):
        if need[c, r] > 0:
            placed = min(placed, free[leaf, r] // need[c, r])
    if devices[c] > 0:
        fitting = 0
        while fitting < placed and boards_fit(b, devices[c], need[c, last], boards):
            take_boards(b, devices[c], need[c, last], boards)
            fitting += 1
        placed = fitting
        free[leaf, last] = 0
        for d in range(boards.shape[1]):
            free[leaf, last] = max(free[leaf, last], boards[b, d])
    for r in range(last):
        free[leaf, r] -= placed * need[c, r]
    return placed


@njit(cache=True)
def _open(b, s, leaf, free, boards, capacity, boards_of):
    """An empty machine of shape s as bin b."""
    last = free.shape[1] - 1
    for r in range(last):
        free[leaf, r] = capacity[s, r]
    for d in range(boards.shape[1]):
        boards[b, d] = 1000 if d < boards_of[s] else -1
    free[leaf, last] = 1000 if boards_of[s] > 0 else 0


@njit(cache=True)
def _next_shape(holds, share, opened):
    """The shape, of those that hold the unit, that is furthest behind its share of the mix."""
    total = opened.sum() + 1
    best = -1
    for s in range(len(share)):
        if not holds[s]:
            continue
        if best < 0 or share[s] * total - opened[s] > share[best] * total - opened[best]:
            best = s
    return best


@njit(cache=True)
def _cost(rule, b, leaf, free, weight):
    if rule in (FIRST, NEXT):
        return float(b)
    left = 0.0
    for r in range(len(weight)):
        left += weight[r] * free[leaf, r]
    return left if rule == BEST else -left


@njit(cache=True)
def _update(leaf, free, cost):
    """Carry a changed leaf up to the root."""
    vertex = leaf // 2
    while vertex > 0:
        a = 2 * vertex
        for r in range(free.shape[1]):
            free[vertex, r] = max(free[a, r], free[a + 1, r])
        cost[vertex] = min(cost[a], cost[a + 1])
        vertex //= 2


@njit(cache=True)
def _more_leaves(tree):
    """The same tree with twice as many leaves: it becomes the left half of a larger one."""
    size = len(tree)
    larger = np.empty((2 * size, *tree.shape[1:]), tree.dtype)
    larger[:] = tree[0]
    width = 1
    while width < size:
        larger[2 * width : 3 * width] = tree[width : 2 * width]
        width *= 2
    larger[1] = tree[1]
    return larger


@njit(cache=True)
def _longer(table):
    longer = np.empty((2 * len(table), *table.shape[1:]), table.dtype)
    longer[: len(table)] = table
    return longer


@njit(cache=True)
def pack_by_dot_product(count, need, devices, capacity, boards_of, holds, share, weight, out_bin):
    """Fill one bin at a time with the unit that points most in the direction of what is left.

    While anything fits the open bin, the class with the largest
    sum_r weight_r * need_r * free_r goes in (the first on ties); then the next bin is opened.

    count: int64[C] units of each class; the other arguments as in `pack_in_order`, weight scaled
    by the square of the capacity. out_bin: int32[Q], units sorted by class, overwritten.
    Returns: int32[B], the shape of each bin.
    Source: Panigrahy, Talwar, Uyeda and Wieder 2011, Heuristics for Vector Bin Packing.
    """
    left = count.copy()
    at = np.zeros(len(count), np.int64)
    at[1:] = np.cumsum(count)[:-1]
    width = max(16, int(np.sqrt(len(count))))
    least, most, in_block = _blocks(width, count, need)
    free = np.empty((1, need.shape[1]), np.int64)
    boards = np.full((1, max(1, boards_of.max())), -1, np.int64)
    opened = np.zeros(len(share), np.int64)
    held = np.zeros(len(share), np.int64)
    for s in range(len(share)):
        held[s] = (count * holds[:, s]).sum()
    shape = np.empty(64, np.int32)
    bins = 0
    while held.max() > 0:
        s = _next_shape(held > 0, share, opened)
        opened[s] += 1
        _open(0, s, 0, free, boards, capacity, boards_of)
        if bins == len(shape):
            shape = _longer(shape)
        shape[bins] = s
        while True:
            c = _most_aligned(
                width, left, need, devices, least, most, in_block, weight, free, boards
            )
            if c < 0:
                break
            _fill(c, 1, 0, 0, free, boards, need, devices)
            out_bin[at[c]] = bins
            at[c] += 1
            left[c] -= 1
            in_block[c // width] -= 1
            for k in range(len(share)):
                held[k] -= holds[c, k]
        bins += 1
    return shape[:bins].copy()


@njit(cache=True)
def _blocks(width, count, need):
    """The least and the most that classes need in each block of `width`, and its units."""
    blocks = (len(count) + width - 1) // width
    least = np.full((blocks, need.shape[1]), UNLIMITED, np.int64)
    most = np.zeros((blocks, need.shape[1]), np.int64)
    in_block = np.zeros(blocks, np.int64)
    for c in range(len(count)):
        k = c // width
        in_block[k] += count[c]
        if count[c] > 0:
            for r in range(need.shape[1]):
                least[k, r] = min(least[k, r], need[c, r])
                most[k, r] = max(most[k, r], need[c, r])
    return least, most, in_block


@njit(cache=True)
def _most_aligned(width, left, need, devices, least, most, in_block, weight, free, boards):
    """The class with the largest dot product with what is free in bin 0, or -1 if none fits.

    A block is skipped where its smallest need has no room or its largest is not better.
    """
    last = need.shape[1] - 1
    best = -1
    best_value = -1.0
    for k in range(len(in_block)):
        if in_block[k] == 0 or not _has_room(k, 0, free, least):
            continue
        if _along(k, most, weight, free) <= best_value:
            continue
        for c in range(k * width, min((k + 1) * width, len(left))):
            if left[c] == 0 or not _has_room(c, 0, free, need):
                continue
            if devices[c] > 0 and not boards_fit(0, devices[c], need[c, last], boards):
                continue
            value = _along(c, need, weight, free)
            if value > best_value:
                best = c
                best_value = value
    return best


@njit(cache=True, inline="always")
def _along(c, need, weight, free):
    value = 0.0
    for r in range(len(weight)):
        value += weight[r] * need[c, r] * free[0, r]
    return value


@njit(cache=True, inline="always")
def _alone(n, s, free, boards, limit, request, devices, milli, gpu, scratch, out_count):
    """How many more of shape s node n takes as far as each resource alone goes.

    out_count: int64[R + 1], overwritten; the last entry is the static rules' own limit.
    Returns the smallest of them.
    """
    resources = request.shape[1]
    least = limit[s, n]
    out_count[resources] = least
    for r in range(resources):
        asked = request[s, r]
        count = UNLIMITED
        if asked > 0:
            count = _times(free[n, r], asked)
            if r == gpu and devices[s] > 0:
                count = min(count, _board_count(n, devices[s], milli[s], boards, scratch))
        out_count[r] = count
        least = min(least, count)
    return least


@njit(cache=True, inline="always")
def _times(have, asked):
    """The whole times that `asked` > 0 goes into 0 <= `have` <= 2**53.

    The quotient of floats is at most one too high, and several times as fast as
    a division of 64-bit integers on many processors.
    """
    if have < 2 * asked:
        return 1 if have >= asked else 0
    count = int(have / asked)
    return count - 1 if count * asked > have else count


@njit(cache=True, inline="always")
def _board_count(n, devices, milli, boards, scratch):
    """How many units, each on `devices` distinct boards, fit the boards of a node in turn."""
    whole = 0
    for d in range(boards.shape[1]):
        if boards[n, d] >= milli:
            whole += _times(boards[n, d], milli)
    if devices == 1:
        return whole
    if 2 * milli > 1000:
        return whole // devices
    scratch[0] = boards[n]
    count = 0
    while boards_fit(0, devices, milli, scratch):
        take_boards(0, devices, milli, scratch)
        count += 1
    return count


@njit(cache=True, inline="always")
def _tightest(n, s, least, count, free, request):
    """The resource that stops the next unit: of those that are out, the one that is shortest.

    Returns the column, or R for a static rule; -1 where nothing limits.
    """
    resources = request.shape[1]
    if count[resources] == least:
        return resources if least < UNLIMITED else -1
    blocked = -1
    shortest = np.inf
    for r in range(resources):
        if count[r] == least:
            # Boards in fragments can hold more in sum than they take: less than one unit more.
            ratio = min(free[n, r] / request[s, r], least + 1.0)
            if ratio < shortest:
                shortest = ratio
                blocked = r
    return blocked


@njit(cache=True)
def fit_counts(free, boards, limit, request, devices, milli, gpu, out_fits, out_blocked):
    """How many more of each shape each node takes, each shape alone, and what stops the next.

    free: int64[N, R]; boards: int64[N, D]; limit: int64[S, N], 0 where a static rule refuses;
    request: int64[S, R]; devices, milli: int64[S]; gpu: column of the shared boards, or -1.
    out_fits: int64[S, N]; out_blocked: int8[S, N], a column, R for a static rule, -1 for nothing.
    """
    count = np.empty(request.shape[1] + 1, np.int64)
    scratch = np.empty((1, boards.shape[1]), np.int64)
    for s in range(len(request)):
        for n in range(len(free)):
            least = _alone(n, s, free, boards, limit, request, devices, milli, gpu, scratch, count)
            out_fits[s, n] = least
            out_blocked[s, n] = _tightest(n, s, least, count, free, request)


@njit(cache=True)
def fill_together(order, free, boards, limit, request, devices, milli, share, most, out_count):
    """Place shapes in turn, each time the one furthest behind its share, until one finds no node.

    Each goes to the first node in `order` that takes it; nodes only get fuller, so a shape never
    looks back. order: int64[N]; free, boards and limit are updated in place; share: float64[S].
    out_count: int64[S], zeros, overwritten. Returns the shape that no longer fits, -1 at `most`.
    """
    at = np.zeros(len(share), np.int64)
    every = np.ones(len(share), np.bool_)
    for _ in range(most):
        s = _next_shape(every, share, out_count)
        while at[s] < len(order) and not _takes(
            order[at[s]], s, free, boards, limit, request, devices, milli
        ):
            at[s] += 1
        if at[s] == len(order):
            return s
        n = order[at[s]]
        for r in range(request.shape[1]):
            free[n, r] -= request[s, r]
        if devices[s] > 0:
            take_boards(n, devices[s], milli[s], boards)
        limit[s, n] -= 1
        out_count[s] += 1
    return -1


@njit(cache=True)
def _takes(n, s, free, boards, limit, request, devices, milli):
    if limit[s, n] <= 0:
        return False
    for r in range(request.shape[1]):
        if request[s, r] > 0 and request[s, r] > free[n, r]:
            return False
    return devices[s] == 0 or boards_fit(n, devices[s], milli[s], boards)


@njit(cache=True)
def strand(free, boards, limit, request, devices, milli, gpu, weight, out_by_shape, out_by_node):
    """What shapes cannot use of each node's free capacity, by what stands in the way.

    With a_r = how many units node n takes as far as resource r alone goes, and k = min_r a_r:
        stranded_r = free_r - k request_r
                   = (a_r - k) request_r      behind the resource q that runs out first, a_q = k
                   + free_r - a_r request_r   the remainder of r itself, too small for one more.

    free, boards, limit, request, devices, milli, gpu: as in `fit_counts`.
    weight: float64[S, R], 0 where the shape does not request the resource.
    out_by_shape: float64[S, R, R + 2] and out_by_node: float64[N, R, R + 2], zeros; the last axis
    is the cause: a column, R a static rule, R + 1 the remainder. By node, amounts are weighted.
    """
    resources = request.shape[1]
    count = np.empty(resources + 1, np.int64)
    scratch = np.empty((1, boards.shape[1]), np.int64)
    for s in range(len(request)):
        for n in range(len(free)):
            least = _alone(n, s, free, boards, limit, request, devices, milli, gpu, scratch, count)
            cause = _tightest(n, s, least, count, free, request)
            for r in range(resources):
                asked = request[s, r]
                if asked == 0 or free[n, r] == 0:
                    continue
                behind = float((count[r] - least) * asked)
                if behind > 0:
                    out_by_shape[s, r, cause] += behind
                    out_by_node[n, r, cause] += weight[s, r] * behind
                remainder = float(free[n, r] - count[r] * asked)
                out_by_shape[s, r, resources + 1] += remainder
                out_by_node[n, r, resources + 1] += weight[s, r] * remainder
