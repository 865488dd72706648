"""What labels, taints and images decide once and for all: tables over classes, not over nodes.

Nodes that no rule of the active templates can tell apart form one class, and so do templates of
one signature; each pair is asked once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import (
    image_locality,
    node_affinity,
    node_name,
    node_unschedulable,
    taint_toleration,
)
from capsim.scenario import Node, SchedulerProfile, Template
from capsim.topology import Int32, Int64, Topology

#: The filters whose answer never changes while units are placed, in the order of the scheduler.
FILTERS = (node_unschedulable, node_name, taint_toleration, node_affinity)
_NODE_NAME = "metadata.name"
_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class StaticTables:
    """Answers of the static plugins for C templates and K node classes."""

    template_rows: Int64
    """[C] row of the template in the topology."""
    node_class: Int32
    """[N]"""
    refusal: NDArray[np.int8]
    """[C, K] 0, or the number (from 1) of the first filter that refuses."""
    reason: list[list[str]]
    """[C][K] its words."""
    taint_raw: Int64
    """[C, K]"""
    affinity_raw: Int64
    """[C, K]"""
    image: Int64
    """[C, K] 0..100"""

    @property
    def varies(self) -> NDArray[np.bool_]:
        """[C] whether raw scores differ among the nodes that pass, so that they matter."""
        passes = self.refusal == 0
        return _spread(self.taint_raw, passes) | _spread(self.affinity_raw, passes)


def _spread(raw: Int64, passes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    low = np.where(passes, raw, np.iinfo(np.int64).max).min(axis=1, initial=np.iinfo(np.int64).max)
    high = np.where(passes, raw, -1).max(axis=1, initial=-1)
    result: NDArray[np.bool_] = low < high
    return result


def static_tables(
    topology: Topology, template_rows: Sequence[int], profile: SchedulerProfile
) -> StaticTables:
    """Ask every static plugin about every class of templates and nodes."""
    nodes = topology.scenario.nodes
    keys = topology.template_keys
    templates = [topology.scenario.templates[keys[row]] for row in template_rows]
    spread = image_locality.ImageSpread(nodes)
    images = frozenset[str]().union(*(spread.known(template) for template in templates))
    look = _label_keys(templates, profile)
    named = {template.node_name for template in templates}
    node_class, example = _classes(nodes, lambda node: _node_signature(node, look, images, named))
    kind, first = _classes(templates, lambda template: _template_signature(template, images))
    tables = [_ask(templates[i], [nodes[k] for k in example], profile, spread) for i in first]
    classes = len(example)

    def gather(column: int, dtype: type) -> NDArray[np.int64]:
        rows: NDArray[np.int64] = np.array([each[column] for each in tables], dtype)
        return rows.reshape(len(tables), classes)[kind]

    return StaticTables(
        template_rows=np.array(template_rows, np.int64),
        node_class=node_class,
        refusal=gather(0, np.int8).astype(np.int8),
        reason=[tables[k][1] for k in kind.tolist()],
        taint_raw=gather(2, np.int64),
        affinity_raw=gather(3, np.int64),
        image=gather(4, np.int64),
    )


def allowed(
    topology: Topology, templates: Sequence[Template], profile: SchedulerProfile | None = None
) -> NDArray[np.bool_]:
    """[T, N] whether static rules (cordons, names, taints, affinities) let a template on a node."""
    policy = profile or topology.scenario.profile
    look = _label_keys(templates, policy)
    named = {template.node_name for template in templates}
    nodes = topology.scenario.nodes
    node_class, example = _classes(
        nodes, lambda node: _node_signature(node, look, frozenset(), named)
    )
    table = np.array(
        [[_refusal(t, nodes[k], policy)[0] == 0 for k in example] for t in templates], bool
    ).reshape(len(templates), len(example))
    return table[:, node_class]


def _classes(things: Sequence[_T], signature: Callable[[_T], Hashable]) -> tuple[Int32, list[int]]:
    """The class of each thing, and the row of the first thing of each class."""
    number: dict[Hashable, int] = {}
    example: list[int] = []
    rows = np.empty(len(things), np.int32)
    for index, thing in enumerate(things):
        key = signature(thing)
        if key not in number:
            number[key] = len(example)
            example.append(index)
        rows[index] = number[key]
    return rows, example


def _label_keys(templates: Sequence[Template], profile: SchedulerProfile) -> tuple[str, ...]:
    keys = set(node_affinity.label_keys(profile.added_affinity))
    for template in templates:
        keys.update(template.node_selector)
        keys.update(node_affinity.label_keys(template.affinity.node_affinity))
    return tuple(sorted(keys))


def _node_signature(
    node: Node, keys: tuple[str, ...], images: frozenset[str], named: set[str | None]
) -> Hashable:
    return (
        tuple(node.labels.get(key) for key in keys),
        tuple((taint.key, taint.value, taint.effect) for taint in node.taints),
        node.unschedulable,
        node.name if _NODE_NAME in keys or node.name in named else None,
        image_locality.present(node, images) if images else None,
    )


def _template_signature(template: Template, images: frozenset[str]) -> Hashable:
    affinity = template.affinity.node_affinity
    return (
        tuple(sorted(template.node_selector.items())),
        affinity.model_dump_json() if affinity else None,
        tuple(tuple(t.model_dump().values()) for t in template.tolerations),
        template.node_name,
        tuple(c.image for c in (*template.init_containers, *template.containers)) if images else 0,
    )


def _ask(
    template: Template,
    nodes: Sequence[Node],
    profile: SchedulerProfile,
    spread: image_locality.ImageSpread,
) -> tuple[list[int], list[str], list[int], list[int], list[int]]:
    """One template against one example of every node class."""
    refused = [_refusal(template, node, profile) for node in nodes]
    known = spread.known(template)
    return (
        [number for number, _ in refused],
        [reason for _, reason in refused],
        [taint_toleration.raw_score(template, node, profile) for node in nodes],
        [node_affinity.raw_score(template, node, profile) for node in nodes],
        [spread.score(template, image_locality.present(node, known)) for node in nodes],
    )


def _refusal(template: Template, node: Node, profile: SchedulerProfile) -> tuple[int, str]:
    for number, plugin in enumerate(FILTERS, start=1):
        if plugin.NAME in profile.filters:
            reason = plugin.refusal(template, node, profile)
            if reason is not None:
                return number, reason
    return 0, ""
