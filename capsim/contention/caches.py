"""Noisy neighbours: what sharing caches, memory bandwidth, core threads and a disk costs each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from capsim.contention import _caches_kernels as kernels
from capsim.contention.fill import fill
from capsim.contention.parameters import parameter
from capsim.errors import ModelError
from capsim.scenario import Assumption
from capsim.scenario.spec import Spec
from capsim.stack.interval import Interval, as_interval
from capsim.stack.parameters import Parameter

Float64 = NDArray[np.float64]
Profile = Literal["web", "cache_bound", "compute", "streaming"]
#: Bytes of a cache line.
LINE = 64.0
_NANO = 1e-9


class Processor(Spec):
    """The sockets of a host as far as tenants meet in them."""

    cores: float = Field(gt=0)
    """Of one socket."""
    sockets: int = Field(default=1, ge=1, le=16)
    cache: float = Field(gt=0)
    """Bytes of last-level cache of one socket."""
    bandwidth: float = Field(gt=0)
    """Bytes per second that the memory of one socket delivers, as STREAM or MLC measure it."""
    smt: bool = True
    memory: Literal["local", "interleaved"] = "local"
    """Whether a tenant's memory lies on its own socket or over all."""


class Tenant(Spec):
    """Work that shares a processor; defaults and ranges come from its profile."""

    name: str
    profile: Profile = "web"
    threads: float = Field(default=1.0, ge=0)
    """Threads that always have work."""
    socket: int = Field(default=0, ge=0)
    intensity: float = Field(default=1.0, ge=0)
    """Multiplies the profile's rate of cache accesses."""
    partition: float | None = Field(default=None, gt=0)
    """Bytes of cache set aside for it alone (Intel CAT); None: it shares what is left."""
    disk_share: float = Field(default=0.0, ge=0, le=0.99)
    """Share of its time alone that it waits for the disk."""


@dataclass(frozen=True, eq=False)
class Interference:
    """Slowdown of tenants that share a processor; columns of ranges: value, low, high."""

    processor: Processor
    tenants: tuple[Tenant, ...]
    slowdown: Float64
    """[T, 3] time of a piece of work together, over its time alone."""
    miss_ratio: Float64
    """[T, 3] misses per access to the last-level cache."""
    bandwidth_use: Float64
    """[S, 3] share of the memory bandwidth in use, by socket (one row where interleaved)."""
    latency_ns: Float64
    """[S, 3] memory latency under that load."""
    disk_use: Interval
    assumptions: tuple[Assumption, ...] = field(default=())

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a tenant: slowdown and miss ratio with their ranges."""
        columns: dict[str, object] = {
            "tenant": [t.name for t in self.tenants],
            "threads": [t.threads for t in self.tenants],
        }
        for name, values in (("slowdown", self.slowdown), ("miss_ratio", self.miss_ratio)):
            columns |= {name: values[:, 0], f"{name}_low": values[:, 1]}
            columns |= {f"{name}_high": values[:, 2]}
        return pd.DataFrame(columns)

    def summary(self) -> dict[str, float]:
        """The worst slowdown, and the busiest memory."""
        return {
            "worst_slowdown": float(self.slowdown[:, 0].max()),
            "bandwidth_use": float(self.bandwidth_use[:, 0].max()),
            "latency_ns": float(self.latency_ns[:, 0].max()),
        }

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format=lambda value: f"{value:.3g}"))


def interfere(processor: Processor, tenants: Sequence[Tenant]) -> Interference:
    """How much slower each tenant is than alone on the processor.

    A fixed point: cache is held by who uses it most often (Che's approximation), misses load the
    memory, whose latency rises with its use, which slows all; threads that share a core share its
    units; the disk slows by 1 / (1 - use). Threads beyond the processor's share it equally.

    Parameters: processor; tenants, with sockets that the processor has.
    Returns: Interference with .table; low and high with all parameters at their gentle or harsh
    ends.
    Raises: ModelError for an unknown socket, or cache partitions larger than the cache.
    Model: docs/models/memory_io_caches.md, "Noisy neighbours".
    """
    _check(processor, tenants)
    ends = [_solve(processor, tenants, end) for end in (0, 1, 2)]
    slow = [_slowdowns(processor, tenants, ends[end], end) for end in (0, 1, 2)]

    def ordered(values: Sequence[Float64]) -> Float64:
        stack = np.stack(values)
        return np.stack((stack[0], stack.min(axis=0), stack.max(axis=0)), axis=-1)

    disk = [end.disk_use for end in ends]
    return Interference(
        processor=processor,
        tenants=tuple(tenants),
        slowdown=ordered(slow),
        miss_ratio=ordered([end.miss for end in ends]),
        bandwidth_use=ordered([end.use for end in ends]),
        latency_ns=ordered([end.latency / _NANO for end in ends]),
        disk_use=Interval(disk[0], min(disk), max(disk)),
        assumptions=_assumptions(tenants),
    )


@dataclass(frozen=True)
class _Speeds:
    speed: Float64
    """[T] work per second and thread that has work."""
    miss: Float64
    use: Float64
    latency: Float64
    """[memory pools] s."""
    disk_use: float


def _slowdowns(
    processor: Processor, tenants: Sequence[Tenant], together: _Speeds, end: int
) -> Float64:
    alone = [_solve(processor, [tenant], end).speed[0] for tenant in tenants]
    return np.asarray(np.maximum(1.0, np.array(alone) / together.speed))


def _check(processor: Processor, tenants: Sequence[Tenant]) -> None:
    if not tenants:
        raise ModelError("No tenant was given, expected at least one on the processor.")
    for tenant in tenants:
        if tenant.socket >= processor.sockets:
            raise ModelError(
                f"Tenant {tenant.name!r} is on socket {tenant.socket}, expected one of "
                f"0 to {processor.sockets - 1}."
            )
    for socket in range(processor.sockets):
        kept = sum(t.partition or 0.0 for t in tenants if t.socket == socket)
        if kept >= processor.cache and any(t.partition for t in tenants):
            raise ModelError(
                f"Cache partitions of socket {socket} take {kept:g} bytes, expected less than "
                f"the {processor.cache:g} of its cache."
            )


#: Ends of an Interval to take for (value, gentle end, harsh end): where more means more contention,
#: and where more means less of it.
_RISING, _FALLING = (0, 1, 2), (0, 2, 1)


def _solve(
    processor: Processor, tenants: Sequence[Tenant], end: int, disk_s: Float64 | None = None
) -> _Speeds:
    """Speeds per thread with all parameters at one end: 0 value, 1 gentle, 2 harsh."""
    if disk_s is None:
        disk_s = _disk_times(processor, tenants, end)
    count = len(tenants)
    pools = 1 if processor.memory == "interleaved" else processor.sockets
    use, latency = np.zeros(pools), np.zeros(pools)
    speed, miss = np.ones(count), np.zeros(count)
    caches, cache_of = _caches(processor, tenants)
    granted, core = _threads(processor, tenants, end)
    socket = np.array([t.socket for t in tenants], np.int64)
    disk_use = kernels.contend(
        caches,
        cache_of,
        socket * 0 if pools == 1 else socket,
        np.full(pools, _bandwidth(processor, end)),
        parameter("dram_latency", "skylake_sp").value * _NANO,
        _pick(parameter("dram_latency_slope"), _RISING, end),
        _pick(parameter("dram_latency_queue"), _RISING, end),
        _pick(parameter("writeback_share"), _RISING, end),
        granted,
        core,
        *_memory_traits(tenants, end),
        np.full(count, _remote(processor, end)),
        disk_s,
        LINE,
        use,
        latency,
        speed,
        miss,
    )
    asked = np.maximum([t.threads for t in tenants], 1e-12)
    share = np.where(granted > 0, granted / asked, 1.0)
    return _Speeds(speed * share, miss, use, latency, float(disk_use))


def _pick(row: Parameter, order: tuple[int, int, int], end: int) -> float:
    return row.figure.ends[order[end]]


def _memory_traits(
    tenants: Sequence[Tenant], end: int
) -> tuple[Float64, Float64, Float64, Float64]:
    """Access rate, working set, streaming share and overlap of each tenant."""

    def trait(name: str, order: tuple[int, int, int]) -> Float64:
        return np.array([_pick(parameter(name, t.profile), order, end) for t in tenants])

    rate = trait("llc_accesses", _RISING) * [t.intensity for t in tenants]
    return (
        rate,
        trait("working_set", _RISING),
        np.minimum(trait("streaming_share", _RISING), 1.0),
        trait("memory_parallelism", _FALLING),
    )


def _caches(processor: Processor, tenants: Sequence[Tenant]) -> tuple[Float64, NDArray[np.int64]]:
    """Bytes of each cache, and the cache of each tenant: its own partition or its socket's rest."""
    caches = [processor.cache] * processor.sockets
    cache_of = []
    for tenant in tenants:
        if tenant.partition is None:
            cache_of.append(tenant.socket)
            continue
        caches[tenant.socket] -= tenant.partition
        cache_of.append(len(caches))
        caches.append(tenant.partition)
    return np.array(caches, np.float64), np.array(cache_of, np.int64)


def _threads(processor: Processor, tenants: Sequence[Tenant], end: int) -> tuple[Float64, Float64]:
    """Threads of each tenant that run, and the core time of its work beside busy siblings.

    Threads spread over the cores first, so B threads on C cores have 2 (B - C) of them in pairs;
    each of a pair runs at (1 + gain) / 2. Stalls for memory are not stretched: the sibling uses
    them.
    """
    granted, core = np.zeros(len(tenants)), np.ones(len(tenants))
    gain = _pick(parameter("smt_gain"), _FALLING, end)
    logical = processor.cores * (2 if processor.smt else 1)
    for socket in range(processor.sockets):
        rows = [i for i, t in enumerate(tenants) if t.socket == socket and t.threads > 0]
        if not rows:
            continue
        asked = np.array([tenants[i].threads for i in rows])
        granted[rows] = fill(logical, asked, asked)
        busy = float(granted[rows].sum())
        paired = max(0.0, 2.0 * (busy - processor.cores) / busy)
        core[rows] = 1.0 / (1.0 - paired + paired * (1.0 + gain) / 2.0)
    return granted, core


def _bandwidth(processor: Processor, end: int) -> float:
    """Bytes per second of a memory pool: a socket, or all with the cost of crossing between."""
    if processor.memory == "local" or processor.sockets == 1:
        return processor.bandwidth
    kept = _pick(parameter("interleave_efficiency"), _FALLING, end)
    return processor.bandwidth * processor.sockets * kept


def interleaved_bandwidth(socket_bytes_per_s: float, sockets: int) -> Interval:
    """Memory bandwidth of several sockets together, memory interleaved over them.

    >>> round(interleaved_bandwidth(25.15, 2).value, 1)
    46.1
    """
    kept = parameter("interleave_efficiency").figure if sockets > 1 else as_interval(1.0)
    return kept * (socket_bytes_per_s * sockets)


def loaded_latency_factor(use: float) -> Interval:
    """Memory latency at a use of the bandwidth (0 to 1), over the idle latency.

    >>> round(loaded_latency_factor(0.5).value, 2)
    1.25
    """
    slope, queue = (parameter(f"dram_latency_{name}").figure.ends for name in ("slope", "queue"))
    ends = [kernels.latency_factor(use, a, c) for a, c in zip(slope, queue, strict=True)]
    return Interval(*ends)


def slowdown_by_misses(miss_growth: float, stall_share: float) -> float:
    """Slowdown when misses grow by a factor, all else equal: 1 + k (growth - 1).

    Parameters: stall_share k, share of the time alone that is spent on misses.
    """
    return 1.0 + stall_share * (miss_growth - 1.0)


def _remote(processor: Processor, end: int) -> float:
    """Mean latency of memory over that of the own socket."""
    if processor.memory == "local":
        return 1.0
    away = 1.0 - 1.0 / processor.sockets
    return 1.0 + away * (_pick(parameter("dram_remote_factor"), _RISING, end) - 1.0)


def _disk_times(processor: Processor, tenants: Sequence[Tenant], end: int) -> Float64:
    """Disk time per unit of work, from the share of the time alone that it takes."""
    out = np.zeros(len(tenants))
    for i, tenant in enumerate(tenants):
        if tenant.disk_share > 0:
            single = tenant.model_copy(update={"threads": min(1.0, tenant.threads)})
            alone = _solve(processor, [single], end, np.zeros(1)).speed[0]
            out[i] = tenant.disk_share / (1.0 - tenant.disk_share) / alone
    return out


def _assumptions(tenants: Sequence[Tenant]) -> tuple[Assumption, ...]:
    traits = ("llc_accesses", "working_set", "streaming_share", "memory_parallelism")
    rows = [parameter(name) for name in ("dram_latency_slope", "dram_latency_queue", "smt_gain")]
    rows.append(parameter("writeback_share"))
    for profile in sorted({t.profile for t in tenants}):
        rows += [parameter(name, profile) for name in traits]
    return tuple(row.assumption for row in rows)


def noisy_curve(
    processor: Processor, victim: Tenant, neighbour: Tenant, threads: Sequence[float]
) -> pd.DataFrame:
    """Slowdown of a victim as the threads of its neighbour grow.

    Returns: one row a number of threads: threads, slowdown with its range, miss_ratio,
    bandwidth_use of the victim's memory, threads_share_cores.
    """
    rows = []
    for count in threads:
        got = interfere(processor, [victim, neighbour.model_copy(update={"threads": count})])
        pool = 0 if processor.memory == "interleaved" else victim.socket
        value, low, high = got.slowdown[0]
        rows.append(
            {
                "threads": float(count),
                "slowdown": value,
                "slowdown_low": low,
                "slowdown_high": high,
                "miss_ratio": got.miss_ratio[0, 0],
                "bandwidth_use": got.bandwidth_use[pool, 0],
                "threads_share_cores": victim.socket == neighbour.socket
                and victim.threads + count > processor.cores,
            }
        )
    return pd.DataFrame(rows)
