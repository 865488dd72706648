"""Nodes in groups that people know: zones where the cluster has several, machine shapes else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.scenario import Node, Scenario

#: Labels that name a GPU model, in the order in which they are asked.
_MODEL_LABELS = (
    "nvidia.com/gpu.product",
    "alibabacloud.com/gpu-card-model",
    "cloud.google.com/gke-accelerator",
    "accelerator",
)


@dataclass(frozen=True, eq=False)
class Group:
    """Nodes that stand together."""

    name: str
    rows: NDArray[np.int64]
    """Rows of its nodes, in the order of the input."""


def group_nodes(scenario: Scenario, *, most: int | None = None) -> list[Group]:
    """Zones by name where there are several, else machine shapes from many nodes to few.

    Beyond `most` groups, those of fewest nodes are one group of "others", which comes last.
    """
    if not by_zone(scenario):
        return group_by_shape(scenario, most=most)
    names = [f"zone {node.zone}" if node.zone else "no zone" for node in scenario.nodes]
    groups = sorted(_grouped(names), key=lambda group: group.name)
    return _merge(groups, most, "zones")


def group_by_shape(scenario: Scenario, *, most: int | None = None) -> list[Group]:
    """Machine shapes from many nodes to few; beyond `most`, the rest is one group of "others"."""
    groups = _grouped([shape_of(node) for node in scenario.nodes])
    groups.sort(key=lambda group: (-len(group.rows), group.name))
    return _merge(groups, most, "shapes")


def _grouped(names: list[str]) -> list[Group]:
    members: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        members.setdefault(name, []).append(row)
    return [Group(name, np.array(rows, np.int64)) for name, rows in members.items()]


def _merge(groups: list[Group], most: int | None, kind: str) -> list[Group]:
    if most is None or len(groups) <= most:
        return groups
    by_size = sorted(groups, key=lambda group: -len(group.rows))
    kept = {group.name for group in by_size[: most - 1]}
    rest = [group for group in groups if group.name not in kept]
    rows = np.sort(np.concatenate([group.rows for group in rest]))
    others = Group(f"{len(rest)} other {kind}", rows)
    return [*(group for group in groups if group.name in kept), others]


def by_zone(scenario: Scenario) -> bool:
    """Whether the nodes stand in more than one zone."""
    return len({node.zone for node in scenario.nodes if node.zone is not None}) > 1


def shape_of(node: Node) -> str:
    """The machine's shape in words, GPU model named where a label tells it."""
    model = next((node.labels[key] for key in _MODEL_LABELS if key in node.labels), "")
    if not model or node.shape != node.size:
        return node.shape
    if node.gpu_devices:
        return node.shape.replace(" GPU", f" {model} GPU")
    return f"{node.shape}, {model}"


def sorted_by(values: NDArray[np.float64], group: Group) -> NDArray[np.int64]:
    """The group's rows from the highest value to the lowest, ties by row."""
    chosen = np.nan_to_num(values[group.rows], nan=-1.0)
    return group.rows[np.argsort(-chosen, kind="stable")]
