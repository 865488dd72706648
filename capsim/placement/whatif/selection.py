"""Whom a question is about: nodes and units by name, and units as they are when they wait again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from capsim.errors import ModelError, nearest
from capsim.scenario import Assumption, Scenario, Unit, Workload
from capsim.topology import Int64, Topology

#: Owners whose units belong to one node: they neither move nor outlive it.
_TIED = ("DaemonSet/", "Node/")


def node_rows(topology: Topology, names: Iterable[str]) -> Int64:
    """Rows of nodes, ascending.

    Raises: ModelError for a name that no node has.
    """
    row = {node.name: n for n, node in enumerate(topology.scenario.nodes)}
    wanted = dict.fromkeys([names] if isinstance(names, str) else names)
    known(wanted, row, "node")
    return np.array(sorted(row[name] for name in wanted), np.int64)


def known(names: Iterable[str], those: Collection[str], noun: str) -> None:
    """Raises ModelError for the first name that is not among those."""
    for name in names:
        if name not in those:
            raise ModelError(f"There is no {noun} {name!r}{nearest(name, sorted(those))}.")


def workload_of(topology: Topology, name: str) -> Workload:
    """The workload called namespace/name, or namespace/Kind/name where several are.

    Raises: ModelError where there is none, or more than one.
    """
    listed = topology.scenario.workloads
    found = [each for each in listed if name in _names(each)]
    if len(found) > 1:
        told = " or ".join(_names(each)[1] for each in found)
        raise ModelError(f"Several workloads are called {name!r}: say {told}.")
    if not found:
        known([name], {_names(each)[0] for each in listed}, "workload")
    return found[0]


def _names(workload: Workload) -> tuple[str, str]:
    space, kind, name = workload.namespace, workload.kind, workload.name
    return f"{space}/{name}", f"{space}/{kind}/{name}"


def units_of(topology: Topology, workload: Workload) -> Int64:
    """Rows of the units that a workload owns."""
    owner, space = f"{workload.kind}/{workload.name}", workload.namespace
    units = topology.scenario.units
    rows = [u for u, unit in enumerate(units) if unit.owner == owner and unit.namespace == space]
    return np.array(rows, np.int64)


def is_tied(unit: Unit) -> bool:
    """Whether a unit belongs to its node: of a DaemonSet, or a static (mirror) pod."""
    return unit.pinned is not None or unit.owner.startswith(_TIED)


def waiting_again(topology: Topology, rows: Int64) -> tuple[Unit, ...]:
    """All units, those in the rows as they are before they are bound.

    These copies are kept with the topology from which all what-ifs start: a slider asks for
    the same ones over and over.
    """
    units = list(topology.scenario.units)
    root = topology.origin.topology
    kept = root.unbound
    for row in rows.tolist():
        if units[row].node is None:
            continue
        unit = kept.get(row) or _unbound(units[row])
        units[row] = unit
        if row < len(root.unit_node):
            kept[row] = unit
    return tuple(units)


def _unbound(unit: Unit) -> Unit:
    return unit.model_copy(update={"node": None, "started_s": None})


def stated(scenario: Scenario, name: str, value: str) -> tuple[Assumption, ...]:
    """The assumptions with one more, which the planner chose."""
    chosen = Assumption(name=name, value=value, source="chosen by the planner")
    return (*scenario.assumptions, chosen)


def some(names: Sequence[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
