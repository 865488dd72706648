"""Upgrading node pools one after the other: what has no place on the way, step by step."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from capsim.errors import ModelError
from capsim.placement.place import place
from capsim.placement.result import Cluster, Placement, topology_of
from capsim.placement.whatif.draining import drain, uncordon
from capsim.placement.whatif.nodes import add_machines, remove_nodes
from capsim.scenario import Assumption, Node
from capsim.topology import Topology

#: Labels by which managed Kubernetes names its pools: AKS, GKE, EKS, Karpenter; the first counts.
POOL_LABELS = (
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "karpenter.sh/nodepool",
)
_RULE = Assumption(
    name="upgrade of a pool",
    value="surge nodes join, as many nodes plus those that may be unavailable are drained at once, "
    "renewed nodes come back empty before the next ones are drained; what found no place waits on",
    source="GKE surge upgrades, AKS upgrade of node pools (max surge, max unavailable)",
)
_MOST_AT_ONCE = 1000


@dataclass(frozen=True)
class Step:
    """Some nodes of one pool are away at the same time."""

    pool: str
    nodes: tuple[str, ...]
    """Drained in this step."""
    nodes_there: int
    """Nodes that take units meanwhile."""
    nodes_at_most: int
    """Nodes that exist (and cost) in this step."""
    moved: int
    """Units that had to find another node."""
    waiting: int
    """Units without a node once the step's units have been placed."""
    newly_waiting: tuple[str, ...]
    """Units (namespace/name) that had a node at the start and have none now."""


@dataclass(frozen=True, eq=False)
class Upgrade:
    """The steps of an upgrade, and where everything is in the end."""

    steps: tuple[Step, ...]
    plan: Placement
    """After the last step."""
    waiting_before: int

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a step: step, pool, nodes drained, there, at_most, units moved and waiting."""
        return pd.DataFrame(
            {
                "step": range(1, len(self.steps) + 1),
                "pool": [step.pool for step in self.steps],
                "drained_nodes": [len(step.nodes) for step in self.steps],
                "first_node": [step.nodes[0] for step in self.steps],
                "nodes_there": [step.nodes_there for step in self.steps],
                "nodes_at_most": [step.nodes_at_most for step in self.steps],
                "moved_units": [step.moved for step in self.steps],
                "waiting_units": [step.waiting for step in self.steps],
                "newly_waiting_units": [len(step.newly_waiting) for step in self.steps],
            }
        )

    def summary(self) -> dict[str, float]:
        """Steps, the most nodes at once, units moved, and the most that wait in any step."""
        steps = self.steps
        return {
            "steps": len(steps),
            "most_nodes_at_once": max((step.nodes_at_most for step in steps), default=0),
            "moved_units": sum(step.moved for step in steps),
            "waiting_units_before": self.waiting_before,
            "most_waiting_units": max((step.waiting for step in steps), default=0),
            "most_newly_waiting_units": max((len(s.newly_waiting) for s in steps), default=0),
        }

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        told = self.summary()
        most, lost = int(told["most_nodes_at_once"]), int(told["most_newly_waiting_units"])
        nodes = f"{len(self.steps):,} steps, {most:,} nodes at most"
        if not lost:
            return f"The upgrade goes through in {nodes}: every unit finds another place"
        worst = max(self.steps, key=lambda step: len(step.newly_waiting))
        return f"The upgrade takes {nodes}; while {worst.pool} is drained, {lost:,} units wait"

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """The rule of the steps, and those of placing."""
        return (_RULE, *self.plan.assumptions)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.headline)}.</p>{self.table.to_html(index=False)}"


def upgrade(
    topology: Cluster,
    *,
    pool_label: str = "",
    surge: int = 1,
    unavailable: int = 0,
) -> Upgrade:
    """Every node is renewed, pool by pool: what cannot be placed at which step.

    Pools in the order of the nodes, each in batches of surge + unavailable nodes: as many surge
    nodes join, each like one of the batch and with DaemonSet units of its own; the batch is
    drained and its units are placed. Then the surge nodes stay for as many old ones, and the
    other old ones come back renewed and empty.

    Parameters: pool_label, a label that names the pool, by default that of the cloud, else the
    machine's shape; surge, nodes added; unavailable, nodes that may be away without a substitute.
    Returns: Upgrade, with .table: one row a step.
    Raises: ModelError unless surge + unavailable is from 1 to 1,000, neither below 0.

    >>> upgrade(plan.placed_topology, surge=2).headline
    """
    topology = topology_of(topology)
    if min(surge, unavailable) < 0 or not 1 <= surge + unavailable <= _MOST_AT_ONCE:
        told = f"surge {surge}, unavailable {unavailable}"
        raise ModelError(f"{told}: expected numbers from 0 that add up to 1 to {_MOST_AT_ONCE:,}.")
    start = place(topology)
    had = {start.scenario.units[u].key for u in np.flatnonzero(start.node_of >= 0).tolist()}
    steps: list[Step] = []
    plan = start
    for pool, names in pools(topology, pool_label).items():
        for batch in _batches(names, surge + unavailable):
            plan, step = _step(plan, pool, batch, min(surge, len(batch)), had)
            steps.append(step)
    return Upgrade(tuple(steps), plan, len(start.waiting))


def pools(topology: Topology, label: str = "") -> dict[str, list[str]]:
    """The names of the nodes of each pool, pools in the order of their first nodes."""
    found: dict[str, list[str]] = {}
    for node in topology.scenario.nodes:
        found.setdefault(_pool(node, label), []).append(node.name)
    return found


def _pool(node: Node, label: str) -> str:
    labels = (label,) if label else POOL_LABELS
    return next((node.labels[name] for name in labels if name in node.labels), node.shape)


def _batches(names: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return (tuple(names[i : i + size]) for i in range(0, len(names), size))


def _step(
    plan: Placement, pool: str, batch: tuple[str, ...], surge: int, had: set[str]
) -> tuple[Placement, Step]:
    """Drain a batch with surge nodes beside it, place, and let the renewed nodes come back."""
    wide = _with_surge(plan.placed_topology, batch[:surge])
    drained = place(drain(wide, batch))
    units = drained.scenario.units
    was, now = wide.unit_node, drained.node_of
    step = Step(
        pool=pool,
        nodes=batch,
        nodes_there=len(wide.allocatable) - len(batch),
        nodes_at_most=len(wide.allocatable),
        moved=int(((was >= 0) & (now >= 0) & (was != now)).sum()),
        waiting=len(drained.waiting),
        newly_waiting=tuple(units[u].key for u in drained.waiting.tolist() if units[u].key in had),
    )
    # Old nodes of which a surge node has taken the place are gone, the others come back.
    after = uncordon(remove_nodes(drained.placed_topology, batch[:surge]), batch[surge:])
    stated = {"assumptions": plan.scenario.assumptions}  # not what each step was
    return place(after.changed(after.scenario.model_copy(update=stated))), step


def _with_surge(topology: Topology, names: Sequence[str]) -> Topology:
    """With a new node like each of those named, with DaemonSet units and static pods of its own."""
    models = {node.name: node for node in topology.scenario.nodes if node.name in names}
    for name in names:
        topology = add_machines(topology, models[name], 1)
    return topology
