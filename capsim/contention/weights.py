"""Weights and quotas: nice levels, cpu.shares, cpu.weight, and what requests and limits become.

Source: kernel/sched/core.c (nice, cpu.weight), kubelet (MilliCPUToShares, MilliCPUToQuota),
KEP-2254 and opencontainers/cgroups (shares to weight). Rules with sources: docs/models/cpu.md.
"""

from __future__ import annotations

import math
from typing import Literal

from capsim.errors import ModelError, clip

#: Weight of each nice level from -20 to 19, 1024 at 0 (kernel, sched_prio_to_weight).
NICE_WEIGHTS = (
    *(88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916),
    *(9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277),
    *(1024, 820, 655, 526, 423, 335, 272, 215, 172, 137),
    *(110, 87, 70, 56, 45, 36, 29, 23, 18, 15),
)
MIN_SHARES, MAX_SHARES = 2, 262144
MIN_WEIGHT, MAX_WEIGHT = 1, 10000
MIN_QUOTA_S, MIN_PERIOD_S, MAX_PERIOD_S = 0.001, 0.001, 1.0
DEFAULT_PERIOD_S = 0.1

#: How cpu.shares become cpu.weight: not at all (cgroup v1), linear (KEP-2254: runc before 1.3.2,
#: crun before 1.23), or quadratic in the logarithm (later ones).
Conversion = Literal["none", "linear", "quadratic"]


def nice_weight(nice: int) -> int:
    """Weight of a nice level; one step is about a quarter.

    Raises: ModelError outside -20 to 19.

    >>> nice_weight(0), nice_weight(5)
    (1024, 335)
    """
    if not -20 <= nice <= 19:
        raise ModelError(f"Nice is {clip(nice)}, expected -20 to 19.")
    return NICE_WEIGHTS[nice + 20]


def shares_of_request(cores: float) -> int:
    """cpu.shares of a CPU request in cores: 1024 a core, at least 2 (kubelet).

    >>> shares_of_request(0.25), shares_of_request(0)
    (256, 2)
    """
    milli = _milli(cores, "CPU request")
    return min(max(milli * 1024 // 1000, MIN_SHARES), MAX_SHARES)


def quota_of_limit(cores: float, period_s: float = DEFAULT_PERIOD_S) -> float:
    """Quota in seconds of a CPU limit in cores: at least 1 ms a period (kubelet).

    >>> quota_of_limit(0.5), quota_of_limit(0.001)
    (0.05, 0.001)
    """
    milli = _milli(cores, "CPU limit")
    quota_us = max(1000, milli * round(check_period(period_s) * 1e6) // 1000)
    return quota_us / 1e6


def weight_of_shares(shares: int, conversion: Conversion = "quadratic") -> int:
    """cpu.weight that a container runtime writes for cpu.shares.

    linear: 1 + floor((shares - 2) * 9999 / 262142); quadratic: with l = log2(shares),
    ceil(10^((l^2 + 125 l) / 612 - 7 / 34)). With "none" the shares stay as they are.
    Raises: ModelError for shares that are not positive.

    >>> [weight_of_shares(1024, rule) for rule in ("none", "linear", "quadratic")]
    [1024, 39, 100]
    """
    if not shares > 0 or not math.isfinite(shares):
        raise ModelError(f"cpu.shares is {clip(shares)}, expected a number above 0.")
    if conversion == "none":
        return shares
    if conversion == "linear":
        bounded = min(max(shares, MIN_SHARES), MAX_SHARES)
        return 1 + (bounded - 2) * 9999 // 262142
    if shares <= MIN_SHARES:
        return MIN_WEIGHT
    if shares >= MAX_SHARES:
        return MAX_WEIGHT
    log = math.log2(shares)
    return math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))


def shares_of_weight(weight: int) -> int:
    """Shares that the kernel computes with for a cpu.weight: 100 is 1024.

    >>> shares_of_weight(100), shares_of_weight(39)
    (1024, 399)
    """
    if not MIN_WEIGHT <= weight <= MAX_WEIGHT:
        raise ModelError(f"cpu.weight is {clip(weight)}, expected 1 to 10000.")
    return math.floor(weight * 1024 / 100 + 0.5)


def check_period(period_s: float) -> float:
    """The period, if the kernel takes it (1 ms to 1 s); else ModelError."""
    if not MIN_PERIOD_S <= period_s <= MAX_PERIOD_S:
        raise ModelError(f"The period is {clip(period_s)} s, expected 0.001 to 1 s (kernel).")
    return period_s


def _milli(cores: float, what: str) -> int:
    if not (math.isfinite(cores) and 0 <= cores <= 2**20):
        raise ModelError(f"The {what} is {clip(cores)} cores, expected 0 or more.")
    # A limit such as 0.29 cores is 290 thousandths, not what is left of it in binary.
    return math.floor(round(cores * 1000, 6))
