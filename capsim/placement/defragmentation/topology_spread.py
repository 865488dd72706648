"""RemovePodsViolatingTopologySpreadConstraint: evict from domains that hold too many.

Rule: for each different hard constraint of a namespace, domains are put in order of their size;
from the largest, units go "to" the smallest as long as the two differ by more than maxSkew: half
of what is too much, but no domain falls below the average or rises above it. In a domain those go
first that may be evicted, have no selector or affinity, and are least important; one goes only if
a node of a domain below the average has room for it.
Source: kubernetes-sigs/descheduler, removepodsviolatingtopologyspreadconstraint plugin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from capsim.placement.defragmentation.snapshot import Snapshot
from capsim.placement.kubernetes import node_affinity, taint_toleration
from capsim.placement.kubernetes.chosen import Selector, selector
from capsim.scenario import Template, TopologySpreadConstraint
from capsim.scenario.spec import Spec

NAME = "RemovePodsViolatingTopologySpreadConstraint"


class RemovePodsViolatingTopologySpreadConstraint(Spec):
    """Spread units over the domains of their constraints again."""

    includes_soft_constraints: bool = False
    """Also those with ScheduleAnyway."""

    def evict(self, snapshot: Snapshot) -> None:
        """Evicts what unbalanced constraints have above the average."""
        chosen: dict[int, str] = {}
        for rule in self._rules(snapshot):
            domains = _domains(snapshot, rule)
            sizes = [len(units) for units in domains.values()]
            if sizes and max(sizes) - min(sizes) > rule.constraint.max_skew:
                for unit in _balance(snapshot, rule, domains):
                    chosen.setdefault(
                        unit, f"its domain of {rule.constraint.topology_key} is too full"
                    )
        for unit, why in chosen.items():
            snapshot.evict(unit, why)

    def _rules(self, snapshot: Snapshot) -> list[_Rule]:
        """Different constraints, each with its namespace and a template that states it."""
        found: dict[tuple[str, str, Selector], _Rule] = {}
        seen = dict.fromkeys((unit.namespace, unit.template) for unit in snapshot.units)
        for namespace, key in seen:
            template = snapshot.scenario.templates[key]
            for constraint in template.topology_spread_constraints:
                is_soft = constraint.when_unsatisfiable == "ScheduleAnyway"
                if is_soft and not self.includes_soft_constraints:
                    continue
                same = {
                    k: template.labels[k]
                    for k in constraint.match_label_keys
                    if k in template.labels
                }
                counted = selector(constraint.label_selector).and_labels(same)
                rule = _Rule(namespace, constraint, counted, template)
                found.setdefault((namespace, constraint.model_dump_json(), counted), rule)
        return list(found.values())


@dataclass(frozen=True)
class _Rule:
    namespace: str
    constraint: TopologySpreadConstraint
    counted: Selector
    template: Template

    def counts(self, snapshot: Snapshot, node: int) -> bool:
        """Whether the inclusion policies let a node count."""
        machine = snapshot.nodes[node]
        if self.constraint.node_affinity_policy == "Honor" and not node_affinity.matches(
            self.template, machine
        ):
            return False
        honours = self.constraint.node_taints_policy == "Honor"
        return not (honours and taint_toleration.repelling(self.template, machine))


def _domains(snapshot: Snapshot, rule: _Rule) -> dict[str, list[int]]:
    """Value of the topology key to the units that are counted there; empty ones too."""
    key = rule.constraint.topology_key
    domain = {
        n: node.labels[key]
        for n, node in enumerate(snapshot.nodes)
        if key in node.labels and rule.counts(snapshot, n)
    }
    found: dict[str, list[int]] = {value: [] for value in domain.values()}
    for unit in np.flatnonzero(snapshot.node_of >= 0).tolist():
        spec, node = snapshot.units[unit], int(snapshot.node_of[unit])
        if spec.namespace != rule.namespace or spec.terminating or node not in domain:
            continue
        if rule.counted.chooses(snapshot.labels(unit)):
            found[domain[node]].append(unit)
    return found


def _balance(snapshot: Snapshot, rule: _Rule, domains: dict[str, list[int]]) -> list[int]:
    """The units to evict so that the domains come within maxSkew of each other."""
    key, skew_allowed = rule.constraint.topology_key, rule.constraint.max_skew
    average = sum(map(len, domains.values())) / len(domains)
    ordered = sorted(domains.items(), key=lambda item: len(item[1]))
    small = {value for value, units in ordered if len(units) < average}
    takers = [n for n, node in enumerate(snapshot.nodes) if node.labels.get(key) in small]
    groups = [_in_order(snapshot, units) for _, units in ordered]
    chosen: list[int] = []
    low, high = 0, len(groups) - 1
    while low < high:
        if len(groups[high]) <= average:
            high -= 1
        skew = len(groups[high]) - len(groups[low])
        give = min(
            math.ceil(len(groups[high]) - average),
            math.ceil(average - len(groups[low])),
            math.ceil((skew - skew_allowed) / 2),
        )
        if skew <= skew_allowed or give <= 0:
            low += 1
            continue
        moved = groups[high][-give:]
        chosen += [unit for unit in moved if snapshot.fits_elsewhere(unit, takers)]
        groups[low], groups[high] = groups[low] + moved, groups[high][:-give]
    return chosen


def _in_order(snapshot: Snapshot, units: list[int]) -> list[int]:
    """Those that stay first: protected ones, then with selector or affinity, then by priority."""

    def rank(unit: int) -> tuple[bool, bool, int]:
        template = snapshot.template(unit)
        affinity = template.affinity
        choosy = bool(
            template.node_selector
            or affinity.node_affinity
            or affinity.pod_affinity
            or affinity.pod_anti_affinity
        )
        return snapshot.may_go(unit), not choosy, -template.priority

    return sorted(units, key=rank)
