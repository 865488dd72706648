"""DaemonSets: one unit for each eligible node."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def daemon_set(kube: Any) -> Any:
    def build(**spec: Any) -> dict[str, Any]:
        found: dict[str, Any] = kube.deployment("agent", None, **spec)
        return found | {"kind": "DaemonSet"}

    return build


def test_there_is_one_unit_for_each_node_tied_to_it(reads: Any, kube: Any, daemon_set: Any) -> None:
    scenario = reads([daemon_set(), kube.node("n1"), kube.node("n2")])
    assert [(unit.name, unit.pinned, unit.node) for unit in scenario.units] == [
        ("agent-n1", "n1", None),
        ("agent-n2", "n2", None),
    ]
    assert scenario.workloads[0].replicas == 2
    assert len(scenario.templates) == 1


@pytest.mark.parametrize(
    ("taint", "spec", "runs"),
    [
        ({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, {}, True),
        ({"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}, {}, True),
        ({"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}, {}, False),
        (
            {"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"},
            {"hostNetwork": True},
            True,
        ),
        ({"key": "gpu", "effect": "NoSchedule"}, {}, False),
        ({"key": "gpu", "effect": "PreferNoSchedule"}, {}, True),
        (
            {"key": "gpu", "effect": "NoSchedule"},
            {"tolerations": [{"key": "gpu", "operator": "Exists"}]},
            True,
        ),
    ],
)
def test_taints_keep_it_away_unless_tolerated(
    taint: Any, spec: Any, runs: bool, reads: Any, kube: Any, daemon_set: Any
) -> None:
    node = kube.node()
    node["spec"]["taints"] = [taint]
    assert len(reads([node, daemon_set(**spec)]).units) == runs


@pytest.mark.parametrize(
    ("spec", "nodes"),
    [
        ({"nodeSelector": {"topology.kubernetes.io/zone": "a"}}, ["n1", "n2"]),
        ({"nodeSelector": {"topology.kubernetes.io/zone": "b"}}, []),
        ({"nodeName": "n2"}, ["n2"]),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {
                                    "matchExpressions": [
                                        {
                                            "key": "kubernetes.io/hostname",
                                            "operator": "NotIn",
                                            "values": ["n1"],
                                        }
                                    ]
                                }
                            ]
                        }
                    }
                }
            },
            ["n2"],
        ),
    ],
)
def test_selector_affinity_and_name_choose_the_nodes(
    spec: Any, nodes: list[str], reads: Any, kube: Any, daemon_set: Any
) -> None:
    scenario = reads([kube.node("n1"), kube.node("n2"), daemon_set(**spec)])
    assert [unit.pinned for unit in scenario.units] == nodes


def test_nodes_that_have_its_pod_already_get_no_second(
    reads: Any, kube: Any, daemon_set: Any
) -> None:
    pod = kube.live_pod("agent-x", "n1", ("DaemonSet", "agent"))
    scenario = reads([kube.node("n1"), kube.node("n2"), daemon_set(), pod])
    assert [unit.name for unit in scenario.units] == ["agent-x", "agent-n2"]


def test_without_nodes_only_the_workload_is_kept_and_it_is_said(
    reads: Any, daemon_set: Any
) -> None:
    scenario = reads([daemon_set()])
    assert scenario.units == ()
    assert scenario.workloads[0].template in scenario.templates
    assert scenario.remarks == (
        "No nodes are given: the pods of shop/agent are left out, for there is one for each node.",
    )


def test_machines_of_another_format_count_as_nodes(reads: Any, daemon_set: Any) -> None:
    scenario = reads([daemon_set()], "agent.json", ("machine,cpu,memory\nm1,4,16\n", "m.csv"))
    assert [unit.pinned for unit in scenario.units] == ["m1"]


def test_tolerations_of_a_wrong_shape_are_named(refuses: Any, daemon_set: Any) -> None:
    words = refuses([daemon_set(tolerations={"key": "a"})])
    assert "DaemonSet shop/agent: spec.template.spec.tolerations: found {'key': 'a'}, exp" in words
