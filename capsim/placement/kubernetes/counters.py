"""Counters of pairs: how many units of a description are in each domain of a topology key.

Every description that a spread constraint or an affinity term counts gets one row; equal ones
share it. What an incoming unit is told by the terms of units that are there is kept from its own
point of view: one row for each key and each set of terms that mean it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import (
    inter_pod_affinity,
    node_affinity,
    pod_topology_spread,
    taint_toleration,
    volume_restrictions,
)
from capsim.placement.kubernetes._kernels import Asks, Cells, Counts, Rows
from capsim.placement.kubernetes.cells import Way, Ways, cells
from capsim.placement.kubernetes.chosen import Choice, Namespaces, Peer
from capsim.placement.kubernetes.classes import Kind
from capsim.placement.kubernetes.inter_pod_affinity import Term, Terms
from capsim.placement.kubernetes.pod_topology_spread import Spread
from capsim.placement.kubernetes.profiles import Profiles
from capsim.placement.kubernetes.static import StaticTables
from capsim.scenario import HOSTNAME_LABEL, Node, SchedulerProfile, Template
from capsim.topology import Int32, Int64, Topology

#: Stands for the domains that are single nodes, of the nodes that have the hostname label.
_SINGLE = "\0node"
#: Stands for the one domain of all nodes.
_WHOLE = "\0cluster"
_EVERY = -1


@dataclass(frozen=True)
class _Match:
    """Counts units that a choice means."""

    key: str
    choice: Choice
    mask: int = _EVERY
    counts_missing: bool = False
    is_tracked: bool = False
    """Whether the smallest count matters."""


@dataclass(frozen=True)
class _Held:
    """Counts what units that are there have to say: their terms with weights."""

    key: str
    terms: frozenset[tuple[Term, str, int]]
    """Term, in which list it is held, and what it counts where its own weight does not."""


@dataclass(frozen=True)
class _Users:
    """Counts units that use a claim."""

    claim: str
    key: str = _WHOLE


_Row = _Match | _Held | _Users


class _Asked:
    """The rows that one class looks at."""

    def __init__(self) -> None:
        self.hard: list[tuple[int, int, int, int]] = []
        self.soft: list[tuple[int, int, bool]] = []
        self.needs_all = False
        self.near: list[int] = []
        self.near_self = False
        self.apart: list[int] = []
        self.shun: list[int] = []
        self.lone: list[int] = []
        self.pull: list[tuple[int, int]] = []

    @property
    def rows(self) -> Iterable[int]:
        yield from (each[0] for each in (*self.hard, *self.soft, *self.pull))
        yield from (*self.near, *self.apart, *self.shun, *self.lone)


@dataclass(frozen=True, eq=False)
class Counters:
    """The counters of a topology, compiled."""

    rows: Rows
    asks: Asks
    ways: Ways
    shun: tuple[Int64, Int64]
    """The rows of asks.shun_row, ragged by class, of those who shun the unit."""
    lone: tuple[Int64, Int64]
    """And of those who use its claims, where only one unit may."""

    @property
    def cells(self) -> Cells:
        """How classes see the nodes."""
        return self.ways.cells

    def empty(self) -> Counts:
        """Counters without any unit."""
        rows = self.rows
        return Counts(
            np.zeros(int(rows.start[-1]), np.int64),
            np.zeros(len(rows.key), np.int64),
            np.zeros(len(rows.key), np.int64),
            rows.domains.copy(),
        )


def counters(
    topology: Topology, kinds: Sequence[Kind], asking: int, static: StaticTables, profiles: Profiles
) -> Counters:
    """The counters for all kinds of units; the first `asking` of them may be asked to be placed."""
    return _Compiler(topology, kinds, static, profiles).compile(asking)


class _Compiler:
    def __init__(
        self,
        topology: Topology,
        kinds: Sequence[Kind],
        static: StaticTables,
        profiles: Profiles,
    ) -> None:
        self.topology, self.kinds, self.static, self.profiles = topology, kinds, static, profiles
        self.templates = topology.templates
        self.known = Namespaces({k.peer.namespace for k in kinds}, topology.scenario.namespaces)
        self.keys: dict[str, int] = {}
        self.domain: list[Int32] = []
        self.blank: list[int] = []
        self.sizes: list[int] = []
        self.rows: dict[_Row, int] = {}
        self.masks: dict[bytes, int] = {}
        self.eligible: list[NDArray[np.bool_]] = []
        self._policies: dict[str, NDArray[np.bool_]] = {}
        self._holders: dict[tuple[int, str], Terms] = {}
        self._means: dict[tuple[Choice, Peer], bool] = {}
        self._told: dict[tuple[Peer, int], tuple[list[_Held], list[_Held]]] = {}
        self.held = [self._held(kind) for kind in kinds]
        self.terms = _all_terms(self.held)

    def compile(self, asking: int) -> Counters:
        asked = [self._asked(kind) for kind in self.kinds[:asking]]
        rows = self._rows()
        key_of = rows.key.tolist()
        ways = [self._way(c, each, key_of) for c, each in enumerate(asked)]
        found = cells(rows.domain, self.static.node_class, ways)
        shun, lone = ([each.shun for each in asked], [each.lone for each in asked])
        asks = _asks(asked, found.way_of)
        return Counters(rows, asks, found, _ragged(shun), _ragged(lone))

    def _way(self, c: int, asked: _Asked, key_of: Sequence[int]) -> Way | None:
        """How a class tells nodes apart; None where it has no terms."""
        rows = tuple((q, key_of[q]) for q in sorted(set(asked.rows)))
        return Way(rows, bool(self.static.varies[c])) if rows else None

    # What a class looks at ------------------------------------------------------------------

    def _asked(self, kind: Kind) -> _Asked:
        template = self.templates[kind.template]
        profile = self.profiles.of(template)
        asked = _Asked()
        spreads = pod_topology_spread.constraints(
            template, self._labels(kind), kind.default, profile
        )
        if pod_topology_spread.NAME in profile.filters:
            self._ask_hard([each for each in spreads if each.is_hard], kind, template, asked)
        if profile.score_weights.get(pod_topology_spread.NAME):
            asked.needs_all = pod_topology_spread.needs_all_keys(template, profile)
            self._ask_soft([each for each in spreads if not each.is_hard], kind, template, asked)
        self._ask_pods(kind, template, profile, asked)
        if volume_restrictions.NAME in profile.filters:
            asked.lone = [self._row(_Users(claim)) for claim in kind.storage.lone]
        return asked

    def _labels(self, kind: Kind) -> dict[str, str]:
        return dict(kind.peer.labels)

    def _ask_hard(
        self, spreads: list[Spread], kind: Kind, template: Template, asked: _Asked
    ) -> None:
        keys = {each.stated.topology_key for each in spreads}
        for each in spreads:
            mask = self._mask(keys, each, template)
            row = _Match(each.stated.topology_key, _counted(each, kind), mask, is_tracked=True)
            own = each.selector.chooses(self._labels(kind))
            domains = each.stated.min_domains or 1
            asked.hard.append((self._row(row), each.stated.max_skew, domains, int(own)))

    def _ask_soft(
        self, spreads: list[Spread], kind: Kind, template: Template, asked: _Asked
    ) -> None:
        keys = {each.stated.topology_key for each in spreads} if asked.needs_all else set()
        for each in spreads:
            choice, key = _counted(each, kind), each.stated.topology_key
            if key == HOSTNAME_LABEL:
                row = _Match(_SINGLE, choice)
            else:
                mask = self._mask(keys, each, template)
                row = _Match(key, choice, mask, counts_missing=not asked.needs_all)
            asked.soft.append((self._row(row), each.stated.max_skew, key == HOSTNAME_LABEL))

    def _ask_pods(
        self, kind: Kind, template: Template, profile: SchedulerProfile, asked: _Asked
    ) -> None:
        own = inter_pod_affinity.terms(template, kind.peer.namespace, self.known, incoming=True)
        weight = profile.hard_pod_affinity_weight
        shunned, pulled = self._tell(kind.peer, weight)
        if inter_pod_affinity.NAME in profile.filters:
            if own.near:
                together = _together(own.near)
                asked.near = [self._row(_Match(term.key, together)) for term in own.near]
                asked.near_self = together.means(kind.peer)
            asked.apart = [self._row(_Match(term.key, term.choice)) for term in own.apart]
            asked.shun = [self._row(row) for row in shunned]
        if profile.score_weights.get(inter_pod_affinity.NAME) and inter_pod_affinity.looks(
            bool(own.preferred), profile
        ):
            asked.pull = [
                (self._row(_Match(term.key, term.choice)), worth) for term, worth in own.preferred
            ]
            asked.pull += [(self._row(row), 1) for row in pulled]

    def _tell(self, peer: Peer, weight: int) -> tuple[list[_Held], list[_Held]]:
        """Rows of what units that are there say against a newcomer, and for and against it."""
        known = self._told.get((peer, weight))
        if known is None:
            against: dict[str, set[tuple[Term, str, int]]] = {}
            pull: dict[str, set[tuple[Term, str, int]]] = {}
            for term, where in self.terms:
                if not self._meant(term.choice, peer):
                    continue
                if where == "apart":
                    against.setdefault(term.key, set()).add((term, where, 1))
                elif where == "preferred":
                    pull.setdefault(term.key, set()).add((term, where, 0))
                elif weight:
                    pull.setdefault(term.key, set()).add((term, where, weight))
            known = self._told[peer, weight] = (_held_rows(against), _held_rows(pull))
        return known

    def _meant(self, choice: Choice, peer: Peer) -> bool:
        known = self._means.get((choice, peer))
        if known is None:
            known = self._means[choice, peer] = choice.means(peer)
        return known

    def _held(self, kind: Kind) -> Terms:
        """The terms of a unit that is there."""
        key = (kind.template, kind.peer.namespace)
        if key not in self._holders:
            template = self.templates[kind.template]
            self._holders[key] = inter_pod_affinity.terms(
                template, kind.peer.namespace, self.known, incoming=False
            )
        return self._holders[key]

    # Masks, keys and rows -------------------------------------------------------------------

    def _mask(self, keys: set[str], spread: Spread, template: Template) -> int:
        """Row of the nodes that have the keys and pass the inclusion policies."""
        mask = np.ones(len(self.topology.scenario.nodes), np.bool_)
        for key in keys:
            mask &= self.domain[self._key(key)] >= 0
        if spread.stated.node_affinity_policy == "Honor":
            mask &= self._policy(template, _wanted, _affinity_signature(template))
        if spread.stated.node_taints_policy == "Honor":
            mask &= self._policy(template, _tolerated, repr(template.tolerations))
        if mask.all():
            return _EVERY
        content = mask.tobytes()
        if content not in self.masks:
            self.masks[content] = len(self.eligible)
            self.eligible.append(mask)
        return self.masks[content]

    def _policy(
        self, template: Template, passes: Callable[[Template, Node], bool], signature: str
    ) -> NDArray[np.bool_]:
        """[N] the nodes that pass, asked once a class of nodes."""
        key = f"{passes.__name__} {signature}"
        if key not in self._policies:
            nodes = self.topology.scenario.nodes
            table = np.array([passes(template, nodes[k]) for k in self.static.example], bool)
            self._policies[key] = table[self.static.node_class]
        return self._policies[key]

    def _key(self, key: str) -> int:
        """The number of a topology key."""
        if key not in self.keys:
            self.keys[key] = len(self.domain)
            domain, blank, size = self._domains(key)
            self.domain.append(domain)
            self.blank.append(blank)
            self.sizes.append(size)
        return self.keys[key]

    def _domains(self, key: str) -> tuple[Int32, int, int]:
        """The domain of each node, that of the empty value, and how many there are."""
        nodes = self.topology.scenario.nodes
        if key == _WHOLE:
            return np.zeros(len(nodes), np.int32), 1, 2
        if key == _SINGLE:
            rows = [n if HOSTNAME_LABEL in node.labels else -1 for n, node in enumerate(nodes)]
            return np.array(rows, np.int32), len(nodes), len(nodes) + 1
        number: dict[str, int] = {}
        rows = [
            number.setdefault(node.labels[key], len(number)) if key in node.labels else -1
            for node in nodes
        ]
        blank = number.setdefault("", len(number))
        return np.array(rows, np.int32), blank, len(number)

    def _row(self, row: _Row) -> int:
        self._key(row.key)
        return self.rows.setdefault(row, len(self.rows))

    def _rows(self) -> Rows:
        listed = list(self.rows)
        nodes = len(self.topology.scenario.nodes)
        key = np.array([self.keys[row.key] for row in listed], np.int64)
        mask = np.array([row.mask if isinstance(row, _Match) else _EVERY for row in listed])
        start = _starts([self.sizes[k] for k in key.tolist()])
        exists = np.zeros(int(start[-1]), np.bool_)
        domains = np.zeros(len(listed), np.int64)
        blank = np.full(len(listed), -1, np.int64)
        for q, row in enumerate(listed):
            if isinstance(row, _Match) and row.is_tracked:
                here = self.domain[key[q]]
                counted = here[here >= 0 if mask[q] < 0 else self.eligible[mask[q]]]
                exists[start[q] + counted] = True
                domains[q] = exists[start[q] : start[q + 1]].sum()
            if isinstance(row, _Match) and row.counts_missing:
                blank[q] = self.blank[key[q]]
        return Rows(
            np.array(self.domain, np.int32).reshape(len(self.domain), nodes),
            np.array(self.eligible, np.bool_).reshape(len(self.eligible), nodes),
            key,
            mask.astype(np.int64),
            blank,
            start,
            exists,
            domains,
            np.array(self.blank, np.int64),
            *self._additions(listed),
        )

    def _additions(self, listed: Sequence[_Row]) -> tuple[Int64, Int64, Int64]:
        """What each class adds to each row."""
        by_peer: dict[Peer, list[tuple[int, int]]] = {}
        by_terms: dict[int, list[tuple[int, int]]] = {}
        matches = [(q, row) for q, row in enumerate(listed) if isinstance(row, _Match)]
        helds = [(q, row) for q, row in enumerate(listed) if isinstance(row, _Held)]
        users = [(q, row) for q, row in enumerate(listed) if isinstance(row, _Users)]
        lists = []
        for kind, held in zip(self.kinds, self.held, strict=True):
            if kind.peer not in by_peer:
                by_peer[kind.peer] = [
                    (q, 1) for q, row in matches if self._meant(row.choice, kind.peer)
                ]
            if id(held) not in by_terms:
                by_terms[id(held)] = _said(held, helds)
            own = [(q, 1) for q, row in users if row.claim in kind.storage.lone]
            lists.append([*by_peer[kind.peer], *by_terms[id(held)], *own])
        flat = [each for part in lists for each in part]
        return (
            _starts([len(part) for part in lists]),
            np.array([q for q, _ in flat], np.int64),
            np.array([amount for _, amount in flat], np.int64),
        )


def _counted(spread: Spread, kind: Kind) -> Choice:
    """Running units of the namespace; an empty selector counts none."""
    namespaces = frozenset[str]() if spread.selector.is_empty else frozenset((kind.peer.namespace,))
    return Choice(namespaces, frozenset((spread.selector,)), leaves_out_terminating=True)


def _together(terms: Sequence[Term]) -> Choice:
    """Units that every one of the terms means."""
    return Choice(
        frozenset.intersection(*(term.choice.namespaces for term in terms)),
        frozenset.union(*(term.choice.selectors for term in terms)),
    )


def _all_terms(held: Sequence[Terms]) -> list[tuple[Term, str]]:
    """Every distinct term that some unit holds, and in which list."""
    found: dict[tuple[Term, str], None] = {}
    for each in dict((id(terms), terms) for terms in held).values():
        found.update(dict.fromkeys((term, "near") for term in each.near))
        found.update(dict.fromkeys((term, "apart") for term in each.apart))
        found.update(dict.fromkeys((term, "preferred") for term, _ in each.preferred))
    return list(found)


def _held_rows(by_key: dict[str, set[tuple[Term, str, int]]]) -> list[_Held]:
    return [_Held(key, frozenset(terms)) for key, terms in by_key.items()]


def _said(held: Terms, rows: Sequence[tuple[int, _Held]]) -> list[tuple[int, int]]:
    """What a unit that holds these terms adds to the rows: its weights, or theirs."""
    own = [(term, "near", 1) for term in held.near]
    own += [(term, "apart", 1) for term in held.apart]
    own += [(term, "preferred", weight) for term, weight in held.preferred]
    if not own:
        return []
    said = []
    for q, row in rows:
        worth = {(term, where): fixed for term, where, fixed in row.terms}
        amounts = [
            worth[term, where] or weight for term, where, weight in own if (term, where) in worth
        ]
        if amounts:
            said.append((q, sum(amounts)))
    return said


def _wanted(template: Template, node: Node) -> bool:
    return node_affinity.matches(template, node)


def _tolerated(template: Template, node: Node) -> bool:
    return taint_toleration.repelling(template, node) is None


def _affinity_signature(template: Template) -> str:
    affinity = template.affinity.node_affinity
    required = affinity.required.model_dump_json() if affinity and affinity.required else ""
    return f"{sorted(template.node_selector.items())} {required}"


def _asks(asked: Sequence[_Asked], cells_of: Int64) -> Asks:
    hard = _table([each for a in asked for each in a.hard], 4)
    soft = _table([each for a in asked for each in a.soft], 3)
    pull = _table([each for a in asked for each in a.pull], 2)
    return Asks(
        cells=cells_of,
        hard_start=_starts([len(a.hard) for a in asked]),
        hard_row=hard[0],
        hard_skew=hard[1],
        hard_domains=hard[2],
        hard_self=hard[3],
        soft_start=_starts([len(a.soft) for a in asked]),
        soft_row=soft[0],
        soft_skew=soft[1],
        soft_host=soft[2] > 0,
        need_all=np.array([a.needs_all for a in asked], np.bool_),
        near_start=_starts([len(a.near) for a in asked]),
        near_row=np.array([q for a in asked for q in a.near], np.int64),
        near_self=np.array([a.near_self for a in asked], np.bool_),
        apart_start=_starts([len(a.apart) for a in asked]),
        apart_row=np.array([q for a in asked for q in a.apart], np.int64),
        shun_start=_starts([len(a.shun) + len(a.lone) for a in asked]),
        shun_row=np.array([q for a in asked for q in (*a.shun, *a.lone)], np.int64),
        pull_start=_starts([len(a.pull) for a in asked]),
        pull_row=pull[0],
        pull_weight=pull[1],
    )


def _table(rows: Sequence[tuple[int, ...]], width: int) -> Int64:
    """The columns of some rows."""
    return np.ascontiguousarray(np.array(rows, np.int64).reshape(-1, width).T)


def _ragged(rows: Sequence[Sequence[int]]) -> tuple[Int64, Int64]:
    flat = np.array([each for row in rows for each in row], np.int64)
    return _starts([len(row) for row in rows]), flat


def _starts(sizes: Sequence[int]) -> Int64:
    start = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=start[1:])
    return start
