"""What if there were more of the same units, or more machines."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.errors import ModelError
from capsim.placement.whatif import add_machines, grow
from capsim.scenario import Quota
from tests.placement.builders import HOSTNAME, cluster, examples, node, nodes, nodes_of, pod, pods

MIX = cs.compile_scenario(
    cluster(
        nodes(3),
        [
            *pods(4, "web", cpu="1"),
            *pods(2, "api", cpu="2"),
            pod("old", cpu="1m", on="n1"),
            *(pod(f"agent-{i}", pinned=f"n{i}", cpu="10m") for i in (1, 2, 3)),
        ],
    )
)


def added(topology: cs.Topology, before: cs.Topology = MIX) -> list[str]:
    return [unit.name for unit in topology.scenario.units[len(before.scenario.units) :]]


def by_template(topology: cs.Topology) -> Counter[str]:
    return Counter(unit.template for unit in topology.scenario.units)


def agrees_with_its_scenario(topology: cs.Topology) -> bool:
    """Whether the arrays are those that compiling the changed scenario gives."""
    anew = cs.compile_scenario(topology.scenario.replace())
    return anew.resources == topology.resources and all(
        np.array_equal(getattr(anew, name), getattr(topology, name))
        for name in (
            "allocatable",
            "gpu_devices",
            "request",
            "scoring_request",
            "accounted_request",
            "gpu_share",
            "priority",
            "unit_template",
            "unit_node",
            "unit_pinned",
        )
    )


# Growth -------------------------------------------------------------------------------------


def test_no_growth_changes_nothing():
    assert grow(MIX, 0) is MIX


def test_half_as_many_more_of_every_template():
    assert by_template(grow(MIX, 0.5)) - by_template(MIX) == {"web-1": 2, "api-1": 1}


def test_more_than_doubling_copies_some_units_several_times():
    assert by_template(grow(MIX, 1.3)) - by_template(MIX) == {"web-1": 5, "api-1": 3, "old": 1}


def test_units_that_are_pinned_do_not_grow():
    assert not any("agent" in name for name in added(grow(MIX, 5)))


def test_copies_of_pods_that_live_are_new_to_a_quota():
    quota = Quota(name="all", namespace="default", hard={"pods": "2"})
    scenario = cluster(nodes(1), pods(2, on="n1", cpu="1"), quotas=(quota,))
    lived = tuple(unit.model_copy(update={"created_s": 5.0}) for unit in scenario.units)
    topology = cs.compile_scenario(scenario.replace(units=lived))
    for grown in (grow(topology, 0.5), grow(topology, 1)):
        plan = cs.place(grown)
        assert set(nodes_of(plan)[2:]) == {None}
        assert plan.pending["message"].str.contains("exceeded quota").all()


def test_units_that_run_grow_by_units_that_wait():
    grown = grow(MIX, 1)
    assert grown.scenario.units[-1].name == "old+7"
    assert grown.scenario.units[-1].node is None
    assert grown.unit_node[-1] == -1


def test_copies_are_named_after_their_originals_and_evenly_spaced():
    assert added(grow(MIX, 0.5)) == ["web-1+1", "web-3+2", "api-1+3"]


def test_copies_arrive_last_in_the_order_of_their_originals():
    mixed = [
        pod(f"{name}-{i}", cpu=cpu) for i in range(3) for name, cpu in (("a", "1"), ("b", "2"))
    ]
    topology = cs.compile_scenario(cluster(nodes(1), mixed))
    originals = [name.partition("+")[0] for name in added(grow(topology, 1), topology)]
    assert originals == ["a-0", "b-0", "a-1", "b-1", "a-2", "b-2"]


def test_growth_is_the_same_each_time():
    assert grow(MIX, 1.3).scenario == grow(MIX, 1.3).scenario


def test_growing_what_has_grown_gives_every_unit_a_name_of_its_own():
    twice = grow(grow(MIX, 1), 1)
    assert by_template(twice)["web-1"] == 16
    assert agrees_with_its_scenario(twice)  # which refuses names that come twice


def test_a_grown_topology_is_that_of_its_scenario():
    for share in (0.1, 0.5, 1, 1.3, 10):
        assert agrees_with_its_scenario(grow(MIX, share))


def test_a_terminating_unit_grows_by_units_that_live():
    leaving = cluster(nodes(1), pods(2, on="n1"))
    units = tuple(unit.model_copy(update={"terminating": True}) for unit in leaving.units)
    grown = grow(cs.compile_scenario(leaving.replace(units=units)), 1)
    assert [unit.terminating for unit in grown.scenario.units] == [True, True, False, False]


@pytest.mark.parametrize("share", [-0.1, 10.1, float("nan"), float("inf")])
def test_growth_has_its_bounds(share):
    with pytest.raises(ModelError) as caught:
        grow(MIX, share)
    assert str(caught.value) == (
        f"growth is {share}, expected a share from 0 to 10 (1 doubles the units)."
    )


@given(st.lists(st.integers(1, 12), max_size=5), st.integers(0, 1000).map(lambda n: n / 100))
@examples(100)
def test_every_template_grows_by_its_share_and_no_original_is_favoured(sizes, share):
    units = [pod(f"t{i}-{j}", cpu=f"{i + 1}m") for i, n in enumerate(sizes) for j in range(n)]
    topology = cs.compile_scenario(cluster([], units))
    grown = grow(topology, share)
    more = Counter(name.partition("-")[0] for name in added(grown, topology))
    assert dict(more) == {
        f"t{i}": round(n * share) for i, n in enumerate(sizes) if round(n * share)
    }
    copies = Counter(name.partition("+")[0] for name in added(grown, topology))
    for i, n in enumerate(sizes):
        times = [copies[f"t{i}-{j}"] for j in range(n)]
        assert max(times) - min(times) <= 1


def test_grown_units_are_placed_after_the_others():
    topology = cs.compile_scenario(cluster([node(cpu="3")], pods(2, cpu="1")))
    assert nodes_of(cs.place(grow(topology, 1))) == ["n1", "n1", "n1", None]


# More machines ------------------------------------------------------------------------------


def test_adding_no_machine_changes_nothing():
    assert add_machines(MIX, node(), 0) is MIX


def test_added_machines_come_last_under_names_of_their_own():
    more = add_machines(MIX, node("large", cpu="64"), 2)
    assert [machine.name for machine in more.scenario.nodes] == [
        "n1",
        "n2",
        "n3",
        "large+1",
        "large+2",
    ]
    assert more.allocatable[:, 0].tolist() == [4000, 4000, 4000, 64_000, 64_000]
    assert agrees_with_its_scenario(more)


def test_machines_can_be_added_again_and_again():
    more = add_machines(add_machines(MIX, node("n1"), 2), node("n1"), 1)
    assert [machine.name for machine in more.scenario.nodes][3:] == ["n1+1", "n1+2", "n1+3"]
    assert agrees_with_its_scenario(more)


def test_a_machine_with_a_new_resource_brings_its_column():
    asking = cs.compile_scenario(cluster(nodes(1), [pod(asks={"a.b/c": 1})]))
    for topology in (MIX, asking):
        more = add_machines(topology, node("fpga", offers={"a.b/c": 2}), 1)
        assert more.allocatable[:, more.column("a.b/c")].tolist()[-1] == 2
        assert agrees_with_its_scenario(more)
    assert nodes_of(cs.place(more)) == ["fpga+1"]


def test_a_machine_that_lacks_a_resource_of_the_others_offers_none():
    topology = cs.compile_scenario(cluster([node(offers={"a.b/c": 2})]))
    more = add_machines(topology, node("plain"), 1)
    assert more.allocatable[:, more.column("a.b/c")].tolist() == [2, 0]
    assert agrees_with_its_scenario(more)


def test_a_machine_with_more_boards_than_the_others_can_be_added():
    topology = cs.compile_scenario(cluster([node(gpu_devices=1)], [pod(gpu=(2, 1000))]))
    more = add_machines(topology, node("dgx", gpu_devices=8), 1)
    assert agrees_with_its_scenario(more)
    plan = cs.place(more)
    assert nodes_of(plan) == ["dgx+1"]
    assert plan.gpu_free[0].tolist() == [1000, *[-1] * 7]


def test_every_added_machine_is_a_host_of_its_own():
    labelled = node("a", labels={HOSTNAME: "a", "pool": "x"})
    more = add_machines(MIX, labelled, 2)
    assert [dict(machine.labels) for machine in more.scenario.nodes[3:]] == [
        {HOSTNAME: "a+1", "pool": "x"},
        {HOSTNAME: "a+2", "pool": "x"},
    ]
    assert add_machines(MIX, node("a"), 1).scenario.nodes[3].labels == {}


def test_an_added_machine_brings_daemons_and_static_pods_of_its_own():
    units = [
        pod("agent", on="n1", pinned="n1", cpu="1"),
        pod("proxy", on="n1", cpu="500m"),
        pod("web", on="n1", cpu="1"),
        pod("other", on="n2", pinned="n2", cpu="1"),
    ]
    scenario = cluster(nodes(2), units)
    owners = ("DaemonSet/agent", "Node/n1", "ReplicaSet/web", "DaemonSet/agent")
    owned = tuple(
        unit.model_copy(update={"owner": owner, "created_s": 1.0})
        for unit, owner in zip(scenario.units, owners, strict=True)
    )
    topology = cs.compile_scenario(scenario.replace(units=owned))
    more = add_machines(topology, topology.scenario.nodes[0], 2)
    assert added(more, topology) == ["agent@n1+1", "proxy@n1+1", "agent@n1+2", "proxy@n1+2"]
    assert agrees_with_its_scenario(more)
    assert [unit.owner for unit in more.scenario.units[5:]] == [
        *("Node/n1+1", "DaemonSet/agent", "Node/n1+2")
    ]
    assert all(unit.created_s is None for unit in more.scenario.units[4:])
    assert nodes_of(cs.place(more))[4:] == ["n1+1", "n1+1", "n1+2", "n1+2"]
    assert add_machines(topology, node("n9"), 1).scenario.units == topology.scenario.units


def test_added_machines_take_what_waited():
    waiting = cs.compile_scenario(cluster(nodes(1), pods(8, cpu="1")))
    assert cs.place(waiting).summary()["waiting_units"] == 4
    assert cs.place(add_machines(waiting, node(), 1)).summary()["waiting_units"] == 0


@pytest.mark.parametrize("count", [-1, 100_001])
def test_the_number_of_machines_has_its_bounds(count):
    with pytest.raises(ModelError) as caught:
        add_machines(MIX, node(), count)
    assert str(caught.value) == f"{count} machines to add, expected 0 to 100,000."
