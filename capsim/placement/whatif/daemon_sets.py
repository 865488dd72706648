"""A DaemonSet that asks for more: the nodes on which it fits, and who has to make room."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from capsim.errors import InputError, ModelError
from capsim.placement.place import place
from capsim.placement.result import Cluster, Placement, topology_of
from capsim.placement.whatif.selection import units_of, workload_of
from capsim.placement.whatif.templates import remade
from capsim.scenario import Assumption, Container, Template
from capsim.topology import Int64


@dataclass(frozen=True, eq=False)
class DaemonSetFit:
    """Where a DaemonSet's units fit after its template has grown."""

    workload: str
    plan: Placement
    """With the units made anew, after the units of higher priority."""
    units: Int64
    """Rows of the DaemonSet's units."""
    before: Int64
    """[len(units)] whether each had its node before: 1 or 0."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a node of the DaemonSet: node, unit, fits, fitted_before, evicted, reason."""
        listed, plan = self.plan.scenario.units, self.plan
        waits = dict(zip(plan.waiting.tolist(), plan.pending["message"], strict=True))
        evicted: dict[int, list[str]] = {}
        for victim, by in plan.evicted.items():
            evicted.setdefault(by, []).append(listed[victim].key)
        rows = self.units.tolist()
        return pd.DataFrame(
            {
                "node": [listed[row].pinned or listed[row].node or "" for row in rows],
                "unit": [listed[row].key for row in rows],
                "fits": plan.node_of[self.units] >= 0,
                "fitted_before": self.before.astype(bool),
                "evicted": [", ".join(evicted.get(row, ())) for row in rows],
                "reason": [waits.get(row, "") for row in rows],
            }
        )

    def summary(self) -> dict[str, float]:
        """Counts: nodes, and those that refuse; units evicted, and those of them that wait."""
        fits = self.plan.node_of[self.units] >= 0
        mine = set(self.units.tolist())
        gone = [victim for victim, by in self.plan.evicted.items() if by in mine]
        return {
            "nodes": len(fits),
            "refusing_nodes": int((~fits).sum()),
            "newly_refusing_nodes": int((~fits & (self.before > 0)).sum()),
            "evicted_units": len(gone),
            "evicted_units_waiting": int((self.plan.node_of[gone] < 0).sum()) if gone else 0,
        }

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        told = self.summary()
        nodes, refusing = int(told["nodes"]), int(told["refusing_nodes"])
        fits = f"{nodes - refusing:,} of {nodes:,}" if refusing else f"all {nodes:,}"
        gone, waits = int(told["evicted_units"]), int(told["evicted_units_waiting"])
        pushed = f"; it evicts {gone:,} units, {waits:,} of which wait" if gone else ""
        return f"{self.workload} fits on {fits} nodes{pushed}"

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """Those of the plan."""
        return self.plan.assumptions

    def _repr_html_(self) -> str:
        refusing = self.table[~self.table["fits"]]
        return f"<p>{html.escape(self.headline)}.</p>{refusing.to_html(index=False)}"


def grow_daemon_set(topology: Cluster, workload: str, add: Mapping[str, str]) -> DaemonSetFit:
    """Whether a DaemonSet still fits on every node if each of its units asks for more.

    Its units are made anew on their nodes, in the order of priority with all that waits; they may
    evict units of lower priority as the profile allows. The amounts are added to the first
    container, and to the requests of the unit as a whole where it states that resource.

    Parameters: workload, as namespace/name; add, quantities by resource ("250m", "1Gi").
    Raises: ModelError for an unknown workload, one that is no DaemonSet, or a bad quantity.

    >>> grow_daemon_set(topology, "kube-system/agent", {"cpu": "200m"}).table
    """
    topology = topology_of(topology)
    found = workload_of(topology, workload)
    if found.kind != "DaemonSet":
        raise ModelError(f"{workload} is a {found.kind}, expected a DaemonSet.")
    more = _amounts(add)
    rows = units_of(topology, found)
    before = (topology.unit_node[rows] >= 0).astype(np.int64)
    changed = remade(topology, rows, lambda template: _larger(template, more))
    return DaemonSetFit(workload, place(changed), rows, before)


def _amounts(add: Mapping[str, str]) -> dict[str, int]:
    try:
        return Container.model_validate({"requests": dict(add)}).requests
    except (InputError, ValueError):
        told = ", ".join(f"{name}: {amount}" for name, amount in add.items())
        raise ModelError(f"{told}: expected quantities such as cpu: 250m, memory: 1Gi.") from None


def _larger(template: Template, more: dict[str, int]) -> Template:
    first, *others = template.containers
    larger = first.model_copy(update=_sums(first, more, set(more)))
    stated = set(more) & set(template.requests)
    return template.model_copy(
        update={"containers": (larger, *others), **_sums(template, more, stated)}
    )


def _sums(
    asked: Container | Template, more: dict[str, int], names: set[str]
) -> dict[str, dict[str, int]]:
    """Requests with more of the named resources; limits that would be below are raised."""
    requests = dict(asked.requests)
    for name in names:
        requests[name] = requests.get(name, 0) + more[name]
    limits = {name: max(limit, requests.get(name, 0)) for name, limit in asked.limits.items()}
    return {"requests": requests, "limits": limits}
