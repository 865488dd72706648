"""plan.explain: single changes that would let a waiting unit in, and what the event says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

import capsim as cs
from capsim.placement.kubernetes.replay import _scenario
from capsim.scenario import (
    Affinity,
    Budget,
    LabelSelector,
    SchedulerProfile,
    TopologySpreadConstraint,
)
from tests.placement.builders import (
    HOSTNAME,
    REQUIRED,
    ZONE,
    cluster,
    examples,
    least,
    node,
    nodes,
    on_nodes_with,
    place,
    pod,
    pods,
    taint,
    tolerates,
    where,
)
from tests.placement.random_clusters import cases

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


def remedies(plan: cs.Placement, unit: str = "web") -> list[str]:
    return [str(each) for each in plan.explain(unit).remedies]


def event(plan: cs.Placement, unit: str = "web") -> str:
    return plan.explain(unit).event


def spread(key: str, skew: int = 1, **more: Any) -> tuple[TopologySpreadConstraint, ...]:
    fields = {"when_unsatisfiable": "DoNotSchedule", "label_selector": LabelSelector()} | more
    return (TopologySpreadConstraint(max_skew=skew, topology_key=key, **fields),)


def apart(**labels: str) -> Affinity:
    term = {"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": labels}}
    return Affinity.model_validate({"podAntiAffinity": {REQUIRED: [term]}})


def near(**labels: str) -> Affinity:
    term = {"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": labels}}
    return Affinity.model_validate({"podAffinity": {REQUIRED: [term]}})


def host(name: str, zone: str = "a", **more: Any) -> Any:
    return node(name, labels={HOSTNAME: name, ZONE: zone}, **more)


# The event ----------------------------------------------------------------------------------


def test_reasons_are_sorted_as_texts_and_evictions_are_told_for_each_node():
    tainted = [node(f"t{i}", taints=(taint("k", "v"),)) for i in range(3)]
    machines = [node("a", cpu="2"), *tainted, node("b", cpu="2")]
    plan = place(machines, [pod("x", on="a", cpu="1"), pod("y", on="b", cpu="1"), pod(cpu="2")])
    assert event(plan) == (
        "0/5 nodes are available: 2 Insufficient cpu, 3 node(s) had untolerated taint {k: v}. "
        "no new claims to deallocate, preemption: 0/5 nodes are available: "
        f"2 {NO_VICTIMS}, 3 {NOT_HELPFUL}."
    )


def test_counts_are_sorted_as_texts_and_not_as_numbers():
    tainted = [node(f"t{i}", taints=(taint("k", "v"),)) for i in range(10)]
    plan = place([*tainted, *nodes(2, cpu="1")], [pod(cpu="2")])
    assert event(plan).startswith(
        "0/12 nodes are available: 10 node(s) had untolerated taint {k: v}, 2 Insufficient cpu. "
    )


def test_a_unit_that_must_not_evict_says_so():
    units = [pod("low", on="n1", cpu="4"), pod(cpu="4", priority=9, preemption_policy="Never")]
    assert event(place([node()], units)) == (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
        "preemption: not eligible due to preemptionPolicy=Never."
    )


def test_without_the_plugin_nothing_is_said_of_evictions():
    profile = SchedulerProfile(preemption=False)
    assert event(place([node(cpu="1")], [pod(cpu="2")], profile=profile)) == (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate"
    )


def test_a_node_that_is_too_full_even_without_its_lesser_units_says_what_is_still_short():
    units = [pod("low", on="n1", cpu="1"), pod("high", on="n1", cpu="2", priority=5)]
    plan = place([node()], [*units, pod(cpu="3", priority=5)])
    assert event(plan).endswith("preemption: 0/1 nodes are available: 1 Insufficient cpu.")


def test_names_that_exclude_each_other_refuse_before_any_node_is_looked_at():
    fields = [{"key": "metadata.name", "operator": "In", "values": [name]} for name in ("a", "b")]
    required = {"nodeSelectorTerms": [{"matchFields": fields}]}
    affinity = Affinity.model_validate({"nodeAffinity": {REQUIRED: required}})
    assert event(place(nodes(2), [pod(affinity=affinity)])) == (
        "0/2 nodes are available: pod affinity terms conflict. no new claims to deallocate, "
        f"preemption: 0/2 nodes are available: 2 {NOT_HELPFUL}."
    )


# What would help ----------------------------------------------------------------------------


def test_a_toleration_helps_where_the_taint_alone_stands_in_the_way():
    tainted = [node(f"t{i}", taints=(taint("gpu", "yes"),)) for i in range(3)]
    double = node("both", taints=(taint("x"), taint("gpu", "yes")))
    assert remedies(place([node("full", cpu="1"), *tainted, double], [pod(cpu="2")])) == [
        "A toleration of the taint gpu=yes:NoSchedule, which is on 3 nodes, would let it on t0 "
        "(3 nodes would take it).",
        "Requesting 1 core of cpu instead of 2 cores would let it on full.",
    ]


def test_what_two_things_stand_in_the_way_of_is_not_promised():
    machine = node(taints=(taint("a"), taint("b")))
    assert str(place([machine], [pod()]).explain("web")).endswith(
        "\nNo single change that was tried would let it on a node."
    )


def test_dropping_the_label_that_no_node_has_helps():
    machine = node(labels={"disk": "ssd"})
    plan = place([machine], [pod(node_selector={"disk": "ssd", "gpu": "a100"})])
    assert remedies(plan) == ["Dropping gpu=a100 from its nodeSelector would let it on n1."]


def test_dropping_the_required_affinity_helps():
    plan = place([node()], [pod(affinity=on_nodes_with(disk="ssd"))])
    assert remedies(plan) == ["Dropping its required node affinity would let it on n1."]


def test_the_smallest_skew_that_would_do_is_named():
    machines = [host("n1", "a"), host("n2", "b", taints=(taint("x"),))]
    running = [pod(f"old-{i}", on="n1") for i in range(3)]
    plan = place(machines, [*running, pod(topology_spread_constraints=spread(ZONE, 2))])
    # The empty selector counts no unit that runs, so that the one selected by labels is used.
    chosen = {"label_selector": LabelSelector(match_labels={"app": "w"})}
    running = [pod(f"old-{i}", on="n1", labels={"app": "w"}) for i in range(3)]
    unit = pod(labels={"app": "w"}, topology_spread_constraints=spread(ZONE, 2, **chosen))
    plan = place(machines, [*running, unit])
    assert remedies(plan)[:1] == [
        "A toleration of the taint x:NoSchedule, which is on 1 node, would let it on n2.",
    ]
    assert f"MaxSkew 4 instead of 2 over {ZONE} would let it on n1." in remedies(plan)
    loose = pod(labels={"app": "w"}, topology_spread_constraints=spread(ZONE, 4, **chosen))
    tight = pod(labels={"app": "w"}, topology_spread_constraints=spread(ZONE, 3, **chosen))
    assert where(place(machines, [*running, loose]))["web"] == "n1"
    assert where(place(machines, [*running, tight]))["web"] is None


def test_dropping_an_anti_affinity_or_the_unit_that_it_means_helps():
    plan = place([host("n1")], [pod("old", on="n1", labels={"a": "b"}), pod(affinity=apart(a="b"))])
    assert remedies(plan) == [
        "It would fit on n1 if default/old left.",
        f"Dropping its anti-affinity to a=b over {HOSTNAME} would let it on n1.",
        "With a priority above 0 it could evict default/old on n1.",
    ]


def test_the_unit_whose_anti_affinity_means_the_newcomer_is_named():
    running = pod("lonely", on="n1", affinity=apart(a="b"))
    plan = place([host("n1")], [running, pod(labels={"a": "b"})])
    assert remedies(plan)[0] == "It would fit on n1 if default/lonely left."


def test_dropping_an_affinity_whose_company_is_missing_helps():
    plan = place([host("n1")], [pod(affinity=near(app="db"))])
    assert remedies(plan) == [
        f"Dropping its affinity to app=db over {HOSTNAME} would let it on n1."
    ]


def test_a_unit_that_must_not_evict_is_told_whom_it_could_evict():
    units = [pod("low", on="n1", cpu="4"), pod(cpu="4", priority=9, preemption_policy="Never")]
    assert remedies(place([node()], units))[-1] == (
        "With preemptionPolicy PreemptLowerPriority it could evict default/low on n1."
    )


def test_the_lowest_priority_that_would_do_is_named():
    units = [pod("low", on="n1", cpu="1"), pod("mid", on="n1", cpu="3", priority=50)]
    assert remedies(place([node()], [*units, pod(cpu="3")]))[-1] == (
        "With a priority above 50 it could evict default/mid on n1."
    )


def test_a_host_port_in_use_is_named():
    plan = place([node()], [pod("old", on="n1", host_ports=[80]), pod(host_ports=[80])])
    assert remedies(plan)[0] == (
        "It would fit on n1 if the host port that it needs were freed there."
    )


def test_room_on_a_gpu_board_is_named():
    units = [pod("old", on="n1", gpu=(1, 500)), pod("older", on="n1", gpu=(1, 600))]
    plan = place([node(gpu_devices=2)], [*units, pod(gpu=(1, 700))])
    assert remedies(plan)[0] == (
        "It would fit on n1 if 200 thousandths of its GPU boards were freed there."
    )


def test_room_alone_does_not_help_where_a_constraint_refuses_too():
    unit = pod("old", on="n1", cpu="4", labels={"a": "b"})
    plan = place([host("n1")], [unit, pod(cpu="1", affinity=apart(a="b"))])
    assert not any("freed" in each for each in remedies(plan))


@pytest.mark.parametrize("number", range(3))
def test_a_change_that_is_named_does_what_it_says(number):
    machines = [
        host("n1", cpu="1", taints=(taint("k", "v"),)),
        host("n2", cpu="500m"),
        host("n3", unschedulable=True),
    ]
    asked = {"cpu": "1", "node_selector": {}}
    plan = place(machines, [pod(**asked)])
    assert [each.node for each in plan.explain("web").remedies] == ["n3", "n1", "n2"]
    changed = (
        {"tolerations": (tolerates("node.kubernetes.io/unschedulable"),)},
        {"tolerations": (tolerates("k"),)},
        {"cpu": "500m"},
    )[number]
    assert where(place(machines, [pod(**asked | changed)]))["web"] == ("n3", "n1", "n2")[number]


# The runner-up ------------------------------------------------------------------------------


def test_the_runner_up_is_told_its_gap_and_what_would_have_made_it_win():
    machines = [node("n1"), node("n2")]
    plan = place(machines, [pod("old", on="n2", cpu="2"), pod(cpu="1")], profile=least())
    lines = str(plan.explain("web")).splitlines()
    assert "n2 is 25 behind: NodeResourcesFit -25." in lines
    gap = plan.explain("web").gap
    assert gap["difference"].tolist() == [-25]
    assert not any("if default/old" in line for line in lines)


def test_a_unit_without_which_the_runner_up_would_have_won_is_named():
    machines = [node("n1"), node("n2", cpu="8")]
    plan = place(machines, [pod("old", on="n2", cpu="6"), pod(cpu="1")], profile=least())
    assert "n2 would have won if default/old had not been on it." in str(plan.explain("web"))
    assert where(place(machines, [pod(cpu="1")], profile=least()))["web"] == "n2"


def test_a_plugin_without_which_the_runner_up_would_have_won_is_named():
    machines = [node("n1", taints=(taint("x", effect="PreferNoSchedule"),), cpu="8"), node("n2")]
    plan = place(machines, [pod(cpu="1")])
    assert "n1 would have won without TaintToleration." in str(plan.explain("web"))
    weights = {"NodeResourcesFit": 1, "NodeResourcesBalancedAllocation": 1}
    profile = SchedulerProfile(score_weights=weights)
    assert where(place(machines, [pod(cpu="1")], profile=profile))["web"] == "n1"


def test_explaining_leaves_the_plan_as_it_was():
    machines = [host("n1", cpu="2"), host("n2", cpu="2", taints=(taint("k"),))]
    units = [*pods(4, cpu="1", affinity=apart(a="b")), pod("big", cpu="4", gpu=(1, 500))]
    plan = cs.place(cluster(machines, units, budgets=(Budget(name="b"),)))
    before = plan.used.tolist(), plan.node_of.tolist(), plan.gpu_free.tolist()
    for unit in plan.scenario.units:
        plan.explain(unit.key)
    assert (plan.used.tolist(), plan.node_of.tolist(), plan.gpu_free.tolist()) == before


@examples(40)
@given(cases())
def test_every_unit_of_a_random_cluster_can_be_explained_and_nothing_changes(case):
    plan = cs.place(_scenario(case))
    before = plan.used.tolist(), plan.state.counts.number.tolist()
    for row, unit in enumerate(plan.scenario.units):
        explanation = plan.explain(unit.key)
        if plan.node_of[row] < 0 and len(plan.scenario.nodes):
            assert explanation.event.startswith(f"0/{len(plan.scenario.nodes)} nodes are available")
            names = {node.name for node in plan.scenario.nodes}
            assert {each.node for each in explanation.remedies} <= names
        elif plan.scenario.units[row].node is None:
            assert explanation.node == plan.scenario.nodes[plan.node_of[row]].name
    assert (plan.used.tolist(), plan.state.counts.number.tolist()) == before
