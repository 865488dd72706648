"""Spinning threads of sibling groups on a few CPUs, placed as the kernel places them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.contention import _run_queue_kernels as kernels
from capsim.contention.bandwidth import CpuLimit
from capsim.contention.linux import assumptions, linux
from capsim.errors import ModelError, clip
from capsim.scenario import Assumption

_MOST_CPUS, _MOST_THREADS, _MOST_S = 64, 1024, 60.0
_USED = ("tick", "base_slice", "bandwidth_slice", "balance_interval", "imbalance", "background")


class SpinningGroup(NamedTuple):
    """A group of threads that never sleep."""

    threads: int
    shares: float = 1024.0
    """cpu.shares, or cpu.weight * 10.24."""
    limit: CpuLimit = CpuLimit()


@dataclass(frozen=True, eq=False)
class PlacedThreads:
    """What each group got in each of R runs that differ in placement and phase."""

    groups: tuple[SpinningGroup, ...]
    cpus: int
    duration_s: float
    cores: NDArray[np.float64]
    """[R, G] CPU time / duration."""
    periods: NDArray[np.float64]
    """[R, G] periods of the quota that ended."""
    throttled: NDArray[np.float64]
    """[R, G] of these, periods at whose end a CPU was stopped."""
    assumptions: tuple[Assumption, ...] = field(default=())

    @property
    def table(self) -> pd.DataFrame:
        """One row a group: threads, shares, limit_cores, cores and their range, throttled."""
        return pd.DataFrame(
            {
                "threads": [group.threads for group in self.groups],
                "shares": [group.shares for group in self.groups],
                "limit_cores": [group.limit.cores for group in self.groups],
                "cores": self.cores.mean(axis=0),
                "cores_low": self.cores.min(axis=0),
                "cores_high": self.cores.max(axis=0),
                "throttled_fraction": _fraction(self.throttled.sum(0), self.periods.sum(0)),
            }
        )

    def summary(self) -> dict[str, float]:
        """Groups, CPUs, cores used, groups that were throttled."""
        return {
            "groups": len(self.groups),
            "cpus": self.cpus,
            "used_cores": float(self.cores.mean(axis=0).sum()),
            "throttled_groups": int((self.throttled.sum(axis=0) > 0).sum()),
        }

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False)


def _fraction(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(part / np.maximum(whole, 1.0))


def run_threads(
    groups: Sequence[SpinningGroup],
    cpus: int,
    *,
    duration_s: float = 4.0,
    machine_cpus: int | None = None,
    runs: int = 24,
    seed: int = 0,
) -> PlacedThreads:
    """What sibling groups of spinning threads get when the kernel places the threads.

    The weighted max-min share (`cpu_shares`) is what they would get if threads were spread at
    will. This runs the queues of each CPU, ticks, the load balancer and quotas, from several
    random placements and phases.

    Parameters: groups; cpus that all threads share; duration_s, how long they run;
    machine_cpus, CPUs of the machine where that is larger (slices grow with it); runs; seed.
    Returns: PlacedThreads.
    Raises: ModelError for no CPU, no thread, or a weight that is not positive.
    Model: docs/models/cpu.md, "Placement of threads".

    >>> run_threads([SpinningGroup(1), SpinningGroup(3)], 2).table
    """
    _check(groups, cpus, duration_s)
    arrays = kernels.Groups(
        shares=np.array([group.shares for group in groups], np.float64),
        threads=np.array([group.threads for group in groups], np.int64),
        quota=np.array([group.limit.quota_s for group in groups], np.float64),
        period=np.array([group.limit.period_s for group in groups], np.float64),
    )
    rng, rules = np.random.default_rng(seed), linux().rules(machine_cpus or cpus)
    out = np.empty((runs, len(groups), 3))
    for run in range(runs):
        cpu_of = rng.integers(0, cpus, arrays.threads.sum())
        phase = arrays.period * rng.random(len(groups))
        tick = rules.tick * rng.random()
        kernels.run_groups(arrays, rules, cpu_of, phase, tick, duration_s, cpus, rng, out[run])
    cores, periods, throttled = (out[:, :, column] for column in range(3))
    return PlacedThreads(
        tuple(groups), cpus, duration_s, cores, periods, throttled, assumptions(*_USED)
    )


def _check(groups: Sequence[SpinningGroup], cpus: int, duration_s: float) -> None:
    if not 1 <= cpus <= _MOST_CPUS:
        raise ModelError(f"There are {clip(cpus)} CPUs, expected 1 to {_MOST_CPUS}.")
    if not 0 < duration_s <= _MOST_S:
        raise ModelError(f"The duration is {clip(duration_s)} s, expected up to {_MOST_S:g} s.")
    if not groups:
        raise ModelError("There are no groups, expected at least one.")
    for group in groups:
        if group.threads < 1:
            raise ModelError(f"A group has {clip(group.threads)} threads, expected at least 1.")
        if not 0 < group.shares < np.inf:
            raise ModelError(f"A weight is {clip(group.shares)}, expected a number above 0.")
    if sum(group.threads for group in groups) > _MOST_THREADS:
        raise ModelError(f"There are more than {_MOST_THREADS} threads to run.")
