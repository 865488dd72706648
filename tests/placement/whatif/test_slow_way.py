"""Every question against the slow way: edit the scenario, compile it anew, place it.

CAPSIM_TEST_SCALE=20 looks at 20 times as many examples, new ones each time.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.following import follow
from capsim.placement.kubernetes.replay import _scenario
from capsim.placement.whatif import (
    change_requests,
    cordon,
    drain,
    grow,
    remove_nodes,
    set_priority,
    uncordon,
)
from capsim.scenario import PriorityClass, Scenario, Workload
from capsim.topology import Topology
from tests.placement.builders import examples
from tests.placement.whatif import slow_questions as slow
from tests.reference.generate import random_case

SEEDS = st.integers(0, 2**32)
QUESTIONS = ("cordon", "uncordon", "drain", "remove", "requests", "some requests", "grow", "place")


def outcome(plan: cs.Placement) -> tuple[object, ...]:
    """Who is where, who was evicted for whom, and what waiting units are told."""
    names = [*(node.name for node in plan.scenario.nodes), None]
    units = plan.scenario.units
    return (
        {u.key: names[row] for u, row in zip(units, plan.node_of.tolist(), strict=True)},
        {units[victim].key: units[by].key for victim, by in plan.evicted.items()},
        {(row.namespace, row.unit): row.message for row in plan.pending.itertuples()},
    )


def some(rng: Random, names: list[str]) -> list[str]:
    return rng.sample(names, rng.randint(0, max(1, len(names) // 2))) if names else []


def ask(question: str, rng: Random, fast: Topology, objects: Scenario) -> tuple[Topology, Scenario]:
    """One question, asked both ways."""
    names = some(rng, [node.name for node in objects.nodes])
    factor = rng.choice([0.5, 0.9, 1.1, 1.5, 2.0])
    spaces = {unit.namespace for unit in objects.units}
    space = rng.choice(sorted(spaces)) if spaces else ""
    match question:
        case "cordon":
            return cordon(fast, names), slow.cordon(objects, names)
        case "uncordon":
            return uncordon(fast, names), slow.uncordon(objects, names)
        case "drain":
            return drain(fast, names), slow.drain(objects, names)
        case "remove":
            return remove_nodes(fast, names), slow.remove_nodes(objects, names)
        case "requests":
            exact = Fraction(factor).limit_denominator(100)
            return change_requests(fast, factor), slow.change_requests(
                objects, exact, lambda unit: True
            )
        case "some requests" if space:
            exact = Fraction(factor).limit_denominator(100)
            return change_requests(fast, factor, namespaces=[space]), slow.change_requests(
                objects, exact, lambda unit: unit.namespace == space
            )
        case "grow":
            grown = grow(fast, 0.5)
            added = grown.scenario.units[len(objects.units) :]
            names = [f"{u.namespace}/{u.name.rpartition('+')[0]}" for u in added]
            numbered = [int(u.name.rpartition("+")[2]) for u in added]
            renamed = slow.grow(objects, names)
            units = tuple(
                slow.changed(u, name=f"{u.name.rpartition('+')[0]}+{n}")
                for u, n in zip(renamed.units[len(objects.units) :], numbered, strict=True)
            )
            claims = grown.scenario.claims
            return grown, objects.replace(units=(*objects.units, *units), claims=claims)
        case "place":
            plan = cs.place(fast)
            placed = cs.place(objects)
            units = tuple(
                slow.changed(u, node=objects.nodes[n].name if n >= 0 else None)
                for u, n in zip(objects.units, placed.node_of.tolist(), strict=True)
            )
            bound = placed.placed_topology.scenario
            storage = {
                "claims": bound.claims,
                "persistent_volumes": bound.persistent_volumes,
            }
            return plan.placed_topology, objects.replace(units=units, **storage)
    return fast, objects


@pytest.mark.parametrize("family", ["f", "g", "h", "i", "j", "l", "m"])
@given(seed=SEEDS, questions=st.lists(st.sampled_from(QUESTIONS), min_size=1, max_size=4))
@examples(40)
def test_questions_one_after_the_other_are_answered_as_by_compiling_anew(family, seed, questions):
    rng = Random(seed)
    objects = _scenario(random_case(rng, family))
    fast = cs.compile_scenario(objects)
    for question in questions:
        fast, objects = ask(question, rng, fast, objects)
    assert outcome(cs.place(fast)) == outcome(cs.place(objects))


@pytest.mark.parametrize("family", ["i", "j"])
@given(seed=SEEDS, value=st.integers(-5, 2000))
@examples(30)
def test_another_priority_is_that_of_a_workload_made_with_it(family, seed, value):
    objects = _scenario(random_case(Random(seed), family))
    owned = tuple(
        slow.changed(unit, owner="Deployment/x") if n % 3 == 0 else unit
        for n, unit in enumerate(objects.units)
    )
    (space, *_) = sorted({unit.namespace for unit in owned[::3]})
    workload = Workload(
        kind="Deployment", name="x", namespace=space, template=owned[0].template, replicas=1
    )
    objects = objects.replace(units=owned, workloads=(workload,))
    gold = PriorityClass(name="gold", value=value)
    fast = set_priority(cs.compile_scenario(objects), f"{space}/x", gold)
    templates = {
        f"gold {key}": slow.changed(
            template,
            priority=value,
            priority_class_name="gold",
            preemption_policy="PreemptLowerPriority",
        )
        for key, template in objects.templates.items()
    }
    units = tuple(
        slow.changed(slow.waits(unit), template=f"gold {unit.template}")
        if (unit.namespace, unit.owner) == (space, "Deployment/x")
        else unit
        for unit in objects.units
    )
    anew = objects.replace(templates={**objects.templates, **templates}, units=units)
    assert outcome(cs.place(fast)) == outcome(cs.place(anew))


@pytest.mark.parametrize("family", ["j", "m"])
@given(seed=SEEDS)
@examples(40)
def test_a_node_of_every_kind_is_asked_again_after_a_cordon(family, seed):
    """The tables that are patched say of every node what fresh ones say."""
    rng = Random(seed)
    objects = _scenario(random_case(rng, family))
    topology = cs.compile_scenario(objects)
    names = some(rng, [node.name for node in objects.nodes])
    patched = follow(Engine(topology, objects.profile, asks_all=True), cordon(topology, names))
    anew = Engine(cs.compile_scenario(slow.cordon(objects, names)), objects.profile, asks_all=True)
    for mine, theirs in zip(said(patched), said(anew), strict=True):
        assert mine == theirs


def said(engine: Engine) -> list[tuple[object, ...]]:
    """For each unit (of a class that may be asked): what every node says once and for all."""
    static, found = engine.static, []
    for c in engine.class_of.tolist():
        if c < engine.asking:
            k = static.node_class
            columns = (static.refusal[c][k], static.taint_raw[c][k], static.affinity_raw[c][k])
            words = [static.reason[c][i] for i in k.tolist()]
            images = static.image[c][k].tolist()
            found.append((*(column.tolist() for column in columns), words, images))
    return found
