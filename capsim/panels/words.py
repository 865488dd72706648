"""What a panel says of an answer: the headline, four tiles, and a bar for each resource."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from capsim.figures import theme
from capsim.figures.pending import reason_words
from capsim.figures.words import capital, count, number, percent, resource_name
from capsim.panels.question import Answer
from capsim.placement import Placement
from capsim.scenario import GPU_MILLI

FONT = f"font-family:{theme.FONT};color:{theme.INK}"
CARD = (
    f"border:1px solid {theme.GRID};border-radius:8px;padding:8px 14px 10px;"
    f"background:{theme.PAPER};min-height:116px"
)
SOFT = f"color:{theme.SOFT};font-size:13px;line-height:1.4"
_KINDS = {"pod": "pod", "vm": "VM", "container": "container"}
_PARTS = (
    ("requested", "requested", theme.USED),
    ("usable", "free and usable", theme.FREE),
    ("stranded", "free but stranded", theme.STRANDED),
    ("waiting", "asked for by what waits", theme.WAITING),
)
_LEAST_LABELLED = 5.0
"""Percent of the width that a part has at least, to carry its number."""

Tile = tuple[str, str, str, str]


def kind(answer: Answer) -> str:
    """What the units are called: "pod", "VM", or "unit" where there are several kinds."""
    kinds = {template.kind for template in answer.plan.scenario.templates.values()}
    return _KINDS[kinds.pop()] if len(kinds) == 1 else "unit"


def headline(answer: Answer) -> str:
    """The answer in one sentence: what fits, what waits, what that needs."""
    units, waiting = len(answer.plan.node_of), len(answer.plan.waiting)
    where = f"on {count(len(answer.plan.offered), 'machine')}"
    if not waiting:
        return f"All {count(units, kind(answer))} fit {where}"
    fits = f"{units - waiting:,} of {count(units, kind(answer))} fit {where}"
    return f"{fits}, {waiting:,} {'waits' if waiting == 1 else 'wait'}; {_needs_clause(answer)}"


def _needs_clause(answer: Answer) -> str:
    waiting, left = len(answer.plan.waiting), answer.held_by_none
    if left == waiting:
        return "no machine of this mix is large enough"
    held = f"{waiting - left:,} of them" if left else "it" if waiting == 1 else "them"
    rest = f", {left:,} {'fits' if left == 1 else 'fit'} on no such machine" if left else ""
    return f"{count(answer.needs.count, 'more machine')} would hold {held}{rest}"


def tiles(answer: Answer, *, reasons: bool) -> str:
    """What fits, what waits and why, what is stranded, what is needed.

    reasons: whether to say why units wait, which costs more than all else.
    """
    four = (_fits(answer), _waits(answer, reasons), _stranded(answer), _needs(answer))
    return grid(headline(answer), four)


def grid(sentence: str, shown: Iterable[Tile]) -> str:
    """A sentence, and tiles below it: title, colour, large words, small words (HTML)."""
    body = "".join(
        f"<div style='{CARD};border-top:4px solid {colour}'><div style='{SOFT}'>{title}</div>"
        f"<div style='font-size:21px;font-weight:700;line-height:1.35'>{big}</div>"
        f"<div style='{SOFT}'>{small}</div></div>"
        for title, colour, big, small in shown
    )
    return (
        f"<div style='{FONT}'><div style='font-size:20px;font-weight:700;line-height:1.3;"
        f"margin:8px 0 10px'>{sentence}.</div><div style='display:grid;gap:10px;"
        f"grid-template-columns:repeat(auto-fit,minmax(185px,1fr))'>{body}</div></div>"
    )


def _fits(answer: Answer) -> Tile:
    units, waiting = len(answer.plan.node_of), len(answer.plan.waiting)
    fits = units - waiting
    share = f" ({percent(fits / units)})" if units else ""
    empty = int(answer.plan.summary()["empty_nodes"])
    stands = "stands" if empty < 2 else "stand"
    idle = f"{count(empty, 'machine') if empty else 'no machine'} {stands} empty"
    small = f"of {count(units, kind(answer))}{share}<br>{idle}"
    return "Fits", theme.USED, f"{fits:,}", small


def _waits(answer: Answer, reasons: bool) -> Tile:
    waiting = len(answer.plan.waiting)
    small = _reasons(answer.plan) if reasons else "looking for the reason …"
    return "Waits", theme.WAITING, f"{waiting:,}", small if waiting else "everything has a place"


def _reasons(plan: Placement) -> str:
    """The two reasons for which most units wait, in words."""
    units: Counter[str] = Counter()
    for refusal in plan.refusals:
        units[reason_words(refusal.main)] += len(refusal.units)
    most = units.most_common(2)
    rest = units.total() - sum(n for _, n in most)
    lines = [f"{n:,}: {html.escape(reason)}" for reason, n in most]
    return "<br>".join([*lines, *([f"{rest:,}: other reasons"] if rest else [])])


def _stranded(answer: Answer) -> Tile:
    told, _, why = answer.stranded.headline().rstrip(".").partition(": ")
    share, _, of_what = told.partition(" of ")
    noun = of_what.removesuffix(" are stranded").removesuffix(" is stranded")
    title = f"{capital(noun)} free but stranded" if noun else "Free but stranded"
    return title, theme.STRANDED, share if noun else "none", why.replace(", ", "<br>")


def _needs(answer: Answer) -> Tile:
    title, colour, needs = "Would need", theme.INK, answer.needs
    if not len(needs.units):
        return title, colour, "nothing", "no more machines"
    if not needs.count:
        return title, colour, "–", "no machine of this mix is large enough"
    lines = [f"{n:,} × {html.escape(name)}" for name, n in answer.machines_needed.items() if n]
    lines.append(f"at least {needs.lower_bound:,}, however packed")
    if answer.held_by_none:
        lines.append(f"{answer.held_by_none:,} too large for these")
    return title, colour, count(needs.count, "machine"), "<br>".join(lines)


def bars(table: pd.DataFrame) -> str:
    """Each resource as a bar: requested, usable, stranded, and beyond the end what waits."""
    rows: list[dict[str, Any]] = [
        {str(k): v for k, v in row.items()} for row in table.to_dict("records")
    ]
    longest = max((_length(row) for row in rows), default=1.0)
    key = "".join(
        f"<span style='margin-right:18px'><span style='color:{colour}'>■</span> {told}</span>"
        for _, told, colour in _PARTS
    )
    lines = "".join(_bar(row, 100 / longest) for row in rows)
    return (
        f"<div style='{FONT};margin-top:4px'><div style='{SOFT};margin-bottom:8px'>{key}</div>"
        "<div style='display:grid;grid-template-columns:max-content 1fr;gap:8px 14px;"
        f"align-items:center'>{lines}</div></div>"
    )


def _length(row: Mapping[str, Any]) -> float:
    """A bar's length as a multiple of what is offered."""
    offered = max(float(row["offered"]), 1e-12)
    return max(1.0, float(row["requested"]) / offered) + float(row["waiting"]) / offered


def _bar(row: Mapping[str, Any], scale: float) -> str:
    """A row of the grid: the name, and parts as wide as their share, `scale` percent each whole."""
    name = GPU_MILLI if row["resource"] == "gpu" else str(row["resource"])
    parts = "".join(_part(row, key, told, colour, scale) for key, told, colour in _PARTS)
    return (
        f"<div><b>{capital(html.escape(resource_name(name)))}</b> <span style='{SOFT}'>"
        f"{number(row['offered'])} {row['unit']} offered</span></div>"
        f"<div style='display:flex;height:24px;background:{theme.PANEL}'>{parts}</div>"
    )


def _part(row: Mapping[str, Any], key: str, told: str, colour: str, scale: float) -> str:
    share = float(row[key]) / max(row["offered"], 1e-12)
    width = share * scale
    ink = theme.INK if key in ("usable", "stranded") else theme.PAPER
    edge = f"border-left:3px solid {theme.PAPER};" if key == "waiting" and share else ""
    label = percent(share) if width >= _LEAST_LABELLED else ""
    hover = f"{told}: {number(float(row[key]))} {row['unit']}, {percent(share)} of the offer"
    return (
        f"<div title='{hover}' style='width:{width:.3f}%;box-sizing:border-box;{edge}"
        f"background:{colour};color:{ink};overflow:hidden;white-space:nowrap;text-align:center;"
        f"font-size:13px;line-height:24px'>{label}</div>"
    )
