"""What an API server fills in for pods that are made from manifests."""

from __future__ import annotations

from typing import Any

import pytest

MIB = 2**20


def limit_range(**item: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "defaults", "namespace": "shop"},
        "spec": {"limits": [{"type": "Pod", "max": {"cpu": "99"}}, {"type": "Container", **item}]},
    }


def priority_class(name: str, value: int, **more: Any) -> dict[str, Any]:
    metadata = {"name": name}
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": metadata,
        "value": value,
        **more,
    }


@pytest.fixture
def admitted(reads: Any, kube: Any) -> Any:
    """The requests of a container with these resources, in a cluster of these objects."""

    def build(resources: Any, *objects: Any, live: bool = False) -> dict[str, int]:
        pod = kube.live_pod("web", node=None) if live else kube.pod()
        pod["spec"]["containers"][0]["resources"] = resources
        requests: dict[str, int] = (
            reads([*objects, pod]).templates["shop/web"].containers[0].requests
        )
        return requests

    return build


def test_limits_stand_in_for_missing_requests(admitted: Any) -> None:
    resources = {"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"cpu": "500m"}}
    assert admitted(resources) == {"cpu": 500, "memory": 64 * MIB}


def test_pods_that_a_cluster_has_admitted_are_taken_as_they_are(admitted: Any) -> None:
    defaults = limit_range(defaultRequest={"cpu": "1"})
    assert admitted({"limits": {"cpu": "1"}}, defaults, live=True) == {}


@pytest.mark.parametrize(
    ("item", "requests"),
    [
        ({"defaultRequest": {"cpu": "100m"}}, {"cpu": 100}),
        ({"default": {"cpu": "1"}}, {"cpu": 1000}),
        ({"default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m"}}, {"cpu": 100}),
        ({"max": {"cpu": "2"}}, {"cpu": 2000}),
        ({"min": {"cpu": "50m"}}, {"cpu": 50}),
        ({"min": {"cpu": "50m"}, "max": {"cpu": "2"}}, {"cpu": 2000}),
    ],
)
def test_limit_ranges_give_defaults(item: Any, requests: Any, admitted: Any) -> None:
    assert admitted({}, limit_range(**item)) == requests


def test_what_is_stated_goes_before_a_limit_range(admitted: Any) -> None:
    defaults = limit_range(default={"cpu": "1"}, defaultRequest={"cpu": "100m"})
    assert admitted({"requests": {"cpu": "300m"}}, defaults) == {"cpu": 300}
    assert admitted({"limits": {"cpu": "700m"}}, defaults) == {"cpu": 700}


def test_a_limit_range_reaches_init_containers_and_its_own_namespace_only(
    reads: Any, kube: Any
) -> None:
    bare = {"name": "main"}
    here = kube.pod("a", containers=[bare], initContainers=[bare])
    there = kube.pod("b", "other", containers=[bare])
    defaults = limit_range(defaultRequest={"cpu": "1", "memory": "1Gi"})
    scenario = reads([here, there, defaults])
    assert scenario.templates["shop/a"].init_containers[0].requests["cpu"] == 1000
    assert scenario.templates["other/b"].containers[0].requests == {}
    assert "1 pod requests no cpu or no memory in some container (other/b)" in scenario.remarks[0]


def test_a_limit_range_in_a_later_file_counts_too(reads: Any, kube: Any) -> None:
    deployment = kube.deployment(containers=[{"name": "main"}])
    defaults = [limit_range(defaultRequest={"cpu": "1", "memory": "1Gi"})]
    scenario = reads([deployment], "a.json", (defaults, "b.json"))
    assert scenario.templates["shop/web"].containers[0].requests["cpu"] == 1000
    assert scenario.remarks == ()


def test_pod_level_limits_stand_in_for_what_nothing_requests(reads: Any, kube: Any) -> None:
    pod = kube.pod(resources={"limits": {"cpu": "2", "memory": "1Gi"}})
    pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
    template = reads([pod]).templates["shop/web"]
    assert template.requests == {"memory": 2**30}
    assert template.limits == {"cpu": 2000, "memory": 2**30}


def test_priority_classes_become_numbers(reads: Any, kube: Any) -> None:
    classes = [
        priority_class("high", 1000, preemptionPolicy="Never"),
        priority_class("usual", 5, globalDefault=True),
    ]
    pods = [
        kube.pod("a", priorityClassName="high"),
        kube.pod("b"),
        kube.pod("c", priorityClassName="system-node-critical"),
        kube.pod("d", priorityClassName="system-cluster-critical"),
        kube.pod("e", priorityClassName="high", preemptionPolicy="PreemptLowerPriority"),
    ]
    scenario = reads([*pods, *classes])
    found = {unit.name: scenario.templates[unit.template] for unit in scenario.units}
    assert {name: template.priority for name, template in found.items()} == {
        "a": 1000,
        "b": 5,
        "c": 2_000_001_000,
        "d": 2_000_000_000,
        "e": 1000,
    }
    assert found["a"].preemption_policy == "Never"
    assert found["b"].priority_class_name == "usual"
    assert found["e"].preemption_policy == "PreemptLowerPriority"
    assert len(scenario.priority_classes) == 2


def test_a_class_that_the_input_lacks_counts_as_zero_and_it_is_said(reads: Any, kube: Any) -> None:
    scenario = reads([kube.pod(priorityClassName="gold")])
    assert scenario.templates["shop/web"].priority == 0
    assert scenario.remarks == ("Priority classes that the input does not hold count as 0: gold.",)


def test_a_runtime_class_brings_overhead_and_nodes(reads: Any, kube: Any) -> None:
    runtime = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "kata"},
        "handler": "kata",
        "overhead": {"podFixed": {"cpu": "250m", "memory": "160Mi"}},
        "scheduling": {
            "nodeSelector": {"kata": "yes"},
            "tolerations": [{"key": "kata", "operator": "Exists"}],
        },
    }
    pod = kube.pod(runtimeClassName="kata", nodeSelector={"disk": "ssd"})
    template = reads([runtime, pod]).templates["shop/web"]
    assert template.overhead == {"cpu": 250, "memory": 160 * MIB}
    assert template.node_selector == {"kata": "yes", "disk": "ssd"}
    assert template.tolerations[0].key == "kata"


def affinity(**term: Any) -> dict[str, Any]:
    full = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}, **term}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    weighted = [{"weight": 1, "podAffinityTerm": full}]
    return {"podAntiAffinity": {required: [full]}, "podAffinity": {preferred: weighted}}


def test_label_keys_join_the_selectors_of_pods_from_manifests(reads: Any, kube: Any) -> None:
    keys = {"matchLabelKeys": ["app", "absent"], "mismatchLabelKeys": ["tier"]}
    pod = kube.pod(affinity=affinity(**keys))
    pod["metadata"]["labels"] |= {"tier": "front"}
    found = reads([pod]).templates["shop/web"].affinity
    expected = [("app", "In", ("web",)), ("tier", "NotIn", ("front",))]
    for term in (
        found.pod_anti_affinity.required[0],
        found.pod_affinity.preferred[0].pod_affinity_term,
    ):
        added = term.label_selector.match_expressions
        assert [(r.key, r.operator, r.values) for r in added] == expected
        assert term.match_label_keys == ("app", "absent")


def test_label_keys_of_admitted_pods_are_left_alone(reads: Any, kube: Any) -> None:
    pod = kube.live_pod(node=None, affinity=affinity(matchLabelKeys=["app"]))
    term = reads([pod]).templates["shop/web-1"].affinity.pod_anti_affinity.required[0]
    assert term.label_selector.match_expressions == ()


def test_a_term_without_selector_stays_without(reads: Any, kube: Any) -> None:
    pod = kube.pod(affinity=affinity(matchLabelKeys=["app"], labelSelector=None))
    term = reads([pod]).templates["shop/web"].affinity.pod_anti_affinity.required[0]
    assert term.label_selector is None
