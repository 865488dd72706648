"""defragment: which few evictions free how much, and where the evicted units would land."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Protocol

import numpy as np
import pandas as pd

from capsim.errors import ModelError, nearest
from capsim.placement.defragmentation import (
    fewest_evictions,
    high_node_utilization,
    inter_pod_anti_affinity,
    low_node_utilization,
    node_affinity,
    node_taints,
    remove_duplicates,
    topology_spread,
)
from capsim.placement.defragmentation.evictor import Evictor
from capsim.placement.defragmentation.result import Defragmentation
from capsim.placement.defragmentation.snapshot import Snapshot
from capsim.placement.place import decide, place, scheduler
from capsim.placement.result import Placement
from capsim.scenario import Node, Scenario, Unit
from capsim.topology import Int64, Topology


class Strategy(Protocol):
    """What decides who is evicted."""

    def evict(self, snapshot: Snapshot) -> None:
        """Evicts units of the snapshot."""


#: By name, with the thresholds of the descheduler's documentation; others are made by hand.
STRATEGIES: dict[str, Strategy] = {
    low_node_utilization.NAME: low_node_utilization.LowNodeUtilization(),
    high_node_utilization.NAME: high_node_utilization.HighNodeUtilization(),
    remove_duplicates.NAME: remove_duplicates.RemoveDuplicates(),
    topology_spread.NAME: topology_spread.RemovePodsViolatingTopologySpreadConstraint(),
    node_affinity.NAME: node_affinity.RemovePodsViolatingNodeAffinity(),
    inter_pod_anti_affinity.NAME: (
        inter_pod_anti_affinity.RemovePodsViolatingInterPodAntiAffinity()
    ),
    node_taints.NAME: node_taints.RemovePodsViolatingNodeTaints(),
    f"{fewest_evictions.NAME}:waiting": fewest_evictions.FewestEvictions(goal="waiting"),
    f"{fewest_evictions.NAME}:nodes": fewest_evictions.FewestEvictions(goal="nodes"),
}


def defragment(
    cluster: Placement | Topology | Scenario,
    *,
    strategy: str | Strategy = high_node_utilization.NAME,
    evictor: Evictor | None = None,
) -> Defragmentation:
    """Which units a strategy evicts, where the scheduler puts them then, and what that frees.

    All evictions happen at once; then the scheduler places the units that waited before and, behind
    those of their priority, the evicted ones in the order in which they were evicted.

    Parameters: cluster, a plan, or what is to be placed first; strategy, a name (see
    `defragmentation.STRATEGIES`) or an instance with thresholds of its own; evictor, what protects
    units and how many may go, by default the descheduler's rules.
    Returns: Defragmentation, with .table: one row an eviction.
    Raises: ModelError for an unknown strategy or resource.
    Model: docs/models/defragmentation.md.

    >>> cs.defragment(plan, strategy="HighNodeUtilization").summary()
    """
    before = cluster if isinstance(cluster, Placement) else place(cluster)
    name, chosen = _named(strategy)
    snapshot = Snapshot(before, evictor or Evictor())
    chosen.evict(snapshot)
    return Defragmentation(
        strategy=name,
        before=before,
        after=_placed_again(before, snapshot),
        evictions=tuple(snapshot.evictions),
        cordoned=tuple(snapshot.cordoned),
        refused=dict(snapshot.refused),
        knows_owners=snapshot.knows_owners,
    )


def compare_defragmentations(
    cluster: Placement | Topology | Scenario,
    strategies: Iterable[str | Strategy] = tuple(STRATEGIES),
    *,
    evictor: Evictor | None = None,
) -> pd.DataFrame:
    """The same cluster under several strategies: one row each, with the numbers of its summary.

    >>> cs.compare_defragmentations(plan)[["strategy", "evictions", "empty_nodes_after"]]
    """
    before = cluster if isinstance(cluster, Placement) else place(cluster)
    found = [defragment(before, strategy=each, evictor=evictor) for each in strategies]
    return pd.DataFrame([{"strategy": each.strategy, **each.summary()} for each in found])


def _named(strategy: str | Strategy) -> tuple[str, Strategy]:
    if not isinstance(strategy, str):
        return type(strategy).__name__, strategy
    if strategy not in STRATEGIES:
        raise ModelError(f"no strategy {strategy!r}{nearest(strategy, STRATEGIES)}.")
    return strategy, STRATEGIES[strategy]


def _placed_again(before: Placement, snapshot: Snapshot) -> Placement:
    """The plan after the evictions; a node that is to be emptied is cordoned first."""
    topology = before.placed_topology
    gone = [each.unit for each in snapshot.evictions]
    units = list(topology.scenario.units)
    for row in gone:
        units[row] = _evicted(units[row])
    nodes = list(topology.scenario.nodes)
    for row in snapshot.cordoned:
        nodes[row] = _cordoned(nodes[row])
    changed = {"units": tuple(units), "nodes": tuple(nodes)}
    topology = dataclasses.replace(
        topology,
        scenario=topology.scenario.model_copy(update=changed),
        unit_node=snapshot.node_of,
    )
    policy = before.engine.profile
    queue = _queue(before, gone, scheduler(topology, policy).waiting)
    return decide(topology, policy, before.machines, queue)


def _queue(before: Placement, gone: list[int], enters: Int64) -> Int64:
    """Those that waited, then the evicted, by priority."""
    rows = np.array([*before.waiting.tolist(), *gone], np.int64)
    rows = rows[np.isin(rows, enters)]
    priority = before.topology.priority[before.topology.unit_template[rows]]
    ordered: Int64 = rows[np.argsort(-priority, kind="stable")]
    return ordered


def _evicted(unit: Unit) -> Unit:
    return unit.model_copy(update={"node": None, "started_s": None})


def _cordoned(node: Node) -> Node:
    return node.model_copy(update={"unschedulable": True})
