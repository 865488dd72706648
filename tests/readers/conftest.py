"""Fixtures of the reader tests: read texts as if they were files, and see what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from capsim.errors import InputError
from capsim.readers import read
from capsim.scenario import Scenario

Reads = Callable[..., Scenario]
Refuses = Callable[..., str]


def write(folder: Path, content: Any, name: str) -> Path:
    """A text, bytes, or a list of Kubernetes objects as a file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list):
        content = json.dumps({"apiVersion": "v1", "kind": "List", "items": content})
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def reads(tmp_path: Path) -> Reads:
    """Reads a content under a name, and further ones given as keyword-like pairs."""

    def reading(content: Any, name: str = "input.yaml", *more: tuple[Any, str]) -> Scenario:
        return read([write(tmp_path, text, file) for text, file in ((content, name), *more)])

    return reading


@pytest.fixture
def refuses(reads: Reads, tmp_path: Path) -> Refuses:
    """The words with which contents are refused, without the folder's name."""

    def refusing(content: Any, name: str = "input.yaml", *more: tuple[Any, str]) -> str:
        with pytest.raises(InputError) as caught:
            reads(content, name, *more)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return refusing


@pytest.fixture
def kube() -> SimpleNamespace:
    """Small, ordinary Kubernetes objects to vary."""
    return SimpleNamespace(
        node=node, pod=pod, live_pod=live_pod, deployment=deployment, container=container
    )


def container(name: str = "main", **more: Any) -> dict[str, Any]:
    requests = {"cpu": "250m", "memory": "128Mi"}
    return {"name": name, "image": "shop/web:1", "resources": {"requests": requests}, **more}


def node(name: str = "n1", **allocatable: str) -> dict[str, Any]:
    offered = {"cpu": "4", "memory": "16Gi", "pods": "110", **allocatable}
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "a"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {},
        "status": {"allocatable": offered},
    }


def pod(name: str = "web", namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "web"}},
        "spec": {"containers": [container()], **spec},
    }


def live_pod(
    name: str = "web-1",
    node: str | None = "n1",
    owner: tuple[str, str] | None = None,
    phase: str = "Running",
    **spec: Any,
) -> dict[str, Any]:
    found = pod(name, **spec)
    found["metadata"] |= {"uid": f"uid-{name}", "creationTimestamp": "2025-03-01T10:00:00Z"}
    found["status"] = {"phase": phase}
    if node:
        found["spec"]["nodeName"] = node
    if owner:
        reference = {"kind": owner[0], "name": owner[1], "controller": True, "uid": "x"}
        found["metadata"]["ownerReferences"] = [{"apiVersion": "apps/v1", **reference}]
    return found


def deployment(name: str = "web", replicas: int | None = 3, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container()], **spec},
            },
        },
    }
