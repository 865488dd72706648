"""What the cluster graph shows and says: groups, kernels, shares, its title and its layout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from capsim.figures import resources, theme, words
from capsim.figures.circles import Float64
from capsim.figures.graph_layout import Layout, Rows, boxes, discs, radii
from capsim.figures.groups import Group, by_zone, group_nodes
from capsim.figures.resources import Standing
from capsim.scenario import CPU, Node
from capsim.topology import own_kernels

MOST_UNITS, MOST_NODES = 2000, 300
"""Sizes up to which units are drawn one by one inside their nodes."""
SIDE, TOP, BOTTOM = 32, 122, 44
"""Margins of the page in pixels."""
_MOST_GROUPS = 12
_DOT, _SMALLEST = 0.62, 0.004
"""Area of a unit's dot for each share of its node, and the least share that is seen."""


@dataclass(frozen=True, eq=False)
class Facts:
    """The numbers behind one cluster graph; N nodes, U units."""

    standing: Standing

    @property
    def noun(self) -> str:
        """What a unit is called."""
        return words.noun(self.standing.scenario)

    @cached_property
    def detailed(self) -> bool:
        """Whether units are drawn one by one."""
        placed = int(np.sum(self.standing.node_of >= 0))
        return placed <= MOST_UNITS and len(self.standing.offered) <= MOST_NODES

    @cached_property
    def use(self) -> Float64:
        """[N] percent of the fullest resource, NaN where a node offers none."""
        return resources.fullest(self.standing)

    @cached_property
    def groups(self) -> list[Group]:
        """Zones or machine shapes, the smallest in one."""
        return group_nodes(self.standing.scenario, most=_MOST_GROUPS)

    @cached_property
    def own_kernel(self) -> NDArray[np.bool_]:
        """[U] whether a unit brings its own kernel."""
        return own_kernels(self.standing.topology, self.standing.node_of)

    @cached_property
    def share_of_node(self) -> Float64:
        """[U] the largest share that a placed unit takes of a resource of its node."""
        placed = np.flatnonzero(self.standing.node_of >= 0)
        share = np.zeros(len(self.standing.node_of))
        offered = self.standing.offered[self.standing.node_of[placed]]
        share[placed] = self._share(placed, offered)
        return share

    @cached_property
    def waiting(self) -> Rows:
        """Units that wait, large ones first; none where they are too many to draw."""
        rows = np.flatnonzero(self.standing.node_of < 0)
        size = self._share_of_largest(rows)
        return rows[np.argsort(-size, kind="stable")] if len(rows) <= MOST_UNITS else rows[:0]

    def _share_of_largest(self, rows: Rows) -> Float64:
        """The share that units would take of the node that has most of each resource."""
        most = self.standing.offered.max(axis=0, initial=0)
        return self._share(rows, np.broadcast_to(most, (len(rows), len(most))))

    def _share(self, rows: Rows, offered: Rows) -> Float64:
        topology = self.standing.topology
        columns = [topology.column(name) for name in resources.shown(self.standing)]
        asked = topology.request[topology.unit_template[rows]][:, columns].astype(np.float64)
        of = offered[:, columns].astype(np.float64)
        taken = np.divide(asked, of, out=np.zeros_like(asked), where=of > 0)
        largest: Float64 = taken.max(axis=1, initial=0.0)
        return largest

    @cached_property
    def regions(self) -> list[tuple[str, str]]:
        """Name and numbers of each group, and of what waits."""
        use = np.nan_to_num(self.use)
        named = [
            (
                words.shorten(group.name.removesuffix(" GPUs"), 30),
                f"{words.count(len(group.rows), 'node')}, "
                f"{words.percent(float(use[group.rows].mean()) / 100)} full",
            )
            for group in self.groups
        ]
        waiting = int(np.sum(self.standing.node_of < 0))
        return [*named, ("waiting", words.count(waiting, self.noun))]

    @cached_property
    def layout(self) -> Layout:
        """Where everything goes: places depend on machines, not on use, in detailed graphs."""
        radius = radii(self.standing.offered[:, self.standing.topology.column(CPU)])
        groups = [group.rows for group in self.groups]
        size = np.clip(self._share_of_largest(self.waiting), _SMALLEST, 1.0)
        waiting = np.sqrt(_DOT * size)
        page = (float(theme.WIDTH - 2 * SIDE), float(theme.HEIGHT - TOP - BOTTOM))
        if not self.detailed:
            order = np.argsort(np.lexsort((-np.nan_to_num(self.use), -radius)))
            names_px = [8 + 6.4 * max(map(len, names)) for names in self.regions]
            return discs(groups, radius, order, waiting, names_px, page)
        names_px = [30 + 7.0 * max(map(len, names)) for names in self.regions]
        racks = [_rack(node) for node in self.standing.scenario.nodes]
        by_rack = [rows[np.argsort([racks[row] for row in rows], kind="stable")] for rows in groups]
        return boxes(by_rack, racks, radius, waiting, names_px, page)

    @property
    def title(self) -> str:
        """The takeaway: how many units run where, how many meet in one kernel, how many wait."""
        standing = self.standing
        placed = standing.node_of >= 0
        shared = np.bincount(standing.node_of[placed & ~self.own_kernel], minlength=1)
        most, waiting = int(shared.max()), int((~placed).sum())
        units = words.count(int(placed.sum()), self.noun)
        nodes = words.count(len(standing.offered), "node")
        shares = f"up to {most:,} share one kernel" if most > 1 else "no kernel is shared"
        wait = f", {waiting:,} {'waits' if waiting == 1 else 'wait'}" if waiting else ""
        return f"{units} on {nodes}{self._where()}: {shares}{wait}"

    def _where(self) -> str:
        count = len(group_nodes(self.standing.scenario))
        if by_zone(self.standing.scenario):
            return f" in {words.count(count, 'zone')}"
        return f" of {words.count(count, 'machine shape')}" if count > 1 else ""

    @property
    def subtitle(self) -> str:
        """How to read the picture."""
        if not self.detailed:
            return "Disc: a node and its kernel, sized by cores, coloured by its fullest resource"
        own = " (orange: of its own)" if bool(self.own_kernel.any()) else ""
        over = theme.over_words(self.use)
        return (
            "Disc: a node, sized by cores, coloured by its fullest resource · "
            f"ring: a kernel{own} · dot: a {self.noun}{over}"
        )


def _rack(node: Node) -> str:
    """Racks are numbered per zone as a rule, so the zone is part of the name."""
    return f"{node.zone}/{node.rack}" if node.rack else ""
