"""Memory on a Linux node: reclaim, protection, swap, eviction by the kubelet, the OOM killer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.contention import memory_rules as rules
from capsim.contention.fill import fill
from capsim.contention.memory_groups import MemoryGroup, MemoryNode
from capsim.contention.parameters import parameter
from capsim.errors import ModelError, clip
from capsim.scenario import Assumption

Float64 = NDArray[np.float64]
_PAGE = 4096.0


@dataclass(frozen=True)
class MemoryEvent:
    """One thing that happened under pressure, in its turn."""

    step: str
    """reclaim, swap, throttle, evict, oom kill."""
    group: str
    bytes: float
    """Given back, swapped, or held by what was killed; for throttle, the bytes over the mark."""
    why: str


@dataclass(frozen=True, eq=False)
class NodeMemory:
    """Memory of a node when the dust has settled; [G] by group."""

    node: MemoryNode
    groups: tuple[MemoryGroup, ...]
    resident: Float64
    """[G] bytes of anonymous memory in RAM."""
    cache: Float64
    """[G] bytes of page cache left."""
    swapped: Float64
    delay_s: Float64
    """[G] pause of each allocating return to user mode, above memory.high."""
    alive: NDArray[np.bool_]
    events: tuple[MemoryEvent, ...]
    assumptions: tuple[Assumption, ...] = field(default=())

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a group: what it holds, and what became of it."""
        fate = {e.group: e.step for e in self.events if e.step in ("evict", "oom kill")}
        return pd.DataFrame(
            {
                "group": [g.name for g in self.groups],
                "qos": [g.qos for g in self.groups],
                "resident_bytes": self.resident,
                "cache_bytes": self.cache,
                "swapped_bytes": self.swapped,
                "delay_s": self.delay_s,
                "fate": [fate.get(g.name, "runs") for g in self.groups],
            }
        )

    @cached_property
    def order(self) -> pd.DataFrame:
        """What was done under pressure, in order: step, group, bytes, why."""
        return pd.DataFrame(
            [(e.step, e.group, e.bytes, e.why) for e in self.events],
            columns=["step", "group", "bytes", "why"],
        )

    @property
    def used(self) -> float:
        """Bytes of RAM in use, the system's included."""
        return float(self.node.system + self.resident.sum() + self.cache.sum())

    def summary(self) -> dict[str, float]:
        """Use of the node, and how many groups were evicted, killed and slowed."""
        steps = [e.step for e in self.events]
        return {
            "used_share": self.used / self.node.capacity,
            "reclaimed_bytes": sum(e.bytes for e in self.events if e.step == "reclaim"),
            "swapped_bytes": float(self.swapped.sum()),
            "evicted": steps.count("evict"),
            "oom_killed": steps.count("oom kill"),
            "throttled": int((self.delay_s > 0).sum()),
        }

    def explain(self, group: str) -> str:
        """What happened to a group, as one sentence."""
        told = [f"{e.step} ({e.why})" for e in self.events if e.group == group]
        return f"{group}: {'; '.join(told) if told else 'nothing was taken from it'}."

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format=lambda value: f"{value:,.4g}"))


def settle_memory(node: MemoryNode, groups: Sequence[MemoryGroup]) -> NodeMemory:
    """What is reclaimed, swapped, slowed, evicted and killed, in the order in which Linux does it.

    First every cgroup for itself: beyond memory.max it loses page cache, then swaps, then is
    killed; beyond memory.high it loses page cache, then is slowed, never killed. Then the node:
    inactive page cache goes, then active cache and swap where free memory falls under the
    kernel's watermark, and the kubelet evicts where memory.available falls under its threshold,
    whichever comes first; memory.low gives way only when nothing unprotected is left, memory.min
    never. What still exceeds RAM is killed by badness.

    Parameters: node; groups, with distinct names.
    Returns: NodeMemory with .table and .order.
    Model: docs/models/memory_io_caches.md, "Memory of a node".

    >>> calm = settle_memory(MemoryNode(capacity=1e9), [MemoryGroup(name="a", anon=2e8)])
    >>> calm.summary()["evicted"]
    0
    """
    names = [g.name for g in groups]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ModelError(f"Two memory groups are called {clip(twice)}, expected distinct names.")
    state = _State(node, tuple(groups))
    for g in range(len(state.groups)):
        _within_own_limits(state, g)
    _reclaim(state, "low", state.inactive)
    evicting = node.eviction_threshold is not None
    if evicting and rules.low_watermark(node.capacity) <= (node.eviction_threshold or 0.0):
        _evict(state)
    _reclaim(state, "low", state.active)
    _swap_out(state, "low")
    for pages in (state.inactive, state.active):
        _reclaim(state, "min", pages)
    _swap_out(state, "min")
    if evicting:
        _evict(state)
    _oom_kill(state)
    return _result(state)


class _State:
    """The amounts while they change; [G] each."""

    def __init__(self, node: MemoryNode, groups: tuple[MemoryGroup, ...]) -> None:
        self.node, self.groups = node, groups
        self.anon = np.array([g.anon for g in groups], np.float64)
        self.active = np.array([g.file * g.active_file for g in groups], np.float64)
        self.inactive = np.array([g.file * (1 - g.active_file) for g in groups], np.float64)
        self.swapped = np.zeros(len(groups))
        self.delay = np.zeros(len(groups))
        self.alive = np.ones(len(groups), np.bool_)
        self.events: list[MemoryEvent] = []

    @property
    def cache(self) -> Float64:
        return self.active + self.inactive

    @property
    def swap_left(self) -> float:
        return max(0.0, self.node.swap - float(self.swapped.sum()))

    def tell(self, step: str, g: int, amount: float, why: str) -> None:
        self.events.append(MemoryEvent(step, self.groups[g].name, float(amount), why))

    def end(self, step: str, g: int, why: str) -> None:
        self.tell(step, g, self.anon[g] + self.cache[g] + self.swapped[g], why)
        for held in (self.anon, self.active, self.inactive, self.swapped, self.delay):
            held[g] = 0.0
        self.alive[g] = False


def _within_own_limits(state: _State, g: int) -> None:
    """memory.max and memory.high of one cgroup."""
    group = state.groups[g]
    if group.limit is not None and _take(state, g, group.limit, "memory.max") > 0:
        adj = group.oom_score_adj if group.oom_score_adj is not None else 0
        if adj > rules.UNKILLABLE:
            state.end("oom kill", g, "beyond memory.max with nothing left to reclaim")
        return
    if group.high is not None:
        over = _take(state, g, group.high, "memory.high")
        if over > 0:
            state.delay[g] = rules.high_delay_s(group.high + over, group.high)
            state.tell("throttle", g, over, f"paused {state.delay[g]:.2g} s when it allocates")


def _take(state: _State, g: int, mark: float, name: str) -> float:
    """Reclaim cache, then swap, until the group is at the mark; returns what is still over it."""
    over = state.anon[g] + state.cache[g] - mark
    for step, at_most in (
        ("reclaim", state.cache[g]),
        ("swap", min(state.swap_left, state.groups[g].swap_limit - state.swapped[g])),
    ):
        amount = min(max(over, 0.0), at_most, state.anon[g] if step == "swap" else math.inf)
        if amount <= 0:
            continue
        state.tell(step, g, amount, f"beyond {name}")
        if step == "reclaim":
            passive = min(amount, state.inactive[g])
            state.inactive[g] -= passive
            state.active[g] = max(0.0, state.active[g] - (amount - passive))
        else:
            state.anon[g] -= amount
            state.swapped[g] += amount
        over -= amount
    return max(0.0, float(over)) if over > _PAGE else 0.0


def _over_ram(state: _State) -> float:
    used = state.node.system + float(state.anon.sum() + state.cache.sum())
    return used - state.node.capacity


def _reclaim(state: _State, guard: str, pages: Float64) -> None:
    """Take page cache until free memory is at the kernel's watermark.

    In proportion to what is unprotected; guard: the protection that still holds, low or min.
    """
    open_ = _unprotected(state, guard)
    taken = fill(_shortage(state), np.maximum(open_, 1.0), np.clip(pages, 0.0, open_))
    pages[:] = np.maximum(0.0, pages - taken)
    _tell_all(state, "reclaim", taken, guard)


def _swap_out(state: _State, guard: str) -> None:
    """Swap anonymous memory likewise, within memory.swap.max and the node's swap."""
    open_ = _unprotected(state, guard)
    room = np.array([g.swap_limit for g in state.groups]) - state.swapped
    ceiling = np.clip(np.minimum(room, state.anon), 0.0, open_)
    taken = fill(min(_shortage(state), state.swap_left), np.maximum(open_, 1.0), ceiling)
    state.anon -= taken
    state.swapped += taken
    _tell_all(state, "swap", taken, guard)


def _unprotected(state: _State, guard: str) -> Float64:
    floor = np.array([max(g.min, g.low) if guard == "low" else g.min for g in state.groups])
    return np.asarray(np.maximum(0.0, state.anon + state.cache - floor))


def _shortage(state: _State) -> float:
    short = _over_ram(state) + rules.low_watermark(state.node.capacity)
    return short if short > 1.0 else 0.0


def _tell_all(state: _State, step: str, taken: Float64, guard: str) -> None:
    short = "free memory is under the kernel's mark"
    why = short if guard == "low" else f"{short}, memory.low gave way"
    for g in np.flatnonzero(taken > 0):
        state.tell(step, int(g), taken[g], why)


def _evict(state: _State) -> None:
    """The kubelet: memory.available = capacity - working set, which leaves out inactive cache."""
    held = state.anon + state.active
    room = state.node.capacity - state.node.system - (state.node.eviction_threshold or 0.0)
    for g, why in rules.eviction_order(state.groups, held, state.alive):
        if float((state.anon + state.active).sum()) <= room:
            return
        state.end("evict", g, why)


def _oom_kill(state: _State) -> None:
    order = rules.oom_order(
        state.groups, state.anon, state.swapped, state.alive, state.node.capacity
    )
    for g, why in order:
        if _over_ram(state) <= 0:
            return
        state.end("oom kill", g, why)


def _result(state: _State) -> NodeMemory:
    return NodeMemory(
        node=state.node,
        groups=state.groups,
        resident=state.anon,
        cache=state.cache,
        swapped=state.swapped,
        delay_s=state.delay,
        alive=state.alive,
        events=tuple(state.events),
        assumptions=(
            parameter("kubelet_eviction_memory_available").assumption,
            parameter("kubelet_housekeeping").assumption,
        ),
    )
