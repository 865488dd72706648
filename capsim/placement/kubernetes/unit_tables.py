"""What classes of units ask for, hold and conflict with, as the kernels take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from capsim.placement.kubernetes import (
    node_ports,
    node_resources_balanced_allocation,
    node_resources_fit,
    node_volume_limits,
    volume_restrictions,
)
from capsim.placement.kubernetes._kernels import Policy, Units
from capsim.placement.kubernetes.profiles import Profiles
from capsim.placement.kubernetes.volumes import Volumes
from capsim.topology import Int64, Topology

Ragged = tuple[Int64, Int64]
"""Where the numbers of each class start, and all numbers."""
PortTable = tuple[list[list[int]], list[list[int]], int]
"""Of node_ports.conflict_table."""


class Separated(NamedTuple):
    """The tables with only one kind of conflict each, for profiles that order filters anew."""

    ports: Units
    disks: Units
    requests: Units
    limits: Units


@dataclass(frozen=True, eq=False)
class UnitTables:
    """Tables of C classes of units."""

    units: Units
    entries: int
    """Ports, disks and shared volumes that can be held."""
    conflicts: Ragged
    """The ports and disks of each class's conflicts, without what stands for exceeded limits."""
    ports: Ragged
    disks: Ragged
    resources: int

    def on_trial(self, held: Int64) -> Units:
        """The tables for one unit at a time, for which volumes are looked at themselves."""
        start, port = self.conflicts
        return self.units._replace(own_port=held, conflict_start=start, conflict_port=port)

    @cached_property
    def separated(self) -> Separated:
        """The tables with only the conflicts of ports or disks; of resources or volumes."""
        units = self.units
        requests, limits = units.checked.copy(), units.checked.copy()
        requests[:, self.resources :] = 0
        limits[:, : self.resources] = 0
        by_port, by_disk = (
            units._replace(conflict_start=start, conflict_port=port)
            for start, port in (self.ports, self.disks)
        )
        return Separated(
            by_port, by_disk, units._replace(checked=requests), units._replace(checked=limits)
        )


def unit_tables(
    topology: Topology,
    rows: Int64,
    profiles: Profiles,
    policies: Sequence[Policy],
    port_table: PortTable,
    volumes: Volumes | None,
) -> UnitTables:
    """The tables of classes with these templates (rows of the topology)."""
    templates = topology.templates
    number = np.array([profiles.number(t) for t in templates], np.int64)[rows]
    filters = [profiles.of(templates[row]).filters for row in rows.tolist()]
    request = np.ascontiguousarray(topology.request[rows])
    checked, skipped = np.zeros_like(request), np.zeros(len(rows), np.bool_)
    for which, profile in enumerate(profiles.all):
        own_rows = np.maximum(number, 0) == which
        skipped |= own_rows & node_resources_balanced_allocation.skipped(
            request, policies[which].balanced_columns
        )
        if node_resources_fit.NAME in profile.filters:
            asked = node_resources_fit.checked(request, topology.resources, profile)
            checked[own_rows] = asked[own_rows]
    own, against, entries = port_table
    held = [list(own[row]) for row in rows.tolist()]
    ports = [
        against[row] if node_ports.NAME in filters[c] else [] for c, row in enumerate(rows.tolist())
    ]
    disks: list[list[int]] = [[] for _ in ports]
    full: list[list[int]] = [[] for _ in ports]
    if volumes is not None:
        is_limited = np.array([node_volume_limits.NAME in each for each in filters], np.bool_)
        counted = np.where(is_limited[:, None], volumes.own, -1)
        request, checked = np.hstack([request, volumes.own]), np.hstack([checked, counted])
        held, entries = volumes.held(held), volumes.entries
        disks = [
            each if volume_restrictions.NAME in filters[c] else []
            for c, each in enumerate(volumes.conflicts)
        ]
        full = [
            [volumes.full] if is_limited[c] and shares else []
            for c, shares in enumerate(volumes.shares)
        ]
    return UnitTables(
        Units(
            request,
            checked,
            np.ascontiguousarray(topology.scoring_request[rows]),
            np.ascontiguousarray(topology.accounted_request[rows]),
            np.ascontiguousarray(topology.gpu_share[rows]),
            *_ragged([[*a, *b, *c] for a, b, c in zip(ports, disks, full, strict=True)]),
            *_ragged(held),
            skipped,
        ),
        entries,
        _ragged([[*a, *b] for a, b in zip(ports, disks, strict=True)]),
        _ragged(ports),
        _ragged(disks),
        len(topology.resources),
    )


def _ragged(rows: Sequence[Sequence[int]]) -> tuple[Int64, Int64]:
    start = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=start[1:])
    return start, np.array([each for row in rows for each in row], np.int64)
