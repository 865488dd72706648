"""The scheduling core: compiled once a scenario and profile, run as often as a slider moves."""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import (
    _kernels,
    gpu_share,
    image_locality,
    node_affinity,
    node_ports,
    node_volume_limits,
    volume_binding,
)
from capsim.placement.kubernetes._kernels import Nodes, Scratch, Static, Units
from capsim.placement.kubernetes.answers import Answers, State
from capsim.placement.kubernetes.classes import kinds
from capsim.placement.kubernetes.counters import counters
from capsim.placement.kubernetes.filter_order import first_refusals
from capsim.placement.kubernetes.policy import policy
from capsim.placement.kubernetes.profiles import Profiles
from capsim.placement.kubernetes.queue import asking, entering
from capsim.placement.kubernetes.static import BINDING, REJECTED, ZONE, StaticTables, static_tables
from capsim.placement.kubernetes.storage import NeedsOfUnits
from capsim.placement.kubernetes.unit_tables import UnitTables, unit_tables
from capsim.placement.kubernetes.volume_binding import Bound, Verdict
from capsim.placement.kubernetes.volumes import Volumes
from capsim.scenario import FILTER_ORDER, SchedulerProfile, Template
from capsim.topology import Int64, Topology


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
        self.waiting, self.over_quota = entering(topology, self.profiles)
        needs = _needs(topology)
        found, kind_of = kinds(topology, self.profiles, needs)
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
        self.policies = [policy(topology, each) for each in self.profiles.all]
        self._ports = node_ports.conflict_table(topology.templates)
        self._storage = needs.storage if needs else None
        self.volumes: Volumes | None = None
        self.adopt(
            static_tables(
                topology, template_of[: self.asking].tolist(), self.profiles, self._volume_keys()
            )
        )
        self.counters = counters(topology, self.kinds, self.asking, self.static, self.profiles)
        self.by_class = self.unit_tables()

    @cached_property
    def complete(self) -> Engine:
        """The same with every class ready to be placed, for what-ifs to follow (see following)."""
        return Engine(self.topology, self.profile, asks_all=True)

    @property
    def units(self) -> Units:
        """What each class asks for, holds and conflicts with."""
        return self.by_class.units

    def unit_tables(self) -> UnitTables:
        """The tables of the classes, for the requests of the topology."""
        return unit_tables(
            self.topology,
            self.template_of,
            self.profiles,
            self.policies,
            self._ports,
            self.volumes,
        )

    def _volume_keys(self) -> frozenset[str]:
        """The labels of nodes at which volumes look."""
        if self._storage is None:
            return frozenset()
        asked = [kind.storage for kind in self.kinds[: self.asking]]
        return volume_binding.label_keys(self._storage, asked)

    def adopt(self, static: StaticTables) -> None:
        """Takes over what never changes; volumes, where there are some, have their say at the end.

        static: of all other plugins.
        """
        self.before_volumes = self.static = static
        if self._storage is not None:
            ports = self._ports[2]
            self.volumes = Volumes(self.topology, self.kinds, self._storage, static, ports)
            profiles = [self.profile_of(c) for c in range(self.asking)]
            self.static = dataclasses.replace(static, refusal=self.volumes.settled(profiles))
        self.tables = static_arrays(self.static, self.image_weights())

    def rejection(self, c: int) -> tuple[str, str] | None:
        """The plugin and reason that reject a class before any node is looked at."""
        profile = self.profile_of(c)
        if node_affinity.is_contradictory(self.template(c), profile):
            return node_affinity.NAME, node_affinity.REASON_CONFLICT
        return self.volumes.rejection(c, profile) if self.volumes else None

    def is_live(self, c: int) -> bool:
        """Whether where a class can go depends on which claims have been bound."""
        return self.volumes is not None and bool(self.volumes.live[c]) and not self.rejection(c)

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
        count, resources = offered.shape
        if self.volumes is not None:
            offered = np.hstack([offered, self.volumes.limit])
        nodes = Nodes(
            offered=offered,
            used=np.zeros(offered.shape, np.int64),
            accounted=np.zeros((count, 2), np.int64),
            gpu_free=gpu_share.boards(topology.gpu_devices),
            port_use=np.zeros((count, self.by_class.entries), np.int32),
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
        answers = dataclasses.replace(answers, volumes=self.refuse(state, c, everywhere, code))
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

    def refuse(self, state: State, c: int, where: Int64, code: NDArray[np.int8]) -> Verdict | None:
        """Sets code: for each node of where the first filter, in the profile's order, to refuse.

        Returns: what the classes of nodes say to the volumes of the class, if it has any.
        """
        nodes, counts = state.arrays
        rows, asks = self.counters.rows, self.counters.asks
        count, order = len(code), self.profile_of(c).filters
        has_volumes = self.volumes is not None and self.volumes.has_any(c)
        if not has_volumes and order == tuple(name for name in FILTER_ORDER if name in order):
            _kernels.filter_nodes(c, where, count, nodes, self.units, self.tables, code)
            if asks.cells[c] >= 0:
                _kernels.topology_filter(c, where, count, rows, counts, asks, code)
            return None
        verdict, early, binding, zone = self._volumes_say(state, c, where)
        groups = [early, *self._counted(state, c, where), binding, zone]
        code[:] = first_refusals(groups, order)
        return verdict

    def _counted(self, state: State, c: int, where: Int64) -> list[NDArray[np.int8]]:
        """What each filter that counts says to some nodes, all asked for themselves."""
        nodes, counts = state.arrays
        rows, asks, count = self.counters.rows, self.counters.asks, len(where)
        (shun_start, shun_row), (lone_start, lone_row) = self.counters.shun, self.counters.lone
        asks = asks._replace(shun_start=shun_start, shun_row=shun_row)
        apart = self.by_class.separated
        limits_of = apart.limits._replace(own_port=state.bound.held)
        groups = [np.zeros(count, np.int8) for _ in range(8)]
        ports, disks, resources, limits, boards, lone, spread, pods = groups
        _kernels.ports_filter(c, where, count, nodes, apart.ports, ports)
        _kernels.ports_filter(c, where, count, nodes, apart.disks, disks)
        _kernels.resources_filter(c, where, count, nodes, apart.requests, resources)
        _kernels.resources_filter(c, where, count, nodes, limits_of, limits)
        _kernels.volumes_filter(c, where, count, nodes, limits_of, limits)
        _kernels.boards_filter(c, where, count, nodes, self.units, boards)
        _kernels.apart_filter(lone_row, lone_start, c, where, count, rows, counts, -10, lone)
        _kernels.spread_filter(c, where, count, rows, counts, asks, spread)
        _kernels.company_filter(c, where, count, rows, counts, asks, pods)
        disks[disks != 0] = -9
        limits[limits != 0] = -11
        return groups

    def _volumes_say(
        self, state: State, c: int, where: Int64
    ) -> tuple[Verdict | None, NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]]:
        """The verdict on volumes; what other static filters, binding and zones say to nodes."""
        of = self.static.node_class[where]
        nothing = np.zeros(len(of), np.int8)
        if self.volumes is None:
            return None, self.static.refusal[c, of], nothing, nothing
        if self.rejection(c):
            return None, np.full_like(nothing, REJECTED), nothing, nothing
        verdict = self.volumes.verdict(c, state.bound, self.profile_of(c))
        binding = np.where(verdict.against != 0, np.int8(BINDING), np.int8(0))
        zone = np.where(verdict.zone, np.int8(ZONE), np.int8(0))
        return verdict, self.before_volumes.refusal[c, of], binding[of], zone[of]

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

    def may_fill(self, c: int) -> bool:
        """Whether volumes that a class shares with others may exceed a limit."""
        asked = node_volume_limits.NAME in self.profile_of(c).filters
        return self.volumes is not None and asked and self.volumes.shares[c]


def _needs(topology: Topology) -> NeedsOfUnits | None:
    """What volumes ask for, where any unit has some."""
    has_volumes = any(template.volumes or template.disks for template in topology.templates)
    return NeedsOfUnits(topology.scenario) if has_volumes else None


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
