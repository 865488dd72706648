"""The best node of a class with topology terms, asked once a group of nodes that look the same."""

from __future__ import annotations

from capsim.placement.kubernetes._kernels.jit import inlined
from capsim.placement.kubernetes._kernels.labels import varied_scores
from capsim.placement.kubernetes._kernels.terms import pods_scores, spread_scores, topology_filter
from capsim.placement.kubernetes._kernels.trees import first_leaf, first_node

#: The code of a group in which no node fits.
_EMPTY = 100


@inlined
def choose(c, way, row, p, counts, static, policy, rows, asks, cells, memory):
    """The best node: (node or -1, nodes that fit, its score).

    p: the row of the class among the piles, -1 where it has cells or single nodes.
    """
    todo, code, total, have = memory.todo, memory.code, memory.total, memory.have
    is_grouped = p < 0 and not cells.single[way]
    if p >= 0:
        count = list_piles(p, cells, memory)
    elif is_grouped:
        count = list_cells(way, row, cells, memory)
    else:
        count = list_nodes(way, row, cells, memory)
    topology_filter(c, todo, count, rows, counts, asks, code)
    fits = 0
    for g in range(count):
        if code[g] == 0:
            fits += have[g]
    if fits == 0:
        return -1, 0, 0
    if fits > 1:
        if policy.w_spread > 0 and asks.soft_start[c + 1] > asks.soft_start[c]:
            scratch, weight = memory.scratch, policy.w_spread
            spread_scores(c, todo, count, code, have, rows, counts, asks, scratch, weight, total)
        if policy.w_pods > 0 and asks.pull_start[c + 1] > asks.pull_start[c]:
            pods_scores(c, todo, count, code, rows, counts, asks, policy.w_pods, total)
        if static.varies[c]:
            varied_scores(c, todo, count, code, static, policy, total)
    best = -1
    chosen = -1
    for g in range(count):
        if code[g] == 0 and total[g] >= best:
            n = first_node(way, row, g, cells, memory.tree) if is_grouped else todo[g]
            if total[g] > best or n < chosen:
                best, chosen = total[g], n
    return chosen, fits, best


@inlined
def list_nodes(way, row, cells, memory):
    """Every node that fits, with what it scores but for topology terms; how many there are."""
    todo, code, total, have = memory.todo, memory.code, memory.total, memory.have
    leaves, nodes = cells.leaves[way], cells.start[way + 1] - cells.start[way]
    score = memory.tree[row, leaves : leaves + nodes]
    count = 0
    for n in range(nodes):
        todo[count] = n
        total[count] = score[n]
        count += score[n] >= 0
    code[:count] = 0
    have[:count] = 1
    return count


@inlined
def list_cells(way, row, cells, memory):
    """A node of each cell, with the score of its best and the nodes in it that fit."""
    todo, code, total, have = memory.todo, memory.code, memory.total, memory.have
    tree, members, root, start = memory.tree, memory.members, cells.root, cells.start[way]
    count = cells.start[way + 1] - start
    for g in range(count):
        todo[g] = cells.node[start + g]
        total[g] = tree[row, root[start + g]]
        have[g] = members[row, g]
        code[g] = 0 if have[g] > 0 else _EMPTY
    return count


@inlined
def list_piles(p, cells, memory):
    """The best node of each pile, with its score and the nodes of the pile."""
    todo, code, total, have = memory.todo, memory.code, memory.total, memory.have
    piles = memory.piles
    way = piles.way[p]
    first, cell_count = cells.start[way], cells.start[way + 1] - cells.start[way]
    count = 0
    for b in range(piles.made[p]):
        if piles.size[p, b] == 0:
            continue
        for g in range(cell_count):
            nodes = piles.members[p, b, g]
            if nodes > 0:
                tree = piles.trees[piles.tree_of[p, b]]
                i = first_leaf(tree, cells.root[first + g], cells.leaves[way])
                todo[count] = cells.node_at[way, i - cells.leaves[way]]
                total[count] = tree[i]
                have[count] = nodes
                code[count] = 0
                count += 1
    return count
