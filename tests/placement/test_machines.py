"""What nodes offer after reserve and overcommit."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.errors import ModelError
from capsim.placement.machines import machines
from tests.placement.builders import cluster, examples, node, nodes_of, place, pod, pods

TOPOLOGY = cs.compile_scenario(
    cluster([node(cpu="4", memory="16Gi", pods=10, offers={"a.b/c": 3}, gpu_devices=2)])
)


def offered(**options: float) -> dict[str, int]:
    row = machines(TOPOLOGY, **options).offered[0].tolist()
    return dict(zip(TOPOLOGY.resources, row, strict=True))


def test_as_they_are_machines_offer_what_is_allocatable():
    assert np.array_equal(machines(TOPOLOGY).offered, TOPOLOGY.allocatable)
    assert machines(TOPOLOGY).assumptions == ()


def test_headroom_is_kept_free_of_cpu_and_memory_alone():
    assert offered(headroom=0.25) == {
        "cpu": 3000,
        "memory": 12 * 2**30,
        "pods": 10,
        "a.b/c": 3,
        "alibabacloud.com/gpu-milli": 2000,
    }


def test_cpu_and_memory_are_overcommitted_each_by_its_own_factor():
    changed = offered(overcommit_cpu=3, overcommit_memory=1.5)
    assert (changed["cpu"], changed["memory"]) == (12_000, 24 * 2**30)
    assert (changed["pods"], changed["a.b/c"]) == (10, 3)


def test_headroom_is_taken_off_what_is_overcommitted():
    assert offered(headroom=0.2, overcommit_cpu=2.5)["cpu"] == 8000


@pytest.mark.parametrize("percent", range(100))
def test_no_percentage_loses_a_millicore_to_rounding(percent):
    """1 - 0.9 is 0.0999... in floats: 399 milli-cores of 4,000, and a pod of 400 would wait."""
    assert offered(headroom=percent / 100)["cpu"] == 40 * (100 - percent)
    assert offered(overcommit_cpu=1 + percent / 100)["cpu"] == 40 * (100 + percent)


def test_a_slider_that_adds_up_its_steps_means_the_decimal_that_it_shows():
    assert 3 * 0.05 != 0.15
    assert offered(headroom=3 * 0.05) == offered(headroom=0.15)


@given(
    st.integers(0, 2**53),
    st.integers(0, 999).map(lambda n: Fraction(n, 1000)),
    st.integers(1, 10_000).map(lambda n: Fraction(n, 100)),
)
@examples(100)
def test_what_is_offered_is_rounded_down_exactly(memory, headroom, overcommit):
    topology = cs.compile_scenario(cluster([node(memory=str(memory))]))
    found = machines(topology, headroom=float(headroom), overcommit_memory=float(overcommit))
    expected = math.floor(memory * overcommit * (1 - headroom))
    assert found.offered[0, topology.column("memory")] == expected


def test_the_topology_itself_is_left_as_it_was():
    before = TOPOLOGY.allocatable.copy()
    machines(TOPOLOGY, headroom=0.5)
    assert np.array_equal(TOPOLOGY.allocatable, before)


def test_what_was_changed_is_stated_as_assumptions():
    changed = machines(TOPOLOGY, headroom=0.15, overcommit_cpu=1.5, overcommit_memory=1)
    assert [str(assumption) for assumption in changed.assumptions] == [
        "headroom kept free on every node: 15% [chosen by the planner]",
        "CPU overcommit of requests: 1.50 x [chosen by the planner]",
    ]


@pytest.mark.parametrize("headroom", [-0.1, 1, 1.5, float("nan"), float("inf")])
def test_headroom_has_to_be_a_share(headroom):
    with pytest.raises(ModelError) as caught:
        machines(TOPOLOGY, headroom=headroom)
    assert str(caught.value) == f"headroom is {headroom}, expected a share from 0 to below 1."


@pytest.mark.parametrize("factor", [0, -1, 1001, float("nan")])
@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_overcommit_has_to_be_a_positive_factor(resource, factor):
    with pytest.raises(ModelError) as caught:
        machines(TOPOLOGY, **{f"overcommit_{resource}": factor})
    assert str(caught.value) == (
        f"overcommit of {resource} is {factor}, expected more than 0, up to 1000."
    )


def test_headroom_makes_units_wait():
    assert nodes_of(place([node()], pods(4, cpu="1"), headroom=0.5)) == ["n1", "n1", None, None]


def test_overcommit_lets_more_units_in():
    plan = place([node()], pods(9, cpu="1"), overcommit_cpu=2)
    assert nodes_of(plan) == ["n1"] * 8 + [None]


def test_units_that_run_stay_though_headroom_would_not_have_let_them_in():
    plan = place([node()], [pod("old", on="n1", cpu="4"), pod(cpu="1m")], headroom=0.5)
    assert nodes_of(plan) == ["n1", None]
    assert plan.free[0, 0] == 0


def test_utilisation_is_against_what_is_offered():
    plan = place([node(cpu="4")], [pod(cpu="1")], headroom=0.5)
    assert plan.summary()["allocatable_cpu_cores"] == 2
    assert plan.summary()["requested_cpu_share"] == 0.5
