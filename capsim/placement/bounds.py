"""Lower bounds: how few machines could ever do, whatever the packer.

Every bound is on a relaxed question, so none is above the optimum; the largest counts. For a mix
of machine shapes each resource is bounded as if every machine had the largest capacity of it that
any shape has, so the bound also holds where the mix is chosen freely.
Source: Martello and Toth 1990, Lower bounds and reduction procedures for the bin packing problem,
Discrete Applied Mathematics 28.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.topology import Int64

#: Classes looked at for conflicts, the largest first; fewer only make the bound weaker.
_MOST_CLASSES = 512
#: Thousandths of a whole GPU board.
BOARD = 1000


@dataclass(frozen=True, eq=False)
class Bound:
    """The largest of several lower bounds on the number of machines."""

    value: int
    table: pd.DataFrame
    """bound, resource, machines: every bound that was computed, the largest first."""

    @property
    def binding(self) -> str:
        """What makes the bound as large as it is, for example "volume of cpu"."""
        if self.table.empty:
            return "no units"
        name, resource = self.table.iloc[0][["bound", "resource"]]
        return f"{name} of {resource}" if resource else str(name)


def lower_bound(
    need: Int64,
    boards: Int64,
    count: Int64,
    capacity: Int64,
    machine_boards: int,
    resources: Sequence[str],
) -> Bound:
    """The number of machines that no packing can do without.

    Parameters: need, int64[C, R] of a unit of each class; boards, int64[C, 2] boards it needs and
    thousandths of each; count, int64[C] units; capacity, int64[R] of a machine (the largest of a
    mix); machine_boards of a machine; resources, the R names. Every unit must fit a machine.
    Returns: Bound.
    Model: docs/models.md, "Lower bounds".
    """
    found: list[tuple[str, str, int]] = []
    for r, name in enumerate(resources):
        found.append(("volume", name, volume_bound(need[:, r], count, int(capacity[r]))))
        found.append(("L2", name, martello_toth_bound(need[:, r], count, int(capacity[r]))))
    if machine_boards:
        found.append(("L2", "single GPU boards", boards_bound(boards, count, machine_boards)))
    found.append(("conflicts", "", conflict_bound(need, boards, count, capacity, machine_boards)))
    asked = [row for row in found if row[2] > 0]
    table = pd.DataFrame(asked, columns=["bound", "resource", "machines"])
    table = table.sort_values("machines", ascending=False, kind="stable", ignore_index=True)
    return Bound(int(table["machines"].max()) if asked else 0, table)


def volume_bound(sizes: Int64, counts: Int64, capacity: int) -> int:
    """ceil(sum of sizes / capacity), exact.

    >>> volume_bound(np.array([6, 4]), np.array([2, 1]), 10)
    2
    """
    total = sum(s * n for s, n in zip(sizes.tolist(), counts.tolist(), strict=True))
    return -(-total // capacity) if total else 0


def martello_toth_bound(sizes: Int64, counts: Int64, capacity: int) -> int:
    """L2 of one resource: what is larger than half cannot share, what is small fills the rest.

    For a threshold K up to half the capacity c, the units larger than c - K (J1) share with none
    of at least K, those up to c - K but above c / 2 (J2) with no equal, and those from K to c / 2
    (J3) fill what J2 leaves or need machines of their own:
        L(K) = |J1| + |J2| + max(0, ceil((sum_J3 w - (|J2| c - sum_J2 w)) / c))
        L2 = max over K in {0} and the sizes up to c / 2 of L(K)
    Exact integers, O(n log n). Source: Martello and Toth 1990.

    >>> martello_toth_bound(np.array([6]), np.array([3]), 10)
    3
    """
    some = (sizes > 0) & (counts > 0)
    order = np.argsort(sizes[some], kind="stable")
    w, n = sizes[some][order], counts[some][order]
    if not len(w):
        return 0
    exact = np.int64 if float(capacity) * float(n.sum()) < 2.0**62 else object
    number, volume = _sums(n.astype(exact)), _sums(w.astype(exact) * n.astype(exact))
    half = int(np.searchsorted(w, capacity // 2, side="right"))
    threshold = np.concatenate([[0], w[:half]])
    below = np.searchsorted(w, threshold, side="left")
    large = np.searchsorted(w, capacity - threshold, side="right")
    alone = number[-1] - number[half]
    spare = (number[large] - number[half]) * capacity - (volume[large] - volume[half])
    over = np.maximum(volume[half] - volume[below] - spare, 0)
    return int(alone + (-(-over // capacity)).max())


def _sums(values: NDArray[Any]) -> NDArray[Any]:
    zero = np.zeros(1, values.dtype)
    return np.concatenate([zero, np.cumsum(values)])


def boards_bound(boards: Int64, count: Int64, machine_boards: int) -> int:
    """ceil(L2 with boards as bins of 1000 / boards of a machine).

    Each unit brings `devices` pieces of `milli`; that they go to distinct boards is relaxed.
    """
    pieces = martello_toth_bound(boards[:, 1], boards[:, 0] * count, BOARD)
    return -(-pieces // machine_boards)


def conflict_bound(
    need: Int64, boards: Int64, count: Int64, capacity: Int64, machine_boards: int
) -> int:
    """The number of units of which no two can share a machine.

    Two conflict if they exceed it together in some resource, or need more distinct boards than
    it has and cannot share one. A clique is grown greedily over the classes whose own units
    conflict, once from the largest of each resource; any clique is a valid bound.
    """
    rows = _alone(need, boards, count, capacity, machine_boards)
    if not len(rows):
        return 0
    conflict = _conflicts(need[rows], boards[rows], capacity, machine_boards)
    sizes = [*need[rows].T, boards[rows, 0]]
    orders = [np.argsort(-size, kind="stable").tolist() for size in sizes]
    return max(_clique(conflict, count[rows], order) for order in orders)


def _alone(
    need: Int64, boards: Int64, count: Int64, capacity: Int64, machine_boards: int
) -> NDArray[np.intp]:
    """Classes of which no two units share a machine; the most frequent ones."""
    over = (2 * need > capacity).any(axis=1)
    over |= (2 * boards[:, 1] > BOARD) & (2 * boards[:, 0] > machine_boards)
    rows = np.flatnonzero(over & (count > 0))
    return rows[np.argsort(-count[rows], kind="stable")][:_MOST_CLASSES]


def _conflicts(
    need: Int64, boards: Int64, capacity: Int64, machine_boards: int
) -> NDArray[np.bool_]:
    together = (need[:, None, :] + need[None, :, :] > capacity).any(axis=2)
    devices, milli = boards.T
    crowded = (devices[:, None] + devices > machine_boards) & (milli[:, None] + milli > BOARD)
    result: NDArray[np.bool_] = together | (crowded & (devices[:, None] > 0) & (devices > 0))
    return result


def _clique(conflict: NDArray[np.bool_], count: Int64, order: Iterable[int]) -> int:
    open_to = np.ones(len(conflict), bool)
    total = 0
    for i in order:
        if open_to[i]:
            total += int(count[i])
            open_to &= conflict[i]
    return total
