"""What images take in a registry and on a node's disk: a shared layer is stored once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from capsim.data_files import data_path
from capsim.errors import ModelError
from capsim.scenario import Assumption
from capsim.stack.images.parameters import of_images
from capsim.stack.images.result import Image, Layer


def unique_layers(images: Iterable[Image]) -> list[Layer]:
    """The layers of several images, each once: what a registry and a node store."""
    return list({layer.digest: layer for image in images for layer in image.layers}.values())


@dataclass(frozen=True, eq=False)
class Stored:
    """What images take in a registry and on a node's disk."""

    table: pd.DataFrame
    """One row an image: image, compressed_mb, shared_mb (in an earlier image), own_mb."""
    registry_mb: float
    node_mb: float
    """Compressed and unpacked: containerd keeps both unless told to discard."""
    disk_mb: float
    assumptions: tuple[Assumption, ...] = field(default=())

    @property
    def disk_share(self) -> float:
        """Of the node's disk."""
        return self.node_mb / self.disk_mb

    @property
    def to_collect_mb(self) -> float:
        """What the kubelet would delete: above 85 % of the disk, down to 80 %."""
        begins, ends = (of_images("kubelet", f"collection {x}").figure.value / 100 for x in _ENDS)
        over = self.node_mb - ends * self.disk_mb
        return max(0.0, over) if self.disk_share >= begins else 0.0

    def summary(self) -> dict[str, float]:
        """MB in the registry and on a node, share of its disk, MB to collect, price of storage."""
        return {
            "registry_mb": self.registry_mb,
            "node_mb": self.node_mb,
            "disk_share": self.disk_share,
            "to_collect_mb": self.to_collect_mb,
            "registry_usd_per_month": self.registry_mb / 1000 * storage_usd_per_gb_month(),
        }

    def _repr_html_(self) -> str:
        html: str = self.table.to_html(index=False)
        return html


_ENDS = ("begins", "ends")


def stored(images: Sequence[Image], *, disk_gb: float = 100.0) -> Stored:
    """What images take, with shared layers stored once.

    Parameters: images; disk_gb, the node's disk for images (10^9 bytes).
    Returns: Stored.
    Raises: ModelError for a disk that is not above 0.
    Model: docs/models/images_and_starts.md, "Storing".
    """
    if not 0 < disk_gb < math.inf:
        raise ModelError(f"a disk of {disk_gb} GB, expected more than 0.")
    seen: set[str] = set()
    rows = []
    for image in images:
        shared = sum(x.compressed_mb.value for x in image.layers if x.digest in seen)
        whole = image.compressed_mb.value
        rows.append((image.name, whole, shared, whole - shared))
        seen |= {layer.digest for layer in image.layers}
    layers = unique_layers(images)
    packed = sum(layer.compressed_mb.value for layer in layers)
    unpacked = sum(layer.unpacked_mb.value for layer in layers)
    table = pd.DataFrame(rows, columns=["image", "compressed_mb", "shared_mb", "own_mb"])
    ends = [of_images("kubelet", f"collection {x}").assumption for x in _ENDS]
    return Stored(table, packed, packed + unpacked, disk_gb * 1000, tuple(ends))


def storage_usd_per_gb_month() -> float:
    """List price of registry storage: what ECR, Artifact Registry and ACR all asked in 2024-07."""
    table = pd.read_csv(data_path("catalogue", "registry_limits.csv"))
    return float(
        table.loc[table["kind"] == "storage_price", "usd_per_gb_month"].astype(float).median()
    )
