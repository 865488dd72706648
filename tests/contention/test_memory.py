"""Memory of a Linux node: the rules one by one, and the order in which they act."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.contention import memory_rules as rules
from capsim.contention.memory import settle_memory
from capsim.contention.memory_groups import MemoryGroup, MemoryNode
from capsim.errors import ModelError

GIB, MIB = 2.0**30, 2.0**20
NODE = MemoryNode(capacity=8 * GIB, system=0.5 * GIB)


def group(name="a", **fields) -> MemoryGroup:
    return MemoryGroup(name=name, **fields)


@st.composite
def nodes(draw):
    amount = st.floats(0, 4).map(lambda gib: gib * GIB)
    gib = st.floats(0.1, 4).map(lambda size: size * GIB)
    groups = [
        group(
            f"g{at}",
            qos=draw(st.sampled_from(["Guaranteed", "Burstable", "BestEffort", "system"])),
            anon=draw(amount),
            file=draw(amount),
            active_file=draw(st.floats(0, 1)),
            request=draw(amount),
            limit=draw(st.none() | gib),
            high=draw(st.none() | gib),
            min=draw(st.sampled_from([0.0, 0.2 * GIB])),
            low=draw(st.sampled_from([0.0, 0.5 * GIB])),
            swap_limit=draw(amount),
            oom_score_adj=draw(st.sampled_from([None, None, -1000, 500])),
        )
        for at in range(draw(st.integers(1, 6)))
    ]
    node = MemoryNode(
        capacity=8 * GIB,
        system=draw(st.floats(0, 2)) * GIB,
        swap=draw(st.sampled_from([0.0, 2 * GIB])),
        eviction_threshold=draw(st.sampled_from([None, 100 * MIB, 750 * MIB])),
    )
    return node, groups


# Rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "delay"), [(0.01, 0.0064), (0.05, 0.16), (0.10, 0.64), (0.18, 2.0), (0.5, 2.0)]
)
def test_the_delay_above_memory_high_is_the_kernels(over, delay):
    assert rules.high_delay_s((1 + over) * GIB, GIB) == pytest.approx(delay, rel=1e-6)
    assert rules.high_delay_s(0.99 * GIB, GIB) == 0


@pytest.mark.parametrize(
    ("qos", "asked", "adj"),
    [
        ("Guaranteed", 4, -997),
        ("BestEffort", 0, 1000),
        ("Burstable", 0, 999),
        ("Burstable", 4, 750),
        ("Burstable", 16, 3),
    ],
)
def test_oom_score_adj_is_the_kubelets(qos, asked, adj):
    assert rules.oom_score_adj(qos, asked * GIB, 16 * GIB) == adj


def test_memory_qos_sets_memory_high_between_request_and_limit():
    assert rules.memory_qos_high(GIB, 2 * GIB, 8 * GIB) == pytest.approx(1.9 * GIB, abs=4096)
    assert rules.memory_qos_high(GIB, None, 8 * GIB) == pytest.approx(7.3 * GIB, abs=4096)


def test_children_that_ask_for_more_protection_than_the_parent_has_share_it_by_use():
    got = rules.effective_protection([2.0, 6.0, 1.0], [4.0, 4.0, 0.0], 3.0)
    assert got.tolist() == pytest.approx([1.0, 2.0, 0.0])
    assert rules.effective_protection([2.0, 1.0], [4.0, 4.0], 5.0).tolist() == [2.0, 1.0]


def test_a_burst_faster_than_the_kubelets_look_meets_the_oom_killer():
    assert rules.eviction_in_time(5 * MIB, 100 * MIB)
    assert not rules.eviction_in_time(50 * MIB, 100 * MIB)


# One group -----------------------------------------------------------------------------------


def test_beyond_memory_max_cache_goes_first_and_then_the_group():
    calm = settle_memory(NODE, [group(anon=0.8 * GIB, file=GIB, limit=GIB)])
    assert calm.order.step.tolist() == ["reclaim"]
    assert calm.cache[0] == pytest.approx(0.2 * GIB)
    dead = settle_memory(NODE, [group(anon=1.2 * GIB, file=GIB, limit=GIB)])
    assert dead.order.step.tolist() == ["reclaim", "oom kill"]
    assert dead.table.fate[0] == "oom kill"


def test_beyond_memory_high_a_group_is_slowed_and_never_killed():
    got = settle_memory(NODE, [group(anon=1.1 * GIB, high=GIB)])
    assert got.delay_s[0] == pytest.approx(0.64, rel=1e-3)
    assert got.table.fate[0] == "runs"
    assert "paused 0.64 s when it allocates" in got.explain("a")


def test_swap_saves_a_group_from_its_limit_as_far_as_it_may_swap():
    node = NODE.model_copy(update={"swap": 4 * GIB})
    got = settle_memory(node, [group(anon=1.2 * GIB, limit=GIB, swap_limit=GIB)])
    assert got.swapped[0] == pytest.approx(0.2 * GIB)
    assert got.table.fate[0] == "runs"


# The node ------------------------------------------------------------------------------------


def test_pods_beyond_their_request_leave_first_then_by_priority_then_by_excess():
    pods = [
        group("within", anon=2 * GIB, request=3 * GIB, priority=-5),
        group("low", anon=1.5 * GIB, request=GIB, priority=-1),
        group("much", anon=2.5 * GIB, request=GIB),
        group("some", anon=2.4 * GIB, request=2 * GIB),
    ]
    node = MemoryNode(capacity=4 * GIB)
    got = settle_memory(node, pods)
    assert got.order.group.tolist() == ["low", "much", "some"]
    assert set(got.order.step) == {"evict"}


def test_without_a_kubelet_the_highest_badness_dies_and_minus_1000_never():
    pods = [
        group("spared", anon=3 * GIB, oom_score_adj=-1000),
        group("guaranteed", qos="Guaranteed", anon=2 * GIB, request=2 * GIB),
        group("best-effort", qos="BestEffort", anon=0.5 * GIB),
        group("burstable", anon=2 * GIB, request=GIB),
    ]
    node = MemoryNode(capacity=5.2 * GIB, eviction_threshold=None)
    got = settle_memory(node, pods)
    assert got.order.group.tolist() == ["burstable", "best-effort"]
    assert "spared" not in got.order.group.tolist()


def test_memory_low_gives_way_only_when_nothing_unprotected_is_left():
    node = MemoryNode(capacity=4 * GIB, eviction_threshold=None)
    shielded = group("shielded", anon=0.5 * GIB, file=GIB, low=2 * GIB)
    light = settle_memory(node, [shielded, group("open", anon=1.5 * GIB, file=2 * GIB)])
    assert light.cache[0] == pytest.approx(GIB)
    heavy = settle_memory(node, [shielded, group("open", anon=3 * GIB, file=2 * GIB)])
    assert heavy.cache[1] == pytest.approx(0, abs=1)
    assert 0 < heavy.cache[0] < GIB
    assert "memory.low gave way" in heavy.explain("shielded")


def test_on_a_small_node_the_kubelet_evicts_before_active_cache_is_reclaimed():
    pods = [group(anon=3 * GIB, file=GIB, active_file=1.0)]
    assert settle_memory(MemoryNode(capacity=4 * GIB), pods).order.step.tolist() == ["evict"]
    large = MemoryNode(capacity=400 * GIB)
    got = settle_memory(large, [group(anon=300 * GIB, file=100 * GIB, active_file=1.0)])
    assert got.order.step.tolist() == ["reclaim"]


def test_two_groups_of_one_name_are_refused():
    with pytest.raises(ModelError, match="Two memory groups are called 'a'"):
        settle_memory(NODE, [group(anon=1.0), group(anon=2.0)])


# Invariants ----------------------------------------------------------------------------------


@given(nodes())
@settings(deadline=None, max_examples=50)
def test_the_oom_killer_acts_only_when_something_is_over(case):
    node, groups = case
    got = settle_memory(node, groups)
    for event in got.events:
        if event.step != "oom kill":
            continue
        own = next(g for g in groups if g.name == event.group)
        beyond_own = own.limit is not None and own.anon > own.limit
        # What cannot be reclaimed: heaps, and cache that memory.min guards.
        held = sum(max(g.anon, min(g.min, g.anon + g.file)) for g in groups)
        assert beyond_own or node.system + held > node.capacity
        assert own.oom_score_adj != -1000


@given(nodes())
@settings(deadline=None, max_examples=50)
def test_ram_is_never_exceeded_while_anything_may_still_be_killed(case):
    node, groups = case
    got = settle_memory(node, groups)
    killable = any(
        alive and g.oom_score_adj != -1000 for g, alive in zip(groups, got.alive, strict=True)
    )
    if killable:
        assert got.used <= node.capacity + 1


@given(nodes())
@settings(deadline=None, max_examples=50)
def test_memory_min_is_never_reclaimed_and_swap_never_overfilled(case):
    node, groups = case
    got = settle_memory(node, groups)
    assert got.swapped.sum() <= node.swap + 1
    assert (got.cache >= -1).all()
    assert (got.resident >= -1).all()
    for g, own in enumerate(groups):
        if not got.alive[g] or own.limit is not None or own.high is not None:
            continue
        kept = got.resident[g] + got.cache[g]
        assert kept >= min(own.min, own.anon + own.file) - 1


@given(nodes())
@settings(deadline=None, max_examples=60)
def test_a_node_with_room_for_all_takes_nothing_from_anybody(case):
    _, groups = case
    free = [g.model_copy(update={"limit": None, "high": None}) for g in groups]
    got = settle_memory(MemoryNode(capacity=100 * GIB), free)
    assert got.events == ()
