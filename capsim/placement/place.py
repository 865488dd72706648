"""place: which unit runs where."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np

from capsim.placement.kubernetes import unmodelled
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.following import follow
from capsim.placement.kubernetes.sampling import Sampling, Ties
from capsim.placement.kubernetes.scheduling import History, work_off
from capsim.placement.machines import Machines, machines
from capsim.placement.result import Cluster, Placement, topology_of
from capsim.scenario import Assumption, SchedulerProfile
from capsim.topology import Int32, Int64, Topology

_TIES = Assumption(
    name="equal scores",
    value="the first node in the order of the input is taken (kube-scheduler draws one)",
    source="Kubernetes 1.34, schedule_one; the recorded decisions are made the same way",
)

_EVICTED = Assumption(
    name="evicted units",
    value="each waits again at once, behind the waiting units of its priority; the unit for which "
    "it left takes its place without waiting for it to end",
    source="Kubernetes 1.34, DefaultPreemption; in a cluster the controller makes a new pod, and "
    "the room is nominated until the old one has ended",
)


def place(
    cluster: Cluster,
    *,
    profile: SchedulerProfile | None = None,
    headroom: float = 0.0,
    overcommit_cpu: float = 1.0,
    overcommit_memory: float = 1.0,
    percentage_of_nodes_to_score: int = 100,
    ties: Ties = "first",
    seed: int = 0,
) -> Placement:
    """Which node each waiting unit goes to, as kube-scheduler would decide.

    Units are taken one at a time by priority, then in the order in which they arrived; a placed
    unit counts for the next. Units that run already stay where they are, unless the profile lets
    a unit of higher priority that fits nowhere else evict them; they wait again then.

    Parameters: cluster, a scenario or a compiled one (compile once when asking often); profile of
    the scheduler, by default the scenario's own; headroom, share of every node's cpu and memory
    kept free; overcommit_cpu and overcommit_memory, requests allowed for each unit of
    allocatable; percentage_of_nodes_to_score, as in the scheduler's configuration: it stops looking
    once so many fit (0: its adaptive share); ties, the "first" of the best nodes in order, or a
    "random" one, by the seed.
    Returns: Placement.
    Raises: ModelError for a headroom or overcommit out of range.
    Model: docs/models.md, "Placing".

    >>> cs.place(cs.read("cluster.yaml")).summary()
    """
    topology = topology_of(cluster)
    policy = profile or topology.scenario.profile
    offer = machines(
        topology,
        headroom=headroom,
        overcommit_cpu=overcommit_cpu,
        overcommit_memory=overcommit_memory,
    )
    sampling = Sampling(percentage_of_nodes_to_score, ties, seed)
    return decide(topology, policy, offer, sampling=None if sampling.is_exhaustive else sampling)


def decide(
    topology: Topology,
    policy: SchedulerProfile,
    offer: Machines,
    queue: Int64 | None = None,
    sampling: Sampling | None = None,
) -> Placement:
    """Places what waits on machines that are known; in the scheduler's order unless told another.

    Parameters: queue, rows of the waiting units, those of higher priority first.
    """
    engine = scheduler(topology, policy)
    started = time.perf_counter()
    state = engine.initial(offer.offered)
    history = work_off(engine, state, queue, sampling)
    seconds = time.perf_counter() - started
    return Placement(
        topology=topology,
        machines=offer,
        engine=engine,
        method=f"kube-scheduler, {policy.strategy}",
        node_of=history.node_of(topology.unit_node),
        order=_tried(topology, history),
        history=history,
        state=state,
        seconds=seconds,
        sampling=sampling,
        assumptions=(
            *topology.scenario.assumptions,
            *offer.assumptions,
            unmodelled.assumption(topology.scenario),
            *((_TIES,) if sampling is None else sampling.assumptions),
            *((_EVICTED,) if history.evictor else ()),
        ),
    )


def scheduler(topology: Topology, profile: SchedulerProfile) -> Engine:
    """The scheduling core of a topology; kept, so that moving a slider does not compile it anew."""
    return _scheduler(topology, profile.model_dump_json())


@lru_cache(maxsize=8)
def _scheduler(topology: Topology, profile_json: str) -> Engine:
    if topology.basis is not None:
        return follow(_scheduler(topology.basis.topology, profile_json), topology)
    return Engine(topology, SchedulerProfile.model_validate_json(profile_json))


def _tried(topology: Topology, history: History) -> Int32:
    """The units as they were tried, then those that never enter the queue."""
    tried = history.tried
    held = np.setdiff1d(np.flatnonzero(topology.unit_node < 0), tried, assume_unique=True)
    return np.concatenate([tried, held]).astype(np.int32)
