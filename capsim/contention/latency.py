"""Response times of requests under a CPU limit: from arrivals and service to p50, p95 and p99."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.contention import _latency_kernels, queueing
from capsim.contention.bandwidth import CpuLimit
from capsim.contention.linux import assumptions, linux
from capsim.errors import ModelError, clip, nearest
from capsim.scenario import Assumption

Float64 = NDArray[np.float64]
Distribution = Literal["exponential", "deterministic", "lognormal"]

_LEVELS = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}
PHASES = 32
"""Of the period timer against the first arrival; its true phase is not known."""
_MOST_THREADS, _MOST_JOBS = 256, 10**8


class Jobs(NamedTuple):
    """Requests in the order of arrival."""

    arrival_s: Float64
    """[J]"""
    service_s: Float64
    """[J] CPU time that each needs."""

    def first(self, count: int) -> Jobs:
        """The first few."""
        return Jobs(self.arrival_s[:count], self.service_s[:count])


def replay_jobs(
    limit: CpuLimit, jobs: Jobs, *, workers: int = 1, phases: int = PHASES
) -> dict[str, Float64]:
    """Replays jobs, first come first served, for several phases of the period timer.

    Parameters: limit; jobs; workers, threads that serve them, each with a CPU of its own; phases.
    Returns: mean_s, p50_s, p95_s, p99_s (value at floor(f * J) of the sorted response times) and
    throttled_fraction, each [phases].
    Raises: ModelError for jobs out of order, negative service, or no worker.
    Model: docs/models/cpu.md, "Response times under a quota".
    """
    _check(jobs, workers)
    found = {name: np.empty(phases) for name in ("mean_s", *_LEVELS, "throttled_fraction")}
    for phase in range(phases):
        first = limit.period_s * (phase + 0.5) / phases
        times, periods, throttled = response_times(limit, jobs, workers=workers, phase_s=first)
        found["mean_s"][phase] = times.mean()
        for name, value in _quantiles(times).items():
            found[name][phase] = value
        found["throttled_fraction"][phase] = throttled / max(periods, 1)
    return found


def response_times(
    limit: CpuLimit, jobs: Jobs, *, workers: int = 1, phase_s: float = 0.0
) -> tuple[Float64, int, int]:
    """Response times [J] of jobs whose first period boundary is at phase_s, periods, throttled."""
    kernel, out = linux(), np.empty(len(jobs.arrival_s))
    periods, throttled, _, _ = _latency_kernels.replay_quota(
        jobs.arrival_s,
        jobs.service_s,
        workers,
        limit.quota_s,
        limit.period_s,
        limit.burst_s,
        phase_s,
        kernel.wake_up,
        kernel.job_overhead,
        kernel.bandwidth_slice,
        kernel.bandwidth_kept,
        kernel.slack_delay,
        kernel.slack_margin,
        out,
    )
    return out, periods, throttled


def _quantiles(times: Float64) -> dict[str, float]:
    at = {name: min(int(level * len(times)), len(times) - 1) for name, level in _LEVELS.items()}
    ordered = np.partition(times, sorted(set(at.values())))
    return {name: float(ordered[place]) for name, place in at.items()}


def _check(jobs: Jobs, workers: int) -> None:
    arrival, service = jobs
    if not 1 <= workers <= _MOST_THREADS:
        raise ModelError(f"There are {clip(workers)} threads, expected 1 to {_MOST_THREADS}.")
    if not 0 < len(arrival) == len(service):
        found = f"{len(arrival)} arrivals and {len(service)} service times"
        raise ModelError(f"There are {found}, expected as many of both, and at least one.")
    if not (np.isfinite(arrival).all() and (np.diff(arrival) >= 0).all()):
        raise ModelError("Arrivals are out of order or undefined, expected ascending seconds.")
    if not (np.isfinite(service).all() and (service >= 0).all()):
        raise ModelError("A service time is negative or undefined, expected seconds from 0 on.")


@dataclass(frozen=True, eq=False)
class Latency:
    """Response times of one kind of request under one limit."""

    limit: CpuLimit
    rate_per_s: float
    service_s: float
    threads: int
    method: str
    """The formula or "replay"."""
    values: dict[str, Float64]
    """[phases] of mean_s, p50_s, p95_s, p99_s, throttled_fraction."""
    saturation_per_s: float
    """Requests/s that the limit lets through at most."""
    assumptions: tuple[Assumption, ...] = field(default=())

    @property
    def mean_s(self) -> float:
        """Mean response time."""
        return self._of("mean_s")

    @property
    def p50_s(self) -> float:
        """Median response time."""
        return self._of("p50_s")

    @property
    def p95_s(self) -> float:
        """Response time that one request in 20 exceeds."""
        return self._of("p95_s")

    @property
    def p99_s(self) -> float:
        """Response time that one request in 100 exceeds."""
        return self._of("p99_s")

    @property
    def throttled_fraction(self) -> float:
        """Share of the periods with work at whose end a thread was stopped by the quota."""
        return self._of("throttled_fraction")

    @property
    def utilisation(self) -> float:
        """Mean use as a share of what the limit and the threads allow."""
        return self.rate_per_s / self.saturation_per_s

    def _of(self, name: str) -> float:
        return float(self.values[name].mean())

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a measure: value, and its range over phases of the period timer."""
        rows = [(name, float(v.mean()), float(v.min()), float(v.max())) for name, v in self._all()]
        return pd.DataFrame(rows, columns=["measure", "value", "low", "high"])

    def _all(self) -> list[tuple[str, Float64]]:
        return list(self.values.items())

    def summary(self) -> dict[str, float]:
        """Rate, utilisation, percentiles, throttling, and the rate at saturation."""
        return {
            "rate_per_s": self.rate_per_s,
            "utilisation": self.utilisation,
            **{name: self._of(name) for name in self.values},
            "saturation_per_s": self.saturation_per_s,
        }

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False)


def latency(
    limit: CpuLimit | None = None,
    *,
    rate_per_s: float,
    service_s: float,
    threads: int = 1,
    distribution: Distribution = "exponential",
    speed: float = 1.0,
    requests: int = 20_000,
    phases: int = 4,
    seed: int = 0,
) -> Latency:
    """How long requests take under a CPU limit: Poisson arrivals, served first come first served.

    Without a quota and with exponential service the M/M/c formula answers; else the requests are
    replayed through quota, period, burst and slices.

    Parameters: limit, None for none; rate_per_s; service_s, mean CPU time of a request; threads
    that serve at the same time, each on a CPU of its own; distribution of the service time
    (lognormal: standard deviation = 1.5 times the mean); speed, share of a CPU that a thread gets
    beside its neighbours; requests to replay; phases of the period timer; seed.
    Returns: Latency. Beyond saturation the times grow with the number of requests.
    Raises: ModelError for a rate, service, speed or number of threads that is not positive.

    >>> latency(CpuLimit.of(0.5), rate_per_s=20, service_s=0.01).summary()
    """
    limit = limit or CpuLimit()
    _check_question(rate_per_s, service_s, threads, speed, requests)
    # A slow thread takes longer for the same CPU time, of which the quota is made.
    stretched = service_s / speed
    slowed = CpuLimit(limit.quota_s / speed, limit.period_s, limit.burst_s / speed)
    saturation = min(limit.cores, threads * speed) / service_s
    if limit.is_unlimited and distribution == "exponential" and rate_per_s < saturation:
        method, values = "M/M/c", _formula(rate_per_s, stretched, threads)
        used: tuple[Assumption, ...] = ()
    else:
        jobs = draw_jobs(rate_per_s, stretched, distribution, requests, seed)
        method, values = "replay", replay_jobs(slowed, jobs, workers=threads, phases=phases)
        used = assumptions("bandwidth_slice", "bandwidth_kept", "wake_up", "job_overhead")
    return Latency(limit, rate_per_s, service_s, threads, method, values, saturation, used)


def servers_within(reach_cores: float, limit_cores: float, threads: int) -> tuple[int, float]:
    """Threads that run at once and their speed, where a unit can reach so many cores.

    All at full speed if only the quota binds, which the replay handles itself; else as many as
    those cores, rounded up, which share them.

    >>> servers_within(2.5, math.inf, 4)
    (3, 0.8333333333333334)
    """
    if reach_cores >= min(limit_cores, threads) * (1 - 1e-9):
        return threads, 1.0
    servers = min(threads, max(1, math.ceil(reach_cores - 1e-9)))
    return servers, max(min(1.0, reach_cores / servers), 1e-6)


def _formula(rate: float, service_s: float, threads: int) -> dict[str, Float64]:
    return {
        "mean_s": np.array([queueing.mmc_mean(rate, service_s, threads)]),
        **{
            name: np.array([queueing.mmc_quantile(level, rate, service_s, threads)])
            for name, level in _LEVELS.items()
        },
        "throttled_fraction": np.zeros(1),
    }


def _check_question(
    rate: float, service_s: float, threads: int, speed: float, requests: int
) -> None:
    for name, value, unit in (("rate", rate, "/s"), ("service time", service_s, "s")):
        if not 0 < value < math.inf:
            raise ModelError(f"The {name} is {clip(value)} {unit}, expected a number above 0.")
    if not 1 <= threads <= _MOST_THREADS:
        raise ModelError(f"There are {clip(threads)} threads, expected 1 to {_MOST_THREADS}.")
    if not 0 < speed <= 1:
        raise ModelError(f"The speed is {clip(speed)}, expected a share of a CPU, 0 to 1.")
    if not 1 <= requests <= _MOST_JOBS:
        raise ModelError(f"There are {clip(requests)} requests to replay, expected 1 or more.")


#: Standard deviation of the logarithm that makes that of the service 1.5 times the mean.
_SIGMA = math.sqrt(math.log(1 + 1.5**2))
_DRAWS: dict[Distribution, Callable[[np.random.Generator, int], Float64]] = {
    "exponential": lambda rng, count: rng.standard_exponential(count),
    "deterministic": lambda rng, count: np.ones(count),
    "lognormal": lambda rng, count: rng.lognormal(-(_SIGMA**2) / 2, _SIGMA, count),
}


def draw_jobs(
    rate_per_s: float, service_s: float, distribution: Distribution, requests: int, seed: int
) -> Jobs:
    """Poisson arrivals and service times; the same draws for every rate and mean of a seed.

    Raises: ModelError for an unknown distribution.
    """
    if distribution not in _DRAWS:
        hint = nearest(str(distribution), _DRAWS)
        raise ModelError(f"Unknown distribution {distribution!r}{hint}; known: {[*_DRAWS]}.")
    between, service = _unit_draws(distribution, requests, seed)
    return Jobs(between / rate_per_s, service * service_s)


@lru_cache(maxsize=8)
def _unit_draws(distribution: Distribution, requests: int, seed: int) -> Jobs:
    """Arrivals at one a second, service of a mean of one second."""
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.standard_exponential(requests))
    return Jobs(arrival, _DRAWS[distribution](rng, requests))
