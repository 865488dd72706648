"""What LowNodeUtilization and HighNodeUtilization share: use in percent, and whom to evict.

Units leave source nodes, the least important first, as long as the destinations have room left of
every resource; a unit that tolerates the taints of no destination stays.
Source: kubernetes-sigs/descheduler, nodeutilization plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from capsim.errors import ModelError, nearest
from capsim.placement.defragmentation.snapshot import Snapshot, tolerates
from capsim.scenario import CPU, MEMORY, PODS
from capsim.topology import Int64

Percent = Annotated[float, Field(ge=0, le=100)]
Thresholds = dict[str, Percent]
BASIC = (CPU, MEMORY, PODS)
Bools = NDArray[np.bool_]


def columns(snapshot: Snapshot, thresholds: Mapping[str, float]) -> list[int]:
    """The resources that count: cpu, memory, pods and those with a threshold."""
    known = snapshot.topology.resources
    for name in thresholds:
        if name not in known:
            raise ModelError(f"no resource {name!r} in the cluster{nearest(name, known)}.")
    return [known.index(name) for name in dict.fromkeys((*BASIC, *thresholds))]


def percent(snapshot: Snapshot) -> NDArray[np.float64]:
    """[N, R] requested share of every node in percent; 0 of what it does not have."""
    offered = snapshot.offered
    share: NDArray[np.float64] = 100.0 * snapshot.used / np.maximum(offered, 1)
    return np.where(offered > 0, share, 0.0)


def below(snapshot: Snapshot, thresholds: Mapping[str, float]) -> Bools:
    """[N] nodes on which no resource is above its threshold."""
    return ~above(snapshot, thresholds)


def above(snapshot: Snapshot, thresholds: Mapping[str, float]) -> Bools:
    """[N] nodes on which some resource is above its threshold."""
    share, known = percent(snapshot), snapshot.topology.resources
    over = [share[:, known.index(name)] > limit for name, limit in thresholds.items()]
    result: Bools = np.any(over, axis=0) if over else np.zeros(len(share), np.bool_)
    return result


def capped(snapshot: Snapshot, thresholds: Mapping[str, float]) -> NDArray[np.float64]:
    """[N, R] what each node offers up to the threshold of each resource."""
    known = snapshot.topology.resources
    share = np.array([thresholds.get(name, 100.0) / 100 for name in known])
    limits: NDArray[np.float64] = np.floor(snapshot.offered * share)
    return limits


def by_usage(snapshot: Snapshot, nodes: Int64, counted: Sequence[int]) -> list[int]:
    """Nodes from the least to the most used, by milli-cores, bytes and pieces added up."""
    usage = snapshot.used[nodes][:, counted].sum(axis=1)
    order: list[int] = nodes[np.argsort(usage, kind="stable")].tolist()
    return order


def drain(
    snapshot: Snapshot,
    sources: Sequence[int],
    destinations: Int64,
    room: Int64,
    counted: Sequence[int],
    goes_on: Callable[[int], bool],
    why: str,
) -> None:
    """Evict from the sources in this order.

    room: [R] what the destinations can take in all; goes_on: whether a node is still to give.
    """
    taints = {snapshot.nodes[n].taints for n in destinations.tolist()}
    for node in sources:
        movable = [unit for unit in snapshot.on_node(node) if snapshot.may_go(unit)]
        if not movable or not (goes_on(node) and np.all(room[counted] > 0)):
            continue
        for unit in snapshot.by_priority(movable):
            if not any(tolerates(snapshot.template(unit), each) for each in taints):
                snapshot.refused.setdefault(unit, "tolerates the taints of no destination")
                continue
            if snapshot.evict(unit, why):
                room = room - snapshot.request(unit)
            if not (goes_on(node) and np.all(room[counted] > 0)):
                break
