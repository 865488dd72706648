"""NodeAffinity: which nodes a unit needs, by node selector and affinity, and which it likes.

Rule: the profile's added affinity first, then every nodeSelector label and at least one required
term. Raw score: the weights of the preferred terms that match, normalised to the largest.
Where every required term names nodes (metadata.name), only those are looked at; names that
contradict each other refuse the unit outright. Source: Kubernetes 1.34, nodeaffinity plugin.
"""

from __future__ import annotations

from collections.abc import Iterable

from capsim.scenario import (
    Node,
    NodeAffinity,
    NodeSelectorTerm,
    PreferredNode,
    SchedulerProfile,
    Template,
)

NAME = "NodeAffinity"
REASON = "node(s) didn't match Pod's node affinity/selector"
REASON_ADDED = "node(s) didn't match scheduler-enforced node affinity"
REASON_CONFLICT = "pod affinity terms conflict"
#: Of nodes that are not even looked at, because names narrow the choice beforehand.
REASON_NARROWED = f"node(s) didn't satisfy plugin(s) [{NAME}]"


def refusal(template: Template, node: Node, profile: SchedulerProfile) -> str | None:
    """The reason for which the node is refused, or None."""
    added = profile.added_affinity
    enforced = added.required if added else None
    if enforced is not None and not enforced.matches(node.labels, node.name):
        return REASON_ADDED
    return None if matches(template, node) else REASON


def matches(template: Template, node: Node) -> bool:
    """Whether the node has the selected labels and meets a required term."""
    if not template.node_selector.items() <= node.labels.items():
        return False
    affinity = template.affinity.node_affinity
    if affinity is None or affinity.required is None:
        return True
    return affinity.required.matches(node.labels, node.name)


def raw_score(template: Template, node: Node, profile: SchedulerProfile) -> int:
    """Weights of the preferred terms that match the node."""
    return sum(
        term.weight
        for term in preferred(template, profile)
        if term.preference.matches(node.labels, node.name)
    )


def preferred(template: Template, profile: SchedulerProfile) -> tuple[PreferredNode, ...]:
    """Preferred terms of the unit and of the profile, without those of weight 0 or no condition."""
    terms = _preferred(template, profile)
    return tuple(term for term in terms if term.weight and _has_condition(term.preference))


def skips_score(template: Template, profile: SchedulerProfile) -> bool:
    """Whether no preferred term is stated at all, not even one that matches nothing."""
    return not _preferred(template, profile)


def _preferred(template: Template, profile: SchedulerProfile) -> list[PreferredNode]:
    stated = (template.affinity.node_affinity, profile.added_affinity)
    return [term for affinity in stated if affinity for term in affinity.preferred]


def is_stated(template: Template, profile: SchedulerProfile) -> bool:
    """Whether the filter has anything to look at."""
    affinity = template.affinity.node_affinity
    added = profile.added_affinity
    return bool(
        template.node_selector
        or (affinity and affinity.required is not None)
        or (added and added.required is not None)
    )


def named_nodes(template: Template) -> frozenset[str] | None:
    """The nodes that the required terms name, if every one of them does; else None."""
    affinity = template.affinity.node_affinity
    if affinity is None or affinity.required is None:
        return None
    terms = affinity.required.node_selector_terms
    sets = [_named(term) for term in terms]
    if not sets or any(each is None for each in sets):
        return None
    return frozenset(name for each in sets if each for name in each)


def is_contradictory(template: Template, profile: SchedulerProfile) -> bool:
    """Whether the names exclude each other, so that the unit is refused outright."""
    return profile.narrows_by_name and named_nodes(template) == frozenset()


def _named(term: NodeSelectorTerm) -> frozenset[str] | None:
    fields = [
        frozenset(field.values)
        for field in term.match_fields
        if field.key == "metadata.name" and field.operator == "In"
    ]
    return frozenset.intersection(*fields) if fields else None


def _has_condition(term: NodeSelectorTerm) -> bool:
    return bool(term.match_expressions or term.match_fields)


def label_keys(affinity: NodeAffinity | None) -> Iterable[str]:
    """Label keys that the affinity looks at; "metadata.name" where it names nodes."""
    if affinity is None:
        return
    required = affinity.required.node_selector_terms if affinity.required else ()
    for term in (*required, *(each.preference for each in affinity.preferred)):
        yield from (requirement.key for requirement in term.match_expressions)
        yield from (requirement.key for requirement in term.match_fields)
