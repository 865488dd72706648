"""The result of placing: which unit is where, what is left, and what waits for what reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from capsim.errors import ModelError
from capsim.placement import tables
from capsim.placement.kubernetes.answers import State
from capsim.placement.kubernetes.bound_claims import bound_claims
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.explain import Explanation, explain
from capsim.placement.kubernetes.refusals import Refusal, refusals
from capsim.placement.kubernetes.sampling import Sampling
from capsim.placement.kubernetes.scheduling import History
from capsim.placement.machines import Machines
from capsim.scenario import Assumption, Scenario
from capsim.topology import Int32, Int64, Topology, compile_scenario

if TYPE_CHECKING:
    import networkx as nx


def topology_of(cluster: Cluster) -> Topology:
    """What a question is asked of: a scenario compiled, a plan with its units where it put them.

    Raises: ModelError for anything else.
    """
    if isinstance(cluster, Placement):
        return cluster.placed_topology
    if isinstance(cluster, Scenario):
        return compile_scenario(cluster)
    if isinstance(cluster, Topology):
        return cluster
    raise ModelError(
        f"The cluster is of type {type(cluster).__name__}, expected a scenario (from cs.read), a "
        "compiled one or a plan (from cs.place)."
    )


@dataclass(frozen=True, eq=False)
class Placement:
    """Units on nodes, as decided by one scheduler or packer.

    N nodes, U units, R resources; rows as in the topology.
    """

    topology: Topology
    machines: Machines
    """What the nodes offer after reserve and overcommit, as it was when placing."""
    method: str
    """What decided, for example "kube-scheduler, LeastAllocated"."""
    node_of: Int32
    """[U] row of the node, -1 while waiting."""
    order: Int32
    """Rows of the units that waited at some time, in the order in which they were last tried."""
    history: History
    """Every attempt and eviction."""
    engine: Engine
    """The scheduler, compiled; it answers `explain`."""
    state: State
    """What the nodes offer and what is taken at the end."""
    seconds: float
    """Time spent deciding."""
    assumptions: tuple[Assumption, ...] = field(default=())
    sampling: Sampling | None = None
    """Where the scheduler looked at some nodes only, or drew among the best."""

    @property
    def scenario(self) -> Scenario:
        """What was placed."""
        return self.topology.scenario

    @property
    def used(self) -> Int64:
        """[N, R] requested on each node."""
        return self.state.used

    @property
    def gpu_free(self) -> Int64:
        """[N, D] thousandths left on each shared GPU board; -1 where there is no board."""
        return self.state.gpu_free

    @property
    def offered(self) -> Int64:
        """[N, R] what each node lets units request."""
        return self.machines.offered

    @property
    def free(self) -> Int64:
        """[N, R] what is left; never below 0, also where a node came overfull."""
        return np.asarray(np.maximum(self.offered - self.used, 0))

    @property
    def waiting(self) -> Int64:
        """Rows of the units that found no place, in the order in which they were tried."""
        return self.order[self.node_of[self.order] < 0].astype(np.int64)

    @cached_property
    def evicted(self) -> dict[int, int]:
        """Rows of the units that had to leave a node, and for which unit each left (last)."""
        return self.history.evictor

    @cached_property
    def refusals(self) -> tuple[Refusal, ...]:
        """Why waiting units wait: one entry for each template, counts of nodes by reason."""
        return refusals(self)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a unit: namespace, unit, template, node, zone, requests, state."""
        return tables.units(self)

    @cached_property
    def nodes(self) -> pd.DataFrame:
        """One row a node: shape, zone, units, and allocatable, requested, free by resource."""
        return tables.nodes(self)

    @cached_property
    def pending(self) -> pd.DataFrame:
        """One row a waiting unit, with the scheduler's message as of the end (all were tried)."""
        return tables.pending(self)

    @cached_property
    def reasons(self) -> pd.DataFrame:
        """Waiting units by main reason: reason, units, templates, example."""
        return tables.reasons(self)

    @property
    def graph(self) -> nx.DiGraph[str]:
        """The cluster as a graph with the units where they were placed (see topology)."""
        return self.placed_topology.graph()

    @cached_property
    def placed_topology(self) -> Topology:
        """The topology with every placed unit bound to its node, and its claims to volumes."""
        placed = tables.bind(self.topology, self.node_of)
        storage = bound_claims(self.engine, self.state.bound, self.node_of)
        if not storage:
            return placed
        return replace(placed, scenario=placed.scenario.model_copy(update=storage))

    def summary(self) -> dict[str, float]:
        """A few numbers, units in the names."""
        return tables.summary(self)

    def explain(self, unit: str) -> Explanation:
        """Why a unit (namespace/name) went where it went, or what each node said against it.

        Raises: ModelError if there is no such unit.
        """
        return explain(self, unit)

    def _repr_html_(self) -> str:
        return tables.html(self)

    def resources_shown(self) -> Sequence[str]:
        """The resources that matter to people: offered somewhere and requested by something."""
        return tables.resources_shown(self)

    def to_dict(self) -> dict[str, Any]:
        """The summary and the tables as plain data, for JSON."""
        return tables.plain(self)


Cluster: TypeAlias = Scenario | Topology | Placement
"""What can be planned and asked: see `topology_of`."""
