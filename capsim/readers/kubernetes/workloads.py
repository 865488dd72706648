"""Deployment, ReplicaSet, StatefulSet, ReplicationController, Job, CronJob: their missing units.

What the input shows of a workload's pods counts; only missing ones are added, as waiting units
called NAME-0, NAME-1, ... (free numbers; a StatefulSet's ordinals).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from capsim.readers.estate import MAX_UNITS
from capsim.readers.kubernetes.cluster import Cluster
from capsim.readers.kubernetes.objects import Object
from capsim.readers.kubernetes.owners import HASH_LABEL, controller
from capsim.readers.kubernetes.podspec import OWN, ClaimTemplate
from capsim.readers.kubernetes.storage import plan_claims
from capsim.readers.kubernetes.templates import PodSource
from capsim.readers.kubernetes.workload_specs import (
    ControllerSpec,
    CronSpec,
    JobSpec,
    PodTemplate,
    ReplicasSpec,
    StatefulSpec,
)
from capsim.scenario import Labels, LabelSelector, Unit, Workload

_REVISION = "deployment.kubernetes.io/revision"


@dataclass
class _Expansion:
    """A workload as it is to be expanded."""

    source: Object
    template: PodTemplate
    path: str
    wanted: int
    selector: LabelSelector | None = None
    parallelism: int | None = None
    labels: Labels = field(default_factory=dict)
    """Labels that the controller adds to every pod."""
    first: int = 0
    claims: tuple[ClaimTemplate, ...] = ()
    ordinal_labels: tuple[str, ...] = ()
    """Labels of each unit that hold its number."""
    name_label: str = ""
    """Label of each unit that holds its name."""


def read_deployment(found: Object, cluster: Cluster) -> None:
    """A Deployment: its replicas, under the hash label of its newest ReplicaSet if there is one."""
    spec = _spec(ReplicasSpec, found, cluster)
    if spec is not None:
        wanted = _replicas(spec, found, cluster)
        labels = _hash_label(found, cluster)
        _expand(
            _Expansion(found, spec.template, "spec.template", wanted, spec.selector, labels=labels),
            cluster,
        )


def read_replica_set(found: Object, cluster: Cluster) -> None:
    """A ReplicaSet of its own; one that a Deployment of the input owns is counted there."""
    above = controller(found, cluster)
    if above is not None and cluster.find(*above):
        return
    spec = _spec(ReplicasSpec, found, cluster)
    if spec is not None:
        wanted = _replicas(spec, found, cluster)
        _expand(_Expansion(found, spec.template, "spec.template", wanted, spec.selector), cluster)


def read_replication_controller(found: Object, cluster: Cluster) -> None:
    """A ReplicationController."""
    spec = _spec(ControllerSpec, found, cluster)
    if spec is not None:
        wanted = _replicas(spec, found, cluster)
        chosen = LabelSelector(match_labels=spec.selector) if spec.selector else None
        _expand(_Expansion(found, spec.template, "spec.template", wanted, chosen), cluster)


def read_stateful_set(found: Object, cluster: Cluster) -> None:
    """A StatefulSet: units with ordinals and claims of their own."""
    spec = _spec(StatefulSpec, found, cluster)
    if spec is None:
        return
    expansion = _Expansion(
        found, spec.template, "spec.template", _replicas(spec, found, cluster), spec.selector
    )
    expansion.first = spec.ordinals.start
    expansion.claims = tuple(spec.volume_claim_templates)
    expansion.ordinal_labels = ("apps.kubernetes.io/pod-index",)
    expansion.name_label = "statefulset.kubernetes.io/pod-name"
    _expand(expansion, cluster)


def read_job(found: Object, cluster: Cluster) -> None:
    """A Job: as many pods as run at once until it is complete; none if it is over."""
    spec = _spec(JobSpec, found, cluster)
    if spec is not None:
        wanted = 0 if _is_over(found) else _at_once(spec, _succeeded(found))
        if spec.suspend:
            wanted = 0
            cluster.tally.suspended.append(found.title)
        names = dict.fromkeys(("batch.kubernetes.io/job-name", "job-name"), found.name)
        _expand_job(found, spec, "spec.template", wanted, names, cluster)


def read_cron_job(found: Object, cluster: Cluster) -> None:
    """A CronJob: the pods of one run, unless a run is there already."""
    spec = _spec(CronSpec, found, cluster)
    if spec is None:
        return
    job = spec.job_template.spec
    wanted = 0 if _runs(found, cluster) else _at_once(job, 0)
    if spec.suspend or job.suspend:
        wanted = 0
        cluster.tally.suspended.append(found.title)
    elif wanted:
        cluster.tally.cron_runs.append(found.title)
    _expand_job(found, job, "spec.jobTemplate.spec.template", wanted, {}, cluster)


def _spec(model: type[Any], found: Object, cluster: Cluster) -> Any:
    return cluster.checked(model, found, "spec")


def _replicas(spec: ReplicasSpec, found: Object, cluster: Cluster) -> int:
    """The replicas stated; where none are, one, or the minimum of the workload's autoscaler."""
    if spec.replicas is not None:
        return spec.replicas
    minimum = cluster.minimum_of.get((found.kind, found.namespace, found.name), 1)
    if minimum > 1:
        cluster.tally.raised_to_minimum.append(f"{found.title} ({minimum})")
    return max(1, minimum)


def _hash_label(found: Object, cluster: Cluster) -> Labels:
    own = ("Deployment", found.namespace, found.name)
    sets = [o for o in cluster.of_kind("ReplicaSet") if controller(o, cluster) == own]
    newest = max(sets, key=_revision, default=None)
    labels = newest.metadata.get("labels") if newest is not None else None
    value = labels.get(HASH_LABEL) if isinstance(labels, dict) else None
    return {HASH_LABEL: value} if isinstance(value, str) else {}


def _revision(found: Object) -> int:
    annotations = found.metadata.get("annotations")
    text = annotations.get(_REVISION) if isinstance(annotations, dict) else None
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 19 else 0


def _at_once(spec: JobSpec, succeeded: int) -> int:
    parallel = 1 if spec.parallelism is None else spec.parallelism
    if spec.completions is None:
        return parallel
    return min(parallel, max(0, spec.completions - succeeded))


def _succeeded(found: Object) -> int:
    status = found.raw.get("status")
    count = status.get("succeeded") if isinstance(status, dict) else 0
    return count if isinstance(count, int) else 0


def _is_over(found: Object) -> bool:
    status = found.raw.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    return any(
        isinstance(each, dict)
        and each.get("type") in ("Complete", "Failed")
        and each.get("status") == "True"
        for each in (conditions if isinstance(conditions, list) else ())
    )


def _runs(found: Object, cluster: Cluster) -> bool:
    own = ("CronJob", found.namespace, found.name)
    if cluster.live[own]:
        return True
    jobs = (job for job in cluster.of_kind("Job") if controller(job, cluster) == own)
    return any(not _is_over(job) for job in jobs)


def _expand_job(
    found: Object, spec: JobSpec, path: str, wanted: int, labels: Labels, cluster: Cluster
) -> None:
    expansion = _Expansion(found, spec.template, path, wanted, spec.selector, labels=labels)
    expansion.parallelism = spec.parallelism
    if spec.completion_mode == "Indexed":
        expansion.ordinal_labels = ("batch.kubernetes.io/job-completion-index",)
    _expand(expansion, cluster)


def _expand(expansion: _Expansion, cluster: Cluster) -> None:
    found = expansion.source
    missing = expansion.wanted - cluster.live[found.kind, found.namespace, found.name]
    if cluster.planned_replicas(max(0, missing)) > MAX_UNITS:
        cluster.planned_replicas(-missing)
        field_name = "spec.parallelism" if found.kind.endswith("Job") else "spec.replicas"
        limit = f"at most {MAX_UNITS:,} units in all (Kubernetes is built for 150,000 pods)"
        cluster.problem(found, field_name, str(expansion.wanted), limit)
        return
    source = _pod_source(expansion)
    key = cluster.templates.key(source)
    if not isinstance(key, str):
        cluster.estate.problems += key
        return
    _record(expansion, key, cluster)
    numbers = _free_numbers(expansion, cluster)
    for _ in range(missing):
        unit = _unit(expansion, key, next(numbers))
        cluster.add_unit(unit, found)
        plan_claims(unit, source.spec, expansion.claims, found, cluster)


def _pod_source(expansion: _Expansion) -> PodSource:
    found, template = expansion.source, expansion.template
    names = [claim.metadata.name for claim in expansion.claims]
    claims = [
        {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{OWN}"}} for name in names
    ]
    spec = template.spec
    if claims:
        stated = spec.get("volumes")
        listed = stated if isinstance(stated, list) else []
        others = [v for v in listed if not isinstance(v, dict) or v.get("name") not in names]
        spec = {**spec, "volumes": [*others, *claims]}
    return PodSource(
        file=found.file,
        title=found.title,
        path=f"{expansion.path}.",
        key_name=f"{found.namespace}/{found.name}",
        namespace=found.namespace,
        own_name="",
        labels={**template.metadata.labels, **expansion.labels},
        spec=spec,
        live=False,
        asks_by_name=True,
    )


def _record(expansion: _Expansion, key: str, cluster: Cluster) -> None:
    found = expansion.source
    workload = Workload(
        kind=found.kind,
        name=found.name,
        namespace=found.namespace,
        template=key,
        replicas=expansion.wanted,
        selector=expansion.selector,
        parallelism=expansion.parallelism,
    )
    cluster.estate.add("workloads", workload, found.file)


def _free_numbers(expansion: _Expansion, cluster: Cluster) -> Iterator[int]:
    found, number = expansion.source, expansion.first
    while True:
        if not cluster.is_taken(found.namespace, f"{found.name}-{number}"):
            yield number
        number += 1


def _unit(expansion: _Expansion, key: str, number: int) -> Unit:
    found = expansion.source
    name = f"{found.name}-{number}"
    labels = dict.fromkeys(expansion.ordinal_labels, str(number))
    if expansion.name_label:
        labels[expansion.name_label] = name
    return Unit(
        name=name,
        namespace=found.namespace,
        template=key,
        labels=labels,
        owner=f"{found.kind}/{found.name}",
    )
