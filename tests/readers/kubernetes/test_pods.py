"""Pods: units that run or wait, and the templates they share."""

from __future__ import annotations

from typing import Any

import pytest

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def tied_to(node: str, *expressions: dict[str, Any]) -> dict[str, Any]:
    """An affinity with the tie of the DaemonSet controller."""
    tie = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    terms = [{**tie, "matchExpressions": [each]} for each in expressions] or [tie]
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}


def test_a_bound_pod_runs_on_its_node_and_an_unbound_one_waits(reads: Any, kube: Any) -> None:
    scenario = reads([kube.node(), kube.live_pod("a"), kube.live_pod("b", node=None)])
    assert {unit.key: unit.node for unit in scenario.units} == {"shop/a": "n1", "shop/b": None}
    assert scenario.units[0].created_s == 1740823200.0
    assert scenario.remarks == ()


def test_pods_of_one_kind_share_a_template_whatever_is_their_own(reads: Any, kube: Any) -> None:
    pods = []
    for number in range(3):
        pod = kube.live_pod(f"web-{number}", owner=("StatefulSet", "web"))
        pod["metadata"]["labels"] |= {
            "statefulset.kubernetes.io/pod-name": f"web-{number}",
            "apps.kubernetes.io/pod-index": str(number),
        }
        pod["metadata"]["annotations"] = {"checksum": str(number)}
        pod["spec"] |= {
            "hostname": f"web-{number}",
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": f"data-web-{number}"}},
                {"name": f"kube-api-access-{number}", "projected": {"sources": []}},
            ],
        }
        pod["spec"]["containers"][0]["env"] = [{"name": "N", "value": str(number)}]
        pods.append(pod)
    scenario = reads([kube.node(), *pods])
    assert list(scenario.templates) == ["shop/web"]
    assert scenario.templates["shop/web"].labels == {"app": "web"}
    assert [volume.claim for volume in scenario.templates["shop/web"].volumes] == ["data-*"]
    assert scenario.units[2].labels["apps.kubernetes.io/pod-index"] == "2"
    assert {unit.owner for unit in scenario.units} == {"StatefulSet/web"}


def test_a_daemon_pods_tie_to_its_node_is_the_units_not_the_templates(
    reads: Any, kube: Any
) -> None:
    gpu = {"key": "gpu", "operator": "Exists"}
    pods = [
        kube.live_pod(f"agent-{node}", node, ("DaemonSet", "agent"), affinity=tied_to(node, gpu))
        for node in ("n1", "n2")
    ]
    waiting = kube.live_pod("agent-x", None, ("DaemonSet", "agent"), affinity=tied_to("n2", gpu))
    scenario = reads([kube.node("n1"), kube.node("n2"), *pods, waiting])
    assert len(scenario.templates) == 1
    required = scenario.templates["shop/agent"].affinity.node_affinity.required
    assert [
        (term.match_expressions[0].key, term.match_fields) for term in required.node_selector_terms
    ] == [("gpu", ())]
    assert {unit.name: (unit.node, unit.pinned) for unit in scenario.units} == {
        "agent-n1": ("n1", "n1"),
        "agent-n2": ("n2", "n2"),
        "agent-x": (None, "n2"),
    }


def test_a_tie_without_anything_else_leaves_no_affinity(reads: Any, kube: Any) -> None:
    pod = kube.live_pod("agent-1", "n1", ("DaemonSet", "agent"), affinity=tied_to("n1"))
    scenario = reads([kube.node(), pod])
    assert scenario.templates["shop/agent"].affinity.node_affinity is None


def test_an_affinity_that_only_some_terms_tie_stays_as_it_is(reads: Any, kube: Any) -> None:
    affinity = tied_to("n1", {"key": "a", "operator": "Exists"})
    terms = affinity["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    terms.append({"matchExpressions": [{"key": "b", "operator": "Exists"}]})
    pod = kube.live_pod("agent-1", "n1", ("DaemonSet", "agent"), affinity=affinity)
    scenario = reads([kube.node(), pod])
    assert scenario.units[0].pinned is None
    required = scenario.templates["shop/agent"].affinity.node_affinity.required
    assert len(required.node_selector_terms) == 2


def test_finished_pods_hold_nothing_and_are_counted(reads: Any, kube: Any) -> None:
    pods = [
        kube.live_pod("a", phase="Succeeded"),
        kube.live_pod("b", phase="Failed"),
        kube.live_pod("c"),
    ]
    scenario = reads([kube.node(), *pods])
    assert [unit.name for unit in scenario.units] == ["c"]
    assert scenario.remarks == (
        "Left out 2 pods that have ended (Succeeded or Failed) and hold nothing.",
    )


def test_pods_on_nodes_that_are_missing_are_left_out_and_named(reads: Any, kube: Any) -> None:
    pods = [kube.live_pod(name, "elsewhere") for name in "abcde"]
    scenario = reads([kube.node(), *pods, kube.live_pod("here")])
    assert [unit.name for unit in scenario.units] == ["here"]
    assert scenario.remarks == (
        "Left out 5 pods on nodes that are not in the input (shop/a, shop/b, shop/c and 2 more).",
    )


def test_without_any_node_running_pods_wait(reads: Any, kube: Any) -> None:
    scenario = reads([kube.live_pod("a"), kube.live_pod("b")])
    assert [unit.node for unit in scenario.units] == [None, None]
    assert scenario.remarks == (
        "No nodes are given: 2 pods that run elsewhere are planned as waiting.",
    )


def test_without_any_node_daemon_pods_are_left_out(reads: Any, kube: Any) -> None:
    pod = kube.live_pod("agent-1", "n1", ("DaemonSet", "agent"), affinity=tied_to("n1"))
    mirror = kube.live_pod("etcd-n1", "n1", ("Node", "n1"))
    scenario = reads([pod, mirror, kube.live_pod("web")])
    assert [unit.name for unit in scenario.units] == ["web"]
    assert scenario.remarks[1] == (
        "No nodes are given: the pods of shop/agent, shop/etcd-n1 are left out, "
        "for there is one for each node."
    )


def test_a_static_pod_is_tied_to_its_node(reads: Any, kube: Any) -> None:
    scenario = reads([kube.node(), kube.live_pod("etcd-n1", "n1", ("Node", "n1"))])
    assert scenario.units[0].pinned == "n1"


def test_the_owner_is_the_highest_workload_that_the_input_states(reads: Any, kube: Any) -> None:
    pod = kube.live_pod("web-abc-1", owner=("ReplicaSet", "web-abc"))
    pod["metadata"]["labels"]["pod-template-hash"] = "abc"
    replica_set = kube.deployment("web-abc", 1)
    replica_set["kind"] = "ReplicaSet"
    owner = {"kind": "Deployment", "name": "web", "controller": True}
    replica_set["metadata"]["ownerReferences"] = [owner]
    deployment = kube.deployment("web", 1)

    assert reads([kube.node(), pod, replica_set, deployment]).units[0].owner == "Deployment/web"
    assert reads([kube.node(), pod, replica_set]).units[0].owner == "ReplicaSet/web-abc"
    assert reads([kube.node(), pod]).units[0].owner == "Deployment/web"


def test_owners_that_own_each_other_end(reads: Any, kube: Any) -> None:
    pod = kube.live_pod("a", owner=("ReplicaSet", "x"))
    replica_set = kube.deployment("x", 1)
    replica_set["kind"] = "ReplicaSet"
    owner = {"kind": "ReplicaSet", "name": "x", "controller": True}
    replica_set["metadata"]["ownerReferences"] = [owner]
    assert reads([kube.node(), pod, replica_set]).units[0].owner == "ReplicaSet/x"


def test_running_units_come_in_order_of_creation_and_manifests_after(reads: Any, kube: Any) -> None:
    early, late = kube.live_pod("z"), kube.live_pod("a")
    early["metadata"]["creationTimestamp"] = "2025-02-01T10:00:00Z"
    late["metadata"]["creationTimestamp"] = "2025-02-01T11:00:00.5+00:00"
    scenario = reads([kube.node(), kube.pod("m"), late, early])
    assert [unit.name for unit in scenario.units] == ["z", "a", "m"]


def test_a_pod_that_is_being_deleted_is_terminating(reads: Any, kube: Any) -> None:
    pod = kube.live_pod()
    pod["metadata"]["deletionTimestamp"] = "2025-03-01T11:00:00Z"
    pod["status"]["startTime"] = "2025-03-01T10:00:05Z"
    unit = reads([kube.node(), pod]).units[0]
    assert unit.terminating
    assert unit.started_s == unit.created_s + 5


def test_a_resize_in_place_counts_with_the_most(reads: Any, kube: Any) -> None:
    pod = kube.live_pod()
    pod["status"]["containerStatuses"] = [
        {
            "name": "main",
            "state": {"running": {}},
            "allocatedResources": {"cpu": "500m", "memory": "64Mi"},
            "resources": {"requests": {"cpu": "300m", "memory": "128Mi"}},
        }
    ]
    container = next(iter(reads([kube.node(), pod]).templates.values())).containers[0]
    assert container.requests == {"cpu": 500, "memory": 128 * 2**20}


def test_every_part_of_a_pod_that_matters_is_read(reads: Any, kube: Any) -> None:
    sidecar = kube.container("proxy", restartPolicy="Always")
    pod = kube.pod(
        initContainers=[kube.container("init"), sidecar],
        overhead={"cpu": "10m"},
        resources={"requests": {"cpu": "1"}, "claims": []},
        nodeSelector={"disk": "ssd"},
        tolerations=[{"key": "a", "operator": "Exists", "tolerationSeconds": 300}],
        topologySpreadConstraints=[
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        schedulingGates=[{"name": "example.com/wait"}],
        schedulerName="other",
        preemptionPolicy="Never",
        priority=7,
        volumes=[{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}}],
        affinity=None,
    )
    pod["spec"]["containers"][0]["ports"] = [
        {"containerPort": 80, "hostPort": 8080, "hostIP": "127.0.0.1", "name": "http"}
    ]
    template = reads([pod]).templates["shop/web"]
    assert [c.restart_policy for c in template.init_containers] == ["", "Always"]
    assert template.overhead == {"cpu": 10}
    assert template.requests == {"cpu": 1000}
    assert template.node_selector == {"disk": "ssd"}
    assert template.tolerations[0].toleration_seconds == 300
    assert template.topology_spread_constraints[0].max_skew == 1
    assert template.scheduling_gates == ("example.com/wait",)
    assert (template.scheduler_name, template.preemption_policy) == ("other", "Never")
    assert template.priority == 7
    assert template.volumes[0].claim == "*-scratch"
    port = template.containers[0].ports[0]
    assert (port.host_port, port.host_ip, port.protocol) == (8080, "127.0.0.1", "TCP")


def test_on_the_host_network_container_ports_are_host_ports(reads: Any, kube: Any) -> None:
    pod = kube.pod(hostNetwork=True)
    pod["spec"]["containers"][0]["ports"] = [{"containerPort": 9100}]
    assert reads([pod]).templates["shop/web"].containers[0].ports[0].host_port == 9100


def test_a_manifest_without_requests_gets_one_clear_remark(reads: Any) -> None:
    scenario = reads("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: nginx, ports: [{containerPort: 80}]}
""")
    assert scenario.remarks == (
        "3 pods request no cpu or no memory in some container "
        "(default/web-0, default/web-1, default/web-2): placed as if they took nothing there, "
        "as the kube-scheduler does; sized as 100m and 200Mi per container, which is a guess.",
    )
    assert [assumption.value for assumption in scenario.assumptions] == [
        "100m of cpu, 200Mi of memory per container"
    ]
    assert scenario.templates["default/web"].containers[0].requests == {}


@pytest.mark.parametrize(
    ("requests", "pod_level", "words"),
    [
        ({"cpu": "1"}, {}, "1 pod requests no memory in some container (shop/web)"),
        ({"memory": "1Gi"}, {}, "1 pod requests no cpu in some container (shop/web)"),
        ({"cpu": "0", "memory": "0"}, {}, None),
        ({}, {"cpu": "1", "memory": "1Gi"}, None),
    ],
)
def test_only_what_is_missing_is_remarked(
    requests: Any, pod_level: Any, words: str | None, reads: Any, kube: Any
) -> None:
    pod = kube.pod(resources={"requests": pod_level})
    pod["spec"]["containers"][0]["resources"] = {"requests": requests}
    remarks = reads([pod]).remarks
    assert remarks == () if words is None else remarks[0].startswith(words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spec": None}, "spec: found None, expected a mapping."),
        ({"spec": {}}, "spec.containers: found nothing, expected a value."),
        ({"spec": {"containers": []}}, "spec.containers: found [], expected a list of at least 1."),
        ({"spec": {"containers": {"name": "a"}}}, "spec.containers: found {'name': 'a'}, expected"),
        ({"spec": {"containers": ["web"]}}, "spec.containers[0]: found 'web', expected a mapping."),
        ({"status": []}, "status: found [], expected a mapping."),
        ({"status": {"startTime": "soon"}}, "status.startTime: found 'soon', expected a time such"),
    ],
)
def test_a_pod_of_a_wrong_shape_is_named(change: Any, words: str, refuses: Any, kube: Any) -> None:
    assert f"input.yaml: Pod shop/web: {words}" in refuses([{**kube.pod(), **change}])


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("requests", {"cpu": "-1"}, "requests: found '-1' of cpu, expected an amount that is not"),
        ("requests", {"cpu": "1x"}, "requests: found '1x' of cpu, expected a quantity such as"),
        ("requests", {"memory": "9999Ei"}, "requests: found '9999Ei' of memory, expected an amoun"),
        ("requests", {"memroy": "1Gi"}, "requests: found the resource 'memroy', expected one of"),
        ("requests", "lots", "requests: found 'lots', expected a mapping of resource names"),
        ("request", {"cpu": 1}, "resources: found the unknown field 'request', expected a field of "
         "the API (did you mean 'requests'?)."),
    ],
)  # fmt: skip
def test_bad_requests_are_named_with_their_container(
    field: str, value: Any, words: str, refuses: Any, kube: Any
) -> None:
    pod = kube.pod()
    pod["spec"]["containers"][0]["resources"] = {field: value}
    assert "input.yaml: Pod shop/web: spec.containers[main].resources" in refuses([pod])
    assert words in refuses([pod])


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("nodeName", 5, "spec.nodeName: found 5, expected a text"),
        ("nodeSelector", ["a"], "spec.nodeSelector: found ['a'], expected a mapping."),
        ("nodeSelector", {"a": 1}, "spec.nodeSelector.a: found 1, expected a text (numbers, true"),
        ("tolerations", [{"effect": "No"}], "spec.tolerations[0].effect"),
        ("tolerations", [{"efect": "No"}], "found the unknown field 'efect'"),
        ("priority", "high", "spec.priority: found 'high', expected a whole number."),
        ("priority", 2**40, "spec.priority: found 1099511627776, expected at most 2147483647."),
        ("hostNetwork", "yes", "spec.hostNetwork: found 'yes', expected true or false."),
        ("affinity", {"nodeAffinity": []}, "spec.affinity.nodeAffinity: found [], expected a map"),
        ("nodeSelektor", {}, "spec: found the unknown field 'nodeSelektor', expected a field of "
         "the API (did you mean 'nodeSelector'?)."),
        ("topologySpreadConstraints", [{}], "spec.topologySpreadConstraints[0].maxSkew: found "),
        ("volumes", [{"persistentVolumeClaim": {}}], "spec.volumes[0].persistentVolumeClaim.claim"),
        ("initContainers", "x", "spec.initContainers: found 'x', expected a list."),
    ],
)  # fmt: skip
def test_bad_fields_of_a_pod_are_named(
    field: str, value: Any, words: str, refuses: Any, kube: Any
) -> None:
    assert words in refuses([kube.pod(**{field: value})])


@pytest.mark.parametrize("labels", [["a"], {"a": 1}, "x"])
def test_bad_labels_are_named(labels: Any, refuses: Any, kube: Any) -> None:
    pod = kube.pod()
    pod["metadata"]["labels"] = labels
    assert "input.yaml: Pod shop/web: metadata.labels" in refuses([pod])


def test_bad_labels_of_a_units_own_are_named(refuses: Any, kube: Any) -> None:
    pod = kube.pod()
    pod["metadata"]["labels"] = {"apps.kubernetes.io/pod-index": 1}
    assert "Pod shop/web: metadata.labels: found 1, expected a text" in refuses([pod])


def test_bad_times_and_owners_are_named(refuses: Any, kube: Any) -> None:
    pod = kube.pod()
    pod["metadata"] |= {"creationTimestamp": 5, "ownerReferences": "me"}
    words = refuses([pod])
    assert "metadata.creationTimestamp: found 5, expected a time such as" in words
    assert "metadata.ownerReferences: found 'me', expected a list of mappings." in words


def test_newer_fields_of_the_api_pass(reads: Any, kube: Any) -> None:
    pod = kube.pod(resourceClaims=[], hostnameOverride="x", evictionResponders=[])
    assert len(reads([pod]).units) == 1


def test_a_live_pod_is_not_checked_for_spelling(reads: Any, kube: Any) -> None:
    assert len(reads([kube.live_pod(node=None, nodeSelectors={})]).units) == 1
