"""Machine shapes of a cluster: which sizes there are, and which one stands for the rest."""

from __future__ import annotations

from collections import Counter

import numpy as np

from capsim.errors import ModelError
from capsim.scenario import Node
from capsim.topology import Topology

_MOST_UNITS = 0.9


def commonest_machine(topology: Topology) -> Node:
    """The machine to size with: the commonest of those that hold at least 9 units in 10.

    Where no shape does, the one that holds the most units.

    Raises: ModelError if the cluster has no nodes.
    """
    nodes = topology.scenario.nodes
    if not nodes:
        raise ModelError("There are no nodes to take a machine shape from.")
    keys = [
        (*offer, int(boards))
        for offer, boards in zip(topology.allocatable.tolist(), topology.gpu_devices, strict=True)
    ]
    count = Counter(keys)
    units = np.bincount(topology.unit_template, minlength=len(topology.template_keys))
    boards = topology.gpu_share[:, 0]
    holds = {
        key: int(
            units[(topology.request <= np.array(key[:-1])).all(axis=1) & (boards <= key[-1])].sum()
        )
        for key in count
    }
    enough = _MOST_UNITS * units.sum()
    best = max(count, key=lambda key: (min(holds[key], enough), count[key], holds[key]))
    return nodes[keys.index(best)]
