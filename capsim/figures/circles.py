"""Where circles go: sunflowers, packings and rings, the same picture for the same input."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
_TOUCHING = 1e-6


def sunflower(radii: Float64) -> tuple[Float64, Float64, float]:
    """Circles from the middle outwards along Fermat's spiral, about evenly dense.

    radii: float64[n], of similar size or slowly changing. Returns x, y and the radius around all.
    Source: Vogel 1979, "A better way to construct the sunflower head".
    """
    area = np.cumsum(radii**2) - radii**2 / 2
    away = 1.16 * np.sqrt(area)
    angle = np.arange(len(radii)) * _GOLDEN_ANGLE
    around = float(np.max(away + radii, initial=0.0))
    return away * np.cos(angle), away * np.sin(angle), around


def pack(radii: Sequence[float], *, aspect: float = 1.0) -> tuple[Float64, Float64]:
    """Circles side by side without overlap, near the middle, first ones innermost.

    Each circle goes where it touches two that are there, at the gap of the outer ring ("front
    chain") nearest the middle; `aspect` above 1 prefers places to the left and right.
    Source: Wang, Wang, Dai and Wang 2006, "Visualization of large hierarchical data by circle
    packing", as in d3-hierarchy.
    """
    circles = [[0.0, 0.0, radius] for radius in radii]
    if len(circles) > 1:
        circles[0][0] = -circles[1][2]
        circles[1][0] = circles[0][2]
    if len(circles) > 2:
        _touch(circles[1], circles[0], circles[2])
        _pack_rest(circles, aspect)
    x, y = (np.array([circle[axis] for circle in circles], np.float64) for axis in (0, 1))
    return x, y


class _Link:
    """One circle of the front chain."""

    __slots__ = ("circle", "next", "previous")

    def __init__(self, circle: list[float]) -> None:
        self.circle = circle
        self.next: _Link = self
        self.previous: _Link = self


def _pack_rest(circles: list[list[float]], aspect: float) -> None:
    a, b, c = (_Link(circle) for circle in circles[:3])
    a.next = c.previous = b
    b.next = a.previous = c
    c.next = b.previous = a
    at = 3
    while at < len(circles):
        _touch(a.circle, b.circle, circles[at])
        c = _Link(circles[at])
        blocked = _blocked(a, b, c)
        if blocked is not None:
            side, link = blocked
            a, b = (a, link) if side == "next" else (link, b)
            a.next, b.previous = b, a
            continue
        c.previous, c.next = a, b
        a.next = b.previous = b = c
        a, b = _nearest(a, c, aspect)
        at += 1


def _blocked(a: _Link, b: _Link, c: _Link) -> tuple[str, _Link] | None:
    """The nearest circle of the chain, in walking distance, that `c` would overlap."""
    ahead, behind = b.next, a.previous
    walked_ahead, walked_behind = b.circle[2], a.circle[2]
    while True:
        if walked_ahead <= walked_behind:
            if _overlap(ahead.circle, c.circle):
                return "next", ahead
            walked_ahead += ahead.circle[2]
            ahead = ahead.next
        else:
            if _overlap(behind.circle, c.circle):
                return "previous", behind
            walked_behind += behind.circle[2]
            behind = behind.previous
        if ahead is behind.next:
            return None


def _nearest(a: _Link, c: _Link, aspect: float) -> tuple[_Link, _Link]:
    """The pair of neighbours on the chain whose gap is nearest the middle."""
    best, lowest = a, _distance(a, aspect)
    link = c.next
    while link is not c:
        distance = _distance(link, aspect)
        if distance < lowest:
            best, lowest = link, distance
        link = link.next
    return best, best.next


def _distance(link: _Link, aspect: float) -> float:
    ax, ay, ar = link.circle
    bx, by, br = link.next.circle
    x, y = (ax * br + bx * ar) / (ar + br), (ay * br + by * ar) / (ar + br)
    return (x / aspect) ** 2 + y**2


def _touch(b: list[float], a: list[float], c: list[float]) -> None:
    """Moves `c` to where it touches `a` and `b`."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    apart = dx * dx + dy * dy
    if not apart:
        c[0], c[1] = a[0] + c[2], a[1]
        return
    to_a, to_b = (a[2] + c[2]) ** 2, (b[2] + c[2]) ** 2
    if to_a > to_b:
        x = (apart + to_b - to_a) / (2 * apart)
        y = math.sqrt(max(0.0, to_b / apart - x * x))
        c[0], c[1] = b[0] - x * dx - y * dy, b[1] - x * dy + y * dx
    else:
        x = (apart + to_a - to_b) / (2 * apart)
        y = math.sqrt(max(0.0, to_a / apart - x * x))
        c[0], c[1] = a[0] + x * dx - y * dy, a[1] + x * dy + y * dx


def _overlap(a: list[float], b: list[float]) -> bool:
    apart = a[2] + b[2] - _TOUCHING
    return apart > 0 and apart * apart > (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2


def enclose(x: Float64, y: Float64, radii: Float64) -> tuple[float, float, float]:
    """A circle around circles, within half a percent of the smallest: centre x, y and radius.

    Walks towards the farthest circle in steps that shrink by a tenth each time.
    """
    if not len(radii):
        return 0.0, 0.0, 0.0
    cx = float(np.min(x - radii) + np.max(x + radii)) / 2
    cy = float(np.min(y - radii) + np.max(y + radii)) / 2
    reach = np.hypot(x - cx, y - cy) + radii
    step, best = float(reach.max()) * 0.25, (cx, cy, float(reach.max()))
    for _ in range(45):
        far = int(np.argmax(reach))
        apart = max(math.hypot(x[far] - cx, y[far] - cy), 1e-12)
        cx, cy = cx + (x[far] - cx) / apart * step, cy + (y[far] - cy) / apart * step
        reach = np.hypot(x - cx, y - cy) + radii
        best = min(best, (cx, cy, float(reach.max())), key=lambda circle: circle[2])
        step *= 0.88
    return best


def outlines(x: Float64, y: Float64, radii: Float64, corners: int = 40) -> tuple[Float64, Float64]:
    """Circles as one polyline, parted by NaN, for a trace that fills each of them."""
    turn = np.append(np.linspace(0.0, 2 * math.pi, corners + 1), np.nan)
    px = x[:, None] + radii[:, None] * np.cos(turn)
    py = y[:, None] + radii[:, None] * np.sin(turn)
    return px.ravel(), py.ravel()
