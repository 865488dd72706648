"""Who shares a kernel: the arrays against the graph, and the numbers by hand."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import capsim as cs
from capsim.scenario import Node, Scenario, Service, Template, Unit
from capsim.stack.domains import MACHINES
from capsim.stack.kernel_sharing import FAULTS, KernelSharing, kernel_sharing
from capsim.topology import compile_scenario

SIZE = {"cpu": "64", "memory": "256Gi", "pods": "250"}
PLAIN, KATA = Template(), Template(runtime_class_name="kata-qemu")
ZONE, RACK = "topology.kubernetes.io/zone", "rack"


def machine(name: str, *, zone: str = "", rack: str = "", host: str = "", **labels: str) -> Node:
    stated = {ZONE: zone, RACK: rack, **{k.replace("_", "."): v for k, v in labels.items()}}
    known = {key: value for key, value in stated.items() if value}
    return Node(name=name, labels=known, host=host or None, allocatable=SIZE)


def on(
    node: str | None, name: str, tenant: str = "a", template: str = "plain", **more: str
) -> Unit:
    return Unit(name=name, namespace=tenant, template=template, node=node, **more)


def shared(
    nodes: list[Node], units: list[Unit], services: tuple[Service, ...] = ()
) -> KernelSharing:
    scenario = Scenario(
        nodes=tuple(nodes),
        templates={"plain": PLAIN, "kata": KATA, "vm": Template(kind="vm")},
        units=tuple(units),
        services=services,
    )
    return kernel_sharing(compile_scenario(scenario))


PLACES = (
    {},
    {"zone": "z1"},
    {"zone": "z1", "rack": "r1"},
    {"zone": "z2", "rack": "r1"},
    {"zone": "z1", "rack": "r2", "host": "h1"},
    {"zone": "z2", "host": "h2"},
    {"host": "h3"},
)


@st.composite
def clusters(draw: st.DrawFn) -> KernelSharing:
    """Machines in and out of zones, racks and hosts, serverless nodes, tenants and sandboxes."""
    nodes = []
    for at in range(draw(st.integers(1, 6))):
        label = {"type": "virtual-kubelet"} if draw(st.integers(0, 5)) == 0 else {}
        # A host stands in one place, so its nodes are labelled alike.
        place = draw(st.sampled_from(PLACES))
        nodes.append(machine(f"n{at}", **place, **label))
    names = [None, *(node.name for node in nodes)]
    units = [
        on(
            draw(st.sampled_from(names)),
            f"u{at}",
            draw(st.sampled_from("abc")),
            draw(st.sampled_from(["plain", "kata", "vm"])),
            owner=draw(st.sampled_from(["", "DaemonSet/x", "Deployment/x"])),
        )
        for at in range(draw(st.integers(0, 25)))
    ]
    services = (Service(name="s", namespace="a", selector={}),)
    return shared(nodes, units, services)


def fall_with(graph: nx.DiGraph, kind: str) -> dict[str, set[str]]:
    """For each vertex of a kind the placed units whose path leads to it, walked on the graph."""
    down = nx.DiGraph()
    down.add_nodes_from(graph)
    for a, b, data in graph.edges(data=True):
        if data["kind"] == "runs-on":
            down.add_edge(a, b)
        elif data["kind"] == "contains":
            down.add_edge(b, a)
    placed = {
        name
        for name, data in graph.nodes(data=True)
        if data["kind"] == "unit" and data["spec"].node is not None
    }
    vertices = [name for name, data in graph.nodes(data=True) if data["kind"] == kind]
    return {name: nx.ancestors(down, name) & placed for name in vertices}


@settings(max_examples=60, deadline=None)
@given(clusters())
def test_who_falls_with_a_kernel_is_what_the_graph_says(sharing: KernelSharing):
    keys = [f"unit/{unit.key}" for unit in sharing.topology.scenario.units]
    expected = {k: v for k, v in fall_with(sharing.topology.graph(), "kernel").items() if v}
    found = {
        f"kernel/{name}": {keys[row] for row in sharing.kernels.members(at)}
        for at, name in enumerate(sharing.kernel_names)
        if sharing.kernels.sizes[at]
    }
    assert found == expected


@settings(max_examples=40, deadline=None)
@given(clusters())
def test_who_falls_with_a_zone_or_rack_is_what_the_graph_says(sharing: KernelSharing):
    graph = sharing.topology.graph()
    for kind in ("zone", "rack"):
        keys = [f"unit/{unit.key}" for unit in sharing.topology.scenario.units]
        domains = sharing.paths.machines(kind)
        found = [{keys[row] for row in domains.members(at)} for at in range(len(domains.sizes))]
        expected = fall_with(graph, kind).values()
        assert sorted(map(sorted, filter(None, found))) == sorted(
            map(sorted, filter(None, expected))
        )


@settings(max_examples=60, deadline=None)
@given(clusters())
def test_an_escape_reaches_what_a_slow_count_says(sharing: KernelSharing):
    units, paths = sharing.topology.scenario.units, sharing.paths
    for at, unit in enumerate(units):
        members = [] if unit.node is None else sharing.kernels.members(paths.kernel_of[at]).tolist()
        others = [units[m] for m in members if not units[m].owner.startswith("DaemonSet/")]
        mine = unit.namespace if not unit.owner.startswith("DaemonSet/") else None
        assert sharing.reached[at] == len(members)
        assert sharing.strangers[at] == sum(other.namespace != mine for other in others)


@settings(max_examples=40, deadline=None)
@given(clusters())
def test_every_running_pod_is_on_exactly_one_kernel_and_one_host(sharing: KernelSharing):
    placed = sharing.paths.placed.tolist()
    assert sorted(sharing.paths.machines("host").units.tolist()) == placed
    assert sharing.sharing.sum() == len(placed)
    assert set(sharing.kernels.units.tolist()) == set(placed)
    assert 0 < sharing.score <= 100


def test_a_pod_sees_larger_faults_than_the_average_fault():
    """3 pods on one kernel and 1 on another: 2 on average, (9 + 1) / 4 as a pod sees it."""
    found = shared(
        [machine("big"), machine("small")],
        [on("big", "1"), on("big", "2"), on("big", "3"), on("small", "4")],
    )
    assert (found.kernels.mean_lost, found.kernels.seen_lost, found.kernels.most_lost) == (
        2,
        2.5,
        3,
    )
    assert found.score == pytest.approx(40)


def test_a_sandbox_protects_others_from_its_pod_but_not_its_pod_from_the_node():
    found = shared(
        [machine("n")], [on("n", "plain"), on("n", "boxed", "b", "kata"), on("n", "third", "c")]
    )
    assert found.reached.tolist() == [3, 1, 3]
    assert found.strangers.tolist() == [2, 0, 2]
    assert found.table["pods_lost"].tolist() == [3, 1]
    assert found.neighbours[0].tolist() == [1, 0, 1]
    assert found.neighbours[1].tolist() == [2, 2, 2]
    assert "falls with the kernel of n all the same" in str(found.explain("b/boxed"))


def test_pods_of_a_serverless_service_fall_one_by_one():
    found = shared([machine("aci", type="virtual-kubelet")], [on("aci", str(n)) for n in range(3)])
    assert found.kernels.most_lost == found.paths.machines("host").most_lost == 1
    assert found.summary()["kernels"] == found.summary()["pods_on_their_own_kernel"] == 3
    assert "kernel/aci" not in found.topology.graph()


def test_two_vms_on_one_host_fall_together_with_it():
    found = shared(
        [machine("vm1", host="h"), machine("vm2", host="h"), machine("vm3")],
        [on("vm1", "1"), on("vm2", "2"), on("vm3", "3")],
    )
    faults = found.faults.set_index("fault")
    assert faults.loc["kernel panic", "pods_lost_most"] == 1
    assert faults.loc["host or hypervisor fault", "pods_lost_most"] == 2
    assert faults.loc["host or hypervisor fault", "domains"] == 2


def test_a_service_whose_replicas_all_stand_on_one_kernel_shows():
    web = Template(labels={"app": "web"})
    scenario = Scenario(
        nodes=(machine("a", zone="z"), machine("b", zone="z")),
        templates={"web": web, "plain": PLAIN},
        units=(*(on("a", f"w{n}", template="web") for n in range(3)), on("b", "p")),
        services=(Service(name="web", namespace="a", selector={"app": "web"}),),
    )
    found = kernel_sharing(compile_scenario(scenario))
    assert found.services.to_dict("records") == [
        {
            "service": "a/web",
            "replicas": 3,
            "in_one_kernel": 1.0,
            "in_one_host": 1.0,
            "in_one_zone": 1.0,
        }
    ]
    assert found.summary()["services_on_one_kernel"] == 1
    assert "all replicas of a/web" in str(found.explain("a"))


def test_without_services_the_replicas_of_a_workload_count():
    found = shared(
        [machine("a"), machine("b")],
        [
            on("a", "1", owner="Deployment/w"),
            on("a", "2", owner="Deployment/w"),
            on("b", "3", owner="Deployment/w"),
        ],
    )
    assert found.services.loc[0, "in_one_kernel"] == pytest.approx(2 / 3)


def test_secrets_and_tokens_of_all_pods_on_the_kernel_are_reached():
    holds = Template(secrets=("tls", "db"), service_account_name="robot")
    scenario = Scenario(
        nodes=(machine("a"), machine("b")),
        templates={"holds": holds, "plain": PLAIN},
        units=(
            on("a", "1", "x", "holds"),
            on("a", "2", "x", "holds"),
            on("a", "3", "y", "holds"),
            on("b", "4"),
        ),
    )
    table = kernel_sharing(compile_scenario(scenario)).table.set_index("kernel")
    assert table["secrets"].to_dict() == {"a": 6, "b": 0}


def test_an_unknown_name_is_answered_with_the_nearest():
    found = shared([machine("node-1")], [on("node-1", "web-1")])
    with pytest.raises(cs.ModelError, match=r"no unit and no node called 'a/web-2'.*'a/web-1'"):
        found.explain("a/web-2")


def test_a_waiting_pod_is_on_no_kernel_and_an_empty_cluster_has_numbers():
    found = shared([machine("n")], [on(None, "w")])
    assert found.table.empty
    assert found.faults.empty
    assert found.summary()["pods"] == 0
    assert "waits" in str(found.explain("a/w"))


def test_rates_are_ranges_with_a_source_and_guesses_are_called_so():
    for each in shared([machine("n")], [on("n", "p")]).assumptions:
        assert each.source
    faults = shared([machine("n")], [on("n", "p")]).faults
    assert (faults["faults_per_year_low"] <= faults["faults_per_year"]).all()
    assert (faults["faults_per_year"] <= faults["faults_per_year_high"]).all()


def test_every_place_of_a_node_is_a_kind_of_fault():
    assert set(MACHINES) < set(FAULTS)


def test_150_000_pods_on_5_000_machines_are_counted():
    nodes = [machine(f"n{at}", zone=f"z{at % 3}") for at in range(5000)]
    names = [node.name for node in nodes]
    plain = Unit(name="u", template="plain")
    units = [
        plain.model_copy(
            update={"name": f"u{at}", "namespace": f"t{at % 40}", "node": names[at * 7 % 5000]}
        )
        for at in range(150_000)
    ]
    scenario = Scenario(nodes=tuple(nodes), templates={"plain": PLAIN})
    topology = compile_scenario(scenario.model_copy(update={"units": tuple(units)}))
    found = kernel_sharing(topology)
    assert found.summary()["pods_lost_per_panic_most"] == 30
    assert len(found.faults) == 3
    assert np.all(found.strangers <= found.reached)
