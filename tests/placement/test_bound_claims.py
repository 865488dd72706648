"""Claims of a plan's units once they run, and what everything that asks again makes of them."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.placement.defragmentation import STRATEGIES, defragment
from capsim.placement.kubernetes.bound_claims import bound_claims
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.refusals import node_reasons
from capsim.placement.kubernetes.replay import _scenario
from capsim.placement.kubernetes.volume_binding import Bound
from capsim.placement.whatif import change_requests, cordon, drain, grow, raise_replicas
from capsim.scenario import (
    Claim,
    CsiNode,
    NodeSelector,
    PersistentVolume,
    Quota,
    Scenario,
    StorageClass,
    Volume,
    Workload,
)
from capsim.topology import compile_scenario
from tests.placement.builders import ZONE, cluster, examples, node, nodes_of, pod
from tests.reference.generate import random_case

SEEDS = st.integers(0, 2**32)
WAITS = StorageClass(name="waits", provisioner="csi.x", volume_binding_mode="WaitForFirstConsumer")
REACHED = NodeSelector.model_validate(
    {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["b"]}]}
        ]
    }
)
"""By the nodes of zone b."""
MACHINES = tuple(
    node(f"n{i}", labels={ZONE: zone}, cpu="2") for i, zone in enumerate("aabb", start=1)
)
ZONAL = tuple(
    CsiNode(
        name=each.name,
        drivers=({"name": "csi.x", "topology_keys": [ZONE]},),
    )
    for each in MACHINES
)


def claim(name: str, **more) -> Claim:
    fields = {
        "storage_class_name": "waits",
        "requests": {"storage": "10Gi"},
        "access_modes": ("ReadWriteOnce",),
    }
    return Claim(name=name, **(fields | more))


def using(name: str, *claims: str, **more):
    return pod(name, volumes=tuple(Volume(claim=each) for each in claims), **more)


def zonal(units, claims, machines=MACHINES, **more):
    return cluster(
        machines, units, storage_classes=(WAITS,), csi_nodes=ZONAL, claims=claims, **more
    )


def settled(scenario: Scenario) -> Scenario:
    """The claims of what runs already are bound, as they are in every cluster."""
    topology = compile_scenario(scenario)
    engine = Engine(topology, scenario.profile, asks_all=True)
    return scenario.replace(**bound_claims(engine, Bound(), topology.unit_node))


@pytest.mark.parametrize("family", ["l", "m"])
@given(seed=SEEDS)
@examples(60)
def test_a_placed_cluster_says_to_whoever_waits_what_the_plan_said_at_its_end(family, seed):
    plan = cs.place(settled(_scenario(random_case(Random(seed), family))))
    engine = Engine(plan.placed_topology, plan.engine.profile)
    state = engine.initial(plan.offered)
    assert (state.used == plan.used).all()
    for unit in plan.waiting.tolist():
        mine, before = int(engine.class_of[unit]), int(plan.engine.class_of[unit])
        if engine.rejection(mine) == plan.engine.rejection(before) == None:  # noqa: E711
            assert node_reasons(engine, engine.evaluate(state, mine)) == node_reasons(
                plan.engine, plan.engine.evaluate(plan.state, before)
            )


@pytest.mark.parametrize("family", ["l", "m"])
@given(seed=SEEDS, strategy=st.sampled_from(sorted(STRATEGIES)))
@examples(40)
def test_evicted_units_land_where_their_volumes_are_reached(family, seed, strategy):
    plan = cs.place(_scenario(random_case(Random(seed), family)))
    result = defragment(plan, strategy=strategy)
    placed = plan.placed_topology.scenario
    claims = {each.key: each for each in placed.claims}
    volumes = {each.name: each for each in placed.persistent_volumes}
    for eviction in result.evictions:
        unit, row = placed.units[eviction.unit], int(result.after.node_of[eviction.unit])
        template = placed.templates[unit.template]
        if row < 0 or "VolumeBinding" not in plan.engine.profiles.of(template).filters:
            continue
        for each in template.volumes:
            mine = claims[f"{unit.namespace}/{each.claim_of(unit.name)}"]
            affinity = volumes[mine.volume_name].node_affinity
            assert affinity is None or affinity.matches(placed.nodes[row].labels, "")


@given(seed=SEEDS)
@examples(60)
def test_the_search_with_volumes_leaves_nobody_who_ran_without_a_place(seed):
    plan = cs.place(settled(_scenario(random_case(Random(seed), "l"))))
    for goal in ("waiting", "nodes"):
        result = defragment(plan, strategy=f"FewestEvictions:{goal}")
        numbers = result.summary()
        assert numbers["evicted_units_waiting"] == 0
        assert numbers["waiting_units_after"] <= numbers["waiting_units_before"]


def test_a_volume_that_was_made_for_a_unit_keeps_it_in_its_zone_when_its_node_is_drained():
    plan = cs.place(zonal([using("db", "data", cpu="1")], [claim("data")]))
    home = plan.scenario.nodes[int(plan.node_of[0])]
    assert home.name == "n1"
    again = cs.place(drain(plan.placed_topology, ["n1"]))
    assert nodes_of(again) == ["n2"]
    nowhere = cs.place(drain(again.placed_topology, ["n1", "n2"]))
    assert nowhere.refusals[0].nodes["node(s) had volume node affinity conflict"] == 2


def test_a_claim_keeps_the_volume_that_stood_ready_for_it():
    ready = PersistentVolume(
        name="v",
        storage_class_name="waits",
        capacity={"storage": "20Gi"},
        access_modes=("ReadWriteOnce",),
        node_affinity=REACHED,
    )
    units = [using("db", "data", cpu="1", node_selector={ZONE: "b"})]
    plan = cs.place(zonal(units, [claim("data")], persistent_volumes=(ready,)))
    (bound,) = plan.placed_topology.scenario.claims
    (volume,) = plan.placed_topology.scenario.persistent_volumes
    assert (bound.volume_name, bound.bound) == ("v", True)
    assert (volume.claim, volume.available) == ("default/data", False)


def test_what_is_not_known_of_other_volumes_stays_harmless_once_one_is_made():
    old = claim("old", volume_name="elsewhere", bound=True)
    units = [using("db", "data", cpu="1"), using("web", "old", cpu="1")]
    plan = cs.place(zonal(units, [claim("data"), old]))
    assert len(plan.waiting) == 0
    again = cs.place(change_requests(plan.placed_topology, 0.5))
    assert len(again.waiting) == 0


def test_a_changed_request_asks_for_the_same_volumes():
    plan = cs.place(zonal([using("db", "data", cpu="1")], [claim("data")]))
    again = cs.place(change_requests(cordon(plan.placed_topology, ["n1"]), 1.5))
    assert nodes_of(again) == ["n2"]


def stateful(scenario: Scenario) -> Scenario:
    """All units are of a StatefulSet."""
    units = tuple(u.model_copy(update={"owner": "StatefulSet/db"}) for u in scenario.units)
    key = units[0].template
    workload = Workload(kind="StatefulSet", name="db", template=key, replicas=len(units))
    return scenario.replace(units=units, workloads=(workload,))


def test_a_copy_of_a_stateful_unit_gets_a_claim_of_its_own():
    units = [using("db-0", "data-*", cpu="1")]
    plan = cs.place(stateful(zonal(units, [claim("data-db-0")])))
    grown = raise_replicas(plan.placed_topology, "default/db", 3)
    added = grown.scenario.claims[1:]
    assert [each.name for each in added] == ["data-db-1", "data-db-2"]
    assert all(each.planned and not each.volume_name for each in added)
    assert len(cs.place(grown).waiting) == 0
    assert len(cs.place(grow(plan.placed_topology, 1.0)).waiting) == 0


def test_a_claim_that_a_set_has_left_behind_is_used_again():
    left = claim("data-db-1", volume_name="v", bound=True)
    volume = PersistentVolume(name="v", capacity={"storage": "10Gi"}, node_affinity=REACHED)
    claims = [claim("data-db-0"), left]
    scenario = zonal([using("db-0", "data-*", cpu="1")], claims, persistent_volumes=(volume,))
    topology = compile_scenario(stateful(scenario))
    plan = cs.place(raise_replicas(topology, "default/db", 2))
    assert len(plan.scenario.claims) == 2
    assert nodes_of(plan)[1] in ("n3", "n4")


def test_copies_that_share_a_claim_are_asked_about_it_together():
    plan = cs.place(
        grow(compile_scenario(zonal([using("a", "data", cpu="2")], [claim("data")])), 3)
    )
    assert len(plan.waiting) == 2  # zone a has two nodes
    assert set(nodes_of(plan)) == {"n1", "n2", None}


def test_explaining_looks_at_claims_as_they_were_at_the_units_turn():
    units = [
        using("first", "data", cpu="2", node_selector={ZONE: "b"}),
        using("then", "data", cpu="1"),
    ]
    plan = cs.place(zonal(units, [claim("data")]))
    assert nodes_of(plan) == ["n3", "n4"]
    said = plan.explain("then")
    assert said.table.set_index("node")["verdict"].to_dict() == {
        "n4": "fits",
        "n1": "node(s) had volume node affinity conflict",
        "n2": "node(s) had volume node affinity conflict",
        "n3": "Insufficient cpu",
    }


def test_a_remedy_is_one_only_where_the_volumes_are_reached_too():
    volume = PersistentVolume(name="v", capacity={"storage": "10Gi"}, node_affinity=REACHED)
    bound = claim("data", volume_name="v", bound=True)
    units = [using("db", "data", cpu="1", node_selector={"disk": "ssd"})]
    plan = cs.place(zonal(units, [bound], persistent_volumes=(volume,)))
    (remedy,) = plan.explain("db").remedies
    assert (remedy.node, remedy.nodes) == ("n3", 2)


def test_a_remedy_for_a_unit_with_a_claim_of_its_own_asks_about_this_claim():
    units = [using("db-0", "data-*", cpu="1", node_selector={"disk": "ssd"})]
    plan = cs.place(zonal(units, [claim("data-db-0")]))
    (remedy,) = plan.explain("db-0").remedies
    assert (remedy.kind, remedy.nodes) == ("rule", 4)


def test_whoever_uses_a_claim_that_only_one_may_use_could_leave():
    alone = claim("data", access_modes=("ReadWriteOncePod",))
    plan = cs.place(zonal([using("a", "data", cpu="1"), using("b", "data", cpu="1")], [alone]))
    waits = plan.explain("b")
    assert [str(each) for each in waits.remedies] == [
        "It would fit on n1 if default/a left.",
        "With a priority above 0 it could evict default/a on n1.",
    ]


def test_the_event_of_a_rejected_unit_has_no_count_and_says_that_evictions_do_not_help():
    units = [pod("low", on="n1", cpu="2"), using("db", "gone", cpu="1", priority=5)]
    plan = cs.place(zonal(units, [claim("data")]))
    assert plan.explain("db").event == (
        '0/4 nodes are available: persistentvolumeclaim "gone" not found. no new claims to '
        "deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for "
        "scheduling."
    )


def test_a_search_on_trial_leaves_no_claim_bound():
    """b waits for room in zone a; moving what is there is tried, in vain, before it is moved."""
    units = [
        pod("stays", on="n1", cpu="2"),
        using("b", "data", cpu="2", node_selector={ZONE: "a"}),
        pod("moves", on="n2", cpu="1"),
    ]
    result = defragment(cs.place(zonal(units, [claim("data")])), strategy="FewestEvictions:waiting")
    assert nodes_of(result.after)[1] == "n2"
    assert np.all(result.after.node_of >= 0)


def test_units_beyond_a_quota_wait_in_every_what_if():
    quota = Quota(name="few", hard={"pods": "1"})
    plan = cs.place(zonal([pod("a", cpu="1"), pod("b", cpu="1")], [], quotas=(quota,)))
    again = cs.place(cordon(plan.topology, ["n1"]))
    assert again.node_of.tolist().count(-1) == plan.node_of.tolist().count(-1)
    assert again.engine.over_quota == plan.engine.over_quota
