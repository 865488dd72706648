"""Scenario to graph and arrays, and back without loss."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.scenario import (
    Assumption,
    Budget,
    Container,
    Namespace,
    Quota,
    Scenario,
    Service,
    Template,
    Unit,
    Workload,
)
from capsim.topology import (
    EDGE_KINDS,
    SANDBOXES,
    VERTEX_KINDS,
    Topology,
    compile_scenario,
    from_graph,
    has_own_kernel,
)
from tests.placement.builders import REGION, ZONE, cluster, examples, node, nodes, pod, pods, taint

ARRAYS = (
    "allocatable",
    "gpu_devices",
    "request",
    "scoring_request",
    "accounted_request",
    "gpu_share",
    "priority",
    "unit_template",
    "unit_node",
    "unit_pinned",
)


def graph(*args: Any, **more: Any) -> nx.DiGraph:
    return compile_scenario(cluster(*args, **more)).graph()


def edges(found: nx.DiGraph, kind: str) -> set[tuple[str, str]]:
    return {(a, b) for a, b, data in found.edges(data=True) if data["kind"] == kind}


def of_kind(found: nx.DiGraph, kind: str) -> list[str]:
    return [name for name, data in found.nodes(data=True) if data["kind"] == kind]


def kernel_of(found: nx.DiGraph, vertex: str) -> str:
    """The first kernel on the way down from a container, unit or node."""
    while not vertex.startswith("kernel/"):
        (vertex,) = (
            b for _, b, data in found.out_edges(vertex, data=True) if data["kind"] == "runs-on"
        )
    return vertex


def assert_same(one: Topology, other: Topology) -> None:
    assert one.scenario == other.scenario
    assert (one.resources, one.template_keys) == (other.resources, other.template_keys)
    for name in ARRAYS:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs)


# Kernels ------------------------------------------------------------------------------------


def test_containers_of_two_pods_of_one_node_meet_in_one_kernel():
    found = graph(nodes(2), [pod("a", on="n1"), pod("b", on="n1"), pod("c", on="n2")])
    assert kernel_of(found, "container/default/a/main") == "kernel/n1"
    assert kernel_of(found, "container/default/b/main") == "kernel/n1"
    assert kernel_of(found, "container/default/c/main") == "kernel/n2"


@pytest.mark.parametrize("sandbox", [*SANDBOXES, "kata-qemu"])
def test_a_sandboxed_pod_brings_its_own_kernel(sandbox):
    found = graph(
        nodes(1), [pod("plain", on="n1"), pod("boxed", on="n1", runtime_class_name=sandbox)]
    )
    assert kernel_of(found, "container/default/boxed/main") == "kernel/default/boxed"
    assert kernel_of(found, "container/default/plain/main") == "kernel/n1"
    assert ("kernel/default/boxed", "node/n1") in edges(found, "runs-on")


def test_a_vm_brings_its_own_kernel_and_a_bare_container_does_not():
    found = graph(
        [node("host")], [pod("vm", on="host", kind="vm"), pod("box", on="host", kind="container")]
    )
    assert kernel_of(found, "unit/default/vm") == "kernel/default/vm"
    assert kernel_of(found, "unit/default/box") == "kernel/host"


def test_an_ordinary_runtime_class_shares_the_kernel_of_its_node():
    assert not has_own_kernel(Template(runtime_class_name="nvidia"))


def test_a_waiting_vm_has_its_kernel_already_and_runs_on_no_node():
    found = graph(nodes(1), [pod("vm", kind="vm"), pod("pod")])
    assert edges(found, "runs-on") == {
        ("node/n1", "kernel/n1"),
        ("unit/default/vm", "kernel/default/vm"),
        ("container/default/vm/main", "unit/default/vm"),
        ("container/default/pod/main", "unit/default/pod"),
    }


def test_a_fault_of_a_kernel_reaches_the_containers_that_run_on_it():
    units = [pod("a", on="n1"), pod("b", on="n1"), pod("vm", on="n1", kind="vm"), pod("c", on="n2")]
    found = graph(nodes(2), units)
    reached = {name for name in nx.ancestors(found, "kernel/n1") if name.startswith("container/")}
    assert reached == {f"container/default/{name}/main" for name in ("a", "b", "vm")}
    assert {n for n in nx.ancestors(found, "kernel/default/vm") if n.startswith("unit/")} == {
        "unit/default/vm"
    }


# Places -------------------------------------------------------------------------------------


def placed_node(name: str, region: str = "eu", zone: str = "a", rack: str = "", **more: Any):
    labels = {REGION: region, ZONE: zone, "rack": rack}
    return node(name, labels={key: value for key, value in labels.items() if value}, **more)


def test_regions_contain_zones_contain_racks_contain_nodes():
    machines = [
        placed_node("n1", rack="r1"),
        placed_node("n2", rack="r1"),
        placed_node("n3", zone="b"),
    ]
    assert edges(graph(machines), "contains") == {
        ("region/eu", "zone/a"),
        ("region/eu", "zone/b"),
        ("zone/a", "rack/a/r1"),
        ("rack/a/r1", "node/n1"),
        ("rack/a/r1", "node/n2"),
        ("zone/b", "node/n3"),
    }


def test_racks_of_one_name_in_two_zones_are_two():
    machines = [placed_node("n1", zone="a", rack="1"), placed_node("n2", zone="b", rack="1")]
    assert of_kind(graph(machines), "rack") == ["rack/a/1", "rack/b/1"]


def test_levels_that_are_not_known_are_left_out():
    machines = [placed_node("n1", region="", zone="", rack="r"), placed_node("n2", zone="")]
    assert edges(graph(machines), "contains") == {("rack/r", "node/n1"), ("region/eu", "node/n2")}
    assert edges(graph([node()]), "contains") == set()


def test_a_node_on_a_known_host_runs_on_it_by_a_kernel_of_its_own():
    machines = [placed_node(f"vm{i}", host="esx1") for i in (1, 2)]
    found = graph(machines)
    assert edges(found, "contains") == {("region/eu", "zone/a"), ("zone/a", "host/esx1")}
    assert edges(found, "runs-on") == {
        ("node/vm1", "kernel/vm1"),
        ("node/vm2", "kernel/vm2"),
        ("kernel/vm1", "host/esx1"),
        ("kernel/vm2", "host/esx1"),
    }


# Services and containers --------------------------------------------------------------------


def selected(service: Service, units: list) -> set[str]:
    found = graph(nodes(1), units, services=(service,))
    return {target.removeprefix("unit/") for _, target in edges(found, "selects")}


WEB = Service(name="web", namespace="shop", selector={"app": "web"})


def test_services_select_units_of_their_namespace_by_labels():
    units = [
        pod("a", namespace="shop", labels={"app": "web", "rev": "1"}),
        pod("b", namespace="shop", labels={"app": "api"}),
        pod("c", namespace="bank", labels={"app": "web"}),
    ]
    assert selected(WEB, units) == {"shop/a"}
    assert selected(WEB.model_copy(update={"selector": {}}), units) == set()
    both = WEB.model_copy(update={"selector": {"app": "web", "rev": "2"}})
    assert selected(both, units) == set()


def test_services_select_by_labels_that_only_one_unit_has():
    """As StatefulSets have them, for a service of each pod's own."""
    name = "statefulset.kubernetes.io/pod-name"
    scenario = cluster(nodes(1), pods(3, "db", namespace="shop", labels={"app": "db"}))
    units = tuple(unit.model_copy(update={"labels": {name: unit.name}}) for unit in scenario.units)
    services = (
        Service(name="second", namespace="shop", selector={"app": "db", name: "db-2"}),
        Service(name="all", namespace="shop", selector={"app": "db"}),
    )
    found = compile_scenario(scenario.replace(units=units, services=services)).graph()
    assert edges(found, "selects") == {
        ("service/shop/second", "unit/shop/db-2"),
        *(("service/shop/all", f"unit/shop/db-{i}") for i in (1, 2, 3)),
    }


def test_labels_of_a_unit_stand_over_those_of_its_template():
    scenario = cluster(nodes(1), [pod("a", namespace="shop", labels={"app": "web"})])
    (unit,) = scenario.units
    other = unit.model_copy(update={"labels": {"app": "api"}})
    found = compile_scenario(scenario.replace(units=(other,), services=(WEB,))).graph()
    assert edges(found, "selects") == set()


def test_containers_of_one_name_are_told_apart():
    found = graph(
        nodes(1), [pod("a", containers=(Container(), Container(), Container(name="log")))]
    )
    assert of_kind(found, "container") == [
        "container/default/a/main",
        "container/default/a/main#2",
        "container/default/a/log",
    ]


# Arrays -------------------------------------------------------------------------------------


def test_amounts_are_millicores_bytes_and_pieces():
    machine = node(
        cpu="2500m", memory="1.5Gi", pods=7, offers={"a.b/c": 3, "ephemeral-storage": "1k"}
    )
    topology = compile_scenario(cluster([machine], [pod(cpu="0.1", memory="1", asks={"a.b/c": 2})]))
    assert topology.resources == ("cpu", "memory", "pods", "a.b/c", "ephemeral-storage")
    assert topology.allocatable.tolist() == [[2500, 3 * 2**29, 7, 3, 1000]]
    assert topology.request.tolist() == [[100, 1, 1, 2, 0]]
    assert topology.allocatable.dtype == topology.request.dtype == np.int64


def test_resources_that_are_only_asked_for_have_a_column_too():
    topology = compile_scenario(cluster(nodes(1), [pod(asks={"a.b/c": 2})]))
    assert topology.allocatable[:, topology.column("a.b/c")].tolist() == [0]


def test_boards_are_counted_and_offered_in_thousandths():
    topology = compile_scenario(cluster([node(gpu_devices=4), node("n2")], [pod(gpu=(2, 250))]))
    column = topology.column("alibabacloud.com/gpu-milli")
    assert topology.gpu_devices.tolist() == [4, 0]
    assert topology.allocatable[:, column].tolist() == [4000, 0]
    assert topology.gpu_share.tolist() == [[2, 250]]
    assert topology.request[0, column] == 500


def test_every_unit_takes_one_of_pods():
    topology = compile_scenario(cluster(nodes(1), [pod("a"), pod("b", cpu="1")]))
    assert topology.request[:, topology.column("pods")].tolist() == [1, 1]


def test_three_sums_of_requests_stand_side_by_side():
    bare = compile_scenario(cluster([], [pod(cpu="1", overhead={"cpu": "50m"})]))
    assert bare.request[0].tolist() == [1050, 0, 1]
    assert bare.scoring_request[0].tolist() == [1050, 200 * 2**20, 0]
    assert bare.accounted_request[0].tolist() == [1050, 200 * 2**20]
    level = compile_scenario(cluster([], [pod(requests={"cpu": "2", "memory": "1Gi"})]))
    assert level.request[0].tolist() == [2000, 2**30, 1]
    assert level.scoring_request[0].tolist() == [100, 200 * 2**20, 0]
    assert level.accounted_request[0].tolist() == [2000, 2**30]


def test_units_point_to_their_templates_nodes_and_pins():
    units = [
        pod("a", on="n2"),
        pod("b", cpu="1"),
        pod("c", pinned="n3"),
        pod("d", pinned="gone"),
        pod("e", on="n1", pinned="n1"),
    ]
    topology = compile_scenario(cluster(nodes(3), units))
    assert topology.unit_template.tolist() == [0, 1, 0, 0, 0]
    assert topology.unit_node.tolist() == [1, -1, -1, -1, 0]
    assert topology.unit_pinned.tolist() == [-1, -1, 2, -2, 0]
    assert topology.unit_node.dtype == np.int32


def test_priorities_are_those_of_the_templates():
    topology = compile_scenario(cluster([], [pod("a", priority=-5), pod("b", priority=2**31 - 1)]))
    assert topology.priority.tolist() == [-5, 2**31 - 1]
    assert [template.priority for template in topology.templates] == [-5, 2**31 - 1]


def test_an_empty_scenario_compiles():
    topology = compile_scenario(Scenario())
    assert topology.allocatable.shape == (0, 3)
    assert topology.request.shape == (0, 3)
    assert topology.gpu_share.shape == (0, 2)
    assert topology.unit_node.shape == (0,)
    assert len(topology.graph()) == 0
    assert_same(from_graph(topology.graph()), topology)


# The graph as arrays ------------------------------------------------------------------------


def test_vertices_stand_in_blocks_by_kind():
    vertices = compile_scenario(SMALL).vertices
    assert np.all(np.diff(vertices.kind) >= 0)
    for kind in ("node", "unit", "container"):
        assert vertices.names[vertices.offset(kind)].startswith(f"{kind}/")
    assert len(vertices.names) == len(set(vertices.names)) == len(vertices.kind)


def csr_edges(topology: Topology) -> set[tuple[str, str, str]]:
    vertices = topology.vertices
    return {
        (vertices.names[source], vertices.names[target], EDGE_KINDS[kind])
        for source in range(len(vertices.names))
        for target, kind in zip(
            vertices.indices[vertices.indptr[source] : vertices.indptr[source + 1]].tolist(),
            vertices.edge_kind[vertices.indptr[source] : vertices.indptr[source + 1]].tolist(),
            strict=True,
        )
    }


def assert_csr_is_the_graph(topology: Topology) -> None:
    found, vertices = topology.graph(), topology.vertices
    stated = {(a, b, data["kind"]) for a, b, data in found.edges(data=True)}
    assert csr_edges(topology) == stated
    assert len(vertices.indices) == len(vertices.edge_kind) == len(stated) == vertices.indptr[-1]
    assert list(found.nodes) == vertices.names
    kinds = [data["kind"] for _, data in found.nodes(data=True)]
    assert kinds == [VERTEX_KINDS[kind] for kind in vertices.kind.tolist()]


def test_nodes_and_units_of_the_graph_carry_what_the_scenario_says_of_them():
    found = compile_scenario(SMALL).graph()
    assert found.nodes["node/n1"]["spec"] == SMALL.nodes[0]
    assert found.nodes["unit/shop/a"]["spec"] == SMALL.units[0]


# Back to the scenario -----------------------------------------------------------------------

SMALL = cluster(
    [
        placed_node("n1", rack="r1", taints=(taint("k"),), gpu_devices=2),
        placed_node("n2", host="h"),
    ],
    [
        pod("a", namespace="shop", on="n1", labels={"app": "web"}, asks={"a.b/c": 1}),
        pod("vm", kind="vm", gpu=(1, 300), pinned="n2"),
        pod("c", priority=7, scheduling_gates=("x",)),
    ],
    name="small",
    services=(WEB,),
    workloads=(Workload(kind="Deployment", name="w", template="a", replicas=2),),
    budgets=(Budget(name="b", min_available="1"),),
    namespaces=(Namespace(name="shop", labels={"team": "red"}),),
    quotas=(Quota(name="q", hard={"pods": "10"}),),
    remarks=("Left out 3 pods.",),
    assumptions=(Assumption(name="x", value="1", source="here"),),
)


def test_the_graph_gives_the_topology_back():
    topology = compile_scenario(SMALL)
    assert_same(from_graph(topology.graph()), topology)


def test_a_unit_that_was_bound_on_the_graph_is_bound_in_the_topology():
    found = compile_scenario(SMALL).graph()
    waiting = found.nodes["unit/default/c"]
    waiting["spec"] = waiting["spec"].model_copy(update={"node": "n2"})
    assert from_graph(found).unit_node.tolist() == [0, -1, 1]


def test_the_graph_of_a_placement_gives_a_topology_in_which_nothing_waits():
    plan = cs.place(cluster(nodes(2), pods(4, cpu="1")))
    again = from_graph(plan.graph)
    assert again.unit_node.tolist() == plan.node_of.tolist() == [0, 1, 0, 1]


def test_a_graph_of_another_origin_is_refused():
    with pytest.raises(KeyError):
        from_graph(nx.DiGraph())


NAMES = st.sampled_from(["a", "b", "c", "a/b", "ä", "x.y-z"])
LABELS = st.dictionaries(
    st.sampled_from([ZONE, REGION, "rack", "app", "rev"]), st.sampled_from(["1", "2", ""])
)
MACHINE = st.builds(
    node,
    name=NAMES,
    cpu=st.sampled_from(["0", "100m", "4"]),
    memory=st.sampled_from(["0", "1Gi", "1"]),
    pods=st.integers(0, 3),
    labels=LABELS,
    offers=st.dictionaries(st.sampled_from(["a.b/c", "hugepages-2Mi"]), st.integers(0, 9)),
    gpu_devices=st.integers(0, 3),
    host=st.sampled_from([None, "h1", "h2"]),
    unschedulable=st.booleans(),
)
TEMPLATE = st.builds(
    Template,
    kind=st.sampled_from(["pod", "vm", "container"]),
    labels=LABELS,
    containers=st.lists(
        st.builds(
            Container,
            name=st.sampled_from(["main", "log"]),
            requests=st.dictionaries(
                st.sampled_from(["cpu", "memory", "a.b/c", "d.e/f"]), st.integers(0, 9)
            ),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    runtime_class_name=st.sampled_from(["", "kata", "nvidia"]),
    priority=st.integers(-5, 5),
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    machines = draw(st.lists(MACHINE, max_size=5, unique_by=lambda machine: machine.name))
    templates = draw(st.dictionaries(NAMES, TEMPLATE, max_size=3))
    somewhere = st.sampled_from([None, *(machine.name for machine in machines)])
    unit = st.builds(
        Unit,
        name=NAMES,
        namespace=st.sampled_from(["default", "shop"]),
        template=st.sampled_from(sorted(templates)) if templates else st.nothing(),
        labels=LABELS,
        node=somewhere,
        pinned=st.one_of(somewhere, st.just("gone")),
        owner=st.sampled_from(["", "Deployment/a"]),
        terminating=st.booleans(),
    )
    service = st.builds(Service, name=NAMES, namespace=st.just("shop"), selector=LABELS)
    return Scenario(
        nodes=tuple(machines),
        templates=templates,
        units=tuple(draw(st.lists(unit, max_size=6, unique_by=lambda u: u.key)))
        if templates
        else (),
        services=tuple(draw(st.lists(service, max_size=2, unique_by=lambda s: s.name))),
    )


@given(scenarios())
@examples(150)
def test_any_scenario_survives_the_way_to_the_graph_and_back(scenario):
    topology = compile_scenario(scenario)
    assert_csr_is_the_graph(topology)
    assert_same(from_graph(topology.graph()), topology)
    assert topology.scenario == scenario


@given(scenarios())
@examples(100)
def test_every_unit_of_any_scenario_stands_on_its_kernel(scenario):
    found = compile_scenario(scenario).graph()
    for unit in scenario.units:
        own = has_own_kernel(scenario.templates[unit.template])
        if own or unit.node is not None:
            expected = unit.key if own else unit.node
            assert kernel_of(found, f"unit/{unit.key}") == f"kernel/{expected}"


# Size ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large() -> Scenario:
    """5,000 nodes in three zones and 150,000 pods of 20 templates; every second pod runs."""
    machines = tuple(node(f"n{i}", labels={ZONE: f"z{i % 3}"}, pods=110) for i in range(5000))
    templates = {f"t{i}": pod(f"t{i}", cpu=f"{i + 1}m").template for i in range(20)}
    units = tuple(
        Unit.model_construct(
            name=f"p{i}", template=f"t{i % 20}", node=f"n{i % 5000}" if i % 2 else None
        )
        for i in range(150_000)
    )
    return Scenario(nodes=machines, templates=templates).model_copy(update={"units": units})


def test_a_large_cluster_compiles_to_arrays_and_a_graph(large):
    topology = compile_scenario(large)
    number = np.arange(150_000)
    assert np.array_equal(topology.unit_template, number % 20)
    assert np.array_equal(topology.unit_node, np.where(number % 2, number % 5000, -1))
    assert topology.request[:, 0].tolist() == list(range(1, 21))
    vertices = topology.vertices
    assert np.bincount(vertices.kind, minlength=9).tolist() == [
        *[0, 3, 0, 0, 5000, 5000, 150_000, 150_000, 0]
    ]
    contains, runs_on, _ = np.bincount(vertices.edge_kind, minlength=3).tolist()
    assert (contains, runs_on) == (5000, 5000 + 75_000 + 150_000)
    found = topology.graph()
    assert (len(found), found.number_of_edges()) == (310_003, 235_000)
    assert kernel_of(found, "container/default/p7/main") == "kernel/n7"


def test_a_large_cluster_is_placed_whole(large):
    plan = cs.place(large)
    assert plan.summary()["waiting_units"] == 0
    assert (plan.used <= plan.offered).all()
    counted = np.bincount(plan.node_of, minlength=5000)
    assert np.array_equal(plan.used[:, plan.topology.column("pods")], counted)
