"""Disk: io.weight over a linear cost model, io.max caps, and whom io.latency slows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from capsim.contention.fill import fill
from capsim.errors import ModelError
from capsim.scenario.spec import Spec
from capsim.stack.interval import Interval

Float64 = NDArray[np.float64]
_BLOCK = 4096.0


class Disk(Spec):
    """A block device by io.cost's six coefficients, each the device's limit alone."""

    read_bytes_per_s: float = Field(gt=0)
    read_sequential_iops: float = Field(gt=0)
    """4 KiB requests per second."""
    read_random_iops: float = Field(gt=0)
    write_bytes_per_s: float = Field(gt=0)
    write_sequential_iops: float = Field(gt=0)
    write_random_iops: float = Field(gt=0)
    speed: float = Field(default=1.0, gt=0)
    """io.cost's vrate: how fast the device is against its model, as its latency targets allow."""

    def request_s(self, *, write: bool, random: float, size: float) -> float:
        """Device time of one request: a base cost by pattern, and a cost by byte.

        The base is what a 4 KiB request takes beyond its bytes.
        Source: Linux block/blk-iocost.c, linear model (read of its description).
        """
        if write:
            per_byte = 1.0 / self.write_bytes_per_s
            rates = (self.write_sequential_iops, self.write_random_iops)
        else:
            per_byte = 1.0 / self.read_bytes_per_s
            rates = (self.read_sequential_iops, self.read_random_iops)
        base = [max(0.0, 1.0 / rate - _BLOCK * per_byte) for rate in rates]
        return (1 - random) * base[0] + random * base[1] + size * per_byte


class IoGroup(Spec):
    """What one cgroup asks of a device, and how it is held."""

    name: str
    read_iops: float = Field(default=0.0, ge=0)
    """Requests per second that it would issue."""
    write_iops: float = Field(default=0.0, ge=0)
    size: float = Field(default=_BLOCK, gt=0)
    """Bytes of a request."""
    random: float = Field(default=1.0, ge=0, le=1)
    """Share of requests that do not follow the one before."""
    weight: float = Field(default=100.0, ge=1, le=10_000)
    """io.weight."""
    rbps: float | None = Field(default=None, gt=0)
    """io.max: bytes and requests per second; None: no cap."""
    wbps: float | None = Field(default=None, gt=0)
    riops: float | None = Field(default=None, gt=0)
    wiops: float | None = Field(default=None, gt=0)
    latency_target_s: float | None = Field(default=None, gt=0)
    """io.latency."""


@dataclass(frozen=True, eq=False)
class DiskShares:
    """Requests per second that each group gets of a device."""

    disk: Disk
    groups: tuple[IoGroup, ...]
    read_iops: Float64
    write_iops: Float64
    device_share: Float64
    """[G] share of the device's time."""
    capped: NDArray[np.bool_]
    """[G] whether io.max holds it back."""

    @property
    def use(self) -> float:
        """Share of the time in which the device is busy."""
        return float(self.device_share.sum())

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a group: rates in requests and bytes per second, device share, what limits it."""
        size = np.array([g.size for g in self.groups])
        asked = np.array([g.read_iops + g.write_iops for g in self.groups])
        got = self.read_iops + self.write_iops
        limit = np.where(self.capped, "io.max", np.where(got < asked * (1 - 1e-9), "device", ""))
        return pd.DataFrame(
            {
                "group": [g.name for g in self.groups],
                "read_iops": self.read_iops,
                "write_iops": self.write_iops,
                "read_bytes_per_s": self.read_iops * size,
                "write_bytes_per_s": self.write_iops * size,
                "device_share": self.device_share,
                "limited_by": limit,
            }
        )

    def summary(self) -> dict[str, float]:
        """Use of the device and its requests per second."""
        return {
            "use": self.use,
            "read_iops": float(self.read_iops.sum()),
            "write_iops": float(self.write_iops.sum()),
        }

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format=lambda value: f"{value:,.4g}"))


def share_disk(disk: Disk, groups: Sequence[IoGroup]) -> DiskShares:
    """What each group gets of a device: io.max first, then device time by io.weight.

    A group's mix of reads and writes keeps its proportions where the device holds it back; each
    direction is capped for itself.

    Model: docs/models/memory_io_caches.md, "Disk".
    """
    size = np.array([g.size for g in groups])
    reads = np.array([g.read_iops for g in groups], np.float64)
    writes = np.array([g.write_iops for g in groups], np.float64)
    read = np.minimum(reads, [_cap(g.riops, g.rbps, g.size) for g in groups])
    write = np.minimum(writes, [_cap(g.wiops, g.wbps, g.size) for g in groups])
    cost_read, cost_write = costs(disk, groups)
    wanted = read * cost_read + write * cost_write
    granted = fill(1.0, [g.weight for g in groups], wanted) if len(size) else wanted
    part = np.divide(granted, wanted, out=np.ones_like(wanted), where=wanted > 0)
    return DiskShares(
        disk=disk,
        groups=tuple(groups),
        read_iops=read * part,
        write_iops=write * part,
        device_share=granted,
        capped=((read < reads) | (write < writes)) & (part >= 1 - 1e-9),
    )


def costs(disk: Disk, groups: Sequence[IoGroup]) -> tuple[Float64, Float64]:
    """Device seconds of one read and one write of each group."""

    def each(write: bool) -> Float64:
        return np.array([disk.request_s(write=write, random=g.random, size=g.size) for g in groups])

    return each(False) / disk.speed, each(True) / disk.speed


def _cap(iops: float | None, bytes_per_s: float | None, size: float) -> float:
    return min(iops or math.inf, (bytes_per_s or math.inf) / size)


#: Share of reads in a mix of which no more is known.
HALF_READS = Interval(0.5, 0.3, 0.7)


def mixed_iops(read_iops: float, write_iops: float, read_share: Interval = HALF_READS) -> Interval:
    """Requests per second of a mix of reads and writes, from the rates of each alone.

    By the linear cost model the device times add: 1 / (r / reads + (1 - r) / writes). The range
    is that of the share of reads.

    >>> round(mixed_iops(84_044, 112_034).value)
    96042
    """
    if read_iops <= 0 or write_iops <= 0:
        raise ModelError("A rate is not positive, expected requests per second above 0.")
    ends = [1 / (r / read_iops + (1 - r) / write_iops) for r in read_share.ends]
    return Interval(ends[0], min(ends), max(ends))


def latency_victims(groups: Sequence[IoGroup], latency_s: Sequence[float]) -> list[str]:
    """Whom io.latency slows, most first: siblings with looser targets than one that misses its own.

    Their queue depth is halved step by step down to 1, then delay is added (at most 1 s an
    event), until the target is met; a group without a target has the loosest of all. This says
    who, not how much.

    Parameters: latency_s, what each group sees now.
    Source: Documentation/admin-guide/cgroup-v2.rst, IO Latency.
    """
    targets = [g.latency_target_s or math.inf for g in groups]
    missed = [t for t, seen in zip(targets, latency_s, strict=True) if seen > t]
    if not missed:
        return []
    strictest = min(missed)
    slowed = [(-t, g.name) for t, g in zip(targets, groups, strict=True) if t > strictest]
    return [name for _, name in sorted(slowed)]
