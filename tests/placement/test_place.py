"""place: which unit goes where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.placement.place import scheduler
from capsim.scenario import Affinity, Container, Port, SchedulerProfile
from tests.placement.builders import (
    avoided,
    cluster,
    examples,
    least,
    likes,
    most,
    node,
    nodes,
    nodes_of,
    on_nodes_with,
    place,
    pod,
    pods,
    ratio,
    scores,
    taint,
    tolerates,
    weighing,
    where,
)

# The queue ----------------------------------------------------------------------------------


def test_units_of_higher_priority_are_placed_first():
    plan = place([node(cpu="1")], [pod("low", cpu="1"), pod("high", cpu="1", priority=10)])
    assert where(plan) == {"low": None, "high": "n1"}


def test_units_of_equal_priority_are_placed_in_order_of_arrival():
    plan = place([node(cpu="2")], [*pods(3, cpu="1"), pod("low", cpu="1", priority=-1)])
    assert where(plan) == {"web-1": "n1", "web-2": "n1", "web-3": None, "low": None}


def test_a_unit_that_finds_no_place_does_not_hold_up_those_behind_it():
    plan = place([node(cpu="2")], [pod("large", cpu="3"), pod("small", cpu="1")])
    assert where(plan) == {"large": None, "small": "n1"}


def test_the_order_in_which_units_were_tried_is_kept_with_gated_ones_last():
    gated = pod("gated", priority=100, scheduling_gates=("quota",))
    units = [gated, pod("low"), pod("high", priority=10)]
    plan = place([node()], units)
    assert [plan.scenario.units[row].name for row in plan.order] == ["high", "low", "gated"]


def test_equal_scores_go_to_the_first_node_of_the_input():
    assert nodes_of(place([node("z"), node("a"), node("m")], [pod()])) == ["z"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9])
def test_equal_scores_go_to_the_first_node_whatever_the_number_of_nodes(count):
    plan = place(nodes(count, cpu="1"), pods(count, cpu="1"))
    assert nodes_of(plan) == [f"n{number}" for number in range(1, count + 1)]


def test_a_placed_unit_counts_for_the_next():
    assert nodes_of(place(nodes(2), pods(4, cpu="1", memory="1Gi"))) == ["n1", "n2", "n1", "n2"]


def test_units_that_run_stay_where_they_are():
    crowded = [pod("a", on="n1", cpu="3"), pod("b", on="n1", cpu="1"), pod("c", cpu="2")]
    assert where(place(nodes(2), crowded)) == {"a": "n1", "b": "n1", "c": "n2"}


def test_a_unit_of_high_priority_evicts_what_then_waits():
    plan = place([node(cpu="1")], [pod("old", on="n1", cpu="1"), pod("new", cpu="1", priority=9)])
    assert where(plan) == {"old": None, "new": "n1"}
    assert plan.table["state"].tolist() == ["evicted for default/new", "placed"]
    assert "old was evicted for default/new." in str(plan.explain("old"))
    assert "old had to leave for default/new." in str(plan.explain("new"))
    assert plan.pending["unit"].tolist() == ["old"]
    assert "evicted units" in [assumption.name for assumption in plan.assumptions]


def test_an_evicted_unit_moves_where_there_is_room():
    machines = [node("n1", cpu="2"), node("n2", cpu="1")]
    units = [pod("old", on="n1", cpu="1"), pod("new", cpu="2", priority=9)]
    plan = place(machines, units)
    assert where(plan) == {"old": "n2", "new": "n1"}
    assert plan.table["state"].tolist() == ["moved for default/new", "placed"]
    assert plan.placed_topology.unit_node.tolist() == [1, 0]


def test_a_profile_without_preemption_evicts_nothing():
    units = [pod("old", on="n1", cpu="1"), pod("new", cpu="1", priority=9)]
    plan = place([node(cpu="1")], units, profile=SchedulerProfile(preemption=False))
    assert where(plan) == {"old": "n1", "new": None}


def test_a_unit_of_another_scheduler_is_not_placed():
    plan = place(nodes(1), [pod(scheduler_name="volcano")])
    assert nodes_of(plan) == [None]
    assert plan.refusals[0].message == (
        "asks for a scheduler that the configuration does not have (volcano)."
    )


def test_every_unit_is_placed_by_the_profile_that_it_names():
    packs = SchedulerProfile(scheduler_name="packer", strategy="MostAllocated")
    units = [pod("old", on="n2", cpu="1"), pod("a"), pod("b", scheduler_name="packer")]
    scenario = cluster(nodes(2), units).replace(other_profiles=(packs,))
    assert where(cs.place(scenario)) == {"old": "n2", "a": "n1", "b": "n2"}


# Requests -----------------------------------------------------------------------------------


def test_a_unit_without_requests_fits_wherever_there_is_a_pod_slot():
    full = [pod("old", on="n1", cpu="1", memory="1Gi")]
    assert nodes_of(place([node(cpu="1", memory="1Gi")], [*full, pod()])) == ["n1", "n1"]


def test_a_unit_needs_a_pod_slot():
    plan = place([node(pods=2)], pods(3))
    assert nodes_of(plan) == ["n1", "n1", None]
    assert plan.refusals[0].message == "0/1 nodes are available: 1 Too many pods."


def test_a_node_that_states_no_pod_limit_takes_none():
    machine = node().model_copy(update={"allocatable": {"cpu": 4000, "memory": 2**34}})
    assert nodes_of(place([machine], [pod()])) == [None]


def test_a_unit_that_fills_a_node_exactly_fits():
    plan = place([node(cpu="2", memory="1Gi")], [pod(cpu="2", memory="1Gi"), pod("more", cpu="1m")])
    assert nodes_of(plan) == ["n1", None]


def test_a_container_without_requests_counts_100_millicores_and_200_mebibytes_for_scoring():
    plan = place([node(cpu="1", memory="2000Mi")], pods(2), profile=least())
    assert scores(plan, "web-1") == {"n1": 90}
    assert scores(plan, "web-2") == {"n1": 80}  # so does the one that is placed already


def test_each_container_without_requests_counts_for_itself():
    two = pod(containers=(Container(name="a"), Container(name="b")))
    assert scores(place([node(cpu="1", memory="2000Mi")], [two], profile=least()), "web") == {
        "n1": 80
    }


def test_a_request_of_zero_counts_as_nothing_for_scoring():
    plan = place([node(cpu="1", memory="2000Mi")], [pod(cpu="0", memory="0")], profile=least())
    assert scores(plan, "web") == {"n1": 100}


def test_resources_of_vendors_fit_by_the_piece():
    gpus = {"nvidia.com/gpu": 2}
    plan = place([node("plain"), node("gpus", offers=gpus)], pods(3, asks={"nvidia.com/gpu": 1}))
    assert nodes_of(plan) == ["gpus", "gpus", None]


def test_ephemeral_storage_fits_by_the_byte():
    disk = {"ephemeral-storage": "10Gi"}
    plan = place([node(offers=disk)], pods(3, asks={"ephemeral-storage": "5Gi"}))
    assert nodes_of(plan) == ["n1", "n1", None]
    assert plan.refusals[0].nodes == {"Insufficient ephemeral-storage": 1}


@pytest.mark.parametrize(
    "ignored", [{"ignored_resources": ("a.b/c",)}, {"ignored_resource_groups": ("a.b",)}]
)
def test_ignored_resources_do_not_stand_in_the_way(ignored):
    asking = [pod(asks={"a.b/c": 1})]
    assert nodes_of(place([node()], asking)) == [None]
    assert nodes_of(place([node()], asking, profile=SchedulerProfile(**ignored))) == ["n1"]


@pytest.mark.parametrize("native", ["hugepages-2Mi", "example.kubernetes.io/slots"])
def test_only_resources_of_vendors_can_be_ignored(native):
    profile = SchedulerProfile(
        ignored_resources=(native,), ignored_resource_groups=(native.partition("/")[0],)
    )
    assert nodes_of(place([node()], [pod(asks={native: 1})], profile=profile)) == [None]


# Overfull nodes, as dumps of real clusters have them ----------------------------------------


def overfull() -> list:
    return [pod("old-1", on="n1", cpu="3"), pod("old-2", on="n1", cpu="3")]


def test_an_overfull_node_keeps_what_it_has_and_takes_nothing_more():
    plan = place(nodes(2), [*overfull(), *pods(2, cpu="1m")])
    assert nodes_of(plan) == ["n1", "n1", "n2", "n2"]
    assert plan.used[0, plan.topology.column("cpu")] == 6000


def test_nothing_is_free_on_an_overfull_node():
    plan = place(nodes(1), overfull())
    assert plan.free[0, plan.topology.column("cpu")] == 0
    assert plan.free.min() >= 0


def test_a_unit_without_requests_goes_even_to_an_overfull_node():
    assert nodes_of(place(nodes(1), [*overfull(), pod()])) == ["n1", "n1", "n1"]


@pytest.mark.parametrize(("profile", "score"), [(least(), 46), (most(), 52)])
def test_an_overfull_resource_scores_as_full(profile, score):
    """Cpu 6.1 of 4 cores: 0 or 100; memory 3 x 200 MiB of 8000 MiB: 92 or 7; halved and cut."""
    plan = place([node(memory="8000Mi")], [*overfull(), pod()], profile=profile)
    assert scores(plan, "web") == {"n1": score + (profile.strategy == "MostAllocated")}


def test_a_dump_may_hold_more_units_on_a_node_than_it_has_slots():
    plan = place([node("n1", pods=1), node("n2", pods=1)], [*pods(3, "old", on="n1"), pod()])
    assert nodes_of(plan) == ["n1", "n1", "n1", "n2"]


def test_a_dump_may_hold_more_of_a_board_than_there_is():
    running = [pod("a", on="n1", gpu=(1, 700)), pod("b", on="n1", gpu=(1, 700))]
    plan = place([node(gpu_devices=1)], [*running, pod(gpu=(1, 300))])
    assert plan.gpu_free.tolist() == [[300]]
    assert nodes_of(plan) == ["n1", "n1", None]  # in sum the boards are overdrawn


# Strategies ---------------------------------------------------------------------------------


def test_least_allocated_spreads():
    plan = place(nodes(3), pods(6, cpu="1", memory="4Gi"), profile=least())
    assert nodes_of(plan) == ["n1", "n2", "n3", "n1", "n2", "n3"]


def test_most_allocated_packs():
    plan = place(nodes(3), pods(6, cpu="1", memory="4Gi"), profile=most())
    assert nodes_of(plan) == ["n1", "n1", "n1", "n1", "n2", "n2"]


def test_the_ratio_strategy_fills_to_the_peak_of_its_shape():
    half = ratio((0, 0), (50, 10), (60, 0))
    plan = place(nodes(3), pods(6, cpu="1", memory="4Gi"), profile=half)
    assert nodes_of(plan) == ["n1", "n1", "n2", "n2", "n3", "n3"]


@pytest.mark.parametrize(
    ("cpu", "memory", "score"),
    [
        ("1", "0", 25),  # a resource that scores 0 drops out with its weight
        ("0", "0", 0),
        ("1", "8Gi", 38),  # 37.5 is rounded up
        ("4", "16Gi", 100),
        ("395m", "0", 9),  # 9.875 % utilisation is cut to 9
    ],
)
def test_the_ratio_strategy_rounds_half_up_and_leaves_zeros_out(cpu, memory, score):
    plan = place([node()], [pod(cpu=cpu, memory=memory)], profile=ratio((0, 0), (100, 10)))
    assert scores(plan, "web") == {"n1": score}


@pytest.mark.parametrize(
    ("points", "score"),
    [
        (((0, 10), (100, 0)), 75),
        (((0, 10), (60, 3)), 71),  # a falling slope is cut toward zero: -29.17 counts -29
        (((30, 4), (100, 9)), 40),  # flat before the first point
        (((0, 2), (20, 7)), 70),  # and after the last
    ],
)
def test_the_ratio_strategy_follows_a_broken_line(points, score):
    plan = place([node()], [pod(cpu="1", memory="4Gi")], profile=ratio(*points))
    assert scores(plan, "web") == {"n1": score}


def test_resources_count_by_their_weights():
    profile = least(resources=weighing(cpu=3, memory=1))
    plan = place([node()], [pod(cpu="1", memory="8Gi")], profile=profile)
    assert scores(plan, "web") == {"n1": (3 * 75 + 50) // 4}


def test_vendor_resources_count_in_scores_only_for_units_that_ask_for_them():
    profile = least(resources=weighing(**{"cpu": 1, "a.b/c": 1}))
    machines = [node(offers={"a.b/c": 4})]
    plan = place(machines, [pod("plain", cpu="1")], profile=profile)
    assert scores(plan, "plain") == {"n1": 75}
    plan = place(machines, [pod("asking", cpu="1", asks={"a.b/c": 3})], profile=profile)
    assert scores(plan, "asking") == {"n1": (75 + 25) // 2}


def test_a_resource_that_a_node_lacks_does_not_count_in_its_score():
    profile = least(resources=weighing(**{"cpu": 1, "ephemeral-storage": 1}))
    machines = [node("with", offers={"ephemeral-storage": "10Gi"}), node("without")]
    plan = place(machines, [pod(cpu="1")], profile=profile)
    assert scores(plan, "web") == {"with": (75 + 100) // 2, "without": 75}


def test_a_score_over_resources_that_nobody_knows_is_zero():
    plan = place([node()], [pod(cpu="1")], profile=least(resources=weighing(**{"a.b/c": 1})))
    assert scores(plan, "web") == {"n1": 0}


# Balance ------------------------------------------------------------------------------------

BALANCED = SchedulerProfile(score_weights={"NodeResourcesBalancedAllocation": 1})


def test_two_resources_are_balanced_by_half_of_their_difference():
    plan = place([node()], [pod(cpu="3", memory="4Gi")], profile=BALANCED)
    assert scores(plan, "web") == {"n1": 75}


def test_three_resources_are_balanced_by_the_standard_deviation():
    resources = weighing(**{"cpu": 1, "memory": 1, "ephemeral-storage": 1})
    profile = BALANCED.model_copy(update={"balanced_resources": resources})
    machine = node(offers={"ephemeral-storage": "8Gi"})
    asking = pod(cpu="4", memory="8Gi", asks={"ephemeral-storage": 0})
    # shares 1, 0.5, 0: deviation sqrt(1/6) = 0.408
    assert scores(place([machine], [asking], profile=profile), "web") == {"n1": 59}


def test_an_overfull_resource_is_balanced_as_a_full_one():
    plan = place([node()], [*overfull(), pod(memory="8Gi")], profile=BALANCED)
    assert scores(plan, "web") == {"n1": 75}


def test_a_unit_without_requests_is_not_asked_about_balance():
    plan = place(nodes(2), [pod("old", on="n1", cpu="4"), pod()])
    assert "NodeResourcesBalancedAllocation" not in plan.explain("web").table.columns


def test_balance_counts_what_is_requested_and_not_the_stand_in_for_scoring():
    plan = place([node(cpu="1", memory="2000Mi")], [*pods(3), pod(cpu="500m")], profile=BALANCED)
    assert scores(plan, "web") == {"n1": 75}


# Cordons and taints -------------------------------------------------------------------------


def test_a_cordoned_node_takes_nothing_new():
    machines = [node("cordoned", unschedulable=True), node("open")]
    plan = place(machines, [pod("old", on="cordoned"), pod()])
    assert nodes_of(plan) == ["cordoned", "open"]


def test_a_cordoned_node_takes_what_tolerates_the_cordon():
    cordon = tolerates("node.kubernetes.io/unschedulable", effect="NoSchedule")
    plan = place([node(unschedulable=True)], [pod(tolerations=(cordon,))])
    assert nodes_of(plan) == ["n1"]


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_a_taint_keeps_units_away_that_do_not_tolerate_it(effect):
    tainted = node("tainted", taints=(taint("gpu", "yes", effect),))
    assert nodes_of(place([tainted, node("open")], [pod()])) == ["open"]


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        (tolerates("gpu"), True),
        (tolerates(), True),
        (tolerates("gpu", effect="NoSchedule"), True),
        (tolerates("gpu", effect="NoExecute"), False),
        (tolerates("gpu", operator="Equal", value="yes"), True),
        (tolerates("gpu", operator="", value="yes"), True),
        (tolerates("gpu", operator="Equal", value="no"), False),
        (tolerates("cpu"), False),
    ],
)
def test_a_toleration_matches_by_key_value_and_effect(toleration, fits):
    plan = place([node(taints=(taint("gpu", "yes"),))], [pod(tolerations=(toleration,))])
    assert nodes_of(plan) == ["n1" if fits else None]


def test_all_taints_of_a_node_have_to_be_tolerated():
    tainted = node(taints=(taint("a"), taint("b")))
    plan = place([tainted], [pod(tolerations=(tolerates("a"),))])
    assert plan.refusals[0].nodes == {"node(s) had untolerated taint {b: }": 1}


def test_a_soft_taint_only_puts_off():
    soft = [node("soft", taints=avoided(1), cpu="8"), node("open", cpu="1")]
    assert nodes_of(place(soft, pods(2, cpu="1"))) == ["open", "soft"]


def test_soft_taints_score_by_their_number_against_the_node_that_has_most():
    machines = [node(f"{count}-taints", taints=avoided(count)) for count in range(4)]
    plan = place(machines, [pod()])
    assert scores(plan, "web", "TaintToleration") == {
        "0-taints": 300,
        "1-taints": 201,  # 100 - 33, thrice
        "2-taints": 102,
        "3-taints": 0,
    }


def test_tolerated_soft_taints_do_not_count():
    machines = [node("n1", taints=avoided(2)), node("n2", taints=(taint("x", "", "NoSchedule"),))]
    soft = tuple(tolerates(f"avoid-{i}", effect="PreferNoSchedule") for i in range(2))
    plan = place(machines, [pod(tolerations=(*soft, tolerates("x")))])
    assert scores(plan, "web", "TaintToleration") == {"n1": 300, "n2": 300}


def test_only_nodes_that_fit_count_for_the_normalisation_of_taints():
    machines = [node("worst", taints=avoided(4), cpu="1"), node("bad", taints=avoided(1)), node()]
    plan = place(machines, [pod("old", on="worst", cpu="1"), pod(cpu="1")])
    assert scores(plan, "web", "TaintToleration") == {"n1": 300, "bad": 0}


def test_normalisation_of_taints_follows_as_the_worst_node_fills_up():
    """While the worst fits, the bad one beats the good by its label (2 x 100 against 3 x 33)."""
    profile = SchedulerProfile(score_weights={"TaintToleration": 3, "NodeAffinity": 2})
    machines = [
        node("good"),
        node("bad", taints=avoided(1), labels={"ssd": ""}),
        node("worst", taints=avoided(3), pods=2),
    ]
    liking = pods(5, affinity=likes(ssd=1))
    sent = pods(2, "sent", node_name="worst", tolerations=(tolerates(),))
    plan = place(machines, [liking[0], sent[0], liking[1], sent[1], *liking[2:]], profile=profile)
    assert nodes_of(plan) == ["bad", "worst", "bad", "worst", "good", "good", "good"]


# Node selectors and affinity ----------------------------------------------------------------


def test_a_node_selector_needs_every_label():
    machines = [
        node("half", labels={"disk": "ssd"}),
        node("whole", labels={"disk": "ssd", "arch": "arm64"}),
    ]
    plan = place(machines, [pod(node_selector={"disk": "ssd", "arch": "arm64"})])
    assert nodes_of(plan) == ["whole"]


def test_required_affinity_keeps_other_nodes_out():
    machines = [node("hdd", labels={"disk": "hdd"}), node("ssd", labels={"disk": "ssd"})]
    assert nodes_of(place(machines, [pod(affinity=on_nodes_with(disk="ssd"))])) == ["ssd"]


def test_affinity_can_name_nodes():
    field = {"key": "metadata.name", "operator": "In", "values": ["n2"]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    plan = place(nodes(3), [pod(affinity=Affinity.model_validate(affinity))])
    assert nodes_of(plan) == ["n2"]


def test_affinity_of_the_profile_is_enforced_first():
    profile = SchedulerProfile(added_affinity=on_nodes_with(pool="general").node_affinity)
    machines = [node("n1"), node("n2", labels={"pool": "general"})]
    plan = place(machines, [pod(), pod("torn", node_selector={"disk": "ssd"})], profile=profile)
    assert nodes_of(plan) == ["n2", None]
    assert plan.refusals[0].nodes == {
        "node(s) didn't match scheduler-enforced node affinity": 1,
        "node(s) didn't match Pod's node affinity/selector": 1,
    }


def test_preferred_affinity_scores_by_weight_against_the_best_node():
    machines = [
        node(),
        node("ssd", labels={"ssd": ""}),
        node("both", labels={"ssd": "", "new": ""}),
    ]
    plan = place(machines, [pod(affinity=likes(ssd=30, new=60))])
    assert scores(plan, "web", "NodeAffinity") == {"n1": 0, "ssd": 66, "both": 200}


def test_preferences_of_the_profile_count_with_those_of_the_unit():
    profile = SchedulerProfile(added_affinity=likes(new=50).node_affinity)
    machines = [node("ssd", labels={"ssd": ""}), node("both", labels={"ssd": "", "new": ""})]
    plan = place(machines, [pod("any"), pod("liking", affinity=likes(ssd=50))], profile=profile)
    assert scores(plan, "any", "NodeAffinity") == {"both": 200, "ssd": 0}
    assert scores(plan, "liking", "NodeAffinity") == {"both": 200, "ssd": 100}


def test_only_nodes_that_fit_count_for_the_normalisation_of_affinity():
    machines = [
        node("best", labels={"ssd": "", "new": ""}, cpu="1"),
        node("ssd", labels={"ssd": ""}),
    ]
    full = pod("old", on="best", cpu="1")
    plan = place(machines, [full, pod(cpu="1", affinity=likes(ssd=1, new=9))])
    assert scores(plan, "web", "NodeAffinity") == {"ssd": 200}


def test_normalisation_of_affinity_follows_as_the_best_node_fills_up():
    """While the best fits, a label of 1 in 50 is worth 2 points; once it is full, 200."""
    machines = [
        node("roomy", cpu="64"),
        node("liked", labels={"ssd": ""}, cpu="4"),
        node("best", labels={"new": ""}, pods=1),
    ]
    wanting = pods(3, cpu="1", memory="1Gi", affinity=likes(ssd=1, new=50))
    assert nodes_of(place(machines, wanting)) == ["best", "liked", "liked"]


def test_normalised_scores_are_cut_to_whole_numbers_before_they_are_added():
    """One taint of three: 100 - 33 = 67, with 40 for a label a tie with 100 + 7."""
    profile = SchedulerProfile(score_weights={"TaintToleration": 1, "NodeAffinity": 1})
    tied = [
        node("a", taints=avoided(1), labels={"x": ""}),
        node("b", labels={"y": ""}),
    ]
    top = node("c", taints=avoided(3), labels={"z": ""})
    liking = [pod(affinity=likes(x=40, y=7, z=100))]
    assert nodes_of(place([*tied, top], liking, profile=profile)) == ["a"]
    assert nodes_of(place([*tied[::-1], top], liking, profile=profile)) == ["b"]


TOLERABLE = [(), (tolerates("avoid-0"),), (tolerates("avoid-0"), tolerates("avoid-1"))]
LIKED = [{}, {"ssd": 1}, {"ssd": 3, "new": 50}, {"new": 7}]


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sets(st.sampled_from(["ssd", "new"])), st.integers(0, 6))
    ),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=40),
    st.integers(0, 3),
    st.integers(0, 3),
)
@examples(400)
def test_normalised_scores_stay_right_while_nodes_fill_up(machines, units, w_taint, w_affinity):
    """The kernel keeps the largest raw scores from unit to unit; here they are found anew."""
    plan = place(
        [
            node(f"n{i}", taints=avoided(taints), labels=dict.fromkeys(labels, ""), pods=slots)
            for i, (taints, labels, slots) in enumerate(machines)
        ],
        [
            pod(f"p{i}", tolerations=TOLERABLE[tolerated], affinity=likes(**LIKED[liked]))
            for i, (tolerated, liked) in enumerate(units)
        ],
        profile=SchedulerProfile(
            score_weights={"TaintToleration": w_taint, "NodeAffinity": w_affinity}
        ),
    )
    slots_left = [slots for _, _, slots in machines]
    for got, (tolerated, liked) in zip(plan.node_of.tolist(), units, strict=True):
        fitting = [i for i, slots in enumerate(slots_left) if slots]
        bad = {i: max(0, machines[i][0] - tolerated) for i in fitting}
        good = {i: sum(LIKED[liked].get(label, 0) for label in machines[i][1]) for i in fitting}
        worst, best = max(bad.values(), default=0), max(good.values(), default=0)
        total = {
            i: w_taint * (100 - 100 * bad[i] // worst if worst else 100)
            + w_affinity * (100 * good[i] // best if best else 0)
            for i in fitting
        }
        assert got == max(fitting, key=lambda i: (total[i], -i), default=-1)
        if got >= 0:
            slots_left[got] -= 1


# Host ports ---------------------------------------------------------------------------------


def holding(**port: object) -> Port:
    return Port(container_port=80, host_port=8080, **port)


def test_two_units_cannot_hold_one_host_port_of_a_node():
    assert nodes_of(place(nodes(2), pods(3, host_ports=[8080]))) == ["n1", "n2", None]


def test_a_unit_that_runs_holds_its_host_port():
    old = pod("old", on="n1", host_ports=[8080])
    assert nodes_of(place(nodes(2), [old, pod(host_ports=[8080])])) == ["n1", "n2"]


@pytest.mark.parametrize(
    ("mine", "other", "fits"),
    [
        ({}, {"protocol": "UDP"}, True),
        ({"host_ip": "10.0.0.1"}, {"host_ip": "10.0.0.2"}, True),
        ({"host_ip": "10.0.0.1"}, {"host_ip": "10.0.0.1"}, False),
        ({"host_ip": "10.0.0.1"}, {}, False),
        ({"host_ip": "0.0.0.0"}, {"host_ip": "10.0.0.1"}, False),
        ({"host_ip": "0.0.0.0", "protocol": "UDP"}, {"host_ip": "10.0.0.1"}, True),
    ],
)
def test_host_ports_conflict_by_number_protocol_and_address(mine, other, fits):
    units = [pod("a", host_ports=[holding(**mine)]), pod("b", host_ports=[holding(**other)])]
    assert nodes_of(place([node()], units)) == ["n1", "n1" if fits else None]
    assert nodes_of(place([node()], units[::-1])) == ["n1", "n1" if fits else None]


def test_ports_of_containers_alone_do_not_conflict():
    plain = Container(ports=(Port(container_port=80),))
    assert nodes_of(place([node()], pods(2, containers=(plain,)))) == ["n1", "n1"]


def test_sidecars_hold_host_ports_and_other_init_containers_do_not():
    def starting(restart_policy: str) -> list:
        init = Container(name="init", ports=(holding(),), restart_policy=restart_policy)
        return pods(2, init_containers=(init,))

    assert nodes_of(place([node()], starting("Always"))) == ["n1", None]
    assert nodes_of(place([node()], starting(""))) == ["n1", "n1"]


# Filters that a profile leaves out ----------------------------------------------------------

LEFT_OUT = {
    "NodeUnschedulable": ({"unschedulable": True}, {}),
    "NodeName": ({}, {"node_name": "other"}),
    "TaintToleration": ({"taints": (taint("x"),)}, {}),
    "NodeAffinity": ({}, {"node_selector": {"disk": "ssd"}}),
    "NodePorts": ({}, {"host_ports": [8080]}),
    "NodeResourcesFit": ({}, {"cpu": "5"}),
}


@pytest.mark.parametrize("plugin", LEFT_OUT)
def test_a_filter_that_the_profile_leaves_out_refuses_nothing(plugin):
    machine, unit = LEFT_OUT[plugin]
    units = [pod("old", on="n1", host_ports=[8080]), pod(**unit)]
    others = tuple(name for name in SchedulerProfile().filters if name != plugin)
    assert nodes_of(place([node(**machine)], units)) == ["n1", None]
    without = place([node(**machine)], units, profile=SchedulerProfile(filters=others))
    assert nodes_of(without) == ["n1", "n1"]


# Names and pins -----------------------------------------------------------------------------


def test_a_unit_that_names_its_node_goes_nowhere_else():
    plan = place(nodes(2), [pod(node_name="n2"), pod("lost", node_name="n9")])
    assert nodes_of(plan) == ["n2", None]
    assert plan.refusals[0].nodes == {"node(s) didn't match the requested node name": 2}


def test_a_pinned_unit_goes_to_its_node_alone():
    units = [pod(f"agent-{i}", pinned=f"n{i}", cpu="1") for i in (3, 2, 1)]
    assert nodes_of(place(nodes(3), units)) == ["n3", "n2", "n1"]


def test_a_pinned_unit_waits_for_its_node_though_others_are_empty():
    full = pod("old", on="n1", cpu="4")
    assert nodes_of(place(nodes(2), [full, pod(pinned="n1", cpu="1")])) == ["n1", None]


def test_a_pinned_unit_obeys_the_taints_of_its_node():
    machines = [node(taints=(taint("x"),))]
    assert nodes_of(place(machines, [pod(pinned="n1")])) == [None]
    assert nodes_of(place(machines, [pod(pinned="n1", tolerations=(tolerates("x"),))])) == ["n1"]


def test_a_unit_pinned_to_a_node_that_is_not_there_waits():
    assert nodes_of(place(nodes(2), [pod(pinned="gone")])) == [None]


def test_pinned_and_free_units_of_one_template_see_each_other():
    units = [
        pod("a", cpu="1"),
        pod("b", pinned="n1", cpu="1"),
        pod("c", cpu="1"),
        pod("d", cpu="1"),
    ]
    assert nodes_of(place(nodes(2, cpu="2"), units, profile=least())) == ["n1", "n1", "n2", "n2"]


def test_a_pinned_unit_that_waits_does_not_make_its_siblings_wait():
    units = [pod("a", pinned="n1", cpu="3"), pod("b", pinned="n1", cpu="3"), pod("c", cpu="3")]
    assert nodes_of(place(nodes(2), units)) == ["n1", None, "n2"]


# GPU boards ---------------------------------------------------------------------------------


def test_a_share_of_a_gpu_is_never_split_over_boards():
    plan = place([node(gpu_devices=2)], [*pods(2, gpu=(1, 600)), pod("web", gpu=(1, 500))])
    assert nodes_of(plan) == ["n1", "n1", None]
    assert plan.gpu_free.tolist() == [[400, 400]]
    assert plan.refusals[0].nodes == {"Insufficient GPU share on single boards": 1}


def test_a_share_goes_to_the_tightest_board_that_holds_it():
    shares = [pod("a", gpu=(1, 300)), pod("b", gpu=(1, 800)), pod("c", gpu=(1, 200))]
    plan = place([node(gpu_devices=3)], shares)
    assert plan.gpu_free.tolist() == [[700, 0, 1000]]


def test_several_boards_are_distinct_ones():
    assert place([node(gpu_devices=2)], [pod(gpu=(2, 400))]).gpu_free.tolist() == [[600, 600]]
    plan = place([node(gpu_devices=3)], [pod("a", gpu=(1, 100)), pod("b", gpu=(2, 300))])
    assert plan.gpu_free.tolist() == [[600, 700, 1000]]


def test_whole_boards_have_to_be_empty():
    units = [pod("share", gpu=(1, 10)), pod("four", gpu=(4, 1000)), pod("three", gpu=(3, 1000))]
    assert nodes_of(place([node(gpu_devices=4)], units)) == ["n1", None, "n1"]


def test_boards_of_units_that_run_are_taken():
    plan = place([node(gpu_devices=2)], [pod("old", on="n1", gpu=(1, 1000)), pod(gpu=(2, 1000))])
    assert nodes_of(plan) == ["n1", None]


def test_a_node_without_boards_takes_no_share():
    plan = place([node("plain"), node("gpu", gpu_devices=1)], pods(2, gpu=(1, 500)))
    assert nodes_of(plan) == ["gpu", "gpu"]
    assert plan.gpu_free.tolist() == [[-1], [0]]


def test_units_without_a_gpu_go_to_gpu_nodes_too():
    assert nodes_of(place([node(gpu_devices=8)], [pod(cpu="1")])) == ["n1"]


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 1000)), max_size=20))
@examples(100)
def test_boards_are_taken_tightest_first_and_each_once_a_unit(shares):
    plan = place([node(gpu_devices=4)], [pod(f"p{i}", gpu=gpu) for i, gpu in enumerate(shares)])
    boards = [1000] * 4
    for got, (devices, milli) in zip(plan.node_of.tolist(), shares, strict=True):
        holding = sorted((left, i) for i, left in enumerate(boards) if left >= milli)
        assert (got == 0) == (len(holding) >= devices)
        for _, i in holding[:devices] if got == 0 else ():
            boards[i] -= milli
    assert plan.gpu_free.tolist() == [boards]


# Gates, and the smallest clusters -----------------------------------------------------------


def test_a_gated_unit_never_enters_the_queue():
    gated = pod("gated", cpu="4", scheduling_gates=("quota",))
    plan = place([node()], [gated, pod(cpu="4")])
    assert where(plan) == {"gated": None, "web": "n1"}


def test_a_gated_unit_that_runs_already_counts():
    gated = pod("gated", on="n1", cpu="4", scheduling_gates=("quota",))
    assert nodes_of(place([node()], [gated, pod(cpu="1")])) == ["n1", None]


def test_without_nodes_everything_waits():
    plan = place([], pods(2, cpu="1"))
    assert nodes_of(plan) == [None, None]
    assert plan.pending["message"].tolist() == ["no nodes available to schedule pods."] * 2


def test_without_units_the_nodes_stay_empty():
    plan = place(nodes(2))
    assert plan.summary()["empty_nodes"] == 2
    assert len(plan.table) == len(plan.pending) == len(plan.reasons) == 0


def test_nothing_at_all_can_be_placed():
    assert place([]).summary()["units"] == 0


def test_one_node_takes_what_fits_on_it():
    assert nodes_of(place([node(cpu="2")], pods(3, cpu="1"))) == ["n1", "n1", None]


# The call -----------------------------------------------------------------------------------


def test_a_compiled_scenario_is_placed_like_the_scenario():
    scenario = cluster(nodes(3), pods(5, cpu="1"))
    compiled = cs.place(cs.compile_scenario(scenario))
    assert compiled.node_of.tolist() == cs.place(scenario).node_of.tolist()


def test_placing_twice_gives_the_same_and_does_not_touch_the_topology():
    topology = cs.compile_scenario(cluster(nodes(3), pods(5, cpu="1")))
    first, second = cs.place(topology), cs.place(topology)
    assert first.node_of.tolist() == second.node_of.tolist()
    assert topology.unit_node.tolist() == [-1] * 5


def test_the_scheduler_of_a_topology_is_compiled_once():
    topology = cs.compile_scenario(cluster(nodes(3), pods(5)))
    assert cs.place(topology).engine is cs.place(topology, headroom=0.5).engine
    assert scheduler(topology, most()) is scheduler(topology, most())
    assert scheduler(topology, most()) is not scheduler(topology, least())


def test_the_profile_of_the_scenario_holds_unless_another_is_given():
    packing = cluster(nodes(2), pods(2, cpu="1"), profile=most())
    assert nodes_of(cs.place(packing)) == ["n1", "n1"]
    assert nodes_of(cs.place(packing, profile=least())) == ["n1", "n2"]


def test_a_placement_says_what_decided_and_what_was_assumed():
    plan = place([node()], [pod()], profile=most(), headroom=0.1)
    assert plan.method == "kube-scheduler, MostAllocated"
    assert plan.seconds > 0
    assumed = {assumption.name: assumption.value for assumption in plan.assumptions}
    assert assumed["headroom kept free on every node"] == "10%"
    assert assumed["scheduler rules left out"].startswith("none that these units ask for")
    assert assumed["equal scores"].startswith("the first node")


def test_the_graph_of_a_placement_shows_the_units_where_they_were_placed():
    graph = place(nodes(2), [pod("web", cpu="1"), pod("huge", cpu="9")]).graph
    assert list(graph.successors("unit/default/web")) == ["node/n1"]
    assert list(graph.successors("unit/default/huge")) == []
    assert graph.nodes["unit/default/web"]["spec"].node == "n1"
