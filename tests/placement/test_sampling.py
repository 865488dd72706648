"""cs.place with percentageOfNodesToScore and random ties."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.errors import ModelError
from capsim.placement.kubernetes import _kernels
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.replay import _scenario
from capsim.placement.kubernetes.sampling import Sampling
from capsim.placement.kubernetes.session import Session
from capsim.topology import compile_scenario
from tests.placement.builders import (
    Json,
    cluster,
    examples,
    least,
    most,
    node,
    nodes,
    nodes_of,
    place,
    pod,
    pods,
    taint,
)
from tests.placement.random_clusters import cases
from tests.reference.generate import random_case

ALL = Sampling(percentage=100, ties="first")


@pytest.mark.parametrize(
    ("nodes", "percentage", "enough"),
    [
        (50, 5, 50),
        (99, 10, 99),
        (100, 30, 100),
        (1000, 70, 700),
        (1000, 5, 100),
        (1000, 0, 420),
        (5000, 0, 500),
        (6000, 0, 300),
        (15000, 0, 750),
        (5000, 100, 5000),
    ],
)
def test_enough_nodes_are_what_kubernetes_says(nodes, percentage, enough):
    assert _kernels.nodes_to_find(nodes, percentage) == enough


def with_claims(family: str) -> st.SearchStrategy[Json]:
    """Random clusters of the reference, in which pods use volumes."""
    return st.integers(0, 2**32).map(lambda seed: random_case(Random(seed), family))


@examples(100)
@given(st.one_of(cases(), with_claims("l"), with_claims("m")))
def test_looking_at_every_node_one_by_one_decides_as_the_kept_scores_do(case):
    scenario = _scenario(case)
    topology = compile_scenario(scenario)
    engine = Engine(topology, scenario.profile)
    waiting = engine.waiting

    def choices(sampling: Sampling | None):
        state = engine.initial(topology.allocatable)
        found = Session(engine, state, waiting, sampling=sampling).place(waiting)
        scored = np.where(found.fits > 1, found.total, 0)
        return found.node.tolist(), found.fits.tolist(), scored.tolist()

    assert choices(ALL) == choices(None)


def by_hand(count: int, percentage: int, units: int, full: set[int]) -> list[int]:
    """Where equal units go on machines that hold one each, by the rule and by nothing else."""
    enough = _kernels.nodes_to_find(count, percentage)
    taken, start, chosen = set(full), 0, []
    for _ in range(units):
        found, looked = [], 0
        for step in range(count):
            at = (start + step) % count
            if at not in taken:
                if len(found) == enough:
                    break
                found.append(at)
            looked += 1
        start = (start + looked) % count
        chosen.append(min(found))
        taken.add(chosen[-1])
    return chosen


@examples(15)
@given(st.integers(100, 260), st.sampled_from([0, 5, 60, 90]), st.sets(st.integers(0, 99)))
def test_the_search_stops_once_enough_fit_and_starts_again_where_it_ended(count, percentage, full):
    units = [pod(f"old-{n}", on=f"n{n + 1}", cpu="4") for n in sorted(full)]
    plan = place(
        nodes(count),
        [*units, *pods(count // 3, cpu="4")],
        percentage_of_nodes_to_score=percentage,
    )
    expected = by_hand(count, percentage, count // 3, full)
    assert plan.node_of[len(units) :].tolist() == expected[: count - len(full)]


def test_few_nodes_are_all_looked_at():
    machines = [*nodes(98, cpu="2"), node("best", cpu="64")]
    plan = place(machines, [pod(cpu="1")], profile=least(), percentage_of_nodes_to_score=1)
    assert nodes_of(plan) == ["best"]


def test_a_better_node_beyond_the_sample_is_missed_and_the_explanation_says_so():
    machines = [*nodes(150, cpu="2"), node("best", cpu="64")]
    plan = place(machines, [pod(cpu="1")], profile=least(), percentage_of_nodes_to_score=1)
    assert nodes_of(plan) == ["n1"]
    assert str(plan.explain("web")).startswith(
        "default/web went to n1: the best of those that were looked at; 1 others that fit score "
        "higher."
    )


def test_random_ties_are_drawn_evenly_among_the_best_alone():
    machines = [*nodes(4), node("worse", taints=(taint("x", effect="PreferNoSchedule"),))]
    topology = compile_scenario(cluster(machines, [pod(cpu="1")]))
    drawn = Counter(
        nodes_of(cs.place(topology, ties="random", seed=seed))[0] for seed in range(400)
    )
    assert set(drawn) == {"n1", "n2", "n3", "n4"}
    # 100 expected of each; the chance to be off by 40 is below 1 in 10,000.
    assert all(60 < times < 140 for times in drawn.values())


def test_the_same_seed_draws_the_same():
    scenario = cluster(nodes(6), pods(20, cpu="1"))
    twice = [cs.place(scenario, ties="random", seed=7).node_of.tolist() for _ in range(2)]
    assert twice[0] == twice[1]
    assert twice[0] != cs.place(scenario, ties="random", seed=8).node_of.tolist()


def test_pinned_units_and_evictions_work_on_a_sample_too():
    low = pod("low", on="n7", cpu="4")
    units = [low, pod("tied", pinned="n3", cpu="1"), pod("high", cpu="4", priority=5, pinned="n7")]
    plan = place(nodes(120), units, percentage_of_nodes_to_score=10, ties="random")
    assert nodes_of(plan)[1:] == ["n3", "n7"]
    assert plan.evicted == {0: 2}


def test_a_plan_says_how_it_looked_for_nodes():
    plan = place(nodes(2), [pod()], percentage_of_nodes_to_score=0, ties="random", seed=3)
    said = [str(each) for each in plan.assumptions]
    assert any("one is drawn evenly, seed 3" in each for each in said)
    assert any("the adaptive share, at least 100" in each for each in said)
    assert place(nodes(2), [pod()], percentage_of_nodes_to_score=100).sampling is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"percentage_of_nodes_to_score": 101},
            "percentage_of_nodes_to_score is 101, expected 0 (adaptive) to 100.",
        ),
        ({"ties": "last"}, "ties is 'last', expected 'first' or 'random'."),
    ],
)
def test_options_out_of_range_are_refused(options, words):
    with pytest.raises(ModelError) as caught:
        place(nodes(1), [pod()], **options)
    assert str(caught.value) == words


def test_packing_still_packs_on_a_sample():
    plan = place(
        nodes(120),
        pods(8, cpu="500m"),
        profile=most(),
        percentage_of_nodes_to_score=100,
        ties="random",
        seed=1,
    )
    assert len(set(nodes_of(plan))) == 1
