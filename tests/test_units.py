"""Quantities and durations: exact, both ways."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsim.units import (
    BINARY_SUFFIXES,
    DECIMAL_SUFFIXES,
    INT64_MAX,
    format_bytes,
    format_cores,
    format_duration,
    format_quantity,
    parse_duration,
    parse_millis,
    parse_quantity,
    parse_whole,
)

nanos = st.integers(-(10**24), 10**24).map(lambda n: Fraction(n, 10**9))
whole = st.integers(-(2**70), 2**70)
decimals = st.from_regex(r"[+-]?([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})", fullmatch=True)
suffixes = {**DECIMAL_SUFFIXES, **BINARY_SUFFIXES}


@given(nanos)
def test_a_printed_quantity_reads_back_to_the_same_value(value: Fraction) -> None:
    assert parse_quantity(format_quantity(value)) == value


@given(nanos)
def test_a_quantity_printed_in_binary_reads_back_to_the_same_value(value: Fraction) -> None:
    assert parse_quantity(format_quantity(value, binary=True)) == value


@given(whole)
def test_bytes_and_millicores_read_back_to_the_same_whole_number(value: int) -> None:
    assert parse_quantity(format_bytes(value)) == value
    assert parse_quantity(format_cores(value)) == Fraction(value, 1000)


@given(decimals, st.sampled_from(sorted(suffixes)))
def test_a_number_with_a_suffix_is_the_number_times_the_suffix(number: str, suffix: str) -> None:
    assert parse_quantity(number + suffix) == Fraction(number) * suffixes[suffix]


@given(decimals, st.sampled_from("eE"), st.integers(-99, 99))
def test_an_exponent_is_a_power_of_ten(number: str, letter: str, power: int) -> None:
    assert parse_quantity(f"{number}{letter}{power}") == Fraction(number) * Fraction(10) ** power


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_plain_number_keeps_the_digits_that_were_written(number: float) -> None:
    assert parse_quantity(number) == Fraction(repr(number))


@given(st.integers(0, 10**15), st.integers(1, 10**6))
def test_amounts_are_rounded_up_to_whole_units(numerator: int, denominator: int) -> None:
    text = format_quantity(Fraction(numerator * 1000 // denominator, 10**9))
    exact = parse_quantity(text)
    assert 0 <= parse_millis(text) - exact * 1000 < 1
    assert 0 <= parse_whole(text) - exact < 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250m", Fraction(1, 4)),
        ("1.5Gi", Fraction(3 * 2**29)),
        ("1e3", Fraction(1000)),
        ("1E3", Fraction(1000)),
        ("1E", Fraction(10**18)),
        ("12E-2", Fraction(3, 25)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("+1k", Fraction(1000)),
        ("-2Ki", Fraction(-2048)),
        ("100n", Fraction(1, 10**7)),
        ("3u", Fraction(3, 10**6)),
        (2, Fraction(2)),
        (0.1, Fraction(1, 10)),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(text: str | float, value: Fraction) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            " 1",
            "1 ",
            "1 Gi",
            "1K",
            "1kb",
            "1GB",
            "abc",
            "1e",
            "--1",
            "1_000",
            "0x10",
            "1mm",
            ".",
        ],
        *["1" * 65, "1e9999", "٣", True, None, [], float("nan"), float("inf")],
    ],
)
def test_what_is_no_quantity_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "millis"), [("0.1m", 1), ("1.5", 1500), ("1n", 1), ("0", 0)])
def test_cores_are_rounded_up_to_millicores(text: str, millis: int) -> None:
    assert parse_millis(text) == millis


@pytest.mark.parametrize(("text", "value"), [("1.5", 2), ("100m", 1), ("1Ki", 1024)])
def test_bytes_are_rounded_up_to_whole_ones(text: str, value: int) -> None:
    assert parse_whole(text) == value


def test_amounts_beyond_64_bits_are_refused() -> None:
    assert parse_whole(str(INT64_MAX)) == INT64_MAX
    with pytest.raises(ValueError, match="more than a 64-bit integer holds"):
        parse_whole("9.3E")
    with pytest.raises(ValueError, match="more than a 64-bit integer holds"):
        parse_whole("10E")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (Fraction(1, 4), "250m"), (1000, "1k"), (1536, "1536"), (Fraction(1, 10**9), "1n")],
)
def test_decimal_quantities_are_printed_short(value: Fraction, text: str) -> None:
    assert format_quantity(value) == text


def test_binary_quantities_are_printed_short() -> None:
    assert format_bytes(3 * 2**29) == "1536Mi"
    assert format_bytes(1000) == "1000"
    assert format_cores(2000) == "2"
    assert format_cores(250) == "250m"


def test_a_value_finer_than_nano_cannot_be_printed() -> None:
    with pytest.raises(ValueError, match="finer than"):
        format_quantity(Fraction(1, 3))


@given(st.floats(0, 1e15) | st.integers(0, 10**12).map(float))
def test_a_printed_duration_reads_back_to_the_same_seconds(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("90s", 90), ("1h30m", 5400), ("500ms", 0.5), ("2d", 172800), ("1.5m", 90), (3, 3)],
        *[("0.5s", 0.5), ("10us", 1e-5), ("10µs", 1e-5), ("5ns", 5e-9), ("1m30s", 90)],
        ("1d2h3m4s", 93784),
    ],
)
def test_durations_are_read_in_seconds(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1h 30m", "-5s", "1x", "s1", True, None, "nan"])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_what_is_no_duration_is_not_printed(seconds: float) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        format_duration(seconds)
