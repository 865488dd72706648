"""Small clusters, built by hand, for the tests of figures and export."""

from __future__ import annotations

from collections.abc import Sequence

import capsim as cs
from capsim.scenario import ZONE_LABEL, Container, GpuShare, Node, Scenario, Template, Unit

HOSTILE = "<b>x</b></script><script>alert(1)</script>$y$ %{z} =1+1"


def node(
    name: str,
    *,
    cpu: str = "4",
    memory: str = "16Gi",
    zone: str | None = None,
    rack: str | None = None,
    gpus: int = 0,
    pods: int = 110,
) -> Node:
    labels = {ZONE_LABEL: zone} if zone else {}
    if rack:
        labels["rack"] = rack
    offer = {"cpu": cpu, "memory": memory, "pods": pods}
    return Node(name=name, labels=labels, allocatable=offer, gpu_devices=gpus)


def template(cpu: str = "1", memory: str = "1Gi", *, gpus: int = 0, **more: object) -> Template:
    return Template(
        containers=(Container(requests={"cpu": cpu, "memory": memory}),),
        gpu_share=GpuShare(devices=gpus, milli=1000) if gpus else None,
        **more,
    )


def units(name: str, count: int, *, on: str | None = None) -> list[Unit]:
    """Units of the template of the same name."""
    return [Unit(name=f"{name}-{i}", template=name, node=on) for i in range(count)]


def plan(
    nodes: Sequence[Node],
    templates: dict[str, Template] | None = None,
    listed: Sequence[Unit] = (),
    *,
    name: str = "test",
) -> cs.Placement:
    scenario = Scenario(
        name=name, nodes=tuple(nodes), templates=templates or {}, units=tuple(listed)
    )
    return cs.place(scenario)


def half_full() -> cs.Placement:
    """Two nodes of 4 cores and 16 GiB with two units of 1 core and 2 GiB on each."""
    return plan([node("a"), node("b")], {"web": template("1", "2Gi")}, units("web", 4))


def with_waiting() -> cs.Placement:
    """One node of 4 cores; of three units of 2 cores one waits, and one of 9 cores waits."""
    return plan(
        [node("a")],
        {"web": template("2"), "big": template("9")},
        [*units("web", 3), *units("big", 1)],
    )


def zoned(count: int = 6) -> cs.Placement:
    """Nodes over three zones and two racks each, with units on them, some with their own kernel."""
    nodes = [
        node(f"node-{i}", zone=f"z{i % 3}", rack=f"r{i % 2}", cpu="8" if i % 2 else "4")
        for i in range(count)
    ]
    kinds = {"web": template(), "safe": template("500m", runtime_class_name="kata")}
    return plan(nodes, kinds, [*units("web", 2 * count), *units("safe", 3)])


def hostile() -> cs.Placement:
    """Names that try to be markup, a template of plotly, a formula of a spreadsheet."""
    resource = "x.com/<b>x$y$%{z}"
    listed = [Unit(name=f"{HOSTILE}{i}", template=HOSTILE) for i in range(9)]
    nodes = [node(HOSTILE, zone=f"{HOSTILE}1"), node("b", zone=f"{HOSTILE}2")]
    offer = {**nodes[0].allocatable, resource: 4, "cpu": "4", "memory": "16Gi"}
    machine = Node(name=nodes[0].name, labels=nodes[0].labels, allocatable=offer)
    asked = {"cpu": "1", "memory": "1Gi", resource: 1}
    kind = Template(containers=(Container(requests=asked),))
    return plan([machine, nodes[1]], {HOSTILE: kind}, listed, name=HOSTILE)


def corner_cases() -> dict[str, cs.Placement]:
    """Clusters with nothing in them, or nearly nothing."""
    return {
        "nothing": plan([]),
        "no nodes": plan([], {"web": template()}, units("web", 2)),
        "no units": plan([node("a"), node("b", zone="z")]),
        "one of each": plan([node("a")], {"web": template()}, units("web", 1)),
        "no requests": plan([node("a")], {"web": Template()}, units("web", 2)),
        "no pod slots": plan([node("a", pods=0)], {"web": template()}, units("web", 1)),
        "nothing offered": plan([node("a", cpu="0", memory="0")], {"web": template()}, []),
    }
