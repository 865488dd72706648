"""Response times against the load of a limit: what a latency budget leaves to use."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.contention.bandwidth import CpuLimit
from capsim.contention.latency import Distribution, Latency, latency, servers_within
from capsim.contention.sharing import SHARING, CpuGroup, cpu_shares
from capsim.scenario import Assumption

Float64 = NDArray[np.float64]

_USES = np.round(np.linspace(0.05, 0.95, 19), 4)
_REQUESTS, _PHASES = 2400, 2
_MEASURES = ("p50_s", "p95_s", "p99_s", "throttled_fraction")


@dataclass(frozen=True)
class Service:
    """One service in a container, on a machine that it may share."""

    limit: CpuLimit
    service_s: float = 0.01
    """Mean CPU time of a request."""
    threads: int = 4
    distribution: Distribution = "exponential"
    machine_cores: float = 8.0
    weight: float = 100.0
    """cpu.weight beside the neighbours, whose weight is 100."""
    neighbour_cores: float = 0.0
    """What the neighbours together want, steadily."""

    def reach_cores(self, limit: CpuLimit) -> float:
        """Cores that it gets when it wants all it can under a limit."""
        return _reach(self, limit)

    def at(self, rate_per_s: float, limit: CpuLimit | None = None) -> Latency:
        """Response times at a rate, under the service's own limit or another one."""
        chosen = self.limit if limit is None else limit
        servers, speed = servers_within(self.reach_cores(chosen), chosen.cores, self.threads)
        return latency(
            chosen,
            rate_per_s=rate_per_s,
            service_s=self.service_s,
            threads=servers,
            distribution=self.distribution,
            speed=speed,
            requests=_REQUESTS,
            phases=_PHASES,
        )


@lru_cache(maxsize=256)
def _reach(service: Service, limit: CpuLimit) -> float:
    own = CpuGroup("own", service.weight, service.threads, limit.cores)
    others = CpuGroup("others", 100.0, service.neighbour_cores)
    return float(cpu_shares([own, others], service.machine_cores).cores[0])


@dataclass(frozen=True, eq=False)
class LatencyCurve:
    """Response times of a service at U rates, with its limit and without one."""

    service: Service
    rate_per_s: Float64
    """[U]"""
    limited: Float64
    """[U, 4] p50, p95, p99 in seconds, throttled fraction."""
    unlimited: Float64
    """[U, 4] the same without the quota; nan where the service could not keep up either."""
    assumptions: tuple[Assumption, ...] = field(default=(SHARING,))

    @property
    def use(self) -> Float64:
        """[U] mean CPU use as a share of the limit."""
        return self.rate_per_s * self.service.service_s / self.service.limit.cores

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a rate: use of the limit, percentiles and throttling, and those without it."""
        columns = {"rate_per_s": self.rate_per_s, "use_of_limit": self.use}
        columns |= {name: self.limited[:, at] for at, name in enumerate(_MEASURES)}
        columns |= {
            f"{name}_unlimited": self.unlimited[:, at] for at, name in enumerate(_MEASURES[:3])
        }
        return pd.DataFrame(columns)

    def throttled_from(self, share: float = 0.05) -> float:
        """Use of the limit from which more than this share of the periods is throttled; or nan."""
        over = np.flatnonzero(self.limited[:, 3] > share)
        return float(self.use[over[0]]) if len(over) else np.nan

    def summary(self) -> dict[str, float]:
        """Limit, use at which throttling begins, p99 at half of the limit with and without it."""
        half = int(np.argmin(np.abs(self.use - 0.5)))
        return {
            "limit_cores": self.service.limit.cores,
            "throttled_from_use": self.throttled_from(),
            "p99_at_half_s": float(self.limited[half, 2]),
            "p99_at_half_without_limit_s": float(self.unlimited[half, 2]),
        }

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False)


def latency_curve(service: Service, *, uses: Float64 = _USES) -> LatencyCurve:
    """Response times of a service from little load to its limit, and without the limit.

    Parameters: service, whose limit must not be none; uses, mean CPU use as shares of the limit.
    Returns: LatencyCurve.
    Raises: ModelError for what `latency` refuses.

    >>> latency_curve(Service(CpuLimit.of(1))).summary()
    """
    rates = np.asarray(uses) * service.limit.cores / service.service_s
    limited = np.array([_row(service.at(rate)) for rate in rates.tolist()])
    free = CpuLimit()
    most = service.reach_cores(free) / service.service_s
    unlimited = np.array(
        [_row(service.at(rate, free)) if rate < most else (np.nan,) * 4 for rate in rates.tolist()]
    )
    return LatencyCurve(service, rates, limited, unlimited)


def _row(found: Latency) -> tuple[float, ...]:
    return tuple(float(found.values[name].mean()) for name in _MEASURES)
