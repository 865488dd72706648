"""The questions the slow, obvious way: change the objects of a scenario, which is compiled anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from fractions import Fraction
from typing import Any

from capsim.scenario import Node, Scenario, Taint, Template, Unit

CORDON = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")


def changed(spec: Any, **fields: Any) -> Any:
    """A copy of a spec with some fields changed."""
    return spec.model_copy(update=fields)


def cordon(scenario: Scenario, names: Collection[str]) -> Scenario:
    return scenario.replace(
        nodes=tuple(closed(node) if node.name in names else node for node in scenario.nodes)
    )


def closed(node: Node) -> Node:
    more = () if CORDON in node.taints else (CORDON,)
    return changed(node, unschedulable=True, taints=(*node.taints, *more))


def uncordon(scenario: Scenario, names: Collection[str]) -> Scenario:
    def opened(node: Node) -> Node:
        taints = tuple(taint for taint in node.taints if taint != CORDON)
        return changed(node, unschedulable=False, taints=taints)

    return scenario.replace(
        nodes=tuple(opened(node) if node.name in names else node for node in scenario.nodes)
    )


def drain(scenario: Scenario, names: Collection[str]) -> Scenario:
    def leaves(unit: Unit) -> bool:
        return unit.node in names and not tied(unit) and not unit.terminating

    units = tuple(waits(unit) if leaves(unit) else unit for unit in scenario.units)
    return cordon(scenario, names).replace(units=units)


def tied(unit: Unit) -> bool:
    return unit.pinned is not None or unit.owner.split("/")[0] in ("DaemonSet", "Node")


def waits(unit: Unit) -> Unit:
    return changed(unit, node=None, started_s=None)


def remove_nodes(scenario: Scenario, names: Collection[str]) -> Scenario:
    units = []
    for unit in scenario.units:
        if unit.pinned in names:
            continue
        if unit.node in names:
            if tied(unit) or unit.terminating:
                continue
            unit = waits(unit)
        units.append(unit)
    nodes = tuple(node for node in scenario.nodes if node.name not in names)
    return scenario.replace(nodes=nodes, units=tuple(units))


def change_requests(scenario: Scenario, factor: Fraction, concerns: Callable[[Unit], bool]):
    """cpu and memory of the units concerned, from templates of their own."""
    resized = {
        f"{key} x {factor}": resize(template, factor)
        for key, template in scenario.templates.items()
    }
    units = tuple(
        changed(waits(unit), template=f"{unit.template} x {factor}")
        if concerns(unit) and not unit.owner.startswith("Node/")
        else unit
        for unit in scenario.units
    )
    return scenario.replace(templates={**scenario.templates, **resized}, units=units)


def resize(template: Template, factor: Fraction) -> Template:
    def amounts(requests: dict[str, int]) -> dict[str, int]:
        return {
            name: math.ceil(n * factor) if name in ("cpu", "memory") else n
            for name, n in requests.items()
        }

    def containers(listed: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(changed(each, requests=amounts(each.requests)) for each in listed)

    return changed(
        template,
        containers=containers(template.containers),
        init_containers=containers(template.init_containers),
        requests=amounts(template.requests),
    )


def grow(scenario: Scenario, names: list[str]) -> Scenario:
    """With a waiting copy of each of the units named, in this order."""
    unit_of = {unit.key: unit for unit in scenario.units}
    copies = tuple(
        changed(waits(unit_of[name]), name=f"{unit_of[name].name}+{n}", terminating=False)
        for n, name in enumerate(names, start=1)
    )
    return scenario.replace(units=(*scenario.units, *copies))
