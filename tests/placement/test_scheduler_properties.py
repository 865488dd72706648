"""The whole scheduler against the slow reference, and the state that never drifts.

CAPSIM_TEST_SCALE=20 looks at 20 times as many examples, new ones each time.
"""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

import capsim as cs
from capsim.placement.kubernetes import _kernels
from capsim.placement.kubernetes.answers import State
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.replay import _scenario, replay
from capsim.placement.kubernetes.session import Session
from capsim.topology import compile_scenario
from tests.placement.builders import Json, examples
from tests.reference import Scheduler
from tests.reference import replay as reference
from tests.reference.generate import FAMILIES, random_case

SEEDS = st.integers(0, 2**32)


@pytest.mark.parametrize("family", FAMILIES)
@given(seed=SEEDS)
@examples(40)
def test_every_decision_is_that_of_the_reference(family: str, seed: int):
    case = random_case(Random(seed), family)
    expected = reference(case)
    found, _ = replay(case)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine == theirs


def expected_plan(case: Json) -> dict[str, str | None]:
    """Where every pod is in the end if the reference takes the queue, and victims wait again."""
    scheduler = Scheduler(case)
    pods = {key(pod): pod for pod in (*case["pods"], *case["pending"])}
    queue = sorted(case["pending"], key=lambda pod: -priority(pod))
    while queue:
        decision = scheduler.schedule(queue.pop(0))
        for victim in victims(decision):
            waits = {**pods[victim], "spec": {**pods[victim]["spec"], "nodeName": None}}
            place = sum(priority(other) >= priority(waits) for other in queue)
            queue.insert(place, waits)
    placed = scheduler.placement()
    return {name: placed.get(name) for name in pods}


def victims(decision: Json) -> list[str]:
    preempted = decision.get("preemption") or {}
    return preempted["candidates"][preempted["node"]] if preempted.get("node") else []


def key(pod: Json) -> str:
    return f"{pod['metadata'].get('namespace') or 'default'}/{pod['metadata']['name']}"


def priority(pod: Json) -> int:
    return pod["spec"].get("priority") or 0


@pytest.mark.parametrize("family", ["d", "e", "f", "g", "h", "i", "l", "m"])
@given(seed=SEEDS)
@examples(40)
def test_a_plan_places_what_the_reference_places(family: str, seed: int):
    case = random_case(Random(seed), family)
    plan = cs.place(_scenario(case))
    names = [node.name for node in plan.scenario.nodes]
    found = {
        unit.key: names[node] if node >= 0 else None
        for unit, node in zip(plan.scenario.units, plan.node_of.tolist(), strict=True)
    }
    assert found == expected_plan(case)


@given(seed=SEEDS)
@examples(60)
def test_after_evictions_no_node_holds_more_than_before_or_than_it_offers(seed: int):
    plan = cs.place(_scenario(random_case(Random(seed), "i")))
    before = plan.engine.initial(plan.offered).used
    most = np.maximum(before, plan.offered)
    assert (plan.used <= most).all()
    again = np.where(plan.node_of >= 0, plan.node_of, -1).astype(np.int32)
    assert same(plan.state, fresh(plan.engine, again))


@pytest.mark.parametrize("family", ["f", "g", "i", "j"])
@given(seed=SEEDS, moves=st.integers(1, 40))
@examples(40)
def test_the_state_does_not_drift(family: str, seed: int, moves: int):
    """After random binds and evictions it is that of a cluster which was so from the start."""
    draw = Random(seed)
    topology = compile_scenario(_scenario(random_case(draw, family)))
    engine = Engine(topology, topology.scenario.profile)
    session = Session(engine, engine.initial(topology.allocatable), engine.waiting)
    node_of = topology.unit_node.copy()
    for _ in range(moves):
        unit = draw.randrange(len(node_of))
        if node_of[unit] >= 0:
            session.unbind(unit)
            node_of[unit] = -1
        elif draw.random() < 0.5 and unit in engine.waiting:
            node_of[unit] = session.place(np.array([unit])).node[0]
        else:
            node_of[unit] = draw.randrange(len(topology.allocatable))
            session.bind(unit, int(node_of[unit]))
    note(f"units are on {node_of.tolist()}")
    assert same(session.state, fresh(engine, node_of))
    assert [sorted(session.on_node(n)) for n in range(len(topology.allocatable))] == [
        np.flatnonzero(node_of == n).tolist() for n in range(len(topology.allocatable))
    ]
    rest = np.array([unit for unit in engine.waiting if node_of[unit] < 0], np.int64)
    anew = Session(engine, fresh(engine, node_of), rest)
    kept = session.place(rest)
    made = anew.place(rest)
    assert kept.node.tolist() == made.node.tolist()
    assert kept.fits.tolist() == made.fits.tolist()


def fresh(engine: Engine, node_of: np.ndarray) -> State:
    """The state of the same cluster with units there from the start."""
    start = engine.initial(engine.topology.allocatable)
    empty = start._replace(
        nodes=start.nodes._replace(
            used=np.zeros_like(start.nodes.used),
            accounted=np.zeros_like(start.nodes.accounted),
            port_use=np.zeros_like(start.nodes.port_use),
        ),
        counts=engine.counters.empty(),
    )
    _kernels.bind_all(engine.class_of, node_of, *empty.arrays, engine.units, engine.counters.rows)
    return empty


def same(one: State, other: State) -> bool:
    nodes = (
        (one.nodes.used, other.nodes.used),
        (one.nodes.accounted, other.nodes.accounted),
        (one.nodes.port_use, other.nodes.port_use),
        *zip(one.counts, other.counts, strict=True),
    )
    return all(np.array_equal(mine, theirs) for mine, theirs in nodes)
