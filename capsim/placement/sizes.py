"""What units count when machines are sized: classes of equal size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from capsim.placement.headroom import SameMachinesAndTemplates
from capsim.scenario.requests import SCORING_DEFAULTS, filter_requests, sizing_requests
from capsim.topology import Int64, Topology


@dataclass(frozen=True, eq=False)
class Sizes:
    """Templates as C classes of equal size, in an order that the input does not change."""

    class_of: Int64
    """[T]"""
    need: Int64
    """[C, R] with the stated default for units that request nothing."""
    boards: Int64
    """[C, 2] boards, thousandths of each."""
    assumed: NDArray[np.bool_]
    """[T] whether the default stands in for a request."""

    @property
    def need_of_template(self) -> Int64:
        """What a unit of each template needs, [T, R]."""
        return self.need[self.class_of]


def sizes(topology: Topology) -> Sizes:
    """What units of each template count when machines are sized."""
    return _sizes(SameMachinesAndTemplates(topology))


@lru_cache(maxsize=8)
def _sizes(same: SameMachinesAndTemplates) -> Sizes:
    topology = same.topology
    rows = [sizing_requests(template) for template in topology.templates]
    plain = [filter_requests(template) for template in topology.templates]
    names = topology.resources
    need = np.array([[row.get(name, 0) for name in names] for row in rows], np.int64)
    key = np.hstack([need.reshape(len(rows), len(names)), topology.gpu_share])
    classes, class_of = np.unique(key, axis=0, return_inverse=True)
    assumed = [any(not row.get(name) for name in SCORING_DEFAULTS) for row in plain]
    return Sizes(
        class_of=class_of.reshape(-1).astype(np.int64),
        need=np.ascontiguousarray(classes[:, :-2]),
        boards=np.ascontiguousarray(classes[:, -2:]),
        assumed=np.array(assumed, bool),
    )
