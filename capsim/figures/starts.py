"""Starts: step by step as a waterfall, by platform, and as a distribution of the time to ready."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go

from capsim.figures import bars, theme, words
from capsim.stack.images.timeline import Starts, StartUp

_PHASES = {
    "build": ("build and push", theme.INK),
    "push": ("build and push", theme.INK),
    "deploy": ("build and push", theme.INK),
    "start": ("start of a replica", theme.USED),
    "ready": ("until traffic arrives", "#009E73"),
    "balancer": ("load balancer", theme.STRANDED),
}
_PULL, _APPLICATION = "#56B4E9", "#CC79A7"
_KINDS = {
    "pull and unpack": ("image pull and unpack", _PULL),
    "application": ("application", _APPLICATION),
}
_WORDS = {
    "lambda": "Lambda function",
    "microvm": "microVM",
    "container": "container",
    "pod": "pod",
    "vm": "VM",
    "vm-windows": "Windows VM",
    "fargate": "Fargate task",
    "pod on a new node": "pod on a new node",
}
_MACHINE = ("call", "allocate", "boot", "join", "scale-up noticed", "place", "rootfs")
_POINTS = 160
_COLOURS = (theme.INK, theme.AT_RISK, theme.USED, "#009E73", theme.WAITING, theme.STRANDED,
            theme.FREE, theme.SOFT)  # fmt: skip
_BELOW = 0.4
"""Of a row, from the middle of a bar to the line of its range."""
_NEAR = 1.6
"""Medians within this factor have curves that are close; the first of them is named on its left."""


def start_waterfall(start: StartUp) -> go.Figure:
    """From the beginning to the first answer, each step where it lies in time, with its range."""
    table = start.table
    figure = bars.page(right=90)
    figure.update_layout(margin_t=140)
    most = float(np.percentile(start.first_s, 95))
    for row, step in enumerate(table.to_dict("records")):
        begin, took, low, high = (step[x] for x in ("begins_s", "p50_s", "low_s", "high_s"))
        _bar(figure, row, begin, took, _PHASES[step["phase"]][1], _hover(step))
        _whisker(figure, row, begin, (low, high), most)
        bars.write_beside(figure, min(begin + took, most), row, _seconds(took), size=13)
    bars.name_rows(figure, [str(name) for name in table["step"]])
    kinds = dict(_PHASES[str(phase)] for phase in table["phase"])
    bars.key(figure, [*kinds.items()])
    figure.update_xaxes(title_text=_since(start), range=[0, 1.08 * most], nticks=9)
    return theme.finish(
        figure,
        _waterfall_title(start),
        f"{words.safe(start.image)}: {_what(start)}; bars and numbers: the median of each "
        "step; dotted below: its 5th to 95th percentile",
        _source(start.assumptions),
        start.assumptions,
    )


def _bar(figure: go.Figure, row: int, begin: float, took: float, colour: str, hover: str) -> None:
    figure.add_bar(
        x=[took],
        y=[row],
        base=[begin],
        orientation="h",
        marker={"color": colour, "line": {"width": 0}},
        hovertext=[hover],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _whisker(
    figure: go.Figure, row: int, begin: float, ends: tuple[float, float], most: float
) -> None:
    """Where the step ends from quick to slow, below its bar, where no number stands in its way."""
    figure.add_scatter(
        x=[min(begin + ends[0], most), min(begin + ends[1], most)],
        y=[row + _BELOW, row + _BELOW],
        mode="lines",
        line={"color": theme.SOFT, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )


def _hover(step: dict[Hashable, Any]) -> str:
    spread = f"{step['low_s']:.3g} to {step['high_s']:.3g}"
    told = f"{step['step']}: {step['p50_s']:.3g} s ({spread}); {words.safe(step['source'])}"
    return words.wrap(told, 70)


def _seconds(value: float) -> str:
    if value >= 120:
        return f"{value / 60:.1f} min"
    return f"{value:.0f} s" if value >= 10 else f"{value:.2g} s"


def _since(start: StartUp) -> str:
    begun = "docker build" if start.begin == "build" else "the decision to scale"
    return f"Seconds since {begun}"


def _what(start: StartUp) -> str:
    front = "" if start.service == "none" else f" behind a {start.service} Service"
    told = _WORDS[start.platform]
    plural = "pods on new nodes" if told.startswith("pod on") else f"{told}s"
    return f"{words.count(start.replicas, told, plural)}{front}"


def _waterfall_title(start: StartUp) -> str:
    found = start.summary()
    first, late = found["first_answer_p50_s"], found["first_answer_p95_s"]
    longest = max(start.steps, key=lambda step: float(np.median(step.took_s)))
    share = float(np.median(longest.took_s)) / first
    return (
        f"First answer after {_seconds(first)}, {words.percent(min(share, 1.0))} of it "
        f"{longest.name}; one in twenty over {_seconds(late)}"
    )


def start_breakdown(starts: Starts) -> go.Figure:
    """One more replica on each platform, from the decision until it is ready: what takes long."""
    ranked = sorted(starts.each, key=lambda one: float(np.median(one.one_s)))
    figure = bars.page(right=110)
    figure.update_layout(barmode="stack", margin_t=140)
    most = float(np.median(ranked[-1].one_s))
    second = float(np.median(ranked[-2].one_s)) if len(ranked) > 1 else most
    # One platform far behind would press the others into a corner.
    end = 1.3 * second if most > 3 * second else most
    for row, one in enumerate(ranked):
        _platform(figure, row, one, end)
    bars.name_rows(figure, [words.capital(_WORDS[one.platform]) for one in ranked])
    kinds = dict(_kind(step.name, step.phase) for one in ranked for step in one.steps)
    bars.key(figure, list(kinds.items()))
    figure.update_xaxes(
        title_text="Seconds since the decision to scale (median)", range=[0, 1.2 * end]
    )
    first, last = ranked[0], ranked[-1]
    ratio = float(np.median(last.one_s)) / float(np.median(first.one_s))
    return theme.finish(
        figure,
        f"A {_WORDS[first.platform]} is ready in {_seconds(float(np.median(first.one_s)))}, a "
        f"{_WORDS[last.platform]} takes {words.number(round(ratio))} times as long",
        f"{words.safe(first.image)}: one more replica by platform, steps in order; median and "
        "95th percentile beside the bar",
        _source(starts.assumptions),
        starts.assumptions,
    )


def _kind(name: str, phase: str) -> tuple[str, str]:
    if name in _KINDS:
        return _KINDS[name]
    if phase == "start" and name in _MACHINE:
        return "machine", theme.INK
    return ("runtime and orchestrator", theme.USED) if phase == "start" else _PHASES[phase]


def _platform(figure: go.Figure, row: int, one: StartUp, end: float) -> None:
    at = 0.0
    for step in one.steps:
        took = float(np.median(step.took_s))
        if one.platform.startswith("pod") and step.phase == "ready":
            # Traffic may arrive while the application still starts.
            at = min(at, float(np.median(step.begin_s)))
        text = f"{step.name}: {took:.3g} s"
        _bar(figure, row, at, max(min(took, end - at), 0), _kind(step.name, step.phase)[1], text)
        at += took
    p50, p95 = np.percentile(one.one_s, [50, 95])
    cut = " (bar cut)" if p50 > end else ""
    told = (
        f"<b>{_seconds(p50)}</b>{cut}<br><span style='color:{theme.SOFT}'>"
        f"p95 {_seconds(p95)}</span>"
    )
    bars.write_beside(figure, min(float(p50), end), row, told, size=13)


def time_to_ready(starts: Starts | StartUp | Sequence[StartUp]) -> go.Figure:
    """How likely a replica is ready by a time: one curve a platform, from thousands of draws."""
    if isinstance(starts, StartUp):
        each: list[StartUp] = [starts]
    else:
        each = list(starts.each if isinstance(starts, Starts) else starts)
    if not each:
        return theme.nothing("No start", "no platform was compared", "")
    ranked = sorted(each, key=lambda one: float(np.median(one.one_s)))
    figure = theme.blank(left=84, right=60, bottom=92)
    middles = [float(np.median(one.one_s)) for one in ranked]
    for row, one in enumerate(ranked):
        near = [b < _NEAR * a for a, b in pairwise([0.0, *middles, np.inf])]
        _curve(
            figure, one, _COLOURS[row % len(_COLOURS)], row, left=near[row + 1] and not near[row]
        )
    figure.update_yaxes(title_text="Ready (% of starts)", range=[0, 109], **theme.percent_ticks())
    ends = (ranked[0].one_s.min(), max(np.percentile(one.one_s, 99.5) for one in ranked))
    _time_axis(figure, float(ends[0]), float(ends[1]))
    p95 = {_WORDS[one.platform]: float(np.percentile(one.one_s, 95)) for one in ranked}
    best, worst = min(p95, key=lambda n: p95[n]), max(p95, key=lambda n: p95[n])
    same = f"19 of 20 starts of a {best} are ready within {_seconds(p95[best])}"
    other = f"; of a {worst}, within {_seconds(p95[worst])}" if worst != best else ""
    stated = tuple(dict.fromkeys(a for one in ranked for a in one.assumptions))
    return theme.finish(
        figure,
        same + other,
        f"{words.safe(ranked[0].image)}: share of replicas ready by a time since the decision, "
        f"{ranked[0].one_s.shape[0]:,} draws; dots at the 50th, 95th and 99th percentile",
        _source(stated),
        stated,
    )


def _curve(figure: go.Figure, one: StartUp, colour: str, row: int, *, left: bool) -> None:
    share = np.linspace(0.1, 99.9, _POINTS)
    x = np.percentile(one.one_s, share)
    hover = f"{_WORDS[one.platform]}: %{{y:.0f}} % ready after %{{x:.3g}} s<extra></extra>"
    figure.add_scatter(
        x=x.astype(np.float32), y=share.astype(np.float32), mode="lines", name=_WORDS[one.platform],
        line={"color": colour, "width": 3}, hovertemplate=hover, showlegend=False,
    )  # fmt: skip
    marks = np.array([50, 95, 99])
    figure.add_scatter(
        x=np.percentile(one.one_s, marks), y=marks, mode="markers",
        marker={"color": colour, "size": 8}, hovertemplate=hover, showlegend=False,
    )  # fmt: skip
    # Names in turn at different heights, so that neighbours do not cover each other.
    at = (30, 62, 46, 78)[row % 4]
    figure.add_annotation(
        name="label", x=float(np.log10(np.percentile(one.one_s, at))), y=at,
        text=f"<b>{_WORDS[one.platform]}</b>",
        showarrow=False, xanchor="right" if left else "left", xshift=-8 if left else 8,
        font={"size": 14, "color": colour},
        bgcolor="rgba(255,255,255,0.8)",
    )  # fmt: skip


def _time_axis(figure: go.Figure, least: float, most: float) -> None:
    ticks = [
        t for t in (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1200) if least / 2 <= t <= 2 * most
    ]
    figure.update_xaxes(
        type="log",
        title_text="Time since the decision to scale (logarithmic)",
        range=[float(np.log10(least)) - 0.05, float(np.log10(most)) + 0.12],
        tickvals=ticks,
        ticktext=[f"{t:g} s" if t < 60 else f"{t // 60} min" for t in ticks],
    )


def _source(assumptions: Sequence[object]) -> str:
    guesses = sum("guess" in str(each) for each in assumptions)
    return (
        f"Source: data/platforms/start.csv and images.csv; of {len(assumptions)} assumptions "
        f"{guesses} rest on guesses, carried as ranges"
    )
