"""The runner-up of a placed unit: how far behind it was, and what would have made it win."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from capsim.placement.kubernetes.answers import Answers
from capsim.placement.kubernetes.probe import Probe
from capsim.placement.kubernetes.scores import best_node, plugin_scores, total_scores

if TYPE_CHECKING:
    from capsim.placement.result import Placement

_NO_PLUGIN = ("node", "verdict", "total")
_MOST_TRIED = 20


def gap_table(fits: pd.DataFrame, winner: str) -> pd.DataFrame:
    """plugin, winner, runner_up, difference: weighted scores of the winner and the next best."""
    won = fits[fits["node"] == winner].iloc[0]
    other = fits[fits["node"] != winner].iloc[0]
    rows = [
        (name, int(won[name]), int(other[name]), int(other[name]) - int(won[name]))
        for name in fits.columns
        if name not in _NO_PLUGIN
    ]
    table = pd.DataFrame(rows, columns=["plugin", "winner", "runner_up", "difference"])
    table.attrs["runner_up"] = other["node"]
    return table


def runner_up(
    plan: Placement, probe: Probe, answers: Answers, winner: str, gap: pd.DataFrame
) -> Iterable[str]:
    """How far the runner-up is behind by plugin, and what would have made it win."""
    name, behind = gap.attrs["runner_up"], -int(gap["difference"].sum())
    if behind == 0:
        yield f"{name} has the same score; {winner} comes before it in the order of the nodes."
        return
    differences = zip(gap["plugin"].tolist(), gap["difference"].tolist(), strict=True)
    told = ", ".join(f"{plugin} {points:+d}" for plugin, points in differences if points)
    yield f"{name} is {behind} behind: {told}."
    names = [node.name for node in plan.scenario.nodes]
    other = names.index(name)
    ways = [*_without_a_plugin(probe, answers, other), *_without_a_unit(probe, answers, other)]
    if ways:
        yield f"{name} would have won {' or '.join(ways)}."


def _without_a_plugin(probe: Probe, answers: Answers, other: int) -> Iterable[str]:
    """Plugins without whose say the other node would be the first of the best."""
    total, fits = total_scores(probe.engine, answers), probe.fitting(answers)
    for name, score in plugin_scores(probe.engine, answers).items():
        left = np.where(fits, total - score, -1)
        if int(left.argmax()) == other:
            yield f"without {name}"


def _without_a_unit(probe: Probe, answers: Answers, other: int) -> Iterable[str]:
    """The first unit on the other node without which the unit would have gone there."""
    units = probe.engine.topology.scenario.units
    for unit in probe.session.on_node(other)[:_MOST_TRIED]:
        with probe.session.without([unit]):
            again = probe.ask(answers.row)
            if best_node(probe.engine, again, probe.fitting(again)) == other:
                yield f"if {units[unit].key} had not been on it"
                return
