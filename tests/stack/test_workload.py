"""Workload profiles: mixes that sum to one, and what happens to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsim.errors import ModelError
from capsim.stack.interval import Interval, as_interval
from capsim.stack.workload import PARTS, WorkloadProfile, profile, profiles

weights = st.lists(st.floats(0, 10), min_size=6, max_size=6).filter(lambda w: sum(w) > 0.01)
factors = st.lists(
    st.tuples(st.floats(1, 5), st.floats(0, 3), st.floats(0, 0.9)).map(
        lambda t: Interval(t[0], t[0] * (1 - t[2]), t[0] + t[1])
    ),
    min_size=6,
    max_size=6,
)


def test_the_named_profiles_sum_to_one_and_say_why():
    assert {"web-api", "jvm-service", "in-memory-cache", "oltp-database", "batch-compute"} <= set(
        profiles()
    )
    for mix in profiles().values():
        assert sum(share.value for share in mix.shares) == pytest.approx(1)
        assert mix.reason
        assert mix.source
        assert mix.assumption.value


def test_a_mix_is_slowed_by_the_shares_of_its_parts():
    mix = WorkloadProfile.of("m", compute=0.75, packets=0.25)
    slowed = mix.slowdown([as_interval(f) for f in (1.0, 9, 9, 3.0, 9, 9)])
    assert slowed == as_interval(1.5)


@given(weights=weights, factors=factors)
def test_no_mix_is_slowed_less_than_its_best_part_or_more_than_its_worst(weights, factors):
    mix = WorkloadProfile.scaled("m", **dict(zip(PARTS, weights, strict=True)))
    slowed = mix.slowdown(factors)
    assert min(f.low for f in factors) <= slowed.low * (1 + 1e-9)
    assert slowed.high <= max(f.high for f in factors) * (1 + 1e-9)


@given(weights=weights, factors=factors, wider=st.floats(0, 1))
def test_wider_shares_never_narrow_the_slow_down(weights, factors, wider):
    mix = WorkloadProfile.scaled("m", **dict(zip(PARTS, weights, strict=True)))
    wide = WorkloadProfile(
        "w",
        tuple(
            Interval(s.value, s.value * (1 - wider), min(1.0, s.value * (1 + wider)))
            for s in mix.shares
        ),
    )
    narrow, broad = mix.slowdown(factors), wide.slowdown(factors)
    assert broad.low <= narrow.low + 1e-9
    assert narrow.high <= broad.high + 1e-9
    assert broad.value == pytest.approx(narrow.value)


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ({"compute": 0.5}, "the shares sum to 0.5, expected 1"),
        ({"compute": 1.2, "packets": -0.2}, "share of small packets is -0.2; expected numbers"),
        ({"compute": 0.5, "pakets": 0.5}, "unknown part 'pakets' .did you mean 'packets'"),
        ({"compute": float("nan")}, "the share of compute is not a number"),
        ({"compute": float("inf")}, "the share of compute is inf"),
    ],
)
def test_an_absurd_mix_is_answered_by_one_sentence(shares, told):
    with pytest.raises(ModelError, match=told) as caught:
        WorkloadProfile.of("mine", **shares)
    assert "\n" not in str(caught.value)


def test_weights_that_say_nothing_are_refused():
    for bad in ({"compute": 0.0}, {"compute": 1.0, "packets": -1.0}, {"compute": float("nan")}):
        with pytest.raises(ModelError, match="expected at least one above 0"):
            WorkloadProfile.scaled("mine", **bad)


def test_an_unknown_profile_gets_the_nearest_name():
    with pytest.raises(ModelError, match="did you mean 'web-api'"):
        profile("web-ap")
