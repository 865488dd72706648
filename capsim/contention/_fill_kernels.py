"""Weighted max-min sharing with a floor and a ceiling for each: CPU, memory, disk time, links."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


@njit(cache=True)
def fill(capacity: float, weight: Float64, floor: Float64, ceiling: Float64, out: Float64) -> float:
    """Divide a capacity so that out = clip(level * weight, floor, ceiling), and return the level.

    The level is the largest that fits the capacity (infinite when every ceiling is met). The sum
    over the groups is piecewise linear in the level, with a corner where a group leaves its floor
    and one where it meets its ceiling; a sweep over the sorted corners finds the level exactly,
    in O(n log n). Floors that exceed the capacity together are all cut in the same proportion.

    weight (> 0), floor (<= ceiling), ceiling, out: float64[n], in the unit of capacity.
    Source: Parekh and Gallager 1993 (generalised processor sharing); Waldspurger and Weihl,
    Lottery Scheduling, OSDI 1994 (reservations as minimum funding).
    """
    n = weight.shape[0]
    floors = 0.0
    ceilings = 0.0
    for i in range(n):
        floors += floor[i]
        ceilings += ceiling[i]
    if ceilings <= capacity:
        out[:] = ceiling
        return np.inf
    if floors >= capacity:
        cut = capacity / floors if floors > 0.0 else 0.0
        for i in range(n):
            out[i] = floor[i] * cut
        return 0.0
    corner = np.empty(2 * n)
    for i in range(n):
        corner[i] = floor[i] / weight[i]
        corner[n + i] = ceiling[i] / weight[i]
    total = floors
    slope = 0.0
    level = 0.0
    for at in np.argsort(corner):
        step = corner[at] - level
        if total + slope * step >= capacity:
            break
        total += slope * step
        level = corner[at]
        slope += weight[at] if at < n else -weight[at - n]
    if slope > 0.0:
        level += (capacity - total) / slope
    for i in range(n):
        out[i] = min(max(level * weight[i], floor[i]), ceiling[i])
    return level
