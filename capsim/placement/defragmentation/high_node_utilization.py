"""HighNodeUtilization: evict from nodes that are used little, so that fewer nodes do.

Rule: nodes on which no resource is above its threshold give, the least used first, as long as the
other nodes that are not cordoned have room of every resource. It is made for a scheduler that
packs (MostAllocated); under one that spreads, evicted units go back to empty nodes.
Source: kubernetes-sigs/descheduler, nodeutilization plugin; the thresholds are those of its
documentation's example.
"""

from __future__ import annotations

import numpy as np

from capsim.placement.defragmentation.snapshot import Snapshot
from capsim.placement.defragmentation.utilisation import (
    BASIC,
    Thresholds,
    below,
    by_usage,
    columns,
    drain,
)
from capsim.scenario.spec import Spec

NAME = "HighNodeUtilization"


class HighNodeUtilization(Spec):
    """Empty nodes that are used little; percent of what a node offers, by resource."""

    thresholds: Thresholds = dict.fromkeys(BASIC, 20.0)
    number_of_nodes: int = 0
    """Nothing happens unless more nodes than this are underutilised."""

    def evict(self, snapshot: Snapshot) -> None:
        """Evicts from underutilised nodes."""
        counted = columns(snapshot, self.thresholds)
        cordoned = np.array([node.unschedulable for node in snapshot.nodes], np.bool_)
        low = below(snapshot, self.thresholds)
        takers = np.flatnonzero(~low & ~cordoned)
        if low.sum() <= self.number_of_nodes or low.all() or not low.any() or not len(takers):
            return
        room = (snapshot.offered - snapshot.used)[takers].sum(axis=0)
        sources = by_usage(snapshot, np.flatnonzero(low), counted)
        why = "its node is below the thresholds"
        drain(snapshot, sources, takers, room, counted, lambda _: True, why)
