"""VolumeBinding: a unit goes where its volumes are, or where they can be.

Rule: the volume of a bound claim must reach the node (its node affinity). A claim that waits for
its first unit takes the smallest volume that stands ready for it: of its class, large enough, of
its modes, chosen by its selector, reaching the node; one that is kept for the claim comes first.
Else a volume is made: by a class with a provisioner, where its topologies allow and, if the
driver tracks it, room is left. Claims without the unit's help (Immediate) must be bound before.
When the unit is placed its claims are bound: later units find the volume where it is.
Source: Kubernetes 1.34, volumebinding plugin; component-helpers, FindMatchingVolume.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import volume_zone
from capsim.placement.kubernetes.storage import (
    ANY_CLASS,
    BINDING,
    Fresh,
    Needs,
    Reach,
    Storage,
    fresh,
)
from capsim.scenario import (
    NO_PROVISIONER,
    Claim,
    Node,
    NodeSelector,
    PersistentVolume,
    SchedulerProfile,
    StorageClass,
)
from capsim.topology import Int64

NAME = BINDING
REASON_REACH = "node(s) had volume node affinity conflict"
REASON_MATCH = "node(s) didn't find available persistent volumes to bind"
REASON_ROOM = "node(s) did not have enough free storage"
REASON_GONE = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
_REASONS = (REASON_MATCH, REASON_ROOM, REASON_REACH, REASON_GONE)
"""In the order of their words, as the scheduler sorts them."""
_MATCH, _ROOM, _REACH, _GONE = (1 << i for i in range(4))
_MADE = -1
"""A volume is made."""
_NONE = -2
Bools = NDArray[np.bool_]


@dataclass
class Bound:
    """What has been bound since the beginning; updated as units are placed."""

    reach: dict[str, Reach] = field(default_factory=dict)
    """By claim."""
    taken: dict[str, str] = field(default_factory=dict)
    """Volume to claim."""
    held: Int64 = field(default_factory=lambda: np.zeros(0, np.int64))
    """Units.own_port as it is with these bindings."""

    def copy(self) -> Bound:
        """The same, to be changed or to come back to."""
        return Bound(self.reach.copy(), self.taken.copy(), self.held.copy())

    def restore(self, kept: Bound) -> None:
        """As it was; units whose claims have been bound since must be nowhere."""
        self.reach, self.taken = kept.reach.copy(), kept.taken.copy()
        self.held[:] = kept.held


@dataclass(frozen=True, eq=False)
class Verdict:
    """What K classes of nodes say to the volumes of a unit."""

    against: NDArray[np.int8]
    """[K] the reasons of VolumeBinding, a bit each."""
    zone: Bools
    """[K] whether VolumeZone refuses."""
    choices: tuple[tuple[str, Int64], ...] = ()
    """Each claim that would be bound, and [K] the number of its volume, -1 for a new one."""

    def reasons(self, k: int) -> tuple[str, ...]:
        """The reasons of VolumeBinding."""
        bits = int(self.against[k])
        return tuple(said for i, said in enumerate(_REASONS) if bits >> i & 1)


class VolumeBinding:
    """Answers for K classes of nodes, each shown by an example."""

    def __init__(self, storage: Storage, examples: Sequence[Node]) -> None:
        self._storage, self._nodes = storage, examples
        self._volumes = list(storage.volumes.values())
        sizes = [volume.size_bytes for volume in self._volumes]
        self._by_size = sorted(range(len(sizes)), key=sizes.__getitem__)
        self._reached: dict[NodeSelector, Int64] = {}
        self._met: dict[volume_zone.Zones, Bools] = {}
        self._made: dict[Fresh, NDArray[np.int8]] = {}
        self._with: dict[tuple[str, str], list[int]] = {}

    def verdict(self, needs: Needs, bound: Bound, profile: SchedulerProfile) -> Verdict:
        """What the nodes say to a unit, given what has been bound so far."""
        reaches = [*needs.bound, *(bound.reach[c] for c in needs.live if c in bound.reach)]
        against = np.zeros(len(self._nodes), np.int8)
        zone = np.zeros(len(self._nodes), np.bool_)
        choices: tuple[tuple[str, Int64], ...] = ()
        if NAME in profile.filters:
            against |= self._unreached(reaches)
            unbound = [self._storage.claims[c] for c in needs.live if c not in bound.reach]
            said, choices = self._to_bind(unbound, needs.fresh, bound)
            against |= said
        if volume_zone.NAME in profile.filters:
            for reach in reaches:
                zone |= ~self._meets(reach.zones)
        return Verdict(against, zone, choices)

    def bind(
        self, verdict: Verdict, k: int, node: Node, bound: Bound
    ) -> list[tuple[str, PersistentVolume]]:
        """Notes that a unit went to a node of class k, so that its claims are bound.

        Returns: claims that got a volume that stood ready.
        """
        got = []
        for key, choice in verdict.choices:
            number = int(choice[k])
            if number >= 0:
                volume = self._volumes[number]
                bound.taken[volume.name] = key
                bound.reach[key] = self._storage.reach(volume)
                got.append((key, volume))
            else:
                bound.reach[key] = self.made_at(self._storage.claims[key], node)
        return got

    def made_at(self, claim: Claim, node: Node) -> Reach:
        """From where a volume is reached that was made for a unit on a node.

        The labels are those that the driver names on this node, else those of the class's
        allowed topologies.
        """
        found = self._storage.classes.get(self._storage.class_of(claim))
        if found is None:
            return Reach()
        keys: Iterable[str] = self._storage.topology_keys.get((node.name, found.provisioner), ())
        keys = keys or dict.fromkeys(_topology_keys(found))
        conditions = [
            {"key": key, "operator": "In", "values": [node.labels[key]]}
            for key in keys
            if key in node.labels
        ]
        if not conditions:
            return Reach()
        terms = {"nodeSelectorTerms": [{"matchExpressions": conditions}]}
        return Reach(NodeSelector.model_validate(terms))

    # Bound claims ---------------------------------------------------------------------------

    def _unreached(self, reaches: Iterable[Reach]) -> NDArray[np.int8]:
        against = np.zeros(len(self._nodes), np.int8)
        for reach in reaches:
            if not reach.exists:
                against |= np.int8(_GONE)
            elif reach.affinity is not None:
                misses = np.ones(len(against), np.bool_)
                misses[self._reaching(reach.affinity)] = False
                against |= np.where(misses, np.int8(_REACH), np.int8(0))
        return against

    def _reaching(self, affinity: NodeSelector) -> Int64:
        """The classes of nodes that meet an affinity."""
        if affinity not in self._reached:
            likely = self._likely(affinity)
            nodes = self._nodes
            self._reached[affinity] = np.array(
                [k for k in likely if affinity.matches(nodes[k].labels, "")], np.int64
            )
        return self._reached[affinity]

    def _likely(self, affinity: NodeSelector) -> Iterable[int]:
        """Those that have the labels of the first condition of each term, where that tells."""
        found: set[int] = set()
        for term in affinity.node_selector_terms:
            named = [each for each in term.match_expressions if each.operator == "In"]
            if not named:
                return range(len(self._nodes))
            for value in named[0].values:
                found.update(self._labelled(named[0].key, value))
        return sorted(found)

    def _labelled(self, key: str, value: str) -> Sequence[int]:
        """The classes of nodes that have a label."""
        if (key, "") not in self._with:
            self._with[key, ""] = []
            for k, node in enumerate(self._nodes):
                if key in node.labels:
                    self._with.setdefault((key, f"={node.labels[key]}"), []).append(k)
        return self._with.get((key, f"={value}"), ())

    def _meets(self, zones: volume_zone.Zones) -> Bools:
        if zones not in self._met:
            met = [volume_zone.is_met(zones, node.labels) for node in self._nodes]
            self._met[zones] = np.array(met, bool)
        return self._met[zones]

    # Claims to bind -------------------------------------------------------------------------

    def _to_bind(
        self, claims: Sequence[Claim], others: Sequence[Fresh], bound: Bound
    ) -> tuple[NDArray[np.int8], tuple[tuple[str, Int64], ...]]:
        """What stands against the claims that wait, and what each would be bound to."""
        chosen: list[tuple[str, Int64]] = []
        against = np.zeros(len(self._nodes), np.int8)
        to_make: list[tuple[Fresh, Bools]] = []
        for claim in sorted(claims, key=lambda each: each.size_bytes):
            if claim.selected_node is not None:
                choice = np.full(len(against), _NONE, np.int64)
            else:
                choice = self._match(claim, bound, [each for _, each in chosen])
            chosen.append((claim.key, np.maximum(choice, _MADE)))
            to_make.append((fresh(self._storage, claim), choice == _NONE))
        to_make += [(each, np.ones(len(against), np.bool_)) for each in others]
        to_make.sort(key=lambda each: (each[0].selected_node is None, each[0].size_bytes))
        for each, where in to_make:
            # The scheduler stops at the first claim for which no volume can be made.
            said = np.where(where & (against == 0), self._makes(each), np.int8(0))
            against |= said
        return against, tuple(chosen)

    def _match(self, claim: Claim, bound: Bound, others: Sequence[Int64]) -> Int64:
        """[K] the volume that the claim would take, -2 where none is ready."""
        choice = np.full(len(self._nodes), _NONE, np.int64)
        fitting = [i for i in self._by_size if self._fits(self._volumes[i], claim, bound)]
        kept = [i for i in fitting if self._volumes[i].claim == claim.key]
        for i in kept[:1] or fitting:
            rows = self._rows_reaching(self._volumes[i])
            free = choice[rows] == _NONE
            for other in others:
                free &= other[rows] != i
            choice[rows[free]] = i
        return choice

    def _rows_reaching(self, volume: PersistentVolume) -> Int64:
        if volume.node_affinity is None:
            return np.arange(len(self._nodes))
        return self._reaching(volume.node_affinity)

    def _fits(self, volume: PersistentVolume, claim: Claim, bound: Bound) -> bool:
        """Whether the volume stands ready and is what the claim asks for, wherever it is."""
        if (
            volume.storage_class_name != self._storage.class_of(claim)
            or volume.size_bytes < claim.size_bytes
            or volume.volume_mode != claim.volume_mode
            or volume.terminating
            or volume.name in bound.taken
        ):
            return False
        if volume.claim is not None:
            return volume.claim == claim.key and volume.claim_uid in ("", claim.uid)
        return (
            volume.available
            and set(claim.access_modes) <= set(volume.access_modes)
            and volume.volume_attributes_class_name == claim.volume_attributes_class_name
            and (claim.selector is None or claim.selector.matches(volume.labels))
        )

    def _makes(self, claim: Fresh) -> NDArray[np.int8]:
        """[K] what stands against making a volume for a claim."""
        if claim not in self._made:
            self._made[claim] = np.array([self._against(claim, n) for n in self._nodes], np.int8)
        return self._made[claim]

    def _against(self, claim: Fresh, node: Node) -> int:
        if claim.selected_node not in (None, node.name):
            return _MATCH
        if claim.storage_class == ANY_CLASS:
            return 0
        found = self._storage.classes.get(claim.storage_class)
        if found is None or found.provisioner in ("", NO_PROVISIONER):
            return _MATCH
        if not allows(found, node):
            return _MATCH
        return 0 if self._has_room(found, claim.size_bytes, node) else _ROOM

    def _has_room(self, found: StorageClass, size_bytes: int, node: Node) -> bool:
        if size_bytes == 0 or found.provisioner not in self._storage.tracking:
            return True
        return any(
            each.storage_class_name == found.name
            and each.most_bytes is not None
            and each.most_bytes >= size_bytes
            and each.node_topology is not None
            and each.node_topology.matches(node.labels)
            for each in self._storage.capacities
        )


def allows(found: StorageClass, node: Node) -> bool:
    """Whether volumes of a class can be made for a node: its labels meet one of the terms."""
    terms = found.allowed_topologies
    return not terms or any(
        all(node.labels.get(each.key) in each.values for each in term.match_label_expressions)
        for term in terms
        if term.match_label_expressions
    )


def label_keys(storage: Storage, needs: Iterable[Needs]) -> frozenset[str]:
    """The labels of nodes that matter for some units; "metadata.name" for the node itself."""
    keys: set[str] = set()
    for each in set(needs):
        for reach in each.bound:
            keys.update(_affinity_keys(reach.affinity))
            keys.update(volume_zone.LABELS if reach.zones else ())
        claims = [storage.claims[key] for key in each.live]
        for claim in claims:
            keys.update(_volume_keys(storage, storage.class_of(claim)))
        for made in (*each.fresh, *(fresh(storage, claim) for claim in claims)):
            keys.update(["metadata.name"] if made.selected_node else ())
            keys.update(_class_keys(storage, made.storage_class))
    return frozenset(keys)


def _volume_keys(storage: Storage, storage_class: str) -> Iterable[str]:
    for volume in storage.volumes.values():
        if volume.storage_class_name == storage_class:
            yield from _affinity_keys(volume.node_affinity)
            yield from volume_zone.LABELS


def _class_keys(storage: Storage, name: str) -> Iterable[str]:
    found = storage.classes.get(name)
    if found is None:
        return
    yield from _topology_keys(found)
    for (_, driver), keys in storage.topology_keys.items():
        yield from keys if driver == found.provisioner else ()
    for capacity in storage.capacities:
        if capacity.storage_class_name == name and capacity.node_topology is not None:
            yield from capacity.node_topology.match_labels
            yield from (each.key for each in capacity.node_topology.match_expressions)


def _topology_keys(found: StorageClass) -> Iterable[str]:
    for term in found.allowed_topologies:
        yield from (each.key for each in term.match_label_expressions)


def _affinity_keys(affinity: NodeSelector | None) -> Iterable[str]:
    for term in affinity.node_selector_terms if affinity else ():
        yield from (each.key for each in term.match_expressions)
