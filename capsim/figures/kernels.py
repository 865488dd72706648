"""Kernel sharing on a page: who shares which kernel, and what each kind of fault takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from capsim.figures import theme, words
from capsim.figures.kernel_discs import (
    KERNEL_FILL,
    KERNEL_LINE,
    OWN_LINE,
    Discs,
    Line,
    discs,
    legend,
    tenant_ranks,
)
from capsim.topology import Int64

if TYPE_CHECKING:
    from capsim.stack.kernel_sharing import KernelSharing

_SEEN = (
    ("pods_lost_mean", "average fault", theme.FREE),
    ("pods_lost_seen_by_a_pod", "as a lost pod sees it", theme.USED),
    ("pods_lost_most", "worst fault", theme.AT_RISK),
)
_SOURCE = "requests, not measured use · model: docs/models/kernel_sharing.md"


def kernels(sharing: KernelSharing) -> go.Figure:
    """Who shares which kernel: a disc a machine's kernel, a dot a pod, coloured by tenant."""
    footnote = _source(sharing)
    if not len(sharing.paths.placed):
        return theme.nothing("No pod runs", "no pod has a place", footnote)
    names, ranks = tenant_ranks(sharing)
    kinds = legend(names)
    figure = theme.blank(left=32, right=32, bottom=48)
    page = (theme.WIDTH - 64, theme.HEIGHT - 150 - 48)
    laid = discs(sharing, page[0] / page[1], ranks, len(kinds))
    for trace in disc_traces(laid, kinds):
        figure.add_trace(trace)
    figure.update_layout(margin_t=150)
    figure.update_xaxes(range=[0, laid.columns], visible=False)
    figure.update_yaxes(range=[0, laid.rows], visible=False, scaleanchor="x")
    _key(figure, sharing, names, ranks)
    return theme.finish(
        figure, _title(sharing), _subtitle(laid, sharing), footnote, sharing.assumptions
    )


def disc_traces(laid: Discs, kinds: Sequence[tuple[str, str]]) -> list[go.Scatter]:
    """Discs of kernels, dots of each kind, rings of own kernels: always as many traces."""
    made = [_filled(laid.kernels, "kernels", KERNEL_FILL, KERNEL_LINE, 1.3)]
    for line, (name, colour) in zip(laid.tenants, kinds, strict=True):
        made.append(_filled(line, name, colour, colour, 0.0))
    made.append(_filled(laid.own, "own kernels", "rgba(0,0,0,0)", OWN_LINE, 2.2))
    return made


def disc_lines(laid: Discs) -> list[tuple[object, object]]:
    """X and y of the traces, in the same order."""
    return [laid.kernels, *laid.tenants, laid.own]


def _filled(line: Line, name: str, fill: str, edge: str, width: float) -> go.Scatter:
    return go.Scatter(
        x=line[0],
        y=line[1],
        name=name,
        mode="lines",
        fill="toself",
        fillcolor=fill,
        line={"color": edge, "width": width, "simplify": False},
        hoverinfo="skip",
        showlegend=False,
    )


def _source(sharing: KernelSharing) -> str:
    scenario = sharing.topology.scenario
    name = words.safe(words.shorten(scenario.name, 60))
    size = words.count(len(sharing.paths.placed), "running pod")
    return f"Source: {name} · {size} · {_SOURCE}"


def _title(sharing: KernelSharing) -> str:
    told = sharing.summary()
    reached = told["pods_reached_by_an_escape"]
    strangers = told["pods_of_other_tenants_reached_by_an_escape"]
    others = f", {strangers:.1f} of other tenants" if strangers >= 0.05 else ""
    if reached < 1.05:
        return "A container escape reaches hardly any other pod: almost all have their own kernel"
    return f"A container escape reaches {reached - 1:.1f} other pods on average{others}"


def _subtitle(laid: Discs, sharing: KernelSharing) -> str:
    part = ""
    if laid.shown < laid.machines:
        part = f" · {laid.shown} of {laid.machines:,} machines, from the fullest to the emptiest"
    own = " · orange ring: a kernel of its own" if len(sharing.paths.sandboxed) else ""
    return f"Disc: the kernel of a machine · dot: a pod, coloured by tenant (namespace){own}{part}"


def _key(figure: go.Figure, sharing: KernelSharing, names: list[str], ranks: Int64) -> None:
    figure.add_annotation(
        name="key",
        text=key_text(names, ranks, sharing),
        x=0,
        y=1,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        yshift=8,
        showarrow=False,
        font={"size": 14},
    )


def key_text(names: list[str], ranks: Int64, sharing: KernelSharing) -> str:
    """The colours of the dots in words, with how many pods run of each."""
    counts = np.bincount(ranks[sharing.paths.placed], minlength=len(names) + 2).tolist()
    return "&nbsp;&nbsp; ".join(
        f"<span style='color:{colour}'>●</span> {words.safe(words.shorten(name, 24))} {count:,}"
        for (name, colour), count in zip(legend(names), counts, strict=True)
        if count
    )


def blast_radius(sharing: KernelSharing) -> go.Figure:
    """Pods lost in one fault by what fails: on average, as a lost pod sees it, and at most."""
    faults, footnote = sharing.faults, _source(sharing)
    if faults.empty:
        return theme.nothing("No pod runs", "no pod has a place", footnote)
    figure = theme.blank(left=220, right=60, bottom=100)
    at = list(range(len(faults)))[::-1]
    _draw_spans(figure, faults, at)
    for column, name, colour in _SEEN:
        figure.add_scatter(
            x=faults[column],
            y=at,
            name=name,
            mode="markers",
            marker={"color": colour, "size": 15, "line": {"color": theme.PAPER, "width": 1.5}},
            hovertemplate=f"%{{x:.3g}} pods, {name}<extra></extra>",
        )
    figure.update_layout(
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"}
    )
    names = zip(faults["fault"], faults["domains"], strict=True)
    figure.update_yaxes(
        tickvals=at,
        ticktext=[_fault_words(str(fault), int(count)) for fault, count in names],
        range=[-0.6, len(at) - 0.4],
        showgrid=False,
    )
    _log_axis(
        figure, "Pods lost in one fault (number, logarithmic)", faults["pods_lost_most"].max()
    )
    told = "An average over the faults hides large domains: more pods see them"
    return theme.finish(figure, _blast_title(faults), told, footnote, sharing.assumptions)


def _draw_spans(figure: go.Figure, faults: pd.DataFrame, at: list[int]) -> None:
    """A bar from the average to the worst fault."""
    ends = zip(at, faults["pods_lost_mean"], faults["pods_lost_most"], strict=True)
    for row, low, high in ends:
        figure.add_scatter(
            x=[low, high],
            y=[row, row],
            mode="lines",
            line={"color": theme.EMPTY, "width": 10},
            hoverinfo="skip",
            showlegend=False,
        )


def _fault_words(fault: str, domains: int) -> str:
    number = words.count(domains, "domain")
    return f"{words.capital(fault)}<br><span style='color:{theme.FAINT}'>{number}</span>"


def _blast_title(faults: pd.DataFrame) -> str:
    first = faults.iloc[0]
    seen, most = first["pods_lost_seen_by_a_pod"], first["pods_lost_most"]
    return (
        f"A pod lost to a kernel panic falls with {max(0.0, seen - 1):.1f} others on "
        f"average, at worst with {max(0, int(most) - 1):,}"
    )


def _log_axis(figure: go.Figure, title: str, most: float) -> None:
    ticks = [t * 10**p for p in range(7) for t in (1, 2, 5)]
    shown = [tick for tick in ticks if tick <= most * 1.3] or [1]
    figure.update_xaxes(
        type="log",
        title_text=title,
        tickvals=shown,
        ticktext=[f"{tick:,}" for tick in shown],
        range=[np.log10(0.85), np.log10(max(2.0, most * 1.25))],
    )
