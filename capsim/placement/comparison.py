"""Two plans compared unit by unit: who moved, who was evicted, who waits now, who waited before."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.placement.result import Placement
from capsim.scenario import Assumption
from capsim.topology import Int64

#: What can become of a unit, in the order of tables and figures.
CHANGES = ("moved", "evicted", "newly pending", "newly placed", "gone")
_STAYS, _MOVED, _EVICTED, _PENDING, _PLACED = range(-1, 4)
_GONE = 4


@dataclass(frozen=True, eq=False)
class Comparison:
    """What becomes of every unit from one plan to another. U units in the second plan."""

    before: Placement
    after: Placement
    was: Int64
    """[U] row of each unit in the first plan, -1 for one that is new."""
    change: Int64
    """[U] place in CHANGES, -1 where nothing changes."""
    gone: Int64
    """Rows, in the first plan, of units that the second does not have."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a unit for which something changes.

        Columns: namespace, unit, template, change (see CHANGES), is_new, from_node, to_node,
        evicted_for (the unit that took its place), reason (why it waits).
        """
        order = np.flatnonzero(self.change >= 0)
        order = order[np.argsort(self.change[order], kind="stable")]
        rows = order.tolist()
        units, after = self.after.scenario.units, self.after
        waits = dict(zip(after.waiting.tolist(), after.pending["message"], strict=True))
        evictor = after.evicted
        table = pd.DataFrame(
            {
                "namespace": [units[u].namespace for u in rows],
                "unit": [units[u].name for u in rows],
                "template": [units[u].template for u in rows],
                "change": [CHANGES[k] for k in self.change[order].tolist()],
                "is_new": self.was[order] < 0,
                "from_node": _nodes(self.before, self._nodes_before(order)),
                "to_node": _nodes(after, after.node_of[order]),
                "evicted_for": [units[evictor[u]].key if u in evictor else "" for u in rows],
                "reason": [waits.get(u, "") for u in rows],
            }
        )
        return pd.concat([table, self._gone_table()], ignore_index=True)

    def _gone_table(self) -> pd.DataFrame:
        units = [self.before.scenario.units[u] for u in self.gone.tolist()]
        return pd.DataFrame(
            {
                "namespace": [unit.namespace for unit in units],
                "unit": [unit.name for unit in units],
                "template": [unit.template for unit in units],
                "change": CHANGES[_GONE],
                "is_new": False,
                "from_node": _nodes(self.before, self.before.node_of[self.gone]),
                "to_node": "",
                "evicted_for": "",
                "reason": "",
            }
        )

    def _nodes_before(self, rows: Int64) -> Int64:
        return np.append(self.before.node_of, -1)[self.was[rows]].astype(np.int64)

    def counts(self) -> dict[str, int]:
        """Units by what becomes of them, "stays" first: with a node or waiting as before."""
        numbers = np.bincount(self.change + 1, minlength=len(CHANGES) + 1).tolist()
        named = dict(zip(("stays", *CHANGES), numbers, strict=True))
        return {**named, "gone": len(self.gone)}

    def summary(self) -> dict[str, float]:
        """Counts of units: those that change, by how, and those that wait before and after."""
        told: dict[str, float] = {
            f"{name.replace(' ', '_')}_units": n for name, n in self.counts().items()
        }
        return told | {
            "waiting_units_before": int((self.before.node_of < 0).sum()),
            "waiting_units_after": int((self.after.node_of < 0).sum()),
        }

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        counts = self.counts()
        told = [f"{n:,} {name}" for name, n in counts.items() if n and name != "stays"]
        return ", ".join(told) if told else "nothing changes"

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """Those of the second plan."""
        return self.after.assumptions

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td>{n:,}</td></tr>"
            for name, n in self.counts().items()
        )
        caption = html.escape(self.headline)
        return f"<table><caption>{caption}</caption>{rows}</table>"


def compare(plan_a: Placement, plan_b: Placement) -> Comparison:
    """What becomes of every unit from plan A to plan B.

    moved: on another node. evicted: had a node, had to leave it for a unit of higher priority,
    and waits. newly pending: had a node, or is new, and waits. newly placed: waited, or is new,
    and has a node. gone: not in plan B. Units and nodes are the same where their names are.

    Returns: Comparison, with .table (one row a unit that changes) and .counts().

    >>> compare(plan, place(drain(plan, ["n1"]))).headline
    """
    was, gone = _matched(plan_a, plan_b)
    before = _same_nodes(plan_a, plan_b)[np.append(plan_a.node_of, -1)[was]]
    now = plan_b.node_of
    had, has = np.append(plan_a.node_of >= 0, False)[was], now >= 0
    change = np.full(len(now), _STAYS, np.int64)
    change[had & has & (before != now)] = _MOVED
    change[had & ~has] = _PENDING
    change[(was < 0) & ~has] = _PENDING
    change[~had & has] = _PLACED
    left = np.array([u for u in plan_b.evicted if had[u] and not has[u]], np.int64)
    change[left] = _EVICTED
    return Comparison(plan_a, plan_b, was, change, gone)


def _matched(plan_a: Placement, plan_b: Placement) -> tuple[Int64, Int64]:
    """For each unit of B its row in A or -1, and the rows of A that are not in B."""
    a, b = plan_a.topology, plan_b.topology
    first = len(a.unit_node)
    if a.origin.topology is b.origin.topology and first <= len(b.unit_node):
        rows = np.arange(len(b.unit_node))  # copies follow the units that both share
        if len(a.origin.topology.unit_node) == first:
            return np.where(rows < first, rows, -1), np.zeros(0, np.int64)
    row = {(unit.namespace, unit.name): u for u, unit in enumerate(a.scenario.units)}
    was = np.fromiter(
        (row.get((unit.namespace, unit.name), -1) for unit in b.scenario.units), np.int64
    )
    return was, np.setdiff1d(np.arange(first), was)


def _same_nodes(plan_a: Placement, plan_b: Placement) -> Int64:
    """[nodes of A + 1] row in B of each node of A; -2 for one that is gone, at the end -1."""
    a, b = plan_a.scenario.nodes, plan_b.scenario.nodes
    if a is b or plan_a.topology.origin.topology is plan_b.topology.origin.topology:
        return np.append(np.arange(len(a)), -1)
    row = {node.name: n for n, node in enumerate(b)}
    return np.array([*(row.get(node.name, -2) for node in a), -1], np.int64)


def _nodes(plan: Placement, rows: NDArray[np.integer]) -> list[str]:
    names = [*(node.name for node in plan.scenario.nodes), ""]
    return [names[row] for row in rows.tolist()]


__all__ = ["CHANGES", "Comparison", "compare"]
