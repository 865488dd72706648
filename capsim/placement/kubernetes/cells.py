"""Cells: nodes that are in the same domains of some topology keys.

What a topology term says is the same for all nodes of a cell. In a tournament tree each cell has
a subtree of its own, so that its best node is known at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes._kernels import Cells
from capsim.topology import Int32, Int64

#: With more cells than this share of the nodes, every node is looked at for itself.
_MOST_CELLS = 0.25
_Way = tuple[Int64, Int64, Int64, Int64, int]
"""Cell and leaf of each node, node and root of each cell, leaves."""


def cells(domain: Int32, ways: Sequence[frozenset[int] | None]) -> tuple[Int64, Cells]:
    """For each class (the keys it looks at, None for none) its row of the Cells; and these.

    domain: [keys, N]. A set with -1 stands for single nodes.
    """
    number: dict[frozenset[int], int] = {}
    way_of = np.full(len(ways), -1, np.int64)
    tables: list[_Way | None] = []
    single = frozenset((-1,))
    for c, keys in enumerate(ways):
        if keys is None:
            continue
        if keys not in number:
            table = None if -1 in keys else _grouped(domain[sorted(keys)])
            if table is None and keys != single:
                if single not in number:
                    number[single] = len(tables)
                    tables.append(None)
                number[keys] = number[single]
            else:
                number[keys] = len(tables)
                tables.append(table)
        way_of[c] = number[keys]
    return way_of, _packed(tables, domain.shape[1])


def _grouped(domain: Int32) -> _Way | None:
    """Cells of nodes with equal columns, in subtrees from the largest to the smallest."""
    count = domain.shape[1]
    if count == 0:
        return None
    _, first, cell, size = np.unique(
        domain, axis=1, return_index=True, return_inverse=True, return_counts=True
    )
    if len(first) > max(1, _MOST_CELLS * count):
        return None
    cell = cell.reshape(-1)
    room = 2 ** np.ceil(np.log2(size)).astype(np.int64)
    order = np.argsort(-room, kind="stable")
    offset = np.empty(len(first), np.int64)
    offset[order] = np.concatenate([[0], np.cumsum(room[order])[:-1]])
    leaves = 1 << int(room.sum() - 1).bit_length()
    rank = np.empty(count, np.int64)
    by_cell = np.argsort(cell, kind="stable")
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    rank[by_cell] = np.arange(count) - starts[cell[by_cell]]
    leaf = leaves + offset[cell] + rank
    return cell.astype(np.int64), leaf, first.astype(np.int64), (leaves + offset) // room, leaves


def _singles(count: int) -> _Way:
    rows = np.arange(count)
    leaves = 1 << max(0, count - 1).bit_length()
    return rows, leaves + rows, rows, leaves + rows, leaves


def _packed(tables: Sequence[_Way | None], nodes: int) -> Cells:
    ways = [_singles(nodes) if table is None else table for table in tables]
    most = max((way[4] for way in ways), default=0)
    node_at = np.full((len(ways), most), -1, np.int32)
    for row, (_, leaf, _, _, leaves) in enumerate(ways):
        node_at[row, leaf - leaves] = np.arange(nodes)
    start = np.zeros(len(ways) + 1, np.int64)
    np.cumsum([len(way[2]) for way in ways], out=start[1:])
    nothing = [np.zeros(0, np.int64)]
    return Cells(
        np.array([table is None for table in tables], np.bool_),
        start,
        np.concatenate([way[2] for way in ways] or nothing),
        np.concatenate([way[3] for way in ways] or nothing),
        _matrix([way[0] for way in ways], nodes),
        _matrix([way[1] for way in ways], nodes),
        node_at,
        np.array([way[4] for way in ways], np.int64),
    )


def _matrix(rows: Sequence[Int64], width: int) -> NDArray[np.int32]:
    return np.array(rows, np.int32).reshape(len(rows), width)
