"""Numba kernels of weighted max-min sharing in a tree of groups. N groups; amounts in cores."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@njit(cache=True)
def children_of(parent: Int64) -> tuple[Int64, Int64]:
    """The tree the other way round: children of group i are members[first[i] : first[i + 1]].

    parent: int64[N], -1 for a root, every parent before its children.
    """
    count = len(parent)
    first = np.zeros(count + 1, np.int64)
    for i in range(count):
        if parent[i] >= 0:
            first[parent[i] + 1] += 1
    for i in range(count):
        first[i + 1] += first[i]
    members = np.empty(first[count], np.int64)
    at = first[:count].copy()
    for i in range(count):
        if parent[i] >= 0:
            members[at[parent[i]]] = i
            at[parent[i]] += 1
    return first, members


@njit(cache=True)
def needs(parent: Int64, demand: Float64, ceiling: Float64) -> Float64:
    """What each group could use: its demand and its children's, at most its ceiling; float64[N]."""
    need = demand.copy()
    for i in range(len(parent) - 1, -1, -1):
        need[i] = min(need[i], ceiling[i])
        if parent[i] >= 0:
            need[parent[i]] += need[i]
    return need


@njit(cache=True)
def share(first: Int64, members: Int64, weight: Float64, need: Float64, parent: Int64) -> Float64:
    """What each group gets: min(need, weight * level), one level for each set of siblings.

    The level is the largest that what the parent gets allows. Roots get what they need (their
    ceiling is the capacity). Returns float64[N].
    Source: kernel documentation, sched-design-CFS and cgroup-v2; Parekh and Gallager 1993.
    """
    got = need.copy()
    for i in range(len(parent)):
        low, high = first[i], first[i + 1]
        total = 0.0
        for k in range(low, high):
            total += need[members[k]]
        if total <= got[i]:
            continue
        _fill(got[i], members[low:high], weight, need, got)
    return got


@njit(cache=True)
def _fill(capacity: float, siblings: Int64, weight: Float64, need: Float64, got: Float64) -> None:
    """Divide a capacity that is short among siblings, in rounds over those not yet satisfied.

    A round's level is what is left by the weight that is left; who needs less is satisfied, so
    the next level is higher. A few rounds do; each satisfies somebody, so it ends.
    """
    wants = siblings.copy()
    count = len(wants)
    left = capacity
    while count > 0:
        heft = 0.0
        for k in range(count):
            heft += weight[wants[k]]
        level = max(0.0, left) / heft
        kept = 0
        for k in range(count):
            child = wants[k]
            if need[child] <= level * weight[child]:
                left -= need[child]
            else:
                wants[kept] = child
                kept += 1
        if kept == count:
            for k in range(count):
                got[wants[k]] = level * weight[wants[k]]
        count = 0 if kept == count else kept


@njit(cache=True)
def reach(
    first: Int64,
    members: Int64,
    parent: Int64,
    weight: Float64,
    need: Float64,
    ceiling: Float64,
    leaves: Int64,
) -> Float64:
    """What each leaf would get if it alone wanted all it can; the others keep their needs.

    leaves: int64[L]; ceiling: float64[N]. Returns float64[L].
    """
    out = np.empty(len(leaves))
    path = np.empty(64, np.int64)
    want = np.empty(64)
    for at in range(len(leaves)):
        depth = 0
        i = leaves[at]
        wish = ceiling[i]
        while True:
            path[depth] = i
            want[depth] = wish
            depth += 1
            above = parent[i]
            if above < 0:
                break
            others = 0.0
            for k in range(first[above], first[above + 1]):
                if members[k] != i:
                    others += need[members[k]]
            wish = min(ceiling[above], others + wish)
            i = above
        got = want[depth - 1]
        for d in range(depth - 2, -1, -1):
            above = path[d + 1]
            got = _grant(
                path[d], want[d], got, members[first[above] : first[above + 1]], weight, need
            )
        out[at] = got
    return out


@njit(cache=True)
def _grant(
    child: int, want: float, capacity: float, siblings: Int64, weight: Float64, need: Float64
) -> float:
    """What one of the siblings gets of a capacity if it wants so much: rounds of satisfaction.

    In each round those that need less than the level are satisfied; the level only rises.
    """
    level: float = 0.0
    for _ in range(len(siblings)):
        left = capacity
        heft = 0.0
        for i in siblings:
            wish = want if i == child else need[i]
            if wish <= level * weight[i]:
                left -= wish
            else:
                heft += weight[i]
        if heft == 0.0:
            return want
        new = left / heft
        if new <= level * (1 + 1e-12):
            break
        level = new
    got: float = min(want, level * weight[child])
    return got
