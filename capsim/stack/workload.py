"""Workload profiles: what share of its time on bare metal a program spends in each kind of work.

Layers slow kinds of work, not programs: a hypervisor leaves arithmetic alone and taxes packets.
A profile is a mix of six parts. Model: docs/models/stack.md, "Workload profiles".
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from capsim.data_files import data_path
from capsim.errors import ModelError, nearest
from capsim.scenario import Assumption
from capsim.stack.interval import Interval, as_interval

Part = Literal["compute", "syscall", "fault_tlb", "packets", "random_disk", "sequential"]
PARTS: tuple[Part, ...] = get_args(Part)
PART_NAMES: Mapping[Part, str] = {
    "compute": "compute",
    "syscall": "system calls",
    "fault_tlb": "page faults and TLB misses",
    "packets": "small packets",
    "random_disk": "random disk access",
    "sequential": "sequential disk and bulk transfer",
}
_ROUNDING = 1e-6


@dataclass(frozen=True)
class WorkloadProfile:
    """A mix of work: shares of native time by part that sum to 1, each with its range.

    >>> WorkloadProfile.of("mine", compute=0.7, packets=0.3)
    """

    name: str
    shares: tuple[Interval, ...]
    """In the order of PARTS."""
    reason: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        for part, share in zip(PARTS, self.shares, strict=True):
            if not all(math.isfinite(x) for x in share.ends) or share.low < 0:
                raise ModelError(
                    f"profile {self.name!r}: the share of {PART_NAMES[part]} is {share}; "
                    "expected numbers from 0 to 1."
                )
        total = sum(share.value for share in self.shares)
        if abs(total - 1) > _ROUNDING:
            raise ModelError(
                f"profile {self.name!r}: the shares sum to {total:.6g}, expected 1; "
                "WorkloadProfile.scaled makes them so."
            )

    @classmethod
    def of(cls, name: str, **shares: float | Interval) -> WorkloadProfile:
        """A profile from shares by part; parts that are left out have none.

        Raises: ModelError for an unknown part, a negative share, or shares that don't sum to 1.
        """
        for part, share in shares.items():
            if part not in PARTS:
                raise ModelError(
                    f"profile {name!r}: unknown part {part!r}{nearest(part, PARTS)}; "
                    f"known are {', '.join(PARTS)}."
                )
            if isinstance(share, float) and math.isnan(share):
                raise ModelError(f"profile {name!r}: the share of {part} is not a number.")
        return cls(name, tuple(as_interval(shares.get(part, 0.0)) for part in PARTS), "", "stated")

    @classmethod
    def scaled(cls, name: str, **weights: float) -> WorkloadProfile:
        """A profile from weights of any sum: 3 to 1 is 0.75 to 0.25.

        Raises: ModelError if no weight is positive, or one is negative or unknown.
        """
        total = math.fsum(weights.values())
        if not math.isfinite(total) or total <= 0 or min(weights.values()) < 0:
            raise ModelError(
                f"profile {name!r}: the weights of its parts sum to {total:g}, the least is "
                f"{min(weights.values(), default=0):g}; expected at least one above 0, none below."
            )
        return cls.of(name, **{part: weight / total for part, weight in weights.items()})

    @property
    def assumption(self) -> Assumption:
        """The mix, as a result states it."""
        mix = ", ".join(
            f"{share.value:.0%} {PART_NAMES[part]}"
            for part, share in zip(PARTS, self.shares, strict=True)
            if share.value
        )
        return Assumption(name=f"workload {self.name}", value=mix, source=self.source or "stated")

    def slowdown(self, factors: Sequence[Interval]) -> Interval:
        """Time of the mix against bare metal, where each part takes `factors` times as long.

        The sum of share x factor. Where shares have ranges, the ends are the least and the greatest
        sum over all mixes inside them (a fractional knapsack: the rest of the time goes to the
        cheapest part first for the low end, to the dearest for the high end).
        Parameters: factors, one a part, in the order of PARTS.
        """
        value = sum(s.value * f.value for s, f in zip(self.shares, factors, strict=True))
        low = _extreme(self.shares, [f.low for f in factors], cheapest=True)
        high = _extreme(self.shares, [f.high for f in factors], cheapest=False)
        return Interval(value, min(low, value), max(high, value))


def _extreme(shares: Sequence[Interval], factors: Sequence[float], *, cheapest: bool) -> float:
    """The least or greatest sum of share x factor over mixes that sum to 1."""
    left = 1.0 - sum(share.low for share in shares)
    total = sum(share.low * factor for share, factor in zip(shares, factors, strict=True))
    order = sorted(range(len(factors)), key=factors.__getitem__, reverse=not cheapest)
    for at in order:
        step = min(left, shares[at].high - shares[at].low)
        total += step * factors[at]
        left -= step
    return total


def profile(name: str) -> WorkloadProfile:
    """A named profile.

    Raises: ModelError for an unknown name, with the nearest one.

    >>> profile("web-api").shares[0].value
    0.55
    """
    known = profiles()
    if name not in known:
        raise ModelError(
            f"unknown workload {name!r}{nearest(str(name), known)}; known are {', '.join(known)}."
        )
    return known[name]


@lru_cache(maxsize=1)
def profiles() -> Mapping[str, WorkloadProfile]:
    """The named profiles, in the order of data/platforms/workloads.csv."""
    rows: dict[str, list[dict[str, str]]] = {}
    with data_path("platforms", "workloads.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            rows.setdefault(row["profile"], []).append(row)
    return {name: _read(name, of_profile) for name, of_profile in rows.items()}


def _read(name: str, rows: list[dict[str, str]]) -> WorkloadProfile:
    shares = {
        row["part"]: Interval(float(row["value"]), float(row["low"]), float(row["high"]))
        for row in rows
    }
    ordered = tuple(shares[part] for part in PARTS)
    return WorkloadProfile(name, ordered, rows[0]["reason"], rows[0]["source"])
