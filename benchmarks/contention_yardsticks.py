"""What the contention kernels are measured against: the same rules without them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def waterfill_numpy(capacity: float, weight: Float64, demand: Float64) -> Float64:
    """Weighted max-min shares by sorting: the last level at which all that needs less is served."""
    order = np.argsort(demand / weight)
    need, heft = demand[order], weight[order]
    served = np.concatenate(([0.0], np.cumsum(need)[:-1]))
    level = (capacity - served) / np.cumsum(heft[::-1])[::-1]
    short = np.flatnonzero(need / heft > level)
    if not len(short):
        return demand
    got = np.empty_like(demand)
    got[order] = np.minimum(need, level[short[0]] * heft)
    return got


def quota_queue_python(
    quota_s: float, period_s: float, arrivals: Iterable[float], services: Iterable[float]
) -> list[float]:
    """Response times of one thread under a quota, as a fluid: the budget is full every period."""
    times, free, spent, boundary = [], 0.0, 0.0, period_s
    for arrival, service in zip(arrivals, services, strict=True):
        now, left = max(arrival, free), service
        while True:
            while boundary <= now + 1e-12:
                boundary, spent = boundary + period_s, 0.0
            step = min(left, quota_s - spent, boundary - now)
            now, left, spent = now + step, left - step, spent + step
            if left <= 1e-12:
                break
            if spent >= quota_s - 1e-12:
                now = boundary
        times.append(now - arrival)
        free = now
    return times
