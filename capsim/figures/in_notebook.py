"""Figures in a notebook: the same picture, drawn small enough for the column of a cell.

Slides, pictures and pages keep the full size. Everything that is measured in pixels shrinks by one
factor, so that no line breaks elsewhere and no label leaves its place.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
import plotly.graph_objects as go

WIDTH = 848
"""Pixels of a figure in a notebook: the cells of JupyterLab in a window of 1,280 with its file
browser open. A wider window may have more: `cs.figures.in_notebook.WIDTH = 1120`."""
_SMALLEST = 9.0
"""Pixels of letters, at least."""
#: Names of lengths in pixels by what they belong to; None: wherever they stand.
_LENGTHS = {
    "layout": {"width", "height"},
    "marker": {"size"},
    "line": {"width"},
    "error_x": {"width", "thickness"},
    "error_y": {"width", "thickness"},
    None: {"l", "r", "t", "b", "pad", "xshift", "yshift", "ax", "ay", "standoff", "ticklen"}
    | {"xgap", "ygap"},
}  # fmt: skip
_SPAN = re.compile(r"font-size:\s*([\d.]+)px")


class HouseFigure(go.Figure):  # type: ignore[misc]
    """A figure at slide size that shows itself at the size of a notebook's cell."""

    def _ipython_display_(self) -> None:
        go.Figure(fitted(self))._ipython_display_()

    def show(self, *args: Any, **options: Any) -> None:
        """Show the figure at the size of a notebook's cell; see plotly's `Figure.show`."""
        go.Figure(fitted(self)).show(*args, **options)


def fitted(figure: go.Figure) -> dict[str, Any]:
    """What a notebook draws: the figure as plotly's JSON, as wide as `WIDTH` at most."""
    content: dict[str, Any] = figure.to_plotly_json()
    share = min(1.0, WIDTH / (figure.layout.width or WIDTH))
    return content if share == 1.0 else _scaled(content, share, "", "")


def _scaled(value: Any, share: float, name: str, owner: str) -> Any:
    """A part of a figure with its lengths in pixels times `share`."""
    if isinstance(value, dict):
        if "bdata" in value:
            return _unpacked(value) * (share if name in _LENGTHS.get(owner, ()) else 1)
        scaled = {key: _scaled(each, share, key, name) for key, each in value.items()}
        return _pixel_shape(scaled, share) if value.get("xsizemode") == "pixel" else scaled
    if name == "size" and owner in ("font", "tickfont", "textfont"):
        return _letters(value, share)
    if name in _LENGTHS[None] or name in _LENGTHS.get(owner, ()):
        return np.asarray(value) * share if np.ndim(value) else _number(value, share)
    if isinstance(value, list | tuple):
        return [_scaled(each, share, name, owner) for each in value]
    if isinstance(value, str) and "font-size" in value:
        return _SPAN.sub(lambda found: f"font-size:{_letters(float(found[1]), share)}px", value)
    return value


def _unpacked(value: dict[str, Any]) -> Any:
    """An array as plotly's JSON packs it."""
    values = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
    shape = value.get("shape")
    return values.reshape([int(each) for each in shape.split(",")]) if shape else values


def _letters(pixels: Any, share: float) -> Any:
    return round(max(_SMALLEST, pixels * share), 2) if np.ndim(pixels) == 0 else pixels


def _number(value: Any, share: float) -> Any:
    return round(float(value) * share, 2) if isinstance(value, int | float | np.number) else value


def _pixel_shape(shape: dict[str, Any], share: float) -> dict[str, Any]:
    """A shape that is measured in pixels on both axes, as the theme's scale of use is."""
    return {**shape, **{end: _number(shape[end], share) for end in ("x0", "x1", "y0", "y1")}}
