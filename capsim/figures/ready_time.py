"""Ready time and co-stop against overcommit, by the width of the VMs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from capsim.contention.parameters import parameter
from capsim.figures import lines, theme, words

_ENDS = ("low", "high")
_COLOURS = ("#1B2733", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def ready_time(
    curves: Mapping[int, pd.DataFrame], *, use: float, host: str, source: str = ""
) -> go.Figure:
    """Ready (left) and co-stop (right) of a vCPU as VMs of each width are added.

    Parameters: curves, by vCPUs of a VM, from `contention.hypervisor.overcommit_curve`; use of a
    vCPU alone, and the host in a few words, for the subtitle.
    """
    figure = theme.blank(left=70, right=96, bottom=92)
    figure.update_layout(margin_t=156)
    most = max(float(curve.vcpus_per_core.max()) for curve in curves.values())
    least = min(float(curve.vcpus_per_core.min()) for curve in curves.values())
    tops = {"": _top(curves, "ready_share", 12.0), "2": _top(curves, "costop_share", 4.0)}
    _panels(figure, (least, most), tops)
    for axis, column in (("", "ready_share"), ("2", "costop_share")):
        _draw(figure, curves, column, axis, tops[axis], most)
    ends = (least, most)
    for name, words_ in (("cpu_ready_warning", "watch"), ("cpu_ready_critical", "too much")):
        level = parameter(name, "esxi").value
        lines.threshold(figure, level, f"{level:.0f} %: {words_}", ends)
    level = parameter("cpu_costop_warning", "esxi").value
    lines.threshold(figure, level, f"{level:.0f} %: too much", ends, axis="2")
    subtitle = (
        f"vCPUs busy {words.percent(use)} of the time, {words.safe(host)}; numbers: vCPUs of a VM; "
        "band: the widest VM, busy apart or all at once"
    )
    footnote = source or (
        "Model: closed queue of vCPUs, docs/models/hypervisor_scheduling.md · thresholds: "
        "guides of VMware administrators (KB 2002181; co-stop: esxtop practice, not verified)"
    )
    return theme.finish(figure, _title(curves), subtitle, footnote)


def _top(curves: Mapping[int, pd.DataFrame], column: str, least: float) -> float:
    """Percent at the upper end of an axis: thresholds stay visible, saturation is cut off."""
    most = max(float(curve[column].max()) for curve in curves.values()) * 100
    return min(max(least, 1.1 * most), 30.0 if column == "ready_share" else 15.0)


def _panels(figure: go.Figure, ends: tuple[float, float], tops: dict[str, float]) -> None:
    title = "vCPUs per core"
    shared = {"range": list(ends), "showgrid": False, "showline": True, "title_text": title}
    figure.update_layout(
        xaxis={**shared, "domain": [0, 0.44]},
        xaxis2={**shared, "domain": [0.56, 1], "anchor": "y2"},
        yaxis={"title_text": "Ready (% of a vCPU's time)", "range": [0, tops[""]]},
        yaxis2={
            "title_text": "Co-stop (% of a vCPU's time)",
            "range": [0, tops["2"]],
            "anchor": "x2",
        },
    )


def _draw(
    figure: go.Figure,
    curves: Mapping[int, pd.DataFrame],
    column: str,
    axis: str,
    top: float,
    most: float,
) -> None:
    widest = max(curves)
    at, texts, colours = [], [], []
    for colour, (width, curve) in zip(_COLOURS, sorted(curves.items()), strict=False):
        x, y = curve.vcpus_per_core, curve[column] * 100
        if width == widest:
            low, high = (np.minimum(curve[f"{column}_{end}"] * 100, top) for end in _ENDS)
            lines.add_band(figure, x, low, high, colour, axis=axis)
        hover = f"{width} vCPU: %{{y:.1f}} % at %{{x:.1f}} vCPUs per core"
        lines.add_line(figure, x, y, f"{width} vCPU", colour, hover, axis=axis)
        out = crossing(curve, column, top / 100)
        if out is not None:
            lines.name_top(figure, out, top, f"<b>{width}</b>", colour, axis=axis)
            continue
        at.append(float(y.iloc[-1]))
        texts.append(f"{width} vCPU")
        colours.append(colour)
    for y_at, text, colour in zip(lines.spread(at, top / 22), texts, colours, strict=True):
        lines.name_end(figure, most, y_at, text, colour, axis=axis)


def _title(curves: Mapping[int, pd.DataFrame]) -> str:
    level = parameter("cpu_ready_warning", "esxi").value
    narrow, wide = min(curves), max(curves)
    first, last = (crossing(curves[w], "ready_share", level / 100) for w in (narrow, wide))
    costop = crossing(
        curves[wide], "costop_share", parameter("cpu_costop_warning", "esxi").value / 100
    )
    if first is None and last is None:
        return f"No VM waits {level:.0f} % of the time: there is room for more vCPUs"
    told = [
        f"{at:.1f} (VMs of {width})"
        for width, at in dict.fromkeys(((narrow, first), (wide, last)))
        if at is not None
    ]
    title = f"{level:.0f} % ready time begins at {' or '.join(told)} vCPUs per core"
    return title if costop is None else f"{title}, 3 % co-stop at {costop:.1f} (VMs of {wide})"


def crossing(curve: pd.DataFrame, column: str, level: float) -> float | None:
    """The overcommit at which a curve first reaches a level, or None."""
    x, y = curve.vcpus_per_core.to_numpy(float), curve[column].to_numpy(float)
    over = np.flatnonzero(y >= level)
    if not len(over):
        return None
    k = int(over[0])
    return float(x[0]) if k == 0 else float(np.interp(level, y[k - 1 : k + 1], x[k - 1 : k + 1]))
