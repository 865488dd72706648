"""Small clusters in a few words, for the tests of placing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings

import capsim as cs
from capsim.placement import Placement
from capsim.scenario import (
    Affinity,
    Container,
    GpuShare,
    Node,
    Port,
    ResourceWeight,
    Scenario,
    SchedulerProfile,
    ShapePoint,
    Taint,
    Template,
    TemplateTable,
    Toleration,
    Unit,
)

Json = dict[str, Any]

ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
HOSTNAME = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

#: CAPSIM_TEST_SCALE=20 makes the property tests look at 20 times as many examples, new ones each
#: time (nightly); unset, they are few and the same each time.
SCALE = int(os.environ.get("CAPSIM_TEST_SCALE", "1"))


def examples(count: int) -> settings:
    """Hypothesis settings for about so many examples."""
    return settings(
        max_examples=count * SCALE,
        derandomize=SCALE == 1,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def node(name: str = "n1", *, cpu: str = "4", memory: str = "16Gi", **more: Any) -> Node:
    """A machine; pods and further resources (quoted by name in `offers`) on demand."""
    offers = {"cpu": cpu, "memory": memory, "pods": more.pop("pods", 110)}
    return Node(name=name, allocatable={**offers, **more.pop("offers", {})}, **more)


def nodes(count: int, **more: Any) -> list[Node]:
    """n1, n2, ...: all alike."""
    return [node(f"n{number}", **more) for number in range(1, count + 1)]


@dataclass(frozen=True)
class Pod:
    """A unit and its template, before they are put into a scenario."""

    unit: Json
    template: Template


def pod(
    name: str = "web",
    *,
    on: str | None = None,
    namespace: str = "default",
    pinned: str | None = None,
    cpu: str | None = None,
    memory: str | None = None,
    asks: Json | None = None,
    image: str = "",
    host_ports: Iterable[int | Port] = (),
    gpu: tuple[int, int] | None = None,
    **template: Any,
) -> Pod:
    """A unit of one container; on: where it runs already; gpu: boards, thousandths of each."""
    stated = {"cpu": cpu, "memory": memory, **(asks or {})}
    container = Container(
        requests={resource: amount for resource, amount in stated.items() if amount is not None},
        image=image,
        ports=tuple(
            port if isinstance(port, Port) else Port(container_port=80, host_port=port)
            for port in host_ports
        ),
    )
    share = GpuShare(devices=gpu[0], milli=gpu[1]) if gpu else None
    unit = {"name": name, "namespace": namespace, "node": on, "pinned": pinned}
    return Pod(unit, Template(**{"containers": (container,), "gpu_share": share} | template))


def pods(count: int, name: str = "web", **more: Any) -> list[Pod]:
    """web-1, web-2, ...: all alike."""
    return [pod(f"{name}-{number}", **more) for number in range(1, count + 1)]


def cluster(machines: Iterable[Node], units: Iterable[Pod] = (), **more: Any) -> Scenario:
    """A scenario; equal templates are kept once, under the name of their first unit."""
    table, placed = TemplateTable(), []
    for each in units:
        key = table.key(each.template, each.unit["name"])
        placed.append(Unit(**each.unit, template=key))
    return Scenario(nodes=tuple(machines), templates=table.templates, units=tuple(placed), **more)


def place(machines: Iterable[Node], units: Iterable[Pod] = (), **options: Any) -> Placement:
    """The units placed on the machines."""
    return cs.place(cluster(machines, units), **options)


def where(plan: Placement) -> dict[str, str | None]:
    """Unit (by its name alone) to its node."""
    names = [node.name for node in plan.scenario.nodes]
    rows = plan.node_of.tolist()
    return {
        unit.name: names[row] if row >= 0 else None
        for unit, row in zip(plan.scenario.units, rows, strict=True)
    }


def nodes_of(plan: Placement) -> list[str | None]:
    """The nodes of all units, in the order of the units."""
    return list(where(plan).values())


def taint(key: str, value: str = "", effect: str = "NoSchedule") -> Taint:
    """A taint, NoSchedule unless said otherwise."""
    return Taint(key=key, value=value, effect=effect)


def avoided(count: int) -> tuple[Taint, ...]:
    """So many PreferNoSchedule taints."""
    return tuple(taint(f"avoid-{i}", effect="PreferNoSchedule") for i in range(count))


def tolerates(key: str = "", **more: Any) -> Toleration:
    """A toleration of every taint of a key, or of every taint."""
    return Toleration(key=key, **{"operator": "Exists"} | more)


def on_nodes_with(**labels: str) -> Affinity:
    """Required node affinity: all these labels."""
    expressions = [expression(key, value) for key, value in labels.items()]
    required = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    return Affinity.model_validate({"nodeAffinity": {REQUIRED: required}})


def likes(**weights: int) -> Affinity:
    """Preferred node affinity: label key (of any value) to weight."""
    terms = [
        {"weight": weight, "preference": {"matchExpressions": [expression(key)]}}
        for key, weight in weights.items()
    ]
    return Affinity.model_validate({"nodeAffinity": {PREFERRED: terms}})


def expression(key: str, *values: str) -> Json:
    """A label that has one of the values, or that is there at all."""
    if values:
        return {"key": key, "operator": "In", "values": list(values)}
    return {"key": key, "operator": "Exists"}


def least(**more: Any) -> SchedulerProfile:
    """LeastAllocated, and nothing else that scores."""
    return SchedulerProfile(**{"score_weights": {"NodeResourcesFit": 1}} | more)


def most(**more: Any) -> SchedulerProfile:
    """MostAllocated, and nothing else that scores."""
    return least(strategy="MostAllocated", **more)


def ratio(*points: tuple[int, int], **more: Any) -> SchedulerProfile:
    """RequestedToCapacityRatio along (utilisation, score) points, and nothing else that scores."""
    shape = tuple(ShapePoint(utilization=u, score=s) for u, s in points)
    return least(strategy="RequestedToCapacityRatio", shape=shape, **more)


def weighing(**weights: int) -> tuple[ResourceWeight, ...]:
    """What a resource score looks at."""
    return tuple(ResourceWeight(name=name, weight=weight) for name, weight in weights.items())


def scores(plan: Placement, unit: str, column: str = "total") -> dict[str, int]:
    """Node to one column of the table of `plan.explain(unit)`, for the nodes that fit."""
    table = plan.explain(unit).table
    fits = table[table["verdict"] == "fits"]
    return dict(zip(fits["node"], fits[column].tolist(), strict=True))
