"""A session: a state, what is on each node, and the answers kept while units come and go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import _kernels
from capsim.placement.kubernetes.answers import State
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.memory import memory, residents
from capsim.placement.kubernetes.sampling import Sampling
from capsim.placement.kubernetes.static import FITS, NARROWED
from capsim.placement.kubernetes.volume_binding import Verdict
from capsim.topology import Int32, Int64


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
        self.residents = residents(engine)
        self.memory = memory(engine, engine.class_of[expected])
        self._pin = engine.topology.unit_pinned
        self._profile = np.array(
            [engine.profiles.number(engine.template(c)) for c in range(engine.asking)], np.int64
        )
        self._live = np.array([engine.is_live(c) for c in range(engine.asking)], np.bool_)
        self._units = engine.units._replace(own_port=state.bound.held)
        self._filling = np.array([engine.may_fill(c) for c in range(engine.asking)], np.bool_)
        alone = self._live | self._filling
        self._alone = alone if alone.any() else None
        """Classes of which volumes are looked at each time."""
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
        alone = self._alone[classes] if self._alone is not None else None
        for end in _runs(self._profile[classes], alone):
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
        if self._sampling is not None:
            return self._sample(units, classes, may_preempt, begin, end, out)
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
            *self.state.arrays,
            self._units,
            self._tables,
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
        verdict = self._ask_again(int(self.engine.class_of[unit]))
        units, rows = self._units, self.engine.counters.rows
        _kernels.arrive(unit, node, *self.state.arrays, units, rows, self.residents, self.memory)
        self._bind_claims(verdict, node)

    def bind_all(self, units: Int64, nodes: Int64) -> None:
        """Units run on these nodes from now on; quicker than one by one, forgets all scores."""
        classes = self.engine.class_of[units]
        live = np.zeros(len(self.engine.kinds), np.bool_)
        live[: len(self._live)] = self._live
        begin = 0
        for at in [*np.flatnonzero(live[classes]).tolist(), len(units)]:
            self._bind_stretch(units[begin:at], nodes[begin:at])
            if at < len(units):
                self.bind(int(units[at]), int(nodes[at]))
            begin = at + 1
        self.memory.seen[:] = -1
        self.memory.worth_seen[:] = -1

    def _bind_stretch(self, units: Int64, nodes: Int64) -> None:
        """Units without live claims run on these nodes from now on."""
        self.changes += len(units)
        classes, rows = self.engine.class_of[units], nodes.astype(np.int32)
        counted = self.engine.counters.rows
        _kernels.bind_all(classes, rows, *self.state.arrays, self._units, counted)
        self._settle(units, rows)

    def unbind(self, unit: int) -> None:
        """A unit is evicted; its GPU boards are dealt again to the units that stay."""
        self.changes += 1
        units, rows = self._units, self.engine.counters.rows
        _kernels.leave(unit, *self.state.arrays, units, rows, self.residents, self.memory)

    @contextmanager
    def without(self, units: Sequence[int]) -> Iterator[None]:
        """Some units are away for the time being; each returns to its node, boards and all."""
        boards = self.state.nodes.gpu_free.copy()
        tables = (*self.state.arrays, self._units, self.engine.counters.rows, self.residents)
        for unit in units:
            _kernels.evict_on_trial(unit, *tables)
        try:
            yield
        finally:
            for unit in units:
                _kernels.return_from_trial(unit, *tables)
            self.state.nodes.gpu_free[:] = boards

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
            engine.by_class.on_trial(self.state.bound.held),
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
            engine.by_class.on_trial(self.state.bound.held),
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


def _runs(values: Int64, alone: NDArray[np.bool_] | None) -> list[int]:
    """Where stretches of equal values end; a unit that is to be alone is a stretch."""
    if len(values) == 0:
        return []
    ends = values[1:] != values[:-1]
    if alone is not None:
        ends |= alone[1:] | alone[:-1]
    return [*(np.flatnonzero(ends) + 1).tolist(), len(values)]
