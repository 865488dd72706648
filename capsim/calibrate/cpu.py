"""CPU quotas and weights, measured with processes in control groups."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

from capsim.calibrate import expected
from capsim.calibrate.cgroups import Group, Hierarchy, Usage, groups
from capsim.calibrate.measurement import CannotMeasure, Measured, of_repeats, of_threads
from capsim.calibrate.workers import go, spinning

_PERIOD_S = 0.1
_SETTLE_S = 0.25
_AHEAD = 3000
"""Weight of a group under a quota: ahead of other work, so that the quota is what limits it."""


def allowed_cpus() -> list[int]:
    """The CPUs that this process may run on."""
    return sorted(os.sched_getaffinity(0))


def throttling(
    hierarchy: Hierarchy, quota_cores: float, threads: int, seconds: float, repeats: int = 3
) -> list[Measured]:
    """Cores used and periods throttled of `threads` always-busy threads under a quota."""
    cpus = allowed_cpus()[:threads]
    if len(cpus) < threads:
        raise CannotMeasure(f"{threads} CPUs are needed, {len(cpus)} may be used")
    with groups(hierarchy, "quota") as (group,), spinning(cpus) as workers:
        group.limit(quota_cores)
        group.weigh(_AHEAD)
        for worker in workers:
            group.take(worker.pid)
        go(workers)
        windows = _windows([group], seconds, repeats)
    return _quota_rows([each[0] for each in windows], quota_cores, threads, 1.0)


def steady(
    hierarchy: Hierarchy, quota_cores: float, busy_share: float, seconds: float
) -> list[Measured]:
    """The same for one thread that asks for less than its quota in each period."""
    busy = busy_share * _PERIOD_S
    with (
        groups(hierarchy, "steady") as (group,),
        spinning(allowed_cpus()[:1], busy_s=busy, period_s=_PERIOD_S) as workers,
    ):
        group.limit(quota_cores)
        group.weigh(_AHEAD)
        group.take(workers[0].pid)
        go(workers)
        windows = _windows([group], seconds, 3)
    return _quota_rows([each[0] for each in windows], quota_cores, 1, busy_share)


def weights(
    hierarchy: Hierarchy, pair: tuple[int, int], seconds: float, repeats: int = 3
) -> list[Measured]:
    """Share of a CPU that the first of two busy groups gets from the second."""
    cpu = allowed_cpus()[-1]
    with groups(hierarchy, "first", "second") as made, spinning([cpu, cpu]) as workers:
        for group, weight, worker in zip(made, pair, workers, strict=True):
            group.weigh(weight)
            group.take(worker.pid)
        go(workers)
        windows = _windows(made, seconds, repeats)
    found = [a.cpu_s / max(1e-9, a.cpu_s + b.cpu_s) for (a, _), (b, _) in windows]
    first, second = expected.shares(1.0, pair, (1.0, 1.0))
    row = of_repeats(
        "kernel",
        "cpu_share_of_weight",
        found,
        "share",
        f"weight {pair[0]} against {pair[1]}, both busy on one CPU",
        f"cgroup v{hierarchy.version}; share of what both got together",
    )
    return [replace(row, expected=first / (first + second))]


def _windows(
    made: Sequence[Group], seconds: float, repeats: int
) -> list[list[tuple[Usage, float]]]:
    """What each group used in windows of `seconds` after settling, with their true length."""
    time.sleep(_SETTLE_S)
    found = []
    for _ in range(repeats):
        started, before = time.monotonic(), [group.usage() for group in made]
        time.sleep(seconds / repeats)
        after, length = [group.usage() for group in made], time.monotonic() - started
        found.append([(a.since(b), length) for a, b in zip(after, before, strict=True)])
    return found


def _quota_rows(
    windows: Sequence[tuple[Usage, float]], quota: float, threads: int, busy: float
) -> list[Measured]:
    applies = f"quota {quota:g} cores in 100 ms, {of_threads(threads)} busy {100 * busy:.0f} %"
    used = [usage.cpu_s / length for usage, length in windows]
    rows = [
        replace(
            of_repeats("kernel", "cores_used_under_quota", used, "cores", applies),
            expected=expected.used_cores(quota, threads, busy),
        )
    ]
    counted = [usage for usage, _ in windows if usage.periods]
    if counted:
        share = [usage.throttled_periods / usage.periods for usage in counted]
        mean = statistics.fmean(share)
        rows.append(
            Measured(
                "kernel",
                "throttled_periods",
                mean,
                min(share),
                max(share),
                "share",
                applies,
                f"{sum(usage.periods for usage in counted)} periods",
                expected.throttled_fraction(quota, threads, busy),
            )
        )
    return rows
