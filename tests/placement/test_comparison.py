"""Two plans compared unit by unit."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.placement import compare
from capsim.placement.comparison import CHANGES
from capsim.placement.kubernetes.replay import _scenario
from capsim.placement.whatif import add_machines, drain, grow, remove_nodes
from tests.placement.builders import cluster, examples, nodes, pod, pods
from tests.reference.generate import random_case


def changes(before: cs.Placement, after: cs.Placement) -> dict[str, str]:
    table = compare(before, after).table
    return dict(zip(table["unit"], table["change"], strict=True))


def test_a_plan_compared_with_itself_changes_nothing():
    plan = cs.place(cluster(nodes(2), pods(3, cpu="1")))
    assert compare(plan, plan).headline == "nothing changes"
    assert compare(plan, plan).table.empty


def test_drained_units_move_or_wait():
    running = [pod(name, on=on, cpu=cpu) for name, on, cpu in (
        ("small", "n1", "1"), ("big", "n1", "3"), ("there", "n2", "1"))]  # fmt: skip
    topology = cs.compile_scenario(cluster(nodes(2), running))
    before, after = cs.place(topology), cs.place(drain(topology, ["n1"]))
    assert changes(before, after) == {"small": "moved", "big": "newly pending"}
    table = compare(before, after).table.set_index("unit")
    assert table.loc["small", ["from_node", "to_node"]].tolist() == ["n1", "n2"]
    assert table.loc["big", "reason"] == (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable."
    )
    assert compare(before, after).summary() == {
        "stays_units": 1,
        "moved_units": 1,
        "evicted_units": 0,
        "newly_pending_units": 1,
        "newly_placed_units": 0,
        "gone_units": 0,
        "waiting_units_before": 0,
        "waiting_units_after": 1,
    }


def test_what_gives_way_to_higher_priority_is_evicted():
    low = cs.compile_scenario(cluster(nodes(1), pods(4, on="n1", cpu="1")))
    high = cs.compile_scenario(
        cluster(nodes(1), [*pods(4, on="n1", cpu="1"), pod("high", cpu="2", priority=9)])
    )
    found = compare(cs.place(low), cs.place(high))
    assert found.counts()["evicted"] == 2
    assert found.counts()["newly placed"] == 1
    evicted = found.table[found.table["change"] == "evicted"]
    assert set(evicted["evicted_for"]) == {"default/high"}
    assert evicted["reason"].str.startswith("0/1 nodes are available").all()


def test_new_units_and_units_that_are_gone_are_told():
    topology = cs.compile_scenario(
        cluster(nodes(1), [pod("a", on="n1", pinned="n1"), pod("b", on="n1", cpu="3")])
    )
    before = cs.place(topology)
    grown = compare(before, cs.place(grow(topology, 1)))
    assert grown.table[["unit", "change", "is_new"]].values.tolist() == [
        ["b+1", "newly pending", True]
    ]
    gone = compare(before, cs.place(remove_nodes(topology, ["n1"])))
    assert changes(before, gone.after) == {"b": "newly pending", "a": "gone"}
    assert gone.counts() == dict(zip(("stays", *CHANGES), (0, 0, 0, 1, 0, 1), strict=True))


def test_what_waited_and_finds_a_place_is_newly_placed():
    topology = cs.place(cluster(nodes(1), pods(8, cpu="1"))).placed_topology
    wider = add_machines(topology, topology.scenario.nodes[0], 1)
    assert compare(cs.place(topology), cs.place(wider)).headline == "4 newly placed"


@given(seed=st.integers(0, 2**32), share=st.floats(0, 1))
@examples(30)
def test_every_unit_is_counted_once_however_the_plans_are_matched(seed: int, share: float):
    """By rows where one was made from the other, by names where both are read anew."""
    objects = _scenario(random_case(Random(seed), "j"))
    topology = cs.place(objects).placed_topology
    names = [node.name for node in topology.scenario.nodes]
    asked = grow(drain(topology, names[: int(share * len(names))]), share)
    before, after = cs.place(topology), cs.place(asked)
    by_rows = compare(before, after)
    by_names = compare(before, cs.place(asked.scenario.replace()))
    np.testing.assert_array_equal(by_rows.change, by_names.change)
    assert by_rows.counts() == by_names.counts()
    assert sum(by_rows.counts().values()) == len(after.node_of)
    assert by_rows.table["change"].value_counts().to_dict() == {
        name: n for name, n in by_rows.counts().items() if n and name != "stays"
    }
