"""Tournament trees of scores: the best node at once."""

from __future__ import annotations

from capsim.placement.kubernetes._kernels.jit import kernel


@kernel
def fill(tree, row, leaves, nodes, code, total):
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


@kernel
def update(tree, row, leaves, todo, count, code, total):
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


@kernel
def first_best(tree, row, leaves):
    """The first node with the highest score, -1 where none fits."""
    return -1 if tree[row, 1] < 0 else first_leaf(tree[row], 1, leaves) - leaves


@kernel
def first_leaf(tree, root, leaves):
    """Place of the first leaf below root that has its score."""
    best = tree[root]
    i = root
    while i < leaves:
        i *= 2
        if tree[i] != best:
            i += 1
    return i


@kernel
def fill_cells(way, row, nodes, code, total, cells, memory):
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


@kernel
def update_cells(way, row, todo, count, code, total, cells, memory):
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


@kernel
def first_node(way, row, g, cells, tree):
    """The first node of a cell that has its best score."""
    i = first_leaf(tree[row], cells.root[cells.start[way] + g], cells.leaves[way])
    return cells.node_at[way, i - cells.leaves[way]]
