"""RemovePodsViolatingInterPodAntiAffinity: evict what shares a domain with what it must not.

Rule: node by node, the least important unit first: it goes if a required anti-affinity term of
its own means another unit in the same domain of the term's topology key; who is gone offends
nobody. Source: kubernetes-sigs/descheduler, removepodsviolatinginterpodantiaffinity plugin.
"""

from __future__ import annotations

import numpy as np

from capsim.placement.defragmentation.snapshot import Snapshot
from capsim.placement.kubernetes.chosen import Namespaces, Selector, selector
from capsim.scenario import PodAffinityTerm
from capsim.scenario.spec import Spec

NAME = "RemovePodsViolatingInterPodAntiAffinity"


class RemovePodsViolatingInterPodAntiAffinity(Spec):
    """Evict units whose anti-affinity is broken."""

    def evict(self, snapshot: Snapshot) -> None:
        """Evicts, node by node."""
        company = _Company(snapshot)
        for node in range(len(snapshot.nodes)):
            for unit in snapshot.by_priority(snapshot.on_node(node)):
                if company.offends(unit):
                    snapshot.evict(unit, "its anti-affinity means a unit in the same domain")


class _Company:
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        spaces = dict.fromkeys(unit.namespace for unit in snapshot.units)
        self._namespaces = Namespaces(spaces, snapshot.scenario.namespaces)
        self._chosen: dict[tuple[Selector, frozenset[str]], list[int]] = {}

    def offends(self, unit: int) -> bool:
        """Whether a unit that runs is in a domain that its own terms exclude."""
        affinity = self._snapshot.template(unit).affinity.pod_anti_affinity
        return any(self._meets(unit, term) for term in (affinity.required if affinity else ()))

    def _meets(self, unit: int, term: PodAffinityTerm) -> bool:
        nodes, node_of = self._snapshot.nodes, self._snapshot.node_of
        own = nodes[node_of[unit]].labels.get(term.topology_key)
        if own is None:
            return False
        return any(
            other != unit
            and node_of[other] >= 0
            and nodes[node_of[other]].labels.get(term.topology_key) == own
            for other in self._meant(unit, term)
        )

    def _meant(self, unit: int, term: PodAffinityTerm) -> list[int]:
        """Units that a term means, wherever they run."""
        snapshot = self._snapshot
        space = snapshot.units[unit].namespace
        names = self._namespaces.of(term, space, incoming=False)
        key = (selector(term.label_selector), names)
        if key not in self._chosen:
            placed = np.flatnonzero(snapshot.plan.node_of >= 0).tolist()
            self._chosen[key] = [
                other
                for other in placed
                if snapshot.units[other].namespace in names
                and key[0].chooses(snapshot.labels(other))
            ]
        return self._chosen[key]
