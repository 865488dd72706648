"""How much of each node is taken, as every figure of a placement needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from capsim.figures import words
from capsim.scenario import PODS, Assumption, Scenario
from capsim.topology import Topology

if TYPE_CHECKING:
    from capsim.placement import Placement

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

Plan: TypeAlias = "Placement | Standing"

_PODS_MATTER = 50.0
"""Percent of a node's pod slots above which the slots are shown as a resource of their own."""


@dataclass(frozen=True, eq=False)
class Standing:
    """What figures need of a placement, or of a cluster as it runs: who stands where."""

    topology: Topology
    offered: NDArray[np.int64]
    """[N, R]"""
    used: NDArray[np.int64]
    """[N, R]"""
    node_of: NDArray[np.int32]
    """[U]"""
    told: tuple[str, ...]
    """How it came about, for the footnote."""
    assumptions: tuple[Assumption, ...]

    @property
    def scenario(self) -> Scenario:
        """The machines and units."""
        return self.topology.scenario


def standing(plan: Placement | Topology) -> Standing:
    """A placement as decided, or a topology with what runs on it already."""
    if isinstance(plan, Topology):
        return _as_it_runs(plan)
    chosen = (f"{each.name} {each.value}" for each in plan.machines.assumptions)
    told = (f"placed by {plan.method}", "requests, not measured use", *chosen)
    return Standing(plan.topology, plan.offered, plan.used, plan.node_of, told, plan.assumptions)


def _as_it_runs(topology: Topology) -> Standing:
    runs = topology.unit_node >= 0
    used = np.zeros_like(topology.allocatable)
    np.add.at(used, topology.unit_node[runs], topology.request[topology.unit_template[runs]])
    told = ("units where they run already", "requests, not measured use")
    offered, node_of = topology.allocatable, topology.unit_node
    return Standing(topology, offered, used, node_of, told, topology.scenario.assumptions)


def use(plan: Plan, resource: str) -> Float64:
    """[N] percent of each node's offer that is requested; NaN where it offers none."""
    column = plan.topology.column(resource)
    offered = plan.offered[:, column].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        taken = 100.0 * plan.used[:, column] / offered
    return np.where(offered > 0, taken, np.nan)


def fullest(plan: Plan, resource: str | None = None) -> Float64:
    """[N] percent of use of one resource, or of the fullest resource of each node."""
    if resource is not None:
        return use(plan, resource)
    most = np.full(len(plan.offered), np.nan)
    for name in shown(plan):
        most = np.fmax(most, use(plan, name))
    return most


def shown(plan: Plan) -> list[str]:
    """The resources worth a line: offered and requested; pod slots only where they get scarce."""
    topology = plan.topology
    asked = topology.request[topology.unit_template].sum(axis=0, dtype=np.float64)
    offered = plan.offered.sum(axis=0, dtype=np.float64)
    names = [name for r, name in enumerate(topology.resources) if offered[r] and asked[r]]
    slots = use(plan, PODS)
    if np.nanmax(slots, initial=0.0) < _PODS_MATTER:
        return [name for name in names if name != PODS]
    return names


def total_use(plan: Plan, resource: str) -> float:
    """Share of all that is offered which is requested, 0 to 1."""
    column = plan.topology.column(resource)
    offered = float(plan.offered[:, column].sum(dtype=np.float64))
    return float(plan.used[:, column].sum(dtype=np.float64)) / offered if offered else 0.0


def source(plan: Plan) -> str:
    """The footnote of a figure of a plan: where the numbers come from and what they are."""
    stands = plan if isinstance(plan, Standing) else standing(plan)
    nodes, units = len(stands.scenario.nodes), len(stands.scenario.units)
    noun = words.noun(stands.scenario)
    size = f"{words.count(nodes, 'node')}, {words.count(units, noun)}"
    parts = [f"Source: {words.shorten(stands.scenario.name, 60)}", size, *stands.told]
    return " · ".join(words.safe(part) for part in parts)


def hover_lines(plan: Plan) -> list[str]:
    """[N] what the pointer says of each node: name, shape, zone, units, use by resource."""
    names = shown(plan)
    uses = [[f"{value:.0f}" for value in use(plan, name).tolist()] for name in names]
    labels = [words.resource_name(name) for name in names]
    placed, noun = plan.node_of[plan.node_of >= 0], words.noun(plan.scenario)
    held: list[Any] = np.bincount(placed, minlength=len(plan.offered)).tolist()
    lines = []
    for row, node in enumerate(plan.scenario.nodes):
        where = f"{node.shape}, {node.zone}" if node.zone else node.shape
        taken = [
            f"{label} {values[row]} %"
            for label, values in zip(labels, uses, strict=True)
            if values[row] != "nan"
        ]
        lines.append(
            f"<b>{words.safe(node.name)}</b><br>{words.safe(where)}<br>"
            f"{words.count(held[row], noun)}<br>{' · '.join(taken)}"
        )
    return lines
