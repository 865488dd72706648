"""Services, budgets, quotas, autoscalers, namespaces, and what is left out."""

from __future__ import annotations

from typing import Any

import pytest

from capsim.scenario import Scenario


@pytest.fixture
def beside(reads: Any, kube: Any) -> Any:
    """A scenario of one pod and these objects."""

    def build(*objects: dict[str, Any]) -> Scenario:
        scenario: Scenario = reads([kube.pod(), *objects])
        return scenario

    return build


def thing(version: str, kind: str, spec: Any = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "shop"}
    content = {"apiVersion": version, "kind": kind, "metadata": metadata, **more}
    return content if spec is None else {**content, "spec": spec}


def test_a_service_has_type_selector_and_ports(beside: Any) -> None:
    spec = {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "nodePort": 9}]}
    service = beside(thing("v1", "Service", spec)).services[0]
    assert (service.type, service.selector, service.ports) == ("NodePort", {"app": "web"}, (80,))


def test_an_ingress_names_its_services(beside: Any) -> None:
    def backend(name: str) -> dict[str, Any]:
        return {"path": "/", "backend": {"service": {"name": name, "port": {"number": 80}}}}

    rules = [{"host": "h", "http": {"paths": [backend("web"), backend("api"), backend("web")]}}]
    spec = {"defaultBackend": backend("home")["backend"], "rules": rules}
    ingress = beside(thing("networking.k8s.io/v1", "Ingress", spec)).ingresses[0]
    assert ingress.services == ("home", "web", "api")


def test_a_budget_keeps_percentages_and_counts(beside: Any) -> None:
    spec = {"minAvailable": "50%", "selector": {"matchLabels": {"app": "web"}}}
    status = {"disruptionsAllowed": 1, "disruptedPods": {"a": "2025-01-01T00:00:00Z"}}
    budget = beside(thing("policy/v1", "PodDisruptionBudget", spec, status=status)).budgets[0]
    assert (budget.min_available, budget.max_unavailable) == ("50%", "")
    assert (budget.disruptions_allowed, budget.disrupted_pods) == (1, ("a",))
    budget = beside(thing("policy/v1", "PodDisruptionBudget", {"maxUnavailable": 2})).budgets[0]
    assert budget.max_unavailable == "2"


def test_a_quota_keeps_its_quantities(beside: Any) -> None:
    hard = {"requests.cpu": "10", "pods": 5, "requests.memory": "4Gi"}
    quota = beside(thing("v1", "ResourceQuota", {"hard": hard})).quotas[0]
    assert quota.hard == {"requests.cpu": "10", "pods": "5", "requests.memory": "4Gi"}


def test_a_namespace_bears_its_name_as_a_label(beside: Any) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    namespace["metadata"] |= {"labels": {"team": "a"}}
    labels = beside(namespace).namespaces[0].labels
    assert labels == {"kubernetes.io/metadata.name": "shop", "team": "a"}


def test_an_autoscaler_keeps_metrics_and_behavior(beside: Any) -> None:
    metric = {"type": "Pods", "pods": {"metric": {"name": "rps"}}}
    target = {"kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "maxReplicas": 9, "metrics": [metric]}
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    found = thing("autoscaling/v2", "HorizontalPodAutoscaler", {**spec, "behavior": behavior})
    scaler = beside(found).autoscalers[0]
    assert (scaler.target, scaler.min_replicas, scaler.max_replicas) == ("Deployment/web", 1, 9)
    assert scaler.metrics == (metric,)
    assert scaler.behavior == behavior


def test_an_autoscaler_of_version_1_has_its_cpu_target_as_a_metric(beside: Any) -> None:
    target = {"kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "maxReplicas": 9, "targetCPUUtilizationPercentage": 70}
    scaler = beside(thing("autoscaling/v1", "HorizontalPodAutoscaler", spec)).autoscalers[0]
    assert scaler.metrics[0]["resource"]["target"]["averageUtilization"] == 70


@pytest.mark.parametrize(
    ("version", "kind", "spec", "words"),
    [
        ("autoscaling/v2beta1", "HorizontalPodAutoscaler", {}, "apiVersion: found 'autoscaling"),
        ("autoscaling/v2", "HorizontalPodAutoscaler", {}, "spec.scaleTargetRef: found nothing"),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {"scaleTargetRef": {"kind": "a", "name": "b"}, "minReplicas": 5, "maxReplicas": 2},
            "spec.minReplicas: found 5, expected at most maxReplicas (2).",
        ),
        ("v1", "ResourceQuota", {"hard": {"pods": "many"}}, "spec.hard.pods: found 'many'"),
        ("v1", "Service", {"ports": [{"port": 99999}]}, "spec.ports[0].port: found 99999, "),
        ("v1", "Service", {"selector": "web"}, "spec.selector: found 'web', expected a mapping."),
        (
            "policy/v1",
            "PodDisruptionBudget",
            {"minAvailable": [1]},
            'spec.minAvailable: found [1], expected a whole number or a percentage such as "50%".',
        ),
        ("v1", "LimitRange", {"limits": [{"type": "Container", "default": {"cpu": "x"}}]},
         "spec.limits[0].default: found 'x' of cpu, expected a quantity"),
        ("networking.k8s.io/v1", "Ingress", {"rules": {}}, "spec.rules: found {}, expected a"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_policy_is_named(
    version: str, kind: str, spec: Any, words: str, refuses: Any
) -> None:
    assert f"input.yaml: {kind} shop/x: {words}" in refuses([thing(version, kind, spec)])


def test_a_priority_class_without_value_is_named(refuses: Any) -> None:
    found = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    words = refuses([{**found, "metadata": {"name": "x"}}])
    assert words == "input.yaml: PriorityClass x: value: found nothing, expected a value."


def test_metrics_nested_without_end_are_refused(refuses: Any) -> None:
    metric: Any = {}
    for _ in range(50):
        metric = {"a": metric}
    spec = {"scaleTargetRef": {"kind": "a", "name": "b"}, "maxReplicas": 2, "metrics": [metric]}
    words = refuses([thing("autoscaling/v2", "HorizontalPodAutoscaler", spec)])
    assert "spec: found metrics or behavior nested too deeply" in words


def test_kinds_without_capacity_are_counted_in_one_remark(beside: Any) -> None:
    maps = [thing("v1", "ConfigMap") for _ in range(9)]
    secrets = [thing("v1", "Secret") for _ in range(3)]
    roles = [thing("rbac.authorization.k8s.io/v1", "Role")]
    assert beside(*secrets, *maps, *roles).remarks == (
        "Left out 13 objects of kinds that take no capacity: ConfigMap 9, Secret 3, Role 1.",
    )


def test_unknown_kinds_are_counted_apart_for_they_may_make_pods(beside: Any) -> None:
    objects = [
        thing("argoproj.io/v1alpha1", "Rollout"),
        thing("serving.knative.dev/v1", "Service"),
        thing("longhorn.io/v1beta2", "Node"),
    ]
    scenario = beside(*objects)
    assert scenario.services == ()
    assert scenario.nodes == ()
    assert scenario.remarks == (
        "Left out 3 objects of kinds that capsim does not know: Rollout 1, Service 1, Node 1; "
        "if they make pods, add those pods to the input.",
    )


def test_an_input_of_nothing_but_these_is_refused_with_the_count(refuses: Any) -> None:
    words = refuses([thing("v1", "ConfigMap")], "maps.json")
    assert words == (
        "maps.json: found nothing to plan (Left out 1 object of kinds that take no capacity: "
        "ConfigMap 1.), expected nodes, pods, VMs or workloads."
    )


def test_a_quota_keeps_its_scopes(beside: Any) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team", "namespace": "shop"},
        "spec": {
            "hard": {"pods": 4},
            "scopes": ["NotBestEffort"],
            "scopeSelector": {
                "matchExpressions": [
                    {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
                ]
            },
        },
    }
    (found,) = beside(quota).quotas
    assert [(scope.name, scope.operator, scope.values) for scope in found.scopes] == [
        ("NotBestEffort", "Exists", ()),
        ("PriorityClass", "In", ("high",)),
    ]
