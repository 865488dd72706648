"""Node: what it has to give, its labels, taints and images."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from capsim.errors import clip
from capsim.readers.kubernetes.cluster import Cluster
from capsim.readers.kubernetes.fields import Flag, Loose, without_nulls
from capsim.readers.kubernetes.objects import Object
from capsim.scenario import (
    CPU,
    MEMORY,
    PODS,
    Labels,
    Node,
    NodeImage,
    Resources,
    print_resources,
)
from capsim.scenario.selectors import Effect

#: What a kubelet allows where nothing else is configured (its flag --max-pods).
DEFAULT_PODS = 110


class _Metadata(Loose):
    labels: Annotated[Labels, BeforeValidator(without_nulls)] = {}


class _Taint(Loose):
    also: ClassVar[frozenset[str]] = frozenset({"timeAdded"})
    key: str
    value: str = ""
    effect: Effect


class _Spec(Loose):
    taints: list[_Taint] = []
    unschedulable: Flag = False


class _Status(Loose):
    allocatable: Resources = {}
    capacity: Resources = {}
    images: list[dict[str, Any]] = []


class _Node(Loose):
    metadata: _Metadata
    spec: _Spec = _Spec()
    status: _Status = _Status()


def read_node(found: Object, cluster: Cluster) -> None:
    """Adds a node."""
    raw = cluster.checked(_Node, found)
    if raw is None:
        return
    offered = dict(raw.status.allocatable or raw.status.capacity)
    missing = [name for name in (CPU, MEMORY) if name not in offered]
    if missing:
        what = " and ".join(missing)
        cluster.problem(
            found, "status.allocatable", f"no {what}", "what the node offers, here or in capacity"
        )
        return
    if PODS not in offered:
        offered[PODS] = DEFAULT_PODS
        cluster.tally.nodes_without_pod_limit.append(found.name)
    try:
        images = tuple(_image(image) for image in raw.status.images)
    except ValueError:
        expected = "images, each with a list of names and sizeBytes"
        cluster.problem(found, "status.images", clip(raw.status.images), expected)
        return
    cluster.estate.add_node(_node(found.name, raw, offered, images), found.file)


def _image(raw: dict[str, Any]) -> NodeImage:
    names, size = raw.get("names") or [], raw.get("sizeBytes", 0)
    if not isinstance(names, list) or not isinstance(size, int):
        raise ValueError(raw)
    if not all(isinstance(name, str) for name in names):
        raise ValueError(raw)
    return _known_image(tuple(names), size)


@lru_cache(maxsize=2**14)
def _known_image(names: tuple[str, ...], size_bytes: int) -> NodeImage:
    """Nodes hold the same images, so each is checked and kept once."""
    return NodeImage(names=names, size_bytes=size_bytes)


def _node(name: str, raw: _Node, offered: dict[str, int], images: tuple[NodeImage, ...]) -> Node:
    return Node.model_validate(
        {
            "name": name,
            "labels": raw.metadata.labels,
            "taints": [taint.model_dump() for taint in raw.spec.taints],
            "unschedulable": raw.spec.unschedulable,
            "allocatable": print_resources(offered),
            "capacity": print_resources(raw.status.capacity),
            "images": images,
        }
    )
