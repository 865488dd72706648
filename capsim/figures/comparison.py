"""Before and after: two plans side by side, every number on one scale of percent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from capsim.figures import bars, resources, theme, words
from capsim.placement.stranded import stranded
from capsim.scenario import GPU_MILLI

if TYPE_CHECKING:
    from capsim.placement import Placement

_BEFORE, _AFTER = "#B4BFC9", theme.USED


@dataclass(frozen=True)
class Row:
    """One number of both plans: shares from 0 to 1, and the same as an amount in words."""

    name: str
    before: float
    after: float
    told_before: str
    told_after: str


def comparison(
    before: Placement, after: Placement, *, names: tuple[str, str] = ("before", "after")
) -> go.Figure:
    """What changes from one plan to another: use, what waits, empty nodes, what is stranded.

    Parameters: names of the two plans, for the colours' key.
    """
    rows, noun = comparison_rows(before, after), words.noun(after.scenario)
    if not rows:
        return theme.nothing("Nothing to compare", "neither plan has nodes or units", "")
    figure = bars.page(right=150)
    figure.update_layout(barmode="group", margin_t=140)
    for at, name in enumerate(names):
        values = [100 * (row.after if at else row.before) for row in rows]
        told = [row.told_after if at else row.told_before for row in rows]
        hover = [f"{words.safe(name)}: {text}" for text in told]
        bars.add_bar(figure, values, words.safe(name), _AFTER if at else _BEFORE, hover)
        _label(figure, values, told, 0.15 if at else -0.15, at)
    bars.name_rows(figure, [row.name for row in rows])
    bars.key(figure, _key(before, after, names))
    figure.update_layout(bargap=0.38, bargroupgap=0.08)
    most = max(100.0, *(100 * max(row.before, row.after) for row in rows))
    figure.update_xaxes(title_text="Share (%)", range=[0, most], **theme.percent_ticks())
    return theme.finish(
        figure,
        _headline(before, after, names[1]),
        f"Requested share of each resource, and the shares of {noun}s that wait, of nodes that are "
        "empty and of capacity that is stranded",
        _source(before, after, names),
        after.assumptions,
    )


def _headline(before: Placement, after: Placement, name: str) -> str:
    told = comparison_title(before, after)
    return told if name == "after" else f"{words.capital(words.safe(name))}: {_lower(told)}"


def _lower(sentence: str) -> str:
    """The sentence inside another one; CPU and GPU keep their capitals."""
    return sentence if sentence[1:2].isupper() else sentence[:1].lower() + sentence[1:]


def _key(before: Placement, after: Placement, names: tuple[str, str]) -> list[tuple[str, str]]:
    """The colours' names, with the number of nodes where it differs."""
    counts = len(before.offered), len(after.offered)
    told = [
        words.safe(name) + (f" ({words.count(count, 'node')})" if counts[0] != counts[1] else "")
        for name, count in zip(names, counts, strict=True)
    ]
    return [(told[0], _BEFORE), (told[1], _AFTER)]


def _source(before: Placement, after: Placement, names: tuple[str, str]) -> str:
    """The footnote of the second plan, with how the first was made where that differs."""
    told = [resources.standing(plan).told for plan in (before, after)]
    other = [part for part in told[0] if part not in told[1]]
    changed = [part for part in told[1] if part not in told[0]]
    same = [part for part in told[1] if part in told[0]]
    scenario = after.scenario
    size = (
        words.count(len(after.offered), "node"),
        words.count(len(after.node_of), words.noun(scenario)),
    )
    parts = [f"Source: {words.shorten(scenario.name, 60)}", ", ".join(size), *same]
    parts += [f"{names[0]}: {', '.join(other)}"] if other else []
    parts += [f"{names[1]}: {', '.join(changed)}"] if changed else []
    return " · ".join(words.safe(part) for part in parts)


def comparison_rows(before: Placement, after: Placement) -> list[Row]:
    """The numbers of both plans; the same rows for the same clusters."""
    plans, noun = (before, after), words.noun(after.scenario)
    if not any(len(plan.offered) or len(plan.node_of) for plan in plans):
        return []
    known = [*resources.shown(before)]
    known += [name for name in resources.shown(after) if name not in known]
    rows = [_use_row(plans, name) for name in known]
    rows.append(_count_row(f"{noun}s waiting", [_waiting(plan) for plan in plans], noun))
    rows.append(_count_row("nodes empty", [_empty(plan) for plan in plans], "node"))
    lost = _stranded_row(plans)
    return [*rows, lost] if lost else rows


def comparison_title(before: Placement, after: Placement) -> str:
    """The takeaway: what changes for waiting units and empty nodes, else for the resources."""
    parts = []
    for noun, one, several, count in (
        (words.noun(after.scenario), "waits", "wait", _waiting),
        ("node", "is empty", "are empty", _empty),
    ):
        change = count(after)[0] - count(before)[0]
        if change:
            more = "more" if change > 0 else "fewer"
            does = one if abs(change) == 1 else several
            parts.append(f"{words.count(abs(change), f'{more} {noun}')} {does}")
    return words.capital(words.listed(parts)) if parts else _use_title(before, after)


def _use_title(before: Placement, after: Placement) -> str:
    rows = [_use_row((before, after), name) for name in resources.shown(after)]
    moved = max(rows, key=lambda row: abs(row.after - row.before), default=None)
    if moved is None or abs(moved.after - moved.before) < 0.005:
        return "Nothing changes in use, in what waits or in empty nodes"
    verb = "rises" if moved.after > moved.before else "falls"
    name = words.capital(moved.name)
    return f"{name} {verb} from {words.percent(moved.before)} to {words.percent(moved.after)}"


def _use_row(plans: tuple[Placement, Placement], resource: str) -> Row:
    shares, amounts = [], []
    for plan in plans:
        known = resource in plan.topology.resources
        used = plan.used[:, plan.topology.column(resource)].sum() if known else 0
        shares.append(resources.total_use(plan, resource) if known else 0.0)
        amounts.append(words.amount(resource, float(used)))
    return _row(f"{words.resource_name(resource)} requested", shares, amounts)


def _count_row(name: str, counts: list[tuple[int, int]], noun: str) -> Row:
    shares = [count / of if of else 0.0 for count, of in counts]
    return _row(name, shares, [words.count(count, noun) for count, _ in counts])


def _row(name: str, shares: list[float], amounts: list[str]) -> Row:
    told = [
        f"{words.percent(share)}, {amount}" for share, amount in zip(shares, amounts, strict=True)
    ]
    return Row(name, shares[0], shares[1], told[0], told[1])


def _waiting(plan: Placement) -> tuple[int, int]:
    return int(np.sum(plan.node_of < 0)), len(plan.node_of)


def _empty(plan: Placement) -> tuple[int, int]:
    nodes = len(plan.offered)
    return nodes - len(np.unique(plan.node_of[plan.node_of >= 0])), nodes


def _stranded_row(plans: tuple[Placement, Placement]) -> Row | None:
    tables = [
        {row["resource"]: row for row in stranded(plan).table.to_dict("records")} for plan in plans
    ]
    shared = [name for name in tables[0] if name in tables[1]]
    if not shared:
        return None
    most = max(shared, key=lambda name: float(tables[0][name]["share_of_offered"]))
    rows = [table["gpu" if "gpu" in shared else most] for table in tables]
    name = GPU_MILLI if "gpu" in shared else str(most)
    return _row(
        f"{words.resource_mass(name)} stranded",
        [float(row["share_of_offered"]) for row in rows],
        [f"{words.number(float(row['stranded']))} {row['unit']}" for row in rows],
    )


def _label(figure: go.Figure, values: list[float], told: list[str], offset: float, at: int) -> None:
    for row, (value, text) in enumerate(zip(values, told, strict=True)):
        colour = theme.INK if at else theme.SOFT
        bars.write_beside(figure, value, row, text, colour=colour, size=13)
        figure.layout.annotations[-1].update(y=row + offset)
