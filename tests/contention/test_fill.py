"""Weighted max-min with floors and ceilings, against a slow version and its invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.contention.fill import fill
from capsim.errors import ModelError

AMOUNT = st.floats(0, 100)
GROUP = st.tuples(st.floats(0.01, 1000), AMOUNT, AMOUNT)
GROUPS = st.lists(GROUP, min_size=1, max_size=12)


def columns(groups):
    weight, floor, ceiling = (np.array(column) for column in zip(*groups, strict=True))
    return weight, np.minimum(floor, ceiling), ceiling


def by_bisection(capacity, weight, floor, ceiling):
    """The rule itself, with the level found by halving."""
    if ceiling.sum() <= capacity:
        return ceiling
    if floor.sum() >= capacity:
        return floor * (capacity / floor.sum() if floor.sum() else 0)
    low, high = 0.0, float((ceiling / weight).max())
    for _ in range(200):
        middle = (low + high) / 2
        if np.clip(middle * weight, floor, ceiling).sum() > capacity:
            high = middle
        else:
            low = middle
    return np.clip(low * weight, floor, ceiling)


@given(AMOUNT, GROUPS)
@settings(deadline=None)
def test_the_sweep_finds_what_bisection_finds(capacity, groups):
    weight, floor, ceiling = columns(groups)
    got = fill(capacity, weight, ceiling, floor=floor)
    assert got == pytest.approx(by_bisection(capacity, weight, floor, ceiling), abs=1e-6)


@given(AMOUNT, GROUPS)
@settings(deadline=None)
def test_capacity_is_conserved_and_nobody_is_outside_its_bounds(capacity, groups):
    weight, floor, ceiling = columns(groups)
    got = fill(capacity, weight, ceiling, floor=floor)
    assert got.sum() == pytest.approx(min(capacity, ceiling.sum()), abs=1e-7)
    assert (got <= ceiling + 1e-9).all()
    if floor.sum() <= capacity:
        assert (got >= floor - 1e-9).all()


@given(AMOUNT, GROUPS, st.floats(1, 10))
@settings(deadline=None)
def test_more_weight_never_gives_less(capacity, groups, factor):
    weight, floor, ceiling = columns(groups)
    more = weight.copy()
    more[0] *= factor
    before = fill(capacity, weight, ceiling, floor=floor)
    assert fill(capacity, more, ceiling, floor=floor)[0] >= before[0] - 1e-7


@given(AMOUNT, GROUPS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_the_groups_changes_nothing(capacity, groups, random):
    weight, floor, ceiling = columns(groups)
    order = list(range(len(groups)))
    random.shuffle(order)
    straight = fill(capacity, weight, ceiling, floor=floor)
    shuffled = fill(capacity, weight[order], ceiling[order], floor=floor[order])
    assert shuffled == pytest.approx(straight[order], abs=1e-7)


@given(AMOUNT, st.floats(0, 50), GROUPS)
@settings(deadline=None)
def test_more_capacity_never_gives_anybody_less(capacity, more, groups):
    weight, floor, ceiling = columns(groups)
    before = fill(capacity, weight, ceiling, floor=floor)
    assert (fill(capacity + more, weight, ceiling, floor=floor) >= before - 1e-7).all()


def test_a_million_groups_are_filled_exactly():
    rng = np.random.default_rng(0)
    weight, ceiling = rng.uniform(1, 10_000, 10**6), rng.uniform(0, 2, 10**6)
    assert fill(4e5, weight, ceiling).sum() == pytest.approx(4e5)


def test_a_weight_of_zero_is_refused_in_one_sentence():
    with pytest.raises(ModelError, match="weight is not positive"):
        fill(1.0, [0.0], [1.0])
    with pytest.raises(ModelError, match="capacity to share is -1"):
        fill(-1.0, [1.0], [1.0])
