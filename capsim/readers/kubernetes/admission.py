"""What an API server fills in when it admits a pod that was made from a manifest.

Limits stand in for missing requests, LimitRanges give defaults, a priority class becomes a number,
a runtime class brings overhead, and matchLabelKeys join the selectors of pod (anti-)affinity.
Source: Kubernetes 1.34, pkg/apis/core/v1/defaults.go and plugin/pkg/admission.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from capsim.scenario import (
    Affinity,
    Labels,
    LabelSelector,
    PodAffinity,
    PodAffinityTerm,
    PriorityClass,
    Requirement,
    Toleration,
    WeightedPodAffinityTerm,
)

Amounts = dict[str, int]

_POD_LEVEL = ("cpu", "memory")
BUILT_IN_PRIORITIES = {
    "system-cluster-critical": PriorityClass(name="system-cluster-critical", value=2_000_000_000),
    "system-node-critical": PriorityClass(name="system-node-critical", value=2_000_001_000),
}


@dataclass
class Runtime:
    """What a RuntimeClass adds to its pods."""

    overhead: Amounts = field(default_factory=dict)
    node_selector: Labels = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


@dataclass
class Admission:
    """The rules of a cluster for new pods, as far as the input states them."""

    limit_defaults: dict[str, Amounts] = field(default_factory=dict)
    """By namespace: limits of containers that state none."""
    request_defaults: dict[str, Amounts] = field(default_factory=dict)
    """By namespace: requests of containers that state none."""
    priorities: dict[str, PriorityClass] = field(default_factory=lambda: dict(BUILT_IN_PRIORITIES))
    runtimes: dict[str, Runtime] = field(default_factory=dict)
    unknown_priorities: set[str] = field(default_factory=set)
    """Names of classes that pods ask for and the input does not hold."""

    def add_defaults(self, namespace: str, limits: Amounts, requests: Amounts) -> None:
        """Adds the container defaults of a LimitRange; the first of several wins."""
        for known, new in ((self.limit_defaults, limits), (self.request_defaults, requests)):
            known[namespace] = {**new, **known.get(namespace, {})}

    def container(
        self, namespace: str, requests: Amounts, limits: Amounts
    ) -> tuple[Amounts, Amounts]:
        """Requests and limits of a container after admission."""
        requests = {**limits, **requests}
        requests = {**self.request_defaults.get(namespace, {}), **requests}
        return requests, {**self.limit_defaults.get(namespace, {}), **limits}

    def priority(self, name: str) -> PriorityClass | None:
        """The class of a pod that names it; without a name the global default, if any."""
        if name:
            if name not in self.priorities:
                self.unknown_priorities.add(name)
            return self.priorities.get(name)
        defaults = [known for known in self.priorities.values() if known.global_default]
        return min(defaults, key=lambda known: known.value, default=None)


def pod_level(requests: Amounts, limits: Amounts, containers: list[Amounts]) -> Amounts:
    """Requests of the pod as a whole: its limits stand in where neither it nor a container asks."""
    asked = set(requests).union(*containers)
    return {**{name: v for name, v in limits.items() if name not in asked}, **requests}


def merged_label_keys(affinity: Affinity, labels: Labels) -> Affinity:
    """An affinity whose terms have their matchLabelKeys and mismatchLabelKeys as requirements."""
    return affinity.model_copy(
        update={
            "pod_affinity": _merged(affinity.pod_affinity, labels),
            "pod_anti_affinity": _merged(affinity.pod_anti_affinity, labels),
        }
    )


def _merged(affinity: PodAffinity | None, labels: Labels) -> PodAffinity | None:
    if affinity is None:
        return None
    preferred = tuple(
        WeightedPodAffinityTerm(
            weight=term.weight, pod_affinity_term=_term(term.pod_affinity_term, labels)
        )
        for term in affinity.preferred
    )
    required = tuple(_term(term, labels) for term in affinity.required)
    return affinity.model_copy(update={"required": required, "preferred": preferred})


def _term(term: PodAffinityTerm, labels: Labels) -> PodAffinityTerm:
    if term.label_selector is None:
        return term
    same = [key for key in term.match_label_keys if key in labels]
    other = [key for key in term.mismatch_label_keys if key in labels]
    selector = LabelSelector(
        match_labels=term.label_selector.match_labels,
        match_expressions=(
            *term.label_selector.match_expressions,
            *(Requirement(key=key, operator="In", values=(labels[key],)) for key in same),
            *(Requirement(key=key, operator="NotIn", values=(labels[key],)) for key in other),
        ),
    )
    return term.model_copy(update={"label_selector": selector})
