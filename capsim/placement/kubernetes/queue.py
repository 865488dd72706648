"""Which units wait for a place, in which order, and which kinds of units are asked about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import resource_quota
from capsim.placement.kubernetes.classes import Kind
from capsim.placement.kubernetes.profiles import Profiles
from capsim.topology import Int64, Topology


def entering(topology: Topology, profiles: Profiles) -> tuple[Int64, dict[int, str]]:
    """The queue without the units that quotas keep from being created; those, and why."""
    over_quota = resource_quota.refused(topology.scenario)
    waiting = queue(topology, profiles)
    return waiting[~np.isin(waiting, list(over_quota))], over_quota


def queue(topology: Topology, profiles: Profiles) -> Int64:
    """Rows of the waiting units in the order of the active queue: priority, then arrival.

    Units held by a scheduling gate never enter it, nor those of another scheduler.
    Source: Kubernetes 1.34, queuesort plugin.
    """
    held = [bool(t.scheduling_gates) or profiles.number(t) < 0 for t in topology.templates]
    enters = (topology.unit_node < 0) & ~np.array(held, bool)[topology.unit_template]
    waiting = np.flatnonzero(enters)
    priority = topology.priority[topology.unit_template[waiting]]
    return waiting[np.argsort(-priority, kind="stable")].astype(np.int64)


def asking(
    topology: Topology, found: Sequence[Kind], waiting: Int64, profiles: Profiles
) -> NDArray[np.bool_]:
    """[C] whether units of the kind wait, or could be evicted for units that wait.

    waiting: the kinds of the units that wait.
    """
    asks = np.zeros(len(found), np.bool_)
    asks[waiting] = True
    if asks.any() and any(profile.preemption for profile in profiles.all):
        priority = topology.priority[[kind.template for kind in found]]
        asks |= priority < priority[asks].max()
    return asks
