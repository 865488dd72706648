"""Cordon and drain: nodes that take nothing new, and nodes that give up what they run."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from capsim.placement.result import Cluster, topology_of
from capsim.placement.whatif.selection import is_tied, node_rows, some, stated, waiting_again
from capsim.scenario import Node, Taint
from capsim.topology import Int64, Topology

#: Source: Kubernetes, node lifecycle controller (TaintNodesByCondition).
_CORDON = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")


def cordon(topology: Cluster, nodes: Iterable[str]) -> Topology:
    """The cluster with some nodes cordoned: what runs there stays, nothing new comes.

    A cordoned node is unschedulable and has the taint that the node controller adds.
    Raises: ModelError for a name that no node has.

    >>> cordon(topology, ["n1", "n2"])
    """
    topology = topology_of(topology)
    rows = node_rows(topology, nodes)
    return _with_nodes(topology, rows, [_cordoned(topology.scenario.nodes[n]) for n in rows])


def uncordon(topology: Cluster, nodes: Iterable[str]) -> Topology:
    """The cluster with some nodes taking units again.

    Raises: ModelError for a name that no node has.

    >>> uncordon(cordon(topology, ["n1"]), ["n1"])
    """
    topology = topology_of(topology)
    rows = node_rows(topology, nodes)
    return _with_nodes(topology, rows, [_opened(topology.scenario.nodes[n]) for n in rows])


def drain(topology: Cluster, nodes: Iterable[str]) -> Topology:
    """The cluster with some nodes cordoned and their units waiting again, all at the same time.

    Units of DaemonSets and static pods stay, as with `kubectl drain --ignore-daemonsets`, and so
    does what is terminating already. Units without a controller wait too, though in a cluster
    nobody makes them anew. Disruption budgets stretch a drain in time and do not change where
    units go: those that have no disruption left are named in the assumptions.
    Raises: ModelError for a name that no node has.

    >>> plan = place(drain(topology, ["n1", "n2"])); len(plan.waiting)
    """
    topology = topology_of(topology)
    rows = node_rows(topology, nodes)
    if len(rows) == 0:
        return topology
    cordoned = cordon(topology, nodes_named := [topology.scenario.nodes[n].name for n in rows])
    leaving = units_leaving(topology, rows)
    unit_node = topology.unit_node.copy()
    unit_node[leaving] = -1
    told = f"{len(rows):,} at once ({some(nodes_named)}); {len(leaving):,} units wait again"
    scenario = cordoned.scenario.model_copy(
        update={
            "units": waiting_again(topology, leaving),
            "assumptions": stated(topology.scenario, "nodes drained", told + _budgets(topology)),
        }
    )
    return cordoned.changed(scenario, unit_node=unit_node)


def units_leaving(topology: Topology, rows: Int64) -> Int64:
    """Rows of the units that a drain of the nodes (rows) evicts."""
    drained = np.zeros(len(topology.allocatable) + 1, np.bool_)
    drained[rows] = True
    here = np.flatnonzero(drained[topology.unit_node] & (topology.unit_node >= 0))
    units = topology.scenario.units
    leaves = [not (is_tied(units[u]) or units[u].terminating) for u in here.tolist()]
    return here[np.array(leaves, np.bool_)]


def _budgets(topology: Topology) -> str:
    spent = [each for each in topology.scenario.budgets if each.disruptions_allowed == 0]
    names = some([f"{each.namespace}/{each.name}" for each in spent])
    return f"; eviction waits for the disruption budgets {names}" if spent else ""


def _with_nodes(topology: Topology, rows: Int64, changed: list[Node]) -> Topology:
    nodes = list(topology.scenario.nodes)
    for row, node in zip(rows.tolist(), changed, strict=True):
        nodes[row] = node
    return topology.changed(topology.scenario.model_copy(update={"nodes": tuple(nodes)}))


def _cordoned(node: Node) -> Node:
    taints = node.taints if _CORDON in node.taints else (*node.taints, _CORDON)
    return node.model_copy(update={"unschedulable": True, "taints": taints})


def _opened(node: Node) -> Node:
    taints = tuple(taint for taint in node.taints if taint != _CORDON)
    return node.model_copy(update={"unschedulable": False, "taints": taints})
