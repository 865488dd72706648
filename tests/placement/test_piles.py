"""Piles of nodes that look the same: the same decisions as asking every node, and no drift."""

from __future__ import annotations

import random
from unittest.mock import patch

import numpy as np
from hypothesis import given, note
from hypothesis import strategies as st

import capsim as cs
from capsim.placement.kubernetes import memory as memory_module
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.session import Session
from capsim.scenario import (
    Affinity,
    Container,
    LabelSelector,
    Node,
    PodAffinity,
    PodAffinityTerm,
    Scenario,
    Taint,
    Template,
    TopologySpreadConstraint,
    Unit,
    WeightedPodAffinityTerm,
)
from capsim.topology import compile_scenario
from tests.placement.builders import examples

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def spread_over(key: str, mode: str, skew: int, app: str) -> TopologySpreadConstraint:
    return TopologySpreadConstraint(
        max_skew=skew,
        topology_key=key,
        when_unsatisfiable=mode,
        label_selector=LabelSelector(match_labels={"app": app}),
    )


def company(draw: random.Random, app: str) -> Affinity:
    """Terms for and against units of an app on the same host or zone."""
    term = PodAffinityTerm(
        topology_key=draw.choice((HOST, HOST, ZONE)),
        label_selector=LabelSelector(match_labels={"app": app}),
    )
    weighed = WeightedPodAffinityTerm(weight=draw.randint(1, 100), pod_affinity_term=term)
    if draw.random() < 0.4:
        return Affinity(pod_anti_affinity=PodAffinity(required=(term,)))
    kind = draw.choice(("pod_affinity", "pod_anti_affinity"))
    return Affinity(**{kind: PodAffinity(preferred=(weighed,))})


def crowd(seed: int) -> Scenario:
    """Few templates with many units each, told apart by hosts."""
    draw = random.Random(seed)
    apps = [f"app-{i}" for i in range(draw.randint(1, 4))]
    templates = {}
    for app in apps:
        spreads = [
            spread_over(key, mode, draw.randint(1, 3), draw.choice(apps))
            for key in (HOST, ZONE)
            for mode in ("ScheduleAnyway", "DoNotSchedule")
            if draw.random() < (0.6 if key == HOST else 0.2)
        ]
        templates[app] = Template(
            labels={"app": app},
            containers=(
                Container(
                    requests={
                        "cpu": f"{draw.choice((100, 300, 700))}m",
                        "memory": f"{draw.choice((100, 500))}Mi",
                    }
                ),
            ),
            topology_spread_constraints=tuple(spreads),
            affinity=company(draw, draw.choice(apps)) if draw.random() < 0.4 else Affinity(),
        )
    taint = Taint(key="old", value="", effect="PreferNoSchedule")
    nodes = tuple(
        Node(
            name=f"n{i}",
            labels={HOST: f"n{i}", ZONE: f"z{i % draw.choice((2, 3))}"},
            allocatable={
                "cpu": str(draw.choice((2, 4))),
                "memory": f"{draw.choice((2, 8))}Gi",
                "pods": "20",
            },
            taints=(taint,) if draw.random() < 0.2 else (),
        )
        for i in range(draw.randint(5, 24))
    )
    units = tuple(
        Unit(name=f"u{i}", template=draw.choice(apps)) for i in range(draw.randint(10, 90))
    )
    return Scenario(nodes=nodes, templates=templates, units=units)


def moves(engine: Engine, seed: int, *, levels: int) -> tuple[list[int], Session]:
    """Where units go while others come and leave, with so many levels at most."""
    draw = random.Random(seed)
    with patch.object(memory_module, "_MOST_LEVELS", levels):
        session = Session(engine, engine.initial(engine.topology.allocatable), engine.waiting)
    where = {unit: -1 for unit in engine.waiting.tolist()}
    told = []
    while any(node < 0 for node in where.values()) and len(told) < 3 * len(where):
        out = [unit for unit, node in where.items() if node < 0]
        batch = np.array(out[: draw.randint(1, 20)], np.int64)
        found = session.place(batch)
        told += [*found.node.tolist(), *found.fits.tolist(), *found.total.tolist()]
        where.update(zip(batch.tolist(), found.node.tolist(), strict=True))
        there = [unit for unit, node in where.items() if node >= 0]
        for unit in draw.sample(there, min(len(there), draw.randint(0, 5))):
            session.unbind(unit)
            where[unit] = -1
    return told, session


@given(st.integers(0, 2**32))
@examples(200)
def test_piles_decide_as_asking_every_node_does(seed):
    engine = Engine(topology := compile_scenario(crowd(seed)), topology.scenario.profile)
    note(f"{len(topology.scenario.nodes)} nodes")
    expected, asked = moves(engine, seed, levels=0)
    for levels in (1, 2, 64):
        assert moves(engine, seed, levels=levels)[0] == expected
    assert (asked.memory.piles.made <= 0).all()


@given(st.integers(0, 2**32))
@examples(100)
def test_piles_hold_the_nodes_that_fit_by_their_counts(seed):
    engine = Engine(topology := compile_scenario(crowd(seed)), topology.scenario.profile)
    _, session = moves(engine, seed, levels=64)
    piles, cells = session.memory.piles, engine.counters.cells
    for p in range(len(piles.made)):
        held = piles.level[p] >= 0
        for b in range(max(0, int(piles.made[p]))):
            here = piles.level[p] == b
            assert piles.size[p, b] == here.sum()
            tree, way = piles.trees[piles.tree_of[p, b]], int(piles.way[p])
            leaves = tree[cells.leaf[way]]
            assert ((leaves >= 0) == here).all()
            roots = cells.root[cells.start[way] : cells.start[way + 1]]
            for g, root in enumerate(roots.tolist()):
                inside = here & (cells.cell[way] == g)
                assert piles.members[p, b, g] == inside.sum()
                assert tree[root] == leaves[inside].max(initial=-1)
        assert piles.size[p].sum() == held.sum()


def test_pods_that_are_spread_over_hosts_are_asked_by_piles():
    scenario = crowd(0).replace(
        templates={
            "app-0": Template(
                labels={"app": "app-0"},
                containers=(Container(requests={"cpu": "100m", "memory": "50Mi"}),),
                topology_spread_constraints=(spread_over(HOST, "ScheduleAnyway", 1, "app-0"),),
            )
        },
        units=tuple(Unit(name=f"u{i}", template="app-0") for i in range(30)),
    )
    engine = Engine(topology := compile_scenario(scenario), scenario.profile)
    session = Session(engine, engine.initial(topology.allocatable), engine.waiting)
    session.place(engine.waiting)
    assert session.memory.piles.made[0] >= 2


def test_each_host_gets_one_before_any_gets_two():
    nodes = tuple(
        Node(
            name=f"n{i}",
            labels={HOST: f"n{i}"},
            allocatable={"cpu": "4", "memory": "8Gi", "pods": "20"},
        )
        for i in range(9)
    )
    template = Template(
        labels={"app": "web"},
        containers=(Container(requests={"cpu": "100m", "memory": "50Mi"}),),
        topology_spread_constraints=(spread_over(HOST, "DoNotSchedule", 1, "web"),),
    )
    units = tuple(Unit(name=f"u{i}", template="web") for i in range(18))
    plan = cs.place(Scenario(nodes=nodes, templates={"web": template}, units=units))
    assert sorted(plan.node_of[:9].tolist()) == list(range(9))
    assert sorted(plan.node_of[9:].tolist()) == list(range(9))
