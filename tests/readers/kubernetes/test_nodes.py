"""Nodes: what they offer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest


def test_a_node_offers_what_is_allocatable(reads: Any, kube: SimpleNamespace) -> None:
    node = kube.node(**{"vendor.com/gpu": "2", "attachable-volumes-aws-ebs": "25"})
    node["status"]["capacity"] = {"cpu": "5", "memory": "17Gi"}
    read = reads([node]).nodes[0]
    assert read.name == "n1"
    assert read.zone == "a"
    assert read.allocatable == {
        "cpu": 4000,
        "memory": 16 * 2**30,
        "pods": 110,
        "vendor.com/gpu": 2,
        "attachable-volumes-aws-ebs": 25,
    }
    assert read.capacity == {"cpu": 5000, "memory": 17 * 2**30}
    assert read.gpu_devices == 0


def test_capacity_stands_in_where_nothing_is_allocatable(reads: Any, kube: Any) -> None:
    node = kube.node()
    node["status"] = {"capacity": node["status"]["allocatable"]}
    assert reads([node]).nodes[0].allocatable["cpu"] == 4000


def test_taints_cordons_and_images_are_read(reads: Any, kube: Any) -> None:
    node = kube.node()
    node["spec"] = {
        "unschedulable": True,
        "podCIDR": "10.0.0.0/24",
        "taints": [
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": "x"},
            {"key": "a", "value": "b", "effect": "NoExecute"},
        ],
    }
    node["status"]["images"] = [{"names": ["web:1", "web@sha256:1"], "sizeBytes": 1000}, {}]
    read = reads([node]).nodes[0]
    assert read.unschedulable
    assert [(taint.key, taint.value, taint.effect) for taint in read.taints] == [
        ("node.kubernetes.io/unschedulable", "", "NoSchedule"),
        ("a", "b", "NoExecute"),
    ]
    assert [(image.names, image.size_bytes) for image in read.images] == [
        (("web:1", "web@sha256:1"), 1000),
        ((), 0),
    ]


def test_a_node_without_a_pod_limit_gets_the_kubelets_and_it_is_said(reads: Any, kube: Any) -> None:
    node = kube.node()
    del node["status"]["allocatable"]["pods"]
    scenario = reads([node])
    assert scenario.nodes[0].allocatable["pods"] == 110
    assert scenario.remarks == (
        "1 node without a pod limit (n1): 110 is taken, the kubelet's default.",
    )
    assert scenario.assumptions[0].value == "110"


def test_a_node_that_says_nothing_of_its_size_is_refused(refuses: Any, kube: Any) -> None:
    node = kube.node()
    node["status"] = {}
    assert refuses([node]) == (
        "input.yaml: Node n1: status.allocatable: found no cpu and memory, "
        "expected what the node offers, here or in capacity."
    )


@pytest.mark.parametrize(
    ("part", "content", "words"),
    [
        ("status", {"allocatable": {"cpu": "x"}}, "status.allocatable: found 'x' of cpu, expected"),
        ("status", {"allocatable": []}, "status.allocatable: found [], expected a mapping of"),
        ("status", "up", "status: found 'up', expected a mapping."),
        ("spec", {"unschedulable": "yes"}, "spec.unschedulable: found 'yes', expected true or fal"),
        ("spec", {"taints": {"key": "a"}}, "spec.taints: found {'key': 'a'}, expected a list."),
        (
            "spec",
            {"taints": [{"key": "a", "effect": "NoSchdule"}]},
            "spec.taints[0].effect: found 'NoSchdule', expected one of NoSchedule, "
            "PreferNoSchedule, NoExecute (did you mean 'NoSchedule'?).",
        ),
        ("metadata", {"name": "n1", "labels": {"a": True}}, "metadata.labels.a: found True, expec"),
    ],
)
def test_what_is_wrong_with_a_node_is_named(
    part: str, content: Any, words: str, refuses: Any, kube: Any
) -> None:
    assert f"input.yaml: Node n1: {words}" in refuses([{**kube.node(), part: content}])


@pytest.mark.parametrize("images", [["web"], [{"names": "web"}], [{"sizeBytes": "1"}], "web"])
def test_images_of_a_wrong_shape_are_refused(images: Any, refuses: Any, kube: Any) -> None:
    node = kube.node()
    node["status"]["images"] = images
    assert "Node n1: status.images" in refuses([node])
