"""Headroom: how many more units of each shape fit, and what stops the next."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from capsim.figures import bars, theme, words
from capsim.scenario import GPU_MILLI

if TYPE_CHECKING:
    import pandas as pd

    from capsim.placement.headroom import Headroom

_MOST_SHAPES = 9


def headroom(headroom: Headroom) -> go.Figure:
    """How many more units of each shape fit, every shape counted alone."""
    table, noun = headroom.table, words.noun(headroom.topology.scenario)
    if table.empty or not headroom.fits.shape[1]:
        why = f"there are no {noun}s" if table.empty else "the cluster has no nodes"
        return theme.nothing("No headroom", why, _source(headroom))
    rows = _rows(table)
    figure = bars.page(right=70)
    counts = [row.fits for row in rows]
    hover = [f"{words.safe(row.shape)}: {row.told}" for row in rows]
    bars.add_bar(figure, counts, "fits", theme.FREE, hover)
    for at, row in enumerate(rows):
        bars.write_beside(figure, counts[at], at, row.told)
    bars.name_rows(figure, [row.shape for row in rows], [row.size for row in rows])
    bars.count_axis(
        figure, f"More {noun}s that fit, each shape counted alone", max(counts), room=0.34
    )
    return theme.finish(
        figure,
        headroom_title(headroom),
        f"{words.capital(noun)}s of the most frequent shapes that the free capacity still takes, "
        "and what then stops the next",
        _source(headroom),
        headroom.assumptions,
    )


@dataclass(frozen=True)
class _Row:
    shape: str
    size: str
    fits: int
    told: str


def _rows(table: pd.DataFrame) -> list[_Row]:
    names = ["shape", "cpu_cores", "memory_gib", "gpu", "fits", "limiting_resource"]
    cells = table.head(_MOST_SHAPES)[names].itertuples(index=False)
    return [
        _Row(str(shape), _size(cores, memory, gpus), int(fits), _told(int(fits), str(limit)))
        for shape, cores, memory, gpus, fits, limit in cells
    ]


def _told(fits: int, limit: str) -> str:
    soft = f"<span style='color:{theme.SOFT}'>{_limit(limit)}</span>"
    return f"<b>{fits:,}</b> {soft}" if fits else f"<b>none fits</b> {soft}"


def headroom_title(headroom: Headroom) -> str:
    """The takeaway: how many shapes still fit, and what runs out first for most of them."""
    table = headroom.table
    shapes, none = len(table), int((table["fits"] == 0).sum())
    noun = words.noun(headroom.topology.scenario)
    limit, often = Counter(map(str, table["limiting_resource"])).most_common(1)[0]
    if shapes == 1:
        name, fits = words.safe(str(table["shape"].iloc[0])), int(table["fits"].iloc[0])
        head = f"{words.count(fits, f'more {noun}')} of {name}" if fits else f"No more {name} fits"
        return f"{head}: {_limit(limit)}"
    what = f"{_limit(limit)} for {'all' if often == shapes else often}"
    if none == shapes:
        return f"None of the {shapes} shapes fits any more; {what}"
    if none:
        return f"{none} of {shapes} shapes no longer {'fits' if none == 1 else 'fit'}; {what}"
    low, high = int(table["fits"].min()), int(table["fits"].max())
    return f"Room for {low:,} to {high:,} more {noun}s, by shape; {what}"


def headroom_curve(curve: pd.DataFrame, *, shape: str, source: str = "") -> go.Figure:
    """How many units of one shape fit as they grow, or as more of every node is kept free.

    Parameters: curve, from `capsim.placement.headroom.headroom_curve`; shape, its name; source,
    the footnote.
    """
    over = str(curve.columns[0])
    if curve.empty or not curve["units"].any():
        return theme.nothing(f"No {words.safe(shape)} fits", "no node has room", source)
    figure = theme.blank(bottom=96)
    figure.add_scatter(
        x=curve[over].to_numpy(np.float32) * (100 if over == "reserve_share" else 1),
        y=curve["units"].to_numpy(np.float32),
        name=words.safe(shape),
        mode="lines",
        line={"color": theme.USED, "width": 3},
        fill="tozeroy",
        fillcolor="rgba(86,180,233,0.18)",
        hovertemplate="%{y:,.0f} fit at %{x:.3g}" + _suffix(over) + "<extra></extra>",
        showlegend=False,
    )
    _mark_today(figure, curve, over)
    _curve_axes(figure, curve, over)
    subtitle = {
        "size_multiple": "Units that fit, by their size: CPU and memory of a unit times a factor",
        "reserve_share": "Units that fit, by the share of every node's CPU and memory kept free",
    }[over]
    return theme.finish(figure, _curve_title(curve, shape, over), subtitle, source)


def _curve_title(curve: pd.DataFrame, shape: str, over: str) -> str:
    x, units = curve[over].to_numpy(float), curve["units"].to_numpy(float)
    name = words.safe(words.shorten(shape, 40))
    today = _at(x, units, _today(over))
    if over == "reserve_share":
        kept = min(0.2, float(x.max()))
        left = _at(x, units, kept)
        return (
            f"Keeping {words.percent(kept)} of every node free leaves room for {left:,.0f} of "
            f"{today:,.0f} {name}"
        )
    doubled = _at(x, units, min(2.0, float(x.max())))
    if not today:
        half = _at(x, units, 0.5)
        return f"No more {name} fits as it is, {half:,.0f} fit at half the size"
    return f"{today:,.0f} more {name} fit as they are, {doubled:,.0f} if they are twice as large"


def _today(over: str) -> float:
    return 0.0 if over == "reserve_share" else 1.0


def _at(x: np.ndarray[tuple[int], np.dtype[np.float64]], units: object, value: float) -> float:
    """The count at the point of the curve that is nearest to a value."""
    return float(np.asarray(units)[int(np.argmin(np.abs(x - value)))])


def _mark_today(figure: go.Figure, curve: pd.DataFrame, over: str) -> None:
    x, units = curve[over].to_numpy(float), curve["units"].to_numpy(float)
    at = int(np.argmin(np.abs(x - _today(over))))
    scale = 100 if over == "reserve_share" else 1
    figure.add_scatter(
        x=[float(x[at]) * scale],
        y=[float(units[at])],
        name="as it is",
        mode="markers",
        marker={"color": theme.USED, "size": 11, "line": {"color": theme.PAPER, "width": 2}},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_annotation(
        name="label",
        x=_plotted(figure, over, float(x[at]) * scale),
        y=float(units[at]),
        text=f"<b>as it is: {units[at]:,.0f} fit</b>",
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        xshift=10,
        yshift=4,
        font={"size": 15, "color": theme.USED},
    )


def _plotted(figure: go.Figure, over: str, x: float) -> float:
    """Annotations on a logarithmic axis are placed by exponent."""
    return x if over == "reserve_share" else float(np.log10(x))


def _curve_axes(figure: go.Figure, curve: pd.DataFrame, over: str) -> None:
    most = float(curve["units"].max())
    figure.update_yaxes(title_text="Units that fit", range=[0, 1.08 * most], tickformat=",")
    if over == "reserve_share":
        figure.update_xaxes(title_text="Kept free on every node (%)", ticksuffix=" %")
        return
    figure.update_xaxes(
        title_text="Size of a unit (1: as requested today)",
        type="log",
        range=[float(np.log10(curve[over].min())), float(np.log10(curve[over].max()))],
        tickvals=[0.25, 0.5, 1, 2, 4, 8],
        ticktext=["¼", "½", "1", "2", "4", "8"],
        showgrid=False,
        showline=True,
    )


def _suffix(over: str) -> str:
    return " % kept free" if over == "reserve_share" else " times the size"


def _limit(resource: str) -> str:
    if resource == "nothing":
        return "nothing stops the next"
    if resource == "node rules":
        return "node rules refuse more"
    name = words.resource_name(GPU_MILLI if resource == "gpu" else resource)
    return f"{name} {'run' if name == 'pods' else 'runs'} out first"


def _size(cores: float, memory: float, gpus: float) -> str:
    gpu = f", {words.number(gpus)} GPU{'' if gpus == 1 else 's'}" if gpus else ""
    core = "core" if cores == 1 else "cores"
    return f"{words.number(cores)} {core}, {words.number(memory)} GiB{gpu}"


def _source(headroom: Headroom) -> str:
    scenario = headroom.topology.scenario
    rule = next((each.value for each in headroom.assumptions if each.name == "headroom"), "")
    parts = [
        f"Source: {words.shorten(scenario.name, 60)}",
        words.count(len(scenario.nodes), "node"),
        rule,
    ]
    return " · ".join(words.safe(part) for part in parts if part)
