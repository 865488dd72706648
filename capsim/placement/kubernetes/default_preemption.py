"""DefaultPreemption: whom to evict so that a unit of higher priority finds a node.

Rule: on every node whose refusal evictions could lift, all units of lower priority leave on
trial; if the newcomer fits then, they come back one by one (first those whose eviction would
break a disruption budget, in each group the most important first) unless it no longer fits. Of
the nodes the one is taken whose victims break the fewest budgets, then have the lowest highest
priority, the lowest sum of priorities, are fewest, and whose most important ones started last.
Source: Kubernetes 1.34, defaultpreemption plugin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from capsim.placement.kubernetes.answers import Answers
from capsim.placement.kubernetes.chosen import selector
from capsim.placement.kubernetes.refusals import unresolvable
from capsim.placement.kubernetes.session import Session
from capsim.scenario import Budget, Scenario, Unit

NAME = "DefaultPreemption"


@dataclass(frozen=True)
class Candidate:
    """A node, and the units that would have to leave it, the most important first."""

    node: int
    victims: tuple[int, ...]
    broken_budgets: int


@dataclass(frozen=True)
class Outcome:
    """Nodes that evictions could free, in order of the nodes, and those that are best."""

    candidates: tuple[Candidate, ...]
    best: tuple[Candidate, ...]


class Preemption:
    """Finds whom to evict, in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._units = session.engine.topology.scenario.units
        self._priority = session.residents.priority.tolist()
        self._in_vain: dict[tuple[int, int], int] = {}
        """When a class was told that no eviction helps."""
        self._budgets = _Budgets(session.engine.topology.scenario)

    def is_allowed(self, c: int) -> bool:
        """Whether units of a class may evict others."""
        engine = self._session.engine
        template = engine.template(c)
        if engine.rejection(c):
            return False
        return engine.profile_of(c).preemption and template.preemption_policy != "Never"

    def outcome(self, c: int, answers: Answers | None = None, pin: int = -1) -> Outcome:
        """What would have to happen so that a unit of a class, which fits nowhere, fits.

        pin: the one node that will do, -1 for any.
        """
        session, engine = self._session, self._session.engine
        if not self.is_allowed(c) or session.lowest_priority >= session.priority(c):
            return Outcome((), ())
        if self._in_vain.get((c, pin)) == session.changes:
            return Outcome((), ())
        said = engine.evaluate(session.state, c) if answers is None else answers
        hopeless = unresolvable(engine, session.state.offered, said, pin)
        nodes = np.flatnonzero((said.refusal != 0) & ~hopeless).astype(np.int64)
        freed = session.freed(c, nodes, said.refusal[nodes])
        found = tuple(self._candidate(c, node) for node in freed.tolist())
        if not found:
            self._in_vain[c, pin] = session.changes
        return Outcome(found, tuple(self._best(found)))

    def _candidate(self, c: int, node: int) -> Candidate:
        session = self._session
        priority = session.priority(c)
        lower = [u for u in session.on_node(node) if self._priority[u] < priority]
        breaking, others = self._budgets.split(self._by_importance(lower), self._units)
        order = [*breaking, *others]
        leaves = session.reprieve(c, node, order)
        victims = [unit for unit, goes in zip(order, leaves, strict=True) if goes]
        broken = sum(leaves[: len(breaking)])
        if 0 < broken < len(victims):
            victims = self._by_importance(victims)
        return Candidate(node, tuple(victims), broken)

    def _by_importance(self, units: Sequence[int]) -> list[int]:
        """Insertion sort, the most important first.

        Two units of equal priority that have not started are each more important than the other,
        so the kind of sort shows; Go's sort inserts where there are at most twelve.
        """
        ordered: list[int] = []
        for unit in units:
            place = len(ordered)
            while place > 0 and self._is_more_important(unit, ordered[place - 1]):
                place -= 1
            ordered.insert(place, unit)
        return ordered

    def _is_more_important(self, a: int, b: int) -> bool:
        """Higher priority, then the earlier start; a unit without one starts now."""
        if self._priority[a] != self._priority[b]:
            return bool(self._priority[a] > self._priority[b])
        starts = self._start(a), self._start(b)
        return starts[0] < starts[1] or starts == (math.inf, math.inf)

    def _start(self, unit: int) -> float:
        started = self._units[unit].started_s
        return math.inf if started is None else started

    def _best(self, found: Sequence[Candidate]) -> list[Candidate]:
        """The candidates that no criterion tells apart."""
        left = list(found)
        criteria: tuple[Callable[[Candidate], float], ...] = (
            lambda each: each.broken_budgets,
            lambda each: self._priority[each.victims[0]],
            lambda each: sum(self._priority[unit] + 2**31 for unit in each.victims),
            lambda each: len(each.victims),
            lambda each: -self._earliest_start(each),
        )
        for cost in criteria:
            lowest = min((cost(each) for each in left), default=0)
            left = [each for each in left if cost(each) == lowest]
        return left

    def _earliest_start(self, candidate: Candidate) -> float:
        """When the first of its most important victims started."""
        highest = max(self._priority[unit] for unit in candidate.victims)
        return min(self._start(u) for u in candidate.victims if self._priority[u] == highest)


class _Budgets:
    """The disruption budgets, by namespace."""

    def __init__(self, scenario: Scenario) -> None:
        self._templates = scenario.templates
        self._of: dict[str, list[Budget]] = {}
        for budget in scenario.budgets:
            self._of.setdefault(budget.namespace, []).append(budget)

    def split(self, ordered: Sequence[int], units: Sequence[Unit]) -> tuple[list[int], list[int]]:
        """Units whose eviction, in this order, breaks a budget, and the others."""
        left = {id(b): b.disruptions_allowed or 0 for each in self._of.values() for b in each}
        breaking: list[int] = []
        others: list[int] = []
        for row in ordered:
            over = False
            for budget in self._of.get(units[row].namespace, ()):
                if self._protects(budget, units[row]):
                    left[id(budget)] -= 1
                    over |= left[id(budget)] < 0
            (breaking if over else others).append(row)
        return breaking, others

    def _protects(self, budget: Budget, unit: Unit) -> bool:
        """Whether evicting the unit uses up the budget; an empty selector protects none."""
        labels = {**self._templates[unit.template].labels, **unit.labels}
        chosen = selector(budget.selector)
        if not labels or chosen.is_empty or unit.name in budget.disrupted_pods:
            return False
        return chosen.chooses(labels)
