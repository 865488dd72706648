"""What of a Deployment and its Service decides how long it takes to answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from capsim.errors import InputError, Problem, clip
from capsim.readers import sources
from capsim.readers.parsing import documents
from capsim.scenario.spec import Spec

ServiceType = Literal["none", "ClusterIP", "NodePort", "LoadBalancer"]
_SCALABLE = ("Deployment", "StatefulSet", "ReplicaSet")


class ReadinessProbe(Spec):
    """When the kubelet first asks a container whether it is ready, and how often."""

    initial_delay_s: float = Field(default=0.0, ge=0)
    period_s: float = Field(default=10.0, gt=0)


class Deployed(Spec):
    """A workload of replicas, and the Service in front of it."""

    name: str
    replicas: int = Field(default=1, ge=0, le=15_000)
    images: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    service: ServiceType = "none"
    probe: ReadinessProbe | None = None
    """Of the first container; None: ready as soon as it runs."""


def read_deployment(path: str | Path, *, name: str = "") -> Deployed:
    """The first workload of a file (Deployment, StatefulSet, ReplicaSet) and the Service for it.

    Parameters: path of YAML or JSON; name, of the workload where the file has several.
    Returns: Deployed.
    Raises: InputError if there is none of that name, or a field is wrong.
    """
    found = [
        each for each in documents(sources.load(str(path)), str(path)) if isinstance(each, dict)
    ]
    items = [item for each in found for item in (each.get("items") or [each])]
    objects = [item for item in items if isinstance(item, dict)]
    workloads = [each for each in objects if each.get("kind") in _SCALABLE]
    chosen = [each for each in workloads if not name or _at(each, "metadata", "name") == name]
    if not chosen:
        kinds = ", ".join(sorted({str(each.get("kind")) for each in objects})) or "nothing"
        raise InputError(Problem(str(path), clip(kinds), f"a Deployment {name}".strip()))
    workload = chosen[0]
    pod = _at(workload, "spec", "template", "spec") or {}
    containers = [each for each in _list(pod, "containers") if isinstance(each, dict)]
    ports = [port.get("containerPort") for each in containers for port in _list(each, "ports")]
    stated = _at(workload, "spec", "replicas")
    try:
        return Deployed(
            name=_at(workload, "metadata", "name") or "",
            replicas=1 if stated is None else stated,
            images=tuple(str(each.get("image", "")) for each in containers),
            ports=tuple(port for port in ports if isinstance(port, int)),
            service=_service(objects, _at(workload, "spec", "template", "metadata", "labels")),
            probe=_probe(containers[0]) if containers else None,
        )
    except ValidationError as error:
        detail = error.errors()[0]
        place = ".".join(map(str, detail["loc"]))
        raise InputError(
            Problem(
                str(path),
                clip(detail["input"]),
                detail["msg"].lower(),
                str(workload["kind"]),
                place,
            )
        ) from None


def _service(objects: list[dict[str, Any]], labels: Any) -> Any:
    """The type of the Service whose selector the pods' labels meet; "none" without one."""
    own = labels if isinstance(labels, dict) else {}
    for each in objects:
        selector = _at(each, "spec", "selector") if each.get("kind") == "Service" else None
        named = selector if isinstance(selector, dict) else {}
        if named and all(own.get(key) == value for key, value in named.items()):
            return _at(each, "spec", "type") or "ClusterIP"
    return "none"


def _probe(container: dict[str, Any]) -> ReadinessProbe | None:
    probe = container.get("readinessProbe")
    if not isinstance(probe, dict):
        return None
    return ReadinessProbe(
        initial_delay_s=probe.get("initialDelaySeconds") or 0,
        period_s=probe.get("periodSeconds") or 10,
    )


def _at(found: Any, *path: str) -> Any:
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _list(found: Any, key: str) -> list[Any]:
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, list) else []
