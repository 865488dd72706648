"""Platforms: compositions of layers, from the host up to the unit.

A platform is a tower of tiers. Each tier is a machine with the layers that run on it, and carries
guests: the last tier carries units, the others carry the machines of the tier above. So containers
in VMs are two tiers and Kata pods in cloud VMs three. Model: docs/models/stack.md, "Composition".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from capsim.stack.interval import ZERO, Interval, product
from capsim.stack.layer import BOUNDARIES, NOTHING, Amount, Boundary, Layer
from capsim.stack.workload import PARTS

Guests = Literal["units", "nodes", "one unit each"]


@dataclass(frozen=True)
class Tier:
    """A kind of machine: the layers on it, and what it carries.

    guests: "units"; "nodes", machines of a size of their own; or "one unit each", machines as large
    as one unit and all that lies between.
    """

    layers: tuple[Layer, ...]
    guests: Guests = "units"


@dataclass(frozen=True)
class Platform:
    """A named composition."""

    key: str
    name: str
    tiers: tuple[Tier, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers from the host up."""
        return tuple(layer for tier in self.tiers for layer in tier.layers)

    @property
    def slows(self) -> tuple[Interval, ...]:
        """Factors on time by part: those of all layers multiplied."""
        return tuple(product(layer.slows[at] for layer in self.layers) for at in range(len(PARTS)))

    @property
    def start(self) -> Interval:
        """Seconds until one more unit runs, on machines that run already; without image pulls."""
        own = len(self.tiers) - 1
        while own and self.tiers[own - 1].guests == "one unit each":
            own -= 1
        return self._seconds(own)

    @property
    def start_with_machine(self) -> Interval:
        """The same where a node must be started first; the host runs."""
        return self._seconds(0)

    def _seconds(self, first: int) -> Interval:
        """Starts of guests from tier `first` on, and of the machines above it."""
        each = [layer.delays_each for tier in self.tiers[first:] for layer in tier.layers]
        once = [layer.delays_once for tier in self.tiers[first + 1 :] for layer in tier.layers]
        return sum([*each, *once], ZERO)

    @property
    def boundary(self) -> Boundary:
        """What stands between two units: the strongest of what the layers that carry units give."""
        own = [
            layer
            for tier in self.tiers
            if tier.guests != "nodes"
            for layer in tier.layers
            if layer.boundary
        ]
        return max((layer.boundary for layer in own if layer.boundary), key=BOUNDARIES.index)

    @property
    def kernel_tier(self) -> int | None:
        """The tier whose units share one kernel; None where each unit has its own."""
        last = len(self.tiers) - 1
        carries_kernels = any(layer.own_kernel for layer in self.tiers[last].layers)
        if carries_kernels or (last and self.tiers[last - 1].guests == "one unit each"):
            return None
        return last


@dataclass(frozen=True)
class Filling:
    """What a machine holds: units, and where its capacity goes."""

    units: Interval
    """Units on the host."""
    units_per_machine: Interval
    """Units on one machine of the last tier."""
    machines: Interval
    """Machines of the last tier on the host."""
    taken: Amount
    """By the layers of all tiers, at that number of units."""
    guest: Amount
    """The size of what the first tier carries."""


def fill(tiers: Sequence[Tier], machine: Amount, unit: Amount, nodes: int) -> Filling:
    """How many units a machine holds, and what the layers take of it then.

    From the machine its layers take once; what is left holds guests, each at its size and with what
    the layers take for each; a guest that is a machine is filled in the same way.
    Parameters: machine and unit in cores and bytes; nodes, how many "nodes" share the machine.
    """
    tier = tiers[0]
    once = _sum(layer.takes_once(machine) for layer in tier.layers)
    left = machine - once
    guest = guest_size(tiers, machine, unit, nodes)
    each = _sum(layer.takes_each(guest) for layer in tier.layers)
    most = min(layer.most_guests(machine) for layer in tier.layers)
    most = min(most, nodes) if tier.guests == "nodes" else most
    count = _held(left, guest + each).at_most(most)
    if tier.guests == "units":
        own = once + (each + (guest - unit)) * count
        return Filling(count, count, Interval(1, 1, 1), own, guest)
    inner = fill(tiers[1:], guest, unit, nodes)
    if tier.guests == "one unit each":
        inner = _one_each(inner, guest, unit)
    taken = once + (each + inner.taken) * count
    return Filling(
        inner.units * count, inner.units_per_machine, inner.machines * count, taken, guest
    )


def _one_each(inner: Filling, guest: Amount, unit: Amount) -> Filling:
    """A machine made for one unit holds one, and all else in it is taken."""
    one = Interval(1, 1, 1)
    taken = Amount(_difference(guest.cores, unit.cores), _difference(guest.memory, unit.memory))
    return Filling(one, one, one, taken, inner.guest)


def _difference(larger: Interval, part: Interval) -> Interval:
    """What a machine has beyond a part that it was made for: the same part at every end."""
    return Interval(*(max(a - part.value, 0.0) for a in larger.ends))


def guest_size(tiers: Sequence[Tier], machine: Amount, unit: Amount, nodes: int) -> Amount:
    """The size of what the first tier carries on a machine; parameters as of `fill`."""
    tier = tiers[0]
    match tier.guests:
        case "units":
            return _sized(tier, unit)
        case "one unit each":
            return _sized(tier, _around(tiers[1:], unit))
    left = machine - _sum(layer.takes_once(machine) for layer in tier.layers)
    return _node(tier, left, nodes)


def _sized(tier: Tier, shape: Amount) -> Amount:
    for layer in tier.layers:
        shape = layer.sizes(shape)
    return shape


def _around(tiers: Sequence[Tier], unit: Amount) -> Amount:
    """The machine that holds exactly one unit and what the layers above it take."""
    tier = tiers[0]
    guest = unit if tier.guests == "units" else _sized(tier, _around(tiers[1:], unit))
    each = _sum(layer.takes_each(guest) for layer in tier.layers)
    once = _sum(layer.takes_once(guest) for layer in tier.layers)
    return guest + each + once


def _node(tier: Tier, left: Amount, nodes: int) -> Amount:
    """One of `nodes` equal parts of what is surely left, less what a node takes at most."""
    part = Amount(*(_exact(x.low / nodes) for x in (left.cores, left.memory)))
    each = _sum(layer.takes_each(part) for layer in tier.layers)
    return Amount(
        _exact(max(part.cores.low - each.cores.high, 0.0)),
        _exact(max(part.memory.low - each.memory.high, 0.0)),
    )


def _exact(x: float) -> Interval:
    return Interval(x, x, x)


def _held(left: Amount, need: Amount) -> Interval:
    """Whole guests that fit by the scarcer of the two."""
    ratios = [
        left.cores.at_least(0.0) / need.cores.at_least(1e-9),
        left.memory.at_least(0.0) / need.memory.at_least(1.0),
    ]
    return ratios[0].at_most(ratios[1]).floor()


def _sum(amounts: Iterable[Amount]) -> Amount:
    return sum(amounts, NOTHING)
