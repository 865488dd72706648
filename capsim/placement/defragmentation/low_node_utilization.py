"""LowNodeUtilization: evict from nodes that are used much, where others are used little.

Rule: a node is underutilised if no resource is above its threshold (and it is not cordoned),
overutilised if some resource is above its target threshold. Overutilised nodes give, the most
used first, until none of their resources is above its target, as long as the underutilised ones
have room up to the targets. Nothing happens without nodes of both kinds, or if all are
underutilised. Source: kubernetes-sigs/descheduler, nodeutilization plugin; the thresholds
are those of its documentation's example, for it has no defaults.
"""

from __future__ import annotations

import numpy as np

from capsim.errors import ModelError
from capsim.placement.defragmentation.snapshot import Snapshot
from capsim.placement.defragmentation.utilisation import (
    BASIC,
    Thresholds,
    above,
    below,
    by_usage,
    capped,
    columns,
    drain,
)
from capsim.scenario.spec import Spec

NAME = "LowNodeUtilization"


class LowNodeUtilization(Spec):
    """Level the use of nodes; percent of what a node offers, by resource."""

    thresholds: Thresholds = dict.fromkeys(BASIC, 20.0)
    target_thresholds: Thresholds = dict.fromkeys(BASIC, 50.0)
    number_of_nodes: int = 0
    """Nothing happens unless more nodes than this are underutilised."""

    def evict(self, snapshot: Snapshot) -> None:
        """Evicts from overutilised nodes."""
        self._check()
        counted = columns(snapshot, self.target_thresholds)
        cordoned = np.array([node.unschedulable for node in snapshot.nodes], np.bool_)
        low = below(snapshot, self.thresholds) & ~cordoned
        high = above(snapshot, self.target_thresholds) & ~low
        if low.sum() <= self.number_of_nodes or not low.any() or low.all() or not high.any():
            return
        limit, takers = capped(snapshot, self.target_thresholds), np.flatnonzero(low)
        room = (limit - snapshot.used)[takers].sum(axis=0)

        def is_above(node: int) -> bool:
            return bool(np.any(snapshot.used[node, counted] > limit[node, counted]))

        sources = by_usage(snapshot, np.flatnonzero(high), counted)[::-1]
        why = "its node is above the target"
        drain(snapshot, sources, takers, room, counted, is_above, why)

    def _check(self) -> None:
        if set(self.thresholds) != set(self.target_thresholds):
            raise ModelError("thresholds and target_thresholds must name the same resources.")
        for name, low in self.thresholds.items():
            if low > self.target_thresholds[name]:
                raise ModelError(
                    f"the threshold of {name} is {low:g} %, "
                    f"expected at most its target {self.target_thresholds[name]:g} %."
                )
