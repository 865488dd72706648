"""The scheduling core: compiled once a scenario and profile, run as often as a slider moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import (
    _kernels,
    gpu_share,
    image_locality,
    node_affinity,
    node_ports,
    node_resources_balanced_allocation,
    node_resources_fit,
    taint_toleration,
)
from capsim.placement.kubernetes._kernels import Nodes, Policy, Static, Units
from capsim.placement.kubernetes.static import StaticTables, static_tables
from capsim.scenario import SchedulerProfile
from capsim.topology import Int32, Int64, Topology

#: Scores kept at once, over all classes of units (4 bytes each).
_CACHED_SCORES = 2**26
_NO_SLOT = -1


class Engine:
    """A profile's plugins over a topology, as arrays.

    Every template is a class of units; the tables of the static plugins are made for those that
    have waiting units.
    """

    def __init__(self, topology: Topology, profile: SchedulerProfile) -> None:
        self.topology = topology
        self.profile = profile
        self.waiting = queue(topology)
        rows = np.unique(topology.unit_template[self.waiting]).astype(np.int64)
        self.static = static_tables(topology, rows.tolist(), profile)
        self._row = np.full(len(topology.template_keys), -1, np.int64)
        self._row[rows] = np.arange(len(rows))
        self._policy = _policy(topology, profile)
        self._ports = node_ports.conflict_table(topology.templates)
        self._units = self._units_of(rows)
        self._tables = _static(self.static, profile)

    def initial(self, offered: Int64) -> Nodes:
        """What the nodes offer, with only the units that run already."""
        topology = self.topology
        count = len(offered)
        nodes = Nodes(
            offered=offered,
            used=np.zeros(offered.shape, np.int64),
            accounted=np.zeros((count, 2), np.int64),
            gpu_free=gpu_share.boards(topology.gpu_devices),
            port_use=np.zeros((count, self._ports[2]), np.int32),
        )
        if (topology.unit_node >= 0).any():
            everything = self._units_of(np.arange(len(topology.template_keys)))
            _kernels.bind_all(topology.unit_template, topology.unit_node, nodes, everything)
        return nodes

    def run(self, nodes: Nodes, units: Int64) -> Int32:
        """Place units (rows, in the order of the queue); updates the nodes.

        Returns: int32[M], the row of the node of each, -1 where nothing fits.
        """
        unit_class = self._row[self.topology.unit_template[units]]
        slot_of, slots = _slots(unit_class, len(self.static.template_rows), len(nodes.offered))
        out = np.empty(len(units), np.int32)
        _kernels.schedule(
            unit_class,
            self.topology.unit_pinned[units],
            nodes,
            self._units,
            self._tables,
            self._policy,
            slot_of,
            slots,
            out,
        )
        return out

    def bind(self, nodes: Nodes, template: int, node: int) -> None:
        """Account one unit of a template (row in the topology) on a node."""
        _kernels.bind(node, self._row[template], nodes, self._units)

    def evaluate(self, nodes: Nodes, template: int) -> Answers:
        """What every node says to one more unit of a template (row in the topology)."""
        c = self._row[template]
        count, resources = nodes.offered.shape
        answers = Answers(
            row=int(c),
            refusal=np.empty(count, np.int8),
            short=np.empty((count, resources), np.bool_),
            fit=np.zeros(count, np.int64),
            balanced=np.zeros(count, np.int64),
        )
        everywhere, code = np.arange(count), answers.refusal
        units, policy = self._units, self._policy
        _kernels.filter_nodes(c, everywhere, count, nodes, units, self._tables, code)
        _kernels.short_resources(c, nodes, units, answers.short)
        _kernels.fit_scores(c, everywhere, count, code, nodes, units, policy, 1, answers.fit)
        _kernels.balanced_scores(
            c, everywhere, count, code, nodes, units, policy, 1, answers.balanced
        )
        return answers

    def checked(self, template: int) -> Int64:
        """[R] requests of a template (row in the topology) as the resource filter sees them."""
        checked: Int64 = self._units.checked[self._row[template]]
        return checked

    def skips_balance(self, row: int) -> bool:
        """Whether a class of units (row of the static tables) asks for nothing that is balanced."""
        return bool(self._units.skips_balance[row])

    def _units_of(self, rows: Int64) -> Units:
        """The tables of some templates (rows in the topology)."""
        topology, profile = self.topology, self.profile
        request = np.ascontiguousarray(topology.request[rows])
        own, against, _ = self._ports
        checks = node_resources_fit.NAME in profile.filters
        asks = node_ports.NAME in profile.filters
        return Units(
            request,
            node_resources_fit.checked(request, topology.resources, profile) * checks,
            np.ascontiguousarray(topology.scoring_request[rows]),
            np.ascontiguousarray(topology.accounted_request[rows]),
            np.ascontiguousarray(topology.gpu_share[rows]),
            *_ragged([against[row] if asks else () for row in rows]),
            *_ragged([own[row] for row in rows]),
            node_resources_balanced_allocation.skipped(request, self._policy.balanced_columns),
        )


@dataclass(frozen=True, eq=False)
class Answers:
    """What N nodes say to one class of units."""

    row: int
    """Row of the class in the static tables."""
    refusal: NDArray[np.int8]
    """[N] 0 fits, k > 0 static filter k, -1 host ports, -2 resources, -3 GPU boards."""
    short: NDArray[np.bool_]
    """[N, R] resources of which too little is left."""
    fit: Int64
    """[N] score of NodeResourcesFit where it fits."""
    balanced: Int64
    """[N] score of NodeResourcesBalancedAllocation where it fits."""


def queue(topology: Topology) -> Int64:
    """Rows of the waiting units in the order of the active queue: priority, then arrival.

    Units held by a scheduling gate never enter it. Source: Kubernetes 1.34, queuesort plugin.
    """
    gated = np.array([bool(t.scheduling_gates) for t in topology.templates], bool)
    enters = (topology.unit_node < 0) & ~gated[topology.unit_template]
    waiting = np.flatnonzero(enters)
    priority = topology.priority[topology.unit_template[waiting]]
    return waiting[np.argsort(-priority, kind="stable")].astype(np.int64)


def _slots(unit_class: Int64, classes: int, nodes: int) -> tuple[Int64, int]:
    """Which classes keep their scores: the most frequent ones, as many as memory allows."""
    members = np.bincount(unit_class, minlength=classes)
    room = max(1, _CACHED_SCORES // max(1, nodes))
    chosen = np.argsort(-members, kind="stable")[:room]
    chosen = chosen[members[chosen] > 1]
    slot_of = np.full(classes, _NO_SLOT, np.int64)
    slot_of[chosen] = np.arange(len(chosen))
    return slot_of, len(chosen)


def _ragged(rows: Sequence[Sequence[int]]) -> tuple[Int64, Int64]:
    start = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=start[1:])
    return start, np.array([each for row in rows for each in row], np.int64)


def _static(static: StaticTables, profile: SchedulerProfile) -> Static:
    return Static(
        static.node_class,
        static.refusal,
        static.image * profile.score_weights.get(image_locality.NAME, 0),
        static.taint_raw,
        static.affinity_raw,
        static.varies,
    )


def _policy(topology: Topology, profile: SchedulerProfile) -> Policy:
    weight = profile.score_weights.get
    fit = node_resources_fit.scored(profile.resources, topology.resources)
    balanced = node_resources_fit.scored(profile.balanced_resources, topology.resources)
    return Policy(
        weight(node_resources_fit.NAME, 0),
        weight(node_resources_balanced_allocation.NAME, 0),
        weight(taint_toleration.NAME, 0),
        weight(node_affinity.NAME, 0),
        node_resources_fit.STRATEGIES.index(profile.strategy),
        fit.columns,
        fit.weights,
        fit.scalar,
        *node_resources_fit.curve(profile),
        balanced.columns,
        balanced.scalar,
    )


__all__ = ["Answers", "Engine", "Nodes", "queue"]
