"""Gives each pod the key of its template, and builds each distinct template once.

A dump of 150,000 pods has some dozens of templates. What matters of a pod's raw spec is packed
into bytes that are cheap to compute; only bytes not seen before are validated and built.
"""

from __future__ import annotations

import marshal
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from capsim.errors import Problem
from capsim.readers.kubernetes import podspec, secrets
from capsim.readers.kubernetes.admission import Admission
from capsim.readers.kubernetes.fields import problems
from capsim.readers.kubernetes.podspec import RawContainerStatus, RawPodSpec
from capsim.scenario import Labels, Template, TemplateTable, print_resources

#: Labels that each unit has for itself; the rest belong to the template.
OWN_LABELS = (
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
)

_CONTAINER_FIELDS = ("name", "image", "resources", "ports", "restartPolicy")
_SPEC_FIELDS = (
    "resources",
    "overhead",
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "priority",
    "priorityClassName",
    "preemptionPolicy",
    "schedulerName",
    "schedulingGates",
    "runtimeClassName",
    "hostNetwork",
    "resourceClaims",
)
_DISKS = ("gcePersistentDisk", "awsElasticBlockStore", "iscsi", "rbd")
_LABELS = TypeAdapter(Labels)
_STATUSES = TypeAdapter(list[RawContainerStatus])
_RESOURCE_FIELDS = ("requests", "limits")


@dataclass(frozen=True)
class PodSource:
    """A pod, or the pod template of a workload, as it stands in its object."""

    file: str
    title: str
    """The object, for messages."""
    path: str
    """Where the pod's metadata and spec stand in it: "" or "spec.template."."""
    key_name: str
    """Namespace/name that the template gets if it is new."""
    namespace: str
    own_name: str
    """Name of the pod itself, part of claims that only it has; "" for a workload's template."""
    labels: Any
    spec: dict[str, Any]
    live: bool
    """Admitted by an API server: nothing is to be filled in."""
    statuses: tuple[Any, ...] = ()
    asks_by_name: bool = False
    """Whether spec.nodeName is a wish (of a workload's template), not where the pod runs."""


@dataclass(frozen=True)
class _Known:
    """What some raw bytes amount to: a template's key, or what is wrong."""

    key: str = ""
    problems: tuple[Problem, ...] = ()


class Templates:
    """The templates of a Kubernetes input."""

    def __init__(self, table: TemplateTable, rules: Admission) -> None:
        self.lacking: dict[str, frozenset[str]] = {}
        """By template key: which of cpu and memory some container does not request."""
        self._table = table
        self._rules = rules
        self._known: dict[bytes, _Known] = {}

    def key(self, source: PodSource) -> str | list[Problem]:
        """The key of a pod's template, or what is wrong with the pod."""
        content = _packed(source)
        known = self._known.get(content) if content is not None else None
        if known is None:
            known = self._build(source)
            if content is not None:
                self._known[content] = known
        if known.problems:
            return [_of(problem, source) for problem in known.problems]
        return known.key

    def _build(self, source: PodSource) -> _Known:
        found: list[Problem] = []
        context = {"live": source.live}
        raw = _checked(RawPodSpec.model_validate, source, "spec", source.spec, context, found)
        labels = _checked(
            _LABELS.validate_python, source, "metadata.labels", source.labels, context, found
        )
        statuses = _checked(
            _STATUSES.validate_python,
            source,
            "status.containerStatuses",
            list(source.statuses),
            {"live": True},
            found,
        )
        if found:
            return _Known(problems=tuple(found))
        fields = self._fields(source, raw, labels, statuses)
        if source.asks_by_name:
            fields["node_name"] = raw.node_name or None
        template = _template(fields)
        key = self._table.key(template, source.key_name)
        self.lacking[key] = podspec.lacks(template)
        return _Known(key)

    def _fields(
        self, source: PodSource, raw: RawPodSpec, labels: Labels, statuses: list[RawContainerStatus]
    ) -> dict[str, Any]:
        held = {
            "secrets": tuple(secrets.named(source.spec)),
            "service_account_name": secrets.account(source.spec),
        }
        if source.live:
            return podspec.as_stated(raw, labels, source.own_name, statuses) | held
        stated = podspec.as_admitted(raw, labels, source.own_name, self._rules, source.namespace)
        return stated | held


def _checked(
    validate: Any,
    source: PodSource,
    field: str,
    value: Any,
    context: dict[str, bool],
    found: list[Problem],
) -> Any:
    try:
        return validate(value, context=context)
    except ValidationError as error:
        path = source.path + field
        found += problems(error, source.file, source.title, value, path)
        return None


def _of(problem: Problem, source: PodSource) -> Problem:
    """The same problem as another object has it."""
    return Problem(source.file, problem.found, problem.expected, source.title, problem.field)


def _template(fields: dict[str, Any]) -> Template:
    """Builds the template; amounts go through their quantities, the form a Spec reads."""
    for container in (*fields["containers"], *fields["init_containers"]):
        for name in _RESOURCE_FIELDS:
            container[name] = print_resources(container[name])
    for name in (*_RESOURCE_FIELDS, "overhead"):
        fields[name] = print_resources(fields[name])
    return Template(**fields)


def _packed(source: PodSource) -> bytes | None:
    """Equal bytes for pods that make equal templates; None for a spec of a wrong shape."""
    spec = source.spec
    try:
        parts = (
            "" if source.live else source.namespace,
            source.live,
            source.path,
            spec.get("nodeName") if source.asks_by_name else "",
            source.labels,
            [_container(raw) for raw in spec.get("containers") or ()],
            [_container(raw) for raw in spec.get("initContainers") or ()],
            [spec.get(name) for name in _SPEC_FIELDS],
            [each for raw in spec.get("volumes") or () for each in _claims(raw, source.own_name)],
            any("emptyDir" in raw or "hostPath" in raw for raw in spec.get("volumes") or ()),
            secrets.named(spec),
            secrets.account(spec),
            source.statuses,
        )
        # Version 2 has no back references, so equal content always gives equal bytes.
        return marshal.dumps(parts, 2)
    except (AttributeError, TypeError, ValueError, LookupError):
        return None


def _container(raw: Any) -> list[Any]:
    return [raw.get(name) for name in _CONTAINER_FIELDS]


def _claims(raw: Any, own_name: str) -> list[Any]:
    """What of a volume matters: its claim, or the disk that it names."""
    if "persistentVolumeClaim" in raw:
        return [podspec.shared_claim(raw["persistentVolumeClaim"]["claimName"], own_name)]
    if "ephemeral" in raw:
        return [raw["name"], raw["ephemeral"]]
    return [(kind, raw[kind]) for kind in _DISKS if kind in raw]
