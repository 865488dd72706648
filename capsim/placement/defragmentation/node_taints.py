"""RemovePodsViolatingNodeTaints: evict what would not be let on its node today.

Rule: a unit goes if it does not tolerate some NoSchedule taint of its node (on demand also
PreferNoSchedule). Source: kubernetes-sigs/descheduler, removepodsviolatingnodetaints plugin.
"""

from __future__ import annotations

from capsim.placement.defragmentation.snapshot import Snapshot, tolerates
from capsim.scenario.spec import Spec

NAME = "RemovePodsViolatingNodeTaints"


class RemovePodsViolatingNodeTaints(Spec):
    """Evict units whose node has been tainted since."""

    includes_prefer_no_schedule: bool = False
    excluded_taints: tuple[str, ...] = ()
    """Keys, or key=value, of taints that do not count."""

    def evict(self, snapshot: Snapshot) -> None:
        """Evicts, node by node."""
        effects = {"NoSchedule"}
        if self.includes_prefer_no_schedule:
            effects.add("PreferNoSchedule")
        for node, machine in enumerate(snapshot.nodes):
            taints = [
                taint
                for taint in machine.taints
                if taint.effect in effects
                and not {taint.key, f"{taint.key}={taint.value}"} & set(self.excluded_taints)
            ]
            for unit in snapshot.on_node(node) if taints else ():
                if not tolerates(snapshot.template(unit), taints):
                    snapshot.evict(unit, "it does not tolerate a taint of its node")
