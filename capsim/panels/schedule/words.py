"""What the panel says of an answer: the headline, four tiles, and one bar of all units."""

from __future__ import annotations

import html

from capsim.figures import theme
from capsim.figures.words import capital, count, noun, percent
from capsim.panels.schedule.question import Answer
from capsim.panels.words import CARD, FONT, SOFT

_PARTS = (
    ("stay", "stay where they are", theme.USED),
    ("move", "move, or are made anew", theme.MOVED),
    ("new", "find a place now", theme.FREE),
    ("wait", "wait", theme.WAITING),
)
_LEAST_LABELLED = 0.05
"""Of the width that a part has at least, to carry its number."""


def parts(answer: Answer) -> dict[str, int]:
    """Units that stay, move, are newly placed, and wait; together all there are.

    Where requests change every unit is made anew, on the same node or another.
    """
    counts, plan = answer.comparison.counts(), answer.plan
    waiting, new = int((plan.node_of < 0).sum()), counts["newly placed"]
    had = len(plan.node_of) - waiting - new
    moved = counts["moved"] if answer.question.factor == 1 else had
    return {"stay": had - moved, "move": moved, "new": new, "wait": waiting}


def lost(answer: Answer) -> int:
    """Units that had a node, or are new, and wait."""
    counts = answer.comparison.counts()
    return counts["newly pending"] + counts["evicted"]


def headline(answer: Answer) -> str:
    """The answer in one sentence."""
    unit, all_units = noun(answer.plan.scenario), len(answer.plan.node_of)
    now, waits = lost(answer), parts(answer)["wait"]
    moves = parts(answer)["move"]
    verb = "is made anew" if moves == 1 else "are made anew"
    if answer.question.factor == 1:
        verb = "moves" if moves == 1 else "move"
    told = f"; {count(moves, unit)} {verb}" if moves else ""
    if _is_untouched(answer):
        if not waits:
            return f"As it is, all {count(all_units, unit)} have a place"
        return f"As it is, {waits:,} of {count(all_units, unit)} {_wait(waits)}"
    if now:
        return f"It does not schedule: {now:,} more {_plural(now, unit)} {_wait(now)}{told}"
    still = f", and {waits:,} {_wait(waits)} as before" if waits else ""
    return f"It schedules: no {unit} loses its place{still}{told}"


def _is_untouched(answer: Answer) -> bool:
    asked = answer.question
    return not (asked.drained or asked.growth or asked.zone) and asked.factor == 1


def _wait(number: int) -> str:
    return "waits" if number == 1 else "wait"


def _plural(number: int, unit: str) -> str:
    return unit if number == 1 else f"{unit}s"


def tiles(answer: Answer) -> str:
    """Whether it schedules, what moves, what waits, and which nodes are left."""
    four = (_stays(answer), _moves(answer), _waits(answer), _nodes(answer))
    body = "".join(
        f"<div style='{CARD};border-top:4px solid {colour}'><div style='{SOFT}'>{title}</div>"
        f"<div style='font-size:21px;font-weight:700;line-height:1.35'>{big}</div>"
        f"<div style='{SOFT}'>{small}</div></div>"
        for title, colour, big, small in four
    )
    return (
        f"<div style='{FONT}'><div style='font-size:20px;font-weight:700;line-height:1.3;"
        f"margin:8px 0 10px'>{headline(answer)}.</div><div style='display:grid;gap:10px;"
        f"grid-template-columns:repeat(auto-fit,minmax(185px,1fr))'>{body}</div>{_bar(answer)}</div>"
    )


_Tile = tuple[str, str, str, str]


def _stays(answer: Answer) -> _Tile:
    stay, units = parts(answer)["stay"], len(answer.plan.node_of)
    share = percent(stay / units) if units else "–"
    return "Stay where they are", theme.USED, f"{stay:,}", f"{share} of {units:,} {_units(answer)}"


def _units(answer: Answer) -> str:
    return f"{noun(answer.plan.scenario)}s"


def _moves(answer: Answer) -> _Tile:
    told, is_anew = parts(answer), answer.question.factor != 1
    lines = ["with changed requests" if is_anew else "to another node"]
    lines += [f"{told['new']:,} more find a place"] if told["new"] else []
    title = "Are made anew" if is_anew else "Move"
    return title, theme.MOVED, f"{told['move']:,}", "<br>".join(lines)


def _waits(answer: Answer) -> _Tile:
    waits, now = parts(answer)["wait"], lost(answer)
    counts = answer.comparison.counts()
    lines = [f"{now:,} more than as it is" if now else "none that had a place"]
    if counts["evicted"]:
        lines.append(f"{counts['evicted']:,} evicted by higher priority")
    return "Wait", theme.WAITING, f"{waits:,}", "<br>".join(lines)


def _nodes(answer: Answer) -> _Tile:
    plan, asked = answer.plan, answer.question
    there = len(plan.scenario.nodes)
    lines = [f"of {count(len(answer.before.scenario.nodes), 'node')}"]
    if asked.zone:
        lines.append(f"without {html.escape(asked.zone)}")
    drained = there - answer.open_nodes
    lines += [f"{drained:,} cordoned"] if drained else []
    return "Nodes that take pods", theme.INK, f"{answer.open_nodes:,}", "<br>".join(lines)


def _bar(answer: Answer) -> str:
    """All units as one bar, with its key."""
    numbers, units = parts(answer), max(1, len(answer.plan.node_of))
    key = "".join(
        f"<span style='margin-right:18px'><span style='color:{colour}'>■</span> "
        f"{capital(told)}</span>"
        for _, told, colour in _PARTS
    )
    segments = "".join(
        _segment(numbers[name], units, told, colour) for name, told, colour in _PARTS
    )
    return (
        f"<div style='{SOFT};margin:12px 0 5px'>{key}</div><div style='display:flex;height:24px;"
        f"background:{theme.PANEL};border-radius:3px;overflow:hidden'>{segments}</div>"
    )


def _segment(number: int, units: int, told: str, colour: str) -> str:
    share = number / units
    label = f"{number:,}" if share >= _LEAST_LABELLED else ""
    ink = theme.INK if colour in (theme.FREE, theme.MOVED) else theme.PAPER
    return (
        f"<div title='{number:,} {told}' style='width:{100 * share:.3f}%;background:{colour};"
        f"color:{ink};overflow:hidden;white-space:nowrap;text-align:center;font-size:13px;"
        f"line-height:24px'>{label}</div>"
    )
