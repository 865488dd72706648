"""Works off the queue of waiting units, with evictions for units of higher priority.

A victim goes back to the queue, behind the waiting units of its priority (several by name): what
a controller would make anew is the same unit here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes.answers import State
from capsim.placement.kubernetes.default_preemption import Preemption
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.sampling import Sampling
from capsim.placement.kubernetes.session import Session
from capsim.topology import Int32, Int64

_NOWHERE = -1
_BY_NONE = -1


@dataclass(frozen=True, eq=False)
class History:
    """What happened, in order: attempts to place units, and evictions."""

    unit: Int64
    node: Int64
    """Where the unit went, -1 where it found no place or was evicted."""
    evicted_by: Int64
    """For whom the unit had to leave, -1 for an attempt."""

    @property
    def tried(self) -> Int64:
        """The units that were tried, each once, in the order of their last attempts."""
        units = self.unit[self.evicted_by == _BY_NONE][::-1]
        _, last = np.unique(units, return_index=True)
        tried: Int64 = units[np.sort(last)][::-1]
        return tried

    def node_of(self, running: Int32) -> Int32:
        """Where every unit is in the end, given where units ran before."""
        node_of = running.copy()
        node_of[self.unit] = self.node
        return node_of

    @property
    def evictor(self) -> dict[int, int]:
        """For each unit that was ever evicted, the unit for which it left last."""
        gone = np.flatnonzero(self.evicted_by != _BY_NONE)
        return dict(zip(self.unit[gone].tolist(), self.evicted_by[gone].tolist(), strict=True))

    def before(self, unit: int) -> History:
        """What had happened when the unit was tried for the last time."""
        turns = np.flatnonzero((self.unit == unit) & (self.evicted_by == _BY_NONE))
        end = int(turns[-1])
        return History(self.unit[:end], self.node[:end], self.evicted_by[:end])


def work_off(
    engine: Engine, state: State, queue: Int64 | None = None, sampling: Sampling | None = None
) -> History:
    """Places what waits, by default in the order of the active queue; updates the state."""
    waiting = engine.waiting if queue is None else queue
    return _Work(Session(engine, state, waiting, sampling=sampling)).off(waiting)


def resume(engine: Engine, state: State, history: History) -> Session:
    """A session as it is after some history, from the initial state (updated)."""
    session = Session(engine, state, history.unit[:0])
    begin = 0
    for end in [*np.flatnonzero(history.evicted_by != _BY_NONE).tolist(), len(history.unit)]:
        stretch = slice(begin, end)
        placed = history.node[stretch] != _NOWHERE
        session.bind_all(history.unit[stretch][placed], history.node[stretch][placed])
        if end < len(history.unit):
            session.unbind(int(history.unit[end]))
        begin = end + 1
    return session


class _Work:
    def __init__(self, session: Session) -> None:
        self._session, self._engine = session, session.engine
        self._preemption = Preemption(session)
        self._priority = session.residents.priority
        self._events: list[tuple[Int64, Int64, int]] = []

    def off(self, queue: Int64) -> History:
        """Places the queue and whatever comes back to it."""
        may_stop = self._may_stop()
        while len(queue):
            choices = self._session.place(queue, may_stop)
            tried, queue = queue[: len(choices.node)], queue[len(choices.node) :]
            self._note(tried, choices.node)
            last = int(tried[-1])
            if choices.node[-1] == _NOWHERE and may_stop[self._engine.class_of[last]]:
                queue = self._make_room(last, queue)
        return History(
            np.concatenate([units for units, _, _ in self._events] or [np.zeros(0, np.int64)]),
            np.concatenate([nodes for _, nodes, _ in self._events] or [np.zeros(0, np.int64)]),
            np.repeat(
                np.array([by for _, _, by in self._events], np.int64),
                [len(units) for units, _, _ in self._events],
            ),
        )

    def _may_stop(self) -> NDArray[np.bool_]:
        """Classes whose units may evict what runs already.

        Units placed here cannot be their victims: the queue is in the order of priority.
        """
        engine, topology = self._engine, self._engine.topology
        running = self._priority[topology.unit_node >= 0]
        lowest = int(running.min(initial=2**31))
        return np.array(
            [
                self._preemption.is_allowed(c) and self._session.priority(c) > lowest
                for c in range(engine.asking)
            ],
            bool,
        )

    def _make_room(self, unit: int, queue: Int64) -> Int64:
        """Evicts for a unit that found no node, and tries it again; the queue with the victims."""
        engine = self._engine
        c, pin = int(engine.class_of[unit]), int(engine.topology.unit_pinned[unit])
        found = self._preemption.outcome(c, pin=pin)
        if not found.candidates:
            return queue
        units = engine.topology.scenario.units
        by_name = sorted(found.best[0].victims, key=lambda victim: units[victim].key)
        victims = np.array(by_name, np.int64)
        for victim in victims.tolist():
            self._session.unbind(victim)
        self._note(victims, np.full(len(victims), _NOWHERE), unit)
        again = np.array([unit], np.int64)
        self._note(again, self._session.place(again).node)
        for victim in victims.tolist():
            queue = self._requeued(victim, queue)
        return queue

    def _requeued(self, victim: int, queue: Int64) -> Int64:
        place = np.searchsorted(-self._priority[queue], -self._priority[victim], side="right")
        return np.insert(queue, int(place), victim)

    def _note(self, units: Int64, nodes: Int64 | Int32, by: int = _BY_NONE) -> None:
        self._events.append((units, nodes.astype(np.int64), by))
