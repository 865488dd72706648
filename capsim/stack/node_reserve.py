"""What a managed Kubernetes keeps of a node for itself: the exact rule of each service.

The figures are rows of data/platforms/eks.csv, gke.csv and aks.csv; the rules are here and nowhere
else. Model: docs/models/stack.md, "Node reserves".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from capsim.scenario import Assumption
from capsim.stack.parameters import Parameter, parameter, parameters, rows_of

ManagedKubernetes = Literal["eks", "gke", "aks"]
SERVICES: tuple[ManagedKubernetes, ...] = get_args(ManagedKubernetes)

_MIB, _GIB = 2**20, 2**30
_MB = 10**6
_OLD_VERSIONS = ("before 1.29",)
_RULE = ("kube_reserved_cpu", "kube_reserved_memory", "eviction_threshold", "eviction_hard_memory")
_TIERS_GIB = (4, 8, 16, 128)
"""Upper ends of the tiers of memory of GKE, in GiB; the last tier has none."""


@dataclass(frozen=True)
class NodeReserve:
    """The rule of one service."""

    service: ManagedKubernetes
    name: str
    reserved_cpu: Callable[[int], int]
    """Cores to milli-cores."""
    reserved_memory: Callable[[int, int], int]
    """Bytes of the node and the most pods it may run, to bytes; with the eviction threshold."""
    rule: str
    source: str

    @property
    def facts(self) -> tuple[Parameter, ...]:
        """The rows that the rule rests on."""
        return tuple(
            row
            for row in parameters(self.service)
            if row.name.startswith(_RULE) and row.version not in _OLD_VERSIONS
        )

    @property
    def assumption(self) -> Assumption:
        """The rule, as a result states it."""
        return Assumption(name=f"reserve of {self.name} nodes", value=self.rule, source=self.source)


def most_pods(service: ManagedKubernetes, cores: int) -> int:
    """Pods that a node of so many cores may run, if its network has the addresses.

    EKS caps managed nodes at 110 pods, at 250 from 30 vCPU on; GKE and AKS allow 110 by default.
    """
    usual, small, large = _pod_caps()
    if service != "eks":
        return usual
    return small if cores < 30 else large


@lru_cache(maxsize=1)
def _pod_caps() -> tuple[int, int, int]:
    return (
        _whole("kubernetes", "max_pods_per_node"),
        _whole("eks", "max_pods_cap_small"),
        _whole("eks", "max_pods_cap_large"),
    )


@lru_cache(maxsize=3)
def node_reserve(service: ManagedKubernetes) -> NodeReserve:
    """The rule of a service.

    >>> node_reserve("gke").reserved_cpu(16)
    110
    """
    return {"eks": _eks, "gke": _gke, "aks": _aks}[service]()


def _eks() -> NodeReserve:
    fixed = _whole("eks", "kube_reserved_memory_fixed")
    per_pod = _whole("eks", "kube_reserved_memory_per_pod")
    threshold = _whole("eks", "eviction_hard_memory_available")
    return NodeReserve(
        "eks",
        "EKS",
        _tiered_cpu("eks"),
        lambda memory, pods: fixed + per_pod * pods + threshold,
        "memory: 255 MiB + 11 MiB x max pods + 100 MiB eviction threshold; "
        f"{_CPU_RULE}; pods: by network interfaces, at most 110 (250 from 30 vCPU on)",
        "awslabs/amazon-eks-ami nodeadm (2026-07-23); awsdocs/amazon-eks-user-guide (2024-12-18)",
    )


def _gke() -> NodeReserve:
    """25 % of the first 4 GiB, 20 % to 8, 10 % to 16, 6 % to 128, 2 % above; and the threshold."""
    percents = [
        int(row.interval.value) for row in rows_of("gke", "kube_reserved_memory") if row.interval
    ]
    small = _whole("gke", "kube_reserved_memory_small")
    threshold = _whole("gke", "eviction_threshold_memory")

    def memory_rule(memory: int, pods: int) -> int:
        if memory < _GIB:
            return small + threshold
        ends = [0, *(end * _GIB for end in _TIERS_GIB), max(memory, _TIERS_GIB[-1] * _GIB)]
        kept = (
            percent * max(0, min(memory, upper) - lower)
            for percent, lower, upper in zip(percents, ends, ends[1:], strict=False)
        )
        return sum(kept) // 100 + threshold

    return NodeReserve(
        "gke",
        "GKE",
        _tiered_cpu("gke"),
        memory_rule,
        "memory: 25 % of the first 4 GiB, 20 % to 8, 10 % to 16, 6 % to 128, 2 % above, + 100 MiB "
        f"eviction threshold; {_CPU_RULE}; pods: 110",
        "GKE documentation, plan-node-sizes (2025), as restated in public code",
    )


def _aks() -> NodeReserve:
    """Memory: the smaller of 20 MB x max pods + 50 MB and a quarter (1.29 and later)."""
    rows = rows_of("aks", "kube_reserved_cpu")
    one, two, four = (int(row.interval.value) for row in rows[:3] if row.interval)
    threshold = _whole("aks", "eviction_threshold_memory", version="1.29")

    def cpu_rule(cores: int) -> int:
        third_and_fourth = (four - two) // 2 * min(max(cores - 2, 0), 2)
        return one + (two - one) * (cores >= 2) + third_and_fourth + 10 * max(cores - 4, 0)

    return NodeReserve(
        "aks",
        "AKS",
        cpu_rule,
        lambda memory, pods: min((20 * pods + 50) * _MB, memory // 4) + threshold,
        "memory: the smaller of 20 MB x max pods + 50 MB and a quarter, + 100 MiB eviction "
        "threshold; CPU: 60, 100, 140 m of 1, 2, 4 cores, 10 m for each above; pods: 110",
        "MicrosoftDocs/azure-aks-docs, node-resource-reservations (2026-06-11)",
    )


_CPU_RULE = "CPU: 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % above"


def _tiered_cpu(service: ManagedKubernetes) -> Callable[[int], int]:
    """Shares of the first core, the second, the third and fourth, and the rest.

    Milli-cores, each tier in whole ones, as nodeadm counts. The same for EKS and GKE.
    """
    rows = rows_of(service, "kube_reserved_cpu")
    first, second, next_two, rest = (round(row.amount.value * 1e5) for row in rows)

    def cpu_rule(cores: int) -> int:
        tiers = (
            (first, min(cores, 1)),
            (second, min(max(cores - 1, 0), 1)),
            (next_two, min(max(cores - 2, 0), 2)),
            (rest, max(cores - 4, 0)),
        )
        return sum(share * n // 100 for share, n in tiers)

    return cpu_rule


def _whole(platform: str, name: str, *, version: str = "") -> int:
    return round(parameter(platform, name, version=version).amount.value)
