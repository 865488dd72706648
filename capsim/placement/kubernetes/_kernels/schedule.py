"""The scheduling loop: waiting units one by one, each where its score is highest."""

from __future__ import annotations

from capsim.placement.kubernetes._kernels.choose import choose
from capsim.placement.kubernetes._kernels.filters import filter_nodes
from capsim.placement.kubernetes._kernels.jit import kernel
from capsim.placement.kubernetes._kernels.labels import static_filter, static_scores
from capsim.placement.kubernetes._kernels.piles import fill_piles, update_piles
from capsim.placement.kubernetes._kernels.resources import (
    balanced_scores,
    boards_filter,
    fit_scores,
    ports_filter,
    resources_filter,
)
from capsim.placement.kubernetes._kernels.state import bind, count_unit, note
from capsim.placement.kubernetes._kernels.terms import topology_filter
from capsim.placement.kubernetes._kernels.trees import (
    fill,
    fill_cells,
    first_best,
    update,
    update_cells,
)


@kernel
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
    kept in a tournament tree, so the best node costs log N. A class with topology terms asks them
    once a cell or pile of nodes, not once a node.
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
    worth_of, piles = memory.worth_of, memory.piles
    pile_row, made = piles.row_of, piles.made

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
                    find_top(c, todo, count, code, static, row, tops)
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
                    fits[row] = fill(tree, row, leaves, size, code, total)
                else:
                    fits[row] += update(tree, row, leaves, todo, count, code, total)
                chosen = first_best(tree, row, leaves)
                out_fits[m] = fits[row]
                out_total[m] = tree[row, 1]
                refused[c] = chosen < 0
            else:
                p = pile_row[c] if row < slots else -1
                if fresh:
                    fill_cells(way, row, size, code, total, cells, memory)
                    if p >= 0:
                        fill_piles(p, row, leaves, rows, counts, cells, piles, tree)
                elif p >= 0 and made[p] >= 0:
                    update_piles(
                        p, row, leaves, todo, count, code, total, rows, counts, cells, piles, tree
                    )
                else:
                    update_cells(way, row, todo, count, code, total, cells, memory)
                if p >= 0 and made[p] < 0:
                    p = -1
                chosen, out_fits[m], out_total[m] = choose(
                    c, way, row, p, counts, static, policy, rows, asks, cells, memory
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


@kernel
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


@kernel
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


@kernel
def find_top(c, todo, count, code, static, row, tops):
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


@kernel
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
