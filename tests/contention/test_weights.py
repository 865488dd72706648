"""Conversions of nice levels, requests and limits, against published values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsim.contention import weights
from capsim.errors import ModelError


@pytest.mark.parametrize(
    ("cores", "shares", "linear", "quadratic"),
    [
        (0, 2, 1, 1),
        (0.01, 10, 1, 4),
        (0.1, 102, 4, 17),
        (0.25, 256, 10, 35),
        (0.5, 512, 20, 59),
        (1, 1024, 39, 100),
        (2, 2048, 79, 174),
        (4, 4096, 157, 303),
        (8, 8192, 313, 532),
        (16, 16384, 625, 942),
        (64, 65536, 2500, 3023),
    ],
)
def test_a_request_becomes_shares_and_both_weights(cores, shares, linear, quadratic):
    assert weights.shares_of_request(cores) == shares
    assert weights.weight_of_shares(shares, "linear") == linear
    assert weights.weight_of_shares(shares, "quadratic") == quadratic
    assert weights.weight_of_shares(shares, "none") == shares


def test_the_ends_of_the_shares_are_the_ends_of_the_weights():
    for rule in ("linear", "quadratic"):
        assert weights.weight_of_shares(2, rule) == 1
        assert weights.weight_of_shares(262144, rule) == 10000


@pytest.mark.parametrize(
    ("cores", "quota"), [(0.5, 0.05), (0.29, 0.029), (0.001, 0.001), (2, 0.2), (0, 0.001)]
)
def test_a_limit_becomes_a_quota_of_at_least_a_millisecond(cores, quota):
    assert weights.quota_of_limit(cores) == pytest.approx(quota)


def test_weight_100_is_nice_0():
    assert weights.shares_of_weight(100) == weights.nice_weight(0) == 1024
    assert weights.nice_weight(-20) == 88761
    assert weights.nice_weight(19) == 15


@given(st.integers(2, 262143))
def test_more_shares_never_weigh_less(shares):
    for rule in ("linear", "quadratic"):
        assert weights.weight_of_shares(shares, rule) <= weights.weight_of_shares(shares + 1, rule)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: weights.nice_weight(20), "Nice is 20, expected -20 to 19."),
        (lambda: weights.shares_of_request(-1), "The CPU request is -1 cores, expected 0 or more."),
        (lambda: weights.weight_of_shares(-5), "cpu.shares is -5, expected a number above 0."),
        (lambda: weights.shares_of_weight(0), "cpu.weight is 0, expected 1 to 10000."),
        (lambda: weights.quota_of_limit(1, 2.0), "The period is 2.0 s, expected 0.001 to 1 s"),
        (lambda: weights.shares_of_request(float("nan")), "The CPU request is nan cores"),
    ],
)
def test_absurd_numbers_are_answered_by_one_sentence(ask, words):
    with pytest.raises(ModelError, match="^" + words.replace(".", r"\.")):
        ask()
