"""The scheduling cycle of one pod: prefilter, filter, score, preempt."""

from typing import Any

from . import preemption
from .affinity_plugin import InterPodAffinity
from .configuration import Profile
from .node_plugins import (
    ImageLocality,
    NodeAffinity,
    NodeName,
    NodePorts,
    NodeUnschedulable,
    TaintToleration,
)
from .objects import Cluster, Node, Pod
from .plugin import UNRESOLVABLE, Failure, Plugin, Scores, first_failure
from .resource_plugins import NodeResourcesBalancedAllocation, NodeResourcesFit
from .spread_plugin import PodTopologySpread
from .volume_plugins import NodeVolumeLimits, VolumeBinding, VolumeRestrictions, VolumeZone

Json = dict[str, Any]

PLUGINS: dict[str, type[Plugin]] = {
    plugin.__name__: plugin
    for plugin in (
        NodeUnschedulable,
        NodeName,
        TaintToleration,
        NodeAffinity,
        NodePorts,
        NodeResourcesFit,
        VolumeRestrictions,
        NodeVolumeLimits,
        VolumeBinding,
        VolumeZone,
        PodTopologySpread,
        InterPodAffinity,
        NodeResourcesBalancedAllocation,
        ImageLocality,
    )
}
CONFLICT = {
    "plugin": "NodeAffinity",
    "reasons": ["pod affinity terms conflict"],
    "code": UNRESOLVABLE,
}
NOT_ELIGIBLE = {"eligible": False, "candidates": None, "best": None, "node": ""}


class Cycle:
    """One attempt to place a pod; `run` returns the decision and changes nothing."""

    def __init__(self, pod: Pod, cluster: Cluster, profile: Profile, is_full: bool) -> None:
        self.pod = pod
        self.cluster = cluster
        self.profile = profile
        self.is_full = is_full
        self.decision: Json = {"pod": pod.key, "feasible": 0, "node": None}
        self.failures: dict[str, Failure] = {}
        self.plugins = {
            name: PLUGINS[name](pod, cluster, profile.args[name])
            for name in dict.fromkeys([*profile.prefilters, *profile.filters, *profile.scores])
        }
        self.filters = {
            name: self.plugins[name]
            for name in profile.filters
            if not self.plugins[name].skips_filter()
        }

    def run(self, *, may_preempt: bool) -> Json:
        allowed = self._allowed_names()
        rejection = self._rejection(allowed)
        if rejection is not None:
            self.decision["prefilter"] = rejection
        else:
            self._filter(allowed)
            self._choose()
        if self.decision["node"] is None and may_preempt and self.profile.preempts:
            self._preempt()
        return self.decision

    def _rejection(self, allowed: frozenset[str] | None) -> Json | None:
        """What rejects the pod before any node is looked at."""
        if allowed is not None and not allowed:
            return CONFLICT
        for name in self.profile.prefilters:
            reason = self.plugins[name].rejects()
            if reason is not None:
                return {"plugin": name, "reasons": [reason], "code": UNRESOLVABLE}
        return None

    def reserve(self, node: Node) -> None:
        """The pod goes to the node."""
        for plugin in self.filters.values():
            plugin.reserve(node)

    def _allowed_names(self) -> frozenset[str] | None:
        """The nodes that the pod's affinity names; None: all."""
        if not self.profile.narrows:
            return None
        return NodeAffinity(self.pod, self.cluster, {}).allowed_names()

    def _filter(self, allowed: frozenset[str] | None) -> None:
        """Note every node's first failure."""
        filtered = {}
        for node in self.cluster.nodes.values():
            plugin, failure = self._first_failure(node, allowed)
            if failure is not None:
                self.failures[node.name] = failure
                filtered[node.name] = {
                    "plugin": plugin,
                    "reasons": sorted(failure.reasons) or None,
                    "code": failure.code,
                }
        if self.is_full and filtered:
            self.decision["filtered"] = filtered

    def _first_failure(
        self, node: Node, allowed: frozenset[str] | None
    ) -> tuple[str, Failure | None]:
        if allowed is not None and node.name not in allowed:
            return "PreFilterResult", Failure([], UNRESOLVABLE)
        return first_failure(self.filters, node)

    def _choose(self) -> None:
        """The only feasible node, unscored, or the first of the best."""
        nodes = self.cluster.nodes.values()
        feasible = [node for node in nodes if node.name not in self.failures]
        self.decision["feasible"] = len(feasible)
        if len(feasible) == 1:
            self.decision["best"] = [feasible[0].name]
            self.decision["node"] = feasible[0].name
        elif feasible:
            self._score(feasible)

    def _score(self, feasible: list[Node]) -> None:
        by_plugin = self._weighted(feasible)
        totals = {node.name: 0 for node in feasible}
        for scores in by_plugin.values():
            for name, score in scores.items():
                totals[name] += score
        highest = max(totals.values())
        best = [name for name, total in totals.items() if total == highest]
        self.decision |= {"total": highest, "node": best[0]}
        if self.is_full:
            self.decision["best"] = best
            self.decision["scores"] = {
                name: {"total": total, "plugins": {p: s[name] for p, s in by_plugin.items()}}
                for name, total in totals.items()
            }

    def _weighted(self, feasible: list[Node]) -> dict[str, Scores]:
        """Plugin -> node -> normalised score times weight, of the plugins that do not skip."""
        result = {}
        for name, weight in self.profile.scores.items():
            plugin = self.plugins[name]
            if not plugin.skips_score(feasible):
                scores = plugin.normalise({node.name: plugin.score(node) for node in feasible})
                result[name] = {node: weight * score for node, score in scores.items()}
        return result

    def _preempt(self) -> None:
        """Noted if the pod may not preempt, or if it finds a node."""
        if not self.pod.may_preempt:
            self.decision["preemption"] = NOT_ELIGIBLE
            return
        found = preemption.candidates(self.cluster, self.pod, self.failures, self.filters)
        if found:
            best = [candidate.node.name for candidate in preemption.best(found)]
            self.decision["preemption"] = {
                "eligible": True,
                "candidates": {c.node.name: sorted(v.key for v in c.victims) for c in found},
                "best": best,
                "node": best[0],
            }
