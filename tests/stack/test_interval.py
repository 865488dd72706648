"""Intervals: results hold what their parts allow, and wider parts give wider results."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsim.stack.interval import Interval, as_interval, product

numbers = st.floats(0.01, 1e6)
OPERATIONS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "at most": lambda a, b: a.at_most(b),
}
PLAIN = {
    **{sign: OPERATIONS[sign] for sign in "+-*/"},
    "at most": min,
}


@st.composite
def intervals(draw) -> Interval:
    low, value, high = sorted(draw(st.tuples(numbers, numbers, numbers)))
    return Interval(value, low, high)


@st.composite
def inside(draw, interval: Interval) -> float:
    return min(interval.high, interval.low + draw(st.floats(0, 1)) * (interval.high - interval.low))


@pytest.mark.parametrize("sign", OPERATIONS)
@given(data=st.data())
def test_whatever_lies_in_the_parts_gives_a_result_that_lies_in_the_result(sign, data):
    a, b = data.draw(intervals()), data.draw(intervals())
    x, y = data.draw(inside(a)), data.draw(inside(b))
    result = OPERATIONS[sign](a, b)
    slack = 1e-9 * max(abs(result.low), abs(result.high), abs(x), abs(y))
    assert result.low - slack <= PLAIN[sign](x, y) <= result.high + slack


@pytest.mark.parametrize("sign", OPERATIONS)
@given(a=intervals(), b=intervals(), more=st.floats(0, 100))
def test_a_wider_part_never_gives_a_narrower_result(sign, a, b, more):
    wider = Interval(a.value, a.low / (1 + more), a.high * (1 + more))
    narrow, wide = OPERATIONS[sign](a, b), OPERATIONS[sign](wider, b)
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high
    assert narrow.value == wide.value


@given(a=intervals())
def test_rounding_down_keeps_the_order(a):
    assert a.floor().low <= a.floor().value <= a.floor().high


def test_numbers_mix_with_intervals():
    assert 1 + as_interval(2) == as_interval(3)
    assert 10 - Interval(2, 1, 3) == Interval(8, 7, 9)
    assert 12 / Interval(2, 1, 3) == Interval(6, 4, 12)
    assert product([]) == as_interval(1)
    assert str(Interval(1.5, 1, 2)) == "1.5 (1 to 2)"
    assert Interval(0.3 / 0.1, 1, 3).floor().value == 3
    assert Interval(-1, -2, 3).at_least(0) == Interval(0, 0, 3)
    assert Interval(2, 1, 3).holds(3)


def test_ends_in_the_wrong_order_and_division_by_zero_are_refused():
    with pytest.raises(ValueError, match="is not between"):
        Interval(3, 1, 2)
    with pytest.raises(ZeroDivisionError):
        as_interval(1) / Interval(0, -1, 1)
