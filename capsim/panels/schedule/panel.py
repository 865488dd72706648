"""Will it schedule? What moves and waits if nodes are drained, requests grow, a zone is lost."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go

from capsim.errors import CapsimError, ModelError
from capsim.figures import resources, theme
from capsim.figures.words import safe
from capsim.panels.common import (
    Afterwards,
    Controls,
    get_ready,
    menu,
    slider,
)
from capsim.panels.panel import DeckTray, Panel
from capsim.panels.picture import live
from capsim.panels.schedule import words
from capsim.panels.schedule.picture import SUBTITLE, curve_table, picture, update
from capsim.panels.schedule.question import ORDERS, SCALED, Answer, Asked, Question
from capsim.placement import Placement
from capsim.scenario import Scenario
from capsim.topology import Topology, compile_scenario

_SOON, _STILL, _AT_REST = 0.01, 0.06, 0.3
"""Seconds: until the picture is on its way; without a move; without one for longer."""
_NO_ZONE = "none"


def will_it_schedule(
    cluster: Scenario | Topology, *, tray: DeckTray | None = None
) -> WillItSchedule:
    """Sliders for what may befall a cluster: drains, larger requests, more units, a lost zone.

    What waits in the cluster is placed first; the sliders ask what becomes of it then.

    Parameters: cluster; tray, where "add to deck" puts its slides.
    Returns: WillItSchedule, which shows itself as the last line of a cell.
    Raises: ModelError for a cluster without nodes.

    >>> cs.panels.will_it_schedule(cs.read("cluster.yaml"))
    """
    topology = cluster if isinstance(cluster, Topology) else compile_scenario(cluster)
    if not topology.scenario.nodes:
        raise ModelError("The cluster has no nodes; cs.size_cluster gives it some.")
    tray = tray or DeckTray(
        "will-it-schedule.pptx", title=f"Will it schedule: {topology.scenario.name}"
    )
    return WillItSchedule(topology, tray)


class WillItSchedule(Panel):
    """The panel; `panel.controls.drained.value = 20` moves a slider from code."""

    def __init__(self, topology: Topology, tray: DeckTray) -> None:
        super().__init__(tray)
        self.controls = _controls(topology)
        self._topology = topology
        self._tiles = widgets.HTML()
        self._ask: Asked
        self.answer: Answer
        get_ready({"placing": self._begin, "first moves": self._foresee, "words": self._show})
        self.widget = self._laid_out(self._tiles, self.figure)
        self._afterwards = Afterwards(
            (_SOON, self._show), (_STILL, self._foresee), (_AT_REST, self.numbers.refresh)
        )
        self.controls.answer(self.respond)

    def _begin(self) -> None:
        self._ask = Asked(self._topology)
        self.answer = self._before = self._ask(self._question())
        self._names = resources.shown(self.plan)
        self.figure = live(picture(self.answer, self._before, self._names))

    def _question(self, moved: Mapping[str, Any] | None = None) -> Question:
        at = {**self.controls.values, **(moved or {})}
        zone = at.get("zone", _NO_ZONE)
        return Question(
            drained=at["drained"],
            order=ORDERS[at["order"]],
            factor=at["factor"],
            resources=SCALED[at["scaled"]],
            growth=at["growth"] / 100,
            zone="" if zone == _NO_ZONE else zone,
        )

    def respond(self) -> None:
        """What a move does: ask the engine and move the picture; the slower rest follows."""
        self._afterwards.cancel()
        with self.message.errors():
            self.answer = self._ask(self._question())
            update(self.figure, self.answer, self._names)
            self._afterwards()

    def _show(self) -> None:
        self._tiles.value = words.tiles(self.answer)

    def _foresee(self) -> None:
        """Asks what one step further would give, so that the step only has to be drawn."""
        for further in self.controls.further():
            with suppress(CapsimError):
                self._ask(self._question(further)).reasons  # noqa: B018

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
            "waiting": self.plan.reasons,
            "what changes": self.answer.comparison.table,
            "curves": curve_table(self.answer, self._names),
            "settings": self.controls.table,
        }

    def slide(self) -> go.Figure:
        """The picture as it stands, with its takeaway as title."""
        figure = picture(self.answer, self._before, self._names)
        footnote = " · ".join([resources.source(self.plan), *self._told()])
        return theme.finish(figure, self.headline, SUBTITLE, footnote, self.plan.assumptions)

    def _told(self) -> list[str]:
        at = self.answer.question
        told = [f"{at.drained:,} nodes drained, {at.order}"] if at.drained else []
        if at.factor != 1:
            told.append(f"requests of {' and '.join(at.resources)} × {at.factor:g}")
        told += [f"growth {at.growth:.0%}"] if at.growth else []
        return told + ([f"without zone {safe(at.zone)}"] if at.zone else [])


def _controls(topology: Topology) -> Controls:
    """In reading order: on the left how much, on the right of what."""
    nodes = len(topology.scenario.nodes)
    zones = sorted({node.zone for node in topology.scenario.nodes if node.zone})
    factor = slider("Requests (×)", 0.5, 2.0, 0.01)
    factor.value = 1.0
    lost = {"zone": menu("Zone that is lost", [_NO_ZONE, *zones], _NO_ZONE)} if zones else {}
    return Controls(
        drained=slider("Nodes to drain", 0, max(1, 2 * nodes // 5), max(1, nodes // 300)),
        order=menu("which are drained", ORDERS, next(iter(ORDERS))),
        factor=factor,
        scaled=menu("of which resources", SCALED, next(iter(SCALED))),
        growth=slider("More pods (%)", 0, 100),
        **lost,
    )
