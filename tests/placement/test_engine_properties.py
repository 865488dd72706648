"""Crowds of pods in a plan: the fast engine against the slow reference, and what always holds.

No pod is evicted here, and none looks at others but by the room that they take.

CAPSIM_TEST_SCALE=20 looks at 20 times as many examples, new ones each time.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
from hypothesis import event, given, note
from hypothesis import strategies as st

import capsim as cs
from capsim.placement.kubernetes import memory as memory_module
from capsim.placement.kubernetes.answers import State
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.session import Session
from capsim.readers.kubernetes.scheduler_config import read_profiles
from capsim.scenario import SchedulerProfile
from capsim.topology import compile_scenario
from tests.placement.builders import (
    Json,
    cluster,
    examples,
    most,
    node,
    nodes,
    place,
    pod,
    pods,
    where,
)
from tests.placement.random_clusters import cases
from tests.reference import replay as reference


def profile_of(case: Json) -> SchedulerProfile:
    (profile,) = read_profiles(case["config"], "case").values()
    return profile


def scenario_of(case: Json) -> cs.Scenario:
    """The case as capsim reads it from a file, with its profile."""
    objects = [*case["nodes"], *case["pods"], *case["pending"]]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cluster.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        return cs.read(file).replace(profile=profile_of(case))


def decided(case: Json) -> dict[str, str | None]:
    """Pod to node as the reference decides, which takes pods as they come: so in queue order."""
    queue = sorted(case["pending"], key=lambda pod: -(pod["spec"].get("priority") or 0))
    decisions = reference({**case, "detail": "compact", "pending": queue})
    return {decision["pod"].partition("/")[2]: decision["node"] for decision in decisions}


def waiting_of(plan: cs.Placement) -> dict[str, str | None]:
    """Pod to node, of the pods that do not run from the start."""
    running = {unit.name for unit in plan.scenario.units if unit.node is not None}
    return {name: node for name, node in where(plan).items() if name not in running}


@given(cases())
@examples(300)
def test_every_pod_goes_where_the_reference_puts_it(case):
    expected = decided(case)
    event(f"{sum(node is None for node in expected.values()) * 4 // len(expected)}/4 wait")
    assert waiting_of(cs.place(scenario_of(case))) == expected


@given(cases(), st.data())
@examples(100)
def test_the_explanation_of_a_pod_ends_at_the_node_where_it_went(case, data):
    """It scores every node afresh, where placing looks only at nodes that have changed."""
    plan = cs.place(scenario_of(case))
    pod = data.draw(st.sampled_from(sorted(waiting_of(plan))))
    explanation = plan.explain(f"default/{pod}")
    note(str(explanation))
    fits = explanation.table[explanation.table["verdict"] == "fits"]
    assert waiting_of(plan)[pod] == (fits["node"].iloc[0] if len(fits) else None)
    assert explanation.node == waiting_of(plan)[pod]


@given(cases(), st.floats(0, 0.9), st.floats(0.5, 3))
@examples(150)
def test_nothing_is_ever_overcommitted_beyond_what_is_offered(case, headroom, overcommit):
    scenario = scenario_of(case)
    topology = compile_scenario(scenario)
    before = Engine(topology, scenario.profile).initial(topology.allocatable).used
    plan = cs.place(topology, headroom=headroom, overcommit_cpu=overcommit)
    assert (plan.used <= np.maximum(plan.offered, before)).all()
    assert (plan.used >= before).all()


@given(cases())
@examples(100)
def test_what_is_used_is_what_the_units_on_a_node_request(case):
    plan = cs.place(scenario_of(case))
    topology = plan.topology
    placed = plan.node_of >= 0
    used = np.zeros_like(plan.used)
    np.add.at(used, plan.node_of[placed], topology.request[topology.unit_template[placed]])
    assert np.array_equal(plan.used, used)


@given(cases(), st.randoms(use_true_random=False))
@examples(100)
def test_identical_nodes_can_change_places_and_only_names_change(case, random):
    """Names are drawn anew wherever no pod asks for them."""
    text = json.dumps(case["pending"] + case["pods"] + [case["config"]])
    shapes: dict[str, list[int]] = {}
    for row, each in enumerate(case["nodes"] + case["nodes"]):
        shape = json.dumps([each["metadata"]["labels"], each["spec"], each["status"]])
        shapes.setdefault(shape, []).append(row)
    doubled = [
        {**each, "metadata": {**each["metadata"], "name": f"m{row}", "uid": f"m{row}"}}
        for row, each in enumerate(case["nodes"] + case["nodes"])
    ]
    moved = list(range(len(doubled)))
    for rows in shapes.values():
        order = random.sample(rows, len(rows))
        for row, other in zip(rows, order, strict=True):
            moved[row] = other
    assert '"m0"' not in text
    waiting = {**case, "pods": []}
    one = cs.place(scenario_of({**waiting, "nodes": doubled}))
    other = cs.place(scenario_of({**waiting, "nodes": [doubled[row] for row in moved]}))
    assert one.node_of.tolist() == other.node_of.tolist()


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8), st.integers(0, 5)), max_size=8),
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([(), (8080,)])),
    st.integers(1, 30),
    st.integers(0, 8),
    st.tuples(st.integers(0, 6), st.integers(0, 8), st.integers(0, 5)),
    st.booleans(),
)
@examples(200)
def test_more_capacity_never_lowers_how_many_of_one_template_are_placed(
    machines, template, count, row, more, packing
):
    cpu, memory, ports = template
    units = pods(count, cpu=str(cpu), memory=f"{memory}Gi", host_ports=ports)
    profile = most() if packing else SchedulerProfile()

    def count_placed(sizes: list[tuple[int, int, int]]) -> float:
        listed = [
            node(f"n{i}", cpu=str(c), memory=f"{m}Gi", pods=p) for i, (c, m, p) in enumerate(sizes)
        ]
        return place(listed, units, profile=profile).summary()["placed_units"]

    larger = [*machines, (0, 0, 0)]
    row = min(row, len(machines))
    larger[row] = tuple(a + b for a, b in zip(larger[row], more, strict=True))
    assert count_placed(larger) >= count_placed(machines)


# One run or several -------------------------------------------------------------------------


def compiled(case: Json) -> Engine:
    scenario = scenario_of(case)
    return Engine(compile_scenario(scenario), scenario.profile)


def started(engine: Engine) -> Session:
    return anew(engine, engine.initial(engine.topology.allocatable))


def anew(engine: Engine, state: State) -> Session:
    """A session that knows nothing but the state."""
    return Session(engine, state, engine.waiting)


def placed(session: Session, units: np.ndarray) -> list[int]:
    return session.place(units).node.tolist()


def same(one: State, other: State) -> bool:
    mine, theirs = ([*state.nodes, *state.counts] for state in (one, other))
    return all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))


@given(cases(), st.lists(st.integers(0, 50), max_size=6))
@examples(200)
def test_several_runs_that_carry_the_state_on_decide_like_one(case, cuts):
    engine = compiled(case)
    chunks = np.split(engine.waiting, sorted(min(cut, len(engine.waiting)) for cut in cuts))
    at_once, resumed, restarted = started(engine), started(engine), started(engine)
    expected = placed(at_once, engine.waiting)
    assert [node for chunk in chunks for node in placed(resumed, chunk)] == expected
    assert same(resumed.state, at_once.state)
    state = restarted.state
    assert [node for chunk in chunks for node in placed(anew(engine, state), chunk)] == expected
    assert same(state, at_once.state)


@given(cases(), st.integers(0, 3))
@examples(150)
def test_scores_that_are_kept_decide_like_scores_found_afresh(case, kept):
    """Only so many templates may keep their scores; asked one by one of new sessions, none does."""
    engine = compiled(case)
    usual = placed(started(engine), engine.waiting)
    with patch.object(memory_module, "_CACHED_SCORES", kept * 2 * len(case["nodes"])):
        assert placed(started(engine), engine.waiting) == usual
    state = started(engine).state
    one_by_one = np.split(engine.waiting, len(usual))
    assert [node for unit in one_by_one for node in placed(anew(engine, state), unit)] == usual


@given(cases(), st.integers(0, 50))
@examples(100)
def test_placing_in_two_goes_decides_like_placing_in_one(case, cut):
    equal = [{**pod, "spec": {**pod["spec"], "priority": 0}} for pod in case["pending"]]
    scenario = scenario_of({**case, "pending": equal})
    running, waiting = scenario.units[: len(case["pods"])], scenario.units[len(case["pods"]) :]
    first = cs.place(scenario.replace(units=(*running, *waiting[:cut])))
    bound = first.placed_topology.scenario.units
    second = cs.place(scenario.replace(units=(*bound, *waiting[cut:])))
    assert where(second) == where(cs.place(scenario))


@given(cases())
@examples(50)
def test_placing_again_moves_nothing(case):
    plan = cs.place(scenario_of(case))
    assert where(cs.place(plan.placed_topology.scenario)) == where(plan)


def test_many_units_of_many_templates_go_over_the_whole_history():
    """More placements between two units of a template than there are nodes: it starts afresh."""
    units = [pod(f"p{i}", cpu=f"{1 + (i * i) % 7}m") for i in range(300)]
    plan = cs.place(cluster(nodes(5, cpu="1"), units))
    engine = plan.engine
    state = started(engine).state
    one_by_one = np.split(engine.waiting, len(units))
    found = [node for unit in one_by_one for node in placed(anew(engine, state), unit)]
    assert plan.node_of.tolist() == found
