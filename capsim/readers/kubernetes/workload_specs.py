"""Specs of the workloads: the loose models of the API's fields."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from capsim.readers.kubernetes.api_fields import NOT_READ
from capsim.readers.kubernetes.fields import Count, Flag, Loose, Selector, without_nulls
from capsim.readers.kubernetes.podspec import ClaimTemplate
from capsim.scenario import Labels


class TemplateMetadata(Loose):
    """Metadata of a pod template."""

    labels: Annotated[Labels, BeforeValidator(without_nulls)] = {}


class PodTemplate(Loose):
    """A pod template; its spec is checked as that of a pod."""

    metadata: TemplateMetadata = TemplateMetadata()
    spec: dict[str, Any]


class ReplicasSpec(Loose):
    """Deployment, ReplicaSet, and the base of the others."""

    also: ClassVar[frozenset[str]] = NOT_READ["replicas"]
    replicas: Count | None = None
    selector: Selector | None = None
    template: PodTemplate


class ControllerSpec(ReplicasSpec):
    """A ReplicationController selects by plain labels."""

    selector: Labels | None = None  # type: ignore[assignment]


class Ordinals(Loose):
    """Where a StatefulSet begins to count."""

    start: Count = 0


class StatefulSpec(ReplicasSpec):
    """StatefulSet."""

    ordinals: Ordinals = Ordinals()
    volume_claim_templates: list[ClaimTemplate] = []


class JobSpec(Loose):
    """Job."""

    also: ClassVar[frozenset[str]] = NOT_READ["job"]
    parallelism: Count | None = None
    completions: Count | None = None
    completion_mode: str = ""
    suspend: Flag = False
    selector: Selector | None = None
    template: PodTemplate


class JobTemplate(Loose):
    """The job of a CronJob."""

    spec: JobSpec


class CronSpec(Loose):
    """CronJob."""

    also: ClassVar[frozenset[str]] = NOT_READ["cron"]
    suspend: Flag = False
    job_template: JobTemplate


class DaemonSpec(Loose):
    """DaemonSet."""

    also: ClassVar[frozenset[str]] = NOT_READ["replicas"]
    selector: Selector | None = None
    template: PodTemplate
