"""A network link shared by groups: weights, caps, and the packet rate beside the bit rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from capsim.contention._fill_kernels import fill as fill_level
from capsim.contention.parameters import parameter
from capsim.scenario.spec import Spec
from capsim.stack.interval import Interval

Float64 = NDArray[np.float64]


class Link(Spec):
    """One direction of a link."""

    bits_per_s: float = Field(gt=0)
    """On the wire."""
    packets_per_s: float | None = Field(default=None, gt=0)
    """What the network card, virtual switch or instance type passes; None: no limit."""


class NetworkGroup(Spec):
    """What one group sends."""

    name: str
    bytes_per_s: float = Field(ge=0)
    """Payload that it would send."""
    packet_bytes: float = Field(default=1448.0, gt=0)
    """Payload of a packet."""
    weight: float = Field(default=1.0, gt=0)
    limit_bytes_per_s: float | None = Field(default=None, gt=0)
    limit_packets_per_s: float | None = Field(default=None, gt=0)


@dataclass(frozen=True, eq=False)
class LinkShares:
    """Payload that each group gets through a link."""

    link: Link
    groups: tuple[NetworkGroup, ...]
    bytes_per_s: Float64
    bound_by: str
    """What is full: the link, the packet rate, or nothing."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a group: what it asked for and got, in bytes and packets per second."""
        size = np.array([g.packet_bytes for g in self.groups])
        return pd.DataFrame(
            {
                "group": [g.name for g in self.groups],
                "asked_bytes_per_s": [g.bytes_per_s for g in self.groups],
                "bytes_per_s": self.bytes_per_s,
                "packets_per_s": self.bytes_per_s / size,
            }
        )

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format=lambda value: f"{value:,.4g}"))


def share_link(link: Link, groups: Sequence[NetworkGroup]) -> LinkShares:
    """Weighted max-min share of a link whose bits and packets are both limited.

    Every packet takes both, so all rates rise together in proportion to weight until a group has
    what it asked for, and stop for all when the first of the two limits is met.

    Model: docs/models/memory_io_caches.md, "Network".
    """
    size = np.array([g.packet_bytes for g in groups], np.float64)
    weight = np.array([g.weight for g in groups], np.float64)
    asked = np.array([_ceiling(g) for g in groups], np.float64)
    frame = (size + _headers() + parameter("ethernet_overhead").value) / size * 8
    levels = {"nothing": np.inf, "link": _level(link.bits_per_s, weight, asked, frame)}
    if link.packets_per_s is not None:
        levels["packet rate"] = _level(link.packets_per_s, weight, asked, 1.0 / size)
    bound = min(levels, key=lambda name: levels[name])
    return LinkShares(link, tuple(groups), np.minimum(levels[bound] * weight, asked), bound)


def _ceiling(group: NetworkGroup) -> float:
    caps = [group.bytes_per_s]
    if group.limit_bytes_per_s is not None:
        caps.append(group.limit_bytes_per_s)
    if group.limit_packets_per_s is not None:
        caps.append(group.limit_packets_per_s * group.packet_bytes)
    return min(caps)


def _level(capacity: float, weight: Float64, asked: Float64, cost: Float64) -> float:
    """The level at which a resource is full, in bytes per second and weight."""
    none = np.zeros_like(asked)
    return float(fill_level(capacity, weight * cost, none, asked * cost, np.empty_like(asked)))


def _headers() -> float:
    """IP and TCP headers with timestamps."""
    return 52.0


def bulk_goodput(bits_per_s: float) -> Interval:
    """Payload bits per second of bulk TCP over Ethernet with an MTU of 1500, the link being full.

    1448 bytes of 1538 on the wire with TCP timestamps, 1460 without.

    >>> round(bulk_goodput(10e9).value / 1e6)
    9415
    """
    return parameter("ethernet_payload").figure * bits_per_s
