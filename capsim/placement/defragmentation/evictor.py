"""Which running units may be evicted: the rules of the descheduler's DefaultEvictor, and budgets.

Never: units that are ending, those of a DaemonSet, static ones, those that nothing would make
anew, system-critical ones (priority 2,000,000,000 and up) and those at or above a threshold, those
with a directory of their node (emptyDir, hostPath). An eviction that a disruption budget does not
allow is refused; so is one that two budgets are about.
Source: kubernetes-sigs/descheduler, defaultevictor plugin; Kubernetes 1.34, the eviction
subresource and the disruption controller (a budget without a status allows the healthy units above
minAvailable, or above all less maxUnavailable; percentages are rounded up).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydantic import Field

from capsim.placement.kubernetes.chosen import selector
from capsim.scenario import Budget, Scenario, Unit
from capsim.scenario.spec import Spec

SYSTEM_CRITICAL = 2_000_000_000


class Evictor(Spec):
    """What protects units, and how many may go; the defaults are the descheduler's."""

    priority_threshold: int = Field(default=SYSTEM_CRITICAL, le=SYSTEM_CRITICAL)
    """Units of this priority and above stay."""
    evicts_local_storage: bool = False
    evicts_bare_units: bool = False
    """Also units that no workload would make anew."""
    most: int | None = Field(default=None, ge=0)
    """Evictions in all; None: no limit."""
    most_per_node: int | None = Field(default=None, ge=0)
    most_per_namespace: int | None = Field(default=None, ge=0)

    def protection(self, scenario: Scenario, unit: Unit, *, knows_owners: bool) -> str:
        """Why a unit must stay, or nothing."""
        template = scenario.templates[unit.template]
        kind = unit.owner.partition("/")[0]
        if unit.terminating:
            return "is ending already"
        if kind == "DaemonSet":
            return "belongs to a DaemonSet"
        if kind == "Node":
            return "is static"
        if unit.pinned is not None:
            return "is tied to its node"
        if knows_owners and not unit.owner and not self.evicts_bare_units:
            return "has no owner that would make it anew"
        if template.priority >= SYSTEM_CRITICAL:
            return "is system-critical"
        if template.priority >= self.priority_threshold:
            return "has a priority at or above the threshold"
        if template.local_storage and not self.evicts_local_storage:
            return "has local storage"
        return ""


class Budgets:
    """How many more evictions the disruption budgets allow."""

    def __init__(self, scenario: Scenario, running: Iterable[Unit]) -> None:
        self._scenario = scenario
        self._of: dict[str, list[Budget]] = {}
        for budget in scenario.budgets:
            self._of.setdefault(budget.namespace, []).append(budget)
        healthy = [unit for unit in running if unit.namespace in self._of]
        self._left = {id(budget): self._allowed(budget, healthy) for budget in scenario.budgets}

    def _allowed(self, budget: Budget, running: Iterable[Unit]) -> int:
        if budget.disruptions_allowed is not None:
            return budget.disruptions_allowed
        expected = sum(self._protects(budget, unit) for unit in self._scenario.units)
        healthy = sum(self._protects(budget, unit) for unit in running)
        if budget.max_unavailable:
            wanted = expected - _scaled(budget.max_unavailable, expected)
        else:
            wanted = _scaled(budget.min_available or "0", expected)
        return max(0, healthy - wanted)

    def objection(self, unit: Unit) -> str:
        """Why the eviction of a unit would be refused now, or nothing."""
        about = self._about(unit)
        if len(about) > 1:
            return "is in several disruption budgets"
        if about and self._left[id(about[0])] < 1:
            return "is kept by a disruption budget"
        return ""

    def take(self, unit: Unit) -> None:
        """A unit is evicted."""
        for budget in self._about(unit):
            self._left[id(budget)] -= 1

    def give_back(self, unit: Unit) -> None:
        """The eviction of a unit is undone."""
        for budget in self._about(unit):
            self._left[id(budget)] += 1

    def _about(self, unit: Unit) -> list[Budget]:
        return [each for each in self._of.get(unit.namespace, ()) if self._protects(each, unit)]

    def _protects(self, budget: Budget, unit: Unit) -> bool:
        if budget.namespace != unit.namespace or budget.selector is None:
            return False
        labels = {**self._scenario.templates[unit.template].labels, **unit.labels}
        return selector(budget.selector).chooses(labels)


def _scaled(text: str, whole: int) -> int:
    """A number, or a percentage of the whole, rounded up."""
    if text.endswith("%"):
        return math.ceil(int(text[:-1]) * whole / 100)
    return int(text)
