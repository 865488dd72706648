"""RemoveDuplicates: evict units of one owner that share a node, where others could take them.

Rule: units of one namespace, owner and set of images on one node are duplicates but for the
first. Of an owner that has duplicates, the nodes count whose labels and taints let them on; with
at least two of them, each node keeps the average, rounded up.
Source: kubernetes-sigs/descheduler, removeduplicates plugin. The owner here is the highest
that the input states (the Deployment, not its ReplicaSet); different images keep revisions apart.
"""

from __future__ import annotations

import math

from capsim.placement.defragmentation.snapshot import Snapshot
from capsim.placement.kubernetes import node_affinity, taint_toleration
from capsim.scenario.spec import Spec

NAME = "RemoveDuplicates"
_Owner = tuple[str, str, tuple[str, ...]]


class RemoveDuplicates(Spec):
    """Spread the units of an owner over nodes."""

    exclude_owner_kinds: tuple[str, ...] = ()

    def evict(self, snapshot: Snapshot) -> None:
        """Evicts what each node has above the average."""
        count, duplicates = self._found(snapshot)
        for owner, by_node in duplicates.items():
            nodes = _possible(snapshot, [unit for units in by_node.values() for unit in units])
            if nodes < 2:
                continue
            average = math.ceil(count[owner] / nodes)
            for units in by_node.values():
                # The first unit of a node is no duplicate, so that one more stays.
                for unit in units[average - 1 :]:
                    snapshot.evict(unit, f"its node has more than {average} of its owner")

    def _found(
        self, snapshot: Snapshot
    ) -> tuple[dict[_Owner, int], dict[_Owner, dict[int, list[int]]]]:
        """Units of each owner, and the duplicates by owner and node."""
        count: dict[_Owner, int] = {}
        duplicates: dict[_Owner, dict[int, list[int]]] = {}
        for node in range(len(snapshot.nodes)):
            met: set[_Owner] = set()
            for unit in snapshot.on_node(node):
                owner = _owner(snapshot, unit)
                kind = owner[1].partition("/")[0]
                if not kind or kind in self.exclude_owner_kinds or not snapshot.may_go(unit):
                    continue
                count[owner] = count.get(owner, 0) + 1
                if owner in met:
                    duplicates.setdefault(owner, {}).setdefault(node, []).append(unit)
                met.add(owner)
        return count, duplicates


def _owner(snapshot: Snapshot, unit: int) -> _Owner:
    images = sorted(container.image for container in snapshot.template(unit).containers)
    found = snapshot.units[unit]
    return found.namespace, found.owner, tuple(images)


def _possible(snapshot: Snapshot, units: list[int]) -> int:
    """Nodes that labels and taints leave to the units; a template with one node has none."""
    found: set[int] = set()
    for key in dict.fromkeys(snapshot.units[unit].template for unit in units):
        template = snapshot.scenario.templates[key]
        nodes = {
            n
            for n, node in enumerate(snapshot.nodes)
            if node_affinity.matches(template, node)
            and taint_toleration.repelling(template, node) is None
        }
        if len(nodes) > 1:
            found |= nodes
    return len(found)
