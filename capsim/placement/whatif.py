"""What if: more of the same units, more machines. Works on compiled scenarios, for sliders."""

from __future__ import annotations

import dataclasses

import numpy as np

from capsim.errors import ModelError
from capsim.scenario import HOSTNAME_LABEL, Node, Unit
from capsim.topology import Topology, compile_scenario

_MOST_ADDED = 100_000


def grow(topology: Topology, share: float) -> Topology:
    """The same mix of units, more of it: round(count * share) waiting copies of every template.

    The copies arrive after all others, spread evenly over the order in which the originals
    arrived, so that no template is favoured. They are named after an original: web-1+1.
    Raises: ModelError for a share outside 0..10.

    >>> grow(topology, 0.2)
    """
    if not 0 <= share <= 10:
        raise ModelError(f"growth is {share}, expected a share from 0 to 10 (1 doubles the units).")
    rows = _spread_copies(topology, share)
    if len(rows) == 0:
        return topology
    units = topology.scenario.units
    copies = [units[row] for row in rows.tolist()]
    grown = sum("+" in unit.name for unit in units)
    added = tuple(_copy(unit, number) for number, unit in enumerate(copies, start=grown + 1))
    scenario = topology.scenario.model_copy(update={"units": (*units, *added)})
    waiting = np.full(len(rows), -1, np.int32)
    return dataclasses.replace(
        topology,
        scenario=scenario,
        unit_template=np.concatenate([topology.unit_template, topology.unit_template[rows]]),
        unit_node=np.concatenate([topology.unit_node, waiting]),
        unit_pinned=np.concatenate([topology.unit_pinned, waiting]),
    )


def _spread_copies(topology: Topology, share: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Rows to copy: of each template's m units round(m * share), evenly spaced, in row order.

    Units pinned to one node (as a DaemonSet's) do not grow with the load.
    """
    free = np.flatnonzero(topology.unit_pinned == -1)
    by_template = free[np.argsort(topology.unit_template[free], kind="stable")]
    sizes = np.bincount(topology.unit_template[free], minlength=len(topology.template_keys))
    wanted = np.rint(sizes * share).astype(np.int64)
    starts = np.repeat(np.cumsum(sizes) - sizes, wanted)
    turn = np.arange(wanted.sum()) - np.repeat(np.cumsum(wanted) - wanted, wanted)
    # Shares above 1 copy some units several times; the division spaces them evenly either way.
    offset = turn * np.repeat(sizes, wanted) // np.repeat(np.maximum(wanted, 1), wanted)
    rows: np.ndarray[tuple[int], np.dtype[np.int64]] = np.sort(by_template[starts + offset])
    return rows


def _copy(unit: Unit, number: int) -> Unit:
    return unit.model_copy(
        update={
            "name": f"{unit.name}+{number}",
            "node": None,
            "started_s": None,
            "terminating": False,
        }
    )


def _like(machine: Node, number: int) -> Node:
    """A machine of the same kind under a name, and a host name label, of its own."""
    name = f"{machine.name}+{number}"
    labels = machine.labels | ({HOSTNAME_LABEL: name} if HOSTNAME_LABEL in machine.labels else {})
    return machine.model_copy(update={"name": name, "labels": labels})


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
