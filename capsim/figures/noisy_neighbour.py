"""What a noisy neighbour costs, against how loud it is."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from capsim.figures import lines, theme, words

_SHIELDED = "#009E73"


def noisy_neighbour(
    curve: pd.DataFrame,
    *,
    victim: str,
    neighbour: str,
    shielded: pd.DataFrame | None = None,
    source: str = "",
) -> go.Figure:
    """Slowdown of a victim against the threads of its neighbour, with its range.

    Parameters: curve, from `contention.caches.noisy_curve`; victim and neighbour in a few words;
    shielded, the same with a cache partition of its own.
    """
    figure = theme.blank(right=190, bottom=92)
    x = curve.threads
    lines.add_band(figure, x, curve.slowdown_low, curve.slowdown_high, theme.USED)
    hover = "%{y:.2f} times the time alone, beside %{x:.0f} threads"
    lines.add_line(figure, x, curve.slowdown, victim, theme.USED, hover)
    ends = [float(curve.slowdown.iloc[-1])]
    texts = [(words.safe(victim) + "<br>shared cache", theme.USED)]
    if shielded is not None:
        lines.add_line(figure, x, shielded.slowdown, "own cache", _SHIELDED, hover)
        ends.append(float(shielded.slowdown.iloc[-1]))
        texts.append(("with a part of the<br>cache of its own", _SHIELDED))
    top = max(1.2, 1.05 * float(curve.slowdown_high.max()))
    for at, (text, colour) in zip(lines.spread(ends, (top - 1) / 9), texts, strict=True):
        lines.name_end(figure, float(x.iloc[-1]), at, text, colour)
    figure.update_xaxes(
        title_text=f"Threads of the neighbour ({words.safe(neighbour)})",
        range=[float(x.iloc[0]), float(x.iloc[-1])],
        showgrid=False,
        showline=True,
    )
    figure.update_yaxes(title_text="Time of the same work (times alone)", range=[1, top])
    _mark_full_cores(figure, curve, top)
    subtitle = (
        "Time of a piece of work over its time alone; band: all parameters at the gentle or the "
        "harsh end of their ranges"
    )
    footnote = source or (
        "Model: shared cache, memory bandwidth and SMT as one fixed point, "
        "docs/models/memory_io_caches.md · profiles of the tenants are guesses, carried as ranges"
    )
    return theme.finish(figure, _title(curve, victim, shielded), subtitle, footnote)


def _mark_full_cores(figure: go.Figure, curve: pd.DataFrame, top: float) -> None:
    """Where threads begin to share cores."""
    shared = curve.threads[curve.threads_share_cores]
    if not len(shared) or len(shared) == len(curve):
        return
    at = float(curve.threads[~curve.threads_share_cores].max())
    figure.add_shape(
        name="cores full",
        type="line",
        x0=at,
        x1=at,
        y0=1,
        y1=top,
        line={"color": theme.FAINT, "width": 1, "dash": "dot"},
    )
    figure.add_annotation(
        name="cores full",
        x=at,
        y=top,
        text="from here on threads share cores",
        showarrow=False,
        xanchor="left",
        yanchor="top",
        xshift=6,
        font={"size": 12.5, "color": theme.SOFT},
    )


def _title(curve: pd.DataFrame, victim: str, shielded: pd.DataFrame | None) -> str:
    last = curve.iloc[-1]
    name = words.capital(words.safe(victim))
    told = (
        f"{name} takes {last.slowdown:.1f} times as long beside {last.threads:.0f} such threads "
        f"({last.slowdown_low:.1f} to {last.slowdown_high:.1f})"
    )
    if shielded is None:
        return told
    return f"{told}; {float(shielded.slowdown.iloc[-1]):.1f} times with cache of its own"
