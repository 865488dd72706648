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
    over the groups is piecewise linear in the level, and rises: Newton's step lands on it exactly
    once no corner lies between; where it would leave the bracket, the bracket is halved. A dozen
    passes over the groups, no sorting. Floors that exceed the capacity together are all cut in
    the same proportion.

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
    low = 0.0
    high = 0.0
    for i in range(n):
        high = max(high, ceiling[i] / weight[i])
    level = 0.0
    total = floors
    for step in range(400):
        slope = 0.0
        total = 0.0
        for i in range(n):
            part = level * weight[i]
            if part <= floor[i]:
                total += floor[i]
            elif part >= ceiling[i]:
                total += ceiling[i]
            else:
                total += part
                slope += weight[i]
        if abs(total - capacity) <= 1e-13 * capacity or high - low <= 1e-16 * high:
            break
        if total > capacity:
            high = level
        else:
            low = level
        level += (capacity - total) / slope if slope > 0.0 else np.inf
        if not low < level < high or step % 4 == 3:
            level = 0.5 * (low + high)
    for i in range(n):
        out[i] = min(max(level * weight[i], floor[i]), ceiling[i])
    return level
