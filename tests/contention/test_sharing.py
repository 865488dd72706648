"""Weighted max-min shares: against a slow filling, and what must hold for any groups."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.contention.sharing import CpuGroup, cpu_shares, flat_shares
from capsim.errors import ModelError

quick = settings(max_examples=60, deadline=None, derandomize=True)
positive = st.floats(0.01, 100)


def slow_fill(capacity, weights, wants):
    """Fill all in proportion to their weights, a step at a time to the next that is satisfied."""
    got = [0.0] * len(wants)
    open_ = {i for i, want in enumerate(wants) if want > 0}
    while open_ and capacity > 1e-12:
        total = sum(weights[i] for i in open_)
        step = min([capacity / total, *((wants[i] - got[i]) / weights[i] for i in open_)])
        for i in open_:
            got[i] += step * weights[i]
        capacity -= step * total
        open_ = {i for i in open_ if wants[i] - got[i] > 1e-12}
    return got


flat = st.lists(st.tuples(positive, st.floats(0, 50)), min_size=1, max_size=12)


@quick
@given(flat, positive)
def test_siblings_get_what_the_slow_filling_gives(groups, capacity):
    weights, wants = zip(*groups, strict=True)
    assert flat_shares(capacity, weights, wants) == pytest.approx(
        slow_fill(capacity, weights, wants), abs=1e-6
    )


@st.composite
def trees(draw):
    """Groups nested at random, with quotas and threads on some."""
    groups = []
    for at in range(draw(st.integers(1, 12))):
        parent = draw(st.sampled_from([None, *(group.name for group in groups)]))
        groups.append(
            CpuGroup(
                f"g{at}",
                draw(positive),
                draw(st.floats(0, 20)),
                draw(st.one_of(st.just(math.inf), positive)),
                draw(st.one_of(st.none(), st.integers(1, 8))),
                parent,
            )
        )
    return groups


@quick
@given(trees(), positive)
def test_nothing_is_lost_and_no_group_is_beyond_quota_threads_or_demand(groups, capacity):
    shares = cpu_shares(groups, capacity)
    inner = {group.parent for group in groups}
    for group, got in zip(groups, shares.cores, strict=True):
        assert 0 <= got <= group.quota_cores * (1 + 1e-9)
        assert got <= (group.threads or math.inf) + 1e-9
        if group.name not in inner:
            assert got <= group.demand_cores + 1e-9
    for name in [None, *inner - {None}]:
        children = [at for at, group in enumerate(groups) if group.parent == name]
        at = next((i for i, group in enumerate(groups) if group.name == name), None)
        whole = shares.tree.share[0] if at is None else shares.cores[at]
        assert sum(shares.cores[i] for i in children) == pytest.approx(whole, abs=1e-6)
    assert shares.tree.share[0] == pytest.approx(min(capacity, shares.tree.need[0]))


@quick
@given(trees(), positive, st.data())
def test_more_weight_never_means_less(groups, capacity, data):
    at = data.draw(st.integers(0, len(groups) - 1))
    heavier = [
        replace(group, weight=2 * group.weight) if i == at else group
        for i, group in enumerate(groups)
    ]
    before, after = cpu_shares(groups, capacity), cpu_shares(heavier, capacity)
    assert after.cores[at] >= before.cores[at] - 1e-6


@quick
@given(trees(), positive, st.randoms(use_true_random=False))
def test_the_order_of_the_groups_does_not_matter(groups, capacity, random):
    order = list(range(len(groups)))
    random.shuffle(order)
    mixed = cpu_shares([groups[i] for i in order], capacity).cores
    assert mixed == pytest.approx(cpu_shares(groups, capacity).cores[order], abs=1e-6)


@quick
@given(flat, positive, st.data())
def test_what_a_group_could_reach_is_what_it_gets_when_it_wants_all(groups, capacity, data):
    at = data.draw(st.integers(0, len(groups) - 1))
    made = [CpuGroup(f"g{i}", w, d, parent=None) for i, (w, d) in enumerate(groups)]
    reach = cpu_shares(made, capacity).tree.reach(np.array([at + 1]))
    made[at] = CpuGroup(f"g{at}", groups[at][0])
    assert reach[0] == pytest.approx(cpu_shares(made, capacity).cores[at], abs=1e-6)


def test_small_weights_keep_their_digits_beside_large_ones():
    weights = np.concatenate((np.full(200_000, 10_000.0), [1.0, 2.0]))
    got = flat_shares(1000.0, weights, np.full(len(weights), 9.0))
    assert got[-2:] == pytest.approx(1000 * weights[-2:] / weights.sum(), rel=1e-9)


def test_the_table_says_what_limits_a_group():
    groups = [
        CpuGroup("quota", quota_cores=0.5),
        CpuGroup("demand", demand_cores=0.2),
        CpuGroup("threads", threads=1),
        CpuGroup("rest"),
    ]
    table = cpu_shares(groups, 3).table
    assert table["limited_by"].tolist() == ["quota", "demand", "threads", "neighbours"]
    assert table["share_cores"].tolist() == pytest.approx([0.5, 0.2, 1.0, 1.3])


@pytest.mark.parametrize(
    ("groups", "capacity", "words"),
    [
        ([CpuGroup("a")], 0, "The capacity is 0 cores, expected a number above 0."),
        ([CpuGroup("a", -1)], 1, "Group 'a': weight is -1, expected a number above 0."),
        ([CpuGroup("a", quota_cores=0)], 1, "Group 'a': quota_cores is 0, expected"),
        ([CpuGroup("a", demand_cores=-1)], 1, "Group 'a': demand is -1 cores, expected"),
        ([CpuGroup("a", threads=0)], 1, "Group 'a': 0 threads, expected at least 1."),
        ([CpuGroup("a"), CpuGroup("a")], 1, "Two groups have the same name"),
        ([CpuGroup("a", parent="b")], 1, "Group 'a' is in 'b', which is not there."),
        ([CpuGroup("a", parent="b"), CpuGroup("b", parent="a")], 1, "Group 'a' is nested in its"),
    ],
)
def test_absurd_groups_are_answered_by_one_sentence(groups, capacity, words):
    with pytest.raises(ModelError) as error:
        cpu_shares(groups, capacity)
    assert str(error.value).startswith(words)
