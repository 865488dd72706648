"""A profile's scoring as the kernels take it."""

from __future__ import annotations

from capsim.placement.kubernetes import (
    inter_pod_affinity,
    node_affinity,
    node_resources_balanced_allocation,
    node_resources_fit,
    pod_topology_spread,
    taint_toleration,
)
from capsim.placement.kubernetes._kernels import Policy
from capsim.scenario import SchedulerProfile
from capsim.topology import Topology


def policy(topology: Topology, profile: SchedulerProfile) -> Policy:
    """The weights and shapes of a profile's scores over the topology's resources."""
    weight = profile.score_weights.get
    fit = node_resources_fit.scored(profile.resources, topology.resources)
    balanced = node_resources_fit.scored(profile.balanced_resources, topology.resources)
    return Policy(
        weight(node_resources_fit.NAME, 0),
        weight(node_resources_balanced_allocation.NAME, 0),
        weight(taint_toleration.NAME, 0),
        weight(node_affinity.NAME, 0),
        weight(pod_topology_spread.NAME, 0),
        weight(inter_pod_affinity.NAME, 0),
        node_resources_fit.STRATEGIES.index(profile.strategy),
        profile.strategy != "RequestedToCapacityRatio" and fit.columns.tolist() == [0, 1],
        fit.columns,
        fit.weights,
        fit.scalar,
        *node_resources_fit.curve(profile),
        balanced.columns,
        balanced.scalar,
    )
