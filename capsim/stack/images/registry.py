"""Registry and node caches: what is stored once, what a pull moves, how long a pull storm lasts."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.data_files import data_path
from capsim.errors import ModelError, nearest
from capsim.scenario import Assumption
from capsim.stack.images import _kernels
from capsim.stack.images.parameters import of_images
from capsim.stack.images.result import Image, Layer
from capsim.stack.parameters import Parameter

Cache = Literal["cold", "base", "warm"]
"""What nodes have: nothing, the base image's layers, or every layer."""
CACHES: tuple[Cache, ...] = ("cold", "base", "warm")
_MOST_NODES = 15_000


@dataclass(frozen=True)
class Links:
    """How fast bytes move and are unpacked; MB/s (10^6 bytes)."""

    node_mb_s: float = of_images("pull", "node bandwidth").figure.value
    """What one node takes from the registry."""
    stream_mb_s: float = of_images("pull", "stream bandwidth").figure.value
    """One connection, so one layer."""
    registry_mb_s: float = of_images("pull", "registry bandwidth").figure.value
    """All nodes together."""
    unpack_mb_s: float = of_images("pull", "unpack rate").figure.value
    """Of unpacked bytes on one node."""
    layers_at_once: int = int(of_images("containerd", "layers at once").figure.value)
    images_at_once: int = int(of_images("kubelet", "images at once").figure.value)
    request_s: float = of_images("pull", "request").figure.value
    """Before the first byte, for each image."""

    def __post_init__(self) -> None:
        for name in ("node_mb_s", "stream_mb_s", "registry_mb_s", "unpack_mb_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise ModelError(f"{name} is {getattr(self, name)}, expected more than 0 MB/s.")
        if self.layers_at_once < 1 or self.images_at_once < 1:
            raise ModelError("layers and images at once are expected to be at least 1.")


@dataclass(frozen=True, eq=False)
class Pull:
    """How long nodes take to get images, downloaded and unpacked."""

    images: tuple[Image, ...]
    nodes: Mapping[Cache, int]
    links: Links
    downloaded_s: NDArray[np.float64]
    """[C] of each cache state with nodes."""
    ready_s: NDArray[np.float64]
    """[C]"""
    pulled_mb: NDArray[np.float64]
    """[C] of one node."""
    addresses: int
    """Public addresses behind which the nodes stand."""
    assumptions: tuple[Assumption, ...] = field(default=())

    @property
    def limits(self) -> pd.DataFrame:
        """Docker Hub's pull limits against this pull, see `pull_limits`."""
        counts = zip(self.nodes.values(), self.pulled_mb.tolist(), strict=True)
        pulling = sum(number for number, size in counts if size > 0)
        return pull_limits(pulling * len(self.images), self.addresses)

    @property
    def total_mb(self) -> float:
        """Bytes that leave the registry."""
        return float(self.pulled_mb @ np.array(list(self.nodes.values()), float))

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a cache state: cache, nodes, pulled_mb (of one), downloaded_s, ready_s."""
        return pd.DataFrame(
            {
                "cache": list(self.nodes),
                "nodes": list(self.nodes.values()),
                "pulled_mb": self.pulled_mb,
                "downloaded_s": self.downloaded_s,
                "ready_s": self.ready_s,
            }
        )

    @property
    def registry_share(self) -> float:
        """What the registry gives, over the time it gives, of what it could: 1 is saturated."""
        longest = float(self.downloaded_s.max(initial=0)) - self.links.request_s
        return self.total_mb / (longest * self.links.registry_mb_s) if longest > 0 else 0.0

    def summary(self) -> dict[str, float]:
        """Nodes, MB moved, when the last node is ready, and how busy the registry is."""
        return {
            "nodes": sum(self.nodes.values()),
            "pulled_mb": self.total_mb,
            "last_ready_s": float(self.ready_s.max(initial=0)),
            "registry_share": self.registry_share,
        }

    def explain(self) -> str:
        """What holds the pull back, in one sentence."""
        if not self.total_mb:
            return "Every node has every layer; nothing is pulled."
        at = int(np.argmax(self.ready_s))
        unpacking = self.ready_s[at] - self.downloaded_s[at]
        waits = self.downloaded_s[at] - self.links.request_s
        busy = self.registry_share > 0.9
        link = self.pulled_mb[at] / max(waits, 1e-9) > 0.9 * self.links.node_mb_s
        holds = (
            f"the registry's {self.links.registry_mb_s:,.0f} MB/s"
            if busy
            else f"the node's {self.links.node_mb_s:,.0f} MB/s"
            if link
            else f"{self.links.layers_at_once} connections of {self.links.stream_mb_s:,.0f} MB/s"
        )
        return (
            f"The last node is ready after {self.ready_s[at]:.1f} s: {self.pulled_mb[at]:,.0f} MB "
            f"come in {waits:.1f} s, held back by {holds}; unpacking ends {unpacking:.1f} s later."
        )

    def _repr_html_(self) -> str:
        html: str = self.table.to_html(index=False)
        return html


def pull(
    images: Image | Sequence[Image],
    nodes: int | Mapping[Cache, int] = 1,
    *,
    links: Links | None = None,
    addresses: int = 1,
) -> Pull:
    """How long a pull takes when so many nodes begin at once.

    Nodes with the same cache are one class: a thousand equal nodes cost no more than one. Layers
    that images share are fetched once.

    Parameters: images; nodes, all cold, or how many by cache ("cold", "base", "warm"); links, rates
    and concurrency; addresses, public IPv4 addresses behind which the nodes stand, for the limits.
    Returns: Pull, with .table, .limits, .explain().
    Raises: ModelError for an unknown cache, no node, or rates that are not above 0.
    Model: docs/models/images_and_starts.md, "Pulling".

    >>> cs.pull(cs.image("Dockerfile"), {"cold": 50, "base": 50}).summary()
    """
    listed = (images,) if isinstance(images, Image) else tuple(images)
    links = links or Links()
    counts = _counts(nodes)
    layers, owner = columns(listed)
    missing = np.array([[_missing(cache, layer) for layer in layers] for cache in counts], bool)
    size = np.array([layer.compressed_mb.value for layer in layers])
    unpack = np.array([layer.unpacked_mb.value for layer in layers]) / links.unpack_mb_s
    downloaded, ready = _storm(missing, size, unpack, owner, list(counts.values()), links)
    return Pull(
        images=listed,
        nodes=counts,
        links=links,
        downloaded_s=downloaded,
        ready_s=ready.max(axis=1),
        pulled_mb=(missing * size).sum(axis=1),
        addresses=addresses,
        assumptions=_assumptions(listed),
    )


def pull_curve(
    image: Image, nodes: Sequence[int], *, cache: Cache = "cold", links: Links | None = None
) -> NDArray[np.float64]:
    """Seconds until the last of so many equal nodes has an image, for each number of nodes.

    Raises: ModelError as `pull`.
    """
    links = links or Links()
    layers, owner = columns([image])
    missing = np.array([[_missing(cache, layer) for layer in layers]], bool)
    size = np.array([layer.compressed_mb.value for layer in layers])
    unpack = np.array([layer.unpacked_mb.value for layer in layers]) / links.unpack_mb_s
    listed = [list(_counts({cache: int(number)}).values()) for number in nodes]
    ready = [_storm(missing, size, unpack, owner, counts, links)[1].max() for counts in listed]
    return np.array(ready, float)


def _counts(nodes: int | Mapping[Cache, int]) -> dict[Cache, int]:
    counts: dict[Cache, int] = {"cold": nodes} if isinstance(nodes, int) else dict(nodes)
    for cache, number in counts.items():
        if cache not in CACHES:
            raise ModelError(f"no cache state {cache!r}{nearest(cache, CACHES)}.")
        if not 0 <= number <= _MOST_NODES:
            raise ModelError(f"{number} {cache} nodes, expected 0 to {_MOST_NODES:,}.")
    if not sum(counts.values()):
        raise ModelError("no node pulls, expected at least one.")
    return {cache: number for cache, number in counts.items() if number}


def columns(images: Sequence[Image]) -> tuple[list[Layer], NDArray[np.int64]]:
    """Each layer once, with the first image that has it: one that all have still counts its image.

    Raises: ModelError if there is no layer at all.
    """
    seen: dict[str, None] = {}
    layers: list[Layer] = []
    owner: list[int] = []
    for at, image in enumerate(images):
        for layer in image.layers:
            if layer.digest not in seen:
                seen[layer.digest] = None
                layers.append(layer)
                owner.append(at)
    if not layers:
        raise ModelError("the images have no layer, so there is nothing to pull.")
    order = {image: number for number, image in enumerate(sorted(set(owner)))}
    return layers, np.array([order[each] for each in owner], np.int64)


def _missing(cache: Cache, layer: Layer) -> bool:
    return cache == "cold" or (cache == "base" and not layer.of_base)


def _storm(
    missing: NDArray[np.bool_],
    size: NDArray[np.float64],
    unpack_s: NDArray[np.float64],
    owner: NDArray[np.int64],
    counts: Sequence[int],
    links: Links,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    downloaded = np.empty(len(missing))
    ready = np.empty((len(missing), int(owner[-1]) + 1))
    _kernels.storm(
        np.where(missing.any(axis=1), links.request_s, 0.0),
        np.array(counts, np.int64),
        np.where(missing, size, -1.0),
        unpack_s,
        owner,
        links.images_at_once,
        links.layers_at_once,
        links.node_mb_s,
        links.stream_mb_s,
        links.registry_mb_s,
        downloaded,
        ready,
    )
    return downloaded, ready


@functools.cache
def _pull_limits() -> pd.DataFrame:
    table = pd.read_csv(data_path("catalogue", "registry_limits.csv"))
    return table[table["kind"] == "pull_limit"]


def pull_limits(pulls: int, addresses: int = 1) -> pd.DataFrame:
    """Docker Hub's limits against so many pulls: plan, allowed, refused, hours_until_all.

    A pull is one manifest; nodes behind one address count together. Source: docs.docker.com,
    docker-hub/usage, 2026-09 (data/catalogue/registry_limits.csv).
    """
    if addresses < 1:
        raise ModelError(f"{addresses} addresses, expected at least 1.")
    found = []
    for _, row in _pull_limits().iterrows():
        bounded = row["limit_value"] != "unlimited"
        per = addresses if "address" in str(row["limit_unit"]) else 1
        allowed = float(row["limit_value"]) * per if bounded else math.inf
        windows = math.ceil(pulls / allowed) - 1 if bounded and pulls else 0
        found.append((row["registry_or_image"], allowed, max(0.0, pulls - allowed), 6.0 * windows))
    names = ["plan", "allowed_per_6_hours", "refused_pulls", "hours_until_all"]
    return pd.DataFrame(found, columns=names)


@functools.cache
def link_parameters() -> list[Parameter]:
    """The parameters that `Links` takes by default."""
    names = ("node bandwidth", "stream bandwidth", "registry bandwidth", "unpack rate", "request")
    own = [of_images("pull", name) for name in names]
    return [*own, of_images("containerd", "layers at once"), of_images("kubelet", "images at once")]


def _assumptions(images: Sequence[Image]) -> tuple[Assumption, ...]:
    stated = [each for image in images for each in image.assumptions]
    return tuple(dict.fromkeys((*stated, *(each.assumption for each in link_parameters()))))
