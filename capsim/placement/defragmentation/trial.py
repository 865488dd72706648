"""Moves on trial: the scheduler over a cluster in which every unit may be moved."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from capsim.placement.kubernetes.answers import Answers
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.session import Session
from capsim.placement.kubernetes.volume_binding import Bound
from capsim.placement.result import Placement
from capsim.scenario import PODS
from capsim.topology import Int64


class Trial:
    """A copy of a plan's cluster on which moves are tried."""

    def __init__(self, plan: Placement) -> None:
        topology = plan.placed_topology
        topology = dataclasses.replace(topology, unit_node=np.full_like(plan.node_of, -1))
        self.engine = Engine(topology, plan.engine.profile)
        everyone = np.arange(len(plan.node_of))
        state = self.engine.initial(plan.offered.copy())
        self.session = Session(self.engine, state, everyone)
        placed = np.flatnonzero(plan.node_of >= 0)
        self.session.bind_all(placed, plan.node_of[placed].astype(np.int64))
        self._pods = topology.column(PODS)

    @property
    def node_of(self) -> Int64:
        """[U] where every unit is now, -1 for nowhere."""
        return self.session.residents.node

    def ask(self, unit: int) -> Answers:
        """What every node says to a unit."""
        return self.engine.evaluate(self.session.state, int(self.engine.class_of[unit]))

    def place(self, units: Sequence[int]) -> bool:
        """Whether all of them find a node; they are there then, otherwise nowhere."""
        bound = self.bound()
        chosen = self.session.place(np.array(units, np.int64))
        if (chosen.node >= 0).all():
            return True
        self.take([unit for unit, node in zip(units, chosen.node, strict=True) if node >= 0])
        self.unbind_claims(bound)
        return False

    def bound(self) -> Bound:
        """Which claims are bound now, for `unbind_claims`."""
        return self.session.state.bound.copy()

    def unbind_claims(self, bound: Bound) -> None:
        """Claims are bound as they were; units that were placed since must be nowhere."""
        self.session.state.bound.restore(bound)

    def take(self, units: Sequence[int]) -> None:
        """Units leave their nodes."""
        for unit in units:
            self.session.unbind(unit)

    def put(self, units: Sequence[int], node: int) -> None:
        """Units run on a node, whether or not it would be the scheduler's choice."""
        for unit in units:
            self.session.bind(unit, node)

    def close(self, node: int) -> int:
        """No unit comes to a node any more; what it offered, for `reopen`."""
        offered = self.session.state.nodes.offered
        was = int(offered[node, self._pods])
        offered[node, self._pods] = 0
        return was

    def reopen(self, node: int, pods: int) -> None:
        """Undo `close`; the node is looked at again."""
        self.session.state.nodes.offered[node, self._pods] = pods
