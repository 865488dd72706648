"""A session: a state, what is on each node, and the answers kept while units come and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import _kernels
from capsim.placement.kubernetes._kernels import Memory, Piles, Residents
from capsim.placement.kubernetes.engine import Engine, State
from capsim.placement.kubernetes.static import FITS
from capsim.placement.kubernetes.volume_binding import Verdict
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
    already in the order of their arrival, by default that of the scenario.
    """

    def __init__(
        self, engine: Engine, state: State, expected: Int64, arrival: Int64 | None = None
    ) -> None:
        self.engine, self.state = engine, state
        self.changes = 0
        """Units that have come or gone."""
        self.residents = _residents(engine)
        self.memory = _memory(engine, engine.class_of[expected])
        self._pin = engine.topology.unit_pinned
        self._profile = np.array(
            [engine.profiles.number(engine.template(c)) for c in range(engine.asking)], np.int64
        )
        self._live = np.array([engine.is_live(c) for c in range(engine.asking)], np.bool_)
        self._units = engine.units._replace(own_port=state.bound.held)
        self._filling = np.array([engine.may_fill(c) for c in range(engine.asking)], np.bool_)
        self._tables = engine.tables
        if self._live.any():
            self._tables = engine.tables._replace(refusal=engine.tables.refusal.copy())
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
        for end in _runs(self._profile[classes], (self._live | self._filling)[classes]):
            verdict = self._ask_again(int(classes[begin]))
            self._find_full(int(classes[begin]))
            stopped = self._schedule(units, classes, asks, begin, end, out)
            self._bind_claims(verdict, int(out.node[begin]))
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
        stopped: int = _kernels.schedule(
            classes[:end],
            self._pin[units[:end]],
            may_preempt,
            begin,
            *self.state.arrays,
            self._units,
            self._tables,
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

    def _ask_again(self, c: int) -> Verdict | None:
        """Asks nodes anew about a class whose claims may have been bound in the meantime."""
        engine = self.engine
        if c >= len(self._live) or not self._live[c] or engine.volumes is None:
            return None
        verdict = engine.volumes.verdict(c, self.state.bound, engine.profile_of(c))
        said, early = engine.volumes.refusal(verdict), engine.static.refusal[c]
        self._tables.refusal[c] = np.where(early == FITS, said, early)
        self._start_afresh(c)
        return verdict

    def _find_full(self, c: int) -> None:
        """Notes on which nodes a class would exceed a limit of volumes."""
        volumes = self.engine.volumes
        if c >= len(self._filling) or not self._filling[c] or volumes is None:
            return
        nodes, everywhere = self.state.nodes, np.arange(len(self.state.nodes.used))
        code = np.zeros(len(everywhere), np.int8)
        _kernels.volumes_filter(c, everywhere, len(code), nodes, self._units, code)
        nodes.port_use[:, volumes.full] = code != 0
        self._start_afresh(c)

    def _start_afresh(self, c: int) -> None:
        """Forgets what nodes said to a class."""
        self.memory.seen[self.memory.slot_of[c]] = -1
        self.memory.refused[c] = False

    def _bind_claims(self, verdict: Verdict | None, node: int) -> None:
        """Notes that a unit has gone to a node, so that its claims are bound."""
        if verdict is None or node < 0 or self.engine.volumes is None:
            return
        nodes, bound = self.state.nodes, self.state.bound
        for changed in self.engine.volumes.bind(verdict, node, bound, nodes).tolist():
            _kernels.note(changed, self.memory)

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
        verdict = self._ask_again(int(self.engine.class_of[unit]))
        units, rows = self._units, self.engine.counters.rows
        _kernels.arrive(unit, node, *self.state.arrays, units, rows, self.residents, self.memory)
        self._bind_claims(verdict, node)

    def unbind(self, unit: int) -> None:
        """A unit is evicted; its GPU boards are dealt again to the units that stay."""
        self.changes += 1
        units, rows = self._units, self.engine.counters.rows
        _kernels.leave(unit, *self.state.arrays, units, rows, self.residents, self.memory)

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
        self._ask_again(c)
        fits = np.empty(len(nodes), np.bool_)
        _kernels.freed(
            c,
            self.priority(c),
            nodes,
            refusal,
            *self.state.arrays,
            engine.on_trial(self.state.bound.held),
            self._tables,
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
            *self.state.arrays,
            engine.on_trial(self.state.bound.held),
            self._tables,
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


def _runs(values: Int64, alone: NDArray[np.bool_]) -> list[int]:
    """Where stretches of equal values end; a unit that is to be alone is a stretch."""
    if len(values) == 0:
        return []
    ends = (np.diff(values) != 0) | alone[1:] | alone[:-1]
    return [*(np.flatnonzero(ends) + 1).tolist(), len(values)]


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
