"""What nodes say to one class of units, and what is taken on them meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes._kernels import Counts, Nodes
from capsim.placement.kubernetes.volume_binding import Bound, Verdict
from capsim.topology import Int64


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
