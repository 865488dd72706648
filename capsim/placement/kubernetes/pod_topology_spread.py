"""PodTopologySpread: units of a kind are spread over the domains of a topology key.

Rule: a hard constraint (DoNotSchedule) refuses a node whose domain, with the unit, would hold
more than maxSkew units above the emptiest domain; nodes without the key are refused for good.
Domains and their units are counted on nodes that have the keys of all hard constraints and that
pass the inclusion policies; with fewer domains than minDomains the emptiest counts 0. Soft
constraints (ScheduleAnyway) score: the sum over the keys of count * ln(domains + 2) + maxSkew - 1,
fewer is better. Units that state no constraint get the profile's, with the selectors of the
services that select them and of their owner. Source: Kubernetes 1.34, podtopologyspread plugin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from capsim.placement.kubernetes.chosen import Selector, equal_labels, selector
from capsim.scenario import (
    Scenario,
    SchedulerProfile,
    Service,
    Template,
    TopologySpreadConstraint,
    Unit,
    Workload,
)
from capsim.scenario.node import HOSTNAME_LABEL, ZONE_LABEL

NAME = "PodTopologySpread"
REASON = "node(s) didn't match pod topology spread constraints"
REASON_LABEL = f"{REASON} (missing required label)"
SYSTEM_CONSTRAINTS = (
    TopologySpreadConstraint(
        max_skew=3, topology_key=HOSTNAME_LABEL, when_unsatisfiable="ScheduleAnyway"
    ),
    TopologySpreadConstraint(
        max_skew=5, topology_key=ZONE_LABEL, when_unsatisfiable="ScheduleAnyway"
    ),
)
_HASH_LABEL = "pod-template-hash"
_WITH_SELECTOR = ("ReplicaSet", "StatefulSet", "ReplicationController", "Deployment")


@dataclass(frozen=True)
class Spread:
    """A constraint of a unit, with what it counts."""

    stated: TopologySpreadConstraint
    selector: Selector

    @property
    def is_hard(self) -> bool:
        """Whether it refuses nodes; a soft one scores."""
        return self.stated.when_unsatisfiable == "DoNotSchedule"


def constraints(
    template: Template, labels: Mapping[str, str], default: Selector, profile: SchedulerProfile
) -> tuple[Spread, ...]:
    """The constraints of a unit with these labels: its own, or else the profile's."""
    own = template.topology_spread_constraints
    if own:
        return tuple(_own(each, labels) for each in own)
    if default.is_empty or default.is_null:
        return ()
    return tuple(Spread(each, default) for each in defaults(profile))


def _own(stated: TopologySpreadConstraint, labels: Mapping[str, str]) -> Spread:
    same = {key: labels[key] for key in stated.match_label_keys if key in labels}
    return Spread(stated, selector(stated.label_selector).and_labels(same))


def defaults(profile: SchedulerProfile) -> tuple[TopologySpreadConstraint, ...]:
    """The constraints of units that state none."""
    if profile.system_default_constraints:
        return SYSTEM_CONSTRAINTS
    return profile.default_constraints


def needs_all_keys(template: Template, profile: SchedulerProfile) -> bool:
    """Whether nodes that lack a soft key are left out; not so for the built-in constraints."""
    return bool(template.topology_spread_constraints) or not profile.system_default_constraints


class DefaultSelectors:
    """What units belong to, by services and owners: what the profile's constraints count."""

    def __init__(self, scenario: Scenario) -> None:
        self._services: dict[str, list[Service]] = {}
        for service in scenario.services:
            if service.selector:
                self._services.setdefault(service.namespace, []).append(service)
        self._owners: dict[tuple[str, str], Workload] = {
            (each.namespace, f"{each.kind}/{each.name}"): each
            for each in scenario.workloads
            if each.kind in _WITH_SELECTOR and each.selector is not None
        }

    @property
    def keys(self) -> Iterable[str]:
        """Labels that any of the selectors looks at."""
        for services in self._services.values():
            for service in services:
                yield from service.selector
        for owner in self._owners.values():
            yield from selector(owner.selector).keys
            yield _HASH_LABEL

    def owner(self, unit: Unit) -> str:
        """The unit's owner where its selector counts, else nothing."""
        return unit.owner if (unit.namespace, unit.owner) in self._owners else ""

    def of(self, namespace: str, owner: str, labels: Mapping[str, str]) -> Selector:
        """The selectors of a unit's services, merged, and of its owner."""
        merged: dict[str, str] = {}
        for service in self._services.get(namespace, ()):
            if service.selector.items() <= labels.items():
                merged |= service.selector
        return Selector(equal_labels(merged) | self._of_owner(namespace, owner, labels).parts)

    def _of_owner(self, namespace: str, owner: str, labels: Mapping[str, str]) -> Selector:
        """A Deployment's units belong to the ReplicaSet of their template's hash."""
        workload = self._owners.get((namespace, owner))
        if workload is None:
            return Selector()
        chosen = selector(workload.selector)
        if workload.kind == "Deployment" and _HASH_LABEL in labels:
            return chosen.and_labels({_HASH_LABEL: labels[_HASH_LABEL]})
        return chosen
