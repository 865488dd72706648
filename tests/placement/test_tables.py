"""A placement as tidy tables."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import capsim as cs
from capsim.placement import tables
from tests.placement.builders import ZONE, cluster, node, nodes, place, pod, pods, taint

MACHINES = [
    node("n1", labels={ZONE: "a", "node.kubernetes.io/instance-type": "m5.xlarge"}, gpu_devices=2),
    node("n2", cpu="8", offers={"ephemeral-storage": "100Gi", "nvidia.com/gpu": 4}),
]
UNITS = [
    pod("old", on="n1", namespace="shop", cpu="500m", memory="1Gi"),
    pod("web", cpu="6", memory="3Gi", asks={"nvidia.com/gpu": 1, "ephemeral-storage": "1Gi"}),
    pod("train", gpu=(1, 250)),
    pod("huge", cpu="64"),
    pod("gated", scheduling_gates=("quota",)),
]


@pytest.fixture(scope="module")
def plan() -> cs.Placement:
    return place(MACHINES, UNITS)


def row(table: pd.DataFrame, **key: str) -> dict:
    ((name, value),) = key.items()
    (found,) = table[table[name] == value].to_dict(orient="records")
    return found


# Units --------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_every_unit_in_their_order(plan):
    assert plan.table["unit"].tolist() == ["old", "web", "train", "huge", "gated"]
    assert plan.table["namespace"].tolist() == ["shop", *["default"] * 4]
    assert plan.table["template"].tolist() == ["old", "web", "train", "huge", "gated"]


def test_the_table_names_units_in_its_columns(plan):
    assert plan.table.columns.tolist() == [
        "namespace",
        "unit",
        "owner",
        "template",
        "node",
        "zone",
        "state",
        "requested_cpu_cores",
        "requested_memory_gib",
        "requested_pods_count",
        "requested_gpu_boards",
        "requested_ephemeral_storage_gib",
        "requested_nvidia_com_gpu_count",
    ]


def test_a_unit_runs_is_placed_or_waits(plan):
    assert plan.table["state"].tolist() == ["running", "placed", "placed", "waiting", "waiting"]
    assert plan.table["node"].fillna("").tolist() == ["n1", "n2", "n1", "", ""]
    assert plan.table["zone"].fillna("").tolist() == ["a", "", "a", "", ""]


def test_requests_are_in_cores_gibibytes_boards_and_pieces(plan):
    web = row(plan.table, unit="web")
    assert (web["requested_cpu_cores"], web["requested_memory_gib"]) == (6.0, 3.0)
    assert web["requested_ephemeral_storage_gib"] == 1.0
    assert (web["requested_nvidia_com_gpu_count"], web["requested_pods_count"]) == (1, 1)
    assert row(plan.table, unit="train")["requested_gpu_boards"] == 0.25
    assert row(plan.table, unit="old")["requested_cpu_cores"] == 0.5


def test_the_owner_of_a_unit_is_named():
    scenario = cluster(nodes(1), [pod("web-1")])
    (unit,) = scenario.units
    owned = scenario.replace(units=(unit.model_copy(update={"owner": "Deployment/web"}),))
    assert cs.place(owned).table["owner"].tolist() == ["Deployment/web"]


# Nodes --------------------------------------------------------------------------------------


def test_the_table_of_nodes_has_shape_zone_and_what_is_offered_requested_and_free(plan):
    first = row(plan.nodes, node="n1")
    assert (first["shape"], first["zone"], first["units"]) == ("m5.xlarge", "a", 2)
    assert row(plan.nodes, node="n2")["shape"] == "8 cores, 16 GiB"
    assert pd.isna(row(plan.nodes, node="n2")["zone"])
    for column, value in {
        "allocatable_cpu_cores": 4,
        "requested_cpu_cores": 0.5,
        "free_cpu_cores": 3.5,
        "allocatable_gpu_boards": 2,
        "requested_gpu_boards": 0.25,
        "free_gpu_boards": 1.75,
        "allocatable_nvidia_com_gpu_count": 0,
    }.items():
        assert first[column] == value


def test_every_node_has_a_row_in_their_order(plan):
    assert plan.nodes["node"].tolist() == ["n1", "n2"]
    assert plan.nodes["units"].tolist() == [2, 1]


def test_what_nodes_offer_is_shown_after_headroom():
    halved = place(MACHINES, UNITS, headroom=0.5)
    assert halved.nodes["allocatable_cpu_cores"].tolist() == [2.0, 4.0]


def test_an_overfull_node_shows_no_less_than_nothing_free():
    plan = place(nodes(1), [pod("old", on="n1", cpu="6")])
    assert (plan.nodes["requested_cpu_cores"][0], plan.nodes["free_cpu_cores"][0]) == (6.0, 0.0)


# Waiting ------------------------------------------------------------------------------------


def test_waiting_units_come_with_the_words_of_the_scheduler(plan):
    assert plan.pending.to_dict(orient="records") == [
        {
            "namespace": "default",
            "unit": "huge",
            "template": "huge",
            "reason": "Insufficient cpu even on an empty node",
            "message": "0/2 nodes are available: 2 Insufficient cpu.",
            "as_of": "the end, when all were tried",
        },
        {
            "namespace": "default",
            "unit": "gated",
            "template": "gated",
            "reason": "held by a scheduling gate",
            "message": "held by a scheduling gate.",
            "as_of": "the end, when all were tried",
        },
    ]


def test_waiting_units_are_listed_in_the_order_in_which_they_were_tried():
    plan = place(nodes(1), [pod("low", cpu="9"), pod("high", cpu="9", priority=1)])
    assert plan.pending["unit"].tolist() == ["high", "low"]


def test_reasons_are_counted_most_frequent_first():
    machines = [node("n1", taints=(taint("k", "v"),))]
    tolerant = {"tolerations": [{"operator": "Exists"}]}
    units = [pod("a"), *pods(3, "b", cpu="9", **tolerant), *pods(2, "c", memory="99Gi", **tolerant)]
    reasons = place(machines, [*units, *pods(2, "d", cpu="10", **tolerant)]).reasons
    assert reasons.columns.tolist() == ["reason", "units", "templates", "example", "message"]
    assert reasons[["reason", "units", "templates", "example"]].values.tolist() == [
        ["Insufficient cpu even on an empty node", 5, 2, "b-1"],
        ["Insufficient memory even on an empty node", 2, 1, "c-1"],
        ["node(s) had untolerated taint {k: v}", 1, 1, "a"],
    ]


# Summary ------------------------------------------------------------------------------------


def test_the_summary_is_a_few_numbers_with_their_units(plan):
    summary = plan.summary()
    assert summary.pop("decision_seconds") > 0
    assert summary == {
        "nodes": 2,
        "empty_nodes": 0,
        "units": 5,
        "placed_units": 3,
        "waiting_units": 2,
        "allocatable_cpu_cores": 12.0,
        "requested_cpu_cores": 6.5,
        "requested_cpu_share": pytest.approx(6.5 / 12),
        "allocatable_memory_gib": 32.0,
        "requested_memory_gib": 4.0,
        "requested_memory_share": 0.125,
        "allocatable_pods_count": 220,
        "requested_pods_count": 3,
        "requested_pods_share": pytest.approx(3 / 220),
        "allocatable_gpu_boards": 2.0,
        "requested_gpu_boards": 0.25,
        "requested_gpu_share": 0.125,
        "allocatable_ephemeral_storage_gib": 100.0,
        "requested_ephemeral_storage_gib": 1.0,
        "requested_ephemeral_storage_share": 0.01,
        "allocatable_nvidia_com_gpu_count": 4,
        "requested_nvidia_com_gpu_count": 1,
        "requested_nvidia_com_gpu_share": 0.25,
    }


def test_nodes_without_any_unit_are_counted():
    assert place(nodes(3), [pod()]).summary()["empty_nodes"] == 2


def test_only_resources_that_are_offered_and_asked_for_are_shown():
    machines = [node(offers={"a.b/offered": 1, "a.b/both": 1})]
    plan = place(machines, [pod(cpu="1", asks={"a.b/both": 1, "a.b/asked": 1, "memory": 0})])
    assert plan.resources_shown() == ["cpu", "pods", "a.b/both"]


def test_a_pod_limit_that_never_binds_is_not_shown():
    assert "pods" not in place([node(pods=1_000_000)], [pod(cpu="1")]).resources_shown()
    assert "pods" in place([node(pods=110)], [pod(cpu="1")]).resources_shown()


def test_amounts_of_15_digits_lose_nothing_in_the_columns_of_bytes():
    plan = place([node(memory="8191Ti")], [pod(memory="1")])
    assert plan.nodes["allocatable_memory_gib"][0] == 8191 * 1024


def test_a_placement_shows_as_html_with_its_method():
    html = place(nodes(1), [pod()])._repr_html_()
    assert "<caption>kube-scheduler, LeastAllocated</caption>" in html
    assert "placed_units" in html


def test_a_placement_is_plain_data_that_json_can_hold(plan):
    text = json.dumps(plan.to_dict())
    content = json.loads(text)
    assert content["method"] == "kube-scheduler, LeastAllocated"
    assert content["summary"]["waiting_units"] == 2
    assert [each["units"] for each in content["pending"]] == [1, 1]
    assert any(each.startswith("equal scores: ") for each in content["assumptions"])


def test_remarks_of_the_input_are_handed_on():
    plan = cs.place(cluster(nodes(1), remarks=("Left out 3 pods.",)))
    assert plan.to_dict()["remarks"] == ["Left out 3 pods."]


def test_placed_units_can_be_bound_to_their_nodes(plan):
    bound = plan.placed_topology.scenario
    assert [unit.node for unit in bound.units] == ["n1", "n2", "n1", None, None]
    assert plan.scenario.units[1].node is None
    again = cs.place(bound)
    assert again.table["state"].tolist() == ["running"] * 3 + ["waiting"] * 2


def test_resources_are_named_for_people():
    assert tables.shown_unit("cpu") == ("cpu", "cores", 1000)
    assert tables.shown_unit("ephemeral-storage") == ("ephemeral_storage", "gib", 2**30)
    assert tables.shown_unit("nvidia.com/gpu") == ("nvidia_com_gpu", "count", 1)
