"""Volumes in the scheduling core: what stands still, what is counted, and what is bound.

What never changes (where bound volumes are, where new ones can be made) joins the static tables.
Volumes of drivers with a limit are counted in columns behind those of the resources. Classes of
units with live claims are asked anew each time one of them is placed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import node_volume_limits, volume_restrictions
from capsim.placement.kubernetes._kernels import Nodes
from capsim.placement.kubernetes.classes import Kind
from capsim.placement.kubernetes.static import BINDING, FITS, REJECTED, ZONE, StaticTables
from capsim.placement.kubernetes.storage import NOTHING, Attached, Reach, Storage
from capsim.placement.kubernetes.volume_binding import Bound, Verdict, VolumeBinding
from capsim.scenario import Claim, SchedulerProfile
from capsim.topology import Int64, Topology


class Volumes:
    """The volumes of C classes of units, the first of which may have to be placed."""

    def __init__(
        self,
        topology: Topology,
        kinds: Sequence[Kind],
        storage: Storage,
        static: StaticTables,
        ports: int,
    ) -> None:
        self._nodes = topology.scenario.nodes
        self._needs = [kind.storage for kind in kinds]
        self._templates = [topology.templates[kind.template] for kind in kinds]
        self._static = static
        self._binding = VolumeBinding(storage, [self._nodes[k] for k in static.example])
        self.live = np.array([bool(needs.live) for needs in self._needs], np.bool_)
        """[C] whether others, or volumes that stand ready, decide where the claims can be."""
        self.storage = storage
        self._slot = {each: number for number, each in enumerate(dict.fromkeys(self._shared()))}
        owned = {driver for needs in self._needs for driver, _ in needs.own}
        self._drivers = sorted(owned.union(driver for driver, _ in self._slot if driver))
        self.limit = self._limits(storage)
        """[N, drivers] volumes that can be attached."""
        disks = volume_restrictions.conflict_table(topology.templates)
        rows = [kind.template for kind in kinds]
        self._held_disks = [[ports + disk for disk in disks[0][row]] for row in rows]
        self.conflicts = [[ports + disk for disk in disks[1][row]] for row in rows]
        """For each class the entries of the disks that it conflicts with."""
        self._ports = ports
        self._columns = len(topology.resources)
        self._disks = disks[2]

    def has_any(self, c: int) -> bool:
        """Whether any volume plugin has something to look at."""
        return bool(self._templates[c].disks) or self._needs[c] != NOTHING

    def rejection(self, c: int, profile: SchedulerProfile) -> tuple[str, str] | None:
        """The plugin and reason that reject a class before any node is looked at."""
        found = dict(self._needs[c].rejections)
        return next(((name, found[name]) for name in profile.rejecting if name in found), None)

    # What nodes say -------------------------------------------------------------------------

    def verdict(self, c: int, bound: Bound, profile: SchedulerProfile) -> Verdict:
        """What the classes of nodes say to a class of units."""
        return self._binding.verdict(self._needs[c], bound, profile)

    def refusal(self, verdict: Verdict) -> NDArray[np.int8]:
        """[K] the number of the refusal, the same for every node of a class."""
        zone = np.where(verdict.zone, np.int8(ZONE), np.int8(FITS))
        return np.where(verdict.against != 0, np.int8(BINDING), zone)

    def bind(self, verdict: Verdict, node: int, bound: Bound, nodes: Nodes) -> Int64:
        """Notes that a unit with these answers went to a node, so that its claims are bound.

        Returns: the nodes on which another volume is counted now.
        """
        k = int(self._static.node_class[node])
        changed: set[int] = set()
        got = self._binding.bind(verdict, k, self._nodes[node], bound)
        for claim, volume in got if self._slot else ():
            old = self.entry(self.storage.attached(self.storage.claims[claim]))
            new = self.entry(self.storage.attached_volume(volume))
            bound.held[bound.held == old] = new
            changed.update(self._recount(old, new, nodes).tolist())
        return np.array(sorted(changed), np.int64)

    def choose(self, c: int, node: int, bound: Bound, profile: SchedulerProfile) -> None:
        """Notes that a unit of a class is on a node, so that its claims are bound."""
        k = int(self._static.node_class[node])
        self._binding.bind(self.verdict(c, bound, profile), k, self._nodes[node], bound)

    def made_at(self, claim: Claim, node: int) -> Reach:
        """From where a volume is reached that is made for a unit on a node."""
        return self._binding.made_at(claim, self._nodes[node])

    def _recount(self, old: int, new: int, nodes: Nodes) -> Int64:
        """Units that hold one entry hold another from now on; the nodes on which there are any."""
        count = nodes.port_use.shape[1]
        here = np.flatnonzero(nodes.port_use[:, old % count])
        users = nodes.port_use[here, old % count]
        if old >= count:
            nodes.used[here, old // count] -= 1
        nodes.port_use[here, old % count] = 0
        if new >= count:
            nodes.used[here, new // count] += nodes.port_use[here, new % count] == 0
        nodes.port_use[here, new % count] += users
        return here

    def settled(self, profiles: Sequence[SchedulerProfile]) -> NDArray[np.int8]:
        """[C, K] the refusals of the static tables, with what volumes say once and for all.

        profiles: of each class of the tables.
        """
        refusal = self._static.refusal.copy()
        for c, profile in enumerate(profiles):
            if self.rejection(c, profile):
                refusal[c] = REJECTED
            elif self.has_any(c) and not self.live[c]:
                said = self.refusal(self.verdict(c, Bound(), profile))
                refusal[c] = np.where(refusal[c] == FITS, said, refusal[c])
        return refusal

    # What is counted ------------------------------------------------------------------------

    def _limits(self, storage: Storage) -> Int64:
        rows = [
            storage.limits.get((node.name, driver), node_volume_limits.UNLIMITED)
            for node in self._nodes
            for driver in self._drivers
        ]
        return np.array(rows, np.int64).reshape(len(self._nodes), len(self._drivers))

    @property
    def own(self) -> Int64:
        """[C, drivers] volumes that only the unit itself uses."""
        counts = [dict(needs.own) for needs in self._needs]
        rows = [each.get(driver, 0) for each in counts for driver in self._drivers]
        return np.array(rows, np.int64).reshape(len(counts), len(self._drivers))

    def _shared(self) -> Iterator[Attached]:
        """Volumes that several units may use: those of live claims, too, and what these may get.

        None where no node has a limit, for then nothing needs to be counted.
        """
        storage = self.storage
        for needs in self._needs if storage.limited else ():
            yield from needs.shared
            yield from (storage.attached(storage.claims[key]) for key in needs.live)
        if storage.limited and self.live.any():
            ready = (each for each in storage.volumes.values() if storage.is_ready(each))
            yield from (storage.attached_volume(volume) for volume in ready)

    def held(self, ports: Sequence[Sequence[int]]) -> list[list[int]]:
        """For each class its ports, disks and shared volumes, as Units.own_port has them."""
        storage = self.storage
        listed = []
        for c, needs in enumerate(self._needs):
            live = (storage.attached(storage.claims[key]) for key in needs.live)
            shared = [each for each in (*needs.shared, *live) if each in self._slot]
            volumes = (self.entry(each) for each in shared)
            listed.append([*ports[c], *self._held_disks[c], *volumes])
        return listed

    @property
    def shares(self) -> list[bool]:
        """Whether a class uses volumes that others may use too."""
        return [bool(needs.shared or needs.live) for needs in self._needs]

    @property
    def entries(self) -> int:
        """Ports, disks and shared volumes that can be held, and what stands for a full node."""
        return self._ports + self._disks + len(self._slot) + 1

    @property
    def full(self) -> int:
        """The port that is in use where a class would exceed a limit."""
        return self.entries - 1

    def entry(self, volume: Attached) -> int:
        """How Units.own_port writes a shared volume."""
        place = self._ports + self._disks + self._slot[volume]
        driver = volume[0]
        if not driver:
            return place
        return place + self.entries * (self._columns + self._drivers.index(driver))
