"""What the sliders ask, and the engine's answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.figures import utilisation_curves
from capsim.figures.resources import Float32
from capsim.placement import (
    MachineShare,
    Packing,
    Placement,
    Stranded,
    add_machines,
    grow,
    pack,
    place,
    stranded,
)
from capsim.placement.tables import shown_unit
from capsim.scenario import GPU_MILLI, Node, SchedulerProfile, ShapePoint, Strategy
from capsim.topology import Topology

#: The curve that the documentation of kube-scheduler gives for RequestedToCapacityRatio.
_CURVE = (ShapePoint(utilization=0, score=0), ShapePoint(utilization=100, score=10))
#: The quick packers of which one or the other is best as a rule.
_PACKERS = ("first-fit", "dot-product")
_KEPT = 8


@dataclass(frozen=True)
class Question:
    """Where the sliders stand."""

    strategy: Strategy
    headroom: float
    """Share of every machine's CPU and memory that is kept free."""
    overcommit_cpu: float
    """Cores that may be requested for each core."""
    growth: float
    """Units to add, as a share of those there are."""
    machines: int
    """Machines to add."""
    first: str
    """The name of a shape."""
    second: str
    second_share: float

    @property
    def mix(self) -> tuple[tuple[str, float], ...]:
        """The shapes of the mix that have a share, with it."""
        both = ((self.first, 1 - self.second_share), (self.second, self.second_share))
        return tuple((name, share) for name, share in both if share > 0)

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """Machines to add by shape."""
        of_second = int(np.rint(self.machines * self.second_share))
        return (self.first, self.machines - of_second), (self.second, of_second)


@dataclass(frozen=True, eq=False)
class Answer:
    """A placement, and what a planner asks of it next; each is worked out when first asked for."""

    question: Question
    plan: Placement
    mix: tuple[MachineShare, ...]

    @cached_property
    def stranded(self) -> Stranded:
        """Free capacity that no unit of the cluster's own kinds can use."""
        return stranded(self.plan)

    @cached_property
    def needs(self) -> Packing:
        """The fewest machines of the mix found for the units that wait."""
        packed = [
            pack(
                self.plan.topology,
                self.mix,
                algorithm=algorithm,
                units=self.plan.waiting,
                headroom=self.question.headroom,
                overcommit_cpu=self.question.overcommit_cpu,
            )
            for algorithm in _PACKERS
        ]
        return min(packed, key=lambda packing: packing.count)

    @property
    def machines_needed(self) -> dict[str, int]:
        """Machines of each shape that hold the units that wait."""
        counts = self.needs.machines.values()
        return {name: n for (name, _), n in zip(self.question.mix, counts, strict=True)}

    @property
    def held_by_none(self) -> int:
        """Waiting units that are larger than the machines of the mix."""
        return int((self.needs.bin_of < 0).sum())

    @cached_property
    def resources(self) -> pd.DataFrame:
        """One row a resource: unit, offered, requested, usable, stranded, waiting."""
        table = self.stranded.table
        lost = table["stranded"].clip(upper=table["free"])
        return pd.DataFrame(
            {
                "resource": table["resource"],
                "unit": table["unit"],
                "offered": table["offered"],
                "requested": table["offered"] - table["free"],
                "usable": table["free"] - lost,
                "stranded": lost,
                "waiting": [self._waiting(name) for name in table["resource"]],
            }
        )

    def _waiting(self, resource: str) -> float:
        """What the waiting units request of a resource, in people's unit."""
        topology = self.plan.topology
        name = GPU_MILLI if resource == "gpu" else resource
        requests = topology.request[:, topology.column(name)]
        total = requests[topology.unit_template[self.plan.waiting]].sum()
        return float(total) / shown_unit(name)[2]

    def curves(self, names: Sequence[str]) -> dict[str, tuple[Float32, Float32]]:
        """Of each resource: machines that offer it, fullest first, and percent requested."""
        x, curves = utilisation_curves(self.plan, names)
        offer: NDArray[np.bool_] = self.plan.offered > 0
        column = self.plan.topology.column
        machines = {name: np.float32(offer[:, column(name)].sum() / 100) for name in names}
        return {name: (x * machines[name], y) for name, y in curves.items()}


class Asked:
    """A compiled cluster that answers questions; the latest answers are kept."""

    def __init__(self, topology: Topology, shapes: Mapping[str, Node]) -> None:
        self.topology = topology
        self.shapes = shapes
        self._answers: OrderedDict[Any, Answer] = OrderedDict()
        self._clusters: OrderedDict[Any, Topology] = OrderedDict()

    def __call__(self, question: Question) -> Answer:
        """The answer to a question.

        Raises: ModelError for a question that the engine refuses.
        """
        if question not in self._answers:
            _keep(self._answers, question, self._answer(question))
        return self._answers[question]

    def _answer(self, question: Question) -> Answer:
        plan = place(
            self._cluster(question),
            profile=_profile(self.topology.scenario.profile, question.strategy),
            headroom=question.headroom,
            overcommit_cpu=question.overcommit_cpu,
        )
        mix = tuple(MachineShare(self.shapes[name], share) for name, share in question.mix)
        return Answer(question, plan, mix)

    def _cluster(self, question: Question) -> Topology:
        """The cluster grown and extended; the same one as long as only the policy moves."""
        added = tuple((name, count) for name, count in question.counts if count)
        key = (question.growth, added)
        if key not in self._clusters:
            topology = grow(self.topology, question.growth)
            for name, count in added:
                topology = add_machines(topology, self.shapes[name], count)
            _keep(self._clusters, key, topology)
        return self._clusters[key]


def _keep(kept: OrderedDict[Any, Any], key: object, value: object) -> None:
    kept[key] = value
    if len(kept) > _KEPT:
        kept.popitem(last=False)


def _profile(stated: SchedulerProfile, strategy: Strategy) -> SchedulerProfile:
    """The cluster's own policy with another strategy."""
    if strategy == stated.strategy:
        return stated
    shape = stated.shape or (_CURVE if strategy == "RequestedToCapacityRatio" else ())
    return stated.model_copy(update={"strategy": strategy, "shape": shape})
