"""Label selectors, node selector terms and tolerations."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

Labels = frozenset[tuple[str, str]]
INTEGER = re.compile(r"[+-]?\d+")


class Requirement(NamedTuple):
    """One expression: key, operator, values."""

    key: str
    operator: str
    values: frozenset[str]

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                return self._compares(value)
        raise ValueError(f"unknown operator {self.operator!r}")

    def _compares(self, value: str | None) -> bool:
        """Gt and Lt need integers on both sides."""
        (bound,) = self.values
        if value is None or not (INTEGER.fullmatch(value) and INTEGER.fullmatch(bound)):
            return False
        return int(value) > int(bound) if self.operator == "Gt" else int(value) < int(bound)


def requirements(expressions: Iterable[dict[str, Any]] | None) -> list[Requirement]:
    return [
        Requirement(e["key"], e["operator"], frozenset(e.get("values") or ()))
        for e in expressions or ()
    ]


def equalities(labels: Mapping[str, str] | None) -> list[Requirement]:
    return [Requirement(key, "In", frozenset([value])) for key, value in (labels or {}).items()]


class LabelSelector:
    """The AND of its requirements; the empty one matches everything.

    What it answered is remembered by label set. Equal selectors are one object (`selector`).
    """

    def __init__(self, parts: tuple[Requirement, ...]) -> None:
        self.parts = parts
        self._answers: dict[Labels, bool] = {}

    @property
    def is_empty(self) -> bool:
        return not self.parts

    def matches(self, labels: Labels) -> bool:
        answer = self._answers.get(labels)
        if answer is None:
            as_dict = dict(labels)
            answer = self._answers[labels] = all(part.matches(as_dict) for part in self.parts)
        return answer


class Nothing(LabelSelector):
    """The null selector: it matches nothing, not even with more requirements."""

    def matches(self, labels: Labels) -> bool:
        return False

    @property
    def is_empty(self) -> bool:
        return False


NOTHING = Nothing(())


@cache
def selector(parts: tuple[Requirement, ...]) -> LabelSelector:
    return LabelSelector(parts)


def label_selector(raw: dict[str, Any] | None) -> LabelSelector:
    """A metav1.LabelSelector; null matches nothing, {} everything."""
    if raw is None:
        return NOTHING
    parts = equalities(raw.get("matchLabels")) + requirements(raw.get("matchExpressions"))
    return selector(tuple(parts))


def with_labels(base: LabelSelector, labels: Mapping[str, str]) -> LabelSelector:
    """The selector that asks for these labels too (matchLabelKeys)."""
    if base is NOTHING or not labels:
        return base
    return selector(base.parts + tuple(equalities(labels)))


class NodeTerm:
    """One nodeSelectorTerm: expressions on labels AND fields; empty matches no node."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.expressions = requirements(raw.get("matchExpressions"))
        self.fields = requirements(raw.get("matchFields"))

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        if not self.expressions and not self.fields:
            return False
        return all(part.matches(labels) for part in self.expressions) and all(
            part.matches({"metadata.name": name}) for part in self.fields
        )

    def names(self) -> frozenset[str] | None:
        """The node names that the term allows by `metadata.name In`; None: it names none."""
        sets = [
            part.values
            for part in self.fields
            if part.key == "metadata.name" and part.operator == "In"
        ]
        return frozenset.intersection(*sets) if sets else None


class Taint(NamedTuple):
    key: str
    value: str
    effect: str


class Toleration(NamedTuple):
    key: str
    operator: str
    value: str
    effect: str

    def tolerates(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if self.operator == "Exists":
            return True
        return self.operator in ("", "Equal") and self.value == taint.value


def tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    return any(toleration.tolerates(taint) for toleration in tolerations)
