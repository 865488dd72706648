"""How many machines? What fits, what waits, what is stranded, and what more machines would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go

from capsim import catalogue as bundled
from capsim.errors import CapsimError, ModelError
from capsim.figures import resources, theme
from capsim.figures.groups import group_by_shape
from capsim.figures.words import count, safe
from capsim.panels import words
from capsim.panels.common import (
    Afterwards,
    Controls,
    get_ready,
    menu,
    slider,
)
from capsim.panels.panel import DeckTray, Panel
from capsim.panels.picture import SUBTITLE, curve_table, live, picture, update
from capsim.panels.question import Answer, Asked, Question
from capsim.placement import Placement
from capsim.scenario import Node, Scenario
from capsim.topology import Topology, compile_scenario

#: Types of the catalogue that the menus offer beside the cluster's own shapes.
CATALOGUE = ("m7i.4xlarge", "m7i.16xlarge", "Standard_D16s_v3", "n2-standard-16")
_STRATEGIES = {
    "LeastAllocated: spread": "LeastAllocated",
    "MostAllocated: fill up": "MostAllocated",
    "RequestedToCapacityRatio: by a curve": "RequestedToCapacityRatio",
}
_ROUNDS = 6
_SOON, _STILL, _AT_REST = 0.01, 0.06, 0.3
"""Seconds: until the picture is on its way; without a move; without one for longer."""


def how_many_machines(
    cluster: Scenario | Topology,
    *,
    catalogue: Sequence[str] = CATALOGUE,
    tray: DeckTray | None = None,
) -> HowManyMachines:
    """Sliders for the machines of a cluster: growth, reserve, overcommit, strategy, more machines.

    Parameters: cluster; catalogue, machine types to offer beside the cluster's own shapes; tray,
    where "add to deck" puts its slides, to collect those of several panels.
    Returns: HowManyMachines, which shows itself as the last line of a cell.
    Raises: ModelError for a cluster without machines, or a type that is not in the catalogue.

    >>> cs.panels.how_many_machines(cs.read("cluster.yaml"))
    """
    topology = cluster if isinstance(cluster, Topology) else compile_scenario(cluster)
    tray = tray or DeckTray(
        "how-many-machines.pptx", title=f"Capacity plan: {topology.scenario.name}"
    )
    return HowManyMachines(topology, machine_shapes(topology, catalogue), tray)


def machine_shapes(topology: Topology, catalogue: Sequence[str] = ()) -> dict[str, Node]:
    """Machines to choose from by name: the cluster's own shapes, the commonest first, then types.

    Raises: ModelError for a cluster without machines, or a type that is not in the catalogue.
    """
    nodes = topology.scenario.nodes
    if not nodes:
        raise ModelError("The cluster has no machines; cs.size_cluster gives it some.")
    own = {
        group.name: min((nodes[row] for row in group.rows), key=lambda node: node.unschedulable)
        for group in group_by_shape(topology.scenario)
    }
    return own | {f"{name} (catalogue)": bundled.machine(name) for name in catalogue}


class HowManyMachines(Panel):
    """The panel; `panel.controls.growth.value = 20` moves a slider from code."""

    def __init__(self, topology: Topology, shapes: Mapping[str, Node], tray: DeckTray) -> None:
        super().__init__(tray)
        self.controls = _controls(topology, list(shapes))
        self.shapes = shapes
        self._ask = Asked(topology, shapes)
        self._tiles, self._bars = widgets.HTML(), widgets.HTML()
        self.answer: Answer
        get_ready(
            {
                "placing": self._begin,
                "first moves": self._foresee,
                "stranded capacity": self._show,
                "reasons": self._explain,
            }
        )
        add = ("Add these machines", "Add what the waiting units need", self.add_machines)
        self.widget = self._laid_out(self._tiles, self.figure, self._bars, further=(add,))
        self._afterwards = Afterwards(
            (_SOON, self._show), (_STILL, self._foresee), (_AT_REST, self._explain)
        )
        self.controls.answer(self.respond)

    def _begin(self) -> None:
        self.answer = self._before = self._ask(self._question())
        self._names = resources.shown(self.plan)
        self.figure = live(picture(self.answer, self._before, self._names))

    def _question(self, moved: Mapping[str, Any] | None = None) -> Question:
        at = {**self.controls.values, **(moved or {})}
        return Question(
            strategy=at["strategy"],
            headroom=at["headroom"] / 100,
            overcommit_cpu=at["overcommit"],
            growth=at["growth"] / 100,
            machines=at["machines"],
            first=at["first"],
            second=at["second"],
            second_share=at["second_share"] / 100,
        )

    def respond(self) -> None:
        """What a move does: ask the engine and move the lines; the slower rest follows."""
        self._afterwards.cancel()
        with self.message.errors():
            self.answer = self._ask(self._question())
            update(self.figure, self.answer, self._names)
            self._afterwards()

    def _show(self) -> None:
        self._tiles.value = words.tiles(self.answer, reasons=not len(self.plan.waiting))
        self._bars.value = words.bars(self.answer.resources)

    def _explain(self) -> None:
        self._tiles.value = words.tiles(self.answer, reasons=True)
        self.numbers.refresh()

    def _foresee(self) -> None:
        """Asks what one step further would give, so that the step only has to be drawn."""
        for further in self.controls.further():
            with suppress(CapsimError):
                self._ask(self._question(further))

    @property
    def plan(self) -> Placement:
        """The placement that is shown."""
        return self.answer.plan

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        return words.headline(self.answer)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The numbers behind the picture, as they are now."""
        return {
            "resources": self.answer.resources,
            "waiting": self.plan.reasons,
            "too large for the machines to add": self.answer.needs.unplaceable,
            "curves": curve_table(self.answer, self._names),
            "settings": self.controls.table,
        }

    def slide(self) -> go.Figure:
        """The picture as it stands, with its takeaway as title."""
        figure = picture(self.answer, self._before, self._names)
        at = self.answer.question
        told = [f"growth {at.growth:.0%}"] if at.growth else []
        told += [f"{n:,} × {safe(name)} added" for name, n in at.counts if n]
        footnote = " · ".join([resources.source(self.plan), *told])
        return theme.finish(figure, self.headline, SUBTITLE, footnote, self.plan.assumptions)

    def add_machines(self, *_: object) -> None:
        """Add what the waiting units would need, and again what the scheduler left waiting.

        Ends when nobody waits who could fit, when more machines let nobody else in, at the end of
        the slider, or after a few rounds.
        """
        slider, start = self.controls.machines, self.controls.machines.value
        helps = True
        for number in range(1, _ROUNDS + 1):
            before, waiting = slider.value, len(self.plan.waiting)
            more = self.answer.needs.count
            if not more or before == slider.max:
                break
            self.said.say(f"Round {number}: {count(more, 'more machine')} …")
            slider.value = min(before + more, slider.max)
            helps = len(self.plan.waiting) < waiting
            if not helps:
                slider.value = before
                break
        self.said.say(self._added(slider.value - start, helps))

    def _added(self, machines: int, helps: bool) -> str:
        """What adding machines came to."""
        slider, more = self.controls.machines, self.answer.needs.count
        if more and slider.value == slider.max:
            wanted = slider.value + more
            return f"{wanted:,} machines would be needed; the slider ends at {slider.max:,}."
        told = f"{count(machines, 'machine')} added"
        able = len(self.plan.waiting) - self.answer.held_by_none
        if not able:
            return f"{told}: nobody waits who fits such a machine."
        waits = f"{count(able, words.kind(self.answer))} still {'waits' if able == 1 else 'wait'}"
        if not helps:
            why = "others are spread onto them, or rules keep these away"
            return f"{told}; {waits}, and more such machines let nobody else in: {why}."
        return f"{told}; {waits}: the scheduler packs less tightly. Click again to add more."


def _controls(topology: Topology, shapes: list[str]) -> Controls:
    """In reading order: on the left what is asked of the cluster, on the right what is added."""
    most = max(60, 10 * round(len(topology.scenario.nodes) / 40))
    strategy = topology.scenario.profile.strategy
    return Controls(
        growth=slider("Growth of the load (%)", 0, 100),
        machines=slider("Machines to add", 0, most),
        headroom=slider("Kept free everywhere (%)", 0, 50),
        first=menu("of this shape", shapes, shapes[0]),
        overcommit=slider("Overcommit of CPU (×)", 1.0, 4.0, 0.05),
        second=menu("and of this shape", shapes, shapes[min(1, len(shapes) - 1)]),
        strategy=menu("Scheduler's strategy", _STRATEGIES.items(), strategy),
        second_share=slider("Share of the second (%)", 0, 100, 5),
    )
