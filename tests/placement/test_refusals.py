"""Why units wait: the scheduler's own words, counted by node."""

from __future__ import annotations

import pytest

from capsim.placement.kubernetes.refusals import unresolvable
from tests.placement.builders import (
    node,
    nodes,
    on_nodes_with,
    place,
    pod,
    pods,
    taint,
)


def message(plan) -> str:
    (refusal,) = plan.refusals
    return refusal.message


def test_the_message_is_that_of_the_failed_scheduling_event():
    tainted = [node(f"t{i}", taints=(taint("k", "v"),)) for i in range(3)]
    plan = place([node("a", cpu="1"), *tainted, node("b", cpu="2")], [pod(cpu="3")])
    assert message(plan) == (
        "0/5 nodes are available: 2 Insufficient cpu, 3 node(s) had untolerated taint {k: v}."
    )


@pytest.mark.parametrize(
    ("machine", "unit", "words"),
    [
        ({"cpu": "1"}, {"cpu": "2"}, "Insufficient cpu"),
        ({"memory": "1Gi"}, {"memory": "2Gi"}, "Insufficient memory"),
        ({}, {"asks": {"ephemeral-storage": "1Gi"}}, "Insufficient ephemeral-storage"),
        ({}, {"asks": {"nvidia.com/gpu": 1}}, "Insufficient nvidia.com/gpu"),
        ({"pods": 0}, {}, "Too many pods"),
        ({"taints": (taint("k"),)}, {}, "node(s) had untolerated taint {k: }"),
        ({"taints": (taint("k", "v", "NoExecute"),)}, {}, "node(s) had untolerated taint {k: v}"),
        ({"unschedulable": True}, {}, "node(s) were unschedulable"),
        ({}, {"node_selector": {"a": "b"}}, "node(s) didn't match Pod's node affinity/selector"),
        (
            {},
            {"affinity": on_nodes_with(disk="ssd")},
            "node(s) didn't match Pod's node affinity/selector",
        ),
        ({}, {"pinned": "gone"}, "node(s) didn't satisfy plugin(s) [NodeAffinity]"),
        ({}, {"node_name": "gone"}, "node(s) didn't match the requested node name"),
        (
            {},
            {"host_ports": [80]},
            "node(s) didn't have free ports for the requested pod ports",
        ),
        (
            {"gpu_devices": 2},
            {"gpu": (2, 600)},
            "Insufficient GPU share on single boards",
        ),
        ({}, {"gpu": (1, 600)}, "Insufficient alibabacloud.com/gpu-milli"),
    ],
)
def test_every_reason_has_the_words_of_kubernetes(machine, unit, words):
    running = pod(
        "old", on="n1", host_ports=[80], gpu=(1, 500) if "gpu_devices" in machine else None
    )
    plan = place([node(**machine)], [running, pod(**unit)])
    assert plan.refusals[0].nodes == {words: 1}


def test_a_node_counts_for_every_resource_that_it_lacks():
    plan = place(nodes(2, cpu="1", memory="1Gi"), [pod(cpu="2", memory="2Gi")])
    assert message(plan) == "0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient memory."


def test_a_node_counts_for_its_first_filter_only():
    machine = node(cpu="1", unschedulable=True, taints=(taint("k", "v"),))
    plan = place([machine], [pod(cpu="2", node_selector={"a": "b"})])
    assert message(plan) == "0/1 nodes are available: 1 node(s) were unschedulable."


def test_reasons_are_sorted_as_texts_with_their_counts():
    machines = [node(f"a{i}", cpu="1") for i in range(10)] + [node("b", unschedulable=True)]
    assert message(place(machines, [pod(cpu="2"), *pods(0)])) == (
        "0/11 nodes are available: 1 node(s) were unschedulable, 10 Insufficient cpu."
    )


def test_without_nodes_there_are_no_nodes_to_count():
    (refusal,) = place([], [pod()]).refusals
    assert refusal.message == "no nodes available to schedule pods."
    assert (refusal.nodes, refusal.total) == ({}, 0)


def test_gated_units_are_held_by_their_gate():
    (refusal,) = place(nodes(1), [pod(scheduling_gates=("quota",))]).refusals
    assert refusal.message == "held by a scheduling gate."


def test_units_of_one_template_share_one_refusal():
    plan = place([node(cpu="2")], [*pods(4, cpu="1"), pod("big", cpu="9")])
    assert [(r.template, r.units) for r in plan.refusals] == [("web-1", (2, 3)), ("big", (4,))]


def test_units_pinned_to_different_nodes_are_refused_apart():
    units = [pod("a", pinned="n1", cpu="9"), pod("b", pinned="n2", cpu="9"), pod("c", cpu="9")]
    plan = place(nodes(3), units)
    assert [r.nodes for r in plan.refusals] == [
        {"Insufficient cpu": 1, "node(s) didn't satisfy plugin(s) [NodeAffinity]": 2},
        {"Insufficient cpu": 1, "node(s) didn't satisfy plugin(s) [NodeAffinity]": 2},
        {"Insufficient cpu": 3},
    ]


def test_nothing_is_refused_where_nothing_waits():
    assert place(nodes(1), [pod()]).refusals == ()


# The main reason ----------------------------------------------------------------------------


def test_the_main_reason_is_the_one_of_most_nodes_that_could_ever_take_the_unit():
    tainted = [node(f"t{i}", taints=(taint("k", "v"),)) for i in range(3)]
    plan = place([*tainted, node("n1")], [pod("old", on="n1", cpu="3"), pod(cpu="2")])
    assert plan.refusals[0].main == "Insufficient cpu"


def test_a_node_that_is_too_small_for_the_unit_could_never_take_it():
    small = [node(f"s{i}", cpu="1") for i in range(3)]
    machines = [*small, node("n1", memory="2Gi")]
    plan = place(machines, [pod("old", on="n1", memory="2Gi"), pod(cpu="2", memory="1Gi")])
    assert plan.refusals[0].nodes == {"Insufficient cpu": 3, "Insufficient memory": 1}
    assert plan.refusals[0].main == "Insufficient memory"


def test_where_even_empty_nodes_are_too_small_the_main_reason_says_so():
    plan = place([*nodes(2, cpu="1"), node("c", unschedulable=True)], [pod(cpu="2")])
    assert plan.refusals[0].main == "Insufficient cpu even on an empty node"


def test_what_a_node_lacks_only_because_it_is_full_is_not_called_too_small():
    running = [pod(f"old-{i}", on=f"n{i}", memory="16Gi") for i in (1, 2)]
    plan = place([*nodes(2, cpu="1"), node("n3", cpu="1")], [*running, pod(cpu="2", memory="1Gi")])
    assert plan.refusals[0].nodes == {"Insufficient cpu": 3, "Insufficient memory": 2}
    assert plan.refusals[0].main == "Insufficient cpu even on an empty node"


def test_a_pinned_unit_looks_at_its_own_node_for_the_main_reason():
    machines = [node("n1", cpu="1"), *(node(f"m{i}", cpu="1") for i in range(3))]
    plan = place(machines, [pod(pinned="n1", cpu="2")])
    assert plan.refusals[0].main == "Insufficient cpu even on an empty node"
    cordoned = [node("n1", unschedulable=True), *machines[1:]]
    plan = place(cordoned, [pod(pinned="n1", cpu="2")])
    assert plan.refusals[0].main == "node(s) didn't satisfy plugin(s) [NodeAffinity]"


def test_where_no_node_could_ever_take_it_the_most_frequent_reason_is_the_main_one():
    tainted = [node(f"t{i}", taints=(taint("k", "v"),)) for i in range(2)]
    plan = place([*tainted, node("off", unschedulable=True)], [pod()])
    assert plan.refusals[0].main == "node(s) had untolerated taint {k: v}"


def test_equally_frequent_reasons_are_told_apart_by_name():
    running = [pod(f"old-{i}", on=f"n{i}", cpu="4", memory="16Gi") for i in (1, 2)]
    plan = place(nodes(2), [*running, pod(cpu="2", memory="2Gi")])
    assert plan.refusals[0].main == "Insufficient cpu"


def test_a_full_node_is_resolvable_and_one_that_is_too_small_is_not():
    machines = [
        node("full"),
        node("small", cpu="1"),
        node("slots", pods=0),
        node("off", unschedulable=True),
    ]
    plan = place(machines, [pod("old", on="full", cpu="4"), pod(cpu="2")])
    answers = plan.engine.evaluate(plan.state, int(plan.engine.class_of[1]))
    assert unresolvable(plan.engine, plan.offered, answers).tolist() == [False, True, False, True]
    pinned = unresolvable(plan.engine, plan.offered, answers, pin=0)
    assert pinned.tolist() == [False, True, True, True]
