"""Machines that come, and machines that go."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from capsim.errors import ModelError
from capsim.placement.whatif.selection import is_tied, known, node_rows, stated, waiting_again
from capsim.scenario import HOSTNAME_LABEL, Node
from capsim.topology import Topology, compile_scenario

_MOST_ADDED = 100_000


def add_machines(topology: Topology, machine: Node, count: int) -> Topology:
    """The cluster with `count` more machines like `machine`, after the others.

    They are named after it: NAME+1, NAME+2, ...
    Raises: ModelError for a negative count or more than 100,000.

    >>> add_machines(topology, cluster.nodes[0], 10)
    """
    if not 0 <= count <= _MOST_ADDED:
        raise ModelError(f"{count} machines to add, expected 0 to {_MOST_ADDED:,}.")
    if count == 0:
        return topology
    there = sum(node.name.startswith(f"{machine.name}+") for node in topology.scenario.nodes)
    added = tuple(_like(machine, number) for number in range(there + 1, there + count + 1))
    nodes = (*topology.scenario.nodes, *added)
    scenario = topology.scenario.model_copy(update={"nodes": nodes})
    offer = compile_scenario(
        topology.scenario.model_copy(update={"nodes": (machine,), "units": ()})
    )
    if offer.resources != topology.resources:
        return compile_scenario(scenario)
    return dataclasses.replace(
        topology,
        scenario=scenario,
        allocatable=np.concatenate([topology.allocatable, offer.allocatable.repeat(count, axis=0)]),
        gpu_devices=np.concatenate([topology.gpu_devices, offer.gpu_devices.repeat(count)]),
    )


def _like(machine: Node, number: int) -> Node:
    """A machine of the same kind under a name, and a host name label, of its own."""
    name = f"{machine.name}+{number}"
    labels = machine.labels | ({HOSTNAME_LABEL: name} if HOSTNAME_LABEL in machine.labels else {})
    return machine.model_copy(update={"name": name, "labels": labels})


def remove_nodes(topology: Topology, nodes: Iterable[str]) -> Topology:
    """The cluster without some nodes: their units wait again.

    Units of DaemonSets and static pods go with their node, and so does what is terminating.
    Raises: ModelError for a name that no node has.

    >>> remove_nodes(topology, ["n1"])
    """
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


def remove_zone(topology: Topology, zone: str) -> Topology:
    """The cluster after a zone is lost: its nodes are gone, their units wait for a place elsewhere.

    Raises: ModelError for a zone in which no node is.

    >>> remove_zone(topology, "westeurope-1")
    """
    known([zone], {node.zone for node in topology.scenario.nodes if node.zone}, "zone")
    return remove_nodes(
        topology, [node.name for node in topology.scenario.nodes if node.zone == zone]
    )
