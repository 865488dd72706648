"""headroom: how many more units of a shape the free capacity of a placement takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.errors import ModelError, nearest
from capsim.placement import _kernels
from capsim.placement.kubernetes import node_ports, node_resources_fit, static
from capsim.placement.whatif.selection import is_tied
from capsim.scenario import CPU, GPU_MILLI, MEMORY, Assumption, SchedulerProfile, Template
from capsim.scenario.requests import filter_requests
from capsim.topology import Int64, Topology

if TYPE_CHECKING:
    from capsim.placement.result import Placement

#: What stands in the way where it is no resource: labels, taints, cordons, names, host ports.
RULES = "node rules"
NOTHING = "nothing"
DEFAULT_SHAPES = 8
#: Where a curve is computed unless told otherwise: multiples of a size, shares kept free.
_POINTS: dict[str, list[float]] = {
    "size": np.round(np.geomspace(0.25, 8, 41), 4).tolist(),
    "reserve": np.round(np.linspace(0, 0.5, 26), 4).tolist(),
}
_MOST_TOGETHER = 10**7
_BOARD = 1000


@dataclass(frozen=True, eq=False)
class Shapes:
    """S shapes of units as arrays over the N nodes and R resources of a topology."""

    names: tuple[str, ...]
    templates: tuple[Template, ...]
    request: Int64
    """[S, R]"""
    devices: Int64
    """[S] boards needed."""
    milli: Int64
    """[S] thousandths of each."""
    limit: Int64
    """[S, N] units that a node takes at most: 0 where a static rule refuses it."""
    absent: tuple[str | None, ...]
    """A requested resource that no node has, for each shape."""


def shapes_of(
    plan: Placement,
    shapes: Mapping[str, Template] | None,
    most: int | None,
    *,
    free_to_move: bool = False,
) -> Shapes:
    """Shapes as arrays: the given ones, or the most frequent templates that have units.

    free_to_move: leave out templates all of whose units belong to one node each (DaemonSets).

    Static rules and host ports of units that run are taken into account.
    """
    topology, profile = plan.topology, plan.engine.profile
    if shapes is None:
        compiled = _frequent(topology, profile, most, free_to_move)
    else:
        compiled = _compile(topology, profile, tuple(shapes), tuple(shapes.values()))
    return _with_ports(plan, compiled)


class SameMachinesAndTemplates:
    """A topology as the key of a cache: equal while machines, templates and profile are the same.

    A slider that only adds units makes a new topology; what is known of the rest stays.
    """

    def __init__(self, topology: Topology, profile: SchedulerProfile | None = None) -> None:
        self.topology = topology
        self.profile = profile or topology.scenario.profile
        # The key keeps both objects alive, so that their identities stay theirs.
        self._identity = (
            id(topology.scenario.nodes),
            id(topology.request),
            self.profile.model_dump_json(),
        )

    def __eq__(self, other: object) -> bool:
        """Whether both are about the same objects and rules."""
        return isinstance(other, SameMachinesAndTemplates) and self._identity == other._identity

    def __hash__(self) -> int:
        """From the identity of the objects."""
        return hash(self._identity)


def _frequent(
    topology: Topology, profile: SchedulerProfile, most: int | None, free_to_move: bool
) -> Shapes:
    counts = units_of(topology)
    if free_to_move:
        counts = np.where(_only_tied(topology), 0, counts)
    rows = [row for row in np.argsort(-counts, kind="stable").tolist() if counts[row]][:most]
    return _of_rows(SameMachinesAndTemplates(topology, profile), tuple(rows))


@lru_cache(maxsize=16)
def _of_rows(same: SameMachinesAndTemplates, rows: tuple[int, ...]) -> Shapes:
    topology = same.topology
    templates = topology.templates
    names = tuple(topology.template_keys[row] for row in rows)
    return _compile(topology, same.profile, names, tuple(templates[row] for row in rows))


def _only_tied(topology: Topology) -> NDArray[np.bool_]:
    """[T] whether every unit of a template belongs to one node: of DaemonSets, static pods."""
    tied = np.array([is_tied(unit) for unit in topology.scenario.units], np.bool_)
    only = np.ones(len(topology.template_keys), np.bool_)
    only[topology.unit_template[~tied]] = False
    return only


def units_of(topology: Topology) -> Int64:
    """[T] units of each template."""
    counts = np.bincount(topology.unit_template, minlength=len(topology.template_keys))
    return counts.astype(np.int64)


def _compile(
    topology: Topology,
    profile: SchedulerProfile,
    names: tuple[str, ...],
    templates: Sequence[Template],
) -> Shapes:
    asked = [filter_requests(template) for template in templates]
    columns = topology.resources
    request = np.array([[row.get(name, 0) for name in columns] for row in asked], np.int64)
    request = request.reshape(len(asked), len(columns))
    shares = [t.gpu_share for t in templates]
    devices = np.array([share.devices if share else 0 for share in shares], np.int64)
    milli = np.array([share.milli if share else 0 for share in shares], np.int64)
    absent = tuple(
        next((name for name, amount in row.items() if amount and name not in columns), None)
        for row in asked
    )
    allowed = static.allowed(topology, templates, profile)
    allowed &= np.array([name is None for name in absent], bool)[:, None]
    return Shapes(
        names=names,
        templates=tuple(templates),
        request=node_resources_fit.checked(request, columns, profile),
        devices=devices,
        milli=milli,
        limit=np.where(allowed, _kernels.UNLIMITED, 0).astype(np.int64),
        absent=absent,
    )


def _with_ports(plan: Placement, shapes: Shapes) -> Shapes:
    """One unit a node where it holds a host port, none where that port is taken."""
    wanted = [node_ports.host_ports(template) for template in shapes.templates]
    if not any(wanted):
        return shapes
    limit = shapes.limit.copy()
    held = [node_ports.host_ports(template) for template in plan.topology.templates]
    placed = plan.node_of >= 0
    for row, mine in enumerate(wanted):
        if mine:
            limit[row] = np.minimum(limit[row], 1)
            clash = np.array(
                [any(node_ports.conflicts(a, b) for a in mine for b in other) for other in held]
            )
            limit[row, plan.node_of[placed & clash[plan.topology.unit_template]]] = 0
    return replace(shapes, limit=limit)


def gpu_column(topology: Topology) -> int:
    """The column of GPU boards that are shared in thousandths, -1 where there are none."""
    return topology.resources.index(GPU_MILLI) if GPU_MILLI in topology.resources else -1


def boards_left(plan: Placement) -> Int64:
    """[N, D] thousandths left on each board, with at least one column for the kernels."""
    boards = plan.gpu_free
    return boards if boards.shape[1] else np.full((len(boards), 1), -1, np.int64)


def plain_name(resource: str) -> str:
    """The name of a resource in tables: shared boards are "gpu"."""
    return "gpu" if resource == GPU_MILLI else resource


@dataclass(frozen=True, eq=False)
class Headroom:
    """How many more units of each shape fit, every shape counted alone."""

    topology: Topology
    shapes: Shapes
    fits: Int64
    """[S, N] more units on each node."""
    blocked_by: NDArray[np.int8]
    """[S, N] column that stops the next unit, R for a static rule, -1 for nothing."""
    assumptions: tuple[Assumption, ...] = field(default=())

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a shape: shape, cpu_cores, memory_gib, gpu, fits, nodes, limiting_resource.

        The limiting resource is the one that stops the next unit on most nodes.
        """
        request, column = self.shapes.request, self.topology.column
        return pd.DataFrame(
            {
                "shape": self.shapes.names,
                "cpu_cores": request[:, column(CPU)] / 1000,
                "memory_gib": request[:, column(MEMORY)] / 2**30,
                "gpu": self.shapes.devices * self.shapes.milli / _BOARD,
                "fits": self.fits.sum(axis=1),
                "nodes": (self.fits > 0).sum(axis=1),
                "limiting_resource": [self._limits(row)[0][0] for row in range(len(self.fits))],
            }
        )

    def _limits(self, row: int) -> list[tuple[str, int]]:
        """What stops the next unit of a shape, and on how many nodes; most nodes first."""
        absent = self.shapes.absent[row]
        if absent is not None:
            return [(plain_name(absent), self.fits.shape[1])]
        counts = np.bincount(
            self.blocked_by[row].astype(np.int64) + 1, minlength=len(self.topology.resources) + 2
        )
        names = [NOTHING, *map(plain_name, self.topology.resources), RULES]
        order = np.argsort(-counts, kind="stable").tolist()
        return [(names[i], int(counts[i])) for i in order if counts[i]] or [(NOTHING, 0)]

    def explain(self, shape: str) -> str:
        """What stops the next unit of a shape on how many nodes, in one sentence.

        Raises: ModelError if the shape was not asked for.
        """
        names = self.shapes.names
        if shape not in names:
            raise ModelError(f"no shape {shape!r} in this headroom{nearest(shape, names)}.")
        row = names.index(shape)
        stops = ", ".join(f"{name} on {nodes:,} nodes" for name, nodes in self._limits(row))
        return f"{int(self.fits[row].sum()):,} more {shape} fit; then {stops} stops the next."

    def summary(self) -> dict[str, float]:
        """How many of each shape fit, in units."""
        totals = self.fits.sum(axis=1).tolist()
        return {f"{name}_units": n for name, n in zip(self.shapes.names, totals, strict=True)}

    def _repr_html_(self) -> str:
        html: str = self.table.to_html(index=False)
        return html


def headroom(plan: Placement, shapes: Mapping[str, Template] | None = None) -> Headroom:
    """How many more units of each shape fit into what a placement left free.

    Each shape is counted as if it alone were added: resources, pod slots, single GPU boards
    (tightest first, as when placing), host ports, and the static rules (taints, selectors,
    cordons) all hold. For several at once see `headroom_together`.

    Parameters: plan; shapes by name, by default the most frequent templates of the scenario
    (without those of DaemonSets and static pods, which come one to a node).
    Returns: Headroom, with .table: shape, cpu_cores, memory_gib, gpu, fits, nodes,
    limiting_resource.
    Model: docs/models.md, "Headroom".

    >>> cs.headroom(plan).table
    """
    chosen = shapes_of(plan, shapes, DEFAULT_SHAPES, free_to_move=True)
    fits, blocked = _count(plan, plan.free, chosen)
    return Headroom(plan.topology, chosen, fits, blocked, _assumptions(plan, chosen))


def _count(plan: Placement, free: Int64, shapes: Shapes) -> tuple[Int64, NDArray[np.int8]]:
    fits = np.zeros(shapes.limit.shape, np.int64)
    blocked = np.full(shapes.limit.shape, -1, np.int8)
    _kernels.fit_counts(
        free,
        boards_left(plan),
        shapes.limit,
        shapes.request,
        shapes.devices,
        shapes.milli,
        gpu_column(plan.topology),
        fits,
        blocked,
    )
    return fits, blocked


def headroom_curve(
    plan: Placement,
    shape: str | Template,
    *,
    over: Literal["size", "reserve"] = "size",
    at: Sequence[float] | None = None,
) -> pd.DataFrame:
    """How many of one shape fit as it grows, or as more of every node is kept free.

    Parameters: plan; shape, a template or the key of one; over, "size" multiplies the cpu and
    memory of a unit (GPUs and other pieces stay), "reserve" keeps a share of every node's cpu and
    memory free; at, the multiples or shares.
    Returns: size_multiple or reserve_share, units, cores, memory_gib (what those units request).
    Raises: ModelError for an unknown template, or a value out of range.
    """
    name, template = _named(plan.topology, shape)
    one = shapes_of(plan, {name: template}, None)
    values = np.array(_POINTS[over] if at is None else at, float)
    rows = _grown(plan.topology, one, values) if over == "size" else one
    if over == "size":
        units = _count(plan, plan.free, rows)[0].sum(axis=1)
    else:
        units = np.array([_count(plan, f, one)[0].sum() for f in _reserved(plan, values)], np.int64)
    request = np.broadcast_to(rows.request, (len(values), one.request.shape[1]))
    column = plan.topology.column
    return pd.DataFrame(
        {
            "size_multiple" if over == "size" else "reserve_share": values,
            "units": units,
            "cores": units * (request[:, column(CPU)] / 1000),
            "memory_gib": units * (request[:, column(MEMORY)] / 2**30),
        }
    )


def _grown(topology: Topology, one: Shapes, multiples: NDArray[np.float64]) -> Shapes:
    """One shape in several sizes; cpu and memory rounded up, as requests are."""
    if not (np.isfinite(multiples) & (multiples > 0) & (multiples <= 1000)).all():
        raise ModelError("a size multiple is out of range, expected more than 0, up to 1000.")
    request = np.repeat(one.request, len(multiples), axis=0)
    for resource in (CPU, MEMORY):
        column = topology.column(resource)
        request[:, column] = np.ceil(one.request[0, column] * multiples).astype(np.int64)
    times = len(multiples)
    return replace(
        one,
        request=request,
        devices=np.repeat(one.devices, times),
        milli=np.repeat(one.milli, times),
        limit=np.repeat(one.limit, times, axis=0),
    )


def _reserved(plan: Placement, reserves: NDArray[np.float64]) -> Sequence[Int64]:
    """What is free when a share of every node's cpu and memory is kept back."""
    if not ((reserves >= 0) & (reserves < 1)).all():
        raise ModelError("a reserve is out of range, expected a share from 0 to below 1.")
    columns = [plan.topology.column(resource) for resource in (CPU, MEMORY)]
    kept = []
    for reserve in reserves.tolist():
        free = plan.free.copy()
        back = np.ceil(plan.offered[:, columns] * reserve).astype(np.int64)
        free[:, columns] = np.maximum(free[:, columns] - back, 0)
        kept.append(free)
    return kept


@dataclass(frozen=True, eq=False)
class Together:
    """How many units of several shapes fit side by side, in a stated proportion."""

    table: pd.DataFrame
    """shape, share, units."""
    stopped_by: str
    """The shape that no longer found a node; "" where the search ended first."""
    assumptions: tuple[Assumption, ...] = field(default=())

    def summary(self) -> dict[str, float]:
        """Units in all and of each shape."""
        each = zip(self.table["shape"], self.table["units"].tolist(), strict=True)
        return {
            "units": int(self.table["units"].sum()),
            **{f"{name}_units": units for name, units in each},
        }

    def _repr_html_(self) -> str:
        html: str = self.table.to_html(index=False)
        return html


def headroom_together(
    plan: Placement, mix: Mapping[str, float], shapes: Mapping[str, Template] | None = None
) -> Together:
    """How many units of a mix fit at once.

    Units are added one by one, each time of the shape that is furthest behind its share, until
    that shape finds no node. Each goes to the first node that takes it, fullest nodes first.

    Parameters: plan; mix, shares by name of a shape (relative to their sum); shapes by name, by
    default the templates of the scenario.
    Returns: Together.
    Raises: ModelError for an unknown shape, an empty mix or a share that is not above 0.

    >>> cs.headroom_together(plan, {"shop/web": 3, "shop/api": 1}).summary()
    """
    known = plan.topology.scenario.templates if shapes is None else shapes
    _check_mix(mix, known)
    chosen = shapes_of(plan, {name: known[name] for name in mix}, None)
    share = np.array(list(mix.values()), float) / sum(mix.values())
    units = np.zeros(len(mix), np.int64)
    last = _kernels.fill_together(
        _fullest_first(plan),
        plan.free.copy(),
        boards_left(plan).copy(),
        chosen.limit.copy(),
        chosen.request,
        chosen.devices,
        chosen.milli,
        share,
        _MOST_TOGETHER,
        units,
    )
    table = pd.DataFrame({"shape": chosen.names, "share": share, "units": units})
    stopped_by = chosen.names[last] if last >= 0 else ""
    return Together(table, stopped_by, (*_assumptions(plan, chosen), _FULLEST_FIRST))


def _check_mix(mix: Mapping[str, float], known: Mapping[str, Template]) -> None:
    if not mix:
        raise ModelError("the mix of shapes is empty, expected at least one shape.")
    for name, share in mix.items():
        if name not in known:
            raise ModelError(f"no shape {name!r}{nearest(name, known)}.")
        if not 0 < share < float("inf"):
            raise ModelError(f"the share of {name} is {share}, expected more than 0.")


def _fullest_first(plan: Placement) -> Int64:
    """Nodes by the sum of their free shares, fullest first, in the order of the input on ties."""
    columns = [plan.topology.column(name) for name in (CPU, MEMORY)]
    columns += [gpu_column(plan.topology)] if GPU_MILLI in plan.topology.resources else []
    largest = np.maximum(plan.offered[:, columns].max(axis=0, initial=1), 1)
    left = (plan.free[:, columns] / largest).sum(axis=1)
    return np.argsort(left, kind="stable").astype(np.int64)


def _named(topology: Topology, shape: str | Template) -> tuple[str, Template]:
    if isinstance(shape, Template):
        return "shape", shape
    templates = topology.scenario.templates
    if shape not in templates:
        raise ModelError(f"no template {shape!r}{nearest(shape, templates)}.")
    return shape, templates[shape]


_FULLEST_FIRST = Assumption(
    name="where units of a mix go",
    value="to the first node that takes them, fullest nodes first",
    source="definition of capsim.headroom_together",
)
_ALONE = Assumption(
    name="headroom",
    value="what nodes, GPU boards, host ports and static rules admit; units that run stay; no "
    "spread or affinity between units",
    source="definition of capsim.headroom",
)


def _assumptions(plan: Placement, shapes: Shapes) -> tuple[Assumption, ...]:
    columns = [plan.topology.column(resource) for resource in (CPU, MEMORY)]
    without = int((shapes.request[:, columns] == 0).any(axis=1).sum())
    stated = (
        Assumption(
            name="shapes without requests",
            value=f"{without} shapes request no CPU or no memory; only what they request limits",
            source="Kubernetes 1.34, noderesources plugin",
        ),
    )
    return (*plan.machines.assumptions, _ALONE, *(stated if without else ()))
