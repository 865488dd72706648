"""Cells: nodes that are in the same domains of some topology keys.

What a topology term says is the same for all nodes of a cell. In a tournament tree each cell has
a subtree of its own, so that its best node is known at once. A class whose terms look at single
nodes besides has cells by its other keys, and piles within them (see the kernels).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes._kernels import Cells
from capsim.topology import Int32, Int64

#: With more cells than this share of the nodes, every node is looked at for itself.
_MOST_CELLS = 0.25
_Made = tuple[Int64, Int64, Int64, Int64, int]
"""Cell and leaf of each node, node and root of each cell, leaves."""


def cells(domain: Int32, node_class: Int32, ways: Sequence[Way | None]) -> Ways:
    """Cells for each class, by the way in which it tells nodes apart (None: it does not).

    domain: [keys, N]. node_class: [N], counts where a way asks for it.
    """
    table = _Table(domain, node_class)
    way_of = np.full(len(ways), -1, np.int64)
    pile_way = np.full(len(ways), -1, np.int64)
    hosts: list[tuple[int, ...]] = [()] * len(ways)
    for c, way in enumerate(ways):
        if way is None:
            continue
        way_of[c] = table.number(way.keys, way.by_class)
        singles = table.single_node_keys(way.keys)
        if singles and table.is_single(int(way_of[c])):
            rest = table.grouped_number(way.keys - singles, way.by_class)
            if rest is not None:
                pile_way[c] = rest
                hosts[c] = tuple(q for q, key in way.rows if key in singles)
    return Ways(way_of, pile_way, hosts, table.packed())


@dataclass(frozen=True)
class Way:
    """How a class of units tells nodes apart."""

    rows: tuple[tuple[int, int], ...]
    """Rows of counters that its terms look at, with their topology keys."""
    by_class: bool
    """Whether what labels and taints say differs, so that the class of a node counts as well."""

    @property
    def keys(self) -> frozenset[int]:
        """Topology keys."""
        return frozenset(key for _, key in self.rows)


@dataclass(frozen=True, eq=False)
class Ways:
    """The ways of all classes, compiled."""

    way_of: Int64
    """[C] row of Cells, -1 for a class that does not tell nodes apart."""
    pile_way: Int64
    """[C] row of Cells within which the class may keep piles, -1 for none."""
    hosts: list[tuple[int, ...]]
    """[C] rows of counters whose domains are single nodes, for classes with a pile_way."""
    cells: Cells


class _Table:
    """The ways found so far, numbered."""

    def __init__(self, domain: Int32, node_class: Int32) -> None:
        self._domain, self._node_class = domain, node_class
        self._number: dict[tuple[frozenset[int], bool] | None, int | None] = {}
        self._made: list[_Made | None] = []
        self._names_nodes = [self._is_name(column) for column in domain]

    def _is_name(self, column: Int32) -> bool:
        return bool((column >= 0).all()) and len(np.unique(column)) == len(column)

    def single_node_keys(self, keys: frozenset[int]) -> frozenset[int]:
        """Those of the keys by which every node is a domain of its own."""
        return frozenset(key for key in keys if self._names_nodes[key])

    def number(self, keys: frozenset[int], by_class: bool) -> int:
        """The number of a way; where it gives too many cells, that of single nodes."""
        grouped = self.grouped_number(keys, by_class)
        return self._single() if grouped is None else grouped

    def grouped_number(self, keys: frozenset[int], by_class: bool) -> int | None:
        """The number of a way, None where it gives too many cells."""
        known = (keys, by_class)
        if known not in self._number:
            columns = [self._domain[sorted(keys)], *([self._node_class[None]] if by_class else ())]
            made = _grouped(np.concatenate(columns))
            self._number[known] = None if made is None else self._add(made)
        return self._number[known]

    def is_single(self, number: int) -> bool:
        """Whether a way looks at every node for itself."""
        return self._made[number] is None

    def _single(self) -> int:
        number = self._number.get(None)
        if number is None:
            number = self._number[None] = self._add(None)
        return number

    def _add(self, made: _Made | None) -> int:
        self._made.append(made)
        return len(self._made) - 1

    def packed(self) -> Cells:
        """All ways as arrays."""
        return _packed(self._made, self._domain.shape[1])


def _grouped(domain: Int32) -> _Made | None:
    """Cells of nodes with equal columns, in subtrees from the largest to the smallest."""
    count = domain.shape[1]
    if count == 0:
        return None
    if len(domain) == 0:
        domain = np.zeros((1, count), np.int32)
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


def _singles(count: int) -> _Made:
    rows = np.arange(count)
    leaves = 1 << max(0, count - 1).bit_length()
    return rows, leaves + rows, rows, leaves + rows, leaves


def _packed(tables: Sequence[_Made | None], nodes: int) -> Cells:
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
