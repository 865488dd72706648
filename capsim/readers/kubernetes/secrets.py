"""Which secrets a pod holds: what whoever takes over its kernel can read.

Only names are read, never contents. The fields are not validated further: a pod whose secrets are
written in a form that the API would refuse simply names none there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def named(spec: dict[str, Any]) -> list[str]:
    """Names of the secrets of a raw pod spec: mounted, in variables, for pulling; sorted.

    >>> named({"volumes": [{"name": "tls", "secret": {"secretName": "web-tls"}}]})
    ['web-tls']
    """
    found = {name for name in _names(spec) if isinstance(name, str) and name}
    return sorted(found) if found else []


def account(spec: dict[str, Any]) -> str:
    """The service account whose token the pod carries; empty where it has none that is named."""
    name = spec.get("serviceAccountName")
    carries = spec.get("automountServiceAccountToken") is not False
    return name if carries and isinstance(name, str) else ""


def _names(spec: dict[str, Any]) -> Iterator[Any]:
    for volume in _entries(spec, "volumes"):
        if "secret" in volume:
            yield _inner(volume, "secret").get("secretName")
        elif "projected" in volume:
            for source in _entries(_inner(volume, "projected"), "sources"):
                yield _inner(source, "secret").get("name")
    for part in ("containers", "initContainers"):
        for container in _entries(spec, part):
            for variable in _entries(container, "env"):
                if "valueFrom" in variable:
                    yield _inner(_inner(variable, "valueFrom"), "secretKeyRef").get("name")
            for whole in _entries(container, "envFrom"):
                yield _inner(whole, "secretRef").get("name")
    for pull in _entries(spec, "imagePullSecrets"):
        yield pull.get("name")


def _entries(mapping: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = mapping.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _inner(mapping: dict[str, Any], key: str) -> dict[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, dict) else {}
