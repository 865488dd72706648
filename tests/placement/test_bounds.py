"""Lower bounds against a brute-force optimum, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.placement.bounds import (
    boards_bound,
    conflict_bound,
    lower_bound,
    martello_toth_bound,
    volume_bound,
)

sizes = st.lists(st.integers(1, 20), min_size=1, max_size=7)


def slow_l2(items: list[int], capacity: int) -> int:
    """L2 as the paper writes it, every threshold from 0 to half the capacity."""
    best = 0
    for k in range(capacity // 2 + 1):
        first = [w for w in items if w > capacity - k]
        second = [w for w in items if capacity - k >= w and 2 * w > capacity]
        third = [w for w in items if 2 * w <= capacity and w >= k]
        over = sum(third) - (len(second) * capacity - sum(second))
        best = max(best, len(first) + len(second) + max(0, -(-over // capacity)))
    return best


def fewest_bins(items: list[tuple[int, ...]], capacity: tuple[int, ...]) -> int:
    """The optimum, by trying every assignment."""

    def place(index: int, bins: list[tuple[int, ...]], best: int) -> int:
        if len(bins) >= best:
            return best
        if index == len(items):
            return len(bins)
        for b, left in enumerate(bins):
            rest = tuple(x - y for x, y in zip(left, items[index], strict=True))
            if min(rest) >= 0:
                best = place(index + 1, [*bins[:b], rest, *bins[b + 1 :]], best)
        fresh = tuple(x - y for x, y in zip(capacity, items[index], strict=True))
        return place(index + 1, [*bins, fresh], best)

    return place(0, [], len(items) + 1)


def counted(items: list[int]) -> tuple[np.ndarray, np.ndarray]:
    values, counts = np.unique(np.array(items, np.int64), return_counts=True)
    return values, counts


@given(sizes, st.integers(20, 40))
def test_l2_equals_the_definition_of_the_paper(items: list[int], capacity: int):
    assert martello_toth_bound(*counted(items), capacity) == slow_l2(items, capacity)


@given(sizes, st.integers(20, 40))
def test_volume_is_at_most_l2_is_at_most_the_optimum(items: list[int], capacity: int):
    volume = volume_bound(*counted(items), capacity)
    l2 = martello_toth_bound(*counted(items), capacity)
    assert volume <= l2 <= fewest_bins([(w,) for w in items], (capacity,))


def test_l2_sees_that_units_over_half_cannot_share():
    # Martello and Toth 1990: the volume bound is 2 for three items of 6 in bins of 10.
    assert volume_bound(np.array([6]), np.array([3]), 10) == 2
    assert martello_toth_bound(np.array([6]), np.array([3]), 10) == 3


def test_bounds_stay_exact_beyond_64_bits():
    size, count, capacity = 2**53 - 1, 10**6, 2**53
    assert volume_bound(np.array([size]), np.array([count]), capacity) == 10**6
    assert martello_toth_bound(np.array([size]), np.array([count]), capacity) == 10**6


def test_nothing_to_pack_needs_nothing():
    none = np.zeros(0, np.int64)
    assert martello_toth_bound(none, none, 10) == 0
    bound = lower_bound(
        np.zeros((0, 1), np.int64), np.zeros((0, 2), np.int64), none, np.array([10]), 0, ["cpu"]
    )
    assert (bound.value, bound.binding) == (0, "no units")


vectors = st.lists(st.tuples(st.integers(0, 10), st.integers(1, 10)), min_size=1, max_size=6)


@settings(max_examples=200)
@given(vectors, st.tuples(st.integers(10, 15), st.integers(10, 15)))
def test_the_bound_of_vectors_is_at_most_the_optimum(items, capacity):
    need = np.array(items, np.int64)
    count = np.ones(len(items), np.int64)
    boards = np.zeros((len(items), 2), np.int64)
    bound = lower_bound(need, boards, count, np.array(capacity), 0, ["cpu", "memory"])
    assert bound.value <= fewest_bins(items, capacity)
    assert bound.value == bound.table["machines"].max()


def test_conflicts_bound_more_than_any_single_resource():
    # Two units over half of cpu, two over half of memory, and each pair across is too large.
    need = np.array([[6, 5], [5, 6]])
    boards = np.zeros((2, 2), np.int64)
    count = np.array([2, 2])
    bound = lower_bound(need, boards, count, np.array([10, 10]), 0, ["cpu", "memory"])
    assert bound.value == 4
    assert bound.binding == "conflicts"
    assert volume_bound(need[:, 0], count, 10) == 3


def test_units_that_take_more_than_half_of_the_boards_conflict():
    boards = np.array([[3, 600], [1, 600]])
    need = np.ones((2, 1), np.int64)
    assert conflict_bound(need, boards, np.array([5, 9]), np.array([100]), 4) == 5


def test_boards_are_bins_of_a_thousand():
    # 8 pieces of 600 cannot share a board: 8 boards, 2 machines of 4, where the volume says 5.
    boards = np.array([[1, 600]])
    assert boards_bound(boards, np.array([8]), 4) == 2
    assert boards_bound(np.array([[2, 600]]), np.array([6]), 4) == 3


@pytest.mark.parametrize("factor", [1, 3])
def test_the_bound_does_not_depend_on_how_units_are_grouped(factor: int):
    need = np.array([[6, 2], [3, 3], [6, 2]])
    boards = np.zeros((3, 2), np.int64)
    capacity, names = np.array([10, 10]), ["cpu", "memory"]
    split = lower_bound(need, boards, np.array([1, 2, 1]) * factor, capacity, 0, names)
    joined = lower_bound(need[:2], boards[:2], np.array([2, 2]) * factor, capacity, 0, names)
    assert split.value == joined.value
