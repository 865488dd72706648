"""Replays a recorded scheduler case: the same input, capsim's decisions, in the same words."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from capsim.errors import InputError, ModelError, Problem
from capsim.placement.kubernetes.answers import Answers
from capsim.placement.kubernetes.default_preemption import Outcome, Preemption
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.refusals import node_reasons, plugin, unresolvable
from capsim.placement.kubernetes.scores import plugin_scores
from capsim.placement.kubernetes.session import Choices, Session
from capsim.placement.kubernetes.static import NARROWED
from capsim.placement.kubernetes.unmodelled import unmodelled
from capsim.readers import kubernetes
from capsim.readers.estate import Content, Estate
from capsim.readers.kubernetes.scheduler_config import read_profiles
from capsim.scenario import Scenario
from capsim.topology import Int64, compile_scenario

_LISTS = (
    "namespaces",
    "services",
    "replicasets",
    "statefulsets",
    "pdbs",
    "storageclasses",
    "csinodes",
    "csidrivers",
    "csistoragecapacities",
    "persistentvolumes",
    "persistentvolumeclaims",
    "nodes",
    "pods",
)
_OWNERS = ("ReplicaSet", "StatefulSet", "ReplicationController")
_NO_TEMPLATE = {"spec": {"containers": [{"name": "none"}]}}
_NOT_ELIGIBLE = {"eligible": False, "candidates": None, "best": None, "node": ""}
#: What makes pods for one node each.
_TYING_OWNERS = ("DaemonSet", "Node")
_UNRESOLVABLE, _PLAIN = "UnschedulableAndUnresolvable", "Unschedulable"


def replay(case: dict[str, Any]) -> tuple[list[dict[str, Any]], float]:
    """The decisions of one case, and the seconds spent deciding.

    Raises: InputError if the case cannot be read; ModelError if it needs a plugin that this
    version does not model.
    """
    scenario = _scenario(case)
    _refuse_unmodelled(scenario)
    topology = compile_scenario(scenario)
    engine = Engine(topology, scenario.profile)
    row_of = {unit.key: row for row, unit in enumerate(scenario.units)}
    pending, running = (
        np.array([row_of[_key(pod)] for pod in case[part]], np.int64)
        for part in ("pending", "pods")
    )
    session = Session(engine, engine.initial(topology.allocatable), pending, running)
    decide = _Full(session) if case.get("detail") == "full" else _Compact(session)
    started = time.perf_counter()
    decisions = decide.of(pending)
    return decisions, time.perf_counter() - started


def _scenario(case: dict[str, Any]) -> Scenario:
    """The case as a scenario; its objects are as an API server stored them."""
    name = str(case.get("name", "case"))
    try:
        objects = [item for part in _LISTS for item in case.get(part) or ()]
        wished = {_key(pod): pod["spec"].get("nodeName") for pod in case["pending"]}
        stored = [_stored(item) for item in (*objects, *map(_unbound, case["pending"]))]
    except (KeyError, TypeError, AttributeError):
        raise InputError(
            Problem(name, "a case of another shape", "lists of objects, and pending")
        ) from None
    estate = Estate()
    kubernetes.read([Content(name, item) for item in stored], estate)
    profile, *others = read_profiles(case.get("config") or {}, name).values()
    scenario = estate.scenario(name).replace(profile=profile, other_profiles=tuple(others))
    return _wishing(scenario, {key: node for key, node in wished.items() if node})


def _stored(item: dict[str, Any]) -> dict[str, Any]:
    """As stored; a DaemonSet's pod keeps the affinity that ties it to its node.

    Owners of pods want no more pods than the case has.
    """
    metadata = {"uid": "recorded", **item["metadata"]}
    owners = metadata.get("ownerReferences") or ()
    kept = [owner for owner in owners if owner.get("kind") not in _TYING_OWNERS]
    stored = {**item, "metadata": {**metadata, "ownerReferences": kept}}
    if item.get("kind") in _OWNERS:
        stored["spec"] = {"template": _NO_TEMPLATE, **(item.get("spec") or {}), "replicas": 0}
    return stored


def _unbound(pod: dict[str, Any]) -> dict[str, Any]:
    return {**pod, "spec": {**pod["spec"], "nodeName": None}}


def _wishing(scenario: Scenario, wished: dict[str, str]) -> Scenario:
    """With the nodes that pending pods name: they ask for them, and do not run there yet."""
    if not wished:
        return scenario
    templates, units = dict(scenario.templates), []
    for unit in scenario.units:
        if unit.key in wished:
            wish = {"node_name": wished[unit.key]}
            key = f"{unit.template} on {wished[unit.key]}"
            templates[key] = scenario.templates[unit.template].model_copy(update=wish)
            unit = unit.model_copy(update={"template": key})
        units.append(unit)
    return scenario.replace(templates=templates, units=tuple(units))


def _key(pod: dict[str, Any]) -> str:
    return f"{pod['metadata'].get('namespace', 'default')}/{pod['metadata']['name']}"


def _refuse_unmodelled(scenario: Scenario) -> None:
    known = {profile.scheduler_name for profile in (scenario.profile, *scenario.other_profiles)}
    for key, template in scenario.templates.items():
        asked = unmodelled(template)
        if asked:
            raise ModelError(f"{key}: {' and '.join(asked)} are not modelled yet.")
        if template.volumes and not scenario.claims:
            raise ModelError(f"{key}: its claims need persistentvolumeclaims in the case.")
        if template.scheduler_name not in known:
            name = template.scheduler_name
            raise ModelError(f"{key}: the configuration has no scheduler {name!r}.")


class _Decisions:
    """Decides unit by unit, and keeps the words that a recording has."""

    def __init__(self, session: Session) -> None:
        self.session, self.engine = session, session.engine
        self.scenario = session.engine.topology.scenario
        self.names = [node.name for node in self.scenario.nodes]
        self.preemption = Preemption(session)
        self._prefilter = [self._conflict(c) for c in range(self.engine.asking)]

    def _conflict(self, c: int) -> dict[str, Any] | None:
        """What rejects a class before any node is looked at."""
        found = self.engine.rejection(c)
        if found is None:
            return None
        return {"plugin": found[0], "reasons": [found[1]], "code": _UNRESOLVABLE}

    def key(self, unit: int) -> str:
        return self.scenario.units[unit].key

    def preempted(
        self, c: int, decision: dict[str, Any], answers: Answers | None = None
    ) -> tuple[int, ...]:
        """Notes what evictions could do for a unit that fits nowhere; the units to evict."""
        if not self.engine.profile_of(c).preemption:
            return ()
        if self.engine.template(c).preemption_policy == "Never":
            decision["preemption"] = dict(_NOT_ELIGIBLE)
            return ()
        found = self.preemption.outcome(c, answers)
        if not found.candidates:
            return ()
        decision["preemption"] = self._words(found)
        return found.best[0].victims

    def _words(self, found: Outcome) -> dict[str, Any]:
        best = [self.names[each.node] for each in found.best]
        return {
            "eligible": True,
            "candidates": {
                self.names[each.node]: sorted(self.key(unit) for unit in each.victims)
                for each in found.candidates
            },
            "best": best,
            "node": best[0],
        }

    def evict(self, victims: tuple[int, ...]) -> None:
        """Removes the victims, in the order in which a recording lists them."""
        for unit in sorted(victims, key=self.key):
            self.session.unbind(unit)


class _Compact(_Decisions):
    """Node, number of nodes that fit, and score."""

    def of(self, pending: Int64) -> list[dict[str, Any]]:
        """One decision for each unit."""
        decisions: list[dict[str, Any]] = []
        engine, may_stop = self.engine, self._may_stop()
        while len(decisions) < len(pending):
            units = pending[len(decisions) :]
            choices = self.session.place(units, may_stop)
            decisions += self._as_recorded(units, choices)
            last = decisions[-1]
            c = int(engine.class_of[units[len(choices.node) - 1]])
            if last["node"] is None and may_stop[c]:
                self._stopped(int(units[len(choices.node) - 1]), c, last)
        return decisions

    def _may_stop(self) -> Any:
        """Classes whose failure is worth a word, or an eviction."""
        engine = self.engine
        lowest = int(self.session.residents.priority.min(initial=2**31))

        def may(c: int) -> bool:
            is_never = engine.template(c).preemption_policy == "Never"
            preempts = is_never or self.session.priority(c) > lowest
            return self._prefilter[c] is not None or (engine.profile_of(c).preemption and preempts)

        return np.array([may(c) for c in range(engine.asking)], bool)

    def _stopped(self, unit: int, c: int, decision: dict[str, Any]) -> None:
        if self._prefilter[c]:
            decision["prefilter"] = self._prefilter[c]
        victims = self.preempted(c, decision)
        if victims:
            self.evict(victims)
            again = np.array([unit])
            decision["retry"] = self._as_recorded(again, self.session.place(again))[0]

    def _as_recorded(self, units: Int64, choices: Choices) -> list[dict[str, Any]]:
        keys = [self.key(unit) for unit in units[: len(choices.node)].tolist()]
        each = zip(
            keys, choices.node.tolist(), choices.fits.tolist(), choices.total.tolist(), strict=True
        )
        return [
            {
                "pod": key,
                "feasible": fits,
                **({"total": total} if fits > 1 else {}),
                **({"best": [self.names[node]]} if fits == 1 else {}),
                "node": self.names[node] if node >= 0 else None,
            }
            for key, node, fits, total in each
        ]


class _Full(_Decisions):
    """Everything: what every node said and scored."""

    def of(self, pending: Int64) -> list[dict[str, Any]]:
        """One decision for each unit."""
        return [self._decide(unit) for unit in pending.tolist()]

    def _decide(self, unit: int) -> dict[str, Any]:
        c = int(self.engine.class_of[unit])
        decision, answers = self._attempt(unit, c)
        if decision["node"] is None:
            victims = self.preempted(c, decision, answers)
            if victims:
                self.evict(victims)
                decision["retry"] = self._attempt(unit, c)[0]
        return decision

    def _attempt(self, unit: int, c: int) -> tuple[dict[str, Any], Answers]:
        answers = self.engine.evaluate(self.session.state, c)
        fits = np.flatnonzero(answers.refusal == 0)
        decision: dict[str, Any] = {"pod": self.key(unit)}
        if self._prefilter[c]:
            decision["prefilter"] = self._prefilter[c]
        elif len(fits) < len(self.names):
            decision["filtered"] = self._filtered(answers)
        decision["feasible"] = len(fits)
        chosen = self._scored(answers, fits, decision)
        decision["node"] = None if chosen is None else self.names[chosen]
        if chosen is not None:
            self.session.bind(unit, chosen)
        return decision, answers

    def _filtered(self, answers: Answers) -> dict[str, Any]:
        """Node to plugin, reasons and code, for every node that refused."""
        reasons = node_reasons(self.engine, answers)
        final = unresolvable(self.engine, self.session.state.offered, answers)
        return {
            name: _outside()
            if answers.refusal[n] == NARROWED
            else {
                "plugin": plugin(int(answers.refusal[n])),
                "reasons": list(reasons[n]),
                "code": _UNRESOLVABLE if final[n] else _PLAIN,
            }
            for n, name in enumerate(self.names)
            if answers.refusal[n] != 0
        }

    def _scored(self, answers: Answers, fits: Int64, decision: dict[str, Any]) -> int | None:
        """The node taken; adds scores and ties to the decision as a recording has them."""
        if len(fits) == 0:
            return None
        if len(fits) == 1:
            decision["best"] = [self.names[fits[0]]]
            return int(fits[0])
        scores = plugin_scores(self.engine, answers)
        total = np.sum([*scores.values(), np.zeros(len(self.names), np.int64)], axis=0)[fits]
        best = fits[total == total.max()]
        decision["scores"] = {
            self.names[n]: {
                "total": int(sum_),
                "plugins": {name: int(score[n]) for name, score in sorted(scores.items())},
            }
            for n, sum_ in zip(fits.tolist(), total.tolist(), strict=True)
        }
        decision["best"] = [self.names[n] for n in best]
        decision["total"] = int(total.max())
        return int(best[0])


def _outside() -> dict[str, Any]:
    return {"plugin": "PreFilterResult", "reasons": None, "code": _UNRESOLVABLE}
