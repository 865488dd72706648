"""stranded: free capacity that nobody can use, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.errors import ModelError, nearest
from capsim.placement import _kernels
from capsim.placement.headroom import (
    RULES,
    Shapes,
    boards_left,
    gpu_column,
    plain_name,
    shapes_of,
    units_of,
)
from capsim.scenario import CPU, EPHEMERAL_STORAGE, GPU_MILLI, MEMORY, PODS, Assumption, Template
from capsim.topology import Int64, Topology

if TYPE_CHECKING:
    from capsim.placement.result import Placement

Float64 = NDArray[np.float64]
#: What a resource itself leaves over: less than one more unit takes (of a board, for GPUs).
REMAINDER = "remainder"
_GIB = 2.0**30
#: People's unit of a resource and how many base units it has; all else is counted in pieces.
_UNITS = {
    CPU: ("cores", 1000.0),
    MEMORY: ("GiB", _GIB),
    EPHEMERAL_STORAGE: ("GiB", _GIB),
    GPU_MILLI: ("GPUs", 1000.0),
}
_NOUNS = {CPU: "CPU cores", MEMORY: "memory", GPU_MILLI: "GPUs", EPHEMERAL_STORAGE: "local storage"}
_BEHIND = {CPU: "behind full CPUs", MEMORY: "behind full memory", PODS: "behind full pod slots"}


@dataclass(frozen=True, eq=False)
class Stranded:
    """Free capacity that the shapes cannot use; S shapes, N nodes, R resources.

    The last axis of the arrays is what stands in the way: one of the R resources, a static rule
    (R), or the remainder of the resource itself (R + 1).
    """

    topology: Topology
    shapes: Shapes
    weight: Float64
    """[S, R] weight of a shape in the mean of a resource; each used column sums to 1."""
    by_shape_and_cause: Float64
    """[S, R, R + 2] stranded for each shape, in base units."""
    by_node_and_cause: Float64
    """[N, R, R + 2] stranded on each node, the weighted mean over the shapes."""
    offered: Int64
    """[N, R]"""
    free: Int64
    """[N, R]"""
    assumptions: tuple[Assumption, ...] = field(default=())

    @cached_property
    def _columns(self) -> list[int]:
        """Resources that some shape requests; pod slots only count as a cause."""
        names = self.topology.resources
        return [r for r in range(len(names)) if self.weight[:, r].any() and names[r] != PODS]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a resource: resource, unit, offered, free, stranded and its shares of both."""
        offered, free = self.offered.sum(axis=0), self.free.sum(axis=0)
        stranded = self.by_node_and_cause.sum(axis=(0, 2))
        rows = []
        for r in self._columns:
            unit, scale = _unit(self.topology.resources[r])
            rows.append(
                {
                    "resource": self._name(r),
                    "unit": unit,
                    "offered": offered[r] / scale,
                    "free": free[r] / scale,
                    "stranded": stranded[r] / scale,
                    "share_of_offered": _share(stranded[r], offered[r]),
                    "share_of_free": _share(stranded[r], free[r]),
                }
            )
        return pd.DataFrame(rows, columns=_TABLE)

    @cached_property
    def why(self) -> pd.DataFrame:
        """resource, blocked_by, unit, amount, share_of_offered, share_of_stranded."""
        amounts = self.by_node_and_cause.sum(axis=0)
        offered = self.offered.sum(axis=0)
        rows = [
            (
                self._name(r),
                cause,
                *self._amount(r, amount),
                _share(amount, offered[r]),
                _share(amount, amounts[r].sum()),
            )
            for r in self._columns
            for cause, amount in self._by_cause(amounts[r])
        ]
        return pd.DataFrame(rows, columns=_WHY)

    @cached_property
    def by_shape(self) -> pd.DataFrame:
        """shape, resource, weight, unit, stranded, share_of_free, for what the shape requests."""
        stranded, free = self.by_shape_and_cause.sum(axis=2), self.free.sum(axis=0)
        rows = [
            (
                name,
                self._name(r),
                self.weight[s, r],
                *self._amount(r, stranded[s, r]),
                _share(stranded[s, r], free[r]),
            )
            for s, name in enumerate(self.shapes.names)
            for r in self._columns
            if self.shapes.request[s, r]
        ]
        return pd.DataFrame(rows, columns=_BY_SHAPE)

    @cached_property
    def by_machine(self) -> pd.DataFrame:
        """machine, nodes, resource, blocked_by, unit, stranded, share_of_offered."""
        machine, names = pd.factorize(np.array(machine_shapes(self.topology), object))
        amounts = np.zeros((len(names), *self.by_node_and_cause.shape[1:]))
        np.add.at(amounts, machine, self.by_node_and_cause)
        offered = np.zeros((len(names), self.offered.shape[1]), np.int64)
        np.add.at(offered, machine, self.offered)
        nodes = np.bincount(machine, minlength=len(names)).tolist()
        rows = [
            (
                name,
                nodes[m],
                self._name(r),
                cause,
                *self._amount(r, amount),
                _share(amount, offered[m, r]),
            )
            for m, name in enumerate(names)
            for r in self._columns
            for cause, amount in self._by_cause(amounts[m, r])
        ]
        return pd.DataFrame(rows, columns=_BY_MACHINE)

    @cached_property
    def by_node(self) -> pd.DataFrame:
        """node, resource, unit, free, stranded, blocked_by (the largest cause, "" for none)."""
        names = [node.name for node in self.topology.scenario.nodes]
        parts = [self._of_nodes(r, names) for r in self._columns]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_BY_NODE)

    def _of_nodes(self, r: int, names: list[str]) -> pd.DataFrame:
        amounts = self.by_node_and_cause[:, r]
        causes = np.array(self._causes, object)
        unit, scale = _unit(self.topology.resources[r])
        return pd.DataFrame(
            {
                "node": names,
                "resource": self._name(r),
                "unit": unit,
                "free": self.free[:, r] / scale,
                "stranded": amounts.sum(axis=1) / scale,
                "blocked_by": np.where(amounts.any(axis=1), causes[amounts.argmax(axis=1)], ""),
            }
        )

    @property
    def _causes(self) -> list[str]:
        return [*map(plain_name, self.topology.resources), RULES, REMAINDER]

    def _by_cause(self, amounts: Float64) -> list[tuple[str, float]]:
        """Causes that strand anything, the largest first."""
        order = np.argsort(-amounts, kind="stable").tolist()
        return [(self._causes[q], float(amounts[q])) for q in order if amounts[q] > 0]

    def _amount(self, r: int, amount: float) -> tuple[str, float]:
        unit, scale = _unit(self.topology.resources[r])
        return unit, float(amount) / scale

    def _name(self, r: int) -> str:
        return plain_name(self.topology.resources[r])

    def headline(self, resource: str | None = None) -> str:
        """The finding in one sentence, such as "31 % of GPUs are stranded: 22 % behind full CPUs".

        Parameters: resource, by default GPUs where they are shared, else the most stranded one.
        Raises: ModelError if nothing requests the resource.
        """
        if not self._columns:
            return "Nothing is stranded: no shape requests anything."
        r = self._column(resource)
        offered = float(self.offered[:, r].sum())
        shares = self.by_node_and_cause[:, r].sum(axis=0) / max(offered, 1.0)
        total, parts = _rounded(shares)
        order = np.argsort(-shares, kind="stable").tolist()
        told = [f"{parts[q]} {self._words(r, q)}" for q in order if q in parts]
        name = self.topology.resources[r]
        noun = _NOUNS.get(name, name)
        verb = "is" if noun in ("memory", "local storage") else "are"
        start = f"{total} of {noun} {verb} stranded"
        return f"{start}: {', '.join(told)}." if told else f"{start}."

    def _column(self, resource: str | None) -> int:
        names = {self._name(r): r for r in self._columns}
        if resource is None:
            shares = self.table.set_index("resource")["share_of_offered"]
            return names["gpu"] if "gpu" in names else names[str(shares.idxmax())]
        if resource not in names:
            raise ModelError(
                f"no shape requests {resource!r}{nearest(resource, names)}; "
                f"known are {', '.join(names)}."
            )
        return names[resource]

    def _words(self, r: int, cause: int) -> str:
        resources = self.topology.resources
        if cause == len(resources):
            return "on nodes that rules close"
        if cause == len(resources) + 1:
            return "in fragments of boards" if resources[r] == GPU_MILLI else "in remainders"
        name = resources[cause]
        return _BEHIND.get(name, f"for want of {_NOUNS.get(name, name)}")

    def summary(self) -> dict[str, float]:
        """Stranded shares of what is offered, in percent."""
        shares = zip(self.table["resource"], self.table["share_of_offered"].tolist(), strict=True)
        return {f"stranded_{name}_percent": 100 * share for name, share in shares}

    def _repr_html_(self) -> str:
        html: str = self.why.to_html(index=False)
        return f"<p>{self.headline()}</p>{html}"


_TABLE = ["resource", "unit", "offered", "free", "stranded", "share_of_offered", "share_of_free"]
_WHY = ["resource", "blocked_by", "unit", "amount", "share_of_offered", "share_of_stranded"]
_BY_SHAPE = ["shape", "resource", "weight", "unit", "stranded", "share_of_free"]
_BY_MACHINE = [
    "machine", "nodes", "resource", "blocked_by", "unit", "stranded", "share_of_offered"
]  # fmt: skip
_BY_NODE = ["node", "resource", "unit", "free", "stranded", "blocked_by"]


def stranded(plan: Placement, shapes: Mapping[str, Template] | None = None) -> Stranded:
    """How much of what is free no shape can use, and why.

    Node n takes k_n(s) more units of shape s, all constraints held. What it has beyond is
    stranded for s:
        stranded_r(s) = sum_n (free_rn - k_n(s) request_r(s))
    With a_rn(s) the number that resource r alone would take, a part of it lies behind the
    resource that ran out first, (a_rn - k_n) request_r, and the rest is the remainder of r
    itself, free_rn - a_rn request_r (for GPUs: fragments of boards). The amount of a resource is
    the mean over the shapes that request it, weighted by their number of units: the idea of the
    fragmentation measure of Weng et al., USENIX ATC 2023, here with every node filled up.

    Parameters: plan; shapes by name, equally weighted; by default all templates of the scenario.
    Returns: Stranded, with .table, .why, .by_shape, .by_machine, .by_node and .headline().
    Model: docs/models.md, "Stranded capacity".

    >>> cs.stranded(plan).headline()
    """
    topology = plan.topology
    chosen = shapes_of(plan, shapes, None)
    weight = _weights(topology, chosen, equal=shapes is not None)
    free = plan.free
    count, resources = chosen.request.shape
    by_shape = np.zeros((count, resources, resources + 2))
    by_node = np.zeros((len(free), resources, resources + 2))
    _kernels.strand(
        free,
        boards_left(plan),
        chosen.limit,
        chosen.request,
        chosen.devices,
        chosen.milli,
        gpu_column(topology),
        weight,
        by_shape,
        by_node,
    )
    assumptions = (*plan.machines.assumptions, _MEAN)
    return Stranded(topology, chosen, weight, by_shape, by_node, plan.offered, free, assumptions)


def _weights(topology: Topology, shapes: Shapes, *, equal: bool) -> Float64:
    """[S, R] units of each shape that request a resource, as shares of all that do."""
    units = dict(zip(topology.template_keys, units_of(topology).tolist(), strict=True))
    counts = np.array([1.0 if equal else float(units[name]) for name in shapes.names])
    weight = np.where(shapes.request > 0, counts[:, None], 0.0)
    total: Float64 = weight / np.maximum(weight.sum(axis=0), 1e-300)
    return total


def machine_shapes(topology: Topology) -> list[str]:
    """The shape of each node."""
    return [node.shape for node in topology.scenario.nodes]


def _unit(resource: str) -> tuple[str, float]:
    if resource.startswith("hugepages-"):
        return "GiB", _GIB
    return _UNITS.get(resource, ("pieces", 1.0))


def _share(amount: float, of: float) -> float:
    return float(amount) / float(of) if of else 0.0


def _rounded(shares: Float64) -> tuple[str, dict[int, str]]:
    """A total and its parts as percentages that add up; tenths where the total is below 10 %.

    What is left after rounding down goes to the parts with the largest remainders; parts that
    come to nothing are left out.
    """
    digits = 0 if shares.sum() >= 0.1 else 1
    exact = shares * 100 * 10**digits
    total = int(np.floor(exact.sum() + 0.5))
    whole = np.floor(exact + 1e-9).astype(int)
    largest = np.argsort(whole - exact, kind="stable")
    whole[largest[: max(0, total - int(whole.sum()))]] += 1
    parts = {q: _percent(n, digits) for q, n in enumerate(whole.tolist()) if n}
    return _percent(total, digits), parts


def _percent(whole: int, digits: int) -> str:
    return f"{whole / 10**digits:.{digits}f} %" if whole else "0 %"


_MEAN = Assumption(
    name="stranded capacity",
    value="mean over the templates that request the resource, weighted by their units; each node "
    "is filled with one template at a time",
    source="after Weng et al., Beware of Fragmentation, USENIX ATC 2023",
)
