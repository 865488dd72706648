"""The questions by example: who has to go, who stays, what is said."""

from __future__ import annotations

import numpy as np
import pytest

import capsim as cs
from capsim.errors import ModelError
from capsim.placement.whatif import (
    change_requests,
    cordon,
    drain,
    grow_daemon_set,
    raise_replicas,
    remove_nodes,
    remove_zone,
    set_priority,
    uncordon,
    upgrade,
)
from capsim.scenario import Budget, PriorityClass, Scenario, Toleration, Workload
from tests.placement.builders import (
    ZONE,
    cluster,
    node,
    nodes,
    nodes_of,
    pod,
    pods,
    where,
)

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"


def compiled(*args, **more) -> cs.Topology:
    return cs.compile_scenario(cluster(*args, **more))


def owned(scenario: Scenario, owners: dict[str, str]) -> Scenario:
    """Units whose names begin with a key are owned by its value."""
    return scenario.replace(
        units=tuple(
            unit.model_copy(update={"owner": owners[head]})
            if (head := unit.name.partition("-")[0]) in owners
            else unit
            for unit in scenario.units
        )
    )


def workload(kind: str, name: str, template: str, replicas: int) -> Workload:
    return Workload(kind=kind, name=name, template=template, replicas=replicas)


RUNNING = compiled(nodes(3), [*pods(2, "a", on="n1", cpu="1"), pod("b", on="n2", cpu="1")])


# Cordon and drain ---------------------------------------------------------------------------


def test_a_cordoned_node_keeps_what_it_runs_and_refuses_in_the_schedulers_words():
    crowded = compiled(nodes(2), [pod("old", on="n1", cpu="1"), *pods(5, cpu="1")])
    plan = cs.place(cordon(crowded, ["n1"]))
    assert where(plan)["old"] == "n1"
    assert nodes_of(plan)[1:] == ["n2"] * 4 + [None]
    assert plan.pending["message"].tolist() == [
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable."
    ]


def test_what_tolerates_the_taint_of_a_cordon_still_comes():
    (toleration,) = (Toleration(key=UNSCHEDULABLE, operator="Exists", effect="NoSchedule"),)
    topology = compiled(nodes(1), [pod("a", tolerations=(toleration,)), pod("b")])
    assert nodes_of(cs.place(cordon(topology, ["n1"]))) == ["n1", None]


def test_a_cordon_taken_back_leaves_the_node_as_it_was():
    again = uncordon(cordon(RUNNING, ["n1", "n3"]), ["n1", "n3"])
    assert again.scenario.nodes == RUNNING.scenario.nodes


def test_drained_units_go_to_the_nodes_that_are_left():
    plan = cs.place(drain(RUNNING, ["n1"]))
    assert set(nodes_of(plan)[:2]) == {"n2", "n3"}
    assert where(plan)["b"] == "n2"


def test_draining_nothing_changes_nothing():
    assert drain(RUNNING, []) is RUNNING
    assert change_requests(RUNNING, 1) is RUNNING
    assert remove_nodes(RUNNING, []) is RUNNING


def test_draining_every_node_leaves_everything_waiting():
    plan = cs.place(drain(RUNNING, ["n1", "n2", "n3"]))
    assert len(plan.waiting) == 3
    assert set(plan.pending["message"]) == {
        "0/3 nodes are available: 3 node(s) were unschedulable."
    }


def test_daemons_static_pods_and_what_is_leaving_stay_on_a_drained_node():
    scenario = owned(
        cluster(
            nodes(2),
            [
                pod("agent-n1", on="n1", pinned="n1"),
                pod("static-n1", on="n1"),
                pod("leaving", on="n1"),
                pod("web", on="n1"),
            ],
        ),
        {"agent": "DaemonSet/agent", "static": "Node/n1"},
    )
    units = tuple(
        unit.model_copy(update={"terminating": unit.name == "leaving"}) for unit in scenario.units
    )
    plan = cs.place(drain(cs.compile_scenario(scenario.replace(units=units)), ["n1"]))
    assert where(plan) == {"agent-n1": "n1", "static-n1": "n1", "leaving": "n1", "web": "n2"}


def test_a_drain_says_what_it_did_and_which_budgets_hold_it_up():
    guarded = compiled(
        nodes(2),
        pods(2, on="n1"),
        budgets=(Budget(name="spent", disruptions_allowed=0), Budget(name="free")),
    )
    (said,) = [a for a in cs.place(drain(guarded, ["n1"])).assumptions if "drained" in a.name]
    assert said.value == (
        "1 at once (n1); 2 units wait again; eviction waits for the disruption budgets "
        "default/spent"
    )


@pytest.mark.parametrize("question", [cordon, uncordon, drain, remove_nodes])
def test_a_node_that_is_not_there_is_refused_with_the_nearest_name(question):
    with pytest.raises(ModelError, match=r"There is no node 'n11' \(did you mean 'n1'\?\)\."):
        question(RUNNING, ["n11"])


def test_the_topology_that_is_asked_stays_as_it_is():
    before = RUNNING.unit_node.tolist(), RUNNING.scenario.model_copy(deep=True)
    cs.place(drain(cordon(RUNNING, ["n2"]), ["n1"]))
    change_requests(RUNNING, 3)
    assert (RUNNING.unit_node.tolist(), RUNNING.scenario) == before


# Nodes that go ------------------------------------------------------------------------------

ZONES = compiled(
    [node(f"n{i}", labels={ZONE: zone}) for i, zone in enumerate("aab", 1)],
    [
        pod("agent-n1", on="n1", pinned="n1"),
        pod("agent-n3", on="n3", pinned="n3"),
        pod("x", on="n1", cpu="1"),
        pod("y", on="n3", cpu="1"),
    ],
)


def test_a_zone_that_is_lost_takes_its_nodes_and_daemons_and_its_units_go_elsewhere():
    plan = cs.place(remove_zone(ZONES, "a"))
    assert where(plan) == {"agent-n3": "n3", "x": "n3", "y": "n3"}
    assert [each.name for each in plan.scenario.nodes] == ["n3"]


def test_the_arrays_of_a_lost_zone_are_those_of_its_scenario():
    left = remove_zone(ZONES, "a")
    anew = cs.compile_scenario(left.scenario.replace())
    for name in ("allocatable", "gpu_devices", "unit_template", "unit_node", "unit_pinned"):
        np.testing.assert_array_equal(getattr(left, name), getattr(anew, name))


def test_an_unknown_zone_is_refused():
    with pytest.raises(ModelError, match="There is no zone 'c'"):
        remove_zone(ZONES, "c")


# Requests and priorities --------------------------------------------------------------------


def test_larger_requests_are_rounded_up_and_placed_anew():
    topology = compiled(nodes(1), [pod("a", on="n1", cpu="333m", memory="1Gi"), pod("b", cpu="3")])
    plan = cs.place(change_requests(topology, 1.1))
    assert plan.topology.request[:, 0].tolist() == [367, 3300]
    assert nodes_of(plan) == ["n1", "n1"]
    assert nodes_of(cs.place(change_requests(topology, 1.3))) == ["n1", None]


def test_only_the_resources_named_grow():
    topology = compiled(nodes(1), [pod(cpu="1", memory="1Gi")])
    twice = change_requests(topology, 2, resources=["memory"])
    assert twice.request[0, :2].tolist() == [1000, 2**31]


def test_requests_of_one_namespace_leave_those_of_the_others():
    topology = compiled(
        nodes(1), [pod("a", namespace="x", cpu="1"), pod("b", namespace="y", cpu="1")]
    )
    half = change_requests(topology, 0.5, namespaces=["x"])
    assert half.request[half.unit_template, 0].tolist() == [500, 1000]


def test_requests_of_one_workload_or_template_change():
    scenario = owned(cluster(nodes(1), pods(3, cpu="1")), {})
    (key,) = scenario.templates
    units = (
        scenario.units[0].model_copy(update={"owner": "Deployment/web"}),
        *scenario.units[1:],
    )
    web = workload("Deployment", "web", key, 1)
    topology = cs.compile_scenario(scenario.replace(units=units, workloads=(web,)))
    one = change_requests(topology, 2, workload="default/web")
    assert one.request[one.unit_template, 0].tolist() == [2000, 1000, 1000]
    assert one.scenario.workloads[0].template == one.scenario.units[0].template
    every = change_requests(topology, 2, templates=[key])
    assert every.request[every.unit_template, 0].tolist() == [2000] * 3


def test_a_limit_below_the_request_is_raised_to_it():
    scenario = cluster(nodes(1), [pod(cpu="1")])
    ((key, template),) = scenario.templates.items()
    limited = template.containers[0].model_copy(update={"limits": {"cpu": 1500}})
    template = template.model_copy(update={"containers": (limited,)})
    topology = cs.compile_scenario(scenario.replace(templates={key: template}))
    (container,) = change_requests(topology, 2).scenario.templates[key].containers
    assert (container.requests, container.limits) == ({"cpu": 2000}, {"cpu": 2000})


@pytest.mark.parametrize("factor", [0, -1, 101, float("nan")])
def test_a_factor_has_its_bounds(factor):
    with pytest.raises(ModelError, match="expected more than 0, up to 100"):
        change_requests(RUNNING, factor)


def test_names_that_are_not_there_are_refused():
    for asked in ({"namespaces": ["nowhere"]}, {"templates": ["t"]}, {"workload": "default/w"}):
        with pytest.raises(ModelError, match="There is no"):
            change_requests(RUNNING, 2, **asked)


def gold(value: int = 10) -> PriorityClass:
    return PriorityClass(name="gold", value=value)


def test_a_workload_of_higher_priority_takes_the_place_of_others():
    scenario = owned(
        cluster(nodes(1), [*pods(4, "low", on="n1", cpu="1"), pod("web-1", cpu="2")]),
        {"web": "Deployment/web"},
    )
    web = workload("Deployment", "web", scenario.units[-1].template, 1)
    topology = cs.compile_scenario(scenario.replace(workloads=(web,)))
    assert where(cs.place(topology))["web-1"] is None
    plan = cs.place(set_priority(topology, "default/web", gold()))
    assert where(plan)["web-1"] == "n1"
    assert len(plan.evicted) == 2
    assert plan.scenario.priority_classes == (gold(),)
    with pytest.raises(ModelError, match="expected 32 bits"):
        set_priority(topology, "default/web", gold(2**31))


# Replicas -----------------------------------------------------------------------------------


def with_workload(kind: str, count: int = 2) -> cs.Topology:
    scenario = owned(cluster(nodes(2), pods(count, "web", cpu="1")), {"web": f"{kind}/web"})
    key = scenario.units[0].template if count else "web"
    templates = scenario.templates or {"web": pod(cpu="1").template}
    each = workload(kind, "web", key, count)
    return cs.compile_scenario(scenario.replace(templates=templates, workloads=(each,)))


def test_more_replicas_take_free_names_and_wait_behind_the_others():
    more = raise_replicas(with_workload("Deployment"), "default/web", 4)
    assert [unit.name for unit in more.scenario.units] == ["web-1", "web-2", "web-0", "web-3"]
    assert more.scenario.workloads[0].replicas == 4
    assert len(cs.place(more).waiting) == 0


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_workload_without_units_can_be_raised(kind):
    more = raise_replicas(with_workload(kind, 0), "default/web", 2)
    assert [unit.owner for unit in more.scenario.units] == [f"{kind}/web"] * 2
    assert len(cs.place(more).waiting) == 0


def test_units_of_a_stateful_set_carry_their_own_numbers():
    more = raise_replicas(with_workload("StatefulSet", 0), "default/web", 2)
    label = "apps.kubernetes.io/pod-index"
    assert [unit.labels[label] for unit in more.scenario.units] == ["0", "1"]
    again = raise_replicas(more, "default/StatefulSet/web", 3)
    assert again.scenario.units[-1].labels[label] == "2"


def test_replicas_have_their_bounds():
    topology = with_workload("Deployment")
    assert raise_replicas(topology, "default/web", 2) is topology
    with pytest.raises(ModelError) as caught:
        raise_replicas(topology, "default/web", 1)
    assert str(caught.value) == (
        "1 replicas of default/web, expected 2 (its units now) to 150,000."
    )
    with pytest.raises(ModelError, match="default/web is a Job, expected one of Deployment"):
        raise_replicas(with_workload("Job"), "default/web", 3)
    with pytest.raises(ModelError, match=r"no workload 'default/wep' \(did you mean"):
        raise_replicas(topology, "default/wep", 3)


# DaemonSets ---------------------------------------------------------------------------------


def daemons(*others, agent_priority: int = 0) -> cs.Topology:
    agents = [
        pod(f"agent-n{i}", on=f"n{i}", pinned=f"n{i}", cpu="1", priority=agent_priority)
        for i in (1, 2)
    ]
    scenario = owned(cluster(nodes(2), [*agents, *others]), {"agent": "DaemonSet/agent"})
    agent = workload("DaemonSet", "agent", scenario.units[0].template, 2)
    return cs.compile_scenario(scenario.replace(workloads=(agent,)))


def test_a_larger_daemon_set_is_refused_where_there_is_no_room():
    fit = grow_daemon_set(daemons(*pods(3, on="n1", cpu="1")), "default/agent", {"cpu": "1"})
    assert fit.table["fits"].tolist() == [False, True]
    assert "Insufficient cpu" in fit.table["reason"][0]
    assert fit.summary()["newly_refusing_nodes"] == 1
    assert fit.headline == "default/agent fits on 1 of 2 nodes"


def test_a_daemon_set_of_high_priority_makes_room():
    busy = daemons(*pods(3, on="n1", cpu="1"), *pods(3, "q", on="n2", cpu="1"), agent_priority=9)
    fit = grow_daemon_set(busy, "default/agent", {"cpu": "1"})
    assert fit.headline == ("default/agent fits on all 2 nodes; it evicts 2 units, 2 of which wait")


def test_a_daemon_set_that_asks_for_something_new_is_asked_for_it():
    fit = grow_daemon_set(daemons(), "default/agent", {"vendor.com/fpga": "1"})
    assert not fit.table["fits"].any()


def test_a_quantity_that_is_none_and_a_workload_that_is_no_daemon_set_are_refused():
    with pytest.raises(ModelError, match="cpu: much: expected quantities such as"):
        grow_daemon_set(daemons(), "default/agent", {"cpu": "much"})
    with pytest.raises(ModelError, match="is a Deployment, expected a DaemonSet"):
        grow_daemon_set(with_workload("Deployment"), "default/web", {"cpu": "1"})


# Upgrades -----------------------------------------------------------------------------------

FULL = compiled(nodes(3), [pod(f"x-{i}", on=f"n{i}", cpu="4") for i in (1, 2, 3)])


def test_with_surge_nodes_a_full_cluster_is_upgraded_without_a_pod_waiting():
    done = upgrade(FULL, surge=1)
    assert done.summary() == {
        "steps": 3,
        "most_nodes_at_once": 4,
        "moved_units": 3,
        "waiting_units_before": 0,
        "most_waiting_units": 0,
        "most_newly_waiting_units": 0,
    }
    assert len(done.plan.scenario.nodes) == 3
    assert "every unit finds another place" in done.headline


def test_without_surge_nodes_what_is_drained_from_a_full_cluster_waits_for_its_node():
    done = upgrade(FULL, surge=0, unavailable=2)
    assert done.table["drained_nodes"].tolist() == [2, 1]
    assert done.table["newly_waiting_units"].tolist() == [2, 1]
    assert done.steps[0].newly_waiting == ("default/x-1", "default/x-2")
    assert len(done.plan.waiting) == 0
    assert [each.name for each in done.plan.scenario.nodes] == ["n1", "n2", "n3"]


def test_pools_are_upgraded_one_after_the_other():
    pool = [node(f"{p}{i}", labels={"agentpool": p}) for i in (1, 2) for p in ("a", "b")]
    done = upgrade(compiled(pool), surge=2)
    assert done.table["pool"].tolist() == ["a", "b"]
    assert done.table["drained_nodes"].tolist() == [2, 2]


def test_surge_nodes_bring_their_daemons():
    done = upgrade(daemons(), surge=1)
    units = done.plan.scenario.units
    assert sorted(unit.pinned for unit in units) == ["n1+1", "n2+1"]
    assert (done.plan.node_of >= 0).all()


def test_an_upgrade_leaves_no_trace_of_its_steps_in_the_assumptions():
    names = [each.name for each in upgrade(FULL, surge=1).assumptions]
    assert "upgrade of a pool" in names
    assert not any("drained" in name or "removed" in name for name in names)


@pytest.mark.parametrize(("surge", "unavailable"), [(0, 0), (-1, 2), (1000, 1)])
def test_an_upgrade_has_its_bounds(surge, unavailable):
    with pytest.raises(ModelError, match="expected numbers from 0 that add up to 1 to 1,000"):
        upgrade(FULL, surge=surge, unavailable=unavailable)


# What may be asked --------------------------------------------------------------------------


def test_a_question_may_be_asked_of_a_plan_a_scenario_or_a_compiled_one():
    scenario = cluster(nodes(2), pods(2, cpu="1"))
    plan = cs.place(scenario)
    drained = cs.place(drain(plan, ["n1"]))
    assert cs.compare(plan, drained).headline == "1 moved"
    assert len(doubled(scenario)) == len(doubled(plan)) == 4
    assert cordon(cs.compile_scenario(scenario), ["n1"]).scenario.nodes[0].unschedulable


def doubled(asked):
    return cs.grow(asked, 1.0).scenario.units


def test_anything_else_is_refused_in_words():
    with pytest.raises(ModelError, match=r"type int, expected a scenario \(from cs\.read\)"):
        drain(3, ["n1"])
