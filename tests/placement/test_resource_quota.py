"""Quotas: units that a namespace may not create wait outside the queue, with the server's words."""

from __future__ import annotations

from typing import Any

import pytest

import capsim as cs
from capsim.scenario import Container, Quota, QuotaScope
from tests.placement.builders import Pod, cluster, node, nodes, pod, pods, where


def quota(namespace: str = "default", scopes: tuple[Any, ...] = (), **hard: str) -> Quota:
    named = {name.replace("_", "."): amount for name, amount in hard.items()}
    return Quota(name="team", namespace=namespace, hard=named, scopes=scopes)


def place(units: Any, *quotas: Quota) -> cs.Placement:
    return cs.place(cluster(nodes(2), units, quotas=quotas))


def placed(plan: cs.Placement) -> list[str]:
    return [name for name, node in where(plan).items() if node]


def test_units_beyond_the_quota_wait_and_the_first_to_arrive_get_in():
    plan = place(pods(3, cpu="1"), quota(requests_cpu="2"))
    assert placed(plan) == ["web-1", "web-2"]
    words = (
        "exceeded quota: team, requested: requests.cpu=1, used: requests.cpu=2, "
        "limited: requests.cpu=2"
    )
    assert plan.pending["message"].tolist() == [f"{words}."]
    assert str(plan.explain("web-3")) == f"default/web-3 waits: {words}."


def test_units_that_exist_use_the_quota_though_they_wait():
    exists = pod("exists", cpu="1")
    waiting = Pod({**exists.unit, "created_s": 5.0}, exists.template)
    plan = place([pod("new", cpu="1"), waiting], quota(cpu="1"))
    assert placed(plan) == ["exists"]


def test_a_unit_that_runs_uses_the_quota_and_one_that_is_ending_does_not():
    old = pod("old", on="n1", cpu="1")
    assert placed(place([old, pod(cpu="1")], quota(cpu="1"))) == ["old"]
    ending = Pod({**old.unit, "terminating": True}, old.template)
    assert placed(place([ending, pod(cpu="1")], quota(cpu="1"))) == ["old", "web"]


def test_other_namespaces_are_not_bound():
    assert len(placed(place(pods(3, cpu="1"), quota("elsewhere", cpu="1")))) == 3


def test_pods_are_counted():
    for name in ("pods", "count/pods"):
        bound = Quota(name="team", hard={name: "2"})
        plan = place(pods(3, cpu="1"), bound)
        assert len(placed(plan)) == 2
        assert plan.pending["message"].tolist() == [
            f"exceeded quota: team, requested: {name}=1, used: {name}=2, limited: {name}=2."
        ]


def test_memory_and_limits_are_counted_in_their_units():
    limited = Container(requests={"memory": "1Gi"}, limits={"memory": "3Gi"})
    units = [pod(f"a{i}", containers=(limited,)) for i in range(3)]
    plan = place(units, quota(limits_memory="6Gi"))
    assert placed(plan) == ["a0", "a1"]
    assert plan.pending["message"].tolist() == [
        "exceeded quota: team, requested: limits.memory=3Gi, used: limits.memory=6Gi, "
        "limited: limits.memory=6Gi."
    ]


def test_a_quota_on_compute_needs_every_container_to_state_it():
    units = [pod("a", containers=(Container(name="x", requests={"cpu": "1"}), Container(name="y")))]
    plan = place(units, quota(requests_cpu="9", limits_memory="9Gi"))
    assert plan.pending["message"].tolist() == [
        "failed quota: team: must specify limits.memory for: x,y; requests.cpu for: y."
    ]


def test_a_full_quota_does_not_refuse_what_does_not_use_it():
    bound = Quota(name="team", hard={"requests.nvidia.com/gpu": "0"})
    assert placed(place([pod(cpu="1")], bound)) == ["web"]


@pytest.mark.parametrize(
    ("scope", "refused"),
    [
        (QuotaScope(name="BestEffort"), ["best-effort"]),
        (QuotaScope(name="NotBestEffort"), ["asking", "important"]),
        (QuotaScope(name="Terminating"), []),
        (QuotaScope(name="NotTerminating"), ["best-effort", "asking", "important"]),
        (QuotaScope(name="PriorityClass", operator="In", values=("high",)), ["important"]),
        (QuotaScope(name="PriorityClass", operator="NotIn", values=("high",)), []),
        (QuotaScope(name="PriorityClass", operator="Exists"), ["important"]),
        (QuotaScope(name="PriorityClass", operator="DoesNotExist"), ["best-effort", "asking"]),
        (QuotaScope(name="CrossNamespacePodAffinity"), []),
    ],
)
def test_scopes_choose_whom_a_quota_covers(scope, refused):
    units = [
        pod("best-effort"),
        pod("asking", cpu="1"),
        pod("important", cpu="1", priority_class_name="high"),
    ]
    plan = place(units, quota(scopes=(scope,), pods="0"))
    assert [name for name, node in where(plan).items() if node is None] == refused


def test_all_quotas_of_a_namespace_must_agree():
    quotas = (quota(cpu="5"), Quota(name="second", hard={"pods": "1"}))
    plan = cs.place(cluster([node()], pods(2, cpu="1"), quotas=quotas))
    assert placed(plan) == ["web-1"]
    assert plan.pending["message"].iloc[0].startswith("exceeded quota: second, ")
