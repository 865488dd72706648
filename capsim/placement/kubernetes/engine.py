"""The scheduling core: compiled once a scenario and profile, run as often as a slider moves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import (
    _kernels,
    gpu_share,
    image_locality,
    inter_pod_affinity,
    node_affinity,
    node_ports,
    node_resources_balanced_allocation,
    node_resources_fit,
    pod_topology_spread,
    resource_quota,
    taint_toleration,
)
from capsim.placement.kubernetes._kernels import Counts, Nodes, Policy, Scratch, Static, Units
from capsim.placement.kubernetes.classes import Kind, kinds
from capsim.placement.kubernetes.counters import counters
from capsim.placement.kubernetes.profiles import Profiles
from capsim.placement.kubernetes.static import FILTERS, NARROWED, StaticTables, static_tables
from capsim.scenario import FILTER_ORDER, SchedulerProfile, Template
from capsim.topology import Int64, Topology

#: Code of the kernels to filter.
_FILTER_OF = {
    -1: node_ports.NAME,
    -2: node_resources_fit.NAME,
    -3: gpu_share.NAME,
    **dict.fromkeys((-4, -5), pod_topology_spread.NAME),
    **dict.fromkeys((-6, -7, -8), inter_pod_affinity.NAME),
}


class State(NamedTuple):
    """What is taken while units are placed; updated in place."""

    nodes: Nodes
    counts: Counts

    @property
    def used(self) -> Int64:
        """[N, R] requested on each node."""
        return self.nodes.used

    @property
    def gpu_free(self) -> Int64:
        """[N, D] thousandths left on each shared GPU board."""
        return self.nodes.gpu_free


class Engine:
    """A configuration's plugins over a topology, as arrays.

    Units that no plugin can tell apart are one class. Classes that may have to be placed come
    first (units that wait, and those that could be evicted); the others are only counted.
    """

    def __init__(
        self, topology: Topology, profile: SchedulerProfile, *, asks_all: bool = False
    ) -> None:
        self.topology = topology
        self.profile = profile
        self.profiles = Profiles((profile, *topology.scenario.other_profiles))
        self.over_quota: dict[int, str] = {}
        """Units that quotas keep from being created, and the API server's words."""
        self.admit()
        found, kind_of = kinds(topology, self.profiles)
        asks = asking(topology, found, kind_of[self.waiting], self.profiles) | asks_all
        order = np.argsort(~asks, kind="stable")
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        self.kinds = [found[i] for i in order.tolist()]
        self.class_of: Int64 = rank[kind_of]
        self.asking = int(asks.sum())
        """Number of classes that may have to be placed."""
        template_of = np.array([kind.template for kind in self.kinds], np.int64)
        self.template_of: Int64 = template_of
        self.static = static_tables(topology, template_of[: self.asking].tolist(), self.profiles)
        self.counters = counters(topology, self.kinds, self.asking, self.static, self.profiles)
        self.tables = static_arrays(self.static, self.image_weights())
        self.policies = [_policy(topology, each) for each in self.profiles.all]
        self._ports = node_ports.conflict_table(topology.templates)
        self.units = self.units_of(template_of)

    def admit(self) -> None:
        """The queue: what waits, without what quotas keep from being created."""
        self.over_quota = resource_quota.refused(self.topology.scenario)
        waiting = queue(self.topology, self.profiles)
        self.waiting = waiting[~np.isin(waiting, list(self.over_quota))]

    @cached_property
    def complete(self) -> Engine:
        """The same with every class ready to be placed, for what-ifs to follow (see following)."""
        return Engine(self.topology, self.profile, asks_all=True)

    def image_weights(self) -> Int64:
        """[C] what ImageLocality counts for each class."""
        templates = (self.template(c) for c in range(self.asking))
        weights = (self.profiles.of(each).score_weights for each in templates)
        return np.array([each.get(image_locality.NAME, 0) for each in weights], np.int64)

    def template(self, c: int) -> Template:
        """The template of a class."""
        key = self.topology.template_keys[self.kinds[c].template]
        return self.topology.scenario.templates[key]

    def profile_of(self, c: int) -> SchedulerProfile:
        """The profile that schedules a class."""
        return self.profiles.of(self.template(c))

    def initial(self, offered: Int64) -> State:
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
        state = State(nodes, self.counters.empty())
        if (topology.unit_node >= 0).any():
            _kernels.bind_all(
                self.class_of, topology.unit_node, *state, self.units, self.counters.rows
            )
        return state

    def evaluate(self, state: State, c: int) -> Answers:
        """What every node says to one more unit of a class."""
        nodes, counts = state
        units, policy = self.units, self.policies[self.profiles.number(self.template(c))]
        rows, asks = self.counters.rows, self.counters.asks
        count, resources = nodes.offered.shape
        answers = Answers(
            row=c,
            refusal=np.empty(count, np.int8),
            short=np.empty((count, resources), np.bool_),
            fit=np.zeros(count, np.int64),
            balanced=np.zeros(count, np.int64),
            spread=np.zeros(count, np.int64),
            pods=np.zeros(count, np.int64),
        )
        everywhere, code = np.arange(count), answers.refusal
        self.refuse(state, c, everywhere, code)
        _kernels.short_resources(c, nodes, units, answers.short)
        _kernels.fit_scores(c, everywhere, count, code, nodes, units, policy, 1, answers.fit)
        _kernels.balanced_scores(
            c, everywhere, count, code, nodes, units, policy, 1, answers.balanced
        )
        if asks.cells[c] < 0:
            return answers
        spreads, said = _kernels.topology_scores(
            c,
            everywhere,
            count,
            code,
            rows,
            counts,
            asks,
            self.scratch(),
            answers.spread,
            answers.pods,
        )
        return dataclasses.replace(answers, is_spread=spreads, has_company=said)

    def refuse(self, state: State, c: int, where: Int64, code: NDArray[np.int8]) -> None:
        """Sets code: for each node of where the first filter, in the profile's order, to refuse."""
        nodes, counts = state
        rows, asks = self.counters.rows, self.counters.asks
        count = len(code)
        _kernels.filter_nodes(c, where, count, nodes, self.units, self.tables, code)
        if asks.cells[c] >= 0:
            _kernels.topology_filter(c, where, count, rows, counts, asks, code)
        order = self.profile_of(c).filters
        if order == tuple(name for name in FILTER_ORDER if name in order):
            return
        groups = [np.zeros(count, np.int8) for _ in range(6)]
        static, ports, resources, boards, spread, pods = groups
        _kernels.static_filter(c, where, count, self.tables, static)
        _kernels.ports_filter(c, where, count, nodes, self.units, ports)
        _kernels.resources_filter(c, where, count, nodes, self.units, resources)
        _kernels.boards_filter(c, where, count, nodes, self.units, boards)
        _kernels.spread_filter(c, where, count, rows, counts, asks, spread)
        _kernels.company_filter(c, where, count, rows, counts, asks, pods)
        place = np.array([_place(refusal, order) for refusal in range(-8, NARROWED + 1)])
        said = np.stack(groups)
        first = place[said + 8].argmin(axis=0)
        code[:] = np.take_along_axis(said, first[None], axis=0)[0]

    def scratch(self) -> Scratch:
        """Room for the spread score to work in."""
        domains = int(np.diff(self.counters.rows.start).max(initial=1))
        return Scratch(
            np.zeros(max(1, len(self.topology.scenario.nodes))),
            np.zeros(domains, np.int64),
            np.zeros(1, np.int64),
            self._logarithms,
        )

    @cached_property
    def _logarithms(self) -> NDArray[np.float64]:
        """Natural logarithms of 1, 2, ..., at the places of these numbers."""
        most = len(self.topology.scenario.nodes) + 2
        return np.array([0.0, *(math.log(size) for size in range(1, most + 1))])

    def resource_groups(self) -> Int64:
        """[asking] a number for each class, equal where the resource plugins say the same."""
        units, count = self.units, self.asking
        number = [self.profiles.number(self.template(c)) for c in range(count)]
        table = np.column_stack(
            [
                np.array(number, np.int64),
                *(each[:count] for each in (units.request, units.checked, units.scoring)),
            ]
        )
        _, group = np.unique(table, axis=0, return_inverse=True)
        return group.reshape(-1).astype(np.int64)

    def heard(self, c: int) -> tuple[NDArray[np.bool_], Int64, Int64]:
        """Whose units the topology filters of a class count.

        Returns: [C] the classes that any of its rows counts; [J] its rows that must count nobody
        in the domain of a node; [J, C] what a unit of each class adds to those.
        """
        asks, rows = self.counters.asks, self.counters.rows
        hard, near, apart, shun = (
            row[at[c] : at[c + 1]]
            for at, row in (
                (asks.hard_start, asks.hard_row),
                (asks.near_start, asks.near_row),
                (asks.apart_start, asks.apart_row),
                (asks.shun_start, asks.shun_row),
            )
        )
        classes = self._adding
        is_asked = np.zeros(len(rows.key), np.bool_)
        is_asked[np.concatenate([hard, near, apart, shun])] = True
        heard = np.zeros(len(self.kinds), np.bool_)
        heard[classes[is_asked[rows.add_row]]] = True
        unwanted_row = np.concatenate([apart, shun])
        unwanted = np.zeros((len(unwanted_row), len(self.kinds)), np.int64)
        for j, q in enumerate(unwanted_row.tolist()):
            adds = rows.add_row == q
            unwanted[j, classes[adds]] = rows.add_amount[adds]
        return heard, unwanted_row, unwanted

    @cached_property
    def _adding(self) -> Int64:
        """The class behind each entry of Rows.add_row."""
        return np.repeat(np.arange(len(self.kinds)), np.diff(self.counters.rows.add_start))

    def checked(self, c: int) -> Int64:
        """[R] requests of a class as the resource filter sees them."""
        checked: Int64 = self.units.checked[c]
        return checked

    def skips_balance(self, c: int) -> bool:
        """Whether a class asks for nothing that is balanced."""
        return bool(self.units.skips_balance[c])

    def units_of(self, rows: Int64) -> Units:
        """The tables of classes with these templates."""
        topology = self.topology
        request = np.ascontiguousarray(topology.request[rows])
        own, against, _ = self._ports
        number = np.array([self.profiles.number(t) for t in topology.templates], np.int64)[rows]
        checked, skipped = np.zeros_like(request), np.zeros(len(rows), np.bool_)
        against_of = [against[row] for row in rows.tolist()]
        for which, profile in enumerate(self.profiles.all):
            own_rows = np.maximum(number, 0) == which
            skipped |= own_rows & node_resources_balanced_allocation.skipped(
                request, self.policies[which].balanced_columns
            )
            if node_resources_fit.NAME in profile.filters:
                asked = node_resources_fit.checked(request, topology.resources, profile)
                checked[own_rows] = asked[own_rows]
            if node_ports.NAME not in profile.filters:
                for i in np.flatnonzero(own_rows).tolist():
                    against_of[i] = []
        return Units(
            request,
            checked,
            np.ascontiguousarray(topology.scoring_request[rows]),
            np.ascontiguousarray(topology.accounted_request[rows]),
            np.ascontiguousarray(topology.gpu_share[rows]),
            *_ragged(against_of),
            *_ragged([own[row] for row in rows.tolist()]),
            skipped,
        )


@dataclass(frozen=True, eq=False)
class Answers:
    """What N nodes say to one class of units."""

    row: int
    """The class."""
    refusal: NDArray[np.int8]
    """[N] 0 fits, k > 0 static filter k, below 0 what changes (see the kernels)."""
    short: NDArray[np.bool_]
    """[N, R] resources of which too little is left."""
    fit: Int64
    """[N] score of NodeResourcesFit where it fits."""
    balanced: Int64
    """[N] score of NodeResourcesBalancedAllocation where it fits."""
    spread: Int64
    """[N] score of PodTopologySpread where it fits."""
    pods: Int64
    """[N] score of InterPodAffinity where it fits."""
    is_spread: bool = False
    """Whether PodTopologySpread has anything to score."""
    has_company: bool = False
    """Whether InterPodAffinity has."""


def _place(refusal: int, order: Sequence[str]) -> int:
    """How early a profile asks the filter behind a code; what does not refuse comes last."""
    if refusal == 0:
        return len(order) + 1
    if refusal == NARROWED:
        return -1
    name = FILTERS[refusal - 1].NAME if refusal > 0 else _FILTER_OF[refusal]
    return order.index(name) if name in order else len(order)


def asking(
    topology: Topology, found: Sequence[Kind], waiting: Int64, profiles: Profiles
) -> NDArray[np.bool_]:
    """[C] whether units of the kind wait, or could be evicted for units that wait.

    waiting: the kinds of the units that wait.
    """
    asks = np.zeros(len(found), np.bool_)
    asks[waiting] = True
    if asks.any() and any(profile.preemption for profile in profiles.all):
        priority = topology.priority[[kind.template for kind in found]]
        asks |= priority < priority[asks].max()
    return asks


def queue(topology: Topology, profiles: Profiles) -> Int64:
    """Rows of the waiting units in the order of the active queue: priority, then arrival.

    Units held by a scheduling gate never enter it, nor those of another scheduler.
    Source: Kubernetes 1.34, queuesort plugin.
    """
    held = [bool(t.scheduling_gates) or profiles.number(t) < 0 for t in topology.templates]
    enters = (topology.unit_node < 0) & ~np.array(held, bool)[topology.unit_template]
    waiting = np.flatnonzero(enters)
    priority = topology.priority[topology.unit_template[waiting]]
    return waiting[np.argsort(-priority, kind="stable")].astype(np.int64)


def _ragged(rows: Sequence[Sequence[int]]) -> tuple[Int64, Int64]:
    start = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=start[1:])
    return start, np.array([each for row in rows for each in row], np.int64)


def static_arrays(static: StaticTables, image_weight: Int64) -> Static:
    """The tables as the kernels take them; image_weight: what images count for each class."""
    return Static(
        static.node_class,
        static.refusal,
        static.image * image_weight[:, None],
        static.taint_raw,
        static.affinity_raw,
        static.varies,
        static.tops,
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
        weight(pod_topology_spread.NAME, 0),
        weight(inter_pod_affinity.NAME, 0),
        node_resources_fit.STRATEGIES.index(profile.strategy),
        profile.strategy != "RequestedToCapacityRatio" and fit.columns.tolist() == [0, 1],
        fit.columns,
        fit.weights,
        fit.scalar,
        *node_resources_fit.curve(profile),
        balanced.columns,
        balanced.scalar,
    )


__all__ = ["Answers", "Engine", "State", "asking", "queue", "static_arrays"]
