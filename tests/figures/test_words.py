"""Numbers and names as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.export.plain import plain
from capsim.figures import words
from tests.figures.builders import HOSTILE


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.314, "31 %"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.0004, "<0.1 %"),
        (0.004, "0.4 %"),
        (0.9996, "99.9 %"),
        (12.5, "1,250 %"),
        (float("nan"), "–"),
    ],
)
def test_a_percentage_never_says_none_or_all_of_what_is_not_quite_that(share, text):
    assert words.percent(share) == text


def test_counts_have_their_plural_and_thousands_separated():
    assert words.count(1, "node") == "1 node"
    assert words.count(0, "node") == "0 nodes"
    assert words.count(1523, "node") == "1,523 nodes"


@pytest.mark.parametrize(
    ("resource", "value", "text"),
    [
        ("cpu", 1500, "1.5 cores"),
        ("cpu", 1000, "1 core"),
        ("memory", 3 * 2**40, "3 TiB"),
        ("memory", 2**29, "0.5 GiB"),
        ("alibabacloud.com/gpu-milli", 2000, "2 GPUs"),
        ("nvidia.com/gpu", 4, "4 GPUs"),
    ],
)
def test_amounts_are_said_in_the_units_of_people(resource, value, text):
    assert words.amount(resource, value) == text


def test_a_long_name_keeps_its_ends():
    assert words.shorten("a" * 20 + "z" * 20, 11) == "aaaaa…zzzzz"
    assert words.shorten("short", 11) == "short"


def test_names_of_one_domain_are_told_apart_without_it():
    names = ["ip-10-0-0-1.eu.internal", "ip-10-0-0-2.eu.internal"]
    assert words.short_names(names, 20) == ["ip-10-0-0-1", "ip-10-0-0-2"]
    assert words.short_names(names, 6) == ["…1", "…2"]


def test_names_that_differ_only_in_their_domain_keep_it():
    assert words.short_names(["a.x", "a.y"], 20) == ["a.x", "a.y"]
    assert words.short_names([], 20) == []


@settings(deadline=None)
@given(st.text())
def test_a_safe_name_reads_back_as_the_name_and_holds_no_markup(name):
    safe = words.safe(name)
    assert not set("<>$") & set(safe)
    assert "%{" not in safe
    readable = "".join(c if c.isprintable() else " " for c in name)
    assert plain(safe).replace(" %", "%") == " ".join(readable.split()).replace(" %", "%")


def test_wrapped_lines_do_not_part_a_number_from_its_sign():
    assert words.wrap("about 31 % of it", 9) == "about<br>31 % of<br>it"
    assert "<script>" not in words.wrap(words.safe(HOSTILE), 200)


def test_units_are_called_what_they_are():
    from tests.figures.builders import half_full, plan, template

    assert words.noun(half_full().scenario) == "pod"
    assert words.noun(plan([], {"m": template(kind="vm")}).scenario) == "VM"
    both = {"m": template(kind="vm"), "p": template()}
    assert words.noun(plan([], both).scenario) == "unit"
