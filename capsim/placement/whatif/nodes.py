"""Machines that come, and machines that go."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from capsim.errors import ModelError
from capsim.placement.result import Cluster, topology_of
from capsim.placement.whatif.selection import is_tied, known, node_rows, stated, waiting_again
from capsim.scenario import HOSTNAME_LABEL, Node, Unit
from capsim.topology import Int32, Int64, Topology, compile_scenario

_MOST_ADDED = 100_000


def add_machines(topology: Cluster, machine: Node, count: int) -> Topology:
    """The cluster with `count` more machines like `machine`, after the others.

    They are named after it: NAME+1, NAME+2, ... Where the cluster has a node of its name, each
    brings units like that node's of DaemonSets and static pods: UNIT@NAME+1, behind all others;
    they run there if those run.
    Raises: ModelError for a negative count or more than 100,000.

    >>> add_machines(topology, cluster.nodes[0], 10)
    """
    topology = topology_of(topology)
    if not 0 <= count <= _MOST_ADDED:
        raise ModelError(f"{count} machines to add, expected 0 to {_MOST_ADDED:,}.")
    if count == 0:
        return topology
    there = sum(node.name.startswith(f"{machine.name}+") for node in topology.scenario.nodes)
    added = tuple(_like(machine, number) for number in range(there + 1, there + count + 1))
    nodes = (*topology.scenario.nodes, *added)
    rows = _tied_to(topology, machine.name)
    units = [topology.scenario.units[row] for row in rows.tolist()]
    copies = (_tied_copy(unit, node.name) for node in added for unit in units)
    scenario = topology.scenario.model_copy(
        update={"nodes": nodes, "units": (*topology.scenario.units, *copies)}
    )
    offer = compile_scenario(
        topology.scenario.model_copy(update={"nodes": (machine,), "units": ()})
    )
    if offer.resources != topology.resources:
        return compile_scenario(scenario)
    first = len(topology.allocatable)
    node = np.arange(first, first + count, dtype=np.int32).repeat(len(rows))
    return dataclasses.replace(
        topology,
        scenario=scenario,
        allocatable=np.concatenate([topology.allocatable, offer.allocatable.repeat(count, axis=0)]),
        gpu_devices=np.concatenate([topology.gpu_devices, offer.gpu_devices.repeat(count)]),
        unit_template=np.append(
            topology.unit_template, np.tile(topology.unit_template[rows], count)
        ),
        unit_node=_with_copies(topology.unit_node, rows, node),
        unit_pinned=_with_copies(topology.unit_pinned, rows, node),
    )


def _tied_to(topology: Topology, name: str) -> Int64:
    """Rows of the units that belong to a node: of DaemonSets, and static pods."""
    n = next((n for n, node in enumerate(topology.scenario.nodes) if node.name == name), None)
    if n is None:
        return np.empty(0, np.int64)
    there = np.flatnonzero((topology.unit_pinned == n) | (topology.unit_node == n))
    units = topology.scenario.units
    tied = [row for row in there.tolist() if is_tied(units[row]) and not units[row].terminating]
    return np.array(tied, np.int64)


def _with_copies(of_units: Int32, rows: Int64, node: Int32) -> Int32:
    """[U] nodes of units, and behind them the new ones of copies where the original has one."""
    has = np.tile(of_units[rows] != -1, len(node) // max(1, len(rows)))
    return np.append(of_units, np.where(has, node, np.int32(-1)))


def _tied_copy(unit: Unit, node: str) -> Unit:
    """A unit like another that belongs to its node; it runs if that one does."""
    own = {"node": unit.node and node, "pinned": unit.pinned and node}
    owner = f"Node/{node}" if unit.owner.startswith("Node/") else unit.owner
    fresh = {"name": f"{unit.name}@{node}", "started_s": None, "created_s": None}
    return unit.model_copy(update={**fresh, **own, "owner": owner})


def _like(machine: Node, number: int) -> Node:
    """A machine of the same kind under a name, and a host name label, of its own."""
    name = f"{machine.name}+{number}"
    labels = machine.labels | ({HOSTNAME_LABEL: name} if HOSTNAME_LABEL in machine.labels else {})
    return machine.model_copy(update={"name": name, "labels": labels})


def remove_nodes(topology: Cluster, nodes: Iterable[str]) -> Topology:
    """The cluster without some nodes: their units wait again.

    Units of DaemonSets and static pods go with their node, and so does what is terminating.
    Raises: ModelError for a name that no node has.

    >>> remove_nodes(topology, ["n1"])
    """
    topology = topology_of(topology)
    rows = node_rows(topology, nodes)
    if len(rows) == 0:
        return topology
    old = topology.scenario
    stays = np.ones(len(old.nodes), np.bool_)
    stays[rows] = False
    lost = (topology.unit_node >= 0) & ~stays[topology.unit_node]
    gone = {old.nodes[n].name for n in rows.tolist()}
    kept = np.array(
        [
            not (unit.pinned in gone or (lost[u] and (is_tied(unit) or unit.terminating)))
            for u, unit in enumerate(old.units)
        ],
        np.bool_,
    )
    units = waiting_again(topology, np.flatnonzero(lost & kept))
    number = np.append(np.where(stays, np.cumsum(stays) - 1, -1), [-2, -1]).astype(np.int32)
    told = f"{len(rows):,}; {int((lost & kept).sum()):,} units wait again"
    scenario = old.model_copy(
        update={
            "nodes": tuple(node for n, node in enumerate(old.nodes) if stays[n]),
            "units": tuple(units[u] for u in np.flatnonzero(kept).tolist()),
            "assumptions": stated(old, "nodes removed", told),
        }
    )
    return dataclasses.replace(
        topology,
        scenario=scenario,
        allocatable=topology.allocatable[stays],
        gpu_devices=topology.gpu_devices[stays],
        unit_template=topology.unit_template[kept],
        unit_node=number[topology.unit_node[kept]],
        unit_pinned=number[topology.unit_pinned[kept]],
    )


def remove_zone(topology: Cluster, zone: str) -> Topology:
    """The cluster after a zone is lost: its nodes are gone, their units wait for a place elsewhere.

    Raises: ModelError for a zone in which no node is.

    >>> remove_zone(topology, "westeurope-1")
    """
    topology = topology_of(topology)
    known([zone], {node.zone for node in topology.scenario.nodes if node.zone}, "zone")
    return remove_nodes(
        topology, [node.name for node in topology.scenario.nodes if node.zone == zone]
    )
