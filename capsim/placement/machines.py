"""What-if on the machines themselves: how much of each node may be requested."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from capsim.errors import ModelError
from capsim.scenario import CPU, MEMORY, Assumption
from capsim.topology import Int64, Topology


@dataclass(frozen=True, eq=False)
class Machines:
    """The [N, R] amounts that units may request on each node, and how they came about."""

    offered: Int64
    headroom: float
    """Share of every node's cpu and memory that is kept free, 0 to below 1."""
    overcommit_cpu: float
    """Cores that may be requested for each allocatable core."""
    overcommit_memory: float

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What was changed against the machines as they are."""
        stated = (
            ("headroom kept free on every node", self.headroom, 0.0, "%"),
            ("CPU overcommit of requests", self.overcommit_cpu, 1.0, "x"),
            ("memory overcommit of requests", self.overcommit_memory, 1.0, "x"),
        )
        return tuple(
            Assumption(name=name, value=_spell(value, unit), source="chosen by the planner")
            for name, value, neutral, unit in stated
            if value != neutral
        )


def _spell(value: float, unit: str) -> str:
    return f"{value:.0%}" if unit == "%" else f"{value:.2f} x"


def machines(
    topology: Topology,
    *,
    headroom: float = 0.0,
    overcommit_cpu: float = 1.0,
    overcommit_memory: float = 1.0,
) -> Machines:
    """The nodes with a reserve kept free and requests overcommitted.

    offered = floor(allocatable * overcommit * (1 - headroom)) for cpu and memory; pods, GPUs and
    other resources are pieces and stay as they are.
    Raises: ModelError for a headroom outside 0..1 or an overcommit not above 0.
    """
    if not 0 <= headroom < 1:
        raise ModelError(f"headroom is {headroom}, expected a share from 0 to below 1.")
    for name, factor in (("cpu", overcommit_cpu), ("memory", overcommit_memory)):
        if not 0 < factor <= 1000:
            raise ModelError(f"overcommit of {name} is {factor}, expected more than 0, up to 1000.")
    offered = topology.allocatable.copy()
    for resource, factor in ((CPU, overcommit_cpu), (MEMORY, overcommit_memory)):
        scale = _exact(factor) * (1 - _exact(headroom))
        if scale != 1:
            column = topology.column(resource)
            amounts = offered[:, column].tolist()
            offered[:, column] = [scale.numerator * each // scale.denominator for each in amounts]
    return Machines(offered, headroom, overcommit_cpu, overcommit_memory)


def _exact(share: float) -> Fraction:
    """The decimal that a float stands for: 90 % off 1,000 leaves 100, not 99.99..."""
    return Fraction(share).limit_denominator(10**6)
