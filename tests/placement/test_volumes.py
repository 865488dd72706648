"""Volumes in the scheduler, by hand-made cases; each names the rule that it shows.

Rules: Kubernetes 1.34, https://kubernetes.io/docs/concepts/storage/ (persistent-volumes,
storage-classes, storage-limits, storage-capacity), and the plugins volumebinding, volumezone,
volumerestrictions and nodevolumelimits of kube-scheduler, from which the words are.
"""

from __future__ import annotations

from typing import Any

import pytest

import capsim as cs
from capsim.placement import Placement
from capsim.scenario import (
    Claim,
    CsiDriver,
    CsiNode,
    Disk,
    NodeSelector,
    PersistentVolume,
    Scenario,
    SchedulerProfile,
    StorageCapacity,
    StorageClass,
    Volume,
)
from tests.placement.builders import ZONE, Pod, cluster, node, nodes, pod, where

WAITS = StorageClass(name="waits", provisioner="csi.x", volume_binding_mode="WaitForFirstConsumer")
BY_HAND = StorageClass(
    name="by-hand",
    provisioner="kubernetes.io/no-provisioner",
    volume_binding_mode="WaitForFirstConsumer",
)
AT_ONCE = StorageClass(name="at-once", provisioner="csi.x")
CLASSES = (WAITS, BY_HAND, AT_ONCE)
NO_MATCH = "node(s) didn't find available persistent volumes to bind"
CONFLICT = "node(s) had volume node affinity conflict"
LONE = (
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
)


def using(name: str, *claims: str, **more: Any) -> Pod:
    """A pod with claims."""
    return pod(name, volumes=tuple(Volume(claim=claim) for claim in claims), **more)


def claim(
    name: str = "data", storage: str = "10Gi", kind: str | None = "waits", **more: Any
) -> Claim:
    fields = {"access_modes": ("ReadWriteOnce",), "requests": {"storage": storage}} | more
    return Claim(name=name, storage_class_name=kind, **fields)


def bound(name: str, volume: str, **more: Any) -> Claim:
    return claim(name, volume_name=volume, bound=True, **more)


def volume(
    name: str = "v", storage: str = "10Gi", kind: str = "by-hand", **more: Any
) -> PersistentVolume:
    fields = {"access_modes": ("ReadWriteOnce",), "capacity": {"storage": storage}} | more
    return PersistentVolume(name=name, storage_class_name=kind, **fields)


def reached(key: str, *values: str) -> NodeSelector:
    condition = {"key": key, "operator": "In", "values": list(values)}
    return NodeSelector.model_validate({"nodeSelectorTerms": [{"matchExpressions": [condition]}]})


def zones(*names: str, **more: Any) -> list[Any]:
    """n1, n2, ...: a node in each of the zones."""
    return [
        node(f"n{i}", labels={ZONE: name, "host": f"n{i}"}, **more)
        for i, name in enumerate(names, start=1)
    ]


def attaches(name: str, count: int, driver: str = "csi.x", *keys: str) -> CsiNode:
    drivers = ({"name": driver, "count": count, "topology_keys": keys},)
    return CsiNode(name=name, drivers=drivers)


def scenario(machines: Any, units: Any, *things: Any) -> Scenario:
    kinds = {
        Claim: "claims",
        PersistentVolume: "persistent_volumes",
        StorageClass: "storage_classes",
        CsiNode: "csi_nodes",
        CsiDriver: "csi_drivers",
        StorageCapacity: "storage_capacities",
    }
    fields: dict[str, tuple[Any, ...]] = {"storage_classes": CLASSES}
    for each in things:
        field = kinds[type(each)]
        fields[field] = (*fields.get(field, ()), each)
    return cluster(machines, units, **fields)


def plan_of(machines: Any, units: Any, *things: Any, **options: Any) -> Placement:
    return cs.place(scenario(machines, units, *things), **options)


def said(plan: Placement) -> str:
    (refusal,) = plan.refusals
    return refusal.message


# Claims before any node is looked at --------------------------------------------------------


def test_a_pod_whose_claim_is_not_there_waits_for_it():
    plan = plan_of(nodes(2), [using("web", "data")], claim("other"))
    assert said(plan) == '0/2 nodes are available: persistentvolumeclaim "data" not found.'


def test_an_ephemeral_claim_is_waited_for_in_other_words():
    plan = plan_of(nodes(1), [using("web", "*-scratch")], claim("other"))
    waiting = "waiting for ephemeral volume controller to create the persistentvolumeclaim"
    assert said(plan) == f'0/1 nodes are available: {waiting} "web-scratch".'


@pytest.mark.parametrize("kind", ["at-once", "missing", "", None])
def test_a_claim_that_does_not_wait_for_its_pod_must_be_bound_before(kind):
    """volumeBindingMode Immediate, or a class that is not there, or none."""
    plan = plan_of(nodes(3), [using("web", "data")], claim(kind=kind))
    assert said(plan) == (
        "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    )
    assert plan.refusals[0].main == "pod has unbound immediate PersistentVolumeClaims"


def test_a_claim_that_names_its_volume_is_bound_by_the_controller_not_the_scheduler():
    plan = plan_of(nodes(1), [using("web", "data")], claim(volume_name="v"), volume())
    assert "unbound immediate" in said(plan)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"terminating": True}, 'persistentvolumeclaim "data" is being deleted'),
        (
            {"lost": True, "volume_name": "v"},
            'persistentvolumeclaim "data" bound to non-existent persistentvolume "v"',
        ),
        ({"bound": True, "volume_name": "gone"}, 'persistentvolume "gone" not found'),
    ],
)
def test_a_claim_that_is_lost_or_goes_rejects_the_pod(state, words):
    plan = plan_of(nodes(1), [using("web", "data")], claim(**state), volume("other"))
    assert said(plan) == f"0/1 nodes are available: {words}."


def test_a_rejected_pod_evicts_nobody():
    units = [pod("old", on="n1", cpu="4"), using("web", "data", cpu="4", priority=5)]
    plan = plan_of(nodes(1), units, claim("other"))
    assert where(plan) == {"old": "n1", "web": None}


# Bound claims -------------------------------------------------------------------------------


def test_a_pod_goes_where_its_bound_volume_is_reached():
    """Node affinity of a volume."""
    there = volume(node_affinity=reached(ZONE, "b"))
    plan = plan_of(zones("a", "b", "a"), [using("web", "data")], bound("data", "v"), there)
    assert where(plan) == {"web": "n2"}


def test_a_volume_out_of_reach_is_named_as_the_reason_and_no_eviction_helps():
    there = volume(node_affinity=reached(ZONE, "c"))
    units = [pod("old", on="n1"), using("web", "data", priority=5)]
    plan = plan_of(zones("a", "b"), units, bound("data", "v"), there)
    assert said(plan) == f"0/2 nodes are available: 2 {CONFLICT}."
    assert where(plan)["old"] == "n1"


def test_what_the_volume_says_of_its_claim_does_not_matter_once_the_claim_is_bound():
    """The scheduler follows the claim; that the two disagree is for the controller to find."""
    there = volume(node_affinity=reached(ZONE, "b"), claim="default/other")
    plan = plan_of(zones("a", "b"), [using("web", "data")], bound("data", "v"), there)
    assert where(plan) == {"web": "n2"}


def test_resources_are_asked_before_volumes():
    """Filter order of the default profile."""
    there = volume(node_affinity=reached(ZONE, "b"))
    plan = plan_of(zones("a"), [using("web", "data", cpu="9")], bound("data", "v"), there)
    assert said(plan) == "0/1 nodes are available: 1 Insufficient cpu."


def test_units_with_volumes_in_one_zone_are_of_one_class():
    claims = [bound(f"data-web-{i}", f"v{i}") for i in range(4)]
    volumes = [volume(f"v{i}", node_affinity=reached(ZONE, "ab"[i % 2])) for i in range(4)]
    units = [using(f"web-{i}", "data-*") for i in range(4)]
    plan = plan_of(zones("a", "b"), units, *claims, *volumes)
    assert where(plan) == {"web-0": "n1", "web-1": "n2", "web-2": "n1", "web-3": "n2"}
    assert len(plan.engine.kinds) == 2


# VolumeZone ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "goes_to"),
    [
        ({ZONE: "b"}, "n2"),
        ({ZONE: "b__c"}, "n2"),
        ({"failure-domain.beta.kubernetes.io/zone": "b"}, "n2"),
        ({ZONE: "b__"}, "n1"),
        ({"zone": "b"}, "n1"),
    ],
)
def test_zone_labels_of_a_volume_are_met_by_those_of_the_node(labels, goes_to):
    plan = plan_of(
        zones("a", "b"), [using("web", "data")], bound("data", "v"), volume(labels=labels)
    )
    assert where(plan) == {"web": goes_to}


def test_nodes_without_zones_are_not_asked_for_the_zone_of_a_volume():
    plan = plan_of(nodes(1), [using("web", "data")], bound("data", "v"), volume(labels={ZONE: "b"}))
    assert where(plan) == {"web": "n1"}


def test_the_wrong_zone_has_its_own_words():
    there = volume(labels={ZONE: "c"})
    plan = plan_of(zones("a", "b"), [using("web", "data")], bound("data", "v"), there)
    assert said(plan) == "0/2 nodes are available: 2 node(s) had no available volume zone."


# Claims that wait for their pod -------------------------------------------------------------


def test_a_volume_is_made_where_the_pod_goes():
    plan = plan_of(nodes(2), [using("web", "data")], claim())
    assert where(plan) == {"web": "n1"}


def test_a_volume_is_only_made_where_the_class_allows():
    """allowedTopologies."""
    only_b = {"match_label_expressions": [{"key": ZONE, "values": ["b"]}]}
    here = WAITS.model_copy(update={"name": "here"})
    here = StorageClass(**{**here.model_dump(), "allowed_topologies": [only_b]})
    plan = plan_of(
        zones("a", "b"), [using("web", "data"), using("big", "more", cpu="9")],
        claim(kind="here"), claim("more", kind="here"), here,
    )  # fmt: skip
    assert where(plan) == {"web": "n2", "big": None}
    alone = plan_of(zones("a", "c"), [using("web", "data")], claim(kind="here"), here)
    assert said(alone) == f"0/2 nodes are available: 2 {NO_MATCH}."


def test_without_a_provisioner_a_volume_must_stand_ready():
    """Local volumes: class kubernetes.io/no-provisioner."""
    plan = plan_of(nodes(2), [using("web", "data")], claim(kind="by-hand"))
    assert said(plan) == f"0/2 nodes are available: 2 {NO_MATCH}."


def test_of_the_volumes_that_stand_ready_the_smallest_that_is_large_enough_is_taken():
    ready = [volume("s", "5Gi"), volume("l", "50Gi"), volume("m", "20Gi")]
    plan = plan_of(nodes(1), [using("web", "data")], claim(kind="by-hand"), *ready)
    assert plan.state.bound.taken == {"m": "default/data"}


def test_a_volume_is_used_up_by_the_first_claim_that_takes_it():
    ready = [volume(f"v{i}", node_affinity=reached("host", f"n{i}")) for i in (1, 2)]
    units = [using(f"db-{i}", f"data-{i}") for i in range(3)]
    claims = [claim(f"data-{i}", kind="by-hand") for i in range(3)]
    plan = plan_of(zones("a", "a", "a"), units, *claims, *ready)
    assert where(plan) == {"db-0": "n1", "db-1": "n2", "db-2": None}
    assert said(plan) == f"0/3 nodes are available: 3 {NO_MATCH}."


@pytest.mark.parametrize(
    ("asked", "offered"),
    [
        ({"storage": "11Gi"}, {}),
        ({"access_modes": ("ReadWriteMany",)}, {}),
        ({"volume_mode": "Block"}, {}),
        ({"selector": {"match_labels": {"tier": "gold"}}}, {"labels": {"tier": "tin"}}),
        ({"volume_attributes_class_name": "fast"}, {}),
        ({}, {"available": False}),
        ({}, {"terminating": True}),
        ({}, {"kind": "waits"}),
        ({}, {"claim": "default/other"}),
        ({}, {"claim": "default/data", "claim_uid": "another"}),
        ({}, {"node_affinity": reached("host", "elsewhere")}),
    ],
)
def test_a_volume_that_is_not_what_the_claim_asks_for_stays(asked, offered):
    asked = claim(**{"kind": "by-hand"} | asked)
    plan = plan_of(zones("a"), [using("web", "data")], asked, volume(**offered))
    assert said(plan) == f"0/1 nodes are available: 1 {NO_MATCH}."


def test_a_volume_that_is_kept_for_the_claim_comes_first_and_no_other_will_do():
    ready = [
        volume("small", node_affinity=reached("host", "n1")),
        volume("kept", "90Gi", claim="default/data", node_affinity=reached("host", "n2")),
    ]
    plan = plan_of(zones("a", "a"), [using("web", "data")], claim(kind="by-hand"), *ready)
    assert where(plan) == {"web": "n2"}


def test_two_claims_of_a_pod_do_not_take_one_volume():
    claims = [claim("a", kind="by-hand"), claim("b", kind="by-hand")]
    one = plan_of(nodes(1), [using("web", "a", "b")], *claims, volume())
    assert where(one) == {"web": None}
    two = plan_of(nodes(1), [using("web", "a", "b")], *claims, volume(), volume("w"))
    assert where(two) == {"web": "n1"}


def test_a_claim_whose_volume_is_being_made_ties_the_pod_to_that_node():
    plan = plan_of(nodes(3), [using("web", "data")], claim(selected_node="n3"))
    assert where(plan) == {"web": "n3"}


def test_pods_that_share_a_claim_follow_the_first_to_where_its_volume_is_reached():
    """The driver's topology keys on the node where the volume was made."""
    drivers = [attaches(f"n{i}", 99, "csi.x", ZONE) for i in (1, 2, 3)]
    units = [using("a", "data", cpu="3"), using("b", "data", cpu="3"), using("c", "data", cpu="3")]
    shared = claim(access_modes=("ReadWriteMany",))
    plan = plan_of(zones("a", "b", "a"), units, shared, *drivers)
    assert where(plan) == {"a": "n1", "b": "n3", "c": None}
    assert said(plan) == f"0/3 nodes are available: 1 {CONFLICT}, 2 Insufficient cpu."


def test_pods_that_do_not_share_a_claim_do_not_follow():
    drivers = [attaches(f"n{i}", 99, "csi.x", ZONE) for i in (1, 2)]
    units = [using(f"db-{i}", "data-*", cpu="3") for i in range(2)]
    claims = [claim("data-db-0"), claim("data-db-1")]
    plan = plan_of(zones("a", "b"), units, *claims, *drivers)
    assert where(plan) == {"db-0": "n1", "db-1": "n2"}
    assert len(plan.engine.kinds) == 1


# Room ---------------------------------------------------------------------------------------


def test_a_driver_that_tracks_its_room_makes_no_volume_where_too_little_is_left():
    """Storage capacity tracking (CSIStorageCapacity)."""
    room = [
        StorageCapacity(name="a", storage_class_name="waits", capacity={"storage": "5Gi"},
                        node_topology={"match_labels": {ZONE: "a"}}),
        StorageCapacity(name="b", storage_class_name="waits", capacity={"storage": "50Gi"},
                        node_topology={"match_labels": {ZONE: "b"}}),
        StorageCapacity(name="c", storage_class_name="waits", capacity={"storage": "50Gi"},
                        maximum_volume_size={"storage": "9Gi"},
                        node_topology={"match_labels": {ZONE: "c"}}),
    ]  # fmt: skip
    driver = CsiDriver(name="csi.x", storage_capacity=True)
    plan = plan_of(zones("a", "b", "c"), [using("web", "data")], claim(), driver, *room)
    assert where(plan) == {"web": "n2"}
    full = plan_of(zones("a", "c"), [using("web", "data")], claim(), driver, *room)
    assert said(full) == "0/2 nodes are available: 2 node(s) did not have enough free storage."
    untracked = plan_of(zones("a"), [using("web", "data")], claim(), *room)
    assert where(untracked) == {"web": "n1"}


# Limits -------------------------------------------------------------------------------------


def test_a_node_attaches_only_so_many_volumes_of_a_driver():
    """CSINode, allocatable count."""
    units = [using(f"db-{i}", "data-*") for i in range(4)]
    claims = [claim(f"data-db-{i}") for i in range(4)]
    plan = plan_of(nodes(2), units, *claims, attaches("n1", 2), attaches("n2", 1))
    assert sorted(map(str, where(plan).values())) == ["None", "n1", "n1", "n2"]
    assert said(plan) == "0/2 nodes are available: 2 node(s) exceed max volume count."


def test_the_volumes_of_running_pods_count_and_drivers_without_a_count_have_no_limit():
    units = [using("old", "a", on="n1"), using("web", "b"), using("wide", "c")]
    volumes = [volume(n, driver=d, handle=n) for n, d in (("a", "x"), ("b", "x"), ("c", "y"))]
    claims = [bound(name, name) for name in "abc"]
    plan = plan_of(nodes(1), units, *claims, *volumes, attaches("n1", 1, "x"))
    assert where(plan) == {"old": "n1", "web": None, "wide": "n1"}


def test_a_volume_that_several_pods_use_counts_once_on_a_node():
    shared = bound("data", "v", access_modes=("ReadWriteMany",))
    stored = volume(driver="x", handle="v")
    units = [using(name, "data", cpu="1") for name in "abc"]
    plan = plan_of(nodes(2), units, shared, stored, attaches("n1", 1, "x"), attaches("n2", 0, "x"))
    assert set(where(plan).values()) == {"n1"}


def test_evicting_frees_a_place_for_a_volume():
    units = [using("old", "a", on="n1"), using("web", "b", priority=5)]
    volumes = [volume(name, driver="x", handle=name) for name in "ab"]
    plan = plan_of(
        nodes(1), units, bound("a", "a"), bound("b", "b"), *volumes, attaches("n1", 1, "x")
    )
    assert where(plan) == {"old": None, "web": "n1"}


def test_a_shared_volume_is_only_freed_when_the_last_of_its_pods_has_left():
    units = [
        using("a", "shared", on="n1"),
        using("b", "shared", on="n1"),
        using("web", "own", priority=5),
    ]
    volumes = [volume(name, driver="x", handle=name) for name in ("shared", "own")]
    claims = [bound("shared", "shared"), bound("own", "own")]
    plan = plan_of(nodes(1), units, *claims, *volumes, attaches("n1", 1, "x"))
    assert where(plan) == {"a": None, "b": None, "web": "n1"}


def test_limits_do_not_show_among_the_resources():
    plan = plan_of(nodes(1), [using("web", "data")], claim(), attaches("n1", 5))
    assert plan.used.shape == plan.offered.shape
    assert plan.summary()["placed_units"] == 1


# Restrictions -------------------------------------------------------------------------------


def test_a_read_write_once_pod_claim_has_one_user():
    alone = bound("data", "v", access_modes=("ReadWriteOncePod",))
    units = [using("a", "data"), using("b", "data")]
    plan = plan_of(nodes(2), units, alone, volume())
    assert where(plan) == {"a": "n1", "b": None}
    assert said(plan) == f"0/2 nodes are available: 2 {LONE}."


def test_a_pod_of_higher_priority_evicts_the_user_of_a_read_write_once_pod_claim():
    """It is Unschedulable, not UnschedulableAndUnresolvable."""
    alone = bound("data", "v", access_modes=("ReadWriteOncePod",))
    units = [using("a", "data", on="n2"), using("b", "data", priority=5)]
    plan = plan_of(nodes(3), units, alone, volume())
    assert where(plan) == {"a": None, "b": "n1"}
    assert plan.evicted == {0: 1}


def test_the_same_name_in_another_namespace_is_another_claim():
    alone = [
        bound("data", "v", access_modes=("ReadWriteOncePod",)),
        bound("data", "w", access_modes=("ReadWriteOncePod",), namespace="shop"),
    ]
    units = [using("a", "data"), using("b", "data", namespace="shop")]
    plan = plan_of(nodes(1), units, *alone, volume(), volume("w"))
    assert where(plan) == {"a": "n1", "b": "n1"}


@pytest.mark.parametrize(
    ("first", "second", "shares"),
    [
        ({"kind": "gcePersistentDisk"}, {}, False),
        ({"kind": "gcePersistentDisk", "read_only": True}, {}, True),
        ({"kind": "gcePersistentDisk", "read_only": True}, {"read_only": False}, False),
        ({"kind": "awsElasticBlockStore", "read_only": True}, {}, False),
        ({"kind": "iscsi"}, {}, False),
        ({"kind": "iscsi", "read_only": True}, {}, True),
        ({"kind": "iscsi"}, {"name": "other"}, True),
        ({"kind": "rbd", "monitors": ("m", "o")}, {"monitors": ("m",)}, False),
        ({"kind": "rbd", "monitors": ("m",)}, {"monitors": ("o",)}, True),
        ({"kind": "rbd", "monitors": ("m",), "read_only": True}, {}, True),
    ],
)
def test_some_disks_cannot_be_on_a_node_twice(first, second, shares):
    one = Disk(**{"name": "d"} | first)
    other = one.model_copy(update=second)
    plan = cs.place(cluster(nodes(1), [pod("a", disks=(one,)), pod("b", disks=(other,))]))
    assert where(plan)["b"] == ("n1" if shares else None)
    if not shares:
        assert said(plan) == "0/1 nodes are available: 1 node(s) had no available disk."


# What is not known, explained, and configured -----------------------------------------------


def test_where_the_scenario_states_no_claims_units_are_not_refused_for_theirs():
    assert where(cs.place(cluster(nodes(1), [using("web", "data")]))) == {"web": "n1"}


def test_where_it_states_no_volumes_bound_claims_are_reached_from_everywhere():
    plan = plan_of(nodes(1), [using("web", "data")], bound("data", "v"))
    assert where(plan) == {"web": "n1"}


def test_a_claim_that_is_yet_to_be_made_gets_its_volume_where_its_pod_goes():
    """Of an Immediate class it is taken to be made there; of an unknown class, anywhere."""
    for kind in ("at-once", "unheard-of"):
        plan = plan_of(nodes(1), [using("web", "data")], claim(kind=kind, planned=True))
        assert where(plan) == {"web": "n1"}


def test_a_claim_that_is_yet_to_be_made_gets_the_default_class():
    default = StorageClass(**{**BY_HAND.model_dump(), "name": "default", "is_default": True})
    plan = plan_of(nodes(1), [using("web", "data")], claim(kind=None, planned=True), default)
    assert said(plan) == f"0/1 nodes are available: 1 {NO_MATCH}."


def test_explain_names_the_volume_as_the_reason():
    there = volume(node_affinity=reached(ZONE, "c"))
    plan = plan_of(zones("a", "c"), [using("web", "data")], bound("data", "v"), there)
    verdicts = plan.explain("web").table.set_index("node")["verdict"].to_dict()
    assert verdicts == {"n1": CONFLICT, "n2": "fits"}
    lost = plan_of(nodes(2), [using("web", "data")], claim("other"))
    assert lost.explain("web").text.startswith(
        'default/web waits: 0/2 nodes are available: persistentvolumeclaim "data" not found.'
    )


def test_explain_sees_the_claims_as_they_were_when_the_units_turn_came():
    ready = volume(node_affinity=reached("host", "n2"))
    units = [using("a", "one"), using("b", "two")]
    claims = [claim("one", kind="by-hand"), claim("two", kind="by-hand")]
    plan = plan_of(zones("a", "a"), units, *claims, ready)
    assert "a went to n2" in plan.explain("a").text
    assert f"2 {NO_MATCH}" in plan.explain("b").text


def test_a_profile_without_the_plugins_does_not_look_at_volumes():
    order = ("NodeResourcesFit", "NodeAffinity")
    profile = SchedulerProfile(filters=order, rejecting=())
    plan = plan_of(nodes(1), [using("web", "data")], claim("other"), profile=profile)
    assert where(plan) == {"web": "n1"}


def test_many_claims_of_their_own_are_one_class_and_many_volumes_are_dealt_out():
    """Local volumes, one a node: as many pods as there are volumes find a place."""
    machines = [node(f"n{i}", labels={"host": f"n{i}"}) for i in range(60)]
    ready = [volume(f"v{i}", node_affinity=reached("host", f"n{i}")) for i in range(0, 60, 2)]
    units = [using(f"db-{i}", "data-*") for i in range(40)]
    claims = [claim(f"data-db-{i}", kind="by-hand") for i in range(40)]
    plan = plan_of(machines, units, *claims, *ready)
    placed = [name for name in where(plan).values() if name]
    assert sorted(placed) == sorted(f"n{i}" for i in range(0, 60, 2))
