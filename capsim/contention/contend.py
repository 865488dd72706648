"""contend: what each placed unit gets of its node's CPU, and how slow that makes its requests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.contention import cgroups
from capsim.contention.bandwidth import CpuLimit
from capsim.contention.latency import Distribution, latency, servers_within
from capsim.contention.linux import assumptions
from capsim.contention.sharing import SHARING
from capsim.contention.weights import Conversion
from capsim.errors import ModelError, clip, nearest
from capsim.scenario import CPU, Assumption

if TYPE_CHECKING:
    from capsim.placement import Placement

Float64 = NDArray[np.float64]
Demand = float | Mapping[str, float] | pd.DataFrame

_REQUESTS, _MOST_THREADS = 4000, 32
_MEASURES = ("p50_s", "p95_s", "p99_s", "throttled_fraction")
#: Two figures of load and speed tell classes of units apart; finer would not be seen.
_DIGITS = 3


@dataclass(frozen=True, eq=False)
class Contention:
    """What each placed unit gets, and the response times of its requests. P units, N nodes."""

    plan: Placement
    demand_cores: Float64
    """[P] in the order of `units`."""
    share_cores: Float64
    """[P]"""
    reach_cores: Float64
    """[P] what it would get if it alone wanted more."""
    limit_cores: Float64
    """[P] inf: none."""
    times: Float64
    """[P, 4] p50, p95, p99 in seconds (inf: more demand than it gets), throttled fraction."""
    units: NDArray[np.int64]
    """[P] rows of the placed units in the topology."""
    assumptions: tuple[Assumption, ...] = field(default=())

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a placed unit: node, demand, share, limit, reach in cores, throttling, times."""
        scenario = self.plan.scenario
        placed = [scenario.units[row] for row in self.units.tolist()]
        nodes = self.plan.node_of[self.units].tolist()
        return pd.DataFrame(
            {
                "unit": [unit.key for unit in placed],
                "node": [scenario.nodes[row].name for row in nodes],
                "demand_cores": self.demand_cores,
                "share_cores": self.share_cores,
                "limit_cores": self.limit_cores,
                "reach_cores": self.reach_cores,
                "throttled_fraction": self.times[:, 3],
                "p50_s": self.times[:, 0],
                "p95_s": self.times[:, 1],
                "p99_s": self.times[:, 2],
            }
        )

    @cached_property
    def nodes(self) -> pd.DataFrame:
        """One row a node with units: demand, share in cores, units that get less than they want."""
        short = self.share_cores < self.demand_cores * (1 - 1e-9)
        return (
            self.table.assign(short_units=short)
            .groupby("node", sort=False)
            .agg(
                units=("unit", "size"),
                demand_cores=("demand_cores", "sum"),
                share_cores=("share_cores", "sum"),
                short_units=("short_units", "sum"),
            )
            .reset_index()
        )

    def summary(self) -> dict[str, float]:
        """Units, demand and share in cores, short and throttled units, the median p99."""
        return {
            "units": len(self.units),
            "units_waiting": len(self.plan.waiting),
            "demand_cores": float(self.demand_cores.sum()),
            "share_cores": float(self.share_cores.sum()),
            "short_units": int((self.share_cores < self.demand_cores * (1 - 1e-9)).sum()),
            "throttled_units": int((self.times[:, 3] > 0.01).sum()),
            "median_p99_s": float(np.median(self.times[:, 2])) if len(self.units) else 0.0,
        }

    def _repr_html_(self) -> str:
        return self.table.head(40).to_html(index=False)


def contend(
    plan: Placement,
    demand: Demand,
    *,
    service_s: float = 0.01,
    threads: int | None = None,
    distribution: Distribution = "exponential",
    system_cores: float = 0.0,
    conversion: Conversion = "quadratic",
) -> Contention:
    """What each unit gets, and how slow that makes it.

    For every node the cgroup tree that Kubernetes makes of requests and limits divides the CPU;
    response times follow from quota and speed, each kind of unit once.

    Parameters: plan; demand in cores of each unit: one number, a mapping by namespace/name, or a
    DataFrame with the columns unit and demand_cores; service_s, mean CPU time of a request, and
    its distribution; threads of a container that can run at once, None: as many as the node has
    CPUs, which is what a runtime sees unless it is told; system_cores that the system
    slice of each node wants; conversion of cpu.shares to cpu.weight, by the runtime's age.
    Returns: Contention, for the units that have a node.
    Raises: ModelError if a placed unit has no demand, a demand names no unit, or a number is
    negative.
    Model: docs/models/cpu.md, "Contention on a node".

    >>> cs.contend(plan, 0.5).summary()
    """
    for name, value in (("service_s", service_s), ("threads", threads)):
        if value is not None and not 0 < value < math.inf:
            raise ModelError(f"{name} is {clip(value)}, expected a number above 0.")
    if not 0 <= system_cores < math.inf:
        raise ModelError(f"system_cores is {clip(system_cores)}, expected 0 or more.")
    rows = np.flatnonzero(plan.node_of >= 0)
    wanted = _demand_of(plan, demand, rows)
    groups = _groups(plan, rows, wanted, system_cores, conversion, threads)
    count = len(rows)
    share = groups.tree.share[groups.unit_group]
    of_containers = groups.tree.reach(groups.container_groups)
    reach = np.bincount(groups.container_unit, of_containers, minlength=count).astype(np.float64)
    limit = groups.tree.ceiling[groups.unit_group]
    parts = np.bincount(groups.container_unit, minlength=count)
    cpus = np.ceil(_node_cores(plan)[plan.node_of[rows]] - 1e-9)
    running = cpus if threads is None else np.minimum(threads * parts, cpus)
    times = np.empty((count, len(_MEASURES)))
    for at in range(count):
        servers, speed = servers_within(reach[at], limit[at], max(1, int(running[at])))
        times[at] = _times(
            _rounded(limit[at]),
            _rounded(wanted[at]),
            _rounded(speed),
            servers,
            service_s,
            distribution,
        )
    return Contention(
        plan, wanted, share, reach, limit, times, rows, _stated(service_s, threads, conversion)
    )


def _rounded(value: float) -> float:
    return float(value) if math.isinf(value) or value == 0 else float(f"{value:.{_DIGITS}g}")


@lru_cache(maxsize=4096)
def _times(
    limit: float, demand: float, speed: float, threads: int, service_s: float, kind: Distribution
) -> tuple[float, ...]:
    """p50, p95, p99 and throttled fraction of a kind of unit; inf where demand exceeds capacity."""
    if demand == 0:
        return (0.0,) * len(_MEASURES)
    quota = CpuLimit.of(None if math.isinf(limit) else limit)
    if demand >= min(quota.cores, threads * speed) * (1 - 1e-9):
        throttled = 1.0 if quota.cores < threads * speed else 0.0
        return math.inf, math.inf, math.inf, throttled
    # More than so many are hardly ever busy under a quota, and each costs time to replay.
    threads = min(threads, _MOST_THREADS)
    found = latency(
        quota,
        rate_per_s=demand / service_s,
        service_s=service_s,
        threads=threads,
        distribution=kind,
        speed=speed,
        requests=_REQUESTS,
    ).summary()
    return tuple(found[name] for name in _MEASURES)


def _groups(
    plan: Placement,
    rows: NDArray[np.int64],
    wanted: Float64,
    system_cores: float,
    conversion: Conversion,
    threads: int | None,
) -> cgroups.Cgroups:
    topology = plan.topology
    templates = topology.templates
    units = [
        (int(plan.node_of[row]), templates[topology.unit_template[row]], cores_wanted)
        for row, cores_wanted in zip(rows.tolist(), wanted.tolist(), strict=True)
    ]
    return cgroups.build(
        units,
        _node_cores(plan),
        system_cores=system_cores,
        conversion=conversion,
        threads=math.inf if threads is None else threads,
    )


def _node_cores(plan: Placement) -> Float64:
    """[N] CPUs of each node; what it keeps for itself is shared too, by weight."""
    cores = [max(n.capacity.get(CPU, 0), n.allocatable.get(CPU, 0)) for n in plan.scenario.nodes]
    return np.array(cores, np.float64) / 1000


def _demand_of(plan: Placement, demand: Demand, rows: NDArray[np.int64]) -> Float64:
    """[P] demand of the placed units."""
    if isinstance(demand, pd.DataFrame):
        missing = {"unit", "demand_cores"} - set(demand.columns)
        if missing:
            raise ModelError(
                f"The demand has no column {sorted(missing)[0]!r}, expected unit and demand_cores."
            )
        demand = dict(zip(demand["unit"], demand["demand_cores"], strict=True))
    if isinstance(demand, Mapping):
        values = _by_name(plan, demand, rows)
    else:
        values = np.full(len(rows), float(demand))
    wrong = np.flatnonzero(~((values >= 0) & np.isfinite(values)))
    if len(wrong):
        name = plan.scenario.units[rows[wrong[0]]].key
        found = clip(float(values[wrong[0]]))
        raise ModelError(f"The demand of {name} is {found} cores, expected 0 or more.")
    return values


def _by_name(plan: Placement, demand: Mapping[str, float], rows: NDArray[np.int64]) -> Float64:
    keys = [unit.key for unit in plan.scenario.units]
    unknown = set(demand) - set(keys)
    if unknown:
        name = min(map(str, unknown))
        raise ModelError(f"The demand names {name!r}, which is no unit{nearest(name, keys)}.")
    without = [keys[row] for row in rows.tolist() if keys[row] not in demand]
    if without:
        raise ModelError(
            f"{without[0]} has no demand ({len(without)} of {len(rows)} placed units have none)."
        )
    return np.array([demand[keys[row]] for row in rows.tolist()], np.float64)


def _stated(service_s: float, threads: int | None, conversion: str) -> tuple[Assumption, ...]:
    told = "as many threads as CPUs" if threads is None else f"{threads} threads"
    return (
        SHARING,
        Assumption(
            name="requests",
            value=f"Poisson arrivals, {service_s:g} s of CPU each on average, {told}",
            source="stated in the call (service_s, threads)",
        ),
        Assumption(
            name="shares to weight",
            value=conversion,
            source="KEP-2254 (linear) or runc 1.3.2 and crun 1.23 (quadratic)",
        ),
        Assumption(
            name="neighbours",
            value="steady: a unit has the cores that it could reach if it alone wanted more",
            source="capsim, docs/models/cpu.md: a mean-value approximation",
        ),
        *assumptions("bandwidth_slice", "wake_up", "job_overhead"),
    )
