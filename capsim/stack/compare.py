"""Stacks side by side: what a host holds under each platform, how fast, how quick to start.

Model: docs/models/stack.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from capsim.errors import ModelError
from capsim.scenario import Assumption
from capsim.stack.explain import layers_with_sizes, told
from capsim.stack.interval import ZERO, Interval, as_interval
from capsim.stack.layer import Amount, Boundary
from capsim.stack.platform import Filling, Platform, fill
from capsim.stack.platforms import FIVE_STACKS, platform
from capsim.stack.workload import PARTS, WorkloadProfile, profile

_GIB = 2**30
NODE_CORES = 8.0
"""Of a node VM, where nothing else is stated; the host is cut into nodes of about that size."""


@dataclass(frozen=True)
class Host:
    """A physical machine: cores as the operating system counts them, and memory."""

    cores: float
    memory_gib: float

    def __post_init__(self) -> None:
        _check("host", cores=self.cores, memory_gib=self.memory_gib)

    @property
    def amount(self) -> Amount:
        """In cores and bytes."""
        return Amount(as_interval(float(self.cores)), as_interval(self.memory_gib * _GIB))


@dataclass(frozen=True)
class UnitSize:
    """What is to run many times: one program or container, with what it needs."""

    cores: float
    memory_gib: float

    def __post_init__(self) -> None:
        _check("unit", cores=self.cores, memory_gib=self.memory_gib)

    @property
    def amount(self) -> Amount:
        """In cores and bytes."""
        return Amount(as_interval(float(self.cores)), as_interval(self.memory_gib * _GIB))


def _check(what: str, **sizes: float) -> None:
    for name, size in sizes.items():
        if not math.isfinite(size) or size <= 0:
            raise ModelError(f"{what}: {name} is {size:g}, expected a number above 0.")


def _sized(name: str, found: object, kind: type, example: str) -> None:
    if not isinstance(found, kind):
        raise ModelError(f"{name} is {found!r}, expected cores and GiB, such as {example}.")


@dataclass(frozen=True)
class Stack:
    """One platform on the host, filled with units of the workload."""

    platform: Platform
    filling: Filling
    host: Amount
    unit: Amount
    slowdown: Interval
    """Time of the workload against bare metal without anything between."""

    @property
    def units(self) -> Interval:
        """Units on the host."""
        return self.filling.units

    @property
    def left(self) -> Amount:
        """What the layers leave of the host."""
        remaining = self.host - self.filling.taken
        return Amount(remaining.cores.at_least(0.0), remaining.memory.at_least(0.0))

    @property
    def work(self) -> Interval:
        """Work that all units of the host do, against as many native cores as the host has.

        Units x their cores / slow-down / cores of the host.
        """
        return self.units * self.unit.cores / self.slowdown / self.host.cores

    @property
    def units_per_kernel(self) -> Interval:
        """Units that one kernel fault takes along."""
        if self.platform.kernel_tier is None:
            return as_interval(1.0)
        return self.filling.units_per_machine

    @property
    def start(self) -> Interval:
        """Seconds until one more unit runs; machines run already, the image is there."""
        return self.platform.start

    @property
    def boundary(self) -> Boundary:
        """What stands between two units."""
        return self.platform.boundary

    @property
    def cost_words(self) -> str:
        """What the layers charge."""
        told = [
            f"{layer.name}: {cost.words}" for layer in self.platform.layers for cost in layer.costs
        ]
        return "; ".join(told) or "no charge of its own"

    @property
    def charge(self) -> Interval:
        """USD per hour that the layers charge for this host, as far as it is priced by time."""
        total = ZERO
        for cost in (cost for layer in self.platform.layers for cost in layer.costs):
            if cost.usd_per_host_hour:
                total = total + cost.usd_per_host_hour(self.host)
            if cost.usd_per_guest_hour:
                total = total + cost.usd_per_guest_hour(self.filling.guest) * self.units
        return total


@dataclass(frozen=True)
class StackComparison:
    """Stacks side by side for one workload, host and unit."""

    profile: WorkloadProfile
    host: Host
    unit: UnitSize
    nodes: int
    """Node VMs that share the host, where a platform has any."""
    stacks: tuple[Stack, ...]

    def __getitem__(self, key: str) -> Stack:
        found = [stack for stack in self.stacks if stack.platform.key == key]
        if not found:
            known = ", ".join(stack.platform.key for stack in self.stacks)
            raise ModelError(f"no stack {key!r} in this comparison; it has {known}.")
        return found[0]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a stack; every figure with its low and high end."""
        return pd.DataFrame([self._row(stack) for stack in self.stacks])

    def _row(self, stack: Stack) -> dict[str, object]:
        figures = {
            "units_per_host": stack.units,
            "cores_left": stack.left.cores,
            "memory_left_gib": stack.left.memory / _GIB,
            "cores_taken": stack.filling.taken.cores,
            "memory_taken_gib": stack.filling.taken.memory / _GIB,
            "slowdown": stack.slowdown,
            "work_share": stack.work,
            "start_s": stack.start,
            "start_with_machine_s": stack.platform.start_with_machine,
            "units_per_kernel": stack.units_per_kernel,
            "layer_charge_usd_per_hour": stack.charge,
        }
        ends = {
            f"{name}{end}": getattr(figure, attribute)
            for name, figure in figures.items()
            for end, attribute in (("", "value"), ("_low", "low"), ("_high", "high"))
        }
        named = {"stack": stack.platform.key, "name": stack.platform.name}
        return named | ends | {"boundary": stack.boundary, "cost": stack.cost_words}

    @cached_property
    def parts(self) -> pd.DataFrame:
        """Slow-down by part of the workload: stack, part, share, slowdown, low, high."""
        return pd.DataFrame(
            [
                (stack.platform.key, part, share.value, *factor.ends)
                for stack in self.stacks
                for part, share, factor in zip(
                    PARTS, self.profile.shares, stack.platform.slows, strict=True
                )
            ],
            columns=["stack", "part", "share", "slowdown", "low", "high"],
        )

    def summary(self) -> dict[str, object]:
        """Units per host and slow-down of each stack, and which holds most and does most work."""
        return {
            "host": f"{self.host.cores:g} cores, {self.host.memory_gib:g} GiB",
            "unit": f"{self.unit.cores:g} cores, {self.unit.memory_gib:g} GiB",
            "workload": self.profile.name,
            "units_per_host": {s.platform.key: str(s.units) for s in self.stacks},
            "slowdown": {s.platform.key: str(s.slowdown) for s in self.stacks},
            "most_units": max(self.stacks, key=lambda s: s.units.value).platform.key,
            "most_work": max(self.stacks, key=lambda s: s.work.value).platform.key,
        }

    def explain(self, stack: str) -> pd.DataFrame:
        """The five things that each layer of a stack does here, from the host up.

        Returns: layer, kind, takes_once, takes_each, slows, delays, isolates, costs, rests_on.
        Raises: ModelError for a stack that is not compared.
        """
        chosen = self[stack]
        tiers = chosen.platform.tiers
        walk = layers_with_sizes(tiers, chosen.host, chosen.unit, self.nodes)
        return pd.DataFrame([told(*at, self.profile) for at in walk])

    @cached_property
    def assumptions(self) -> list[Assumption]:
        """The workload, how the comparison is made, and the facts of all layers."""
        facts = {
            fact.assumption.name: fact.assumption
            for stack in self.stacks
            for layer in stack.platform.layers
            for fact in layer.facts
        }
        return [self.profile.assumption, *_STATED, *facts.values()]

    def _repr_html_(self) -> str:
        columns = ["name", "units_per_host", "slowdown", "start_s", "units_per_kernel", "boundary"]
        return str(self.table[columns].to_html(index=False, float_format=lambda x: f"{x:.3g}"))


_STATED = (
    Assumption(
        name="vCPUs",
        value="as many as the host has cores: no overcommit",
        source="stated; overcommit is a question of contention",
    ),
    Assumption(
        name="slow-downs",
        value="factors on time by part of the workload, multiplied over the layers",
        source="fitted to published measurements, docs/models/measurements.md",
    ),
    Assumption(
        name="start",
        value="image present, host running; pulls are left out",
        source="stated",
    ),
)


def compare_stacks(
    workload: WorkloadProfile | str,
    host: Host,
    unit: UnitSize,
    *,
    stacks: Sequence[str] = FIVE_STACKS,
    node_cores: float = NODE_CORES,
) -> StackComparison:
    """What one host holds under each platform, how much slower the work is, how fast it starts.

    Parameters: workload, a profile or the name of one ("web-api", "in-memory-cache", ...); host and
    unit, cores and GiB; stacks, keys of platforms (`capsim.stack.platforms.platforms`);
    node_cores, the size of node VMs, where a platform has any: the host is cut into equal parts of
    about that size.
    Returns: StackComparison, with .table (units_per_host, cores_left, memory_left_gib, slowdown,
    start_s, units_per_kernel, ...), each figure with the range that its parameters allow.
    Raises: ModelError for sizes that are not above 0, or an unknown workload or platform.
    Model: docs/models/stack.md.

    >>> cs.compare_stacks("web-api", cs.Host(64, 256), cs.UnitSize(1, 2)).summary()
    """
    mix = profile(workload) if isinstance(workload, str) else workload
    _check("node", cores=node_cores)
    _sized("host", host, Host, "cs.Host(64, 256)")
    _sized("unit", unit, UnitSize, "cs.UnitSize(1, 2)")
    if not stacks:
        raise ModelError(f"no stack to compare; five to begin with are {', '.join(FIVE_STACKS)}.")
    nodes = max(1, round(host.cores / node_cores))
    filled = tuple(_filled(platform(key), mix, host.amount, unit.amount, nodes) for key in stacks)
    return StackComparison(mix, host, unit, nodes, filled)


def _filled(
    chosen: Platform, mix: WorkloadProfile, host: Amount, unit: Amount, nodes: int
) -> Stack:
    filling = fill(chosen.tiers, host, unit, nodes)
    return Stack(chosen, filling, host, unit, mix.slowdown(chosen.slows))
