"""The scheduling loop that looks at a sample of the nodes, or draws among the best."""

from __future__ import annotations

import numpy as np

from capsim.placement.kubernetes._kernels.filters import filter_nodes
from capsim.placement.kubernetes._kernels.jit import kernel
from capsim.placement.kubernetes._kernels.labels import static_scores
from capsim.placement.kubernetes._kernels.resources import balanced_scores, fit_scores
from capsim.placement.kubernetes._kernels.schedule import find_top
from capsim.placement.kubernetes._kernels.state import bind, count_unit, note
from capsim.placement.kubernetes._kernels.terms import pods_scores, spread_scores, topology_filter


@kernel
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
            find_top(c, todo, fits, code, static, 0, tops)
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


@kernel
def nodes_to_find(listed, percentage):
    """How many nodes that fit are enough, of so many: all of fewer than 100, else at least 100."""
    if listed < 100:
        return listed
    if percentage == 0:
        percentage = max(5, 50 - listed // 125)
    return max(100, listed * percentage // 100)


@kernel
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


@kernel
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


@kernel
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
