"""From manifests to the plan: what controllers make, in which order the scheduler meets it."""

from __future__ import annotations

from typing import Any

import pytest

import capsim as cs


def workload(kind: str, name: str, kube: Any, pod: Any = None, **spec: Any) -> dict[str, Any]:
    version = "batch/v1" if kind == "Job" else "apps/v1"
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [kube.container()]}}
    template["spec"] |= pod or {}
    metadata = {"name": name, "namespace": "shop"}
    selector = {"selector": {"matchLabels": {"app": name}}} if kind != "Job" else {}
    content = {**selector, "template": template, **spec}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": content}


def priority_class(name: str, value: int, **more: Any) -> dict[str, Any]:
    metadata = {"name": name}
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    return {**kind, "metadata": metadata, "value": value, **more}


def tried(plan: cs.Placement) -> list[str]:
    return [plan.scenario.units[row].name for row in plan.order.tolist()]


def test_units_are_tried_by_priority_then_as_their_workloads_arrive_ordinals_in_order(
    reads: Any, kube: Any
) -> None:
    objects = [
        kube.node(),
        priority_class("high", 1000),
        priority_class("usual", 10, globalDefault=True),
        workload("StatefulSet", "db", kube, replicas=3),
        workload("Deployment", "web", kube, replicas=2),
        workload("Job", "batch", kube, parallelism=2, completions=5),
        workload("Deployment", "first", kube, {"priorityClassName": "high"}, replicas=1),
        workload("Deployment", "last", kube, {"priority": 0}, replicas=1),
    ]
    plan = cs.place(reads(objects))
    order = tried(plan)
    assert order[0] == "first-0"
    assert order[-1] == "last-0"
    assert order[1:-1] == ["db-0", "db-1", "db-2", "web-0", "web-1", "batch-0", "batch-1"]


def test_where_room_ends_the_later_ordinals_wait(reads: Any, kube: Any) -> None:
    objects = [kube.node(cpu="500m"), workload("StatefulSet", "db", kube, replicas=4)]
    plan = cs.place(reads(objects))
    assert plan.pending["unit"].tolist() == ["db-2", "db-3"]


def test_a_daemon_sets_unit_goes_to_its_own_node_and_waits_for_it_alone(
    reads: Any, kube: Any
) -> None:
    objects = [
        kube.node("n1"),
        kube.node("n2", cpu="100m"),
        workload("DaemonSet", "agent", kube),
    ]
    plan = cs.place(reads(objects))
    assert plan.table[["unit", "node"]].fillna("").to_numpy().tolist() == [
        ["agent-n1", "n1"],
        ["agent-n2", ""],
    ]
    assert plan.explain("agent-n2").event.startswith(
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) "
        "[NodeAffinity]. "
    )


@pytest.mark.parametrize(("policy", "evicts"), [("PreemptLowerPriority", True), ("Never", False)])
def test_a_priority_class_says_whether_its_pods_may_evict(
    policy: str, evicts: bool, reads: Any, kube: Any
) -> None:
    objects = [
        kube.node(cpu="250m"),
        kube.live_pod("old", node="n1"),
        priority_class("high", 1000, preemptionPolicy=policy),
        kube.pod("new", priorityClassName="high"),
    ]
    plan = cs.place(reads(objects))
    assert bool(plan.evicted) == evicts
    assert ("not eligible due to preemptionPolicy=Never." in str(plan.explain("new"))) != evicts


def test_a_quota_stops_a_deployment_and_its_pods_say_so(reads: Any, kube: Any) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team", "namespace": "shop"},
        "spec": {"hard": {"requests.cpu": "600m"}},
    }
    objects = [kube.node(), quota, workload("Deployment", "web", kube, replicas=3)]
    plan = cs.place(reads([*objects, kube.live_pod("there", node="n1")]))
    assert plan.table.set_index("unit")["node"].fillna("").to_dict() == {
        "there": "n1",
        "web-0": "n1",
        "web-1": "",
        "web-2": "",
    }
    assert set(plan.pending["message"]) == {
        "exceeded quota: team, requested: requests.cpu=250m, used: requests.cpu=500m, "
        "limited: requests.cpu=600m."
    }
