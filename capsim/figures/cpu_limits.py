"""What a CPU limit does to response times: percentiles and throttling against the use of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from capsim.figures import theme, words

if TYPE_CHECKING:
    from capsim.contention.contend import Contention
    from capsim.contention.curve import LatencyCurve

SUBTITLE = (
    "Response time (ms, logarithmic) and throttled periods (%), against mean CPU use as a share "
    "of the limit"
)
_LINES = (
    ("p99", theme.AT_RISK, 2, "solid", 3),
    ("p95", theme.STRANDED, 1, "solid", 2),
    ("p50", theme.USED, 0, "solid", 2),
)
WITHOUT = "p99 without limit"
THROTTLED = "throttled"
_MOST_UNITS = 500
_LABEL_GAP = 0.1
"""Of the height of the plot, between the names of two lines."""


def cpu_limit(curve: LatencyCurve) -> go.Figure:
    """Response times and throttling of a service from little load to its limit."""
    figure = draw_curve(curve)
    return theme.finish(
        figure, cpu_limit_title(curve), SUBTITLE, cpu_limit_source(curve), curve.assumptions
    )


def draw_curve(curve: LatencyCurve) -> go.Figure:
    """The plot alone: times above, throttled periods below; the panel moves its lines."""
    figure = theme.blank(left=96, right=150, bottom=96)
    x = (100 * curve.use).astype(np.float32)
    ends = label_heights(curve)
    for name, y in times_ms(curve).items():
        look = next((line for line in _LINES if line[0] == name), None)
        colour, width = (look[1], look[4]) if look else (theme.SOFT, 2)
        figure.add_scatter(
            x=x,
            y=y,
            name=name,
            mode="lines",
            line={"color": colour, "width": width, "dash": "solid" if look else "dot"},
            hovertemplate=f"{name}: %{{y:.3g}} ms at %{{x:.0f}} % of the limit<extra></extra>",
            showlegend=False,
        )
        if name in ends:
            _label(figure, name, ends[name], colour)
    figure.add_scatter(
        x=x,
        y=(100 * curve.limited[:, 3]).astype(np.float32),
        name=THROTTLED,
        # A native chart has one axis of values, and this one has another.
        meta="not in decks",
        mode="lines",
        line={"color": theme.AT_RISK, "width": 2},
        fill="tozeroy",
        fillcolor="rgba(213,94,0,0.16)",
        yaxis="y2",
        hovertemplate="%{y:.0f} % of the periods throttled at %{x:.0f} % of the limit"
        "<extra></extra>",
        showlegend=False,
    )
    _axes(figure)
    low, high = time_range(curve)
    figure.update_yaxes(
        range=[low, high], selector={"type": "log"}, **theme.log_ticks(10**low, 10**high)
    )
    return figure


def time_range(curve: LatencyCurve) -> tuple[float, float]:
    """Ends of the axis of times in milliseconds, as exponents of ten."""
    ends = np.concatenate([y[np.isfinite(y)] for y in times_ms(curve).values()])
    low = theme.log_floor(float(ends.min()) / 1.1)
    return float(np.log10(low)), float(np.log10(ends.max())) + 0.1


def times_ms(curve: LatencyCurve) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """Lines of the upper plot by name, in milliseconds."""
    lines = {name: curve.limited[:, column] for name, _, column, _, _ in _LINES}
    lines[WITHOUT] = curve.unlimited[:, 2]
    return {name: (1000 * seconds).astype(np.float32) for name, seconds in lines.items()}


def label_heights(curve: LatencyCurve) -> dict[str, float]:
    """Where each line of the upper plot is named (exponent of ten), moved apart to be legible."""
    lines = {name: y[np.isfinite(y)] for name, y in times_ms(curve).items()}
    ends = {name: float(np.log10(y[-1])) for name, y in lines.items() if len(y)}
    gap = _LABEL_GAP * (
        max(ends.values()) - min(float(np.log10(y.min())) for y in lines.values() if len(y))
    )
    below = -np.inf
    for name in sorted(ends, key=ends.__getitem__):
        below = ends[name] = max(ends[name], below + gap)
    return ends


def _label(figure: go.Figure, name: str, y: float, colour: str) -> None:
    figure.add_annotation(
        name=name,
        x=1,
        xref="paper",
        y=y,
        text=f"<b>{name}</b>",
        showarrow=False,
        xanchor="left",
        xshift=8,
        font={"size": 14, "color": colour},
    )


def _axes(figure: go.Figure) -> None:
    figure.update_xaxes(
        title_text="Mean CPU use (% of the limit)",
        range=[0, 100],
        anchor="y2",
        showgrid=False,
        showline=True,
        **theme.percent_ticks(),
    )
    figure.update_yaxes(title_text="Response time (ms)", type="log", domain=[0.40, 1])
    figure.update_layout(
        yaxis2={
            "title": {"text": "Throttled (%)"},
            "domain": [0, 0.28],
            "range": [0, 104],
            **theme.percent_ticks((0, 50, 100)),
        }
    )


def cpu_limit_title(curve: LatencyCurve) -> str:
    """The takeaway: what the limit costs at half load, and from where it throttles."""
    found = curve.summary()
    start, with_, without = (
        found[name]
        for name in ("throttled_from_use", "p99_at_half_s", "p99_at_half_without_limit_s")
    )
    half = f"p99 at half of it is {_ms(with_)}"
    if np.isfinite(without):
        half += f" instead of {_ms(without)}"
    if not np.isfinite(start):
        return f"The limit of {_cores(found['limit_cores'])} does not throttle: {half}"
    return f"Throttled from {words.percent(start)} of the limit on: {half}"


def cpu_limit_source(curve: LatencyCurve) -> str:
    """The footnote: what was asked."""
    service = curve.service
    limit = service.limit
    burst = f", burst {_ms(limit.burst_s)}" if limit.burst_s else ""
    return (
        f"Model: quota {_ms(limit.quota_s)} every {_ms(limit.period_s)}{burst} · "
        f"{words.count(service.threads, 'thread')} · requests of {_ms(service.service_s)} CPU, "
        f"{service.distribution}, Poisson arrivals · neighbours want "
        f"{_cores(service.neighbour_cores)} of {_cores(service.machine_cores)}"
    )


def _ms(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.3g} s"
    # The space does not break, so that a number keeps its unit.
    return f"{words.number(round(1000 * seconds, 1 if seconds < 0.01 else 0))}\u00a0ms"


def _cores(cores: float) -> str:
    return f"{words.number(cores)} {'core' if cores == 1 else 'cores'}"


def contention(result: Contention) -> go.Figure:
    """The slowest units: p99 of every placed unit, from slow to quick."""
    slow = np.sort(result.times[:, 2])[::-1]
    finite = slow[np.isfinite(slow) & (slow > 0)]
    stuck = int(np.isinf(slow).sum())
    source = f"Source: {words.safe(words.shorten(result.plan.scenario.name, 60))} · " + words.count(
        len(slow), "placed unit"
    )
    if not len(finite):
        why = "no unit gets what it wants" if stuck else "no unit wants CPU"
        return theme.nothing("No response times", why, source)
    at = np.unique(np.linspace(0, len(finite) - 1, _MOST_UNITS).astype(int))
    figure = theme.blank()
    figure.add_scatter(
        x=(100 * (stuck + at + 1) / len(slow)).astype(np.float32),
        y=(1000 * finite[at]).astype(np.float32),
        name="p99",
        mode="lines",
        line={"color": theme.AT_RISK, "width": 3, "shape": "hv"},
        hovertemplate="%{x:.0f} % of the units have a p99 of %{y:.3g} ms or more<extra></extra>",
        showlegend=False,
    )
    figure.update_xaxes(
        title_text="Units, from slow to quick (%)",
        range=[0, 100],
        showgrid=False,
        showline=True,
        **theme.percent_ticks(),
    )
    ends = theme.log_floor(1000 * finite[-1] / 1.05), 1000 * finite[0] * 1.1
    figure.update_yaxes(
        title_text="p99 of the response time (ms, logarithmic)",
        type="log",
        range=np.log10(ends).tolist(),
        **theme.log_ticks(*ends),
    )
    if stuck:
        _mark_stuck(figure, 100 * stuck / len(slow), stuck)
    return theme.finish(
        figure,
        contention_title(result),
        "99th percentile of the response time of each unit's requests; units that want all "
        "they can get have none",
        source,
        result.assumptions,
    )


def _mark_stuck(figure: go.Figure, percent: float, count: int) -> None:
    """Units whose queues grow without end: a band on the left, named where there is room."""
    figure.add_vrect(x0=0, x1=percent, fillcolor=theme.WAITING_SOFT, line_width=0, layer="below")
    figure.add_annotation(
        name="stuck",
        x=percent / 2 if percent > 20 else percent,
        y=0.5,
        yref="paper",
        text=f"<b>{words.count(count, 'unit')}</b><br>{'wants' if count == 1 else 'want'} all "
        "they can get<br>or more",
        showarrow=False,
        xanchor="center" if percent > 20 else "left",
        xshift=0 if percent > 20 else 8,
        align="left",
        font={"size": 14, "color": theme.SOFT},
    )


def contention_title(result: Contention) -> str:
    """The takeaway: how many units are short of CPU or throttled, and the median p99."""
    found = result.summary()
    units = int(found["units"])
    short, throttled = int(found["short_units"]), int(found["throttled_units"])
    median = found["median_p99_s"]
    half = f"half have a p99 under {_ms(median)}"
    if np.isinf(median):
        half = "most want all they can get"
    if not short and not throttled:
        return f"All {units:,} units get what they want; {half}"
    head = f"{short:,} of {units:,} units get too little CPU"
    return f"{head}, {throttled:,} are throttled; {half}" if throttled else f"{head}; {half}"
