"""A cluster with its tenants isolated, placed anew, with as many machines as that takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from capsim.errors import ModelError
from capsim.placement.packing import pack
from capsim.placement.place import place
from capsim.placement.result import Placement
from capsim.placement.whatif import add_machines
from capsim.scenario import CPU, GPU_MILLI, MEMORY, Node, Scenario, Template
from capsim.scenario.requests import filter_requests
from capsim.stack.isolation import (
    SHARED,
    TENANT_LABEL,
    billed,
    isolate,
)
from capsim.stack.kernel_sharing import KernelSharing, kernel_sharing
from capsim.topology import Topology, compile_scenario, is_serverless

Rows = NDArray[np.int64]

_ROUNDS = 6
_NOWHERE = -2
"""Of Topology.unit_pinned: a node that is not there."""


@dataclass(frozen=True, eq=False)
class Isolated:
    """A cluster with its tenants isolated, placed anew, with as many machines as that takes."""

    plan: Placement
    machines_before: int
    machines_added: int
    waiting_before: Rows
    """Rows of the units that wait with everything on shared kernels, without a limit of pods."""
    memory_added: int
    """Bytes that the isolation itself takes, of the cluster or of the serverless service."""
    cores_added: float

    @cached_property
    def sharing(self) -> KernelSharing:
        """Who shares a kernel now."""
        return kernel_sharing(self.plan)

    @property
    def machines(self) -> int:
        """Machines in all."""
        return self.machines_before + self.machines_added

    @property
    def machines_in_use(self) -> int:
        """Machines that carry a pod of a tenant; the others could go."""
        paths, (_, tenant) = self.sharing.paths, self.sharing.tenants
        theirs = paths.on_machine[tenant[paths.on_machine] >= 0]
        return len(np.unique(paths.node_of[theirs]))

    @property
    def waiting_more(self) -> int:
        """Units that wait though they had a place on shared kernels, whatever is added."""
        return len(_displaced(self.plan, self.waiting_before))

    @property
    def pods_lost(self) -> float:
        """Pods lost in a kernel panic, as a pod sees it that is lost."""
        return self.sharing.kernels.seen_lost

    @property
    def pods_reached(self) -> float:
        """Pods that an escape reaches, itself included, on average over the tenants' pods."""
        return self.sharing.summary()["pods_reached_by_an_escape"]


def try_isolation(
    cluster: Scenario,
    by_tenant: Mapping[str, str] | None = None,
    *,
    default: str = SHARED,
    pods_per_node: int | None = None,
    end: str = "value",
    waiting: Rows | None = None,
) -> Isolated:
    """Isolate tenants, place everything anew, and add machines until all fit that fitted before.

    Machines are added like those that the waiting units fit, spread over the zones.
    Parameters: as of `isolate`; waiting, what `waiting_shared` gives, to ask for it only once.
    Returns: Isolated.
    Raises: ModelError for an unknown isolation or tenant, or a cluster without machines.
    Model: docs/models/kernel_sharing.md, "The price".

    >>> try_isolation(cluster, {"batch": "kata"}).machines_added
    """
    before = waiting_shared(cluster) if waiting is None else waiting
    changed = isolate(cluster, by_tenant, default=default, pods_per_node=pods_per_node, end=end)
    plan = place(_without(compile_scenario(changed), before))
    machines = sum(not is_serverless(node) for node in changed.nodes)
    plan = _enough(plan, before)
    after = sum(not is_serverless(node) for node in plan.scenario.nodes)
    memory, cores = _added(plan)
    return Isolated(plan, machines, after - machines, before, memory, cores)


def waiting_shared(cluster: Scenario) -> Rows:
    """Rows of the units that wait when everything is placed anew on shared kernels.

    Raises: ModelError for a cluster without machines.
    """
    if not cluster.nodes:
        raise ModelError("The cluster has no machines; cs.size_cluster gives it some.")
    return place(isolate(cluster)).waiting


def _without(topology: Topology, waiting: Rows) -> Topology:
    """The same with units that wait today left waiting, so that the same pods are compared.

    Else they would take the machines that are added for others.
    """
    on, pinned = topology.unit_node.copy(), topology.unit_pinned.copy()
    on[waiting], pinned[waiting] = -1, _NOWHERE
    return replace(topology, unit_node=on, unit_pinned=pinned)


def _displaced(plan: Placement, waiting: Rows) -> Rows:
    """Rows of the units that wait and did not before."""
    return np.setdiff1d(plan.waiting, waiting, assume_unique=True)


def _enough(plan: Placement, waiting: Rows) -> Placement:
    """More machines while that lets more units in, until all fit that fitted before."""
    for _ in range(_ROUNDS):
        displaced = _displaced(plan, waiting)
        larger = _with_more(plan, displaced) if len(displaced) else None
        if larger is None:
            break
        tried = place(larger)
        if len(_displaced(tried, waiting)) >= len(displaced):
            break
        plan = tried
    return plan


def _with_more(plan: Placement, units: Rows) -> Topology | None:
    """Machines for the units, each like the commonest that such a unit may be on.

    What is placed stays, as when nodes join a running cluster; else it would take the new ones.
    """
    topology, shapes = plan.placed_topology, _shapes(plan.scenario)
    wanted: dict[tuple[str, str], list[int]] = {}
    for at in units.tolist():
        template = topology.templates[topology.unit_template[at]]
        name = next((name for name, like in shapes.items() if _may_hold(like[0], template)), None)
        if name is not None:
            wanted.setdefault((name, template.labels.get(TENANT_LABEL, "")), []).append(at)
    for (name, _), together in wanted.items():
        packed = pack(topology, shapes[name][0], units=np.array(together))
        topology = _spread(topology, shapes[name], packed.count)
    return topology if wanted else None


def _shapes(scenario: Scenario) -> dict[str, list[Node]]:
    """Machines by shape and taints, the commonest first; one of each zone stands for its zone."""
    found: dict[str, list[Node]] = {}
    for node in scenario.nodes:
        if not is_serverless(node) and not node.unschedulable:
            found.setdefault(f"{node.shape} {node.taints}", []).append(node)
    ordered = sorted(found.items(), key=lambda each: -len(each[1]))
    return {name: list({n.zone: n for n in reversed(nodes)}.values()) for name, nodes in ordered}


def _may_hold(node: Node, template: Template) -> bool:
    """Whether a machine offers enough, and the unit selects and tolerates it."""
    asked = filter_requests(template)
    boards = asked.pop(GPU_MILLI, 0) and template.gpu_share
    return (
        all(node.allocatable.get(name, 0) >= amount for name, amount in asked.items())
        and (not boards or boards.devices <= node.gpu_devices)
        and template.node_selector.items() <= node.labels.items()
        and all(
            any(toleration.tolerates(taint) for toleration in template.tolerations)
            for taint in node.taints
            if taint.effect != "PreferNoSchedule"
        )
    )


def _spread(topology: Topology, machines: Sequence[Node], count: int) -> Topology:
    """`count` machines more, taking turns over the zones."""
    for at, machine in enumerate(machines):
        topology = add_machines(
            topology, machine, (count + len(machines) - 1 - at) // len(machines)
        )
    return topology


def _added(plan: Placement) -> tuple[int, float]:
    """Bytes and cores that isolation adds, over all units."""
    topology = plan.topology
    counts = np.bincount(topology.unit_template, minlength=len(topology.template_keys)).tolist()
    memory, cores = 0, 0.0
    for template, count in zip(topology.templates, counts, strict=True):
        extra = template.overhead
        memory += extra.get(MEMORY, 0) * count
        cores += extra.get(CPU, 0) / 1000 * count
    rented = [at for at, node in enumerate(plan.scenario.nodes) if is_serverless(node)]
    for at in np.flatnonzero(np.isin(topology.unit_node, rented)).tolist():
        template = topology.templates[topology.unit_template[at]]
        pair = billed(template)
        if pair is not None:
            memory += pair[1] - filter_requests(template).get(MEMORY, 0)
            cores += pair[0] - filter_requests(template).get(CPU, 0) / 1000
    return memory, cores
