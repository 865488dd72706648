"""A session: a state, what is on each node, and the answers kept while units come and go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import _kernels
from capsim.placement.kubernetes._kernels import Memory, Piles, Residents
from capsim.placement.kubernetes.engine import Engine, State
from capsim.placement.kubernetes.sampling import Sampling
from capsim.placement.kubernetes.static import NARROWED
from capsim.topology import Int32, Int64

#: Scores kept at once, over all classes of units (4 bytes each).
_CACHED_SCORES = 2**26
#: Levels of a class at most; where there are more, each node is asked.
_MOST_LEVELS = 64
_NO_SLOT = -1


@dataclass(frozen=True, eq=False)
class Choices:
    """What was decided for some units."""

    node: Int32
    """Row of the node, -1 where nothing fits."""
    fits: Int64
    """Nodes that fitted."""
    total: Int64
    """Score of the node, where several fitted."""


class Session:
    """Places, binds and evicts units one after the other on one state.

    Parameters: engine; state, updated in place; expected, the units (rows) that are going to be
    placed, by which it is decided whose scores are kept; arrival, rows of the units that run
    already in the order of their arrival, by default that of the scenario; sampling, for a
    scheduler that looks at some nodes only or draws among the best.
    """

    def __init__(
        self,
        engine: Engine,
        state: State,
        expected: Int64,
        arrival: Int64 | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        self.engine, self.state = engine, state
        self._sampling = sampling
        self._walk = np.array([0, sampling.seed if sampling else 0], np.int64)
        self.changes = 0
        """Units that have come or gone."""
        self.residents = _residents(engine)
        self.memory = _memory(engine, engine.class_of[expected])
        self._pin = engine.topology.unit_pinned
        self._profile = np.array(
            [engine.profiles.number(engine.template(c)) for c in range(engine.asking)], np.int64
        )
        running = engine.topology.unit_node
        order = np.flatnonzero(running >= 0) if arrival is None else arrival
        _kernels.settle_all(order.astype(np.int64), running, self.residents)

    def place(self, units: Int64, may_preempt: NDArray[np.bool_] | None = None) -> Choices:
        """Place units until one finds no node though its class may preempt (bool[C]).

        Returns: the choices so far; the last one is that unit's, with node -1, if there is one.
        """
        classes = self.engine.class_of[units]
        out = Choices(
            np.full(len(units), -1, np.int32),
            np.zeros(len(units), np.int64),
            np.zeros(len(units), np.int64),
        )
        asks = np.zeros(self.engine.asking, np.bool_) if may_preempt is None else may_preempt
        begin = 0
        for end in _runs(self._profile[classes]):
            stopped = self._schedule(units, classes, asks, begin, end, out)
            if stopped < end:
                return self._settled(units, out, stopped + 1)
            begin = end
        return self._settled(units, out, len(units))

    def _schedule(
        self,
        units: Int64,
        classes: Int64,
        may_preempt: NDArray[np.bool_],
        begin: int,
        end: int,
        out: Choices,
    ) -> int:
        """Place units[begin:end], which are of one profile; the first that stopped, or end."""
        engine, counters = self.engine, self.engine.counters
        if self._sampling is not None:
            return self._sample(units, classes, may_preempt, begin, end, out)
        stopped: int = _kernels.schedule(
            classes[:end],
            self._pin[units[:end]],
            may_preempt,
            begin,
            *self.state,
            engine.units,
            engine.tables,
            engine.policies[int(self._profile[classes[begin]])],
            counters.rows,
            counters.asks,
            counters.cells,
            self.memory,
            out.node,
            out.fits,
            out.total,
        )
        return stopped

    def _sample(
        self,
        units: Int64,
        classes: Int64,
        may_preempt: NDArray[np.bool_],
        begin: int,
        end: int,
        out: Choices,
    ) -> int:
        """The same by the kernel that looks at a sample of the nodes."""
        engine, counters, sampling = self.engine, self.engine.counters, self._sampling
        assert sampling is not None
        stopped: int = _kernels.schedule_sampled(
            classes[:end],
            self._pin[units[:end]],
            may_preempt,
            begin,
            *self.state,
            engine.units,
            engine.tables,
            engine.policies[int(self._profile[classes[begin]])],
            counters.rows,
            counters.asks,
            self.memory,
            NARROWED,
            sampling.percentage,
            sampling.ties == "random",
            self._walk,
            out.node,
            out.fits,
            out.total,
        )
        return stopped

    def _settled(self, units: Int64, out: Choices, count: int) -> Choices:
        placed = np.flatnonzero(out.node[:count] >= 0)
        self.changes += len(placed)
        self._settle(units[placed], out.node[placed])
        return Choices(out.node[:count], out.fits[:count], out.total[:count])

    def _settle(self, units: Int64, nodes: Int32) -> None:
        where = np.full(len(self.engine.class_of), -1, np.int32)
        where[units] = nodes
        _kernels.settle_all(units, where, self.residents)

    def bind(self, unit: int, node: int) -> None:
        """A unit runs on a node from now on."""
        self.changes += 1
        units, rows = self.engine.units, self.engine.counters.rows
        _kernels.arrive(unit, node, *self.state, units, rows, self.residents, self.memory)

    def bind_all(self, units: Int64, nodes: Int64) -> None:
        """Units run on these nodes from now on; quicker than one by one, forgets all scores."""
        self.changes += len(units)
        engine, rows = self.engine, nodes.astype(np.int32)
        classes = engine.class_of[units]
        _kernels.bind_all(classes, rows, *self.state, engine.units, engine.counters.rows)
        self._settle(units, rows)
        self.memory.seen[:] = -1
        self.memory.worth_seen[:] = -1

    def unbind(self, unit: int) -> None:
        """A unit is evicted; its GPU boards are dealt again to the units that stay."""
        self.changes += 1
        units, rows = self.engine.units, self.engine.counters.rows
        _kernels.leave(unit, *self.state, units, rows, self.residents, self.memory)

    @contextmanager
    def without(self, units: Sequence[int]) -> Iterator[None]:
        """Some units are away for the time being; each returns to its node, boards and all."""
        state, engine, residents = self.state, self.engine, self.residents
        boards = state.nodes.gpu_free.copy()
        for unit in units:
            _kernels.evict_on_trial(unit, *state, engine.units, engine.counters.rows, residents)
        try:
            yield
        finally:
            for unit in units:
                _kernels.return_from_trial(
                    unit, *state, engine.units, engine.counters.rows, residents
                )
            state.nodes.gpu_free[:] = boards

    def on_node(self, node: int) -> Sequence[int]:
        """Rows of the units on a node, in the scheduler's order."""
        found, unit = [], int(self.residents.first[node])
        while unit >= 0:
            found.append(unit)
            unit = int(self.residents.after[unit])
        return found

    def freed(self, c: int, nodes: Int64, refusal: NDArray[np.int8]) -> Int64:
        """Those of the nodes on which a class would fit without the units of lower priority.

        refusal: why each node refuses it now.
        """
        engine = self.engine
        fits = np.empty(len(nodes), np.bool_)
        _kernels.freed(
            c,
            self.priority(c),
            nodes,
            refusal,
            *self.state,
            engine.units,
            engine.tables,
            engine.counters.rows,
            engine.counters.asks,
            self.residents,
            *engine.heard(c),
            fits,
        )
        return nodes[fits]

    def reprieve(self, c: int, node: int, lower: Sequence[int]) -> list[bool]:
        """Which of the units must leave a node so that a class fits, tried in this order."""
        engine = self.engine
        victim = np.empty(len(lower), np.bool_)
        _kernels.reprieve(
            c,
            node,
            np.array(lower, np.int64),
            *self.state,
            engine.units,
            engine.tables,
            engine.counters.rows,
            engine.counters.asks,
            self.residents,
            victim,
        )
        found: list[bool] = victim.tolist()
        return found

    def priority(self, c: int) -> int:
        """The priority of a class."""
        return int(self.engine.topology.priority[self.engine.kinds[c].template])

    @property
    def lowest_priority(self) -> int:
        """The lowest priority of any unit that is on a node."""
        here = self.residents.priority[self.residents.node >= 0]
        return int(here.min(initial=2**31))


def _runs(values: Int64) -> list[int]:
    """Where stretches of equal values end."""
    if len(values) == 0:
        return []
    return [*(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]


def _residents(engine: Engine) -> Residents:
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


def _memory(engine: Engine, expected: Int64) -> Memory:
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
