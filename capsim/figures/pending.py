"""Waiting units by the reason for which they wait."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from capsim.figures import bars, resources, theme, words

if TYPE_CHECKING:
    import pandas as pd

    from capsim.placement import Placement

_MOST_ROWS = 9
_LEFT = 350
_INSUFFICIENT = "Insufficient "


def pending(plan: Placement) -> go.Figure:
    """How many units wait for what reason, and which kinds of unit these are."""
    footnote, noun = resources.source(plan), words.noun(plan.scenario)
    if plan.reasons.empty:
        why = f"every {noun} has a node" if len(plan.node_of) else f"there are no {noun}s"
        return theme.nothing(pending_title(plan), why, footnote)
    rows = pending_rows(plan)
    figure = bars.page(right=110)
    for name, colour, templates in (
        ("reason", theme.WAITING, False),
        ("of which", theme.WAITING_SOFT, True),
    ):
        values = [row.units if row.is_template == templates else 0 for row in rows]
        bars.add_bar(figure, values, name, colour, [row.told for row in rows])
    for at, row in enumerate(rows):
        weight = "{}" if row.is_template else "<b>{}</b>"
        bars.write_beside(figure, row.units, at, weight.format(words.count(row.units, noun)))
    bars.name_rows(figure, [row.name for row in rows])
    figure.update_layout(barmode="overlay", margin_l=_LEFT)
    bars.count_axis(figure, f"Waiting {noun}s", max(row.units for row in rows), room=0.12)
    return theme.finish(
        figure,
        pending_title(plan),
        f"{words.capital(noun)}s without a node, by the reason that most nodes gave; "
        "in pale the templates they are made from",
        footnote,
        plan.assumptions,
    )


@dataclass(frozen=True)
class Row:
    """A reason, or a template of the units that wait for the reason above."""

    name: str
    units: int
    told: str
    is_template: bool = False


def pending_rows(plan: Placement) -> list[Row]:
    """The most frequent reasons, each followed by its most frequent templates while rows last."""
    reasons = _main_reasons(plan.reasons)
    each = max(0, (_MOST_ROWS - len(reasons)) // len(reasons))
    waiting = plan.pending
    rows = []
    for row in reasons:
        rows.append(row)
        templates = waiting.loc[waiting["reason"] == row.told, "template"]
        rows += _templates(Counter(map(str, templates)), each)
    words_of = [(words.capital(reason_words(row.name)), row) for row in rows]
    return [
        row if row.is_template else replace(row, name=name, told=words.safe(name))
        for name, row in words_of
    ]


def _main_reasons(table: pd.DataFrame) -> list[Row]:
    """The most frequent reasons; the rest as one."""
    counted = zip(map(str, table["reason"]), table["units"].tolist(), strict=True)
    rows = [Row(reason, units, reason) for reason, units in counted]
    if len(rows) <= _MOST_ROWS:
        return rows
    rest = rows[_MOST_ROWS - 1 :]
    others = Row(f"{len(rest)} other reasons", sum(row.units for row in rest), "")
    return [*rows[: _MOST_ROWS - 1], others]


def _templates(units: Counter[str], most: int) -> list[Row]:
    """The most frequent templates of one reason; a last row for the others."""
    rows = [
        Row(name, count, words.safe(name), is_template=True) for name, count in units.most_common()
    ]
    if len(rows) <= most or most == 0:
        return rows[:most]
    rest = rows[most - 1 :]
    told = words.count(len(rest), "other template")
    return [*rows[: most - 1], Row(told, sum(row.units for row in rest), told, is_template=True)]


def pending_title(plan: Placement) -> str:
    """The takeaway: how many wait, and mainly why."""
    table, noun = plan.reasons, words.noun(plan.scenario)
    if table.empty:
        return f"No {noun} waits"
    waiting, first = int(table["units"].sum()), int(table["units"].iloc[0])
    reason = str(table["reason"].iloc[0])
    verb = "waits" if waiting == 1 else "wait"
    head = f"{waiting:,} of {words.count(len(plan.node_of), noun)} {verb}"
    if first == waiting:
        return f"{head}: {words.safe(reason_words(reason))}"
    return f"{head}, {first:,} of them because {_because(reason)}"


def _because(reason: str) -> str:
    """A reason as a clause; the scheduler's own words are quoted."""
    told = words.safe(reason_words(reason))
    if not reason.startswith(_INSUFFICIENT):
        return f"of “{told}”"
    return f"there {'are' if told.endswith('s') else 'is'} {told}"


def reason_words(reason: str) -> str:
    """A scheduler's reason as people say it: "Insufficient cpu" is "not enough CPU"."""
    if not reason.startswith(_INSUFFICIENT):
        return reason
    resource, _, rest = reason.removeprefix(_INSUFFICIENT).partition(" ")
    return f"not enough {words.resource_mass(resource)} {rest}".strip()
