"""Room for what a session keeps: who is where, and what nodes said to classes of units."""

from __future__ import annotations

import numpy as np

from capsim.placement.kubernetes._kernels import Memory, Piles, Residents
from capsim.placement.kubernetes.engine import Engine
from capsim.topology import Int64

#: Scores kept at once, over all classes of units (4 bytes each).
_CACHED_SCORES = 2**26
#: Levels of a class at most; where there are more, each node is asked.
_MOST_LEVELS = 64
_NO_SLOT = -1


def residents(engine: Engine) -> Residents:
    """Room to note who is where; nobody is anywhere yet."""
    nodes, units = len(engine.topology.scenario.nodes), len(engine.class_of)
    return Residents(
        np.full(nodes, -1, np.int64),
        np.full(nodes, -1, np.int64),
        np.full(units, -1, np.int64),
        np.full(units, -1, np.int64),
        np.full(units, -1, np.int64),
        np.zeros(units, np.bool_),
        engine.class_of,
        engine.topology.priority[engine.topology.unit_template],
    )


def memory(engine: Engine, expected: Int64) -> Memory:
    """Room for the scores of the most frequent classes, as many as there is memory for."""
    nodes, ways = len(engine.topology.scenario.nodes), engine.counters.cells
    room = max(1, nodes)
    width = 2 * max(1 << max(0, nodes - 1).bit_length(), int(ways.leaves.max(initial=1)))
    slot_of, slots = _slots(expected, engine.asking, max(1, _CACHED_SCORES // width))
    sizes = np.diff(ways.start)[~ways.single]
    worth_of, shared = _shared(engine.resource_groups(), _CACHED_SCORES // room)
    return Memory(
        slot_of,
        np.full((slots + 1, width), -1, np.int32),
        np.full(slots + 1, -1, np.int64),
        np.zeros((slots + 1, 4), np.int64),
        np.zeros(slots + 1, np.int64),
        np.zeros((slots + 1, int(sizes.max(initial=0))), np.int64),
        np.empty(2 * room + len(expected), np.int64),
        np.zeros(1, np.int64),
        np.full(nodes, -1, np.int64),
        np.zeros(engine.asking, np.bool_),
        worth_of,
        np.empty((shared, nodes), np.int32),
        np.full(shared, -1, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int8),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        engine.scratch(),
        _piles(engine, slot_of),
    )


def _piles(engine: Engine, slot_of: Int64) -> Piles:
    """Room for the piles of the classes that keep their scores, as far as there is memory."""
    nodes, ways = len(engine.topology.scenario.nodes), engine.counters.ways
    having = np.flatnonzero((ways.pile_way >= 0) & (slot_of >= 0))
    way, hosts = ways.pile_way[having], [ways.hosts[c] for c in having.tolist()]
    rows = len(having)
    row_of = np.full(len(slot_of), -1, np.int64)
    row_of[having] = np.arange(rows)
    width = 2 * int(ways.cells.leaves[way].max(initial=1))
    cells = int(np.diff(ways.cells.start)[way].max(initial=0))
    return Piles(
        row_of,
        way,
        np.cumsum([0, *(len(each) for each in hosts)]).astype(np.int64),
        np.array([q for each in hosts for q in each], np.int64),
        np.full((rows, nodes), -1, np.int32),
        np.zeros((rows, _MOST_LEVELS, max((len(each) for each in hosts), default=0)), np.int64),
        np.zeros((rows, _MOST_LEVELS), np.int64),
        np.zeros((rows, _MOST_LEVELS, cells), np.int32),
        np.zeros(rows, np.int64),
        np.full((rows, _MOST_LEVELS), -1, np.int64),
        # Not touched, so not taken from the machine, until a level needs its tree.
        np.empty((min(rows * _MOST_LEVELS, _CACHED_SCORES // width), width), np.int32),
        np.zeros(1, np.int64),
    )


def _shared(group: Int64, room: int) -> tuple[Int64, int]:
    """For each class the row of resource scores that it shares with others; how many there are."""
    members = np.bincount(group)
    chosen = np.argsort(-members, kind="stable")[:room]
    chosen = chosen[members[chosen] > 1]
    row = np.full(len(members), _NO_SLOT, np.int64)
    row[chosen] = np.arange(len(chosen))
    return row[group], len(chosen)


def _slots(unit_class: Int64, classes: int, room: int) -> tuple[Int64, int]:
    """Which classes keep their scores: the most frequent ones, as many as memory allows."""
    members = np.bincount(unit_class, minlength=classes)
    chosen = np.argsort(-members, kind="stable")[:room]
    chosen = chosen[members[chosen] > 1]
    slot_of = np.full(classes, _NO_SLOT, np.int64)
    slot_of[chosen] = np.arange(len(chosen))
    return slot_of, len(chosen)
