"""From a figure's pixels and data to places on a slide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from capsim.figures import theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

SLIDE_WIDTH, SLIDE_HEIGHT = 12_192_000, 6_858_000
"""A 16:9 slide, 13.333 by 7.5 inches, in English Metric Units."""
EMU_PER_POINT = 12_700


@dataclass(frozen=True)
class Axis:
    """One axis of a figure, as far as places depend on it."""

    low: float
    """What stands at the left or the bottom; above `high` on a reversed axis."""
    high: float
    log: bool
    fixed: bool
    """Whether the figure states the range."""

    def share(self, value: float) -> float:
        """How far along the axis a coordinate is; on a logarithmic one it is an exponent."""
        return (value - self.low) / (self.high - self.low) if self.high != self.low else 0.0


@dataclass(frozen=True)
class Page:
    """A figure's page laid on a slide: the same picture, as large as the slide allows."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x: Axis
    y: Axis

    @property
    def emu_per_px(self) -> float:
        """English Metric Units in a pixel of the figure."""
        return min(SLIDE_WIDTH / self.width, SLIDE_HEIGHT / self.height)

    @property
    def plot(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of the plot area in pixels."""
        wide, high = self.width - self.left - self.right, self.height - self.top - self.bottom
        return self.left, self.top, wide, high

    def points(self, pixels: float) -> float:
        """A length in pixels as points."""
        return pixels * self.emu_per_px / EMU_PER_POINT

    def emu(self, pixels: float) -> int:
        """A length in pixels in English Metric Units."""
        return round(pixels * self.emu_per_px)

    def place(self, x: float, y: float, xref: str, yref: str) -> tuple[float, float]:
        """A coordinate of the figure in pixels from the top left of the page."""
        left, top, wide, high = self.plot
        across = x if _on_page(xref) else self.x.share(x)
        up = y if _on_page(yref) else self.y.share(y)
        return left + across * wide, top + (1 - up) * high


def _on_page(ref: str | None) -> bool:
    return ref is not None and (ref == "paper" or ref.endswith("domain"))


def page_of(figure: go.Figure) -> Page:
    """The page of a figure; what it does not state is as in the house theme."""
    layout = figure.layout
    margin = layout.margin
    return Page(
        width=float(layout.width or theme.WIDTH),
        height=float(layout.height or theme.HEIGHT),
        left=_or(margin.l, 80.0),
        right=_or(margin.r, 48.0),
        top=_or(margin.t, 100.0),
        bottom=_or(margin.b, 92.0),
        x=axis_of(figure, "x"),
        y=axis_of(figure, "y"),
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else float(value)


def axis_of(figure: go.Figure, name: str) -> Axis:
    """An axis with the range that is stated, or else one that holds the data."""
    stated = figure.layout[f"{name}axis"]
    log = stated.type == "log"
    if stated.range is not None and all(_is_number(end) for end in stated.range):
        return Axis(float(stated.range[0]), float(stated.range[1]), log, True)
    low, high = _extent(figure, name, log)
    if stated.autorange == "reversed":
        low, high = high, low
    return Axis(low, high, log, False)


def _extent(figure: go.Figure, name: str, log: bool) -> tuple[float, float]:
    parts = [numbers(trace[name]) for trace in figure.data if name in trace]
    finite = [part[np.isfinite(part)] for part in parts if part is not None]
    found = np.concatenate(finite) if finite else np.array([0.0, 1.0])
    found = np.log10(found[found > 0]) if log else found
    if not found.size:
        return 0.0, 1.0
    low, high = float(found.min()), float(found.max())
    if not log and any(trace.type == "bar" for trace in figure.data):
        low, high = min(low, 0.0), max(high, 0.0)
    room = 0.05 * (high - low) or 0.5
    return (low if low == 0 else low - room), high + room


def numbers(values: Any) -> NDArray[np.float64] | None:
    """Values of a trace as floats, NaN where there is none; None if they are no numbers."""
    listed = np.asarray([] if values is None else values)
    if listed.dtype == object:
        listed = np.array([np.nan if value is None else value for value in listed.tolist()])
    return listed.astype(np.float64) if listed.dtype.kind in "iuf" else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and math.isfinite(value)
