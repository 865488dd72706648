"""CPU limits as the kernel enforces them: quota, period and burst, and what they stop."""

from __future__ import annotations

import math
from dataclasses import dataclass

from capsim.contention.weights import (
    DEFAULT_PERIOD_S,
    MIN_QUOTA_S,
    check_period,
    quota_of_limit,
)
from capsim.errors import ModelError, clip


@dataclass(frozen=True)
class CpuLimit:
    """A group's quota of CPU time in every period; what is banked while idle is its burst.

    Raises: ModelError for what the kernel refuses: a quota under 1 ms, a period outside 1 ms to
    1 s, a burst that is negative or above the quota (Documentation/scheduler/sched-bwc.rst).

    >>> CpuLimit(0.05).cores
    0.5
    """

    quota_s: float = math.inf
    """CPU time a period; inf: no limit."""
    period_s: float = DEFAULT_PERIOD_S
    burst_s: float = 0.0

    def __post_init__(self) -> None:
        check_period(self.period_s)
        if not self.quota_s >= MIN_QUOTA_S:
            found = clip(self.quota_s)
            raise ModelError(f"The quota is {found} s, expected at least 0.001 s (kernel).")
        if not 0 <= self.burst_s <= self.quota_s or math.isinf(self.burst_s):
            found = clip(self.burst_s)
            raise ModelError(f"The burst is {found} s, expected 0 up to the quota (kernel).")

    @classmethod
    def of(
        cls, cores: float | None, *, period_s: float = DEFAULT_PERIOD_S, burst_s: float = 0.0
    ) -> CpuLimit:
        """The limit that the kubelet sets for `limits.cpu` in cores; None: no limit.

        >>> CpuLimit.of(0.25)
        CpuLimit(quota_s=0.025, period_s=0.1, burst_s=0.0)
        """
        quota = math.inf if cores is None else quota_of_limit(cores, period_s)
        return cls(quota, period_s, burst_s)

    @property
    def cores(self) -> float:
        """Cores on average, at most."""
        return self.quota_s / self.period_s

    @property
    def is_unlimited(self) -> bool:
        """Whether there is no quota."""
        return math.isinf(self.quota_s)

    def runs_s(self, threads: int) -> float:
        """How long so many always runnable threads run in a period before they are stopped.

        Q / k, at most the period (k: threads, each on a CPU of its own).

        >>> CpuLimit.of(2).runs_s(10)
        0.02
        """
        if threads < 1:
            raise ModelError(f"There are {clip(threads)} threads, expected at least 1.")
        return min(self.period_s, self.quota_s / threads)

    def stalls_s(self, threads: int) -> float:
        """How long they stand still in a period: P - Q / k, or 0 where k <= Q / P."""
        return self.period_s - self.runs_s(threads)

    def completion_s(self, work_s: float, threads: int = 1) -> float:
        """Time that one job of `work_s` CPU seconds takes alone, from a full pool on.

        T = n P + (S - n Q) / k with n = ceil(S / Q) - 1 stalls, for k > Q / P; else S / k.

        >>> round(CpuLimit.of(0.5).completion_s(0.12), 3)
        0.22
        """
        if self.stalls_s(threads) <= 0:
            return work_s / threads
        stalls = max(0, math.ceil(round(work_s / self.quota_s, 9)) - 1)
        return stalls * self.period_s + (work_s - stalls * self.quota_s) / threads
