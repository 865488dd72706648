"""pack: how few machines of a shape, or of a mix of shapes, hold the units.

Only sizes count here: every resource, pod slots and single GPU boards, but no labels, taints or
ports; `capsim.place` answers for a concrete cluster. Sources: Coffman, Garey and Johnson 1997,
Approximation algorithms for bin packing (first, next, best and worst fit, decreasing); Panigrahy,
Talwar, Uyeda and Wieder 2011, Heuristics for vector bin packing (average-weighted size of a
vector, dot product).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.errors import ModelError, nearest
from capsim.placement import _kernels
from capsim.placement.bounds import BOARD, Bound, lower_bound
from capsim.placement.headroom import plain_name
from capsim.placement.machines import machines
from capsim.placement.result import Cluster, topology_of
from capsim.placement.sizes import sizes
from capsim.placement.tables import shown_unit, told_amount
from capsim.scenario import GPU_MILLI, MEMORY, PODS, Assumption, Node, print_resource
from capsim.scenario.requests import SCORING_DEFAULTS
from capsim.topology import Int32, Int64, Topology

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Algorithm:
    """How a packer chooses among the open machines, and whether large units go first."""

    rule: int | None
    """A rule of the kernel; None: the dot product, one machine at a time."""
    decreasing: bool
    words: str


_FIRST, _BEST = "the machine that was opened first", "the fullest machine"
_WORST, _NEXT = "the emptiest machine", "the last machine"
#: Every packer; the order is that of tables and menus.
ALGORITHMS: dict[str, Algorithm] = {
    "first-fit-decreasing": Algorithm(_kernels.FIRST, True, f"largest first, {_FIRST}"),
    "best-fit-decreasing": Algorithm(_kernels.BEST, True, f"largest first, {_BEST}"),
    "worst-fit-decreasing": Algorithm(_kernels.WORST, True, f"largest first, {_WORST}"),
    "next-fit-decreasing": Algorithm(_kernels.NEXT, True, f"largest first, {_NEXT}"),
    "dot-product": Algorithm(None, True, "one machine at a time, the unit most along what is left"),
    "first-fit": Algorithm(_kernels.FIRST, False, f"in order of arrival, {_FIRST}"),
    "best-fit": Algorithm(_kernels.BEST, False, f"in order of arrival, {_BEST}"),
    "worst-fit": Algorithm(_kernels.WORST, False, f"in order of arrival, {_WORST}"),
    "next-fit": Algorithm(_kernels.NEXT, False, f"in order of arrival, {_NEXT}"),
}


@dataclass(frozen=True)
class MachineShare:
    """A machine shape and its share of a mix; shares are relative to their sum."""

    node: Node
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Packing:
    """Units packed on as few machines as the algorithm found; B machines, S shapes, Q units."""

    topology: Topology
    shapes: tuple[Node, ...]
    """The S machine shapes."""
    algorithm: str
    units: Int64
    """[Q] rows of the units in the topology."""
    bin_of: Int32
    """[Q] machine of each unit, -1 where no shape holds it."""
    shape_of: Int32
    """[B] row of the shape of each machine."""
    capacity: Int64
    """[S, R] what units may request of each shape."""
    bound: Bound
    refused: Int64
    """Rows of the templates that no shape holds."""
    assumptions: tuple[Assumption, ...] = field(default=())

    @property
    def count(self) -> int:
        """Machines in all."""
        return len(self.shape_of)

    @property
    def machines(self) -> dict[str, int]:
        """Machines by shape."""
        counts = np.bincount(self.shape_of, minlength=len(self.shapes)).tolist()
        return dict(zip(shape_names(self.shapes), counts, strict=True))

    @property
    def lower_bound(self) -> int:
        """Machines that no packing can do without."""
        return self.bound.value

    @property
    def gap(self) -> float:
        """Machines above the lower bound, as a share of it; the optimum lies in between.

        For a mix it holds what the stated shares cost too: the bound chooses shapes freely.
        """
        return self.count / self.lower_bound - 1 if self.lower_bound else 0.0

    @cached_property
    def used(self) -> Int64:
        """[B, R] requested of each machine."""
        placed = self.bin_of >= 0
        total = np.zeros((self.count, len(self.topology.resources)), np.int64)
        rows = self.topology.unit_template[self.units[placed]]
        np.add.at(total, self.bin_of[placed], sizes(self.topology).need_of_template[rows])
        return total

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a machine: machine, shape, units, and the share used of each resource."""
        names = np.array(shape_names(self.shapes), object)
        units = self.used[:, self.topology.column(PODS)]
        columns = {"machine": np.arange(self.count) + 1, "shape": names[self.shape_of]}
        return pd.DataFrame({**columns, "units": units, **self._shares()})

    def _shares(self) -> dict[str, Float64]:
        capacity = self.capacity[self.shape_of]
        asked = np.logical_or.reduce(self.used > 0, axis=0)
        return {
            f"{shown_unit(name)[0]}_used_share": self.used[:, r] / np.maximum(capacity[:, r], 1)
            for r, name in enumerate(self.topology.resources)
            if asked[r]
        }

    @cached_property
    def unplaceable(self) -> pd.DataFrame:
        """Units that fit no machine, even an empty one: template, units, reason."""
        counts = np.bincount(
            self.topology.unit_template[self.units], minlength=len(self.topology.template_keys)
        )
        rows = [
            (self.topology.template_keys[t], int(counts[t]), _refusal(self, t))
            for t in self.refused.tolist()
        ]
        return pd.DataFrame(rows, columns=["template", "units", "reason"])

    def summary(self) -> dict[str, float]:
        """A few numbers, units in the names."""
        offered = self.capacity[self.shape_of].sum(axis=0)
        used = self.used.sum(axis=0)
        shares = {
            f"{shown_unit(name)[0]}_used_percent": float(100 * used[r] / offered[r])
            for r, name in enumerate(self.topology.resources)
            if used[r]
        }
        return {
            "machines": self.count,
            "lower_bound_machines": self.lower_bound,
            "gap_percent": 100 * self.gap,
            "units": len(self.units),
            "unplaceable_units": int((self.bin_of < 0).sum()),
            **shares,
        }

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{k}</td><td>{v:.4g}</td></tr>" for k, v in self.summary().items())
        return f"<table><caption>{self.algorithm}</caption>{rows}</table>"


def pack(
    cluster: Cluster,
    machine: Node | Sequence[MachineShare],
    *,
    algorithm: str = "first-fit-decreasing",
    units: NDArray[np.integer[Any]] | None = None,
    headroom: float = 0.0,
    overcommit_cpu: float = 1.0,
    overcommit_memory: float = 1.0,
) -> Packing:
    """How few machines hold the units, wherever these run now.

    Parameters: cluster, a scenario, a compiled one (compile once when asking often) or a plan;
    machine, a node that stands for its shape, or a mix: a new machine is of the shape that is
    furthest behind its share, among those that hold the unit; algorithm, a key of ALGORITHMS;
    units, rows to pack, where a row may be repeated (default: all); headroom and overcommit as in
    `place`.
    Returns: Packing, with the lower bound and the gap to it.
    Raises: ModelError for an unknown algorithm, an empty mix or a share that is not positive.
    Model: docs/models.md, "Bin packing" and "Lower bounds".

    >>> cs.pack(cluster, cluster.nodes[0]).summary()
    """
    topology = topology_of(cluster)
    method = _algorithm(algorithm)
    mix = _mix(machine)
    shapes = tuple(each.node for each in mix)
    offer = machines(
        replace(topology, allocatable=_offers(shapes, topology.resources)),
        headroom=headroom,
        overcommit_cpu=overcommit_cpu,
        overcommit_memory=overcommit_memory,
    )
    rows = np.arange(len(topology.unit_template)) if units is None else np.asarray(units)
    task = _Task(topology, rows.astype(np.int64), offer.offered, mix)
    bin_of, shape_of = task.run(method)
    return Packing(
        topology=topology,
        shapes=shapes,
        algorithm=algorithm,
        units=task.units,
        bin_of=bin_of,
        shape_of=shape_of,
        capacity=offer.offered,
        bound=task.bound(),
        refused=task.refused_templates(),
        assumptions=(
            *topology.scenario.assumptions,
            *offer.assumptions,
            *_assumptions(topology, task, algorithm),
        ),
    )


def compare_packers(
    cluster: Cluster,
    machine: Node | Sequence[MachineShare],
    *,
    algorithms: Sequence[str] = tuple(ALGORITHMS),
    headroom: float = 0.0,
    overcommit_cpu: float = 1.0,
    overcommit_memory: float = 1.0,
) -> pd.DataFrame:
    """Machines that every packer needs, against the lower bound.

    Returns: algorithm, rule, machines, lower_bound, gap_percent, units, unplaceable_units (units
    that fit on no such machine).
    """
    topology = topology_of(cluster)
    packed = [
        pack(
            topology,
            machine,
            algorithm=name,
            headroom=headroom,
            overcommit_cpu=overcommit_cpu,
            overcommit_memory=overcommit_memory,
        )
        for name in algorithms
    ]
    return pd.DataFrame(
        {
            "algorithm": [p.algorithm for p in packed],
            "rule": [ALGORITHMS[p.algorithm].words for p in packed],
            "machines": [p.count for p in packed],
            "lower_bound": [p.lower_bound for p in packed],
            "gap_percent": [100 * p.gap for p in packed],
            "units": [len(p.units) for p in packed],
            "unplaceable_units": [int((p.bin_of < 0).sum()) for p in packed],
        }
    )


class _Task:
    """Units as classes, machines as arrays: what the kernels take."""

    def __init__(
        self, topology: Topology, units: Int64, capacity: Int64, mix: Sequence[MachineShare]
    ) -> None:
        self.topology, self.units, self.capacity = topology, units, capacity
        self.sizes = sizes(topology)
        shares = np.array([each.share for each in mix], float)
        self.share = shares / shares.sum()
        self.machine_boards = np.array([each.node.gpu_devices for each in mix], np.int64)
        self.unit_class = self.sizes.class_of[topology.unit_template[units]]
        self.count = np.bincount(self.unit_class, minlength=len(self.sizes.need))
        self.holds = self._holds()
        self.placeable: NDArray[np.bool_] = np.logical_or.reduce(self.holds, axis=1)
        self.asked: NDArray[np.bool_] = (self.count @ (self.sizes.need > 0)) > 0

    def _holds(self) -> NDArray[np.bool_]:
        """[C, S] whether an empty machine takes a unit."""
        fits = (self.sizes.need[:, None, :] <= self.capacity).all(axis=2)
        result: NDArray[np.bool_] = fits & (self.sizes.boards[:, :1] <= self.machine_boards)
        return result

    @cached_property
    def need(self) -> Int64:
        """[C, R + 1] resources, and thousandths wanted of one board: boards are bins too."""
        return np.hstack([self.sizes.need, self.sizes.boards[:, 1:]])

    @cached_property
    def largest(self) -> Float64:
        """[R + 1] the largest capacity of any shape (1 where there is none) and of a board."""
        return np.append(np.maximum(self.capacity.max(axis=0), 1), BOARD).astype(float)

    @cached_property
    def average(self) -> Float64:
        """[R + 1] mean demand as a share of a machine: what each resource weighs.

        The board column weighs what the GPUs weigh in sum.
        Source: Panigrahy et al. 2011, FFDAvgSum.
        """
        count = np.where(self.placeable, self.count, 0)
        shares = self.need / self.largest
        average: Float64 = (shares * count[:, None]).sum(axis=0) / max(1, count.sum())
        names = self.topology.resources
        average[-1] = average[names.index(GPU_MILLI)] if GPU_MILLI in names else 0
        return average

    def run(self, method: Algorithm) -> tuple[Int32, Int32]:
        """Machine of each unit, shape of each machine."""
        rank = self._rank() if method.decreasing else None
        order = self._order(rank)
        out = np.empty(len(order), np.int32)
        classes = self.unit_class[order]
        if method.rule is None:
            shape_of = self._by_dot_product(rank if rank is not None else classes, out)
        else:
            shape_of = self._in_order(classes, method.rule, out)
        bin_of = np.full(len(self.units), -1, np.int32)
        bin_of[order] = out
        return bin_of, shape_of

    def _rank(self) -> Int64:
        """Classes from large to small, by sum_r average_r need_r / largest_r."""
        size = (self.average * self.need / self.largest).sum(axis=1)
        return np.argsort(-size, kind="stable").astype(np.int64)

    def _order(self, rank: Int64 | None) -> NDArray[np.intp]:
        """Placeable units in the order of packing, as positions in `units`."""
        placeable = np.flatnonzero(self.placeable[self.unit_class])
        if rank is None:
            return placeable
        place = np.empty(len(rank), np.uint16 if len(rank) < 2**16 else np.int64)
        place[rank] = np.arange(len(rank))
        return placeable[np.argsort(place[self.unit_class[placeable]], kind="stable")]

    def _in_order(self, classes: Int64, rule: int, out: Int32) -> Int32:
        start = np.flatnonzero(np.diff(classes, prepend=-1))
        length = np.diff(start, append=len(classes)).astype(np.int64)
        weight = self.average / self.largest
        shape_of: Int32 = _kernels.pack_in_order(
            classes[start], length, *self._arrays(), self.share, weight[self.columns], rule, out
        )
        return shape_of

    def _by_dot_product(self, rank: Int64, out: Int32) -> Int32:
        count = np.where(self.placeable, self.count, 0)[rank]
        weight = self.average / self.largest**2
        shape_of: Int32 = _kernels.pack_by_dot_product(
            count, *self._arrays(rank), self.share, weight[self.columns], out
        )
        return shape_of

    def _arrays(
        self, rows: Int64 | slice = slice(None)
    ) -> tuple[Int64, Int64, Int64, Int64, NDArray[np.bool_]]:
        """Need, devices, capacity, boards_of and holds of the kernels, classes in some order."""
        return (
            np.ascontiguousarray(self.need[rows][:, self.columns]),
            np.ascontiguousarray(self.sizes.boards[rows, 0]),
            np.ascontiguousarray(self.capacity[:, self.columns[:-1]]),
            self.machine_boards,
            np.ascontiguousarray(self.holds[rows]),
        )

    @property
    def columns(self) -> NDArray[np.bool_]:
        """[R + 1] columns that some unit asks for, and the board column."""
        return np.append(self.asked, True)

    def bound(self) -> Bound:
        """The lower bound of the units that fit a machine."""
        rows = self.placeable & (self.count > 0)
        columns = np.flatnonzero(self.asked)
        return lower_bound(
            self.sizes.need[rows][:, columns],
            self.sizes.boards[rows],
            self.count[rows],
            self.capacity.max(axis=0)[columns],
            int(self.machine_boards.max()),
            [plain_name(self.topology.resources[r]) for r in columns],
        )

    def refused_templates(self) -> Int64:
        """Rows of the templates that no shape holds and that some unit has."""
        rows = self.topology.unit_template[self.units]
        return np.unique(rows[~self.placeable[self.unit_class]]).astype(np.int64)


def _algorithm(name: str) -> Algorithm:
    if name not in ALGORITHMS:
        raise ModelError(
            f"unknown packing algorithm {name!r}{nearest(name, ALGORITHMS)}; "
            f"known are {', '.join(ALGORITHMS)}."
        )
    return ALGORITHMS[name]


def _mix(machine: Node | Sequence[MachineShare]) -> tuple[MachineShare, ...]:
    mix = (MachineShare(machine),) if isinstance(machine, Node) else tuple(machine)
    if not mix:
        raise ModelError("the machine mix is empty, expected at least one machine.")
    for each in mix:
        if not (math.isfinite(each.share) and each.share >= 0):
            raise ModelError(f"the share of {each.node.shape} is {each.share}, expected 0 or more.")
    wanted = tuple(each for each in mix if each.share > 0)
    if not wanted:
        raise ModelError("all shares of the machine mix are 0, expected one above 0.")
    return wanted


def _offers(shapes: Sequence[Node], resources: Sequence[str]) -> Int64:
    rows = [{**node.allocatable, GPU_MILLI: BOARD * node.gpu_devices} for node in shapes]
    return np.array([[row.get(name, 0) for name in resources] for row in rows], np.int64)


def shape_names(shapes: Sequence[Node]) -> list[str]:
    """A name for each shape: its type or size, with the node's name where two are equal."""
    names = [node.shape for node in shapes]
    return [
        name if names.count(name) == 1 else f"{name} ({node.name})"
        for name, node in zip(names, shapes, strict=True)
    ]


def _refusal(packing: Packing, template: int) -> str:
    """Why no shape holds a template, in one clause for the shape that comes closest."""
    topology = packing.topology
    need = sizes(topology).need_of_template[template]
    short = need > packing.capacity
    best = int(short.sum(axis=1).argmin())
    name = shape_names(packing.shapes)[best]
    devices, boards = int(topology.gpu_share[template, 0]), packing.shapes[best].gpu_devices
    if devices > boards:
        return f"needs {devices} GPU boards, {name} has {boards}"
    r = int(short[best].argmax())
    resource = topology.resources[r]
    asked = told_amount(resource, int(need[r]))
    offered = told_amount(resource, int(packing.capacity[best, r])).partition(" of ")[0]
    return f"needs {asked}, {name} offers {offered}"


def _assumptions(topology: Topology, task: _Task, algorithm: str) -> list[Assumption]:
    assumed = int(task.sizes.assumed[topology.unit_template[task.units]].sum())
    cpu, memory = (print_resource(name, SCORING_DEFAULTS[name]) for name in ("cpu", MEMORY))
    stated = [
        Assumption(
            name="packing",
            value=f"{algorithm}: {ALGORITHMS[algorithm].words}",
            source="Coffman, Garey and Johnson 1997; Panigrahy et al. 2011",
        ),
        Assumption(
            name="what is packed",
            value="sizes only: no labels, taints, affinities, spread or host ports",
            source="definition of capsim.pack",
        ),
    ]
    if assumed:
        stated.append(
            Assumption(
                name="units without requests",
                value=f"{assumed} units count {cpu} CPU or {memory} memory where they request none",
                source="kube-scheduler, DefaultMilliCPURequest and DefaultMemoryRequest",
            )
        )
    return stated
