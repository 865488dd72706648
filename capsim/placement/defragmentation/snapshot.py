"""The cluster as a descheduler sees it: who runs where, who may go, and what was evicted so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from capsim.placement.defragmentation.evictor import Budgets, Evictor
from capsim.placement.kubernetes import node_affinity, taint_toleration
from capsim.placement.result import Placement
from capsim.scenario import CPU, MEMORY, Labels, Node, Taint, Template, Unit
from capsim.topology import Int32, Int64


@dataclass(frozen=True)
class Eviction:
    """One unit that leaves its node."""

    unit: int
    """Row."""
    node: int
    """Row of the node that it leaves."""
    why: str


class Snapshot:
    """Units on nodes; strategies evict from it. Rows are those of the plan."""

    def __init__(self, plan: Placement, evictor: Evictor) -> None:
        self.plan, self.evictor = plan, evictor
        self.topology, self.scenario = plan.topology, plan.scenario
        self.nodes: Sequence[Node] = plan.scenario.nodes
        self.units: Sequence[Unit] = plan.scenario.units
        self.node_of: Int32 = plan.node_of.copy()
        """[U] row of the node, -1 for units that wait or were evicted."""
        self.offered: Int64 = plan.offered
        self.used: Int64 = plan.used.copy()
        self.evictions: list[Eviction] = []
        self.cordoned: list[int] = []
        """Nodes that are to be cordoned before units leave them."""
        self.refused: dict[int, str] = {}
        """Units that a strategy wanted to evict, and why it must not."""
        running = [self.units[u] for u in np.flatnonzero(plan.node_of >= 0).tolist()]
        self.budgets = Budgets(plan.scenario, running)
        self.knows_owners = any(unit.owner for unit in self.units)
        """A trace that states no owner at all says nothing about them."""

    def template(self, unit: int) -> Template:
        """The template of a unit."""
        return self.scenario.templates[self.units[unit].template]

    def labels(self, unit: int) -> Labels:
        """All labels of a unit."""
        return {**self.template(unit).labels, **self.units[unit].labels}

    def on_node(self, node: int) -> list[int]:
        """Rows of the units on a node, in the order of the scenario."""
        start, order = self._by_node
        there = order[start[node] : start[node + 1]].tolist()
        return [unit for unit in there if self.node_of[unit] == node]

    @cached_property
    def _by_node(self) -> tuple[Int64, Int64]:
        placed = np.flatnonzero(self.plan.node_of >= 0)
        on = self.plan.node_of[placed]
        start = np.zeros(len(self.nodes) + 1, np.int64)
        np.cumsum(np.bincount(on, minlength=len(self.nodes)), out=start[1:])
        return start, placed[np.argsort(on, kind="stable")].astype(np.int64)

    def may_go(self, unit: int) -> bool:
        """Whether the evictor's filter lets a unit go; budgets are asked when it is evicted."""
        return not self.protection(unit)

    @cached_property
    def free_to_go(self) -> NDArray[np.bool_]:
        """[U] the same for every unit."""
        return np.array([self.may_go(unit) for unit in range(len(self.units))], np.bool_)

    def working(self, node: int) -> list[int]:
        """The units on a node but for those that are made for it; none: it is empty."""
        return [unit for unit in self.on_node(node) if not self.is_tied(unit)]

    def movable(self, node: int) -> list[int]:
        """The units that would have to leave a node so that it is empty; none if one must stay.

        Units that are made for the node (a DaemonSet's, static ones) do not count.
        """
        units = self.working(node)
        return units if all(self.may_go(unit) for unit in units) else []

    def is_tied(self, unit: int) -> bool:
        """Whether a unit is made for its node and ends with it."""
        found = self.units[unit]
        return found.pinned is not None or found.owner.startswith(("DaemonSet/", "Node/"))

    def can_evict(self, units: Sequence[int]) -> bool:
        """Whether limits and budgets let all of them go."""
        most, taken = self.evictor.most, []
        if most is not None and len(self.evictions) + len(units) > most:
            return False
        for unit in units:
            if self._over(unit) or self.budgets.objection(self.units[unit]):
                break
            self.budgets.take(self.units[unit])
            taken.append(unit)
        for unit in taken:
            self.budgets.give_back(self.units[unit])
        return len(taken) == len(units)

    def protection(self, unit: int) -> str:
        """Why a unit must stay, or nothing."""
        return self.evictor.protection(
            self.scenario, self.units[unit], knows_owners=self.knows_owners
        )

    def evict(self, unit: int, why: str) -> bool:
        """Evicts a unit, unless a rule, a limit or a budget forbids it."""
        objection = (
            self.protection(unit) or self._over(unit) or self.budgets.objection(self.units[unit])
        )
        if objection:
            self.refused.setdefault(unit, objection)
            return False
        node = int(self.node_of[unit])
        self.budgets.take(self.units[unit])
        self.node_of[unit] = -1
        self.used[node] -= self.request(unit)
        self.evictions.append(Eviction(unit, node, why))
        return True

    def _over(self, unit: int) -> str:
        """Which limit one more eviction would break."""
        node, space = int(self.node_of[unit]), self.units[unit].namespace
        limits: tuple[tuple[int | None, str, Callable[[Eviction], bool]], ...] = (
            (self.evictor.most, "the limit of evictions", lambda each: True),
            (self.evictor.most_per_node, "the limit of its node", lambda each: each.node == node),
            (
                self.evictor.most_per_namespace,
                "the limit of its namespace",
                lambda each: self.units[each.unit].namespace == space,
            ),
        )
        for limit, words, counts in limits:
            if limit is not None and sum(map(counts, self.evictions)) >= limit:
                return f"is beyond {words}"
        return ""

    def request(self, unit: int) -> Int64:
        """[R] what a unit takes of its node."""
        request: Int64 = self.topology.request[self.topology.unit_template[unit]]
        return request

    def by_priority(self, units: Iterable[int]) -> list[int]:
        """The least important first: by priority, then best effort, burstable, guaranteed."""

        def importance(unit: int) -> tuple[int, int]:
            template = self.template(unit)
            return template.priority, _quality(template)

        return sorted(units, key=importance)

    def fits_elsewhere(self, unit: int, nodes: Iterable[int]) -> bool:
        """The descheduler's NodeFit: selector, taints, cordon and room of any other node."""
        return any(node != self.node_of[unit] and self.fits(unit, node) for node in nodes)

    def fits(self, unit: int, node: int) -> bool:
        """NodeFit of one node, as if the unit were to come new."""
        template, machine = self.template(unit), self.nodes[node]
        left = self.offered[node] - self.used[node]
        request = self.request(unit)
        return (
            not machine.unschedulable
            and node_affinity.matches(template, machine)
            and taint_toleration.repelling(template, machine) is None
            and bool(np.all((request <= left) | (request == 0)))
        )


def tolerates(template: Template, taints: Iterable[Taint]) -> bool:
    """Whether every one of the taints is tolerated."""
    return all(any(each.tolerates(taint) for each in template.tolerations) for taint in taints)


def _quality(template: Template) -> int:
    """Quality of service: 0 best effort, 1 burstable, 2 guaranteed."""
    stated = [
        {name: amount for name, amount in side.items() if name in (CPU, MEMORY) and amount}
        for container in (*template.containers, *template.init_containers)
        for side in (container.requests, container.limits)
    ]
    if not any(stated):
        return 0
    pairs = zip(stated[::2], stated[1::2], strict=True)
    return 2 if all(a == b and len(b) == 2 for a, b in pairs) else 1
