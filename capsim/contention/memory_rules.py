"""The single rules of Linux and the kubelet about memory, each with its source."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from capsim.contention.memory_groups import MemoryGroup
from capsim.contention.parameters import parameter

Float64 = NDArray[np.float64]
PAGE = 4096
#: A task with this oom_score_adj is never killed.
UNKILLABLE = -1000
_GUARANTEED_ADJ = -997
_CHARGE_BATCH_PAGES = 64
_MOST_DELAY_S = 2.0


def high_delay_s(usage: float, high: float, pages: int = _CHARGE_BATCH_PAGES) -> float:
    """Pause of an allocating task at its return to user mode, above memory.high, in seconds.

    over = (usage - high) / max(high, 1 page); delay = over^2 * 64 * pages / 64, at most 2 s.

    Parameters: usage, high in bytes; pages charged since the last return (a batch has 64).
    Source: Linux mm/memcontrol.c, calculate_high_delay.

    >>> high_delay_s(105.0e6, 100.0e6)
    0.16
    """
    over = (usage - high) / max(high, PAGE)
    if over <= 0:
        return 0.0
    return min(_MOST_DELAY_S, round(over**2, 12) * 64 * pages / _CHARGE_BATCH_PAGES)


def oom_score_adj(qos: str, request: float, node_memory: float) -> int:
    """oom_score_adj that the kubelet writes for a container.

    Parameters: qos; request and node_memory in bytes.
    Source: kubelet pkg/kubelet/qos/policy.go (Kubernetes 1.22 and later).

    >>> oom_score_adj("Burstable", 4e9, 16e9)
    750
    """
    fixed = {"Guaranteed": _GUARANTEED_ADJ, "BestEffort": 1000, "system": 0}
    if qos in fixed:
        return fixed[qos]
    adj = 1000 - math.floor(1000 * request / node_memory)
    return min(max(adj, 1000 + _GUARANTEED_ADJ), 999)


def badness(resident: float, swapped: float, adj: int, node_memory: float) -> float:
    """Points by which the kernel's OOM killer chooses; the highest dies.

    Resident, swapped and page-table pages (one in 512), plus adj thousandths of all pages.
    Source: Linux mm/oom_kill.c, oom_badness.
    """
    pages = (resident * (1 + 1 / 512) + swapped) / PAGE
    return pages + adj * node_memory / PAGE / 1000


def memory_qos_high(request: float, limit: float | None, allocatable: float) -> float:
    """memory.high under the kubelet's Memory QoS, in bytes, on a whole page.

    Parameters: request, limit (None: none) and the node's allocatable memory, in bytes.
    Source: KEP-2570: floor((request + f (limit or allocatable - request)) / page) pages.
    """
    factor = parameter("memory_qos_throttling_factor").value
    top = allocatable if limit is None else limit
    return math.floor((request + factor * (top - request)) / PAGE) * PAGE


def swap_limit(request: float, node_memory: float, node_swap: float) -> float:
    """memory.swap.max of a Burstable container under LimitedSwap: its share of the node's swap.

    Source: KEP-2400.
    """
    return node_swap * request / node_memory if node_memory > 0 else 0.0


def effective_protection(usage: ArrayLike, protection: ArrayLike, parent: float) -> Float64:
    """memory.min or memory.low that children really have.

    Where they ask for more than the parent has, each gets a part in proportion to its use within
    its own protection. Parameters: usage, protection [C] and parent in bytes.
    Source: Documentation/admin-guide/cgroup-v2.rst.
    """
    claimed = np.minimum(np.asarray(usage, np.float64), np.asarray(protection, np.float64))
    total = float(claimed.sum())
    return claimed if total <= parent else claimed * (parent / total)


def low_watermark(node_memory: float) -> float:
    """Free bytes below which the kernel starts to reclaim in the background.

    min = sqrt(16 kB of memory) kB, within 128 and 262144; low = min + the larger of a quarter of
    min and 0.1 % of memory (watermark_scale_factor 10). One zone; transparent huge pages raise
    min somewhat. Source: Linux mm/page_alloc.c (stated from the literature, not re-read).
    """
    least = min(max(math.isqrt(int(node_memory / 1024 * 16)), 128), 262144) * 1024.0
    return least + max(least / 4, 0.001 * node_memory)


def eviction_order(
    groups: Sequence[MemoryGroup], working_set: Float64, alive: NDArray[np.bool_]
) -> list[tuple[int, str]]:
    """Pods in the order in which the kubelet would evict them, with the reason.

    First those whose use exceeds their request, then by priority (low first), then by use above
    the request. Source: kubernetes.io, Node-pressure Eviction, pod selection.
    """

    def rank(g: int) -> tuple[bool, int, float, str]:
        over = float(working_set[g] - groups[g].request)
        return (over <= 0, groups[g].priority, -over, groups[g].name)

    pods = [g for g in range(len(groups)) if alive[g] and groups[g].qos != "system"]
    return [(g, _eviction_reason(groups[g], working_set[g])) for g in sorted(pods, key=rank)]


def _eviction_reason(group: MemoryGroup, working_set: float) -> str:
    over = working_set - group.request
    told = f"{over / 2**30:,.2f} GiB above its request" if over > 0 else "within its request"
    return f"{told}, priority {group.priority}"


def oom_order(
    groups: Sequence[MemoryGroup],
    resident: Float64,
    swapped: Float64,
    alive: NDArray[np.bool_],
    node_memory: float,
) -> list[tuple[int, str]]:
    """Groups in the order in which the kernel's OOM killer would take them, with the reason."""
    ranked: list[tuple[float, str, int, int]] = []
    for g, group in enumerate(groups):
        adj = group.oom_score_adj
        if adj is None:
            adj = oom_score_adj(group.qos, group.request, node_memory)
        if alive[g] and adj > UNKILLABLE:
            points = badness(resident[g], swapped[g], adj, node_memory)
            ranked.append((-points, group.name, g, adj))
    return [
        (g, f"badness {-points / node_memory * PAGE * 1000:,.0f}, oom_score_adj {adj}")
        for points, _, g, adj in sorted(ranked)
    ]


def eviction_in_time(growth_bytes_per_s: float, threshold: float) -> bool:
    """Whether the kubelet sees memory run out before the kernel does.

    It looks every 10 s; memory that grows by more than the threshold meanwhile meets the OOM
    killer first. Source: kubernetes.io, Node-pressure Eviction.
    """
    return growth_bytes_per_s * parameter("kubelet_housekeeping").value <= threshold
