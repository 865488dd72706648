"""Which units a term means: a selector and the namespaces it looks at, in a form to compare.

Equal choices are equal values, so that terms which mean the same units share one counter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from capsim.scenario import Labels, LabelSelector, Namespace, PodAffinityTerm

_NAME_LABEL = "kubernetes.io/metadata.name"
Part = tuple[str, str, frozenset[str]]


@dataclass(frozen=True)
class Selector:
    """The AND of some conditions on labels: (key, operator, values) each."""

    parts: frozenset[Part] = frozenset()
    is_null: bool = False
    """Chooses nothing, as a selector that is not stated does."""

    @property
    def is_empty(self) -> bool:
        """Whether there is no condition, so that everything is chosen."""
        return not self.parts and not self.is_null

    def chooses(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet all conditions."""
        return not self.is_null and all(_holds(part, labels) for part in self.parts)

    def and_labels(self, labels: Mapping[str, str]) -> Selector:
        """The same with some labels asked for in addition; nothing stays nothing."""
        return self if self.is_null else Selector(self.parts | equal_labels(labels))

    @property
    def keys(self) -> Iterable[str]:
        """Labels that are looked at."""
        return (key for key, _, _ in self.parts)


def selector(stated: LabelSelector | None) -> Selector:
    """A label selector of the scenario."""
    if stated is None:
        return Selector(is_null=True)
    expressions = ((r.key, r.operator, frozenset(r.values)) for r in stated.match_expressions)
    return Selector(equal_labels(stated.match_labels) | frozenset(expressions))


def equal_labels(labels: Mapping[str, str]) -> frozenset[Part]:
    """Conditions that ask for these labels."""
    return frozenset((key, "In", frozenset((value,))) for key, value in labels.items())


def _holds(part: Part, labels: Mapping[str, str]) -> bool:
    key, operator, values = part
    found = labels.get(key)
    match operator:
        case "In":
            return found is not None and found in values
        case "NotIn":
            return found is None or found not in values
        case "Exists":
            return found is not None
        case _:
            return found is None


@dataclass(frozen=True)
class Choice:
    """Units of some namespaces that all the selectors choose."""

    namespaces: frozenset[str]
    selectors: frozenset[Selector]
    leaves_out_terminating: bool = False

    def means(self, peer: Peer) -> bool:
        """Whether the unit is one of them."""
        if peer.namespace not in self.namespaces:
            return False
        if self.leaves_out_terminating and peer.terminating:
            return False
        labels = dict(peer.labels)
        return all(each.chooses(labels) for each in self.selectors)


@dataclass(frozen=True)
class Peer:
    """What others see of a unit."""

    namespace: str
    labels: tuple[tuple[str, str], ...]
    """Sorted; only those that some selector looks at."""
    terminating: bool = False


class Namespaces:
    """The namespaces that have units, with their labels."""

    def __init__(self, names: Iterable[str], declared: Iterable[Namespace]) -> None:
        self._labels: dict[str, Labels] = {name: {_NAME_LABEL: name} for name in names}
        for namespace in declared:
            if namespace.name in self._labels:
                own = {_NAME_LABEL: namespace.name, **namespace.labels}
                self._labels[namespace.name] = own

    def of(self, term: PodAffinityTerm, owner: str, *, incoming: bool) -> frozenset[str]:
        """The namespaces that an affinity term of a unit in the namespace `owner` looks at.

        For an incoming unit the scheduler replaces the namespaceSelector by the names that it
        chooses, yet asks it once more about no labels at all: where it chooses those, every
        namespace counts. Source: Kubernetes 1.34, interpodaffinity plugin.
        """
        if not term.namespaces and term.namespace_selector is None:
            return frozenset((owner,))
        chooser = selector(term.namespace_selector)
        if incoming and chooser.chooses({}):
            return frozenset(self._labels)
        chosen = (name for name, labels in self._labels.items() if chooser.chooses(labels))
        return frozenset((*term.namespaces, *chosen))
