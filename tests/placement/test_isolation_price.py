"""Isolation tenant by tenant: what it changes, what it refuses, what it costs."""

from __future__ import annotations

import pytest

import capsim as cs
from capsim.placement.isolation_price import (
    WORK,
    isolation_frontier,
    isolation_prices,
    slowdowns,
)
from capsim.placement.isolation_trial import try_isolation
from capsim.scenario import Container, Node, Port, Scenario, Template, Unit
from capsim.stack.isolation import ISOLATIONS, SERVERLESS_NODE, billed, isolate, overhead
from capsim.stack.kernel_sharing import kernel_sharing

MIB, GIB = 2**20, 2**30


def node(name: str, cpu: str = "4", zone: str = "z", pods: str = "20") -> Node:
    labels = {"topology.kubernetes.io/zone": zone, "kubernetes.io/hostname": name}
    return Node(name=name, labels=labels, allocatable={"cpu": cpu, "memory": "16Gi", "pods": pods})


def template(cpu: str = "500m", memory: str = "512Mi", **more: object) -> Template:
    return Template(containers=(Container(requests={"cpu": cpu, "memory": memory}),), **more)


def two_tenants(nodes: int = 3, each: int = 4, **templates: Template) -> Scenario:
    """Units of tenants a and b on some machines, and a DaemonSet of the platform."""
    units = [
        Unit(name=f"u{at}", namespace=tenant, template="web")
        for at in range(each)
        for tenant in "ab"
    ]
    agents = [
        Unit(
            name=f"agent{at}",
            namespace="platform",
            template="agent",
            owner="DaemonSet/agent",
            pinned=f"n{at}",
        )
        for at in range(nodes)
    ]
    return Scenario(
        nodes=tuple(node(f"n{at}") for at in range(nodes)),
        templates={"web": template(), "agent": template("50m", "64Mi"), **templates},
        units=(*agents, *units),
    )


def test_tenants_in_vms_of_their_own_never_meet_on_a_node():
    found = try_isolation(two_tenants(), default="vm-per-tenant")
    tenants = found.sharing.kernels.distinct(found.sharing.tenants[1])
    assert tenants.max() == 1
    assert found.waiting_more == 0
    assert found.sharing.summary()["pods_of_other_tenants_reached_by_an_escape"] == 0


def test_a_tenant_in_vms_refuses_also_those_who_share():
    plan = cs.place(isolate(two_tenants(), {"a": "vm-per-tenant"}))
    sharing = kernel_sharing(plan)
    assert sharing.kernels.distinct(sharing.tenants[1]).max() == 1


def test_machines_are_added_when_tenants_may_not_share_the_last_one():
    found = try_isolation(two_tenants(nodes=1, each=2), default="vm-per-tenant")
    assert (found.machines_added, found.waiting_more) == (1, 0)


def test_pods_of_daemonsets_stay_as_they_are_beside_every_tenant():
    changed = isolate(two_tenants(), default="kata")
    agents = [unit for unit in changed.units if unit.name.startswith("agent")]
    assert {unit.template for unit in agents} == {"agent"}
    plan = cs.place(isolate(two_tenants(), default="vm-per-tenant"))
    assert not len(plan.waiting)


def test_kata_adds_its_published_overhead_and_a_kernel_for_each_pod():
    plan = cs.place(isolate(two_tenants(), {"a": "kata"}))
    a = next(t for key, t in plan.scenario.templates.items() if "kata" in key)
    assert a.overhead == {"cpu": 250, "memory": 320 * MIB}
    assert kernel_sharing(plan).summary()["pods_on_their_own_kernel"] == 4
    assert overhead("kata", template(), "low").memory == 130 * MIB


def test_an_overhead_is_added_to_the_one_that_is_there():
    scenario = two_tenants(web=template(overhead={"memory": "10Mi"}))
    changed = isolate(scenario, default="kata")
    found = next(t for key, t in changed.templates.items() if "kata" in key)
    assert found.overhead["memory"] == 330 * MIB


def test_kata_with_a_gpu_takes_more():
    gpu = Template(containers=(Container(requests={"nvidia.com/gpu": "1"}),))
    assert overhead("kata", gpu).resources == {"cpu": 1000, "memory": 10240 * MIB}


@pytest.mark.parametrize(
    ("cpu", "memory", "pair"),
    [
        ("100m", "200Mi", (0.25, 0.5)),
        ("100m", "300Mi", (0.25, 1)),
        ("250m", "1800Mi", (0.25, 2.1)),
        ("1", "8Gi", (2, 9)),  # the example of the EKS user guide
        ("16", "100Gi", (16, 104)),
    ],
)
def test_fargate_rounds_up_to_the_next_pair(cpu: str, memory: str, pair: tuple[float, float]):
    found = billed(template(cpu, memory))
    assert found is not None
    if pair == (0.25, 2.1):
        pair = (0.5, 3)  # 1800 + 256 MiB are more than a quarter of a vCPU may have
    assert (found[0], found[1] / GIB) == pair


def test_what_is_too_large_for_fargate_is_said_and_stays():
    scenario = two_tenants(web=template("20", "1Gi"))
    changed = isolate(scenario, default="fargate")
    assert all(unit.node is None for unit in changed.units)
    assert changed.remarks[-1].startswith("8 units stay on the shared kernel")
    ports = Container(ports=(Port(container_port=80, host_port=80),))
    assert (
        isolate(two_tenants(web=Template(containers=(ports,))), default="fargate")
        .remarks[-1]
        .startswith("8 units")
    )


def test_pods_on_fargate_leave_the_machines_and_fall_alone():
    found = try_isolation(two_tenants(), default="fargate")
    names = [n.name for n in found.plan.scenario.nodes]
    held = [names[at] for at in found.plan.node_of.tolist()]
    assert held.count(SERVERLESS_NODE) == 8
    assert found.machines_in_use == 0
    assert found.pods_reached == 1
    assert found.memory_added == 8 * 512 * MIB  # 512 + 256 MiB are rounded up to 1 GiB
    assert found.cores_added == 0


def test_a_limit_of_pods_on_a_node_spreads_them_over_more_machines():
    free, tight = (try_isolation(two_tenants(), pods_per_node=n) for n in (None, 2))
    assert tight.sharing.kernels.most_lost == 2
    assert (free.machines_added, tight.waiting_more) == (0, 0)
    assert tight.machines == 3 + 5  # an agent and a pod on each


def test_units_that_run_are_placed_anew():
    running = two_tenants().model_copy(
        update={"units": (Unit(name="u", namespace="a", template="web", node="n1"),)}
    )
    assert isolate(running).units[0].node is None


def test_pods_that_wait_today_do_not_take_the_machines_that_are_added():
    """The large ones come first in the queue and would fill what is added for the small."""
    large = tuple(Unit(name=f"l{at}", namespace="a", template="large") for at in range(6))
    base = two_tenants(nodes=2, each=3, large=template("3", "1Gi"))
    cluster = base.model_copy(update={"units": (*base.units[:2], *large, *base.units[2:])})
    before = len(cs.place(isolate(cluster)).waiting)
    found = try_isolation(cluster, default="kata")
    assert before >= 4
    assert found.waiting_more == 0
    assert len(found.plan.waiting) == before
    assert found.machines_added <= 2


@pytest.mark.parametrize("owner", ["DaemonSet/agent", "Node/n1"])
def test_what_belongs_to_a_node_stays_where_it_runs(owner: str):
    agent = Unit(name="x", namespace="p", template="agent", owner=owner, node="n1")
    running = two_tenants().model_copy(update={"units": (agent,)})
    assert isolate(running, default="kata").units == (agent,)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(cs.ModelError, match=r"isolation is 'katta'.*did you mean 'kata'"):
        isolate(two_tenants(), default="katta")
    with pytest.raises(cs.ModelError, match="no tenant 'c'"):
        isolate(two_tenants(), {"c": "kata"})
    with pytest.raises(cs.ModelError, match="no machines"):
        try_isolation(Scenario(units=(), templates={}))


def test_the_price_list_has_every_isolation_and_stronger_ones_reach_less():
    prices = isolation_prices(two_tenants())
    assert prices.table["isolation"].tolist() == list(ISOLATIONS)
    reached = prices.table.set_index("isolation")["pods_reached_by_an_escape"]
    assert reached["kata"] == reached["gvisor"] == reached["fargate"] == 1
    strangers = prices.table.set_index("isolation")["pods_of_other_tenants_reached"]
    assert strangers["shared"] > strangers["vm-per-tenant"] == 0
    assert all(each.source for each in prices.assumptions)
    table = prices.table
    for column in ("machines_added", "memory_added_mib_per_pod", "published_escapes_per_year"):
        assert (table[f"{column}_low"] <= table[column]).all(), column
        assert (table[column] <= table[f"{column}_high"]).all(), column


def test_the_frontier_falls_with_more_machines():
    table = isolation_frontier(two_tenants(each=9), kinds=["shared"], pods_per_node=(3, 5, 20))
    assert table["machines_in_use"].is_monotonic_decreasing
    assert table["pods_lost_per_panic_seen_by_a_pod"].is_monotonic_increasing


def test_slowdowns_are_given_for_every_work_with_ranges():
    table = slowdowns()
    assert len(table) == len(ISOLATIONS) * len(WORK)
    assert (table["low_x"] <= table["slowdown_x"]).all()
    assert (table["slowdown_x"] <= table["high_x"]).all()
