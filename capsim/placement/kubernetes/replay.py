"""Replays a recorded scheduler case: the same input, capsim's decisions, in the same words."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from capsim.errors import InputError, ModelError, Problem
from capsim.placement.kubernetes import (
    gpu_share,
    node_affinity,
    node_ports,
    node_resources_fit,
)
from capsim.placement.kubernetes.engine import Answers, Engine
from capsim.placement.kubernetes.refusals import node_reasons, unresolvable
from capsim.placement.kubernetes.scores import plugin_scores
from capsim.placement.kubernetes.static import FILTERS
from capsim.placement.kubernetes.unmodelled import unmodelled
from capsim.readers import kubernetes
from capsim.readers.estate import Content, Estate
from capsim.readers.kubernetes.scheduler_config import read_profiles
from capsim.scenario import Scenario
from capsim.topology import Int64, Topology, compile_scenario

_LISTS = ("namespaces", "services", "replicasets", "statefulsets", "pdbs", "nodes", "pods")
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
    pending = np.array([row_of[_key(pod)] for pod in case["pending"]], np.int64)
    full = case.get("detail") == "full"
    started = time.perf_counter()
    decisions = _Decisions(engine, full).of(pending)
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
    profiles = read_profiles(case.get("config") or {}, name)
    if len(profiles) > 1:
        raise ModelError(f"{name}: several scheduler profiles in one case are not modelled yet.")
    scenario = estate.scenario(name).replace(profile=next(iter(profiles.values())))
    return _wishing(scenario, {key: node for key, node in wished.items() if node})


def _stored(item: dict[str, Any]) -> dict[str, Any]:
    """As stored; a DaemonSet's pod keeps the affinity that ties it to its node."""
    metadata = {"uid": "recorded", **item["metadata"]}
    owners = metadata.get("ownerReferences") or ()
    kept = [owner for owner in owners if owner.get("kind") not in _TYING_OWNERS]
    return {**item, "metadata": {**metadata, "ownerReferences": kept}}


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
    for key, template in scenario.templates.items():
        asked = unmodelled(template, scenario.profile)
        if asked:
            raise ModelError(f"{key}: {' and '.join(asked)} are not modelled yet.")
    if scenario.services and scenario.profile.system_default_constraints:
        raise ModelError("default topology spread of services is not modelled yet.")
    if _may_preempt(scenario):
        raise ModelError("preemption is not modelled yet.")


def _may_preempt(scenario: Scenario) -> bool:
    priorities = {template.priority for template in scenario.templates.values()}
    return scenario.profile.preemption and len(priorities) > 1


class _Decisions:
    """Decides unit by unit, and keeps the words that a recording has."""

    def __init__(self, engine: Engine, full: bool) -> None:
        self.engine, self.full = engine, full
        self.topology: Topology = engine.topology
        self.names = [node.name for node in engine.topology.scenario.nodes]
        self.nodes = engine.initial(engine.topology.allocatable)

    def of(self, pending: Any) -> list[dict[str, Any]]:
        """One decision for each unit."""
        return [self._decide(int(row)) for row in pending]

    def _decide(self, row: int) -> dict[str, Any]:
        unit = self.topology.scenario.units[row]
        template = int(self.topology.unit_template[row])
        answers = self.engine.evaluate(self.nodes, template)
        fits = np.flatnonzero(answers.refusal == 0)
        decision: dict[str, Any] = {"pod": unit.key}
        named = node_affinity.named_nodes(self.topology.scenario.templates[unit.template])
        if named is not None and not named:
            return {**decision, "prefilter": _conflict(), "feasible": 0, "node": None}
        if self.full and len(fits) < len(self.names):
            decision["filtered"] = self._filtered(named, answers)
        decision["feasible"] = len(fits)
        chosen = self._scored(row, answers, fits, decision)
        decision["node"] = None if chosen is None else self.names[chosen]
        if chosen is not None:
            self.engine.bind(self.nodes, template, chosen)
        return decision

    def _filtered(self, named: frozenset[str] | None, answers: Answers) -> dict[str, Any]:
        """Node to plugin, reasons and code, for every node that refused."""
        reasons = node_reasons(self.engine, answers)
        final = unresolvable(self.engine, self.nodes.offered, answers)
        return {
            name: _outside()
            if named is not None and name not in named
            else {
                "plugin": _plugin(int(answers.refusal[n])),
                "reasons": list(reasons[n]),
                "code": _UNRESOLVABLE if final[n] else _PLAIN,
            }
            for n, name in enumerate(self.names)
            if answers.refusal[n] != 0
        }

    def _scored(
        self, row: int, answers: Answers, fits: Int64, decision: dict[str, Any]
    ) -> int | None:
        """The node taken; adds scores and ties to the decision as a recording has them."""
        if len(fits) == 0:
            return None
        if len(fits) == 1:
            decision["best"] = [self.names[fits[0]]]
            return int(fits[0])
        template = self.topology.scenario.templates[self.topology.scenario.units[row].template]
        scores = plugin_scores(self.engine, template, answers)
        total = np.sum([*scores.values(), np.zeros(len(self.names), np.int64)], axis=0)[fits]
        best = fits[total == total.max()]
        if self.full:
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


def _conflict() -> dict[str, Any]:
    reasons = [node_affinity.REASON_CONFLICT]
    return {"plugin": node_affinity.NAME, "reasons": reasons, "code": _UNRESOLVABLE}


def _outside() -> dict[str, Any]:
    return {"plugin": "PreFilterResult", "reasons": None, "code": _UNRESOLVABLE}


def _plugin(refusal: int) -> str:
    if refusal > 0:
        return str(FILTERS[refusal - 1].NAME)
    return {-1: node_ports.NAME, -2: node_resources_fit.NAME, -3: gpu_share.NAME}[refusal]
