"""The cgroup tree that Kubernetes makes on each node, from requests and limits.

node > kubepods > Guaranteed pods, burstable > pods, besteffort > pods; pod > containers; and a
system slice beside kubepods. Units that are no pods lie directly on their host, as VMs do.
Source: kubelet, cm/qos_container_manager_linux.go and helpers_linux.go (ResourceConfigForPod).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.contention.sharing import Tree
from capsim.contention.weights import (
    DEFAULT_PERIOD_S,
    Conversion,
    quota_of_limit,
    shares_of_request,
    weight_of_shares,
)
from capsim.scenario import CPU, MEMORY, Template

Qos = Literal["Guaranteed", "Burstable", "BestEffort"]
_DEFAULT_SHARES = 1024


class ContainerCpu(NamedTuple):
    """CPU side of one container, in cores; limit inf: none."""

    request: float
    limit: float


class UnitCpu(NamedTuple):
    """CPU side of all units of a template."""

    qos: Qos
    request: float
    limit: float
    """inf unless the unit or every container has a limit."""
    containers: tuple[ContainerCpu, ...]


@lru_cache(maxsize=4096)
def _unit_cpu(
    containers: tuple[tuple[int | None, int | None, bool], ...],
    pod: tuple[int | None, int | None],
    pod_guaranteed: bool | None,
) -> UnitCpu:
    parts = tuple(
        ContainerCpu(
            (request if request is not None else limit or 0) / 1000,
            limit / 1000 if limit else np.inf,
        )
        for request, limit, _ in containers
    )
    request = sum(part.request for part in parts) if pod[0] is None else pod[0] / 1000
    limit = sum(part.limit for part in parts) if not pod[1] else pod[1] / 1000
    guaranteed = all(each for *_, each in containers) if pod_guaranteed is None else pod_guaranteed
    nothing = all(request is None and limit is None for request, limit, _ in containers)
    qos: Qos = "Burstable"
    if guaranteed:
        qos = "Guaranteed"
    elif nothing and pod == (None, None) and pod_guaranteed is None:
        qos = "BestEffort"
    return UnitCpu(qos, request, limit, parts)


def unit_cpu(template: Template) -> UnitCpu:
    """QoS class, request and limit of a template's units, and those of its containers.

    Containers that run all the time count, sidecars too; a limit without a request is the request.
    """
    sidecars = [c for c in template.init_containers if c.restart_policy == "Always"]
    running = (*template.containers, *sidecars)
    stated = tuple(
        (c.requests.get(CPU), c.limits.get(CPU), _is_guaranteed(c.requests, c.limits))
        for c in running
    )
    pod_level: bool | None = None
    if template.requests or template.limits:
        pod_level = _is_guaranteed(template.requests, template.limits)
    elif any(c.requests.get(MEMORY) or c.limits.get(MEMORY) for c in running) and not any(
        request or limit for request, limit, _ in stated
    ):
        # Memory alone makes a pod Burstable.
        pod_level = False
    return _unit_cpu(stated, (template.requests.get(CPU), template.limits.get(CPU)), pod_level)


def _is_guaranteed(requests: dict[str, int], limits: dict[str, int]) -> bool:
    return all(
        name in limits and requests.get(name, limits[name]) == limits[name]
        for name in (CPU, MEMORY)
    )


@dataclass(frozen=True, eq=False)
class Cgroups:
    """The groups of all nodes as one forest, and which of them are which units."""

    tree: Tree
    unit_group: NDArray[np.int64]
    """[P] row of each placed unit's group."""
    container_groups: NDArray[np.int64]
    """[K] rows of the containers."""
    container_unit: NDArray[np.int64]
    """[K] to which of the P units each belongs."""


class _Rows:
    """Columns of the forest as they grow."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.weight: list[float] = []
        self.ceiling: list[float] = []

    def add(self, parent: int, weight: float, ceiling: float = np.inf) -> int:
        """A group below a parent (-1: a machine); returns its row."""
        self.parent.append(parent)
        self.weight.append(weight)
        self.ceiling.append(ceiling)
        return len(self.parent) - 1


def build(
    units: list[tuple[int, Template, float]],
    node_cores: NDArray[np.float64],
    *,
    system_cores: float,
    conversion: Conversion,
    threads: float,
) -> Cgroups:
    """The forest of all nodes.

    Parameters: units, the row of the node, the template and the demand in cores of each;
    node_cores [N]; system_cores, what the system slice of each node wants; conversion of
    cpu.shares to cpu.weight; threads of a container that can run at once, inf: no fewer than CPUs.
    Demand of a unit is divided among its containers as their requests are, evenly without any.
    """
    rows = _Rows()

    def weight(shares: int) -> float:
        return float(weight_of_shares(shares, conversion))

    machines, system, pods, qos_rows = [], [], [], []
    reserved = _burstable_shares(units, len(node_cores))
    for at, cores in enumerate(node_cores.tolist()):
        machine = rows.add(-1, 1.0, cores)
        machines.append(machine)
        system.append(rows.add(machine, weight(_DEFAULT_SHARES)))
        pods.append(rows.add(machine, weight(shares_of_request(cores))))
        qos_rows.append(
            {
                "Guaranteed": pods[-1],
                "Burstable": rows.add(pods[-1], weight(reserved[at])),
                "BestEffort": rows.add(pods[-1], weight(2)),
            }
        )
    unit_rows, container_rows, owner, wants = [], [], [], []
    for number, (node, template, demand) in enumerate(units):
        cpu = unit_cpu(template)
        above = qos_rows[node][cpu.qos] if template.kind == "pod" else machines[node]
        unit_rows.append(rows.add(above, weight(shares_of_request(cpu.request)), _quota(cpu.limit)))
        total = sum(part.request for part in cpu.containers)
        for part in cpu.containers:
            ceiling = min(_quota(part.limit), threads, float(node_cores[node]))
            shares = weight(shares_of_request(part.request))
            container_rows.append(rows.add(unit_rows[-1], shares, ceiling))
            owner.append(number)
            wants.append(demand * (part.request / total if total else 1 / len(cpu.containers)))
    demand_of = np.zeros(len(rows.parent))
    demand_of[container_rows] = wants
    demand_of[system] = system_cores
    tree = Tree(
        np.array(rows.parent, np.int64), np.array(rows.weight), np.array(rows.ceiling), demand_of
    )
    arrays = (np.array(each, np.int64) for each in (unit_rows, container_rows, owner))
    return Cgroups(tree, *arrays)


def _burstable_shares(units: list[tuple[int, Template, float]], nodes: int) -> list[int]:
    """cpu.shares of the Burstable group of each node: those of all its pods' requests together."""
    total = np.zeros(nodes)
    for node, template, _ in units:
        cpu = unit_cpu(template)
        if template.kind == "pod" and cpu.qos == "Burstable":
            total[node] += cpu.request
    return [shares_of_request(cores) for cores in total.tolist()]


def _quota(limit: float) -> float:
    """Cores that a limit allows on average, as the kubelet rounds it."""
    return limit if np.isinf(limit) else quota_of_limit(limit) / DEFAULT_PERIOD_S
