"""What becomes of units from one plan to another: who moves, who waits, by where they stood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from capsim.figures import bars, resources, theme, words
from capsim.figures.groups import group_nodes
from capsim.placement.comparison import CHANGES

if TYPE_CHECKING:
    from capsim.placement import Comparison

_COLOURS = {
    "moved": theme.MOVED,
    "evicted": theme.AT_RISK,
    "newly pending": theme.WAITING,
    "newly placed": theme.FREE,
    "gone": theme.FAINT,
}
_MOST_GROUPS = 8


def moves(comparison: Comparison) -> go.Figure:
    """Units for which something changes, by where they stood: moved, evicted, pending, placed.

    Groups are zones where the cluster has several, else machine shapes.
    """
    footnote, noun = resources.source(comparison.after), words.noun(comparison.after.scenario)
    names, counts = move_rows(comparison)
    if not counts.any():
        why = f"every {noun} is where it was"
        return theme.nothing(moves_title(comparison), why, footnote)
    figure = bars.page(right=170)
    figure.update_layout(barmode="stack", margin_t=140)
    shown = [k for k in range(len(CHANGES)) if counts[:, k].any()]
    for k in shown:
        values = counts[:, k].tolist()
        hover = [f"{words.count(int(value), noun)} {CHANGES[k]}" for value in values]
        bars.add_bar(figure, values, CHANGES[k], _COLOURS[CHANGES[k]], hover)
    for row, numbers in enumerate(counts.tolist()):
        told = ", ".join(f"{n:,} {CHANGES[k]}" for k, n in enumerate(numbers) if n)
        bars.write_beside(figure, sum(numbers), row, words.wrap(told, 34), size=13)
    bars.name_rows(figure, names)
    bars.key(figure, [(words.capital(CHANGES[k]), _COLOURS[CHANGES[k]]) for k in shown])
    most = float(counts.sum(axis=1).max())
    bars.count_axis(figure, f"{words.capital(noun)}s (number)", most, room=0.12)
    subtitle = (
        f"{words.capital(noun)}s for which something changes, by the nodes on which they stood; "
        f"{comparison.counts()['stays']:,} stay as they are"
    )
    return theme.finish(
        figure, moves_title(comparison), subtitle, footnote, comparison.after.assumptions
    )


def move_rows(comparison: Comparison) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the groups that lose or place units, and [groups, changes] numbers of units."""
    before = comparison.before
    groups = group_nodes(before.scenario, most=_MOST_GROUPS)
    waited, new = len(groups), len(groups) + 1
    group_of = np.full(len(before.offered) + 1, waited, np.int64)
    for number, group in enumerate(groups):
        group_of[group.rows] = number
    counts = np.zeros((len(groups) + 2, len(CHANGES)), np.int64)
    changed = np.flatnonzero(comparison.change >= 0)
    was = comparison.was[changed]
    of = np.where(was < 0, new, group_of[before.node_of[np.maximum(was, 0)]])
    np.add.at(counts, (of, comparison.change[changed]), 1)
    np.add.at(counts[:, -1], group_of[before.node_of[comparison.gone]], 1)
    noun = words.noun(comparison.after.scenario)
    names = [*(group.name for group in groups), f"{noun}s that waited", f"new {noun}s"]
    kept = np.flatnonzero(counts.any(axis=1))
    return [names[row] for row in kept.tolist()], counts[kept]


def moves_title(comparison: Comparison) -> str:
    """The takeaway: how many lose their place, and how many move."""
    counts, noun = comparison.counts(), words.noun(comparison.after.scenario)
    lost, moved = counts["newly pending"] + counts["evicted"], counts["moved"]
    parts = []
    if lost:
        parts.append(f"{words.count(lost, f'more {noun}')} {'waits' if lost == 1 else 'wait'}")
    if moved:
        subject = f"{moved:,}" if lost else words.count(moved, noun)
        parts.append(f"{subject} {'moves' if moved == 1 else 'move'}")
    if counts["newly placed"]:
        finds = "finds" if counts["newly placed"] == 1 else "find"
        parts.append(f"{counts['newly placed']:,} {finds} a place")
    if counts["gone"]:
        parts.append(f"{counts['gone']:,} {'is' if counts['gone'] == 1 else 'are'} gone")
    if not parts:
        return f"No {noun} moves or waits that did not before"
    return words.capital(words.listed(parts)) + ("" if lost else f"; no {noun} loses its place")
