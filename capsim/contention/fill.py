"""Weighted max-min sharing, as every kernel and hypervisor here divides what is short."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from capsim.contention import _fill_kernels
from capsim.errors import ModelError

Float64 = NDArray[np.float64]


def fill(
    capacity: float,
    weight: ArrayLike,
    ceiling: ArrayLike,
    *,
    floor: ArrayLike = 0.0,
) -> Float64:
    """What each group gets of a capacity: clip(level * weight, floor, ceiling).

    Parameters: capacity, in any unit; weight > 0 [n]; ceiling [n], the smaller of demand and
    limit; floor [n], a reservation (what lies above the ceiling of its group is not needed and
    goes to the others).
    Returns: [n], summing to the smaller of capacity and the ceilings' sum.
    Raises: ModelError for a negative or undefined amount, or a weight that is not positive.
    Rule: docs/models/hypervisor_scheduling.md, "Shares, reservations, limits".

    >>> fill(6.0, [1000, 2000], [4.0, 8.0]).tolist()
    [2.0, 4.0]
    """
    top = np.ascontiguousarray(ceiling, dtype=np.float64).ravel()
    heft = np.broadcast_to(np.asarray(weight, np.float64), top.shape).copy()
    base = np.minimum(np.broadcast_to(np.asarray(floor, np.float64), top.shape), top)
    _check(capacity, heft, base, top)
    out = np.zeros(top.shape[0])
    _fill_kernels.fill(float(capacity), heft, base, top, out)
    return out


def _check(capacity: float, weight: Float64, floor: Float64, ceiling: Float64) -> None:
    if not np.isfinite(capacity) or capacity < 0:
        raise ModelError(f"The capacity to share is {capacity!r}, expected a number from 0 on.")
    if not (np.isfinite(weight).all() and (weight > 0).all()):
        raise ModelError("A weight is not positive, expected a number above 0 for every group.")
    if not (np.isfinite(floor).all() and (floor >= 0).all()):
        raise ModelError("A reservation or demand is negative or undefined, expected 0 or more.")
    if not np.isfinite(ceiling).all():
        raise ModelError("A demand is not finite, expected a number for every group.")
