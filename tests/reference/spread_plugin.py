"""PodTopologySpread: hard constraints filter, soft ones score."""

import math
from typing import Any

from .node_plugins import is_repelled_by, is_wanted_by
from .objects import Cluster, Node, Pod
from .plugin import UNRESOLVABLE, Failure, Plugin, Scores
from .selectors import (
    NOTHING,
    LabelSelector,
    equalities,
    label_selector,
    selector,
    with_labels,
)

HOSTNAME = "kubernetes.io/hostname"
SYSTEM_DEFAULTS = [
    {"maxSkew": 3, "topologyKey": HOSTNAME, "whenUnsatisfiable": "ScheduleAnyway"},
    {
        "maxSkew": 5,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
    },
]


class Constraint:
    """One topology spread constraint of a pod."""

    def __init__(self, raw: dict[str, Any], selects: LabelSelector, pod: Pod) -> None:
        self.key: str = raw["topologyKey"]
        self.hard = raw["whenUnsatisfiable"] == "DoNotSchedule"
        self.max_skew: int = raw["maxSkew"]
        self.min_domains: int = raw.get("minDomains") or 1
        self.honours_affinity = raw.get("nodeAffinityPolicy") != "Ignore"
        self.honours_taints = raw.get("nodeTaintsPolicy") == "Honor"
        self.namespace = pod.namespace
        self.selector = selects
        self.pod_matches_itself = selects.matches(pod.labels)

    def pods_on(self, node: Node) -> int:
        """The pods that the constraint counts; an empty selector counts none."""
        if self.selector.is_empty:
            return 0
        return node.running(self.namespace, self.selector)

    def counts(self, pod: Pod) -> bool:
        return not self.selector.is_empty and pod.is_running(self.namespace, self.selector)


def own_constraints(pod: Pod) -> list[Constraint]:
    constraints = []
    for raw in pod.spread_constraints:
        keys = raw.get("matchLabelKeys") or ()
        same = {key: pod.label_map[key] for key in keys if key in pod.label_map}
        selects = with_labels(label_selector(raw.get("labelSelector")), same)
        constraints.append(Constraint(raw, selects, pod))
    return constraints


def default_constraints(pod: Pod, cluster: Cluster, args: dict[str, Any]) -> list[Constraint]:
    """The profile's, with the selector of what the pod belongs to; none if that is empty."""
    selects = default_selector(pod, cluster)
    if selects.is_empty:
        return []
    if args["defaultingType"] == "System":
        return [Constraint(raw, selects, pod) for raw in SYSTEM_DEFAULTS]
    return [Constraint(raw, selects, pod) for raw in args.get("defaultConstraints") or ()]


def default_selector(pod: Pod, cluster: Cluster) -> LabelSelector:
    """The selectors of the services that select the pod and of its owner, merged."""
    merged: dict[str, str] = {}
    for service in cluster.services:
        wanted = service["spec"].get("selector") or {}
        same_namespace = (service["metadata"].get("namespace") or "default") == pod.namespace
        if wanted and same_namespace and selector(tuple(equalities(wanted))).matches(pod.labels):
            merged |= wanted
    return selector(tuple(equalities(merged)) + owner_selector(pod, cluster).parts)


def owner_selector(pod: Pod, cluster: Cluster) -> LabelSelector:
    for reference in pod.raw["metadata"].get("ownerReferences") or ():
        owner = cluster.owners.get((reference["kind"], pod.namespace, reference["name"]))
        if reference.get("controller") and owner is not None:
            raw = owner["spec"].get("selector")
            is_controller = reference["kind"] == "ReplicationController"
            return label_selector({"matchLabels": raw} if is_controller else raw)
    return NOTHING


class PodTopologySpread(Plugin):
    """Pods of a kind are spread over the domains of a topology key."""

    def begin(self) -> None:
        self.constraints = own_constraints(self.pod) or default_constraints(
            self.pod, self.cluster, self.args
        )
        self.hard = [c for c in self.constraints if c.hard]
        self.soft = [c for c in self.constraints if not c.hard]
        self.hard_keys = {c.key for c in self.hard}
        self.hard_counts = [self._hard_counts(constraint) for constraint in self.hard]
        self.minima = self._minima()

    def _counts_in(self, node: Node, constraint: Constraint) -> bool:
        """The inclusion policies."""
        if constraint.honours_affinity and not is_wanted_by(self.pod, node):
            return False
        return not constraint.honours_taints or not any(
            is_repelled_by(taint, self.pod) for taint in node.taints
        )

    # Filter ---------------------------------------------------------------------------------

    def skips_filter(self) -> bool:
        return not self.hard

    def filter(self, node: Node) -> Failure | None:
        states = zip(self.hard, self.hard_counts, self.minima, strict=True)
        for constraint, counts, minimum in states:
            if constraint.key not in node.labels:
                reason = "node(s) didn't match pod topology spread constraints"
                return Failure([f"{reason} (missing required label)"], UNRESOLVABLE)
            count = counts.get(node.labels[constraint.key], 0) + constraint.pod_matches_itself
            if count - minimum > constraint.max_skew:
                return Failure(["node(s) didn't match pod topology spread constraints"])
        return None

    def _hard_counts(self, constraint: Constraint) -> dict[str, int]:
        """The pods of each domain; one without pods is a domain too."""
        counts: dict[str, int] = {}
        for node in self.cluster.nodes.values():
            if self._has_domain(node, constraint):
                domain = node.labels[constraint.key]
                counts[domain] = counts.get(domain, 0) + constraint.pods_on(node)
        return counts

    def _has_domain(self, node: Node, constraint: Constraint) -> bool:
        """It needs the keys of all hard constraints."""
        return node.labels.keys() >= self.hard_keys and self._counts_in(node, constraint)

    def _minima(self) -> list[int]:
        """The smallest count of any domain, or 0 with too few domains."""
        return [
            min(counts.values()) if counts and len(counts) >= constraint.min_domains else 0
            for constraint, counts in zip(self.hard, self.hard_counts, strict=True)
        ]

    def pod_changed(self, node: Node, pod: Pod, by: int) -> None:
        for constraint, counts in zip(self.hard, self.hard_counts, strict=True):
            if constraint.counts(pod) and self._has_domain(node, constraint):
                counts[node.labels[constraint.key]] += by
        self.minima = self._minima()

    # Score ----------------------------------------------------------------------------------

    def skips_score(self, feasible: list[Node]) -> bool:
        if not self.soft:
            return True
        scored, counted = feasible, list(self.cluster.nodes.values())
        if self.pod.spread_constraints or self.args["defaultingType"] != "System":
            keys = {c.key for c in self.soft}
            scored = [node for node in scored if node.labels.keys() >= keys]
            counted = [node for node in counted if node.labels.keys() >= keys]
        self.scored = {node.name for node in scored}
        self.counts = [self._soft_counts(c, scored, counted) for c in self.soft]
        self.factors = [
            math.log((len(scored) if c.key == HOSTNAME else len(counts)) + 2)
            for c, counts in zip(self.soft, self.counts, strict=True)
        ]
        return False

    def _soft_counts(
        self, constraint: Constraint, scored: list[Node], counted: list[Node]
    ) -> dict[str, int]:
        """The pods of each domain in which there is a node to score."""
        counts = {node.labels.get(constraint.key, ""): 0 for node in scored}
        if constraint.key == HOSTNAME:
            return counts  # counted node by node, in `score`
        for node in counted:
            domain = node.labels.get(constraint.key, "")
            if domain in counts and self._counts_in(node, constraint):
                counts[domain] += constraint.pods_on(node)
        return counts

    def score(self, node: Node) -> int:
        if node.name not in self.scored:
            return 0
        total = 0.0
        for constraint, counts, factor in zip(self.soft, self.counts, self.factors, strict=True):
            if constraint.key not in node.labels:
                continue
            if constraint.key == HOSTNAME:
                count = constraint.pods_on(node)
            else:
                count = counts[node.labels[constraint.key]]
            total += count * factor + (constraint.max_skew - 1)
        return math.floor(total + 0.5)

    def normalise(self, raw: Scores) -> Scores:
        """The node with the fewest gets the most; nodes without a key get 0."""
        scored = [raw[name] for name in self.scored]
        highest, lowest = max(scored, default=0), min(scored, default=0)
        return {
            name: 0
            if name not in self.scored
            else (100 * (highest + lowest - s) // highest if highest else 100)
            for name, s in raw.items()
        }
