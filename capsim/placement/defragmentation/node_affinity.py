"""RemovePodsViolatingNodeAffinity: evict what no longer matches its node.

Rule: a unit with required node affinity goes if its node no longer matches its selector and
affinity and another node has the labels, taints and room for it.
Source: kubernetes-sigs/descheduler, removepodsviolatingnodeaffinity plugin, type
requiredDuringSchedulingIgnoredDuringExecution.
"""

from __future__ import annotations

from capsim.placement.defragmentation.snapshot import Snapshot
from capsim.placement.kubernetes import node_affinity
from capsim.scenario.spec import Spec

NAME = "RemovePodsViolatingNodeAffinity"


class RemovePodsViolatingNodeAffinity(Spec):
    """Evict units whose node has lost the labels that they require."""

    def evict(self, snapshot: Snapshot) -> None:
        """Evicts, node by node."""
        everywhere = range(len(snapshot.nodes))
        for node, machine in enumerate(snapshot.nodes):
            for unit in snapshot.on_node(node):
                template = snapshot.template(unit)
                affinity = template.affinity.node_affinity
                if affinity is None or affinity.required is None:
                    continue
                if node_affinity.matches(template, machine) or not snapshot.may_go(unit):
                    continue
                if snapshot.fits_elsewhere(unit, everywhere):
                    snapshot.evict(unit, "its node no longer matches its node affinity")
