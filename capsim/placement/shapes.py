"""Machine shapes of a cluster: which sizes there are, and which one stands for the rest."""

from __future__ import annotations

from collections import Counter

import numpy as np

from capsim.errors import ModelError
from capsim.scenario import Node
from capsim.topology import Topology


def commonest_machine(topology: Topology) -> Node:
    """The machine to size with: of those that hold the most kinds of units, the commonest.

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
    used = np.unique(topology.unit_template)
    request = topology.request[used]
    boards = topology.gpu_share[used, 0]
    holds = {
        key: int(((request <= np.array(key[:-1])).all(axis=1) & (boards <= key[-1])).sum())
        for key in count
    }
    best = max(count, key=lambda key: (holds[key], count[key]))
    return nodes[keys.index(best)]
