"""What the sliders ask, and the engine's answer."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.figures import resources
from capsim.figures.pending import reason_words
from capsim.figures.resources import Float32
from capsim.figures.utilisation import POINTS, sorted_use
from capsim.placement import (
    Comparison,
    Placement,
    change_requests,
    compare,
    drain,
    grow,
    place,
    remove_zone,
)
from capsim.scenario import CPU, MEMORY
from capsim.topology import Topology

#: Which nodes a drain takes first: words of the menu to a name.
ORDERS = {
    "the emptiest first": "emptiest",
    "drawn at random": "random",
    "in the order of the cluster": "listed",
}
#: Whose requests are multiplied.
SCALED = {"CPU and memory": (CPU, MEMORY), "CPU": (CPU,), "memory": (MEMORY,)}
_SEED = 1
_KEPT = 16


@dataclass(frozen=True)
class Question:
    """Where the sliders stand."""

    drained: int
    order: str
    factor: float
    """Of the requests of all units."""
    resources: tuple[str, ...]
    growth: float
    """Units to add, as a share of those there are."""
    zone: str
    """The zone that is lost; empty for none."""


@dataclass(frozen=True, eq=False)
class Answer:
    """A placement, and what has become of every unit; worked out when first asked for."""

    question: Question
    plan: Placement
    before: Placement
    """The cluster before anything is changed, with what waits placed."""

    @cached_property
    def comparison(self) -> Comparison:
        """What becomes of every unit."""
        return compare(self.before, self.plan)

    @cached_property
    def reasons(self) -> Counter[str]:
        """Waiting units by main reason, in words."""
        counts: Counter[str] = Counter()
        for refusal in self.plan.refusals:
            counts[reason_words(refusal.main)] += len(refusal.units)
        return counts

    @property
    def open_nodes(self) -> int:
        """Nodes that take units."""
        return int(self._is_open.sum())

    @cached_property
    def _is_open(self) -> NDArray[np.bool_]:
        return np.array([not node.unschedulable for node in self.plan.scenario.nodes], np.bool_)

    def curves(self, names: Sequence[str]) -> dict[str, tuple[Float32, Float32]]:
        """Of each resource: nodes that offer it, fullest first, and percent requested.

        Nodes that take no units and have none any more are left out.
        """
        is_there = self._is_open | (self.plan.used > 0).any(axis=1)
        curves = {}
        for name in names:
            use = np.where(is_there, resources.use(self.plan, name), np.nan)
            count = np.count_nonzero(~np.isnan(use))
            curves[name] = (np.linspace(0, count, POINTS, dtype=np.float32), sorted_use(use))
        return curves


class Asked:
    """A cluster that answers questions; the latest answers are kept.

    What waits in the cluster is placed first, and bound: questions are about what runs then.
    """

    def __init__(self, topology: Topology) -> None:
        self.topology = place(topology).placed_topology
        self.before = place(self.topology)
        self._answers: OrderedDict[Any, Answer] = OrderedDict()
        self._steps: OrderedDict[Any, Any] = OrderedDict()

    def __call__(self, question: Question) -> Answer:
        """The answer to a question.

        Raises: ModelError for a question that the engine refuses.
        """
        answer: Answer = _kept(self._answers, question, lambda: self._answer(question))
        return answer

    def _answer(self, question: Question) -> Answer:
        plan = place(self._changed(question))
        return Answer(question, plan, self.before)

    def _changed(self, question: Question) -> Topology:
        """The cluster that is asked about; what earlier questions changed alike is not redone."""
        zone, order = question.zone, question.order
        there = self._step(("zone", zone), lambda: _without(self.topology, zone))
        names = self._step(("order", zone, order), lambda: drain_order(there, order))
        key: tuple[object, ...] = (zone, order, question.drained)
        topology: Topology = self._step(key, lambda: drain(there, names[: question.drained]))
        key = (*key, question.growth)
        topology = self._step(key, lambda: grow(topology, question.growth))
        return change_requests(topology, question.factor, resources=question.resources)

    def _step(self, key: object, make: Callable[[], Any]) -> Any:
        return _kept(self._steps, key, make)


def drain_order(topology: Topology, order: str) -> list[str]:
    """The names of the nodes, those that are drained first in front.

    The emptiest are those with the smallest of their largest requested shares of a resource.
    """
    names = np.array([node.name for node in topology.scenario.nodes], object)
    if order == "random":
        shuffled: list[str] = np.random.default_rng(_SEED).permutation(names).tolist()
        return shuffled
    if order == "listed":
        listed: list[str] = names.tolist()
        return listed
    plan = place(topology)
    use = np.where(plan.offered > 0, plan.used / np.maximum(plan.offered, 1), 0).max(axis=1)
    emptiest: list[str] = names[np.argsort(use, kind="stable")].tolist()
    return emptiest


def _without(topology: Topology, zone: str) -> Topology:
    return remove_zone(topology, zone) if zone else topology


def _kept(kept: OrderedDict[Any, Any], key: object, make: Callable[[], Any]) -> Any:
    """What is kept under the key, made if it is not there; the least recent is forgotten."""
    if key not in kept:
        kept[key] = make()
    kept.move_to_end(key)
    while len(kept) > _KEPT:
        kept.popitem(last=False)
    return kept[key]
