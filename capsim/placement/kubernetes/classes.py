"""Classes of units: those that no plugin can tell apart.

Without topology terms a class is a template. Where selectors look at units, the namespace, the
labels that some selector looks at, the owner and whether the unit is terminating count too; and
what the volumes of a unit ask for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from capsim.placement.kubernetes import inter_pod_affinity, pod_topology_spread
from capsim.placement.kubernetes.chosen import Peer, Selector, selector
from capsim.placement.kubernetes.pod_topology_spread import DefaultSelectors
from capsim.placement.kubernetes.profiles import Profiles
from capsim.placement.kubernetes.storage import NOTHING, Needs, NeedsOfUnits
from capsim.scenario import PodAffinityTerm, Scenario, Template, Unit
from capsim.topology import Int64, Topology


@dataclass(frozen=True)
class Kind:
    """What the units of a class have in common."""

    template: int
    """Row in the topology."""
    peer: Peer
    default: Selector
    """What the profile's spread constraints count for them."""
    storage: Needs = NOTHING
    """What their volumes ask for."""


def kinds(
    topology: Topology, profiles: Profiles, needs: NeedsOfUnits | None = None
) -> tuple[list[Kind], Int64]:
    """The kinds of units that there are, and int64[U], the kind of each unit.

    needs: what the volumes of each unit ask for, where any has some.
    """
    scenario = topology.scenario
    if needs is None and not _has_terms(topology, profiles):
        rows, kind_of = np.unique(topology.unit_template, return_inverse=True)
        plain = Peer("", ())
        return [Kind(row, plain, Selector()) for row in rows.tolist()], kind_of.astype(np.int64)
    return _Kinds(scenario, topology, profiles, needs).of_units()


def _has_terms(topology: Topology, profiles: Profiles) -> bool:
    return any(
        template.topology_spread_constraints or inter_pod_affinity.is_stated(template)
        for template in topology.templates
    ) or _uses_defaults(topology.scenario, profiles)


def _uses_defaults(scenario: Scenario, profiles: Profiles) -> bool:
    stated = any(pod_topology_spread.defaults(profile) for profile in profiles.all)
    return stated and any(True for _ in DefaultSelectors(scenario).keys)


class _Kinds:
    def __init__(
        self,
        scenario: Scenario,
        topology: Topology,
        profiles: Profiles,
        needs: NeedsOfUnits | None,
    ) -> None:
        self._scenario = scenario
        self._needs = needs
        self._templates = topology.templates
        self._rows = topology.unit_template.tolist()
        self._uses_defaults = _uses_defaults(scenario, profiles)
        self._defaults = DefaultSelectors(scenario)
        keys = {key for template in self._templates for key in _keys(template)}
        self._keys = keys.union(self._defaults.keys) if self._uses_defaults else keys

    def of_units(self) -> tuple[list[Kind], Int64]:
        number: dict[Kind, int] = {}
        known: dict[tuple[object, ...], int] = {}
        kind_of = np.empty(len(self._rows), np.int64)
        for index, (unit, row) in enumerate(zip(self._scenario.units, self._rows, strict=True)):
            own = tuple(item for item in unit.labels.items() if item[0] in self._keys)
            owner = self._defaults.owner(unit) if self._uses_defaults else ""
            storage = self._needs.of(unit) if self._needs else NOTHING
            short = (row, unit.namespace, own, owner, unit.terminating, storage)
            if short not in known:
                kind = self._kind(unit, row, owner, storage)
                known[short] = number.setdefault(kind, len(number))
            kind_of[index] = known[short]
        return list(number), kind_of

    def _kind(self, unit: Unit, row: int, owner: str, storage: Needs) -> Kind:
        template = self._templates[row]
        labels = {**template.labels, **unit.labels}
        seen = tuple(sorted((key, labels[key]) for key in self._keys & labels.keys()))
        default = Selector()
        if self._uses_defaults and not template.topology_spread_constraints:
            default = self._defaults.of(unit.namespace, owner, labels)
        return Kind(row, Peer(unit.namespace, seen, unit.terminating), default, storage)


def _keys(template: Template) -> Iterable[str]:
    """Labels at which the terms of a template look."""
    for constraint in template.topology_spread_constraints:
        yield from selector(constraint.label_selector).keys
        yield from constraint.match_label_keys
    for term in _terms(template):
        yield from selector(term.label_selector).keys


def _terms(template: Template) -> Iterable[PodAffinityTerm]:
    for affinity in (template.affinity.pod_affinity, template.affinity.pod_anti_affinity):
        if affinity is not None:
            yield from affinity.required
            yield from (each.pod_affinity_term for each in affinity.preferred)
