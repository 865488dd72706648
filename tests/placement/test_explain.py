"""plan.explain: why a unit is where it is, in words and as a table."""

from __future__ import annotations

import pytest

import capsim as cs
from capsim.errors import ModelError
from tests.placement.builders import (
    avoided,
    cluster,
    least,
    likes,
    node,
    nodes,
    place,
    pod,
    pods,
    taint,
)


def said(plan: cs.Placement, unit: str = "web") -> list[str]:
    return str(plan.explain(unit)).splitlines()


# Placed -------------------------------------------------------------------------------------


def test_a_placed_unit_went_to_the_best_node_with_its_score_in_parts():
    machines = [node("small", cpu="2"), node("large", cpu="8"), node("tiny", cpu="500m")]
    assert said(place(machines, [pod(cpu="1", memory="4Gi")])) == [
        "default/web went to large: the best of 2 nodes that fit.",
        "Score 474 = NodeResourcesFit 81 + NodeResourcesBalancedAllocation 93 + "
        "TaintToleration 300 + ImageLocality 0.",
        "Next best: small (449).",
        "small is 25 behind: NodeResourcesFit -19, NodeResourcesBalancedAllocation -6.",
        "Refused by 1 nodes: 1 x Insufficient cpu.",
    ]


def test_the_parts_of_a_score_add_up_to_it():
    machines = [node(f"n{i}", taints=avoided(i), labels={"ssd": ""}) for i in range(3)]
    table = place(machines, [pod(cpu="1", affinity=likes(ssd=1))]).explain("web").table
    parts = table.drop(columns=["node", "verdict", "total"])
    assert list(parts.columns) == [
        "NodeResourcesFit",
        "NodeResourcesBalancedAllocation",
        "TaintToleration",
        "NodeAffinity",
        "ImageLocality",
    ]
    assert (parts.sum(axis=1) == table["total"]).all()


def test_ties_are_named():
    lines = said(place(nodes(3), [pod(cpu="1")]))
    assert lines[0] == (
        "default/web went to n1: the best of 3 nodes that fit, the first of 3 with equal score."
    )


def test_at_most_three_runners_up_are_named():
    lines = said(place(nodes(9), [pod()], profile=least()))
    assert lines[2] == "Next best: n2 (97), n3 (97), n4 (97)."


def test_an_only_choice_needs_no_score():
    machines = [node("n1", unschedulable=True), node("n2"), node("n3", taints=(taint("x", "y"),))]
    assert said(place(machines, [pod()])) == [
        "default/web went to n2: the only node that fits.",
        "Refused by 2 nodes: 1 x node(s) were unschedulable; "
        "1 x node(s) had untolerated taint {x: y}.",
    ]


def test_a_unit_is_explained_as_of_its_turn_and_not_as_of_the_end():
    plan = place([node("n1", cpu="1")], pods(2, cpu="1"))
    assert said(plan, "web-1") == ["default/web-1 went to n1: the only node that fits."]


def test_what_was_tried_later_does_not_count_though_it_stands_earlier():
    plan = place([node("n1", cpu="1")], [pod("low", cpu="1"), pod("high", cpu="1", priority=1)])
    assert said(plan, "high")[0] == "default/high went to n1: the only node that fits."
    assert said(plan, "low")[0].startswith("default/low waits: ")


def test_the_node_of_the_explanation_is_the_node_of_the_plan():
    machines = [node("n1", cpu="2"), node("n2", cpu="3"), node("n3", cpu="4", labels={"ssd": ""})]
    units = [*pods(4, cpu="1"), *pods(2, "liking", cpu="500m", affinity=likes(ssd=5))]
    plan = place(machines, units)
    for row, unit in enumerate(plan.scenario.units):
        explanation = plan.explain(unit.key)
        assert explanation.node == machines[plan.node_of[row]].name
        assert explanation.table["node"].iloc[0] == explanation.node


def test_an_explanation_keeps_to_the_headroom_of_the_plan():
    plan = place(nodes(2), [pod(cpu="3")], headroom=0.5)
    assert "2 Insufficient cpu" in said(plan)[0]


# Waiting ------------------------------------------------------------------------------------


def test_a_waiting_unit_has_the_words_of_the_event_and_what_would_let_it_in():
    running = [pod("a", on="n1", cpu="2"), pod("b", on="n2", cpu="1500m")]
    assert said(place([*nodes(2), node("n3", cpu="1")], [*running, pod(cpu="3")])) == [
        "default/web waits: 0/3 nodes are available: 3 Insufficient cpu. "
        "no new claims to deallocate, preemption: 0/3 nodes are available: "
        "1 Preemption is not helpful for scheduling, "
        "2 No preemption victims found for incoming pod.",
        "It would fit on n2 if 0.5 cores of cpu were freed there.",
        "Requesting 2.5 cores of cpu instead of 3 cores would let it on n2.",
        "With a priority above 0 it could evict default/a on n1.",
    ]


def test_nodes_that_others_filled_after_its_turn_are_told_apart():
    plan = place([node("n1", cpu="4", pods=1)], [pod("big", cpu="5"), pod("small", cpu="1")])
    assert said(plan, "big")[:2] == [
        "default/big waits: 0/1 nodes are available: 1 Insufficient cpu. "
        "no new claims to deallocate, preemption: 0/1 nodes are available: "
        "1 Preemption is not helpful for scheduling.",
        "(That was at its turn. At the end, when all were tried: 0/1 nodes are available: "
        "1 Insufficient cpu, 1 Too many pods.)",
    ]


def test_a_node_may_lack_several_things():
    machines = [node(cpu="1", memory="1Gi", pods=1)]
    running = pod("old", on="n1", cpu="500m", memory="512Mi")
    assert said(place(machines, [running, pod(cpu="1", memory="1Gi")])) == [
        "default/web waits: 0/1 nodes are available: 1 Insufficient cpu, "
        "1 Insufficient memory, 1 Too many pods. no new claims to deallocate, "
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
        "It would fit on n1 if 0.5 cores of cpu and 512Mi of memory and a pod slot were freed "
        "there.",
        "With a priority above 0 it could evict default/old on n1.",
    ]


def test_a_cordon_that_stands_in_the_way_is_named():
    assert said(place([node(unschedulable=True)], [pod()])) == [
        "default/web waits: 0/1 nodes are available: 1 node(s) were unschedulable. "
        "no new claims to deallocate, preemption: 0/1 nodes are available: "
        "1 Preemption is not helpful for scheduling.",
        "Uncordoning (or tolerating the cordon) would let it on n1.",
    ]


def test_without_nodes_a_unit_waits_for_nodes():
    assert said(place([], [pod()])) == ["default/web waits: no nodes available to schedule pods."]


def test_a_gated_unit_waits_for_its_gate():
    plan = place([node()], [pod(scheduling_gates=("quota",))])
    assert said(plan) == ["default/web waits: held by a scheduling gate."]
    assert plan.explain("web").node is None


# Pinned -------------------------------------------------------------------------------------


def test_a_pinned_unit_that_is_placed_says_that_other_nodes_did_not_match():
    assert said(place(nodes(3), [pod(pinned="n2")])) == [
        "default/web went to n2: the only node that fits.",
        "Refused by 2 nodes: 2 x node(s) didn't satisfy plugin(s) [NodeAffinity].",
    ]


def test_only_its_own_node_can_help_a_pinned_unit():
    machines = [node("n1", cpu="1"), node("n2", cpu="4")]
    plan = place(machines, [pod("old", on="n2", cpu="4"), pod(pinned="n1", cpu="3")])
    assert said(plan) == [
        "default/web waits: 0/2 nodes are available: 1 Insufficient cpu, "
        "1 node(s) didn't satisfy plugin(s) [NodeAffinity]. no new claims to deallocate, "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
        "Requesting 1 core of cpu instead of 3 cores would let it on n1.",
    ]


def test_nothing_helps_a_unit_pinned_to_a_node_that_is_not_there():
    assert said(place(nodes(2, cpu="1"), [pod(pinned="gone", cpu="3")])) == [
        "default/web waits: 0/2 nodes are available: "
        "2 node(s) didn't satisfy plugin(s) [NodeAffinity]. no new claims to deallocate, "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
        "No single change that was tried would let it on a node.",
    ]


# Running, and names -------------------------------------------------------------------------


def test_a_running_unit_was_not_moved():
    explanation = place(nodes(2), [pod(on="n2")]).explain("default/web")
    assert str(explanation) == "default/web runs already on n2; it was not moved."
    assert explanation.node == "n2"
    assert explanation.table.empty


def test_a_name_alone_will_do_where_it_is_unique():
    plan = place(nodes(1), [pod("web", namespace="shop"), pod("api", namespace="bank")])
    assert plan.explain("api").unit == "bank/api"


def test_an_ambiguous_name_asks_for_the_namespace():
    plan = place(nodes(1), [pod("web", namespace="shop"), pod("web", namespace="bank")])
    with pytest.raises(ModelError) as caught:
        plan.explain("web")
    assert str(caught.value) == "'web' is in several namespaces; say which, as shop/web."
    assert plan.explain("bank/web").unit == "bank/web"


def test_an_unknown_unit_gets_the_nearest_name():
    plan = place(nodes(1), [pod("checkout", namespace="shop"), pod("web", namespace="shop")])
    with pytest.raises(ModelError) as caught:
        plan.explain("shop/chekout")
    assert str(caught.value) == (
        "There is no unit 'shop/chekout' in the plan (did you mean 'shop/checkout'?)."
    )


def test_an_unknown_unit_without_anything_like_it_gets_no_suggestion():
    with pytest.raises(ModelError) as caught:
        place(nodes(1), [pod()]).explain("database")
    assert str(caught.value) == "There is no unit 'database' in the plan."


def test_an_explanation_shows_as_html_with_its_words_escaped():
    html = place([node("a<b")], [pod()]).explain("web")._repr_html_()
    assert "default/web went to a&lt;b" in html
    assert "<table" in html


def test_explaining_changes_nothing():
    plan = cs.place(cluster(nodes(2, cpu="2"), pods(6, cpu="1")))
    before = (plan.used.tolist(), plan.node_of.tolist())
    for unit in plan.scenario.units:
        plan.explain(unit.key)
    assert (plan.used.tolist(), plan.node_of.tolist()) == before
