"""Asks the scheduler about variants of one unit, in the cluster as it was at the unit's turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes.answers import Answers
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.scheduling import History, resume
from capsim.scenario import Template
from capsim.topology import Int64, Topology

if TYPE_CHECKING:
    from capsim.placement.result import Placement


@dataclass(frozen=True)
class Variant:
    """The unit with one thing changed."""

    template: Template
    request: Mapping[int, int] = field(default_factory=dict)
    """Columns of the topology to other amounts."""


class Probe:
    """The cluster at a unit's turn, and the unit's variants, compiled together once."""

    def __init__(self, plan: Placement, row: int, variants: Sequence[Variant] = ()) -> None:
        self.row, self.pin = row, int(plan.topology.unit_pinned[row])
        topology = _with_variants(plan.topology, row, variants) if variants else plan.topology
        self.engine = Engine(topology, plan.engine.profile) if variants else plan.engine
        self._first = len(plan.topology.unit_template)
        self.session = resume(self.engine, self.engine.initial(plan.offered), _before(plan, row))

    @property
    def unit_class(self) -> int:
        """The class of the unit as it is."""
        return int(self.engine.class_of[self.row])

    def variant_class(self, variant: int) -> int:
        """The class of a variant, counted from 0."""
        return int(self.engine.class_of[self._first + variant])

    def ask(self, c: int) -> Answers:
        """What every node says to a class now; nodes to which the unit is not pinned are others."""
        return self.engine.evaluate(self.session.state, c)

    def fitting(self, answers: Answers) -> NDArray[np.bool_]:
        """[N] the nodes that the unit could go to."""
        result: NDArray[np.bool_] = (answers.refusal == 0) & self.allowed
        return result

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """[N] nodes that the unit's pin leaves it."""
        nodes = np.arange(len(self.engine.topology.scenario.nodes))
        result: NDArray[np.bool_] = (nodes == self.pin) | (self.pin == -1)
        return result


def _before(plan: Placement, row: int) -> History:
    return plan.history.before(row)


def _with_variants(topology: Topology, row: int, variants: Sequence[Variant]) -> Topology:
    """The topology with one more waiting unit for each variant."""
    unit, own = topology.scenario.units[row], int(topology.unit_template[row])
    keys = tuple(f"{unit.template} ?{number}" for number in range(len(variants)))
    waits = {"node": None, "started_s": None, "terminating": False}
    # They keep the unit's name, for its claims go by it.
    copies = tuple(unit.model_copy(update={"template": key, **waits}) for key in keys)
    templates = dict(zip(keys, (variant.template for variant in variants), strict=True))
    scenario = topology.scenario.model_copy(
        update={
            "templates": {**topology.scenario.templates, **templates},
            "units": (*topology.scenario.units, *copies),
        }
    )
    count, known = len(variants), len(topology.template_keys)
    priorities = [variant.template.priority for variant in variants]
    return dataclasses.replace(
        topology,
        scenario=scenario,
        template_keys=(*topology.template_keys, *keys),
        request=_asking(topology.request, own, variants),
        scoring_request=_asking(topology.scoring_request, own, variants),
        accounted_request=_repeated(topology.accounted_request, own, count),
        gpu_share=_repeated(topology.gpu_share, own, count),
        priority=np.concatenate([topology.priority, np.array(priorities, np.int64)]),
        unit_template=np.concatenate(
            [topology.unit_template, np.arange(known, known + count, dtype=np.int32)]
        ),
        unit_node=np.concatenate([topology.unit_node, np.full(count, -1, np.int32)]),
        unit_pinned=np.concatenate(
            [topology.unit_pinned, np.full(count, topology.unit_pinned[row], np.int32)]
        ),
    )


def _repeated(table: Int64, row: int, count: int) -> Int64:
    return np.concatenate([table, np.repeat(table[row : row + 1], count, axis=0)])


def _asking(table: Int64, row: int, variants: Sequence[Variant]) -> Int64:
    """Requests of the variants below those that are there; only lower ones are taken over."""
    grown = _repeated(table, row, len(variants))
    for number, variant in enumerate(variants, start=len(table)):
        for column, amount in variant.request.items():
            grown[number, column] = min(grown[number, column], amount)
    return grown
