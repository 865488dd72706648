"""What could be changed about a unit, one thing at a time, so that more nodes take it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from capsim.placement.kubernetes import taint_toleration
from capsim.placement.kubernetes.answers import Answers, State
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.node_unschedulable import TAINT
from capsim.placement.kubernetes.probe import Variant
from capsim.placement.kubernetes.static import FILTERS
from capsim.placement.tables import told_amount
from capsim.scenario import (
    PODS,
    LabelSelector,
    PodAffinity,
    PodAffinityTerm,
    Taint,
    Template,
    Toleration,
    TopologySpreadConstraint,
)
from capsim.topology import Int64

_MOST_OF_A_KIND = 12


@dataclass(frozen=True)
class Change:
    """A variant, and the words for it: what is changed, as the beginning of a sentence."""

    words: str
    variant: Variant


def changes(engine: Engine, state: State, offered: Int64, answers: Answers) -> list[Change]:
    """Changes that touch what refuses a class of units, the smallest of each kind first."""
    template = engine.template(answers.row)
    refused = set(np.unique(answers.refusal).tolist())
    found: list[Change] = []
    static = {FILTERS[code - 1].NAME for code in refused if 0 < code <= len(FILTERS)}
    if "NodeUnschedulable" in static:
        found.append(_tolerating(template, TAINT, "uncordoning (or tolerating the cordon)"))
    if taint_toleration.NAME in static:
        found += _without_taints(engine, template, answers)
    if {"NodeAffinity", "NodeName"} & static or len(FILTERS) + 1 in refused:
        found += _without_node_rules(template)
    if refused & {-4, -5}:
        found += _looser_spread(engine, state, template, answers)
    if refused & {-6, -7}:
        found += _without_terms(template, refused)
    if -2 in refused:
        found += _asking_less(engine, state, offered, template, answers)
    return found


def _tolerating(template: Template, taint: Taint, words: str) -> Change:
    toleration = Toleration(key=taint.key, value=taint.value, effect=taint.effect)
    return Change(words, Variant(_with(template, tolerations=(*template.tolerations, toleration))))


def _with(template: Template, **changes: object) -> Template:
    return template.model_copy(update=changes)


def _without_taints(engine: Engine, template: Template, answers: Answers) -> Iterable[Change]:
    """A toleration of each taint that keeps the unit away, the one on most nodes first."""
    number = 1 + [plugin.NAME for plugin in FILTERS].index(taint_toleration.NAME)
    nodes, count = engine.topology.scenario.nodes, dict[Taint, int]()
    for n in np.flatnonzero(answers.refusal == number).tolist():
        taint = taint_toleration.repelling(template, nodes[n])
        if taint is not None:
            count[taint] = count.get(taint, 0) + 1
    for taint in sorted(count, key=lambda each: -count[each])[:_MOST_OF_A_KIND]:
        value = f"={taint.value}" if taint.value else ""
        on = f"{count[taint]:,} node{'' if count[taint] == 1 else 's'}"
        words = f"a toleration of the taint {taint.key}{value}:{taint.effect}, which is on {on},"
        yield _tolerating(template, taint, words)


def _without_node_rules(template: Template) -> Iterable[Change]:
    for key, value in list(template.node_selector.items())[:_MOST_OF_A_KIND]:
        rest = {k: v for k, v in template.node_selector.items() if k != key}
        words = f"dropping {key}={value} from its nodeSelector"
        yield Change(words, Variant(_with(template, node_selector=rest)))
    affinity = template.affinity.node_affinity
    if affinity is not None and affinity.required is not None:
        loose = affinity.model_copy(update={"required": None})
        without = template.affinity.model_copy(update={"node_affinity": loose})
        words = "dropping its required node affinity"
        yield Change(words, Variant(_with(template, affinity=without)))
    if template.node_name is not None:
        words = f"not asking for the node {template.node_name} by name"
        yield Change(words, Variant(_with(template, node_name=None)))


def _looser_spread(
    engine: Engine, state: State, template: Template, answers: Answers
) -> Iterable[Change]:
    """A larger maxSkew, a smaller minDomains, or no constraint, for each hard constraint."""
    constraints = template.topology_spread_constraints
    hard = [at for at, each in enumerate(constraints) if each.when_unsatisfiable == "DoNotSchedule"]
    for which, at in enumerate(hard):
        own = constraints[at]
        key = own.topology_key
        if own.min_domains and own.min_domains > 1:
            words = f"minDomains 1 instead of {own.min_domains} over {key}"
            yield _spread(template, at, own.model_copy(update={"min_domains": 1}), words)
        for skew in _skews(engine, state, answers, which):
            words = f"maxSkew {skew} instead of {own.max_skew} over {key}"
            yield _spread(template, at, own.model_copy(update={"max_skew": skew}), words)
        words = f"making its spread over {key} soft (ScheduleAnyway)"
        soft = {"when_unsatisfiable": "ScheduleAnyway", "min_domains": None}
        yield _spread(template, at, own.model_copy(update=soft), words)


def _spread(template: Template, at: int, by: TopologySpreadConstraint, words: str) -> Change:
    constraints = list(template.topology_spread_constraints)
    constraints[at] = by
    return Change(words, Variant(_with(template, topology_spread_constraints=tuple(constraints))))


def _skews(engine: Engine, state: State, answers: Answers, which: int) -> list[int]:
    """The skews, above the allowed one, that the unit would make somewhere; smallest first."""
    rows, asks, counts = engine.counters.rows, engine.counters.asks, state.counts
    at = int(asks.hard_start[answers.row]) + which
    if at >= int(asks.hard_start[answers.row + 1]):
        return []
    q = int(asks.hard_row[at])
    domain = rows.domain[rows.key[q]]
    enough = rows.domains[q] >= asks.hard_domains[at]
    lowest = int(counts.lowest[q]) if enough else 0
    held = counts.number[rows.start[q] + domain[domain >= 0]]
    skews = np.unique(held + asks.hard_self[at] - lowest)
    found: list[int] = skews[skews > asks.hard_skew[at]][:_MOST_OF_A_KIND].tolist()
    return found


def _without_terms(template: Template, refused: set[int]) -> Iterable[Change]:
    """Without each required term of affinity or anti-affinity."""
    kinds = (("pod_affinity", "affinity", -6), ("pod_anti_affinity", "anti-affinity", -7))
    for name, noun, code in kinds:
        affinity: PodAffinity | None = getattr(template.affinity, name)
        if affinity is None or code not in refused:
            continue
        for term in affinity.required[:_MOST_OF_A_KIND]:
            words = f"dropping its {noun} to {_who(term)} over {term.topology_key}"
            without = template.affinity.model_copy(update={name: _without(affinity, term)})
            yield Change(words, Variant(_with(template, affinity=without)))


def _without(affinity: PodAffinity, term: PodAffinityTerm) -> PodAffinity:
    rest = tuple(each for each in affinity.required if each is not term)
    return affinity.model_copy(update={"required": rest})


def _who(term: PodAffinityTerm) -> str:
    return print_selector(term.label_selector)


def print_selector(stated: LabelSelector | None) -> str:
    """A label selector as kubectl writes it: "app=web,tier in (a,b)"."""
    if stated is None:
        return "nothing"
    parts = [f"{key}={value}" for key, value in stated.match_labels.items()]
    for each in stated.match_expressions:
        named = {"In": "in", "NotIn": "notin"}.get(each.operator)
        if named:
            parts.append(f"{each.key} {named} ({','.join(each.values)})")
        else:
            parts.append(each.key if each.operator == "Exists" else f"!{each.key}")
    return ",".join(parts) or "everything"


def _asking_less(
    engine: Engine, state: State, offered: Int64, template: Template, answers: Answers
) -> Sequence[Change]:
    """Less of one resource, as much as is free on the node that has most of it."""
    short = np.flatnonzero(answers.refusal == -2)
    names, checked = engine.topology.resources, engine.checked(answers.row)
    found = []
    for r in np.flatnonzero(answers.short[short].any(axis=0)).tolist():
        alone = short[answers.short[short].sum(axis=1) == answers.short[short, r]]
        free = (offered[alone, r] - state.used[alone, r])[answers.short[alone, r]]
        most = int(free.max(initial=0))
        if most <= 0 or names[r] == PODS:
            continue
        was, now = told_amount(names[r], int(checked[r])), told_amount(names[r], most)
        words = f"requesting {now} instead of {was.partition(' of ')[0]}"
        found.append(Change(words, Variant(template, {r: most})))
    return found
