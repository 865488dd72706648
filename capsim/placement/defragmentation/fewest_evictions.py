"""FewestEvictions: capsim's own search for the few evictions that free most.

For nodes: those with the fewest units to move first, a node is emptied (and cordoned, as `kubectl
drain` does) if the scheduler finds a place on another node in use for every unit on it. For
waiting units: in the order of the queue, each gets the node where fewest units of no higher
priority have to go, if these find other places once it is there. Greedy: a lower bound of what
could be reached, not the best that could be; every step is asked of the scheduler, and nobody who
runs is left without a place by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from capsim.placement.defragmentation.snapshot import Snapshot
from capsim.placement.defragmentation.trial import Trial
from capsim.placement.kubernetes.refusals import held_back, unresolvable
from capsim.scenario.spec import Spec
from capsim.topology import Int64

NAME = "FewestEvictions"
_MOST_NODES_TRIED = 12
_MOST_FOR_ONE = 8


class FewestEvictions(Spec):
    """The fewest evictions for a goal: "waiting" units that fit, or empty "nodes"."""

    goal: Literal["waiting", "nodes"] = "waiting"

    def evict(self, snapshot: Snapshot) -> None:
        """Evicts what the search finds."""
        trial = Trial(snapshot.plan)
        if self.goal == "nodes":
            _empty_nodes(snapshot, trial)
        else:
            _fit_waiting(snapshot, trial)


# Empty nodes --------------------------------------------------------------------------------


def _empty_nodes(snapshot: Snapshot, trial: Trial) -> None:
    # A move to an empty node would gain nothing, so that those are kept empty too.
    empty = [n for n in range(len(snapshot.nodes)) if not snapshot.working(n)]
    for node in empty:
        trial.close(node)
    movable = {n: snapshot.movable(n) for n in range(len(snapshot.nodes))}
    possible = [n for n, units in movable.items() if units]
    largest = np.maximum(snapshot.offered.max(axis=0, initial=1), 1)
    used = (snapshot.used / largest).sum(axis=1)
    for node in sorted(possible, key=lambda n: (len(movable[n]), used[n])):
        _empty(snapshot, trial, node)
    if snapshot.evictions:
        snapshot.cordoned += empty


def _empty(snapshot: Snapshot, trial: Trial, node: int) -> None:
    """Empties a node if all that is on it, also what came in the meantime, finds another place."""
    tied = set(snapshot.on_node(node)) - set(snapshot.movable(node))
    units = _largest_first(snapshot, [u for u in trial.session.on_node(node) if u not in tied])
    own = [unit for unit in units if snapshot.node_of[unit] == node]
    if not snapshot.can_evict(own):
        return
    pods = trial.close(node)
    trial.take(units)
    if not _lets_in(snapshot, trial) and trial.place(units):
        for unit in own:
            snapshot.evict(unit, "it is one of the last on its node")
        snapshot.cordoned.append(node)
    else:
        trial.reopen(node, pods)
        trial.put(units, node)


def _lets_in(snapshot: Snapshot, trial: Trial) -> bool:
    """Whether a waiting unit could go somewhere now; it would come before the evicted ones.

    Only those with topology terms, or a claim for one unit alone, hear of what left other nodes.
    """
    cells, class_of = trial.engine.counters.asks.cells, trial.engine.class_of
    for unit in snapshot.plan.waiting.tolist():
        if not held_back(snapshot.plan, unit) and cells[class_of[unit]] >= 0:
            pin = int(snapshot.topology.unit_pinned[unit])
            fits = trial.ask(unit).refusal == 0
            if fits.any() if pin == -1 else pin >= 0 and fits[pin]:
                return True
    return False


def _largest_first(snapshot: Snapshot, units: Sequence[int]) -> list[int]:
    """They are hardest to place."""
    largest = np.maximum(snapshot.offered.max(axis=0, initial=1), 1)

    def size(unit: int) -> tuple[int, float]:
        return -snapshot.template(unit).priority, -float((snapshot.request(unit) / largest).max())

    return sorted(units, key=size)


# Waiting units ------------------------------------------------------------------------------


def _fit_waiting(snapshot: Snapshot, trial: Trial) -> None:
    in_vain: set[tuple[int, int]] = set()
    """Classes, by pin, for which nothing was found since the last move."""
    for unit in snapshot.plan.waiting.tolist():
        kind = int(trial.engine.class_of[unit]), int(snapshot.topology.unit_pinned[unit])
        if kind in in_vain or held_back(snapshot.plan, unit):
            continue
        if trial.place([unit]) or _make_room(snapshot, trial, unit):
            in_vain.clear()
        else:
            in_vain.add(kind)


def _make_room(snapshot: Snapshot, trial: Trial, unit: int) -> bool:
    """Whether a few units could leave some node to a waiting one, and find places themselves."""
    for node in _promising(snapshot, trial, unit):
        gone = _leave(snapshot, trial, unit, node)
        if gone is None:
            continue
        bound = trial.bound()
        trial.put([unit], node)
        moved = _largest_first(snapshot, gone)
        own = [each for each in moved if snapshot.node_of[each] >= 0]
        if snapshot.can_evict(own) and trial.place(moved):
            for each in own:
                snapshot.evict(each, f"it makes room for {snapshot.units[unit].key}")
            return True
        trial.take([unit])
        trial.unbind_claims(bound)
        trial.put(gone, node)
    return False


def _promising(snapshot: Snapshot, trial: Trial, unit: int) -> list[int]:
    """Nodes on which the fewest evictions could do, as far as amounts tell."""
    state, answers = trial.session.state, trial.ask(unit)
    pin = int(snapshot.topology.unit_pinned[unit])
    open_ = ~unresolvable(trial.engine, state.offered, answers, pin) & (answers.refusal != 0)
    request = snapshot.request(unit)
    missing = np.maximum(request - (state.offered - state.used), 0) * (request > 0)
    units = _evictable(snapshot, trial, unit)
    on, asked = trial.node_of[units], snapshot.topology.request[snapshot.topology.unit_template]
    total, most = np.zeros_like(missing), np.zeros_like(missing)
    np.add.at(total, on, asked[units])
    np.maximum.at(most, on, asked[units])
    enough = (total >= missing).all(axis=1) & open_
    rows = np.flatnonzero(enough)
    steps = np.ceil(missing[rows] / np.maximum(most[rows], 1)).max(axis=1, initial=0)
    share = (missing[rows] / np.maximum(request, 1)).sum(axis=1)
    order = np.lexsort((share, steps))[:_MOST_NODES_TRIED]
    found: list[int] = rows[order].tolist()
    return found


def _evictable(snapshot: Snapshot, trial: Trial, unit: int) -> Int64:
    """Units on nodes that may go and would not be placed before the waiting one again."""
    priority = trial.session.residents.priority
    here = (trial.node_of >= 0) & (priority <= priority[unit]) & snapshot.free_to_go
    return np.flatnonzero(here).astype(np.int64)


def _leave(snapshot: Snapshot, trial: Trial, unit: int, node: int) -> list[int] | None:
    """Takes units off a node until a waiting one fits there; None (and no change) if none help.

    Each time the unit goes that covers most of what is missing.
    """
    gone: list[int] = []
    evictable = set(_evictable(snapshot, trial, unit).tolist())
    while len(gone) < _MOST_FOR_ONE:
        left = [each for each in trial.session.on_node(node) if each in evictable]
        if not left:
            break
        best = max(left, key=lambda each: _cover(snapshot, trial, unit, each, node))
        trial.take([best])
        gone.append(best)
        if trial.ask(unit).refusal[node] == 0:
            return gone
    trial.put(gone, node)
    return None


def _cover(snapshot: Snapshot, trial: Trial, unit: int, other: int, node: int) -> float:
    """How much of what a unit lacks on a node another one holds, less what it holds besides."""
    state, request = trial.session.state, snapshot.request(unit)
    missing = np.maximum(request - (state.offered - state.used)[node], 0)
    held = snapshot.request(other)
    covered = (np.minimum(held, missing) / np.maximum(missing, 1)).sum()
    besides = (held / np.maximum(state.offered[node], 1)).sum()
    return float(covered - 0.01 * besides)
