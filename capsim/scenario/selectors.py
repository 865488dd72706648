"""Labels and what chooses among them: selectors, affinities, taints and tolerations, spread.

The fields are those of the Kubernetes API of the same names, so a manifest validates as it is.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from capsim.scenario.spec import Spec

Labels = dict[str, str]
Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class Taint(Spec):
    """What a node repels."""

    key: str
    value: str = ""
    effect: Effect


class Toleration(Spec):
    """What a unit does not mind."""

    key: str = ""
    operator: Literal["Exists", "Equal", ""] = "Equal"
    value: str = ""
    effect: Effect | Literal[""] = ""
    toleration_seconds: int | None = None

    def tolerates(self, taint: Taint) -> bool:
        """Whether the taint is tolerated: effect and key equal or left empty, value compared."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        return self.operator == "Exists" or self.value == taint.value


class Requirement(Spec):
    """One condition on one label."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether the labels meet the condition; a missing key meets NotIn and DoesNotExist."""
        found = labels.get(self.key)
        match self.operator:
            case "In":
                return found is not None and found in self.values
            case "NotIn":
                return found is None or found not in self.values
            case "Exists":
                return found is not None
            case "DoesNotExist":
                return found is None
            case "Gt" | "Lt":
                return self._compares(found)

    def _compares(self, found: str | None) -> bool:
        mine, theirs = _integer(found), _integer(self.values[0] if self.values else None)
        if mine is None or theirs is None:
            return False
        return mine > theirs if self.operator == "Gt" else mine < theirs


def _integer(text: str | None) -> int | None:
    try:
        value = int(text) if text is not None and text.strip() == text and "_" not in text else None
    except ValueError:
        return None
    return value if value is not None and -(2**63) <= value < 2**63 else None


class LabelSelector(Spec):
    """Chooses units or namespaces by label; an empty one chooses all."""

    match_labels: Labels = {}
    match_expressions: tuple[Requirement, ...] = ()

    @field_validator("match_expressions")
    @classmethod
    def _set_operators(cls, value: tuple[Requirement, ...]) -> tuple[Requirement, ...]:
        for requirement in value:
            if requirement.operator in ("Gt", "Lt"):
                raise ValueError("a label selector knows In, NotIn, Exists and DoesNotExist")
        return value

    def matches(self, labels: Labels) -> bool:
        """Whether all labels and expressions match."""
        return all(labels.get(k) == v for k, v in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )


class NodeSelectorTerm(Spec):
    """Conditions on a node that all must hold; a term without any matches nothing."""

    match_expressions: tuple[Requirement, ...] = ()
    match_fields: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels, node: str) -> bool:
        """Whether a node of these labels and this name meets the term."""
        if not self.match_expressions and not self.match_fields:
            return False
        return all(r.matches(labels) for r in self.match_expressions) and all(
            r.matches({"metadata.name": node}) for r in self.match_fields
        )


class NodeSelector(Spec):
    """At least one of these terms must hold."""

    node_selector_terms: tuple[NodeSelectorTerm, ...] = ()

    def matches(self, labels: Labels, node: str) -> bool:
        """Whether any term holds."""
        return any(term.matches(labels, node) for term in self.node_selector_terms)


class PreferredNode(Spec):
    """A node term that is worth `weight` points."""

    weight: int = Field(ge=0, le=100)
    preference: NodeSelectorTerm


class NodeAffinity(Spec):
    """Which nodes a unit needs and which it likes."""

    required: NodeSelector | None = Field(default=None, alias=_REQUIRED)
    preferred: tuple[PreferredNode, ...] = Field(default=(), alias=_PREFERRED)


class PodAffinityTerm(Spec):
    """Other units that this one wants to be with, or apart from, within a topology domain."""

    topology_key: str = Field(min_length=1)
    label_selector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    match_label_keys: tuple[str, ...] = ()
    mismatch_label_keys: tuple[str, ...] = ()


class WeightedPodAffinityTerm(Spec):
    """A unit term that is worth `weight` points."""

    weight: int = Field(ge=0, le=100)
    pod_affinity_term: PodAffinityTerm


class PodAffinity(Spec):
    """Terms that must hold and terms that would be nice."""

    required: tuple[PodAffinityTerm, ...] = Field(default=(), alias=_REQUIRED)
    preferred: tuple[WeightedPodAffinityTerm, ...] = Field(default=(), alias=_PREFERRED)


class Affinity(Spec):
    """The three affinities of a unit."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class TopologySpreadConstraint(Spec):
    """How unevenly units may be spread over the domains of a topology key."""

    max_skew: int = Field(ge=1)
    topology_key: str = Field(min_length=1)
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    label_selector: LabelSelector | None = None
    min_domains: int | None = Field(default=None, ge=1)
    node_affinity_policy: Literal["Honor", "Ignore"] = "Honor"
    node_taints_policy: Literal["Honor", "Ignore"] = "Ignore"
    match_label_keys: tuple[str, ...] = ()
