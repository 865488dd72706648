"""What a layer is: it takes, slows, delays, isolates and costs, and does nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

from capsim.stack.interval import ONE, ZERO, Interval, as_interval
from capsim.stack.parameters import Parameter
from capsim.stack.workload import PARTS

Kind = Literal["host", "hypervisor", "guest OS", "container runtime", "orchestrator", "serverless"]
Boundary = Literal["process", "container", "user-space kernel", "virtual machine"]
BOUNDARIES: tuple[Boundary, ...] = get_args(Boundary)
"""What an attacker must break to reach a neighbour, the weakest first."""


@dataclass(frozen=True)
class Amount:
    """Cores and bytes of memory: of a machine, of a guest, or taken from either."""

    cores: Interval = ZERO
    memory: Interval = ZERO
    """Bytes."""

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cores + other.cores, self.memory + other.memory)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.cores - other.cores, self.memory - other.memory)

    def __mul__(self, count: Interval | float) -> Amount:
        return Amount(self.cores * count, self.memory * count)


NOTHING = Amount()


def nothing(_: Amount) -> Amount:
    """Takes nothing."""
    return NOTHING


def unchanged(shape: Amount) -> Amount:
    """Leaves a guest at its size."""
    return shape


def unlimited(_: Amount) -> float:
    """As many guests as there is room for."""
    return float("inf")


@dataclass(frozen=True)
class Cost:
    """What a layer charges, in words, and per hour of one host where that can be said."""

    words: str
    usd_per_host_hour: Callable[[Amount], Interval] | None = None
    """Of the host; None where the charge is not by host and time, or is not priced yet."""
    usd_per_guest_hour: Callable[[Amount], Interval] | None = None
    """Of one guest of this size."""


@dataclass(frozen=True)
class Layer:
    """One layer of a platform: what it does, as functions of sizes, and the facts it rests on."""

    name: str
    kind: Kind
    takes_once: Callable[[Amount], Amount] = nothing
    """From the machine it runs on."""
    takes_each: Callable[[Amount], Amount] = nothing
    """From the same machine for each guest, by the guest's size."""
    sizes: Callable[[Amount], Amount] = unchanged
    """The size that a guest gets, where only some sizes are offered."""
    most_guests: Callable[[Amount], float] = unlimited
    """By the machine it runs on."""
    slows: tuple[Interval, ...] = (ONE,) * len(PARTS)
    """Factors on time, in the order of PARTS."""
    delays_once: Interval = ZERO
    """Seconds that it adds to the start of the machine it runs on."""
    delays_each: Interval = ZERO
    """Seconds that it adds to the start of a guest."""
    own_kernel: bool = False
    """Whether each guest brings a kernel of its own."""
    boundary: Boundary | None = None
    """What stands between its guests; None if it adds nothing."""
    costs: tuple[Cost, ...] = ()
    facts: tuple[Parameter, ...] = field(default=(), repr=False)


def constant(
    memory: Interval | float = 0.0, cores: Interval | float = 0.0
) -> Callable[[Amount], Amount]:
    """Takes the same of every machine or guest: bytes and cores."""
    taken = Amount(as_interval(cores), as_interval(memory))
    return lambda _: taken
