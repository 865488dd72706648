"""Where zones, racks, nodes and units go in the cluster graph, in pixels of the page.

Small clusters stand in boxes, one cell a node with its name below and its units inside; large ones
are discs of nodes set like the seeds of a sunflower. The same cluster gives the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.figures.circles import Float64, enclose, outlines, pack, sunflower

Rows = NDArray[np.int64]

_PACKED = 80
"""Circles up to which they are packed side by side; more are set like sunflower seeds."""
_HEADER, _BETWEEN, _INSIDE = 44.0, 14.0, 8.0
"""Pixels for the name of a box, between boxes, and between a box and its cells."""
_NAME = 18.0
"""Pixels below a node for its name, where cells are large enough to have one."""
_NAMED_CELL = 64.0
_LABEL_HEIGHT = 40.0
"""Pixels above a disc of nodes for its name."""


@dataclass(frozen=True, eq=False)
class Circles:
    """Circles by centre and radius."""

    x: Float64
    y: Float64
    r: Float64

    def moved(self, x: float, y: float) -> Circles:
        """The same circles elsewhere."""
        return Circles(self.x + x, self.y + y, self.r)


@dataclass(frozen=True, eq=False)
class Layout:
    """The cluster graph on a page; rows of `nodes` are those of the scenario."""

    width: float
    height: float
    nodes: Circles
    waiting: Circles
    regions: tuple[Float64, Float64]
    """Outlines of the groups, parted by NaN; a last one for what waits, if anything does."""
    labels: tuple[tuple[float, float], ...]
    """Where the name of each region goes: the left of boxes, the middle of discs."""
    racks: tuple[Float64, Float64]
    cell: float
    """Width of a node's cell where nodes have cells of their own, else 0."""


def radii(capacity: Rows) -> Float64:
    """[N] a radius of at most 1 whose square is the capacity, the largest node's being 1."""
    share = capacity / max(int(capacity.max(initial=1)), 1)
    return np.sqrt(np.clip(share.astype(np.float64), 0.16, 1.0))


def boxes(
    groups: Sequence[Rows],
    racks: Sequence[str],
    radius: Float64,
    waiting: Float64,
    names_px: Sequence[float],
    page: tuple[float, float],
) -> Layout:
    """Groups as boxes of cells, nodes of one rack side by side.

    groups: the rows of each, in the order in which they are set; racks: of each node, "" for none;
    radius [N] and waiting: at most 1, as shares of half a cell; names_px: width of the name of
    each box; page: width and height in pixels.
    """
    wx, wy, reach = _disc(waiting * 1.08)
    # However much waits, the nodes keep most of the page.
    shrink = min(1.0, (1 + math.sqrt(0.4 * len(radius))) / reach) if len(waiting) else 1.0
    wx, wy, reach, waiting = wx * shrink, wy * shrink, reach * shrink, waiting * shrink
    sizes = [_Size(len(rows), 1, wide) for rows, wide in zip(groups, names_px, strict=False)]
    if len(waiting):
        square = max(1, int(np.ceil(reach)))
        sizes.append(_Size(square * square, square, names_px[-1]))
    cell, shelves = _shelves(sizes, page)
    high = cell + (_NAME if cell >= _NAMED_CELL else 0.0)
    x, y = np.zeros(len(radius)), np.zeros(len(radius))
    frames = _frames(shelves, cell, high, page)
    rack_boxes = []
    for rows, (left, top, columns, _) in zip(groups, frames, strict=False):
        at = np.arange(len(rows))
        x[rows] = left + _INSIDE + (at % columns + 0.5) * cell
        y[rows] = top - _HEADER - (at // columns) * high - cell + radius[rows] * 0.46 * cell
        floor = y[rows] - radius[rows] * 0.46 * cell
        rack_boxes += _rack_boxes(rows, racks, x, floor, cell, high)
    half = 0.46 * cell
    if len(waiting):
        left, top, columns, lines = frames[-1]
        wx = wx * half + left + _INSIDE + columns * cell / 2
        wy = wy * half + top - _HEADER - lines * high / 2
    return Layout(
        *page,
        nodes=Circles(x, y, radius * half),
        waiting=Circles(wx, wy, waiting * half),
        regions=_rectangles([_outer(frame, cell, high) for frame in frames]),
        labels=tuple((left + 10, top - _HEADER / 2) for left, top, _, _ in frames),
        racks=_rectangles(rack_boxes),
        cell=cell,
    )


_Frame = tuple[float, float, int, int]
"""Left and top of a box in pixels, its columns and lines of cells."""


@dataclass(frozen=True)
class _Size:
    """What a box holds: cells, how many side by side at least, and the width of its name."""

    cells: int
    least: int
    name_px: float

    def columns(self, lines: int, cell: float) -> int:
        named = math.ceil((self.name_px - 2 * _INSIDE) / cell) if cell else 1
        return max(-(-self.cells // lines), self.least, named)


def _shelves(
    sizes: Sequence[_Size], page: tuple[float, float]
) -> tuple[float, list[list[tuple[int, int]]]]:
    """The largest cell with which all boxes fit on shelves; columns and lines of each box."""
    for cell in np.geomspace(190.0, 6.0, 90).tolist():
        for count in range(1, min(len(sizes), 7) + 1):
            shelves = [_shelf(part, cell, page[0]) for part in _parts(sizes, count)]
            if all(shelves) and _total_height(shelves, cell) <= page[1]:
                return cell, shelves
    return 6.0, [[(size.columns(1, 6.0), 1) for size in sizes]]


def _parts(sizes: Sequence[_Size], count: int) -> list[Sequence[_Size]]:
    """Sizes in order, cut into runs of about equal sums."""
    ends = np.cumsum([size.cells for size in sizes])
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, count) / count, side="left") + 1
    bounds = [0, *sorted({min(int(cut), len(sizes)) for cut in cuts}), len(sizes)]
    return [sizes[a:b] for a, b in pairwise(bounds) if b > a]


def _shelf(sizes: Sequence[_Size], cell: float, width: float) -> list[tuple[int, int]]:
    """Columns and lines of the boxes on one shelf, as flat as the width allows."""
    room = width - len(sizes) * 2 * _INSIDE - (len(sizes) - 1) * _BETWEEN
    for lines in range(max(size.least for size in sizes), max(size.cells for size in sizes) + 1):
        columns = [size.columns(lines, cell) for size in sizes]
        if sum(columns) * cell <= room:
            return [(wide, lines) for wide in columns]
    return []


def _total_height(shelves: list[list[tuple[int, int]]], cell: float) -> float:
    high = cell + (_NAME if cell >= _NAMED_CELL else 0.0)
    each = [shelf[0][1] * high + _HEADER + _INSIDE for shelf in shelves]
    return sum(each) + _BETWEEN * (len(each) - 1)


def _frames(
    shelves: list[list[tuple[int, int]]], cell: float, high: float, page: tuple[float, float]
) -> list[_Frame]:
    """Boxes on the page, centred."""
    frames, top = [], page[1] - (page[1] - _total_height(shelves, cell)) / 2
    for shelf in shelves:
        wide = [columns * cell + 2 * _INSIDE for columns, _ in shelf]
        left = (page[0] - sum(wide) - _BETWEEN * (len(wide) - 1)) / 2
        for (columns, lines), width in zip(shelf, wide, strict=True):
            frames.append((left, top, columns, lines))
            left += width + _BETWEEN
        top -= shelf[0][1] * high + _HEADER + _INSIDE + _BETWEEN
    return frames


def _outer(frame: _Frame, cell: float, high: float) -> tuple[float, float, float, float]:
    left, top, columns, lines = frame
    right = left + columns * cell + 2 * _INSIDE
    return left, top - lines * high - _HEADER - _INSIDE, right, top


def _rack_boxes(
    rows: Rows, racks: Sequence[str], x: Float64, floor: Float64, cell: float, high: float
) -> list[tuple[float, float, float, float]]:
    """A box around each run of cells of one rack on one line."""
    runs: dict[tuple[str, float], list[float]] = {}
    for row, low in zip(rows.tolist(), floor.tolist(), strict=True):
        if racks[row]:
            runs.setdefault((racks[row], round(low, 6)), []).append(float(x[row]))
    side, below = 0.49 * cell, high - cell
    return [
        (min(xs) - side, low - below + 1, max(xs) + side, low + cell - 1)
        for (_, low), xs in runs.items()
    ]


def _rectangles(
    corners: Sequence[tuple[float, float, float, float]],
) -> tuple[Float64, Float64]:
    sides = np.array(corners, np.float64).reshape(-1, 4)
    gap = np.full(len(sides), np.nan)
    left, low, right, top = sides.T
    x = np.stack([left, right, right, left, left, gap], axis=1)
    y = np.stack([low, low, top, top, low, gap], axis=1)
    return x.ravel(), y.ravel()


def discs(
    groups: Sequence[Rows],
    radius: Float64,
    order: Rows,
    waiting: Float64,
    names_px: Sequence[float],
    page: tuple[float, float],
) -> Layout:
    """Groups as discs of nodes, in columns from the left.

    order: [N] rank of the nodes, the lowest in the middle of its disc; radius [N] and waiting: in
    shares of the largest node; names_px: width of the name of each disc; page: width and height.
    """
    inside = [_ranked_disc(radius[rows] * 1.1, order[rows]) for rows in groups]
    if len(waiting):
        inside.append(_disc(waiting * 1.08))
    reach = np.array([around for _, _, around in inside]) + 0.3
    scale, centres = _columns(reach, names_px, page)
    x, y = np.zeros(len(radius)), np.zeros(len(radius))
    for rows, disc, (cx, cy) in zip(groups, inside, centres, strict=False):
        x[rows], y[rows] = disc[0] * scale + cx, disc[1] * scale + cy
    wx, wy = np.empty(0), np.empty(0)
    if len(waiting):
        wx = inside[-1][0] * scale + centres[-1][0]
        wy = inside[-1][1] * scale + centres[-1][1]
    gx, gy = np.array(centres).T
    return Layout(
        *page,
        nodes=Circles(x, y, radius * scale),
        waiting=Circles(wx, wy, waiting * scale),
        regions=outlines(gx, gy, reach * scale, 90),
        labels=tuple(
            (cx, cy + r * scale + _LABEL_HEIGHT / 2)
            for (cx, cy), r in zip(centres, reach.tolist(), strict=True)
        ),
        racks=(np.empty(0), np.empty(0)),
        cell=0.0,
    )


def _columns(
    reach: Float64, names_px: Sequence[float], page: tuple[float, float]
) -> tuple[float, list[tuple[float, float]]]:
    """The largest scale at which the discs and their names fit in columns; their centres."""
    for scale in np.geomspace(page[1] / float(reach.max()) / 2, 1e-3, 400).tolist():
        heights = 2 * reach * scale + _LABEL_HEIGHT
        columns = _stack(heights, page[1])
        widths = [max(max(names_px[at], 2 * scale * reach[at]) for at in c) for c in columns]
        if sum(widths) <= page[0] and heights.max() <= page[1]:
            break
    return scale, _centres(columns, widths, reach * scale, page)


def _stack(heights: Float64, room: float) -> list[list[int]]:
    """Boxes in columns: each into the first column that has room below."""
    columns: list[list[int]] = []
    left: list[float] = []
    for at, height in enumerate(heights.tolist()):
        into = next((c for c, rest in enumerate(left) if rest >= height), None)
        if into is None:
            columns.append([])
            left.append(room)
            into = len(columns) - 1
        columns[into].append(at)
        left[into] -= height
    return columns


def _centres(
    columns: list[list[int]], widths: list[float], r: Float64, page: tuple[float, float]
) -> list[tuple[float, float]]:
    """Columns spread over the width, each spread over the height."""
    spare = (page[0] - sum(widths)) / (len(columns) + 1)
    centres, left = {}, spare
    for column, width in zip(columns, widths, strict=True):
        used = sum(2 * r[at] + _LABEL_HEIGHT for at in column)
        gap = (page[1] - used) / (len(column) + 1)
        top = page[1] - gap
        for at in column:
            centres[at] = (left + width / 2, float(top - _LABEL_HEIGHT - r[at]))
            top -= 2 * r[at] + _LABEL_HEIGHT + gap
        left += width + spare
    return [centres[at] for at in range(len(r))]


def _ranked_disc(radius: Float64, order: Rows) -> tuple[Float64, Float64, float]:
    ranked = np.argsort(order, kind="stable")
    px, py, around = _disc(radius[ranked])
    x, y = np.empty(len(radius)), np.empty(len(radius))
    x[ranked], y[ranked] = px, py
    return x, y, around


def _disc(radius: Float64) -> tuple[Float64, Float64, float]:
    """Circles in a disc around 0, 0, the first ones in the middle; and the disc's radius."""
    if len(radius) > _PACKED:
        return sunflower(radius)
    x, y = pack(radius.tolist())
    cx, cy, around = enclose(x, y, radius)
    return x - cx, y - cy, around


def units_in_nodes(
    node_of: NDArray[np.int32], size: Float64, nodes: Circles
) -> tuple[Rows, Circles]:
    """The placed units as dots within their nodes; a dot's area is the unit's share of its node.

    size: [U] share of the node, 0 to 1. Returns the rows of the placed units, and their circles.
    """
    placed = np.flatnonzero(node_of >= 0)
    rows = placed[np.lexsort((placed, -size[placed], node_of[placed]))]
    parts: list[Circles] = []
    start = 0
    homes, counts = np.unique(node_of[rows], return_counts=True)
    for home, held in zip(homes.tolist(), counts.tolist(), strict=True):
        dots = _dots(size[rows[start : start + held]], float(nodes.r[home]))
        parts.append(dots.moved(float(nodes.x[home]), float(nodes.y[home])))
        start += held
    return rows, Circles(*(_joined([getattr(part, axis) for part in parts]) for axis in "xyr"))


def _joined(parts: list[NDArray[Any]]) -> Float64:
    return np.concatenate(parts) if parts else np.empty(0)


def _dots(share: Float64, radius: float) -> Circles:
    """Dots of one node, scaled down where they would not fit."""
    r = radius * np.sqrt(np.clip(share, 0.004, 1.0) * 0.62)
    x, y = pack((r * 1.12).tolist())
    cx, cy, around = enclose(x, y, r * 1.12)
    fit = min(1.0, 0.92 * radius / around) if around else 1.0
    return Circles((x - cx) * fit, (y - cy) * fit, r * fit)
