"""explain: in words, why a unit went where it went, or what stands in its way."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from capsim.errors import ModelError, nearest
from capsim.placement.kubernetes.answers import Answers
from capsim.placement.kubernetes.events import event
from capsim.placement.kubernetes.probe import Probe
from capsim.placement.kubernetes.refusals import held_back, node_reasons, refusal_of
from capsim.placement.kubernetes.remedies import Remedy, remedies
from capsim.placement.kubernetes.runner_up import gap_table, runner_up
from capsim.placement.kubernetes.scores import plugin_scores
from capsim.topology import Int64

if TYPE_CHECKING:
    from capsim.placement.result import Placement

_SHOWN_RUNNERS_UP = 3


@dataclass(frozen=True)
class Explanation:
    """Why one unit is where it is."""

    unit: str
    node: str | None
    text: str
    table: pd.DataFrame = field(repr=False)
    """One row a node: node, verdict, each plugin's weighted score, total."""
    event: str = ""
    """The FailedScheduling event of a waiting unit, word for word."""
    remedies: tuple[Remedy, ...] = ()
    """Single changes that would let a waiting unit be placed, each asked of the scheduler."""
    gap: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    """For a placed unit with a runner-up: plugin, the scores of both, and the difference."""

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        lines = "<br>".join(html.escape(line) for line in self.text.splitlines())
        return f"<p>{lines}</p>{self.table.head(20).to_html(index=False)}"


def explain(plan: Placement, unit: str) -> Explanation:
    """Why a unit (namespace/name, or the name alone where it is unique) is where it is."""
    row = _find(plan, unit)
    spec = plan.scenario.units[row]
    if spec.node is not None and row not in plan.evicted:
        text = f"{spec.key} runs already on {spec.node}; it was not moved."
        return Explanation(spec.key, spec.node, text, pd.DataFrame())
    held = held_back(plan, row)
    if held:
        return Explanation(spec.key, None, f"{spec.key} waits: {held}.", pd.DataFrame())
    probe = Probe(plan, row)
    answers = probe.ask(probe.unit_class)
    table = node_table(plan, row, answers)
    if plan.node_of[row] >= 0:
        return _placed(plan, row, table, probe, answers)
    return _waits(plan, row, table, probe, answers)


def _find(plan: Placement, unit: str) -> int:
    units = plan.scenario.units
    keys = {each.key: row for row, each in enumerate(units)}
    if unit in keys:
        return keys[unit]
    rows = [row for row, each in enumerate(units) if each.name == unit]
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise ModelError(f"{unit!r} is in several namespaces; say which, as {units[rows[0]].key}.")
    raise ModelError(f"There is no unit {unit!r} in the plan{nearest(unit, keys)}.")


def node_table(plan: Placement, row: int, answers: Answers) -> pd.DataFrame:
    """One row a node: what it said, and what it scored; best first."""
    pin = int(plan.topology.unit_pinned[row])
    reasons = node_reasons(plan.engine, answers, pin)
    fits = np.array([not each for each in reasons], bool)
    scores = plugin_scores(plan.engine, answers)
    total: Int64 = np.sum([*scores.values(), np.zeros(len(fits), np.int64)], axis=0)
    table = pd.DataFrame(
        {
            "node": [node.name for node in plan.scenario.nodes],
            "verdict": ["; ".join(each) or "fits" for each in reasons],
            **{name: np.where(fits, score, 0) for name, score in scores.items()},
            "total": np.where(fits, total, -1),
        }
    )
    return table.sort_values("total", ascending=False, kind="stable", ignore_index=True)


def _placed(
    plan: Placement, row: int, table: pd.DataFrame, probe: Probe, answers: Answers
) -> Explanation:
    unit = plan.scenario.units[row].key
    node = plan.scenario.nodes[int(plan.node_of[row])].name
    fits = table[table["verdict"] == "fits"]
    best = fits[fits["node"] == node].iloc[0]
    lines = [*_evictions(plan, row), f"{unit} went to {node}: {_rank(plan, fits, node)}."]
    gap = pd.DataFrame()
    if len(fits) > 1:
        lines.append(f"Score {int(best['total'])} = {_parts(best)}.")
        others = fits[fits["node"] != node].head(_SHOWN_RUNNERS_UP)
        named = ", ".join(f"{r.node} ({r.total})" for r in others.itertuples())
        lines.append(f"Next best: {named}.")
        gap = gap_table(fits, node)
        if plan.sampling is None:
            lines += runner_up(plan, probe, answers, node, gap)
    refused = table[table["verdict"] != "fits"]["verdict"].value_counts()
    if len(refused):
        said = "; ".join(f"{count} x {reason}" for reason, count in refused.items())
        lines.append(f"Refused by {int(refused.sum())} nodes: {said}.")
    return Explanation(unit, node, "\n".join(lines), table, gap=gap)


def _evictions(plan: Placement, row: int) -> list[str]:
    """For whom a unit had to leave, and who had to leave for it."""
    units = plan.scenario.units
    said = []
    if row in plan.evicted:
        said.append(f"{units[row].key} was evicted for {units[plan.evicted[row]].key}.")
    gone = sorted(units[victim].key for victim, by in plan.evicted.items() if by == row)
    if gone:
        said.append(f"{', '.join(gone)} had to leave for {units[row].key}.")
    return said


def _rank(plan: Placement, fits: pd.DataFrame, node: str) -> str:
    if len(fits) == 1:
        return "the only node that fits"
    total = int(fits[fits["node"] == node]["total"].iloc[0])
    better, ties = int((fits["total"] > total).sum()), int((fits["total"] == total).sum())
    if better:
        return f"the best of those that were looked at; {better} others that fit score higher"
    if plan.sampling is not None and ties > 1:
        return f"one of the {ties} best of {len(fits)} nodes that fit"
    tie = f", the first of {ties} with equal score" if ties > 1 else ""
    return f"the best of {len(fits)} nodes that fit{tie}"


def _parts(best: pd.Series) -> str:
    named = [name for name in best.index if name not in ("node", "verdict", "total")]
    return " + ".join(f"{name} {int(best[name])}" for name in named)


def _waits(
    plan: Placement, row: int, table: pd.DataFrame, probe: Probe, answers: Answers
) -> Explanation:
    unit = plan.scenario.units[row].key
    said = event(probe.session, answers, probe.pin)
    found = remedies(plan, probe, answers) if len(table) else ()
    lines = [
        *_evictions(plan, row),
        f"{unit} waits: {said}" + ("" if said.endswith(".") else "."),
        *_at_the_end(plan, row, said),
        *map(str, found),
    ]
    if len(table) and not found:
        lines.append("No single change that was tried would let it on a node.")
    return Explanation(unit, None, "\n".join(lines), table, said, found)


def _at_the_end(plan: Placement, row: int, said: str) -> list[str]:
    """What the table of pending units says, where others that came later have changed it."""
    message = refusal_of(plan, row).message
    if said.startswith(message.rstrip(".")):
        return []
    return [f"(That was at its turn. At the end, when all were tried: {message})"]
