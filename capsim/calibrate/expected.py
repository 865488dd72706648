"""What the model expects of the measured cases: the one place where calibrate meets the engine.

The rules are those of the Linux kernel: a group that is always busy gets its weighted max-min
share, never more than its quota; with k always-busy threads on k CPUs it is throttled in every
period if k > quota / period.
"""

from __future__ import annotations

from collections.abc import Sequence


def throttled_fraction(quota_cores: float, threads: int, busy_share: float = 1.0) -> float:
    """Share of periods in which a group of steady threads hits its quota: 0 or 1.

    busy_share: CPU time that each thread asks for in each period, as a share of the period.
    """
    return 1.0 if threads * busy_share > quota_cores else 0.0


def used_cores(quota_cores: float, threads: int, busy_share: float = 1.0) -> float:
    """Cores that a group of steady threads, each on a CPU of its own, gets under a quota."""
    return min(quota_cores, threads * busy_share)


def shares(capacity: float, weights: Sequence[float], demands: Sequence[float]) -> list[float]:
    """Weighted max-min fair shares: who asks for less gets it, the rest is split by weight."""
    got, left, open_ = [0.0] * len(weights), capacity, set(range(len(weights)))
    while open_:
        level = left / sum(weights[at] for at in open_)
        done = {at for at in open_ if demands[at] <= weights[at] * level}
        if not done:
            for at in open_:
                got[at] = weights[at] * level
            break
        for at in done:
            got[at] = demands[at]
        left -= sum(demands[at] for at in done)
        open_ -= done
    return got
