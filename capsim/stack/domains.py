"""Failure domains as arrays: which units fall together under a fault of a kernel, host, rack, zone.

The same paths as in the graph of topology.py (unit, own kernel, node, kernel, host, rack, zone),
walked for all units at once: a unit falls with every vertex on its way down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from capsim.scenario import Node
from capsim.topology import Int32, Int64, Topology, is_serverless, own_kernels

Rows = NDArray[np.intp]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Domains:
    """D domains of one kind over U units, in CSR form; a unit may be in none or in several."""

    kind: str
    """kernel, host, rack, zone or region."""
    indptr: Int64
    """[D + 1]"""
    units: Int32
    """[M] rows of the units of each domain."""

    @cached_property
    def sizes(self) -> Int64:
        """[D] units that fall with each domain."""
        sizes: Int64 = np.diff(self.indptr)
        return sizes

    @cached_property
    def domain_of_entry(self) -> Rows:
        """[M] the domain of each entry of `units`."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def members(self, domain: int) -> Int32:
        """Rows of the units of one domain."""
        return self.units[self.indptr[domain] : self.indptr[domain + 1]]

    @property
    def mean_lost(self) -> float:
        """Units lost in one fault, if every domain that carries a unit is as likely."""
        carrying = self.sizes[self.sizes > 0]
        return float(carrying.mean()) if len(carrying) else 0.0

    @property
    def seen_lost(self) -> float:
        """Units lost in one fault, as a unit sees it that is lost: weighted by size."""
        total = float(self.sizes.sum())
        return float((self.sizes.astype(np.float64) ** 2).sum()) / total if total else 0.0

    @property
    def most_lost(self) -> int:
        """Units lost in the worst fault."""
        return int(self.sizes.max(initial=0))

    def distinct(self, of_unit: NDArray[np.integer]) -> Int64:
        """[D] how many different values (tenants, say) the units of each domain have.

        of_unit: [U] codes from 0; negative ones do not count.
        """
        codes = of_unit[self.units]
        known = codes >= 0
        width = int(of_unit.max(initial=0)) + 1
        pairs = _distinct_pairs(self.domain_of_entry[known] * width + codes[known])
        return np.bincount(pairs // width, minlength=len(self.sizes))

    def counts(self, groups: Domains, total_units: int) -> tuple[Int64, Int64, Int64]:
        """Units that each domain has of each group (services, say): (domain, group, units) rows."""
        of_group = _inverse(groups, total_units)
        repeats = of_group.sizes[self.units]
        domain = np.repeat(self.domain_of_entry, repeats)
        starts = np.repeat(of_group.indptr[self.units], repeats)
        within = np.arange(len(domain)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        group = of_group.units[starts + within]
        keys, found = np.unique(domain * max(1, len(groups.sizes)) + group, return_counts=True)
        return (*np.divmod(keys, max(1, len(groups.sizes))), found)


def _distinct_pairs(keys: Int64) -> Int64:
    """Sorted distinct keys; a plain sort beats numpy's hashing on keys that are nearly in order."""
    ordered = np.sort(keys, kind="stable")
    if not len(ordered):
        return ordered
    distinct: Int64 = ordered[np.append(True, ordered[1:] != ordered[:-1])]
    return distinct


def grouped(kind: str, domain: NDArray[np.integer], unit: NDArray[np.integer], n: int) -> Domains:
    """Domains from pairs of domain and unit; n is the number of domains."""
    order = np.argsort(domain, kind="stable")
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(domain, minlength=n), out=indptr[1:])
    return Domains(kind, indptr, unit[order].astype(np.int32))


def _inverse(groups: Domains, total_units: int) -> Domains:
    """For each unit its groups."""
    return grouped(groups.kind, groups.units, groups.domain_of_entry, total_units)


@dataclass(frozen=True, eq=False)
class Paths:
    """Where each unit's path leads: the kernels first, then the machines below them."""

    topology: Topology
    node_of: Int32
    """[U] row of the node, -1 while waiting."""

    @cached_property
    def own(self) -> NDArray[np.bool_]:
        """[U] whether the unit brings its own kernel."""
        return own_kernels(self.topology, self.node_of)

    @cached_property
    def placed(self) -> Rows:
        """Rows of the units that run."""
        return np.flatnonzero(self.node_of >= 0)

    @cached_property
    def sandboxed(self) -> Rows:
        """Rows of the units that run on a kernel of their own."""
        return self.placed[self.own[self.placed]]

    @cached_property
    def on_machine(self) -> Rows:
        """Rows of the units that run on a machine of the cluster, not in a serverless service."""
        machine = np.array([not is_serverless(node) for node in self._nodes], bool)
        chosen: Rows = self.placed[machine[self.node_of[self.placed]]]
        return chosen

    @cached_property
    def kernel_of(self) -> Int32:
        """[U] the kernel a unit runs on: a row of the node, or N + i for the i-th sandboxed one."""
        kernel = self.node_of.copy()
        kernel[self.sandboxed] = len(self._nodes) + np.arange(len(self.sandboxed))
        return kernel

    @property
    def _nodes(self) -> tuple[Node, ...]:
        return self.topology.scenario.nodes

    @cached_property
    def kernels(self) -> Domains:
        """Units that fall with each kernel: N of the nodes, then those of sandboxed units.

        A panic of a node's kernel takes the sandboxes on it along.
        """
        nodes = len(self._nodes)
        domain = [self.node_of[self.on_machine], self.kernel_of[self.sandboxed]]
        units = np.concatenate([self.on_machine, self.sandboxed])
        return grouped("kernel", np.concatenate(domain), units, nodes + len(self.sandboxed))

    def machines(self, kind: str) -> Domains:
        """Units that fall with each host, rack, zone or region; who has none is in none.

        A node on no known host counts as a host; so does each unit of a serverless service.
        """
        names = [_PLACES[kind](node) for node in self._nodes]
        known = list(dict.fromkeys(name for name in names if name is not None))
        code = {name: row for row, name in enumerate(known)}
        of_node = np.array([-1 if name is None else code[name] for name in names] or [-1])
        domain = of_node[self.node_of[self.placed]]
        count = len(known)
        if kind == "host":
            alone = np.ones(len(self.topology.unit_node), bool)
            alone[self.on_machine] = False
            alone = alone[self.placed]
            domain[alone] = count + np.arange(int(alone.sum()))
            count += int(alone.sum())
        inside = domain >= 0
        return grouped(kind, domain[inside], self.placed[inside], count)


def host_name(node: Node) -> str | None:
    """The host of a node; a node on no known host is one."""
    return node.host or f"{node.name} (its own host)"


_PLACES: dict[str, Callable[[Node], str | None]] = {
    "host": host_name,
    "rack": lambda node: node.rack and f"{node.zone}/{node.rack}",
    "zone": lambda node: node.zone,
    "region": lambda node: node.region,
}
MACHINES = tuple(_PLACES)
