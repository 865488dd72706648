"""The arrays that kernels share, in named groups."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


class Nodes(NamedTuple):
    """What N nodes offer and what is taken; updated in place while units are placed."""

    offered: Int64
    """[N, R]"""
    used: Int64
    """[N, R]"""
    accounted: Int64
    """[N, 2] cpu and memory as the score of NodeResourcesFit counts them."""
    gpu_free: Int64
    """[N, D] thousandths left on each board, -1 where there is none."""
    port_use: NDArray[np.int32]
    """[N, P] units that hold a port, a disk or a shared volume; the last one, where there are
    volumes, is in use where a class of units (each time another) would exceed a limit."""


class Units(NamedTuple):
    """What C classes of units ask for."""

    request: Int64
    """[C, R] what is taken of a node."""
    checked: Int64
    """[C, R] the same without the resources that the filter ignores."""
    scoring: Int64
    """[C, R] what counts in the score of NodeResourcesFit."""
    accounted: Int64
    """[C, 2] what counts there once placed."""
    gpu_need: Int64
    """[C, 2] boards, thousandths of each."""
    conflict_start: Int64
    """[C + 1] where a class begins in conflict_port."""
    conflict_port: Int64
    own_start: Int64
    """[C + 1] where a class begins in own_port."""
    own_port: Int64
    """p + P * r: port p; where r > 0 it is a volume, of which the first user takes one of r."""
    skips_balance: NDArray[np.bool_]
    """[C] whether NodeResourcesBalancedAllocation has nothing to look at."""


class Static(NamedTuple):
    """What labels, taints and images say, for classes of units and of nodes."""

    node_class: NDArray[np.int32]
    """[N]"""
    refusal: NDArray[np.int8]
    """[C, K]"""
    score: Int64
    """[C, K] weighted score that needs no normalisation."""
    taint_raw: Int64
    """[C, K]"""
    affinity_raw: Int64
    """[C, K]"""
    varies: NDArray[np.bool_]
    """[C] whether raw scores differ among the nodes that pass."""
    tops: Int64
    """[C, 2] the largest raw taint and affinity scores of the nodes that pass."""


class Policy(NamedTuple):
    """Weights of the plugins, and what the resource scores look at."""

    w_fit: int
    w_balanced: int
    w_taint: int
    w_affinity: int
    w_spread: int
    w_pods: int
    """InterPodAffinity."""
    strategy: int
    """0 LeastAllocated, 1 MostAllocated, 2 RequestedToCapacityRatio."""
    fit_plain: bool
    """Whether that is cpu and memory alone, by one of the first two strategies."""
    fit_columns: Int64
    fit_weights: Int64
    fit_scalar: NDArray[np.bool_]
    shape_u: Int64
    """Utilisation of the curve's points, percent."""
    shape_s: Int64
    """Their scores, 0..100."""
    balanced_columns: Int64
    balanced_scalar: NDArray[np.bool_]


class Rows(NamedTuple):
    """Q rows of counters: what each counts, and what each class of units adds to them."""

    domain: NDArray[np.int32]
    """[keys, N] domain of each node by topology key, -1 where it has no such label."""
    eligible: NDArray[np.bool_]
    """[masks, N] nodes whose units count."""
    key: Int64
    """[Q]"""
    mask: Int64
    """[Q] row of eligible, -1 for every node."""
    blank: Int64
    """[Q] domain in which nodes without the label count, -1 for none."""
    start: Int64
    """[Q + 1] where a row begins in Counts.number."""
    exists: NDArray[np.bool_]
    """[start[Q]] whether the domain has an eligible node."""
    domains: Int64
    """[Q] how many exist, where the smallest count matters; else 0."""
    key_blank: Int64
    """[keys] the domain of the empty value."""
    add_start: Int64
    """[C + 1] where a class begins in add_row."""
    add_row: Int64
    add_amount: Int64


class Counts(NamedTuple):
    """The counters; updated in place while units are placed and evicted."""

    number: Int64
    """Ragged, see Rows.start."""
    total: Int64
    """[Q] units counted in any domain."""
    lowest: Int64
    """[Q] the smallest count of a domain that exists."""
    at_lowest: Int64
    """[Q] domains that have it."""


class Asks(NamedTuple):
    """What classes of units look at: rows of counters, ragged by class (start: [C + 1])."""

    cells: Int64
    """[C] row of Cells, -1 for a class without topology terms."""
    hard_start: Int64
    hard_row: Int64
    hard_skew: Int64
    hard_domains: Int64
    """minDomains"""
    hard_self: Int64
    """1 where the unit counts itself."""
    soft_start: Int64
    soft_row: Int64
    soft_skew: Int64
    soft_host: NDArray[np.bool_]
    """Whether the domains are single nodes."""
    need_all: NDArray[np.bool_]
    """[C] nodes that lack a soft key are left out of the spread score."""
    near_start: Int64
    near_row: Int64
    near_self: NDArray[np.bool_]
    """[C] the unit meets its own required terms."""
    apart_start: Int64
    apart_row: Int64
    shun_start: Int64
    shun_row: Int64
    """With the users of claims that only one unit may use, in the one domain of all nodes."""
    pull_start: Int64
    pull_row: Int64
    pull_weight: Int64


class Cells(NamedTuple):
    """S ways to see the nodes as cells; each cell is a subtree of a tournament tree."""

    single: NDArray[np.bool_]
    """[S] every node is a cell of its own, in node order."""
    start: Int64
    """[S + 1] where a way begins in node and root."""
    node: Int64
    """A node of each cell."""
    root: Int64
    """Place of each cell's root in the tree."""
    cell: NDArray[np.int32]
    """[S, N]"""
    leaf: NDArray[np.int32]
    """[S, N] place of each node in the tree."""
    node_at: NDArray[np.int32]
    """[S, .] node of each leaf."""
    leaves: Int64
    """[S]"""


class Piles(NamedTuple):
    """P classes that keep their nodes in piles: those of a pile look the same to every term.

    A level holds the nodes with the same counts in all rows of counters whose domains are single
    nodes; it has a tournament tree of its own, in which each cell is a subtree. The part of a
    level within one cell is a pile.
    """

    row_of: Int64
    """[C] the row of a class, -1 for a class without piles."""
    way: Int64
    """[P] row of Cells by which its nodes are told apart."""
    host_start: Int64
    """[P + 1] where a row begins in host_row."""
    host_row: Int64
    """Rows of counters whose domains are single nodes."""
    level: NDArray[np.int32]
    """[P, N] the level of each node, -1 where it does not fit."""
    look: Int64
    """[P, L, J] counts of each level."""
    size: Int64
    """[P, L] nodes of each level."""
    members: NDArray[np.int32]
    """[P, L, cells] nodes of each pile."""
    made: Int64
    """[P] levels that were made; -1 where there were too many, so that each node is asked."""
    tree_of: Int64
    """[P, L] the tree of each level, -1 where it has none yet."""
    trees: NDArray[np.int32]
    """[T, .] tournament trees; -1 where the node is not of the level."""
    dealt: Int64
    """[1] trees in use."""


class Scratch(NamedTuple):
    """Room for the spread score to work in."""

    raw: NDArray[np.float64]
    """[N]"""
    stamp: Int64
    """[domains] the last question in which a domain was seen."""
    asked: Int64
    """[1] number of such questions."""
    logarithm: NDArray[np.float64]
    """[N + 3] natural logarithms."""


class Memory(NamedTuple):
    """What is kept of the last answers, and room to work in."""

    slot_of: Int64
    """[C] the row of the class in the score cache, -1 for none."""
    tree: NDArray[np.int32]
    """[slots + 1, .] tournament trees; -1 where the node does not fit."""
    seen: Int64
    """[slots + 1] changes that a row has taken in, -1 for an empty row."""
    tops: Int64
    """[slots + 1, 4]"""
    fits: Int64
    """[slots + 1] nodes that fit, for classes without topology terms."""
    members: Int64
    """[slots + 1, cells] nodes that fit in each cell."""
    log: Int64
    """Changed nodes in order."""
    logged: Int64
    """[1]"""
    last_change: Int64
    """[N] place of the node's last entry in log."""
    refused: NDArray[np.bool_]
    """[C] classes that find no node until one is freed."""
    worth_of: Int64
    """[C] the row of worth that the class shares with others, -1 for none."""
    worth: NDArray[np.int32]
    """[., N] the weighted scores of the resource plugins, -1 where a resource is short."""
    worth_seen: Int64
    """Changes that a row has taken in, -1 for an empty row."""
    todo: Int64
    code: NDArray[np.int8]
    total: Int64
    have: Int64
    scratch: Scratch
    piles: Piles


class Residents(NamedTuple):
    """Which units are on each node, in the scheduler's order: doubly linked lists of rows."""

    first: Int64
    """[N]"""
    last: Int64
    """[N]"""
    after: Int64
    """[U]"""
    before: Int64
    """[U]"""
    node: Int64
    """[U] -1 for a unit that is nowhere."""
    away: NDArray[np.bool_]
    """[U] evicted on trial."""
    unit_class: Int64
    """[U]"""
    priority: Int64
    """[U]"""
