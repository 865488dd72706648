"""ResourceQuota: pods that the API server would not let a namespace create never enter the queue.

Rule: units that exist (they run, or have a time of creation) use the quotas of their namespace;
the others are admitted in the order in which they arrive, as long as no quota that covers them is
exceeded in something that they ask for. A quota on compute resources needs every container to
state them. Scopes choose which units a quota covers.
Source: Kubernetes 1.34, the resourcequota admission plugin and the pod evaluator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from capsim.scenario import (
    CPU,
    MEMORY,
    Container,
    Quota,
    QuotaScope,
    Scenario,
    Template,
    Unit,
    print_resource,
)
from capsim.scenario.requests import pod_limits, pod_requests
from capsim.units import parse_quantity

_COMPUTE = (
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
)
_COUNTS = ("pods", "count/pods")


def refused(scenario: Scenario) -> dict[int, str]:
    """Rows of the units that quotas keep from being created, and the words of the API server."""
    ledgers: dict[str, list[_Ledger]] = {}
    for quota in scenario.quotas:
        ledgers.setdefault(quota.namespace, []).append(_Ledger(quota))
    if not ledgers:
        return {}
    templates = {key: _Asked(template) for key, template in scenario.templates.items()}
    newcomers = []
    for row, unit in enumerate(scenario.units):
        if unit.namespace in ledgers:
            if unit.node is None and unit.created_s is None:
                newcomers.append((row, unit))
            elif not unit.terminating:
                for ledger in ledgers[unit.namespace]:
                    ledger.add(templates[unit.template])
    return dict(_admit(newcomers, templates, ledgers))


def _admit(
    newcomers: Iterable[tuple[int, Unit]],
    templates: Mapping[str, _Asked],
    ledgers: Mapping[str, list[_Ledger]],
) -> Iterable[tuple[int, str]]:
    for row, unit in newcomers:
        asked = templates[unit.template]
        covering = [each for each in ledgers[unit.namespace] if each.covers(asked)]
        objection = next(filter(None, (each.objection(asked) for each in covering)), "")
        if objection:
            yield row, objection
        else:
            for each in covering:
                each.add(asked)


class _Asked:
    """What a unit of a template uses of a quota, by the names that quotas have."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.use: dict[str, Fraction] = dict.fromkeys(_COUNTS, Fraction(1))
        for prefix, amounts in (
            ("requests.", pod_requests(template)),
            ("limits.", pod_limits(template)),
        ):
            for name, amount in amounts.items():
                value = Fraction(amount, 1000) if name == CPU else Fraction(amount)
                self.use[prefix + name] = value
                if prefix == "requests.":
                    self.use[name] = value

    @property
    def is_best_effort(self) -> bool:
        """Whether no container states cpu or memory."""
        containers = (*self.template.containers, *self.template.init_containers)
        stated = [amounts for c in containers for amounts in (c.requests, c.limits)]
        stated += [self.template.requests, self.template.limits]
        return not any(amounts.get(name) for amounts in stated for name in (CPU, MEMORY))

    def unstated(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Compute resources among the names to the containers that do not state them."""
        containers = (*self.template.init_containers, *self.template.containers)
        lacking = {
            name: [each.name for each in containers if not _states(self.template, each, name)]
            for name in names
            if name in _COMPUTE
        }
        return {name: lacks for name, lacks in lacking.items() if lacks}


def _states(template: Template, container: Container, name: str) -> bool:
    side, _, resource = name.rpartition(".")
    pairs = (
        (template.limits, container.limits)
        if side == "limits"
        else (
            template.requests,
            container.requests,
        )
    )
    return any(resource in amounts for amounts in pairs)


class _Ledger:
    """One quota, and what is used of it."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._hard = {name: Fraction(parse_quantity(text)) for name, text in quota.hard.items()}
        self._used = dict.fromkeys(self._hard, Fraction(0))

    def covers(self, asked: _Asked) -> bool:
        """Whether all scopes choose the unit, and the quota limits something that it uses."""
        chosen = all(_chooses(scope, asked) for scope in self._quota.scopes)
        return chosen and bool(self._hard.keys() & {*asked.use, *_COMPUTE})

    def add(self, asked: _Asked) -> None:
        """The unit is there."""
        if self.covers(asked):
            for name in self._hard.keys() & asked.use.keys():
                self._used[name] += asked.use[name]

    def objection(self, asked: _Asked) -> str:
        """Why the unit must not be created, in the API server's words, or nothing."""
        name = self._quota.name
        lacking = asked.unstated(sorted(self._hard))
        if lacking:
            told = "; ".join(f"{each} for: {','.join(who)}" for each, who in lacking.items())
            return f"failed quota: {name}: must specify {told}"
        over = sorted(
            each
            for each in self._hard.keys() & asked.use.keys()
            if asked.use[each] and self._used[each] + asked.use[each] > self._hard[each]
        )
        if not over:
            return ""
        requested, used, limited = (
            ",".join(f"{each}={_amount(each, amounts[each])}" for each in over)
            for amounts in (asked.use, self._used, self._hard)
        )
        return f"exceeded quota: {name}, requested: {requested}, used: {used}, limited: {limited}"


def _amount(name: str, value: Fraction) -> str:
    """An amount as a quota writes it: cores with m, bytes with Ki, Mi, ..., pieces as they are."""
    resource = name.rpartition(".")[2] if name.startswith(("requests.", "limits.")) else name
    whole = value * 1000 if resource == CPU else value
    return print_resource(resource, int(whole)) if whole.denominator == 1 else str(float(value))


def _chooses(scope: QuotaScope, asked: _Asked) -> bool:
    """Whether a scope chooses a unit; no unit is known to have a deadline (Terminating)."""
    template = asked.template
    if scope.name in ("BestEffort", "NotBestEffort"):
        return asked.is_best_effort == (scope.name == "BestEffort")
    if scope.name in ("Terminating", "NotTerminating"):
        return scope.name == "NotTerminating"
    if scope.name == "PriorityClass":
        found = template.priority_class_name
        return {
            "In": found in scope.values,
            "NotIn": bool(found) and found not in scope.values,
            "Exists": bool(found),
            "DoesNotExist": not found,
        }[scope.operator]
    return _looks_abroad(template)


def _looks_abroad(template: Template) -> bool:
    """CrossNamespacePodAffinity: a term that looks at namespaces which it names or selects."""
    affinities = (template.affinity.pod_affinity, template.affinity.pod_anti_affinity)
    return any(
        term.namespaces or term.namespace_selector is not None
        for affinity in affinities
        if affinity is not None
        for term in (*affinity.required, *(each.pod_affinity_term for each in affinity.preferred))
    )
