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
from capsim.placement.kubernetes.static import StaticTables, static_tables
from capsim.scenario import SchedulerProfile
from capsim.topology import Int32, Int64, Topology

#: Scores kept at once, over all classes of units (4 bytes each).
_CACHED_SCORES = 2**26
_NO_SLOT = -1


@dataclass(frozen=True, eq=False)
class State:
    """What is taken on each node; updated in place while units are placed."""

    used: Int64
    """[N, R]"""
    accounted: Int64
    """[N, 2] cpu and memory as scores count them."""
    gpu_free: Int64
    """[N, D] thousandths left on each board, -1 where there is none."""
    port_use: NDArray[np.int32]
    """[N, P]"""


class Engine:
    """A profile's plugins over a topology, as arrays.

    Every template is a class of units; the tables of the static plugins are made for those that
    have waiting units.
    """

    def __init__(self, topology: Topology, profile: SchedulerProfile) -> None:
        self.topology = topology
        self.profile = profile
        self.waiting = queue(topology)
        rows = np.unique(topology.unit_template[self.waiting])
        self.static = static_tables(topology, rows.tolist(), profile)
        self._row = np.full(len(topology.template_keys), -1, np.int64)
        self._row[rows] = np.arange(len(rows))
        self._ports = _Ports(topology)
        self._policy = _Policy(topology, profile)

    def initial(self) -> State:
        """The state with only the units that run already."""
        topology = self.topology
        nodes = len(topology.scenario.nodes)
        state = State(
            used=np.zeros((nodes, len(topology.resources)), np.int64),
            accounted=np.zeros((nodes, 2), np.int64),
            gpu_free=gpu_share.boards(topology.gpu_devices),
            port_use=np.zeros((nodes, self._ports.count), np.int32),
        )
        _kernels.bind_all(
            topology.unit_template,
            topology.unit_node,
            state.used,
            state.accounted,
            state.gpu_free,
            state.port_use,
            topology.request,
            topology.accounted_request,
            topology.gpu_share,
            self._ports.own_start,
            self._ports.own,
        )
        return state

    def run(self, offered: Int64, state: State, units: Int64) -> Int32:
        """Place units (rows, in the order of the queue) on what the nodes offer; updates the state.

        Returns: int32[M], the row of the node of each, -1 where nothing fits.
        """
        topology, static, ports, policy = self.topology, self.static, self._ports, self._policy
        rows = static.template_rows
        unit_class = self._row[topology.unit_template[units]]
        slot_of, slots = _slots(unit_class, len(rows), len(offered))
        request = np.ascontiguousarray(topology.request[rows])
        out = np.empty(len(units), np.int32)
        _kernels.schedule(
            unit_class,
            topology.unit_pinned[units],
            static.node_class,
            static.refusal,
            static.image * policy.w_image,
            static.taint_raw,
            static.affinity_raw,
            static.varies,
            offered,
            state.used,
            state.accounted,
            state.gpu_free,
            state.port_use,
            request,
            self.checked(request),
            topology.scoring_request[rows],
            topology.accounted_request[rows],
            topology.gpu_share[rows],
            *ports.of(rows),
            policy.w_fit,
            policy.w_balanced,
            policy.w_taint,
            policy.w_affinity,
            *policy.fit,
            *policy.balanced,
            node_resources_balanced_allocation.skipped(request, policy.balanced[0]),
            slot_of,
            slots,
            out,
        )
        return out

    def evaluate(self, offered: Int64, state: State, template: int) -> Answers:
        """What every node says to one more unit of a template (row in the topology)."""
        c = self._row[template]
        nodes, resources = offered.shape
        rows = self.static.template_rows
        request = np.ascontiguousarray(self.topology.request[rows])
        ports = self._ports.of(rows)
        answers = Answers(
            row=int(c),
            refusal=np.empty(nodes, np.int8),
            short=np.empty((nodes, resources), np.bool_),
            fit=np.zeros(nodes, np.int64),
            balanced=np.zeros(nodes, np.int64),
        )
        everywhere = np.arange(nodes)
        code = answers.refusal
        _kernels.static_filter(
            c, everywhere, nodes, self.static.node_class, self.static.refusal, code
        )
        _kernels.ports_filter(c, everywhere, nodes, state.port_use, *ports[:2], code)
        checked = self.checked(request)
        _kernels.resources_filter(c, everywhere, nodes, offered, state.used, checked, code)
        _kernels.boards_filter(
            c, everywhere, nodes, state.gpu_free, self.topology.gpu_share[rows], code
        )
        _kernels.short_resources(c, offered, state.used, checked, answers.short)
        fit, balanced = self._policy.fit, self._policy.balanced
        _kernels.fit_scores(
            c,
            everywhere,
            nodes,
            code,
            offered,
            state.used,
            state.accounted,
            self.topology.scoring_request[rows],
            *fit,
            1,
            answers.fit,
        )
        _kernels.balanced_scores(
            c, everywhere, nodes, code, offered, state.used, request, *balanced, 1, answers.balanced
        )
        return answers

    def checked(self, request: Int64) -> Int64:
        """Requests as the resource filter sees them."""
        if node_resources_fit.NAME not in self.profile.filters:
            return np.zeros_like(request)
        return node_resources_fit.checked(request, self.topology.resources, self.profile)

    def skips_balance(self, row: int) -> bool:
        """Whether a class of units (row of the static tables) asks for nothing that is balanced."""
        request = self.topology.request[self.static.template_rows[row]]
        columns = self._policy.balanced[0]
        return bool(node_resources_balanced_allocation.skipped(request[None], columns)[0])


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


class _Ports:
    """Host ports that templates hold and conflict with, as ragged rows."""

    def __init__(self, topology: Topology) -> None:
        own, against, self.count = node_ports.conflict_table(topology.templates)
        self.own_start, self.own = _ragged(own)
        self._own_rows, self._against_rows = own, against

    def of(self, rows: Int64) -> tuple[Int64, Int64, Int64, Int64]:
        """The rows of some templates: conflict start and ports, own start and ports."""
        against = _ragged([self._against_rows[row] for row in rows])
        return *against, *_ragged([self._own_rows[row] for row in rows])


def _ragged(rows: Sequence[Sequence[int]]) -> tuple[Int64, Int64]:
    start = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=start[1:])
    return start, np.array([each for row in rows for each in row], np.int64)


class _Policy:
    """Weights and scored resources of a profile, as the kernels take them."""

    def __init__(self, topology: Topology, profile: SchedulerProfile) -> None:
        weight = profile.score_weights.get
        self.w_fit = weight(node_resources_fit.NAME, 0)
        self.w_balanced = weight(node_resources_balanced_allocation.NAME, 0)
        self.w_taint = weight(taint_toleration.NAME, 0)
        self.w_affinity = weight(node_affinity.NAME, 0)
        self.w_image = weight(image_locality.NAME, 0)
        fit = node_resources_fit.scored(profile.resources, topology.resources)
        balanced = node_resources_fit.scored(profile.balanced_resources, topology.resources)
        self.fit = (
            node_resources_fit.STRATEGIES.index(profile.strategy),
            fit.columns,
            fit.weights,
            fit.scalar,
            *node_resources_fit.curve(profile),
        )
        self.balanced = (balanced.columns, balanced.scalar)


__all__ = ["Answers", "Engine", "State", "StaticTables", "queue"]
