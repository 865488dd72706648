"""Who gets how much CPU: weighted max-min shares of groups that may be nested."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from capsim.contention import _share_kernels as kernels
from capsim.errors import ModelError, clip
from capsim.scenario import Assumption

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

SHARING = Assumption(
    name="CPU sharing",
    value="weighted max-min, threads spread at will",
    source="kernel documentation: sched-design-CFS, cgroup-v2; checked in docs/models/cpu.md",
)


@dataclass(frozen=True, eq=False)
class Tree:
    """Groups as arrays over N groups, every parent before its children."""

    parent: Int64
    """[N] row of the parent, -1 for a machine."""
    weight: Float64
    """[N] among siblings; any scale."""
    ceiling: Float64
    """[N] cores: the smaller of quota / period, threads and, for a machine, its CPUs."""
    demand: Float64
    """[N] cores that the group's own threads want; 0 where only children want."""

    @cached_property
    def children(self) -> tuple[Int64, Int64]:
        """Children of each group in CSR form."""
        return kernels.children_of(self.parent)

    @cached_property
    def need(self) -> Float64:
        """[N] cores that each group could use."""
        return kernels.needs(self.parent, self.demand, self.ceiling)

    @cached_property
    def share(self) -> Float64:
        """[N] cores that each group gets."""
        return kernels.share(*self.children, self.weight, self.need, self.parent)

    def reach(self, leaves: Int64) -> Float64:
        """[L] cores that each of the leaves would get if it alone wanted all it can."""
        first, members = self.children
        return kernels.reach(
            first, members, self.parent, self.weight, self.need, self.ceiling, leaves
        )


@dataclass(frozen=True)
class CpuGroup:
    """A cgroup: what it may use and what it wants."""

    name: str
    weight: float = 100.0
    """cpu.weight, or cpu.shares; only ratios between siblings count."""
    demand_cores: float = math.inf
    """inf: it takes what it can."""
    quota_cores: float = math.inf
    """quota / period; inf: no limit."""
    threads: int | None = None
    """At most so many cores at a time; None: as many as it likes."""
    parent: str | None = None
    """Name of the group in which it is nested; None: directly on the machine."""


@dataclass(frozen=True, eq=False)
class Shares:
    """What each group of one machine gets."""

    groups: tuple[CpuGroup, ...]
    capacity_cores: float
    tree: Tree
    """Row 0 is the machine, row i + 1 the i-th group; need and share are those of each."""
    assumptions: tuple[Assumption, ...] = field(default=(SHARING,))

    @property
    def cores(self) -> Float64:
        """[G] cores, in the order of the groups."""
        return self.tree.share[1:]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a group: group, parent, weight, demand, quota, share in cores, limited_by."""
        return pd.DataFrame(
            {
                "group": [group.name for group in self.groups],
                "parent": [group.parent or "" for group in self.groups],
                "weight": [group.weight for group in self.groups],
                "demand_cores": self.tree.demand[1:],
                "quota_cores": [group.quota_cores for group in self.groups],
                "share_cores": self.cores,
                "limited_by": [self._limit(at) for at in range(len(self.groups))],
            }
        )

    def _limit(self, at: int) -> str:
        group, got = self.groups[at], self.cores[at]
        near = 1e-9 * max(1.0, got)
        if got < self.tree.need[at + 1] - near:
            return "neighbours"
        if got >= group.quota_cores - near:
            return "quota"
        return "threads" if group.threads is not None and got >= group.threads - near else "demand"

    def summary(self) -> dict[str, float]:
        """Capacity, cores used, groups, and groups that get less than they could use."""
        short = self.cores < self.tree.need[1:] * (1 - 1e-9)
        return {
            "capacity_cores": self.capacity_cores,
            "used_cores": float(self.tree.share[0]),
            "groups": len(self.groups),
            "short_groups": int(short.sum()),
        }

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False)


def cpu_shares(groups: Sequence[CpuGroup], capacity: float) -> Shares:
    """What each of the groups gets of a machine's CPUs.

    Siblings share by weight; what one does not want, or may not take by quota or threads, goes to
    the others (weighted max-min), level by level as cgroups are nested.

    Parameters: groups, in any order; capacity in cores.
    Returns: Shares.
    Raises: ModelError for no capacity, a weight or quota that is not positive, a negative demand,
    a name that occurs twice, or a parent that is not there or nested in its own child.
    Model: docs/models/cpu.md, "Shares".

    >>> cpu_shares([CpuGroup("a", 100), CpuGroup("b", 300)], 4).cores
    array([1., 3.])
    """
    if not 0 < capacity < math.inf:
        raise ModelError(f"The capacity is {clip(capacity)} cores, expected a number above 0.")
    for group in groups:
        _check(group)
    row = {group.name: at for at, group in enumerate(groups)}
    if len(row) != len(groups):
        raise ModelError("Two groups have the same name, expected names that tell them apart.")
    order = _parents_first(groups, row)
    at_row = np.empty(len(groups) + 1, np.int64)
    at_row[0] = 0
    at_row[np.array(order, np.int64) + 1] = np.arange(1, len(groups) + 1)
    above = [row[groups[i].parent or ""] + 1 if groups[i].parent else 0 for i in order]
    inner = {group.parent for group in groups}
    ordered = [groups[i] for i in order]
    sorted_tree = Tree(
        parent=np.concatenate(([-1], at_row[above])).astype(np.int64),
        weight=np.array([1.0, *(g.weight for g in ordered)]),
        ceiling=np.array([capacity, *(_ceiling(g, capacity) for g in ordered)]),
        demand=np.array(
            [0.0, *(0.0 if g.name in inner else min(g.demand_cores, capacity) for g in ordered)]
        ),
    )
    return Shares(tuple(groups), capacity, _in_rows(sorted_tree, at_row))


def _in_rows(tree: Tree, at_row: Int64) -> Tree:
    """The tree with what was computed of it, in the order in which the groups were given."""
    given = Tree(
        tree.parent[at_row], tree.weight[at_row], tree.ceiling[at_row], tree.demand[at_row]
    )
    given.__dict__.update(need=tree.need[at_row], share=tree.share[at_row])
    return given


def _ceiling(group: CpuGroup, capacity: float) -> float:
    return min(group.quota_cores, math.inf if group.threads is None else group.threads, capacity)


def _parents_first(groups: Sequence[CpuGroup], row: dict[str, int]) -> list[int]:
    """Rows of the groups by depth, so that every parent comes before its children."""
    depth: dict[str, int] = {}
    for group in groups:
        chain = []
        at: CpuGroup | None = group
        while at is not None and at.name not in depth:
            if at.name in chain:
                raise ModelError(f"Group {at.name!r} is nested in itself.")
            chain.append(at.name)
            if at.parent is not None and at.parent not in row:
                raise ModelError(f"Group {at.name!r} is in {at.parent!r}, which is not there.")
            at = None if at.parent is None else groups[row[at.parent]]
        below = -1 if at is None else depth[at.name]
        for name in reversed(chain):
            below += 1
            depth[name] = below
    return sorted(range(len(groups)), key=lambda i: depth[groups[i].name])


def _check(group: CpuGroup) -> None:
    for what, value in (("weight", group.weight), ("quota_cores", group.quota_cores)):
        if not value > 0 or (what == "weight" and math.isinf(value)):
            raise ModelError(
                f"Group {group.name!r}: {what} is {clip(value)}, expected a number above 0."
            )
    if not group.demand_cores >= 0:
        found = clip(group.demand_cores)
        raise ModelError(f"Group {group.name!r}: demand is {found} cores, expected 0 or more.")
    if group.threads is not None and group.threads < 1:
        found = clip(group.threads)
        raise ModelError(f"Group {group.name!r}: {found} threads, expected at least 1.")


def flat_shares(
    capacity: float, weight: ArrayLike, demand: ArrayLike, ceiling: ArrayLike = np.inf
) -> Float64:
    """Shares of siblings as arrays [n], in cores: `cpu_shares` for very many groups.

    >>> flat_shares(4, [100, 300], [9, 9]).tolist()
    [1.0, 3.0]
    """
    weights = np.asarray(weight, np.float64).ravel()
    want = np.minimum(
        np.broadcast_to(demand, weights.shape), np.broadcast_to(ceiling, weights.shape)
    )
    if not 0 < capacity < np.inf or not (weights > 0).all() or not (want >= 0).all():
        raise ModelError("Capacity and weights must be above 0, demands and ceilings 0 or more.")
    count = len(weights)
    parent = np.zeros(count + 1, np.int64)
    parent[0] = -1
    tree = Tree(
        parent,
        np.concatenate(([1.0], weights)),
        np.concatenate(([float(capacity)], np.full(count, np.inf))),
        np.concatenate(([0.0], want)),
    )
    return tree.share[1:]
