"""Workloads: only the pods that are missing are added."""

from __future__ import annotations

from typing import Any

import pytest

from capsim.scenario import Scenario


def names(scenario: Scenario) -> list[str]:
    return [unit.name for unit in scenario.units]


def owned(
    kind: str, name: str, owner: tuple[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "shop"}
    if owner:
        reference = {"kind": owner[0], "name": owner[1], "controller": True}
        metadata["ownerReferences"] = [reference]
    version = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


@pytest.fixture
def template(kube: Any) -> dict[str, Any]:
    content = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [kube.container()]}}
    return {"template": content}


def test_a_deployment_becomes_its_replicas(reads: Any, kube: Any) -> None:
    scenario = reads([kube.deployment("web", 3)])
    assert names(scenario) == ["web-0", "web-1", "web-2"]
    assert {unit.owner for unit in scenario.units} == {"Deployment/web"}
    assert {unit.template for unit in scenario.units} == {"shop/web"}
    workload = scenario.workloads[0]
    assert (workload.kind, workload.name, workload.replicas) == ("Deployment", "web", 3)
    assert workload.selector.match_labels == {"app": "web"}
    assert scenario.remarks == ()


def test_a_deployment_without_replicas_has_one_and_with_zero_none(reads: Any, kube: Any) -> None:
    assert names(reads([kube.deployment(replicas=None)])) == ["web-0"]
    scenario = reads([kube.deployment(replicas=0)])
    assert names(scenario) == []
    assert scenario.workloads[0].replicas == 0


def test_an_autoscalers_minimum_counts_where_no_replicas_are_stated(reads: Any, kube: Any) -> None:
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 4,
            "maxReplicas": 9,
        },
    }
    scenario = reads([kube.deployment(replicas=None), scaler])
    assert len(scenario.units) == 4
    assert scenario.remarks == (
        "Without replicas of their own, planned with the minimum of their autoscaler: "
        "Deployment shop/web (4).",
    )
    assert len(reads([kube.deployment(replicas=2), scaler]).units) == 2


def test_pods_that_exist_count_and_only_missing_ones_are_added(
    reads: Any, kube: Any, template: Any
) -> None:
    deployment = kube.deployment("web", 4)
    sets = []
    for revision, suffix in enumerate(("old", "new")):
        found = owned("ReplicaSet", f"web-{suffix}", ("Deployment", "web"), replicas=2, **template)
        found["metadata"] |= {
            "labels": {"pod-template-hash": suffix},
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
        }
        sets.append(found)
    pods = [
        kube.live_pod("web-old-x", owner=("ReplicaSet", "web-old")),
        kube.live_pod("web-new-y", owner=("ReplicaSet", "web-new")),
        kube.live_pod("web-new-z", owner=("ReplicaSet", "web-new"), phase="Failed"),
    ]
    deleted = kube.live_pod("web-old-w", owner=("ReplicaSet", "web-old"))
    deleted["metadata"]["deletionTimestamp"] = "2025-03-01T11:00:00Z"
    scenario = reads([kube.node(), deployment, *sets, *pods, deleted])
    assert names(scenario) == ["web-old-x", "web-new-y", "web-old-w", "web-0", "web-1"]
    added = scenario.templates[scenario.units[-1].template]
    assert added.labels == {"app": "web", "pod-template-hash": "new"}
    assert [workload.kind for workload in scenario.workloads] == ["Deployment"]


def test_pods_count_for_a_deployment_whose_replica_set_is_not_in_the_input(
    reads: Any, kube: Any
) -> None:
    pod = kube.live_pod("web-abc-1", owner=("ReplicaSet", "web-abc"))
    pod["metadata"]["labels"]["pod-template-hash"] = "abc"
    scenario = reads([kube.node(), kube.deployment("web", 2), pod])
    assert names(scenario) == ["web-abc-1", "web-0"]


def test_pods_on_missing_nodes_still_count_as_existing(reads: Any, kube: Any) -> None:
    pod = kube.live_pod("web-abc-1", "elsewhere", owner=("ReplicaSet", "web-abc"))
    pod["metadata"]["labels"]["pod-template-hash"] = "abc"
    assert names(reads([kube.node(), kube.deployment("web", 1), pod])) == []


def test_more_pods_than_replicas_add_none(reads: Any, kube: Any) -> None:
    pods = [kube.live_pod(f"p{n}", owner=("ReplicationController", "web")) for n in range(3)]
    controller = kube.deployment("web", 1) | {"apiVersion": "v1", "kind": "ReplicationController"}
    controller["spec"]["selector"] = {"app": "web"}
    scenario = reads([kube.node(), controller, *pods])
    assert names(scenario) == ["p0", "p1", "p2"]
    assert scenario.workloads[0].selector.match_labels == {"app": "web"}


def test_a_replica_set_of_its_own_is_expanded(reads: Any, template: Any) -> None:
    assert names(reads([owned("ReplicaSet", "web", replicas=2, **template)])) == ["web-0", "web-1"]


def test_added_units_take_free_names(reads: Any, kube: Any) -> None:
    scenario = reads([kube.pod("web-1"), kube.deployment("web", 2)])
    assert sorted(names(scenario)) == ["web-0", "web-1", "web-2"]


def test_a_stateful_set_has_ordinals_labels_and_claims_of_its_own(
    reads: Any, template: Any
) -> None:
    claims = [{"metadata": {"name": "data"}, "spec": {}}]
    spec = {"replicas": 3, "ordinals": {"start": 5}, "volumeClaimTemplates": claims, **template}
    scenario = reads([owned("StatefulSet", "db", **spec)])
    assert names(scenario) == ["db-5", "db-6", "db-7"]
    assert scenario.units[0].labels == {
        "statefulset.kubernetes.io/pod-name": "db-5",
        "apps.kubernetes.io/pod-index": "5",
    }
    assert scenario.templates["shop/db"].volumes[0].claim == "data-*"


def test_only_missing_ordinals_are_added(reads: Any, kube: Any, template: Any) -> None:
    pods = [kube.live_pod(f"db-{n}", owner=("StatefulSet", "db")) for n in (0, 2)]
    stateful = owned("StatefulSet", "db", replicas=3, **template)
    assert names(reads([kube.node(), stateful, *pods])) == ["db-0", "db-2", "db-1"]


@pytest.mark.parametrize(
    ("spec", "status", "count"),
    [
        ({}, {}, 1),
        ({"parallelism": 4}, {}, 4),
        ({"parallelism": 4, "completions": 2}, {}, 2),
        ({"parallelism": 2, "completions": 10}, {"succeeded": 9}, 1),
        ({"parallelism": 0}, {}, 0),
        ({"completions": 5}, {}, 1),
        ({"parallelism": 4}, {"conditions": [{"type": "Complete", "status": "True"}]}, 0),
        ({"parallelism": 4}, {"conditions": [{"type": "Failed", "status": "False"}]}, 4),
    ],
)
def test_a_job_has_as_many_pods_as_run_at_once(
    spec: Any, status: Any, count: int, reads: Any, template: Any
) -> None:
    job = owned("Job", "load", **spec, **template) | {"status": status}
    assert len(reads([job]).units) == count


def test_an_indexed_job_numbers_its_pods(reads: Any, template: Any) -> None:
    job = owned("Job", "load", parallelism=2, completions=2, completionMode="Indexed", **template)
    scenario = reads([job])
    label = "batch.kubernetes.io/job-completion-index"
    assert [unit.labels for unit in scenario.units] == [{label: "0"}, {label: "1"}]
    assert scenario.templates["shop/load"].labels["batch.kubernetes.io/job-name"] == "load"


def test_a_cron_job_is_planned_with_the_pods_of_one_run(reads: Any, template: Any) -> None:
    cron = owned("CronJob", "report", jobTemplate={"spec": {"parallelism": 2, **template}})
    scenario = reads([cron])
    assert names(scenario) == ["report-0", "report-1"]
    assert scenario.remarks == ("Planned with the pods of one run: CronJob shop/report.",)


def test_a_cron_job_that_runs_is_planned_with_that_run(
    reads: Any, kube: Any, template: Any
) -> None:
    cron = owned("CronJob", "report", jobTemplate={"spec": {"parallelism": 2, **template}})
    job = owned("Job", "report-1", ("CronJob", "report"), parallelism=2, **template)
    pod = kube.live_pod("report-1-x", owner=("Job", "report-1"))
    scenario = reads([kube.node(), cron, job, pod])
    assert names(scenario) == ["report-1-x", "report-1-0"]
    assert scenario.units[0].owner == "CronJob/report"
    assert scenario.remarks == ()


def test_suspended_jobs_have_no_new_pods_and_it_is_said(reads: Any, template: Any) -> None:
    cron = owned("CronJob", "report", suspend=True, jobTemplate={"spec": template})
    job = owned("Job", "load", suspend=True, **template)
    scenario = reads([cron, job])
    assert scenario.units == ()
    assert scenario.remarks == (
        "Suspended, so without new pods: Job shop/load, CronJob shop/report.",
    )


def test_a_node_asked_for_by_name_stays_a_wish(reads: Any, kube: Any) -> None:
    scenario = reads([kube.node(), kube.deployment("web", 1, nodeName="n1")])
    assert scenario.templates["shop/web"].node_name == "n1"
    assert scenario.units[0].node is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("replicas", "three", "spec.replicas: found 'three', expected a whole number."),
        ("replicas", -1, "spec.replicas: found -1, expected at least 0."),
        ("replicas", True, "spec.replicas: found True, expected a whole number."),
        ("replicas", 2_000_000_000, "spec.replicas: found 2000000000, expected at most 1,000,000 "
         "units in all (Kubernetes is built for 150,000 pods)."),
        ("replica", 3, "spec: found the unknown field 'replica', expected a field of the API "
         "(did you mean 'replicas'?)."),
        ("template", None, "spec.template: found nothing, expected a value."),
        ("template", {"spec": []}, "spec.template.spec: found [], expected a mapping."),
        ("template", {"spec": {}}, "spec.template.spec.containers: found nothing, "),
        ("template", {"metadata": {"labels": {"a": 1}}, "spec": {}},
         "spec.template.metadata.labels.a: found 1, expected a text"),
        ("selector", {"matchExpressions": [{"key": "a", "operator": "Gt"}]},
         "spec.selector.matchExpressions: "),
        ("selector", {"matchLables": {}}, "(did you mean 'matchLabels'?)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_workload_is_named(
    field: str, value: Any, words: str, refuses: Any, kube: Any
) -> None:
    deployment = kube.deployment()
    deployment["spec"][field] = value
    assert "input.yaml: Deployment shop/web: " in refuses([deployment])
    assert words in refuses([deployment])


def test_a_bad_container_of_a_job_template_is_named_with_its_whole_path(
    refuses: Any, kube: Any
) -> None:
    pod = {"containers": [{"name": "main", "resources": {"limits": {"cpu": "x"}}}]}
    job = {"spec": {"template": {"spec": pod}}}
    assert refuses([owned("CronJob", "report", jobTemplate=job)]) == (
        "input.yaml: CronJob shop/report: spec.jobTemplate.spec.template.spec.containers[main]"
        ".resources.limits: found 'x' of cpu, expected a quantity such as 250m or 2."
    )


def test_many_workloads_together_are_bounded_too(refuses: Any, kube: Any) -> None:
    words = refuses([kube.deployment("a", 10), kube.deployment("b", 999_991)])
    assert "Deployment shop/b: spec.replicas: found 999991, expected at most" in words
