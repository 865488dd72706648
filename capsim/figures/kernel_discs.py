"""Who shares which kernel as circles: a disc is a kernel, a dot a pod, a ring a sandbox."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.figures import theme
from capsim.figures.circles import Float64, enclose, outlines, pack, sunflower
from capsim.stack.kernel_sharing import KernelSharing
from capsim.topology import is_serverless

Float32 = NDArray[np.float32]
Line = tuple[Float32, Float32]

MOST_MACHINES = 72
"""Discs that are drawn; of more machines an even sample, from the fullest to the emptiest."""
MOST_TENANTS = 5
"""Tenants with a colour of their own; the smaller ones share the last."""
TENANT_COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#7A5C00")
OTHERS, OF_THE_NODE = "#5B6875", "#C3CBD3"
_CORNERS, _DISC_CORNERS = 14, 40
_RING, _PACKED, _LEAST = 6, 40, 3.4
"""Dots up to which they form a ring, up to which they are packed; radius around a few."""
_PER_CELL = 7
"""Pods of a serverless service that are drawn where a machine would be."""


@dataclass(frozen=True, eq=False)
class Discs:
    """The picture, in units of one cell: x to the right, y upwards."""

    columns: int
    rows: int
    kernels: Line
    """Discs of the machines' kernels."""
    tenants: tuple[Line, ...]
    """Dots by tenant: the large ones, all others, pods that come with the node."""
    own: Line
    """Rings of the kernels that units bring."""
    shown: int
    """Machines drawn."""
    machines: int
    """Machines there are."""

    def fitted(self, width: float, height: float) -> Discs:
        """The same on a page of fixed size, so that a picture that moves keeps its axes."""
        scale = min(width / self.columns, height / self.rows)
        drop = height - scale * self.rows

        def fit(line: Line) -> Line:
            x, y = line[0] * scale, line[1] * scale + drop
            return x.astype(np.float32), y.astype(np.float32)

        return replace(
            self,
            kernels=fit(self.kernels),
            tenants=tuple(fit(line) for line in self.tenants),
            own=fit(self.own),
        )


def tenant_ranks(sharing: KernelSharing) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the largest tenants, and [U] the rank of each unit's tenant.

    Ranks of the others are len(names), of units that come with the node len(names) + 1.
    """
    names, of = sharing.tenants
    sizes = np.bincount(of[of >= 0], minlength=len(names))
    largest = np.argsort(-sizes, kind="stable")
    own = MOST_TENANTS if len(names) <= MOST_TENANTS else MOST_TENANTS - 1
    largest = largest[:own]
    rank = np.full(len(names) + 1, len(largest))
    rank[largest] = np.arange(len(largest))
    rank[-1] = len(largest) + 1
    return [names[at] for at in largest.tolist()], rank[of]


def legend(names: list[str]) -> list[tuple[str, str]]:
    """Name and colour of each kind of dot, in the order of `Discs.tenants`."""
    coloured = list(zip(names, TENANT_COLOURS, strict=False))
    return [*coloured, ("other tenants", OTHERS), ("comes with the node", OF_THE_NODE)]


def discs(sharing: KernelSharing, aspect: float, ranks: NDArray[np.int64], kinds: int) -> Discs:
    """Lays out the kernels on a page of width / height `aspect`.

    ranks: [U] which of `kinds` lines each unit's dot belongs to.
    """
    cells, machines = _cells(sharing)
    columns = max(1, int(np.ceil(np.sqrt(max(1, len(cells)) * aspect))))
    rows = -(-max(1, len(cells)) // columns)
    at = np.arange(len(cells))
    centre_x: Float64 = at % columns + np.float64(0.5)
    centre_y: Float64 = rows - at // columns - np.float64(0.5)
    machine = np.array([on_machine for _, on_machine in cells], bool)
    size = np.array([len(units) for units, _ in cells], np.int64)
    units = _joined([each[np.argsort(ranks[each], kind="stable")] for each, _ in cells])
    where = units.astype(np.int64)
    dot = 0.42 / max((_seats(count)[2] for count in size.tolist()), default=1.0)
    x = np.repeat(centre_x, size) + dot * _joined([_seats(count)[0] for count in size.tolist()])
    y = np.repeat(centre_y, size) + dot * _joined([_seats(count)[1] for count in size.tolist()])
    radius = np.full(len(where), dot * 0.84)
    of = [_line(x, y, radius, ranks[where] == kind, _CORNERS) for kind in range(kinds)]
    around = np.full(len(cells), 0.465)
    return Discs(
        columns=columns,
        rows=rows,
        kernels=_line(centre_x, centre_y, around, machine, _DISC_CORNERS),
        tenants=tuple(of),
        own=_line(x, y, radius * 1.1, sharing.paths.own[where], _CORNERS),
        shown=int(machine.sum()),
        machines=machines,
    )


@cache
def _seats(count: int) -> tuple[Float64, Float64, float]:
    """Dots of radius 1 around 0, 0, and the radius around all; never less than that of 3."""
    if 2 <= count <= _RING:
        turn = 2 * np.pi * (np.arange(count) / count) + np.pi / 2
        away = 1.12 / np.sin(np.pi / count)
        return away * np.cos(turn), away * np.sin(turn), max(away + 1.12, _LEAST)
    if count > _PACKED:
        return sunflower(np.ones(count))
    x, y = pack([1.12] * count)
    cx, cy, around = enclose(x, y, np.full(count, 1.12))
    return x - cx, y - cy, max(around, _LEAST)


def _cells(sharing: KernelSharing) -> tuple[list[tuple[NDArray[np.int64], bool]], int]:
    """Units by machine, then those of serverless services in handfuls; and how many machines."""
    paths = sharing.paths
    nodes = sharing.topology.scenario.nodes
    on_machine = paths.node_of[paths.on_machine]
    counts = np.bincount(on_machine, minlength=len(nodes))
    machines = np.flatnonzero([not is_serverless(node) for node in nodes])
    order = paths.on_machine[np.argsort(on_machine, kind="stable")].astype(np.int64)
    ends = np.cumsum(counts)
    chosen = _sample(machines, counts).tolist()
    cells = [(order[ends[at] - counts[at] : ends[at]], True) for at in chosen]
    rented = np.setdiff1d(paths.placed, paths.on_machine)[: _PER_CELL * MOST_MACHINES]
    parts = [rented[at : at + _PER_CELL] for at in range(0, len(rented), _PER_CELL)]
    return [*cells, *((part.astype(np.int64), False) for part in parts)], len(machines)


def _sample(machines: NDArray[np.intp], counts: NDArray[np.int64]) -> NDArray[np.intp]:
    """All machines in order, or of many an even sample from the fullest to the emptiest."""
    if len(machines) <= MOST_MACHINES:
        return machines
    ordered = machines[np.argsort(-counts[machines], kind="stable")]
    chosen: NDArray[np.intp] = ordered[np.linspace(0, len(ordered) - 1, MOST_MACHINES).astype(int)]
    return chosen


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0)


def _line(x: Float64, y: Float64, radius: Float64, chosen: NDArray[np.bool_], corners: int) -> Line:
    px, py = outlines(x[chosen], y[chosen], radius[chosen], corners)
    return px.astype(np.float32), py.astype(np.float32)


KERNEL_FILL, KERNEL_LINE, OWN_LINE = theme.PANEL, theme.INK, theme.STRANDED
