"""Recorded cases of a real kernel, families `cgroup-cpu` and `cgroup-latency`, run by the models.

What belongs to the recording and not to the kernel stands here: `cpuacct` also counts what a
thread takes to start and to end, and the counters were read a while after the end, when the
timer of the periods had run on for up to two idle ones (rule 2.8).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from capsim.contention.bandwidth import CpuLimit
from capsim.contention.latency import Jobs, replay_jobs
from capsim.contention.placed_threads import SpinningGroup, run_threads

Json = dict[str, Any]

#: CPU time of starting and ending a thread: estimated from the light groups of the cases.
_START_S = 0.0012
#: Until the counters were read, at most two idle periods: estimated from periods of 0.01 to 0.5 s.
_READ_AFTER_S, _IDLE_PERIODS = 0.4, 2.0
#: Cases on one CPU were pinned to it.
_MACHINE_CPUS = 2
_BETWEEN_TWO = 2 / np.sqrt(np.pi)
"""Expected distance of two runs, in standard deviations."""


def replay_cpu(case: Json) -> tuple[Json, float]:
    """CPU time and throttling of spinning groups: {"groups": [...]}, and the seconds it took."""
    groups = [
        SpinningGroup(int(group["threads"]), float(group["shares"]), _limit(group))
        for group in case["groups"]
    ]
    duration, cpus = float(case["duration_s"]), int(case["cpus"])
    run_threads(groups, cpus, duration_s=0.01, runs=1)
    started = time.perf_counter()
    done = run_threads(groups, cpus, duration_s=duration, machine_cpus=_MACHINE_CPUS)
    seconds = time.perf_counter() - started
    threads = np.array([group.threads for group in groups])
    idle = np.array([min(_IDLE_PERIODS, _READ_AFTER_S / g.limit.period_s) for g in groups])
    cores = done.cores.mean(axis=0) + threads * _START_S / duration
    fraction = (done.throttled / np.maximum(done.periods + idle, 1.0)).mean(axis=0)
    spread = done.cores.std(axis=0) * _BETWEEN_TWO
    rows = [
        {"rate_cores": round(r, 4), "throttled_fraction": round(f, 4), "spread_cores": round(s, 4)}
        for r, f, s in zip(cores.tolist(), fraction.tolist(), spread.tolist(), strict=True)
    ]
    return {"groups": rows}, seconds


def replay_latency(case: Json) -> tuple[Json, float]:
    """Response times of jobs under a quota, mean over phases of the period, and the seconds."""
    jobs = Jobs(np.array(case["arrival_s"], float), np.array(case["service_s"], float))
    limit, workers = _limit(case), int(case["workers"])
    replay_jobs(limit, jobs.first(1), workers=workers, phases=1)
    started = time.perf_counter()
    done = replay_jobs(limit, jobs, workers=workers)
    seconds = time.perf_counter() - started
    return {name: round(float(values.mean()), 6) for name, values in done.items()}, seconds


def _limit(row: Json) -> CpuLimit:
    if row["quota_s"] is None:
        return CpuLimit()
    return CpuLimit(row["quota_s"], row["period_s"], row.get("burst_s", 0.0))
