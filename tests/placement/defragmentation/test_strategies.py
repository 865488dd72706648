"""Whom each strategy of the descheduler evicts, by its documented rule."""

from __future__ import annotations

from typing import Any

import pytest

import capsim as cs
from capsim.errors import ModelError
from capsim.placement.defragmentation import (
    Defragmentation,
    Evictor,
    HighNodeUtilization,
    LowNodeUtilization,
    RemoveDuplicates,
    RemovePodsViolatingNodeTaints,
    RemovePodsViolatingTopologySpreadConstraint,
    defragment,
)
from capsim.scenario import (
    Affinity,
    Budget,
    Container,
    LabelSelector,
    TopologySpreadConstraint,
)
from tests.placement.builders import (
    HOSTNAME,
    REQUIRED,
    ZONE,
    Pod,
    avoided,
    cluster,
    most,
    node,
    nodes,
    on_nodes_with,
    pod,
    taint,
    tolerates,
)

LOW, HIGH = "LowNodeUtilization", "HighNodeUtilization"


def run(name: str, *, owner: str = "ReplicaSet/web", **more: Any) -> Pod:
    """A unit that something would make anew."""
    made = pod(name, **more)
    return Pod({**made.unit, "owner": owner}, made.template)


def crowd(count: int, on: str, name: str = "web", **more: Any) -> list[Pod]:
    return [run(f"{name}-{on}-{i}", on=on, **more) for i in range(count)]


def descheduled(
    machines: Any, units: Any, strategy: Any, evictor: Evictor | None = None, **more: Any
) -> Defragmentation:
    return defragment(cluster(machines, units, **more), strategy=strategy, evictor=evictor)


def gone(result: Defragmentation) -> list[str]:
    return result.table["unit"].tolist()


# LowNodeUtilization -------------------------------------------------------------------------


def test_overused_nodes_give_until_they_are_at_the_target():
    result = descheduled(nodes(2), crowd(8, "n1", cpu="500m"), LOW)
    # 8 x 500m of 4 cores is 100 %; at 4 it is 50 %, which is not above the target.
    assert gone(result) == [f"web-n1-{i}" for i in range(4)]
    assert set(result.table["to_node"]) == {"n2"}


def test_nothing_goes_where_no_node_is_underused():
    units = [*crowd(8, "n1", cpu="500m"), *crowd(1, "n2", cpu="1")]
    assert gone(descheduled(nodes(2), units, LOW)) == []


def test_a_cordoned_node_does_not_count_as_underused():
    machines = [node("n1"), node("n2", unschedulable=True)]
    assert gone(descheduled(machines, crowd(8, "n1", cpu="500m"), LOW)) == []


def test_one_resource_above_its_target_makes_a_node_overused_and_all_below_underused():
    units = [*crowd(4, "n1", cpu="100m", memory="3Gi"), *crowd(1, "n2", memory="4Gi")]
    assert gone(descheduled(nodes(2), units, LOW)) == []
    units = [*crowd(4, "n1", cpu="100m", memory="3Gi"), *crowd(1, "n2", memory="3Gi")]
    assert len(gone(descheduled(nodes(2), units, LOW))) == 2


def test_the_destinations_take_no_more_than_their_targets_hold():
    machines = [node("n1", cpu="40"), node("n2", cpu="4")]
    result = descheduled(machines, crowd(30, "n1", cpu="1"), LOW)
    # n2 has room for 2 cores up to its target; with none left, eviction ends.
    assert len(gone(result)) == 2


def test_the_least_important_go_first_and_best_effort_before_guaranteed():
    guaranteed = Container(
        requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "1", "memory": "1Gi"}
    )
    units = [
        run("important", on="n1", cpu="1", priority=10),
        run("guaranteed", on="n1", containers=(guaranteed,)),
        run("burstable", on="n1", cpu="1"),
        run("best-effort", on="n1"),
    ]
    result = descheduled(
        [node("n1"), node("n2", cpu="40")],
        units,
        LowNodeUtilization(thresholds={"cpu": 20}, target_thresholds={"cpu": 20}),
    )
    assert gone(result) == ["best-effort", "burstable", "guaranteed", "important"]


def test_what_tolerates_no_destination_stays():
    machines = [node("n1"), node("n2", taints=(taint("gpu"),))]
    units = [*crowd(7, "n1", cpu="500m"), run("fit", on="n1", tolerations=(tolerates("gpu"),))]
    result = descheduled(machines, units, LOW)
    assert gone(result) == ["fit"]
    assert result.stays["reason"].tolist() == ["tolerates the taints of no destination"]


def test_thresholds_above_their_targets_are_refused():
    strategy = LowNodeUtilization(thresholds={"cpu": 60}, target_thresholds={"cpu": 50})
    with pytest.raises(ModelError) as caught:
        descheduled(nodes(2), [], strategy)
    assert str(caught.value) == "the threshold of cpu is 60 %, expected at most its target 50 %."


def test_thresholds_of_an_unknown_resource_are_refused_with_the_nearest():
    with pytest.raises(ModelError) as caught:
        descheduled(nodes(2), [run("a", on="n1")], HighNodeUtilization(thresholds={"memry": 20}))
    assert str(caught.value) == "no resource 'memry' in the cluster (did you mean 'memory'?)."


# HighNodeUtilization ------------------------------------------------------------------------


def test_underused_nodes_are_emptied_onto_others_under_a_scheduler_that_packs():
    units = [*crowd(1, "n1", cpu="500m"), *crowd(2, "n2", cpu="1"), *crowd(1, "n3", cpu="200m")]
    result = descheduled(nodes(3), units, HIGH, profile=most())
    assert gone(result) == ["web-n3-0", "web-n1-0"]
    assert result.table["to_node"].tolist() == ["n2", "n2"]
    assert result.emptied == ["n1", "n3"]
    assert result.summary()["empty_nodes_after"] == 2


def test_under_a_scheduler_that_spreads_units_come_back():
    units = [*crowd(1, "n1", cpu="500m"), *crowd(2, "n2", cpu="1")]
    result = descheduled(nodes(2), units, HIGH)
    assert result.table["outcome"].tolist() == ["back on its node"]
    assert result.emptied == []


def test_where_all_nodes_are_underused_nothing_goes():
    assert gone(descheduled(nodes(2), crowd(1, "n1", cpu="100m"), HIGH)) == []


def test_at_the_threshold_a_node_is_underused():
    units = [*crowd(1, "n1", cpu="800m"), *crowd(1, "n2", cpu="801m")]
    assert gone(descheduled(nodes(2), units, HIGH)) == ["web-n1-0"]


# RemoveDuplicates ---------------------------------------------------------------------------


def test_duplicates_above_the_average_go():
    # 5 units on 2 possible nodes: at most 3 each.
    assert gone(descheduled(nodes(2), crowd(5, "n1"), "RemoveDuplicates")) == [
        "web-n1-3",
        "web-n1-4",
    ]


def test_other_owners_and_images_are_no_duplicates():
    units = [
        run("a", on="n1"),
        run("b", on="n1", owner="ReplicaSet/other"),
        run("c", on="n1", image="new"),
        run("d", on="n1", namespace="elsewhere"),
    ]
    assert gone(descheduled(nodes(2), units, "RemoveDuplicates")) == []


def test_nodes_that_the_units_cannot_use_do_not_count_for_the_average():
    machines = [*nodes(2), node("n3", taints=(taint("x"),))]
    assert len(gone(descheduled(machines, crowd(4, "n1"), "RemoveDuplicates"))) == 2
    alone = [node("n1"), node("n3", taints=(taint("x"),))]
    assert gone(descheduled(alone, crowd(4, "n1"), "RemoveDuplicates")) == []


def test_kinds_of_owners_can_be_left_out():
    strategy = RemoveDuplicates(exclude_owner_kinds=("ReplicaSet",))
    assert gone(descheduled(nodes(2), crowd(4, "n1"), strategy)) == []


# Taints, affinity ---------------------------------------------------------------------------


def test_units_that_no_longer_tolerate_their_node_go():
    machines = [node("n1", taints=(taint("old"),)), node("n2")]
    units = [run("a", on="n1"), run("b", on="n1", tolerations=(tolerates("old"),))]
    result = descheduled(machines, units, "RemovePodsViolatingNodeTaints")
    assert gone(result) == ["a"]
    assert result.table["to_node"].tolist() == ["n2"]


@pytest.mark.parametrize("effect", ["NoExecute", "PreferNoSchedule"])
def test_other_effects_do_not_evict(effect):
    machines = [node("n1", taints=(taint("old", effect=effect),)), node("n2")]
    assert gone(descheduled(machines, [run("a", on="n1")], "RemovePodsViolatingNodeTaints")) == []


def test_soft_taints_count_on_demand_and_taints_can_be_left_out():
    soft = RemovePodsViolatingNodeTaints(includes_prefer_no_schedule=True)
    machines = [node("n1", taints=avoided(1)), node("n2")]
    assert gone(descheduled(machines, [run("a", on="n1")], soft)) == ["a"]
    without = RemovePodsViolatingNodeTaints(excluded_taints=("old=yes",))
    machines = [node("n1", taints=(taint("old", "yes"),)), node("n2")]
    assert gone(descheduled(machines, [run("a", on="n1")], without)) == []


def test_units_whose_node_lost_a_required_label_go_if_another_has_it():
    machines = [node("n1"), node("n2", labels={"disk": "ssd"})]
    unit = run("a", on="n1", affinity=on_nodes_with(disk="ssd"))
    strategy = "RemovePodsViolatingNodeAffinity"
    result = descheduled(machines, [unit], strategy)
    assert result.table[["unit", "to_node"]].to_numpy().tolist() == [["a", "n2"]]
    full = [unit, *crowd(1, "n2", cpu="4", name="full")]
    big = run("a", on="n1", cpu="1", affinity=on_nodes_with(disk="ssd"))
    assert gone(descheduled(machines, [big, full[1]], strategy)) == []
    by_selector = run("a", on="n1", node_selector={"disk": "ssd"})
    assert gone(descheduled(machines, [by_selector], strategy)) == []


def apart(key: str = HOSTNAME, **labels: str) -> Affinity:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": labels}}
    return Affinity.model_validate({"podAntiAffinity": {REQUIRED: [term]}})


def test_units_that_share_a_domain_against_their_anti_affinity_go_until_none_is_offended():
    machines = [node(f"n{i}", labels={HOSTNAME: f"n{i}", ZONE: "a"}) for i in (1, 2, 3)]
    shy = {"labels": {"app": "w"}, "affinity": apart(app="w")}
    units = [run("a", on="n1", **shy), run("b", on="n1", **shy), run("c", on="n2", **shy)]
    strategy = "RemovePodsViolatingInterPodAntiAffinity"
    result = descheduled(machines, units, strategy)
    assert result.table[["unit", "to_node"]].to_numpy().tolist() == [["a", "n3"]]
    wide = {"labels": {"app": "w"}, "affinity": apart(ZONE, app="w")}
    units = [run("a", on="n1", **wide), run("c", on="n2", **wide)]
    assert gone(descheduled(machines, units, strategy)) == ["a"]


def test_anti_affinity_of_other_namespaces_does_not_offend():
    machines = [node("n1", labels={HOSTNAME: "n1"})]
    shy = {"labels": {"app": "w"}, "affinity": apart(app="w")}
    units = [run("a", on="n1", **shy), run("b", on="n1", namespace="x", **shy)]
    assert gone(descheduled(machines, units, "RemovePodsViolatingInterPodAntiAffinity")) == []


# Spread -------------------------------------------------------------------------------------


def spread(skew: int = 1, **more: Any) -> tuple[TopologySpreadConstraint, ...]:
    fields = {
        "when_unsatisfiable": "DoNotSchedule",
        "label_selector": LabelSelector(match_labels={"app": "w"}),
    }
    return (TopologySpreadConstraint(max_skew=skew, topology_key=ZONE, **fields | more),)


def zones(*names: str) -> list[Any]:
    return [node(f"n-{name}", labels={ZONE: name}) for name in names]


def spread_crowd(sizes: dict[str, int], **more: Any) -> list[Pod]:
    fields = {"labels": {"app": "w"}, "topology_spread_constraints": spread()} | more
    return [unit for on, size in sizes.items() for unit in crowd(size, on, **fields)]


SPREAD = "RemovePodsViolatingTopologySpreadConstraint"


def test_domains_are_brought_within_the_skew():
    result = descheduled(zones("a", "b"), spread_crowd({"n-a": 6}), SPREAD)
    # 6 and 0: half of what is above the skew of 1, rounded up: 3.
    assert len(gone(result)) == 3
    assert result.table["to_node"].tolist() == ["n-b"] * 3


def test_the_example_of_the_descheduler_ends_balanced():
    sizes = {f"n-{i}": size for i, size in enumerate((2, 5, 3, 8, 5, 7))}
    machines = zones(*(str(i) for i in range(6)))
    result = descheduled(machines, spread_crowd(sizes), SPREAD)
    assert len(gone(result)) == 5
    after = result.after.nodes["units"].tolist()
    assert after == [5, 5, 5, 5, 5, 5]


def test_a_skew_that_is_allowed_evicts_nobody():
    units = spread_crowd({"n-a": 2, "n-b": 1})
    assert gone(descheduled(zones("a", "b"), units, SPREAD)) == []


def test_soft_constraints_count_on_demand():
    soft = spread(when_unsatisfiable="ScheduleAnyway")
    units = spread_crowd({"n-a": 4}, topology_spread_constraints=soft)
    assert gone(descheduled(zones("a", "b"), units, SPREAD)) == []
    strategy = RemovePodsViolatingTopologySpreadConstraint(includes_soft_constraints=True)
    assert len(gone(descheduled(zones("a", "b"), units, strategy))) == 2


def test_a_unit_goes_only_if_a_node_of_a_smaller_domain_has_room():
    full = crowd(1, "n-b", cpu="4", name="full")
    units = [*spread_crowd({"n-a": 4}, cpu="500m"), *full]
    assert gone(descheduled(zones("a", "b"), units, SPREAD)) == []


def test_nodes_that_the_policies_leave_out_are_no_domains():
    machines = [*zones("a"), node("n-b", labels={ZONE: "b"}, taints=(taint("x"),))]
    honour = spread(node_taints_policy="Honor")
    units = spread_crowd({"n-a": 4}, topology_spread_constraints=honour)
    assert gone(descheduled(machines, units, SPREAD)) == []


# Who may go ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "reason"),
    [
        ({"owner": "DaemonSet/agent"}, "belongs to a DaemonSet"),
        ({"owner": "Node/n1"}, "is static"),
        ({"owner": ""}, "has no owner that would make it anew"),
        ({"priority": 2_000_000_000}, "is system-critical"),
        ({"priority": 1000}, "has a priority at or above the threshold"),
        ({"local_storage": True}, "has local storage"),
    ],
)
def test_some_units_never_go(unit, reason):
    machines = [node("n1", taints=(taint("old"),)), node("n2")]
    units = [run("kept", on="n1", **unit), run("goes", on="n1")]
    evictor = Evictor(priority_threshold=1000)
    result = descheduled(machines, units, "RemovePodsViolatingNodeTaints", evictor)
    assert gone(result) == ["goes"]
    assert result.explain("kept") == f"default/kept stays: it {reason}."


def test_protections_can_be_lifted():
    machines = [node("n1", taints=(taint("old"),)), node("n2")]
    units = [
        run("local", on="n1", local_storage=True),
        run("bare", on="n1", owner=""),
        run("owned", on="n1"),
    ]
    evictor = Evictor(evicts_local_storage=True, evicts_bare_units=True)
    result = descheduled(machines, units, "RemovePodsViolatingNodeTaints", evictor)
    assert gone(result) == ["local", "bare", "owned"]


@pytest.mark.parametrize(
    ("budget", "count"),
    [
        ({"disruptions_allowed": 1}, 1),
        ({"disruptions_allowed": 0}, 0),
        ({"min_available": "2"}, 2),
        ({"min_available": "60%"}, 1),
        ({"max_unavailable": "25%"}, 1),
        ({"max_unavailable": "3"}, 3),
    ],
)
def test_a_budget_lets_no_more_go_than_it_allows(budget, count):
    machines = [node("n1", taints=(taint("old"),)), node("n2")]
    units = [run(f"a{i}", on="n1", labels={"app": "w"}) for i in range(4)]
    chosen = LabelSelector(match_labels={"app": "w"})
    budgets = (Budget(name="b", selector=chosen, **budget),)
    result = descheduled(machines, units, "RemovePodsViolatingNodeTaints", budgets=budgets)
    assert len(gone(result)) == count


def test_a_unit_in_two_budgets_cannot_be_evicted():
    machines = [node("n1", taints=(taint("old"),)), node("n2")]
    budgets = tuple(
        Budget(name=name, selector=LabelSelector(), disruptions_allowed=5) for name in "ab"
    )
    units = [run("a", on="n1")]
    result = descheduled(machines, units, "RemovePodsViolatingNodeTaints", budgets=budgets)
    assert gone(result) == []
    assert result.explain("a") == "default/a stays: it is in several disruption budgets."


@pytest.mark.parametrize(
    ("limit", "count"),
    [({"most": 3}, 3), ({"most_per_node": 2}, 4), ({"most_per_namespace": 1}, 2)],
)
def test_limits_of_evictions_hold(limit, count):
    machines = [node(f"n{i}", taints=(taint("old"),)) for i in (1, 2)]
    units = [
        run(f"{on}-{space}-{i}", on=on, namespace=space)
        for on in ("n1", "n2")
        for space in ("x", "y")
        for i in range(2)
    ]
    evictor = Evictor(**limit)
    result = descheduled(machines, units, "RemovePodsViolatingNodeTaints", evictor)
    assert len(gone(result)) == count


def test_an_unknown_strategy_gets_the_nearest_name():
    with pytest.raises(ModelError) as caught:
        defragment(cs.place(cluster(nodes(1))), strategy="RemoveDuplicate")
    assert str(caught.value) == (
        "no strategy 'RemoveDuplicate' (did you mean 'RemoveDuplicates'?)."
    )
