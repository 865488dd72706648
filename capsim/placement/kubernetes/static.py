"""What labels, taints and images decide once and for all: tables over classes, not over nodes.

Nodes that no rule of the active templates can tell apart form one class, and so do templates of
one signature; each pair is asked once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import (
    image_locality,
    node_affinity,
    node_name,
    node_unschedulable,
    taint_toleration,
)
from capsim.placement.kubernetes.profiles import Profiles
from capsim.scenario import Node, SchedulerProfile, Template
from capsim.topology import Int32, Int64, Topology


class Filter(Protocol):
    """A plugin that says once and for all which nodes will not do."""

    NAME: str

    def refusal(self, template: Template, node: Node, profile: SchedulerProfile) -> str | None:
        """The reason for which the node is refused, or None."""


class Scorer(Protocol):
    """A plugin whose raw scores are normalised over the nodes that fit."""

    NAME: str

    def raw_score(self, template: Template, node: Node, profile: SchedulerProfile) -> int:
        """The score of a node before normalisation."""


#: The filters whose answer never changes while units are placed, in the order of the scheduler.
FILTERS: tuple[Filter, ...] = (node_unschedulable, node_name, taint_toleration, node_affinity)
#: The number of the refusal of nodes that the names in a unit's affinity leave out beforehand.
NARROWED = len(FILTERS) + 1
#: What volumes say: the unit is rejected before any node is looked at, or a plugin refuses.
REJECTED, BINDING, ZONE = NARROWED + 1, NARROWED + 2, NARROWED + 3
FITS = 0
_NODE_NAME = "metadata.name"
_T = TypeVar("_T")
_Number = TypeVar("_Number", np.int8, np.int64)


@dataclass(frozen=True, eq=False)
class StaticTables:
    """Answers of the static plugins for C classes of units and K of nodes."""

    node_class: Int32
    """[N]"""
    example: list[int]
    """[K] row of a node of each class."""
    refusal: NDArray[np.int8]
    """[C, K] 0, or the number (from 1) of the first filter that refuses, or NARROWED."""
    reason: list[list[str]]
    """[C][K] its words."""
    taint_raw: Int64
    """[C, K]"""
    affinity_raw: Int64
    """[C, K]"""
    image: Int64
    """[C, K] 0..100"""
    asked: list[Template]
    """[S] a template of each signature."""
    asked_of: Int64
    """[C] which of these answered for the class."""

    @cached_property
    def varies(self) -> NDArray[np.bool_]:
        """[C] whether raw scores differ among the nodes that pass, so that they matter."""
        passes = self.refusal == 0
        return _spread(self.taint_raw, passes) | _spread(self.affinity_raw, passes)

    @cached_property
    def tops(self) -> Int64:
        """[C, 2] the largest raw taint and affinity scores of the nodes that pass."""
        passes = self.refusal == 0
        both = (np.where(passes, raw, 0) for raw in (self.taint_raw, self.affinity_raw))
        return np.stack([raw.max(axis=1, initial=0) for raw in both], axis=1)


def _spread(raw: Int64, passes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    low = np.where(passes, raw, np.iinfo(np.int64).max).min(axis=1, initial=np.iinfo(np.int64).max)
    high = np.where(passes, raw, -1).max(axis=1, initial=-1)
    result: NDArray[np.bool_] = low < high
    return result


def static_tables(
    topology: Topology,
    template_of: Sequence[int],
    profiles: Profiles,
    volume_keys: frozenset[str] = frozenset(),
) -> StaticTables:
    """Ask every static plugin about every class of units (template_of: its template) and nodes.

    volume_keys: labels of nodes at which volumes look, so that classes of nodes tell them apart.
    """
    nodes = topology.scenario.nodes
    keys = topology.template_keys
    rows, row_of = np.unique(np.array(template_of, np.int64), return_inverse=True)
    templates = [topology.scenario.templates[keys[row]] for row in rows.tolist()]
    spread = image_locality.ImageSpread(nodes)
    images = frozenset[str]().union(*(spread.known(template) for template in templates))
    look = tuple(sorted(volume_keys.union(_label_keys(templates, profiles.all))))
    named = {template.node_name for template in templates}
    node_class, example = _classes(nodes, lambda node: _node_signature(node, look, images, named))
    known, first = _classes(
        templates,
        lambda template: (profiles.number(template), _template_signature(template, images)),
    )
    views = _Views([nodes[k] for k in example])
    tables = [_ask(templates[i], views, profiles.of(templates[i]), spread) for i in first]
    kind = known[row_of].tolist()

    def gather(column: Callable[[_Said], Int64]) -> Int64:
        rows = [column(tables[k]) for k in kind]
        return np.array(rows, np.int64).reshape(len(kind), len(example))

    return StaticTables(
        node_class=node_class,
        example=example,
        refusal=gather(lambda said: said.refusal).astype(np.int8),
        reason=[tables[k].reason for k in kind],
        taint_raw=gather(lambda said: said.taint_raw),
        affinity_raw=gather(lambda said: said.affinity_raw),
        image=gather(lambda said: said.image),
        asked=[templates[i] for i in first],
        asked_of=np.array(kind, np.int64),
    )


def recordoned(
    tables: StaticTables, nodes: Sequence[Node], changed: Int64, profiles: Profiles
) -> StaticTables:
    """The tables after the nodes in some rows have been cordoned, uncordoned or tainted.

    These nodes form new classes; what labels and images say of them is what it was.
    """
    old = tables.node_class[changed]
    group, first = _classes(
        range(len(changed)), lambda i: (int(old[i]), *_cordon(nodes[changed[i]]))
    )
    example, from_class = changed[first], old[first]
    views = _Views([nodes[row] for row in example.tolist()])
    said = [_first_refusals(each, views, profiles.of(each)) for each in tables.asked]
    taints = [
        [taint_toleration.raw_score(each, node, profiles.of(each)) for node in views.nodes]
        for each in tables.asked
    ]
    node_class = tables.node_class.copy()
    node_class[changed] = len(tables.example) + group
    of, shape = tables.asked_of, (len(tables.asked), len(example))
    number = np.array([each for each, _ in said], np.int64).reshape(shape)
    taint_raw = np.array(taints, np.int64).reshape(shape)
    return dataclasses.replace(
        tables,
        node_class=node_class,
        example=[*tables.example, *example.tolist()],
        refusal=_beside(tables.refusal, number[of]),
        reason=[[*tables.reason[c], *said[k][1]] for c, k in enumerate(of.tolist())],
        taint_raw=_beside(tables.taint_raw, taint_raw[of]),
        affinity_raw=_beside(tables.affinity_raw, tables.affinity_raw[:, from_class]),
        image=_beside(tables.image, tables.image[:, from_class]),
    )


def _cordon(node: Node) -> tuple[Hashable, ...]:
    """What tells nodes of equal labels and images apart."""
    return node.unschedulable, *((taint.key, taint.value, taint.effect) for taint in node.taints)


def _beside(table: NDArray[_Number], columns: NDArray[np.integer[Any]]) -> NDArray[_Number]:
    return np.ascontiguousarray(np.concatenate([table, columns.astype(table.dtype)], axis=1))


def allowed(
    topology: Topology, templates: Sequence[Template], profile: SchedulerProfile | None = None
) -> NDArray[np.bool_]:
    """[T, N] whether static rules (cordons, names, taints, affinities) let a template on a node."""
    policy = profile or topology.scenario.profile
    look = _label_keys(templates, (policy,))
    named = {template.node_name for template in templates}
    nodes = topology.scenario.nodes
    node_class, example = _classes(
        nodes, lambda node: _node_signature(node, look, frozenset(), named)
    )
    table = np.array(
        [[not _is_refused(t, nodes[k], policy) for k in example] for t in templates], bool
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


def _label_keys(
    templates: Sequence[Template], profiles: Sequence[SchedulerProfile]
) -> tuple[str, ...]:
    keys = {key for each in profiles for key in node_affinity.label_keys(each.added_affinity)}
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


class _Views:
    """Nodes as single plugins see them: grouped by the little that each looks at."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self._groups: dict[Hashable, tuple[Int32, list[int]]] = {}

    def ask(
        self, view: Hashable, sees: Callable[[Node], Hashable], answer: Callable[[Node], _T]
    ) -> list[_T]:
        """[K] the answer for each node, asked once for nodes that look the same in this view."""
        if view not in self._groups:
            self._groups[view] = _classes(self.nodes, sees)
        group, example = self._groups[view]
        answers = [answer(self.nodes[k]) for k in example]
        return [answers[g] for g in group.tolist()]

    def refusals(self, plugin: Filter, template: Template, profile: SchedulerProfile) -> list[str]:
        """[K] why a plugin refuses each node, or nothing."""
        return self.ask(
            *_view(plugin, template, profile),
            lambda node: plugin.refusal(template, node, profile) or "",
        )


def _view(
    plugin: Filter | Scorer, template: Template, profile: SchedulerProfile
) -> tuple[Hashable, Callable[[Node], Hashable]]:
    """What a static plugin looks at: a name for it, and how a node appears."""
    if plugin.NAME == node_unschedulable.NAME:
        return "cordon", lambda node: node.unschedulable
    if plugin.NAME == taint_toleration.NAME:
        return "taints", lambda node: tuple((t.key, t.value, t.effect) for t in node.taints)
    if plugin.NAME == node_name.NAME:
        return ("name", template.node_name), lambda node: node.name == template.node_name
    keys = _label_keys((template,), (profile,))
    named = _NODE_NAME in keys
    return keys, lambda node: (
        tuple(node.labels.get(key) for key in keys),
        node.name if named else None,
    )


@dataclass(frozen=True, eq=False)
class _Said:
    """What K nodes say to one template."""

    refusal: Int64
    reason: list[str]
    taint_raw: Int64
    affinity_raw: Int64
    image: Int64


def _ask(
    template: Template,
    views: _Views,
    profile: SchedulerProfile,
    spread: image_locality.ImageSpread,
) -> _Said:
    """One template against one example of every node class."""
    number, reason = _first_refusals(template, views, profile)
    known = spread.known(template)

    def raw(plugin: Scorer) -> Int64:
        view = _view(plugin, template, profile)
        asked = views.ask(*view, lambda node: plugin.raw_score(template, node, profile))
        return np.array(asked, np.int64)

    images = views.ask(
        ("images", known),
        lambda node: image_locality.present(node, known),
        lambda node: spread.score(template, image_locality.present(node, known)),
    )
    return _Said(
        number, reason, raw(taint_toleration), raw(node_affinity), np.array(images, np.int64)
    )


def _first_refusals(
    template: Template, views: _Views, profile: SchedulerProfile
) -> tuple[Int64, list[str]]:
    """[K] the number of the first filter that refuses each node, 0 for none, and its words."""
    number = np.zeros(len(views.nodes), np.int64)
    reason = [""] * len(views.nodes)
    named = node_affinity.named_nodes(template) if profile.narrows_by_name else None
    if named is not None:
        for k, node in enumerate(views.nodes):
            if node.name not in named:
                number[k], reason[k] = NARROWED, node_affinity.REASON_NARROWED
    for which, plugin in _asked(profile):
        for k, said in enumerate(views.refusals(plugin, template, profile)):
            if said and not number[k]:
                number[k], reason[k] = which, said
    return number, reason


def _asked(profile: SchedulerProfile) -> list[tuple[int, Filter]]:
    """The static filters of a profile with their numbers, in its order."""
    number = {plugin.NAME: (which, plugin) for which, plugin in enumerate(FILTERS, start=1)}
    return [number[name] for name in profile.filters if name in number]


def _is_refused(template: Template, node: Node, profile: SchedulerProfile) -> bool:
    named = node_affinity.named_nodes(template) if profile.narrows_by_name else None
    if named is not None and node.name not in named:
        return True
    return any(plugin.refusal(template, node, profile) is not None for _, plugin in _asked(profile))
