"""Volumes in the scheduling core: what stands still, what is counted, and what is bound.

What never changes (where bound volumes are, where new ones can be made) joins the static tables.
Volumes of drivers with a limit are counted in columns behind those of the resources. Classes of
units with live claims are asked anew each time one of them is placed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import node_volume_limits, volume_restrictions
from capsim.placement.kubernetes.classes import Kind
from capsim.placement.kubernetes.static import BINDING, FITS, REJECTED, ZONE, StaticTables
from capsim.placement.kubernetes.storage import NOTHING, Storage
from capsim.placement.kubernetes.volume_binding import Bound, Verdict, VolumeBinding
from capsim.scenario import SchedulerProfile
from capsim.topology import Int64, Topology


class Volumes:
    """The volumes of C classes of units, the first of which may have to be placed."""

    def __init__(
        self, topology: Topology, kinds: Sequence[Kind], storage: Storage, static: StaticTables
    ) -> None:
        self._nodes = topology.scenario.nodes
        self._needs = [kind.storage for kind in kinds]
        self._templates = [topology.templates[kind.template] for kind in kinds]
        self._static = static
        self._binding = VolumeBinding(storage, [self._nodes[k] for k in static.example])
        self.live = np.array([bool(needs.live) for needs in self._needs], np.bool_)
        """[C] whether others, or volumes that stand ready, decide where the claims can be."""
        used = {name for needs in self._needs for name, _ in (*needs.own, *needs.shared)}
        self._drivers = sorted(used)
        self.limit = self._limits(storage)
        """[N, drivers] volumes that can be attached."""

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

    def bind(self, verdict: Verdict, node: int, bound: Bound) -> None:
        """Notes that a unit with these answers went to a node."""
        k = int(self._static.node_class[node])
        self._binding.bind(verdict, k, self._nodes[node], bound)

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

    def shared(self) -> tuple[list[list[tuple[int, int]]], int]:
        """For each class the shared volumes (number, driver), and how many there are in all."""
        number: dict[tuple[str, str], int] = {}
        listed = [
            [
                (number.setdefault(each, len(number)), self._drivers.index(each[0]))
                for each in needs.shared
            ]
            for needs in self._needs
        ]
        return listed, len(number)

    def disks(self) -> tuple[list[list[int]], list[list[int]], int]:
        """For each class the disks that it holds and that it conflicts with; how many in all."""
        return volume_restrictions.conflict_table(self._templates)
