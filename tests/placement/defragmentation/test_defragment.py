"""cs.defragment: where evicted units land, what is freed, and capsim's own search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.placement.defragmentation import (
    STRATEGIES,
    Evictor,
    FewestEvictions,
    compare_defragmentations,
    defragment,
)
from capsim.scenario import Budget, LabelSelector
from tests.placement.builders import (
    Pod,
    cluster,
    examples,
    node,
    nodes,
    place,
    pod,
    taint,
    where,
)

WAITING, NODES = "FewestEvictions:waiting", "FewestEvictions:nodes"


def run(name: str, on: str | None = None, **more: Any) -> Pod:
    made = pod(name, on=on, **more)
    return Pod({**made.unit, "owner": "ReplicaSet/web"}, made.template)


# The result ---------------------------------------------------------------------------------


def test_evicted_units_are_placed_behind_those_that_waited():
    machines = [node("n1", cpu="2", taints=(taint("old"),)), node("n2", cpu="1")]
    units = [run("evicted", "n1", cpu="1"), run("waiting", cpu="1")]
    plan = cs.place(cluster([*machines[:1], machines[1]], [*units, run("full", "n2", cpu="1")]))
    result = defragment(plan, strategy="RemovePodsViolatingNodeTaints")
    assert result.table["outcome"].tolist() == ["waits"]
    machines[1] = node("n2", cpu="2")
    plan = cs.place(cluster(machines, [units[0], run("full", "n2", cpu="1"), run("w", cpu="2")]))
    result = defragment(plan, strategy="RemovePodsViolatingNodeTaints")
    assert result.table["to_node"].tolist() == ["n2"]


def test_the_numbers_add_up_and_the_plan_is_left_as_it_was():
    machines = [node("n1", taints=(taint("old"),)), node("n2")]
    plan = place(machines, [run("a", "n1", cpu="1"), run("b", "n2", cpu="3500m")])
    before = plan.node_of.tolist(), plan.used.tolist()
    result = defragment(plan, strategy="RemovePodsViolatingNodeTaints")
    assert (plan.node_of.tolist(), plan.used.tolist()) == before
    numbers = result.summary()
    assert numbers["evictions"] == 1
    assert numbers["evicted_units_waiting"] == 1
    assert numbers["waiting_units_after"] == numbers["waiting_units_before"] + 1
    assert numbers["emptied_nodes"] == 1
    assert result.emptied == ["n1"]
    assert result.explain("a").startswith(
        "default/a was evicted from n1: it does not tolerate a taint of its node.\n"
        "default/a waits: 0/2 nodes are available: 1 Insufficient cpu, "
    )
    assert result.explain("b") == (
        "RemovePodsViolatingNodeTaints has nothing against default/b where it is."
    )
    assert "<table" in result._repr_html_()


def test_a_unit_of_a_daemon_set_does_not_keep_its_node_from_being_empty():
    agent = Pod({**pod("agent", on="n1").unit, "owner": "DaemonSet/agent"}, pod("agent").template)
    machines = [node("n1", taints=(taint("old"),)), node("n2")]
    result = defragment(
        cluster(machines, [agent, run("a", "n1")]), strategy="RemovePodsViolatingNodeTaints"
    )
    assert result.table["unit"].tolist() == ["a"]
    assert result.emptied == ["n1"]


def test_a_trace_without_owners_is_taken_to_be_made_anew_and_says_so():
    machines = [node("n1", taints=(taint("old"),)), node("n2")]
    result = defragment(
        cluster(machines, [pod("a", on="n1")]), strategy="RemovePodsViolatingNodeTaints"
    )
    assert result.table["unit"].tolist() == ["a"]
    assert any("owners of units" in str(each) for each in result.assumptions)


def test_strategies_are_compared_in_one_table():
    machines = [node("n1", taints=(taint("old"),)), node("n2")]
    table = compare_defragmentations(cluster(machines, [run("a", "n1")]))
    assert table["strategy"].tolist() == list(STRATEGIES)
    evicting = table[table["evictions"] > 0]["strategy"].tolist()
    assert evicting == ["RemovePodsViolatingNodeTaints"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_empty_cluster_has_nothing_to_evict(strategy):
    for scenario in (cluster([]), cluster(nodes(2)), cluster([], [pod()])):
        assert defragment(scenario, strategy=strategy).summary()["evictions"] == 0


# capsim's own -------------------------------------------------------------------------------


def fragmented() -> list[Pod]:
    """One core in use on each of three nodes of two; nothing of two cores fits."""
    return [run(f"a{i}", f"n{i}", cpu="1") for i in (1, 2, 3)]


def test_one_eviction_lets_a_waiting_unit_in():
    plan = place(nodes(3, cpu="2"), [*fragmented(), run("big", cpu="2")])
    assert where(plan)["big"] is None
    result = defragment(plan, strategy=WAITING)
    assert result.table["unit"].tolist() == ["a1"]
    assert result.table["why"].tolist() == ["it makes room for default/big"]
    assert where(result.after)["big"] == "n1"
    assert result.summary()["waiting_units_after"] == 0


def test_nobody_is_evicted_who_would_be_left_without_a_place():
    units = [*fragmented(), *(run(f"b{i}", f"n{i}", cpu="1") for i in (1, 2, 3))]
    plan = place(nodes(3, cpu="2"), [*units, run("big", cpu="2")])
    assert defragment(plan, strategy=WAITING).summary()["evictions"] == 0


def test_units_of_higher_priority_are_not_evicted_for_a_waiting_one():
    units = [run(f"a{i}", f"n{i}", cpu="1", priority=5) for i in (1, 2, 3)]
    plan = place(nodes(3, cpu="2"), [*units, run("big", cpu="2")])
    assert defragment(plan, strategy=WAITING).summary()["evictions"] == 0


def test_the_fewest_evictions_are_taken():
    small = [run(f"s{i}", "n1", cpu="500m") for i in range(2)]
    machines = [node("n1", cpu="2"), node("n2", cpu="2"), node("n3", cpu="1")]
    plan = place(machines, [*small, run("one", "n2", cpu="1"), run("big", cpu="2")])
    assert defragment(plan, strategy=WAITING).table["unit"].tolist() == ["one"]


def test_a_limit_bounds_the_search():
    units = [run(f"a{i}", f"n{i}", cpu="1") for i in range(1, 7)]
    plan = place(nodes(6, cpu="2"), [*units, run("x", cpu="2"), run("y", cpu="2")])
    free = defragment(plan, strategy=WAITING)
    assert (len(free.evictions), free.summary()["waiting_units_after"]) == (2, 0)
    bound = defragment(plan, strategy=WAITING, evictor=Evictor(most=1))
    assert (len(bound.evictions), bound.summary()["waiting_units_after"]) == (1, 1)


def test_nodes_are_emptied_and_stay_so_under_a_scheduler_that_spreads():
    result = defragment(cluster(nodes(3, cpu="3"), fragmented()), strategy=NODES)
    assert len(result.evictions) == 2
    assert len(result.emptied) == 2
    kept = result.after.scenario.nodes
    assert [each.name for each in kept if each.unschedulable] == result.emptied
    descheduler = defragment(
        cluster(nodes(3, cpu="3"), fragmented()), strategy="HighNodeUtilization"
    )
    assert len(descheduler.emptied) < len(result.emptied)


def test_a_budget_holds_for_the_search_too():
    budget = Budget(name="b", selector=LabelSelector(), disruptions_allowed=1)
    scenario = cluster(nodes(3, cpu="3"), fragmented(), budgets=(budget,))
    assert len(defragment(scenario, strategy=NODES).evictions) == 1


def test_a_node_with_a_unit_that_must_stay_is_left_alone():
    units = [*fragmented(), run("local", "n1", cpu="100m", local_storage=True)]
    result = defragment(cluster(nodes(3, cpu="4"), units), strategy=NODES)
    assert "n1" not in result.emptied
    assert len(result.emptied) == 2


sizes = st.sampled_from(["250m", "500m", "1", "1500m", "2"])


@examples(40)
@given(
    running=st.lists(st.tuples(st.integers(1, 5), sizes), max_size=14),
    waiting=st.lists(sizes, max_size=5),
    goal=st.sampled_from(["waiting", "nodes"]),
)
def test_the_search_never_leaves_anybody_worse_off(running, waiting, goal):
    free, units = dict.fromkeys(range(1, 6), 3000), []
    for number, (on, cpu) in enumerate(running):
        amount = int(float(cpu[:-1])) if cpu.endswith("m") else 1000 * int(cpu)
        if amount <= free[on]:
            free[on] -= amount
            units.append(run(f"r{number}", f"n{on}", cpu=cpu))
    units += [run(f"w{number}", cpu=cpu) for number, cpu in enumerate(waiting)]
    plan = place(nodes(5, cpu="3"), units)
    result = defragment(plan, strategy=FewestEvictions(goal=goal))
    numbers = result.summary()
    assert numbers["evicted_units_waiting"] == 0
    assert numbers["waiting_units_after"] <= numbers["waiting_units_before"]
    if goal == "nodes":
        assert numbers["empty_nodes_after"] >= numbers["empty_nodes_before"]
    assert (result.after.used <= result.after.offered).all()
    stayed = np.ones(len(plan.node_of), bool)
    stayed[[each.unit for each in result.evictions]] = False
    kept = stayed & (plan.node_of >= 0)
    assert (result.after.node_of[kept] == plan.node_of[kept]).all()


def test_an_empty_node_is_not_filled_to_empty_another():
    machines = nodes(4, cpu="2")
    plan = place(machines, [run("a", "n1", cpu="1"), run("b", "n2", cpu="2")])
    assert defragment(plan, strategy=NODES).summary()["evictions"] == 0
