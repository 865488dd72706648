"""Piles: nodes that look the same to every term of a class, the best of each known at once.

Terms that look at single nodes (spread over hosts, one of a kind a host) tell every node apart by
its name, yet only the number of units on it matters, and few numbers occur. So nodes with the same
numbers are kept in one level, and those of a level that are in one cell are a pile. A term is asked
once a pile; a placed unit moves one node to another level.
"""

from __future__ import annotations

import numpy as np

from capsim.placement.kubernetes._kernels.jit import inlined, kernel


@kernel
def fill_piles(p, row, leaves, rows, counts, cells, piles, tree):
    """Put every node that fits (its leaf in the tree is not negative) on its pile."""
    way = piles.way[p]
    nodes, width = piles.level.shape[1], 2 * cells.leaves[way]
    piles.level[p, :] = -1
    piles.members[p] = 0
    piles.size[p] = 0
    piles.made[p] = 0
    for j in range(piles.tree_of.shape[1]):
        if piles.tree_of[p, j] >= 0:
            piles.trees[piles.tree_of[p, j], :width] = -1
    score = tree[row, leaves : leaves + nodes]
    todo = np.arange(nodes)
    if not set_levels(p, todo, nodes, score, rows, counts, cells, piles, False):
        return
    for j in range(piles.made[p]):
        maxima = piles.trees[piles.tree_of[p, j]]
        for i in range(width // 2 - 1, 0, -1):
            maxima[i] = max(maxima[2 * i], maxima[2 * i + 1])


@kernel
def update_piles(p, row, leaves, todo, count, code, total, rows, counts, cells, piles, tree):
    """Set the leaves of some nodes and put each on the pile where it belongs now."""
    score = tree[row, leaves : leaves + piles.level.shape[1]]
    for i in range(count):
        score[todo[i]] = total[i] if code[i] == 0 else -1
    if not set_levels(p, todo, count, score, rows, counts, cells, piles, True):
        fill_piles(p, row, leaves, rows, counts, cells, piles, tree)


@kernel
def set_levels(p, todo, count, score, rows, counts, cells, piles, climbs):
    """Put nodes in the level where they belong now; False, made[p] < 0 if there are too many.

    score: the scores of all nodes, negative where one does not fit. climbs: whether the maxima of
    the trees are kept.
    """
    # Arrays are taken out of their tuples once: numba counts a reference at each access.
    level, look, size, members = piles.level[p], piles.look[p], piles.size[p], piles.members[p]
    trees, tree_of, made = piles.trees, piles.tree_of[p], piles.made
    way = piles.way[p]
    cell, leaf = cells.cell[way], cells.leaf[way]
    root = cells.root[cells.start[way] : cells.start[way + 1]]
    hosts = piles.host_row[piles.host_start[p] : piles.host_start[p + 1]]
    number, start, key, domain = counts.number, rows.start, rows.key, rows.domain
    seen = np.empty(len(hosts), np.int64)
    for i in range(count):
        n = todo[i]
        now = -1
        if score[n] >= 0:
            for j in range(len(hosts)):
                q = hosts[j]
                seen[j] = number[start[q] + domain[key[q], n]]
            now = _level_of(seen, look, size, made[p])
            if now == made[p]:
                if now == len(size) or not _has_tree(now, tree_of, piles.dealt, trees):
                    made[p] = -1
                    return False
                made[p] += 1
            look[now, : len(hosts)] = seen
        before = level[n]
        if before >= 0 and before != now:
            size[before] -= 1
            members[before, cell[n]] -= 1
            _set_leaf(leaf[n], root[cell[n]], -1, trees[tree_of[before]], climbs)
        if now >= 0:
            if before != now:
                size[now] += 1
                members[now, cell[n]] += 1
            _set_leaf(leaf[n], root[cell[n]], score[n], trees[tree_of[now]], climbs)
        level[n] = now
    return True


@inlined
def _level_of(seen, look, size, made):
    """The level with these counts, else one that is empty, else `made`, the next one to make."""
    found = made
    for b in range(made):
        if size[b] == 0:
            found = b
        else:
            same = True
            for j in range(len(seen)):
                same = same and look[b, j] == seen[j]
            if same:
                found = b
                break
    return found


@inlined
def _has_tree(b, tree_of, dealt, trees):
    """Whether a level has a tree; it is dealt one if there is any left."""
    if tree_of[b] < 0 and dealt[0] < len(trees):
        tree_of[b] = dealt[0]
        trees[dealt[0], :] = -1
        dealt[0] += 1
    return tree_of[b] >= 0


@inlined
def _set_leaf(i, root, value, tree, climbs):
    """Set a leaf of a tree and, if wanted, the maxima above it up to the root of its cell."""
    tree[i] = value
    while climbs and i > root:
        i //= 2
        best = max(tree[2 * i], tree[2 * i + 1])
        if tree[i] == best:
            break
        tree[i] = best
