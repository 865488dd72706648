"""What of a figure a presentation can draw itself: bars, lines, points, stacked areas, tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from capsim.export.geometry import numbers
from capsim.export.plain import Run, lines, plain
from capsim.figures import theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

Values = NDArray[np.float64]

MOST_POINTS = 12_000
"""Points up to which a figure is drawn as a native scatter chart."""
_SHADES, _SIZES = 10, 8
_MOST_SERIES = 120
_MOST_ROWS, _MOST_COLUMNS = 12, 15
_COLOURS = (theme.USED, "#009E73", theme.INK, theme.STRANDED, theme.AT_RISK, theme.WAITING)


@dataclass(frozen=True)
class BarSeries:
    """One colour of bars."""

    name: str
    values: tuple[float | None, ...]
    colour: str
    labels: dict[int, list[list[Run]]] = field(default_factory=dict)
    """Formatted labels at the ends of the bars, by category."""


@dataclass(frozen=True)
class Bars:
    """A bar chart; categories from the top, or from the left."""

    categories: tuple[str, ...]
    series: tuple[BarSeries, ...]
    horizontal: bool
    stacked: bool
    overlap: bool
    """Whether the series lie on each other instead of side by side."""
    gap: float
    """Share of a category's height that stays free."""
    stands_in: bool = False
    """Whether it stands for a figure of another kind, whose axes and labels do not fit it."""


@dataclass(frozen=True)
class Points:
    """One series of a scatter chart."""

    name: str
    x: Values
    y: Values
    colour: str
    line_px: float = 0.0
    """0: no line."""
    dash: bool = False
    marker_px: float = 0.0
    """0: no markers."""
    outline: str | None = None


@dataclass(frozen=True)
class Scatter:
    """A scatter chart: lines, markers or both."""

    series: tuple[Points, ...]


@dataclass(frozen=True)
class Areas:
    """Stacked areas over shared categories."""

    categories: tuple[str, ...]
    series: tuple[BarSeries, ...]


@dataclass(frozen=True)
class Cells:
    """A small heat map as a table; rows from the top, `None` where there is no cell."""

    heads: tuple[str, ...]
    """Names above the columns, if they have any."""
    rows: tuple[tuple[str, tuple[tuple[str, str, str] | None, ...], str], ...]
    """Name on the left; text, fill and ink of each cell; numbers on the right."""


Native = Bars | Scatter | Areas | Cells


def native_of(figure: go.Figure) -> Native | None:
    """The native form of a figure; None if it needs a picture."""
    instead = (figure.layout.meta or {}).get("instead")
    traces = [trace for trace in figure.data if _is_drawn(trace)]
    kinds = {trace.type for trace in traces}
    if kinds == {"heatmap"}:
        small = _cells(figure, traces[0])
        return small or (_stated(instead) if instead else None)
    if kinds == {"bar"}:
        return _bars(figure, traces)
    if kinds and kinds <= {"scatter", "scattergl"}:
        return _areas(traces) or _scatter(traces)
    return None


def _is_drawn(trace: Any) -> bool:
    """Whether a trace is part of the native form; `meta` can say so, see `cluster_graph`."""
    told = trace.meta if isinstance(trace.meta, str) else ""
    return trace.visible in (None, True) and told != "not in decks"


def is_filled(trace: Any) -> bool:
    """Whether a trace is filled outlines, which become free forms."""
    return trace.type == "scatter" and trace.fill == "toself" and _is_drawn(trace)


def _bars(figure: go.Figure, traces: Sequence[Any]) -> Bars | None:
    horizontal = traces[0].orientation == "h"
    along, across = ("x", "y") if horizontal else ("y", "x")
    places = list(dict.fromkeys(place for trace in traces for place in _listed(trace[across])))
    names = _tick_names(figure, across)
    categories = tuple(names.get(place, plain(str(place))) for place in places)
    layout = figure.layout
    series = []
    for at, trace in enumerate(traces):
        known = dict(zip(_listed(trace[across]), _listed(trace[along]), strict=True))
        values = tuple(_finite(known.get(place)) for place in places)
        colour = _one_colour(trace.marker.color, at)
        series.append(BarSeries(plain(trace.name or ""), values, colour))
    return Bars(
        categories=categories,
        series=tuple(series),
        horizontal=horizontal,
        stacked=layout.barmode in ("stack", "relative"),
        overlap=layout.barmode == "overlay",
        gap=float(layout.bargap if layout.bargap is not None else 0.3),
    )


def _tick_names(figure: go.Figure, axis: str) -> dict[object, str]:
    stated = figure.layout[f"{axis}axis"]
    if stated.tickvals is None or stated.ticktext is None:
        return {}
    return {
        place: "\n".join("".join(run.text for run in line) for line in lines(str(text)))
        for place, text in zip(_listed(stated.tickvals), stated.ticktext, strict=False)
    }


def _stated(instead: dict[str, Any]) -> Bars:
    """Stacked bars that a figure states in `layout.meta["instead"]`, see `utilisation_map`."""
    return Bars(
        categories=tuple(str(name) for name in instead["rows"]),
        series=tuple(
            BarSeries(part["name"], tuple(part["values"]), part["colour"])
            for part in instead["parts"]
        ),
        horizontal=True,
        stacked=True,
        overlap=False,
        gap=0.35,
        stands_in=True,
    )


def _areas(traces: Sequence[Any]) -> Areas | None:
    if not all(trace.stackgroup for trace in traces):
        return None
    places = _listed(traces[0].x)
    if any(_listed(trace.x) != places for trace in traces):
        return None
    series = tuple(
        BarSeries(
            plain(trace.name or ""),
            tuple(_finite(value) for value in _listed(trace.y)),
            _one_colour(trace.fillcolor or trace.line.color, at),
        )
        for at, trace in enumerate(traces)
    )
    return Areas(tuple(_spelled(place) for place in places), series)


def _scatter(traces: Sequence[Any]) -> Scatter | None:
    series: list[Points] = []
    for at, trace in enumerate(traces):
        mode = trace.mode or ""
        if is_filled(trace) or mode == "text":
            continue
        y = numbers(trace.y)
        x = numbers(range(len(trace.y)) if trace.x is None and y is not None else trace.x)
        if x is None or y is None or len(x) != len(y):
            return None
        finite = np.isfinite(x) & np.isfinite(y)
        if "lines" in mode or not mode:
            series += _lines(trace, at, x, y, finite)
        if "markers" in mode and finite.any():
            series += _markers(trace, at, x[finite], y[finite], finite)
    points = sum(len(each.x) for each in series)
    if not points or points > MOST_POINTS or len(series) > _MOST_SERIES:
        return None
    return Scatter(tuple(series))


def _lines(
    trace: Any, at: int, x: Values, y: Values, finite: NDArray[np.bool_]
) -> Iterator[Points]:
    """A line, cut where there is no value."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], finite.astype(int), [0]])))
    for start, end in edges.reshape(-1, 2).tolist():
        yield Points(
            name=plain(trace.name or ""),
            x=x[start:end],
            y=y[start:end],
            colour=_one_colour(trace.line.color, at),
            line_px=float(trace.line.width or 2),
            dash=trace.line.dash not in (None, "solid"),
        )


def _markers(
    trace: Any, at: int, x: Values, y: Values, finite: NDArray[np.bool_]
) -> Iterator[Points]:
    """Markers in groups of one colour and one size."""
    marker = trace.marker
    colours, names = _shades(trace, at, finite)
    sizes = _size_steps(marker.size, finite)
    key = np.stack([colours[0], sizes[0]], axis=1)
    for shade, step in sorted(map(tuple, np.unique(key, axis=0).tolist())):
        chosen = (colours[0] == shade) & (sizes[0] == step)
        yield Points(
            name=f"{plain(trace.name or '')}{names[shade]}",
            x=x[chosen],
            y=y[chosen],
            colour=colours[1][shade],
            marker_px=float(sizes[1][step]),
            outline=_outline(marker),
        )


def _outline(marker: Any) -> str | None:
    width, colour = marker.line.width, marker.line.color
    return colour if width and isinstance(colour, str) and colour.startswith("#") else None


def _shades(
    trace: Any, at: int, finite: NDArray[np.bool_]
) -> tuple[tuple[NDArray[np.int64], list[str]], list[str]]:
    """For each marker the number of its shade; the shades; what they add to the name."""
    marker = trace.marker
    # As in plotly, markers without a colour have that of their line.
    given = trace.line.color if marker.color is None else marker.color
    none = np.zeros(int(finite.sum()), np.int64)
    if given is None or isinstance(given, str):
        return (none, [_one_colour(given, at)]), [""]
    values = np.asarray(given)[finite]
    if values.dtype.kind not in "iuf":
        known = sorted(set(values.tolist()))
        return (np.searchsorted(known, values).astype(np.int64), known), [""] * len(known)
    low = float(marker.cmin if marker.cmin is not None else values.min(initial=0))
    high = float(marker.cmax if marker.cmax is not None else values.max(initial=1))
    width = (high - low) / _SHADES or 1.0
    shade = np.clip(np.nan_to_num((values - low) / width), 0, _SHADES - 1).astype(np.int64)
    scale = _scale(marker.colorscale)
    colours = [_between(scale, (step + 0.5) / _SHADES) for step in range(_SHADES)]
    ends = [low + step * width for step in range(_SHADES + 1)]
    names = [f", {a:.0f} to {b:.0f}" for a, b in pairwise(ends)]
    return (shade, colours), names


def _size_steps(
    size: object, finite: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each marker the number of its size, and the sizes: a few, none too large."""
    count = int(finite.sum())
    if size is None or isinstance(size, int | float):
        return np.zeros(count, np.int64), np.array([float(size or 6)])
    given = np.asarray(size, np.float64)[finite]
    known = np.unique(np.floor(given * 10) / 10)
    if len(known) > _SIZES:
        known = np.geomspace(known[0], known[-1], _SIZES)
    step = np.searchsorted(known, given + 1e-6, side="right") - 1
    return np.maximum(step, 0).astype(np.int64), known


def _scale(colorscale: object) -> list[tuple[float, str]]:
    stops = [(float(at), str(colour)) for at, colour in colorscale or ()]  # type: ignore[attr-defined]
    return stops if len(stops) > 1 else [(0.0, "#DCE6EE"), (1.0, "#0B4F86")]


def _between(stops: list[tuple[float, str]], share: float) -> str:
    """The colour at a share of a scale; the nearest stop where colours are not #RRGGBB."""
    for (low, first), (high, second) in pairwise(stops):
        if share <= high:
            part = (share - low) / (high - low) if high > low else 0.0
            return theme.mix(first, second, part) if first[0] == second[0] == "#" else first
    return stops[-1][1]


def _cells(figure: go.Figure, trace: Any) -> Cells | None:
    """A heat map whose cells carry their text, as a table."""
    texts = {(note.x, note.y): note for note in figure.layout.annotations if note.name == "cell"}
    if not texts:
        return _grid(trace)
    columns = sorted({x for x, _ in texts})
    sides: dict[float, dict[str, str]] = {}
    for note in figure.layout.annotations:
        if note.name == "group":
            side = "left" if note.x == 0 else "right"
            sides.setdefault(round(float(note.y)), {})[side] = plain(note.text)
    stops = _scale(trace.colorscale)
    span = float(trace.zmax) - float(trace.zmin) or 1.0
    value = dict(
        zip(zip(_listed(trace.x), _listed(trace.y), strict=True), _listed(trace.z), strict=True)
    )
    rows = []
    for y in sorted({y for _, y in texts}):
        told = sides.get(round(float(y)), {})
        cells = [
            _cell(texts[x, y], _between(stops, (value[x, y] - float(trace.zmin)) / span))
            if (x, y) in texts
            else None
            for x in columns
        ]
        rows.append((told.get("left", ""), tuple(cells), told.get("right", "")))
    return Cells((), tuple(rows))


def _grid(trace: Any) -> Cells | None:
    """A small heat map of rows and columns, with its values written in."""
    if trace.z is None or not len(trace.z) or any(np.ndim(line) != 1 for line in trace.z):
        return None
    lines_of = [numbers(line) for line in trace.z]
    if any(line is None or len(line) != len(trace.z[0]) for line in lines_of):
        return None
    z = np.array(lines_of)
    if z.shape[0] > _MOST_ROWS or not 0 < z.shape[1] <= _MOST_COLUMNS:
        return None
    low, high = float(np.nanmin(z)), float(np.nanmax(z))
    stops, span = _scale(trace.colorscale), (high - low) or 1.0
    across = [plain(str(name)) for name in _listed(trace.x)] or [""] * z.shape[1]
    down = [plain(str(name)) for name in _listed(trace.y)] or [""] * z.shape[0]
    rows = tuple(
        (name, tuple(_valued(value, (value - low) / span, stops) for value in line), "")
        for name, line in zip(down, z.tolist(), strict=False)
    )
    return Cells(tuple(across), rows[::-1])


def _valued(
    value: float, share: float, stops: list[tuple[float, str]]
) -> tuple[str, str, str] | None:
    if not np.isfinite(value):
        return None
    return f"{value:,.3g}", _between(stops, share), theme.PAPER if share > 0.5 else theme.INK


def _cell(note: Any, fill: str) -> tuple[str, str, str]:
    text = "\n".join("".join(run.text for run in line) for line in lines(note.text))
    return text, fill, note.font.color or theme.INK


def _listed(values: Any) -> list[Any]:
    return [] if values is None else np.asarray(values).tolist()


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _spelled(place: Any) -> str:
    return f"{place:g}" if isinstance(place, float) else plain(str(place))


def _one_colour(given: object, at: int) -> str:
    if isinstance(given, str) and given.startswith("#") and len(given) == 7:
        return given
    return _COLOURS[at % len(_COLOURS)]
