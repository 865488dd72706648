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
    node_volume_limits,
    pod_topology_spread,
    taint_toleration,
    volume_binding,
    volume_restrictions,
    volume_zone,
)
from capsim.placement.kubernetes._kernels import Counts, Nodes, Policy, Scratch, Static, Units
from capsim.placement.kubernetes.classes import Kind, kinds
from capsim.placement.kubernetes.counters import counters
from capsim.placement.kubernetes.profiles import Profiles
from capsim.placement.kubernetes.static import (
    BINDING,
    FILTERS,
    NARROWED,
    REJECTED,
    ZONE,
    StaticTables,
    static_tables,
)
from capsim.placement.kubernetes.storage import NeedsOfUnits
from capsim.placement.kubernetes.volume_binding import Bound, Verdict
from capsim.placement.kubernetes.volumes import Volumes
from capsim.scenario import FILTER_ORDER, SchedulerProfile, Template
from capsim.topology import Int64, Topology

#: Code of the kernels to filter.
_FILTER_OF = {
    -1: node_ports.NAME,
    -2: node_resources_fit.NAME,
    -3: gpu_share.NAME,
    **dict.fromkeys((-4, -5), pod_topology_spread.NAME),
    **dict.fromkeys((-6, -7, -8), inter_pod_affinity.NAME),
    **dict.fromkeys((-9, -10), volume_restrictions.NAME),
    -11: node_volume_limits.NAME,
    BINDING: volume_binding.NAME,
    ZONE: volume_zone.NAME,
    **{number: plugin.NAME for number, plugin in enumerate(FILTERS, start=1)},
}


class State(NamedTuple):
    """What is taken while units are placed; updated in place."""

    nodes: Nodes
    """Behind the R resources, volumes by driver."""
    counts: Counts
    bound: Bound
    """Claims that have been bound since."""
    resources: int

    @property
    def arrays(self) -> tuple[Nodes, Counts]:
        """What the kernels update."""
        return self.nodes, self.counts

    @property
    def offered(self) -> Int64:
        """[N, R] what each node lets units request."""
        return self.nodes.offered[:, : self.resources]

    @property
    def used(self) -> Int64:
        """[N, R] requested on each node."""
        return self.nodes.used[:, : self.resources]

    @property
    def gpu_free(self) -> Int64:
        """[N, D] thousandths left on each shared GPU board."""
        return self.nodes.gpu_free


class Engine:
    """A configuration's plugins over a topology, as arrays.

    Units that no plugin can tell apart are one class. Classes that may have to be placed come
    first (units that wait, and those that could be evicted); the others are only counted.
    """

    def __init__(self, topology: Topology, profile: SchedulerProfile) -> None:
        self.topology = topology
        self.profile = profile
        self.profiles = Profiles((profile, *topology.scenario.other_profiles))
        self.waiting = queue(topology, self.profiles)
        needs = _needs(topology)
        found, kind_of = kinds(topology, self.profiles, needs)
        asking = self._asking(found, kind_of)
        order = np.argsort(~asking, kind="stable")
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        self.kinds = [found[i] for i in order.tolist()]
        self.class_of: Int64 = rank[kind_of]
        self.asking = int(asking.sum())
        """Number of classes that may have to be placed."""
        template_of = np.array([kind.template for kind in self.kinds], np.int64)
        self.template_of: Int64 = template_of
        self.static = self._static_tables(needs)
        self.counters = counters(topology, self.kinds, self.asking, self.static, self.profiles)
        self.tables = _static(self.static, self._image_weights())
        self.policies = [_policy(topology, each) for each in self.profiles.all]
        self._ports = node_ports.conflict_table(topology.templates)
        self.units = self._units_of(template_of)
        self._apart = self._separated()

    def _asking(self, found: Sequence[Kind], kind_of: Int64) -> NDArray[np.bool_]:
        """[C] whether units of the kind wait, or could be evicted for units that wait."""
        asking = np.zeros(len(found), np.bool_)
        asking[kind_of[self.waiting]] = True
        if asking.any() and any(profile.preemption for profile in self.profiles.all):
            priority = self.topology.priority[[kind.template for kind in found]]
            asking |= priority < priority[asking].max()
        return asking

    def _static_tables(self, needs: NeedsOfUnits | None) -> StaticTables:
        """What never changes; volumes, where there are some, have their say at the end."""
        templates = self.template_of[: self.asking].tolist()
        self.volumes: Volumes | None = None
        self.early: NDArray[np.int8] | None = None
        if needs is None:
            return static_tables(self.topology, templates, self.profiles)
        asking = [kind.storage for kind in self.kinds[: self.asking]]
        keys = volume_binding.label_keys(needs.storage, asking)
        static = static_tables(self.topology, templates, self.profiles, keys)
        self.volumes = Volumes(self.topology, self.kinds, needs.storage, static)
        self.early = static.refusal
        profiles = [self.profile_of(c) for c in range(self.asking)]
        return dataclasses.replace(static, refusal=self.volumes.settled(profiles))

    def rejection(self, c: int) -> tuple[str, str] | None:
        """The plugin and reason that reject a class before any node is looked at."""
        profile = self.profile_of(c)
        if node_affinity.is_contradictory(self.template(c), profile):
            return node_affinity.NAME, node_affinity.REASON_CONFLICT
        return self.volumes.rejection(c, profile) if self.volumes else None

    def is_live(self, c: int) -> bool:
        """Whether where a class can go depends on which claims have been bound."""
        return self.volumes is not None and bool(self.volumes.live[c]) and not self.rejection(c)

    def _image_weights(self) -> Int64:
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
        count, resources = offered.shape
        if self.volumes is not None:
            offered = np.hstack([offered, self.volumes.limit])
        nodes = Nodes(
            offered=offered,
            used=np.zeros(offered.shape, np.int64),
            accounted=np.zeros((count, 2), np.int64),
            gpu_free=gpu_share.boards(topology.gpu_devices),
            port_use=np.zeros((count, self._held[1]), np.int32),
        )
        bound = Bound(held=self.units.own_port.copy())
        state = State(nodes, self.counters.empty(), bound, resources)
        if (topology.unit_node >= 0).any():
            _kernels.bind_all(
                self.class_of, topology.unit_node, *state.arrays, self.units, self.counters.rows
            )
        return state

    def evaluate(self, state: State, c: int) -> Answers:
        """What every node says to one more unit of a class."""
        nodes, counts = state.arrays
        units, policy = self.units, self.policies[self.profiles.number(self.template(c))]
        rows, asks = self.counters.rows, self.counters.asks
        count, resources = state.offered.shape
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
        answers = dataclasses.replace(answers, volumes=self._refuse(state, c, code))
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

    def _refuse(self, state: State, c: int, code: NDArray[np.int8]) -> Verdict | None:
        """Sets code[N]: for each node the first filter, in the order of the profile, to refuse.

        Returns: what nodes say to the volumes of the class, if it has any.
        """
        nodes, counts = state.arrays
        rows, asks = self.counters.rows, self.counters.asks
        everywhere, count = np.arange(len(code)), len(code)
        order = self.profile_of(c).filters
        has_volumes = self.volumes is not None and self.volumes.has_any(c)
        if not has_volumes and order == tuple(name for name in FILTER_ORDER if name in order):
            _kernels.filter_nodes(c, everywhere, count, nodes, self.units, self.tables, code)
            if asks.cells[c] >= 0:
                _kernels.topology_filter(c, everywhere, count, rows, counts, asks, code)
            return None
        ports_of, disks_of, requests_of, limits_of = self._apart
        (shun_start, shun_row), (lone_start, lone_row) = self.counters.shun, self.counters.lone
        asks = asks._replace(shun_start=shun_start, shun_row=shun_row)
        limits_of = limits_of._replace(own_port=state.bound.held)
        verdict, early, binding, zone = self._volumes_say(state, c)
        groups = [np.zeros(count, np.int8) for _ in range(8)]
        ports, disks, resources, limits, boards, lone, spread, pods = groups
        _kernels.ports_filter(c, everywhere, count, nodes, ports_of, ports)
        _kernels.ports_filter(c, everywhere, count, nodes, disks_of, disks)
        _kernels.resources_filter(c, everywhere, count, nodes, requests_of, resources)
        _kernels.resources_filter(c, everywhere, count, nodes, limits_of, limits)
        _kernels.volumes_filter(c, everywhere, count, nodes, limits_of, limits)
        _kernels.boards_filter(c, everywhere, count, nodes, self.units, boards)
        _kernels.apart_filter(lone_row, lone_start, c, everywhere, count, rows, counts, -10, lone)
        _kernels.spread_filter(c, everywhere, count, rows, counts, asks, spread)
        _kernels.company_filter(c, everywhere, count, rows, counts, asks, pods)
        disks[disks != 0] = -9
        limits[limits != 0] = -11
        place = np.array([_place(refusal, order) for refusal in range(-11, ZONE + 1)])
        said = np.stack([early, *groups, binding, zone])
        first = place[said + 11].argmin(axis=0)
        code[:] = np.take_along_axis(said, first[None], axis=0)[0]
        return verdict

    def _volumes_say(
        self, state: State, c: int
    ) -> tuple[Verdict | None, NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]]:
        """The verdict on volumes; [N] refusals of other static filters, of binding and of zones."""
        node_class = self.static.node_class
        nothing = np.zeros(len(node_class), np.int8)
        if self.volumes is None or self.early is None:
            return None, self.static.refusal[c, node_class], nothing, nothing
        if self.rejection(c):
            return None, np.full_like(nothing, REJECTED), nothing, nothing
        verdict = self.volumes.verdict(c, state.bound, self.profile_of(c))
        binding = np.where(verdict.against != 0, np.int8(BINDING), np.int8(0))
        zone = np.where(verdict.zone, np.int8(ZONE), np.int8(0))
        return verdict, self.early[c, node_class], binding[node_class], zone[node_class]

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
        checked: Int64 = self.units.checked[c, : len(self.topology.resources)]
        return checked

    def skips_balance(self, c: int) -> bool:
        """Whether a class asks for nothing that is balanced."""
        return bool(self.units.skips_balance[c])

    def _units_of(self, rows: Int64) -> Units:
        """The tables of classes with these templates."""
        topology = self.topology
        request = np.ascontiguousarray(topology.request[rows])
        number = np.array([self.profiles.number(t) for t in topology.templates], np.int64)[rows]
        checked, skipped = np.zeros_like(request), np.zeros(len(rows), np.bool_)
        for which, profile in enumerate(self.profiles.all):
            own_rows = np.maximum(number, 0) == which
            skipped |= own_rows & node_resources_balanced_allocation.skipped(
                request, self.policies[which].balanced_columns
            )
            if node_resources_fit.NAME in profile.filters:
                asked = node_resources_fit.checked(request, topology.resources, profile)
                checked[own_rows] = asked[own_rows]
        if self.volumes is not None:
            own = self.volumes.own
            is_limited = [node_volume_limits.NAME in self._filters(c) for c in range(len(rows))]
            asked = np.where(np.array(is_limited)[:, None], own, -1)
            request, checked = np.hstack([request, own]), np.hstack([checked, asked])
        self._held = self._holds(rows)
        ports, disks = self._against(rows)
        taken = [[*a, *b] for a, b in zip(ports, disks, strict=True)]
        self._conflicts = _ragged(taken)
        return Units(
            request,
            checked,
            np.ascontiguousarray(topology.scoring_request[rows]),
            np.ascontiguousarray(topology.accounted_request[rows]),
            np.ascontiguousarray(topology.gpu_share[rows]),
            *_ragged(
                [
                    [*each, self.volumes.full]
                    if self.volumes is not None and self.may_fill(c)
                    else each
                    for c, each in enumerate(taken)
                ]
            ),
            *_ragged(self._held[0]),
            skipped,
        )

    def _filters(self, c: int) -> tuple[str, ...]:
        return self.profile_of(c).filters

    def _holds(self, rows: Int64) -> tuple[list[list[int]], int]:
        """For each class the ports, disks and shared volumes that it holds; how many there are."""
        own, _, ports = self._ports
        held = [list(own[row]) for row in rows.tolist()]
        if self.volumes is None:
            return held, ports
        return self.volumes.held(held, ports)

    def _against(self, rows: Int64) -> tuple[list[list[int]], list[list[int]]]:
        """For each class the ports, and the disks, with which it cannot be on one node."""
        _, against, first = self._ports
        ports = [
            against[row] if node_ports.NAME in self._filters(c) else []
            for c, row in enumerate(rows.tolist())
        ]
        if self.volumes is None:
            return ports, [[] for _ in ports]
        return ports, [
            [first + disk for disk in each] if volume_restrictions.NAME in self._filters(c) else []
            for c, each in enumerate(self.volumes.disks[1])
        ]

    def may_fill(self, c: int) -> bool:
        """Whether volumes that a class shares with others may exceed a limit."""
        asked = node_volume_limits.NAME in self._filters(c)
        return self.volumes is not None and asked and self.volumes.shares[c]

    def on_trial(self, held: Int64) -> Units:
        """The tables for one unit at a time, for which volumes are looked at themselves."""
        start, port = self._conflicts
        return self.units._replace(own_port=held, conflict_start=start, conflict_port=port)

    def _separated(self) -> tuple[Units, Units, Units, Units]:
        """The tables with only the conflicts of ports or disks; of resources or volumes."""
        units, (ports, disks) = self.units, self._against(self.template_of)
        resources = len(self.topology.resources)
        requests, limits = units.checked.copy(), units.checked.copy()
        requests[:, resources:] = 0
        limits[:, :resources] = 0
        by_port, by_disk = (
            units._replace(conflict_start=start, conflict_port=port)
            for start, port in (_ragged(ports), _ragged(disks))
        )
        return (
            by_port,
            by_disk,
            units._replace(checked=requests),
            units._replace(checked=limits),
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
    volumes: Verdict | None = None
    """What nodes say to its volumes, if it has any."""


def _place(refusal: int, order: Sequence[str]) -> int:
    """How early a profile asks the filter behind a code; what does not refuse comes last."""
    if refusal == 0:
        return len(order) + 1
    if refusal in (REJECTED, NARROWED):
        return -refusal
    name = _FILTER_OF[refusal]
    return order.index(name) if name in order else len(order)


def _needs(topology: Topology) -> NeedsOfUnits | None:
    """What volumes ask for, where any unit has some."""
    has_volumes = any(template.volumes or template.disks for template in topology.templates)
    return NeedsOfUnits(topology.scenario) if has_volumes else None


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


def _static(static: StaticTables, image_weight: Int64) -> Static:
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


__all__ = ["Answers", "Engine", "State", "queue"]
