"""What units ask for and how much they matter: changed requests, another priority.

A template that changes makes its units anew, as a rollout does: they wait again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from capsim.errors import ModelError
from capsim.placement.result import Cluster, topology_of
from capsim.placement.whatif.selection import known, stated, units_of, waiting_again, workload_of
from capsim.scenario import CPU, MEMORY, Container, PriorityClass, Scenario, Template, Workload
from capsim.topology import Int64, Topology, compile_scenario

_MIRROR = "Node/"
_ARRAYS = ("request", "scoring_request", "accounted_request", "gpu_share", "priority")


def change_requests(
    topology: Cluster,
    factor: float,
    *,
    templates: Sequence[str] = (),
    namespaces: Sequence[str] = (),
    workload: str = "",
    resources: Sequence[str] = (CPU, MEMORY),
) -> Topology:
    """The cluster with requests multiplied by a factor; the units it concerns wait again.

    Each container's request is multiplied and rounded up to whole milli-cores or bytes. What
    states no request keeps none; overhead stays. A limit below the request is raised to it.

    Parameters: factor, above 0 and up to 100; templates, namespaces, workload (namespace/name):
    whom it concerns, all units that are in each of the selections given; resources by name.
    Raises: ModelError for a factor out of range or a name that is not there.

    >>> change_requests(topology, 1.2, namespaces=["shop"])
    """
    topology = topology_of(topology)
    if not 0 < factor <= 100:
        raise ModelError(f"requests are multiplied by {factor}, expected more than 0, up to 100.")
    known(resources, topology.resources, "resource")
    rows = _selected(topology, templates, namespaces, workload)
    if factor == 1 or not len(rows):
        return topology
    exact = Fraction(factor).limit_denominator(10**6)
    told = f"{factor:g} x {', '.join(resources)} of {len(rows):,} units, which are made anew"
    changed = remade(topology, rows, lambda template: _scaled(template, exact, resources))
    return _noted(changed, "requests changed", told)


def set_priority(topology: Cluster, workload: str, priority_class: PriorityClass) -> Topology:
    """The cluster with a workload in another priority class; its units are made anew and wait.

    Priority is fixed when a pod is made, so the change takes effect with new pods.

    Parameters: workload, as namespace/name; priority_class, which replaces one of its name.
    Raises: ModelError for an unknown workload, or a priority beyond 32 bits.

    >>> set_priority(topology, "shop/web", PriorityClass(name="gold", value=1000))
    """
    topology = topology_of(topology)
    name, value = priority_class.name, priority_class.value
    if not -(2**31) <= value < 2**31:
        raise ModelError(f"priority class {name} has the value {value}, expected 32 bits.")
    rows = units_of(topology, workload_of(topology, workload))
    fields = {
        "priority": value,
        "priority_class_name": name,
        "preemption_policy": priority_class.preemption_policy,
    }
    changed = remade(topology, rows, lambda template: template.model_copy(update=fields))
    classes = (each for each in topology.scenario.priority_classes if each.name != name)
    told = f"{workload} in {name} ({value:,}); its {len(rows):,} units are made anew"
    noted = _noted(changed, f"priority of {workload}", told)
    scenario = noted.scenario.model_copy(update={"priority_classes": (*classes, priority_class)})
    return noted.changed(scenario)


def remade(topology: Topology, rows: Int64, change: Callable[[Template], Template]) -> Topology:
    """The units in some rows from changed templates; they wait again.

    Static pods are left as they are. A template whose units all change keeps its key; of another
    one a second is made for those that do.
    """
    units = topology.scenario.units
    mirrors = [units[u].owner.startswith(_MIRROR) for u in rows.tolist()]
    rows = rows[~np.array(mirrors, np.bool_)]
    chosen = np.unique(topology.unit_template[rows]).tolist()
    keys = [topology.template_keys[t] for t in chosen]
    changed = {key: change(topology.scenario.templates[key]) for key in keys}
    of_all = np.bincount(topology.unit_template, minlength=len(topology.template_keys))
    of_these = np.bincount(topology.unit_template[rows], minlength=len(topology.template_keys))
    unit_node = topology.unit_node.copy()
    unit_node[rows] = -1
    listed = waiting_again(topology, rows)
    if (of_all[chosen] == of_these[chosen]).all():
        templates = {**topology.scenario.templates, **changed}
        update: dict[str, Any] = {"templates": templates, "units": listed}
        scenario = topology.scenario.model_copy(update=update)
        arrays = _template_arrays(topology, chosen, changed)
        if arrays is not None:
            return topology.changed(scenario, unit_node=unit_node, **arrays)
        return compile_scenario(scenario)
    return compile_scenario(_split(topology, rows, listed, changed))


def _template_arrays(
    topology: Topology, rows: list[int], changed: dict[str, Template]
) -> dict[str, Int64] | None:
    """The arrays over templates with some rows compiled anew; None where a resource is new."""
    alone = compile_scenario(Scenario(templates=changed))
    if not set(alone.resources) <= set(topology.resources):
        return None
    columns = [topology.column(name) for name in alone.resources]
    arrays = {name: getattr(topology, name).copy() for name in _ARRAYS}
    for name in ("request", "scoring_request"):
        arrays[name][rows] = 0
        arrays[name][np.ix_(rows, columns)] = getattr(alone, name)
    for name in _ARRAYS[2:]:
        arrays[name][rows] = getattr(alone, name)
    return arrays


def _split(
    topology: Topology, rows: Int64, listed: Sequence[Any], changed: dict[str, Template]
) -> Scenario:
    """Second templates for the units in the rows, beside those that the other units keep."""
    old = topology.scenario
    new_key = {key: _free_key(key, old.templates) for key in changed}
    units = list(listed)
    for u in rows.tolist():
        units[u] = units[u].model_copy(update={"template": new_key[units[u].template]})
    owners = {(units[u].namespace, units[u].owner): units[u].template for u in rows.tolist()}
    return old.model_copy(
        update={
            "templates": {**old.templates, **{new_key[key]: t for key, t in changed.items()}},
            "units": tuple(units),
            "workloads": tuple(_moved(each, owners) for each in old.workloads),
        }
    )


def _moved(workload: Workload, owners: dict[tuple[str, str], str]) -> Workload:
    key = owners.get((workload.namespace, f"{workload.kind}/{workload.name}"))
    return workload.model_copy(update={"template": key}) if key else workload


def _free_key(key: str, taken: dict[str, Template]) -> str:
    number = next(n for n in range(1, len(taken) + 2) if f"{key}+{n}" not in taken)
    return f"{key}+{number}"


def _selected(
    topology: Topology, templates: Sequence[str], namespaces: Sequence[str], workload: str
) -> Int64:
    scenario = topology.scenario
    chosen = np.ones(len(scenario.units), np.bool_)
    if templates:
        known(templates, scenario.templates, "template")
        is_named = np.array([key in templates for key in topology.template_keys], np.bool_)
        chosen &= is_named[topology.unit_template]
    if namespaces:
        of = [unit.namespace for unit in scenario.units]
        known(namespaces, set(of), "namespace with units")
        chosen &= np.array([name in namespaces for name in of], np.bool_)
    if workload:
        owned = np.zeros(len(chosen), np.bool_)
        owned[units_of(topology, workload_of(topology, workload))] = True
        chosen &= owned
    return np.flatnonzero(chosen)


def _scaled(template: Template, factor: Fraction, resources: Sequence[str]) -> Template:
    def scale(asked: Container) -> Container:
        return asked.model_copy(update=_amounts(asked, factor, resources))

    return template.model_copy(
        update={
            "containers": tuple(scale(each) for each in template.containers),
            "init_containers": tuple(scale(each) for each in template.init_containers),
            **_amounts(template, factor, resources),
        }
    )


def _amounts(
    asked: Container | Template, factor: Fraction, resources: Sequence[str]
) -> dict[str, dict[str, int]]:
    requests = {
        name: math.ceil(amount * factor) if name in resources else amount
        for name, amount in asked.requests.items()
    }
    limits = {name: max(limit, requests.get(name, 0)) for name, limit in asked.limits.items()}
    return {"requests": requests, "limits": limits}


def _noted(topology: Topology, name: str, value: str) -> Topology:
    assumptions = stated(topology.scenario, name, value)
    scenario = topology.scenario.model_copy(update={"assumptions": assumptions})
    if topology.basis is None:
        return dataclasses.replace(topology, scenario=scenario)
    return topology.changed(scenario)
