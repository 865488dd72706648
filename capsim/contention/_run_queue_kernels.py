"""Numba kernels of run queues: spinning threads of sibling groups on a few CPUs, event by event.

They answer what the weighted max-min share cannot: what the placement of threads on CPUs does to
the shares, and what quotas do when CPU time is accounted at ticks. G groups, T threads, C CPUs;
times in seconds, weights in cpu.shares (1024: nice 0). Rules, sources and the check against a real
kernel: docs/models/cpu.md, "Placement of threads".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


class Rules(NamedTuple):
    """How the scheduler is set; times in seconds."""

    tick: float
    """Between two accountings."""
    slice: float
    """Of EEVDF: how long a thread runs before others are considered."""
    pool_slice: float
    """Drawn from a quota at once."""
    kept: float
    """By a CPU that its group has left."""
    half_life: float
    """Of load averages."""
    imbalance: float
    """Ratio of loads that a busy CPU tolerates."""
    balance: float
    """Shortest time between two looks of a busy CPU."""
    hot: float
    """A thread that ran so short a time ago is not moved."""
    background: float
    """Mean share of a CPU that the machine itself takes."""


class Groups(NamedTuple):
    """What does not change of the groups, [G]; quota inf: no limit."""

    shares: Float64
    threads: Int64
    quota: Float64
    period: Float64


class Queues(NamedTuple):
    """The state: of threads [T], of parts of groups on CPUs [G, C], of CPUs [C], of groups [G]."""

    group: Int64
    """[T]"""
    cpu: Int64
    """[T]"""
    run: Float64
    """[T] CPU time."""
    ran_at: Float64
    """[T] when it ran last."""
    turn: Float64
    """[T] order in which they ran last."""
    members: Int64
    """[G, C] threads."""
    weight: Float64
    """[G, C] 0 where there is no thread."""
    vtime: Float64
    """[G, C]"""
    deadline: Float64
    """[G, C] virtual."""
    lag: Float64
    """[G, C] how far behind its share a part was when it left the queue."""
    held: Float64
    """[G, C] drawn from the quota and not used; below 0: debt."""
    busy: Float64
    """[G, C] load average, 0 to 1."""
    stopped: Bool
    """[G, C] by the quota."""
    stop_turn: Float64
    """[G, C] order in which they were stopped."""
    current: Int64
    """[C] thread, -1 when idle."""
    since: Float64
    """[C] accounted until then."""
    failed: Int64
    """[C] balancings in a row that moved nothing."""
    pool: Float64
    """[G] left of the quota."""


_LEAST_WEIGHT = 2.0 / 1024
_LEAST_LOAD = 2.0


@njit(cache=True)
def run_groups(
    groups: Groups,
    rules: Rules,
    cpu_of: Int64,
    phase: Float64,
    tick_phase: float,
    duration: float,
    cpus: int,
    rng: np.random.Generator,
    out: Float64,
) -> None:
    """Run every thread from 0 to `duration` (all spin); fill in what each group got.

    cpu_of: int64[T] CPU on which each thread starts, threads in the order of their groups.
    phase: float64[G] first period boundary; tick_phase: first tick. rng: what the machine itself
    takes comes at random, or groups would stay in step as no real ones do.
    out: float64[G, 3], overwritten: cores, periods ended, periods that ended throttled.
    """
    q = _start(groups, rules, cpu_of, cpus)
    out[:] = 0.0
    boundary = np.where(groups.quota < np.inf, phase, np.inf)
    balance_at = np.full(cpus, rules.balance * (0.5 + 0.5 * tick_phase / rules.tick))
    interval = np.full(cpus, rules.balance)
    decide = np.ones(cpus, np.bool_)
    tick = tick_phase
    now = 0.0
    while now < duration:
        for c in range(cpus):
            if decide[c]:
                _run_next(c, now, groups, q)
                decide[c] = False
        at = min(duration, tick, boundary.min())
        _fade(at - now, rules, q)
        now = at
        ticks = tick <= now
        for c in range(cpus):
            if q.current[c] >= 0 and (ticks or now >= duration or _returns(c, now, boundary, q)):
                decide[c] = _account(c, now, ticks, groups, rules, q, rng, out)
        for g in range(len(boundary)):
            if boundary[g] <= now < duration:
                boundary[g] += groups.period[g]
                _refill(g, groups, rules, q, out, decide)
        if ticks and now < duration:
            tick += rules.tick
            for c in range(cpus):
                if q.current[c] < 0 and not decide[c]:
                    decide[c] = _pull_idle(c, now, groups, rules, q) > 0
                elif q.current[c] >= 0 and balance_at[c] <= now:
                    even, moved = _balance(c, now, groups, rules, q)
                    most = 2 * rules.balance
                    interval[c] = min(2 * interval[c], most) if even else rules.balance
                    balance_at[c] = now + interval[c]
                    decide[c] = decide[c] or moved > 0
    for g in range(len(boundary)):
        if groups.quota[g] < np.inf:
            _count_period(g, q, out)
        out[g, 0] /= duration


@njit(cache=True)
def _start(groups: Groups, rules: Rules, cpu_of: Int64, cpus: int) -> Queues:
    """All threads queued on their CPUs; each part of a group draws its first slice."""
    count_groups = len(groups.shares)
    threads = len(cpu_of)
    shape = (count_groups, cpus)
    q = Queues(
        np.repeat(np.arange(count_groups), groups.threads),
        cpu_of.copy(),
        np.zeros(threads),
        np.full(threads, -1.0),
        np.zeros(threads),
        np.zeros(shape, np.int64),
        np.zeros(shape),
        np.zeros(shape),
        np.zeros(shape),
        np.zeros(shape),
        np.zeros(shape),
        np.ones(shape),
        np.zeros(shape, np.bool_),
        np.zeros(shape),
        np.full(cpus, -1),
        np.zeros(cpus),
        np.zeros(cpus, np.int64),
        groups.quota.copy(),
    )
    for t in range(threads):
        q.members[q.group[t], q.cpu[t]] += 1
    for g in range(count_groups):
        _split_weight(g, groups, q)
        for c in range(cpus):
            if q.members[g, c] > 0:
                # Who joins for the first time gets half a slice (rule 1.7).
                q.deadline[g, c] = 0.5 * rules.slice * 1024 / q.weight[g, c]
                _draw(g, c, groups, rules, q)
    return q


@njit(cache=True)
def _split_weight(g: int, groups: Groups, q: Queues) -> None:
    """Weights of the parts of a group: split by the threads on each CPU (rule 1.5); 0 for none."""
    for c in range(q.members.shape[1]):
        part = groups.shares[g] * q.members[g, c] / groups.threads[g]
        q.weight[g, c] = max(_LEAST_WEIGHT, part) if q.members[g, c] > 0 else 0.0


@njit(cache=True)
def _mean_vtime(c: int, groups: Groups, q: Queues) -> tuple[float, float]:
    """Weighted mean of the virtual times on a CPU, and the sum of the weights."""
    total = 0.0
    mean = 0.0
    for g in range(len(groups.shares)):
        if q.weight[g, c] > 0 and not q.stopped[g, c]:
            total += q.weight[g, c]
            mean += (q.vtime[g, c] - mean) * q.weight[g, c] / total
    return mean, total


@njit(cache=True)
def _run_next(c: int, now: float, groups: Groups, q: Queues) -> None:
    """EEVDF (rule 1.7): of the groups not ahead of the mean, the one with the first deadline.

    In the group the thread that has run least, as threads weigh the same.
    """
    mean, _ = _mean_vtime(c, groups, q)
    best = -1
    for g in range(len(groups.shares)):
        eligible = q.weight[g, c] > 0 and not q.stopped[g, c] and q.vtime[g, c] <= mean + 1e-12
        if eligible and (best < 0 or q.deadline[g, c] < q.deadline[best, c]):
            best = g
    chosen = -1
    for t in range(len(q.group)):
        if q.group[t] == best and q.cpu[t] == c and (chosen < 0 or q.run[t] < q.run[chosen]):
            chosen = t
    q.current[c] = chosen
    q.since[c] = now
    if chosen >= 0:
        q.turn[chosen] = q.turn.max() + 1


@njit(cache=True)
def _returns(c: int, now: float, boundary: Float64, q: Queues) -> bool:
    """Whether a stopped part of a group comes back to a CPU now."""
    back = False
    for g in range(len(boundary)):
        back |= boundary[g] <= now and q.stopped[g, c]
    return back


@njit(cache=True)
def _fade(step: float, rules: Rules, q: Queues) -> None:
    """Load averages follow whether a part is queued, with the half-life of the kernel's PELT."""
    fade = 0.5 ** (step / rules.half_life)
    for g in range(q.members.shape[0]):
        for c in range(q.members.shape[1]):
            queued = 1.0 if q.weight[g, c] > 0 and not q.stopped[g, c] else 0.0
            q.busy[g, c] = queued + (q.busy[g, c] - queued) * fade


@njit(cache=True)
def _account(
    c: int,
    now: float,
    ticks: bool,
    groups: Groups,
    rules: Rules,
    q: Queues,
    rng: np.random.Generator,
    out: Float64,
) -> bool:
    """Charge the current thread of a CPU; returns whether the CPU has to decide anew."""
    t = q.current[c]
    g = q.group[t]
    ran = (now - q.since[c]) * (1.0 - 2 * rules.background * rng.random())
    q.since[c] = now
    q.ran_at[t] = now
    q.run[t] += ran
    out[g, 0] += ran
    weight = q.weight[g, c]
    q.vtime[g, c] += ran * 1024 / weight
    decide = ticks and q.members[g, c] > 1
    if q.vtime[g, c] >= q.deadline[g, c]:
        q.deadline[g, c] = q.vtime[g, c] + rules.slice * 1024 / weight
        decide = True
    q.held[g, c] -= ran
    if groups.quota[g] < np.inf and q.held[g, c] <= 0.0:
        mean, _ = _mean_vtime(c, groups, q)
        _draw(g, c, groups, rules, q)
        if q.stopped[g, c]:
            most = 2 * rules.slice * 1024 / weight
            q.lag[g, c] = min(max(mean - q.vtime[g, c], -most), most)
            decide = True
    return decide


@njit(cache=True)
def _draw(g: int, c: int, groups: Groups, rules: Rules, q: Queues) -> None:
    """Draw a slice and the debt from the pool (rule 2.3); stop the part if that is not enough."""
    if groups.quota[g] == np.inf:
        return
    got = min(q.pool[g], rules.pool_slice - q.held[g, c])
    q.pool[g] -= got
    q.held[g, c] += got
    if q.held[g, c] <= 0.0:
        q.stopped[g, c] = True
        q.stop_turn[g, c] = q.stop_turn.max() + 1


@njit(cache=True)
def _count_period(g: int, q: Queues, out: Float64) -> None:
    out[g, 1] += 1
    for c in range(q.members.shape[1]):
        if q.stopped[g, c] and q.members[g, c] > 0:
            out[g, 2] += 1
            return


@njit(cache=True)
def _refill(g: int, groups: Groups, rules: Rules, q: Queues, out: Float64, decide: Bool) -> None:
    """A period ends: the pool is full again, and stopped parts go on in the order of stopping.

    Each gets its debt and a moment more, and draws as usual when that is accounted (rule 2.6).
    """
    _count_period(g, q, out)
    q.pool[g] = groups.quota[g]
    for _ in range(q.members.shape[1]):
        first = -1
        for c in range(q.members.shape[1]):
            if q.stopped[g, c] and (first < 0 or q.stop_turn[g, c] < q.stop_turn[g, first]):
                first = c
        if first < 0:
            return
        got = min(q.pool[g], 1e-9 - q.held[g, first])
        q.pool[g] -= got
        q.held[g, first] += got
        if q.held[g, first] <= 0.0:
            return
        if q.members[g, first] > 0:
            _join(g, first, groups, rules, q)
            decide[first] = True
        q.stopped[g, first] = False


@njit(cache=True)
def _join(g: int, c: int, groups: Groups, rules: Rules, q: Queues) -> None:
    """Queue a part, not runnable before, as far behind its share as it was when it left."""
    q.stopped[g, c] = True
    mean, total = _mean_vtime(c, groups, q)
    q.stopped[g, c] = False
    weight = q.weight[g, c]
    lag = q.lag[g, c] * (total + weight) / total if total > 0 else 0.0
    q.vtime[g, c] = mean - lag
    q.deadline[g, c] = q.vtime[g, c] + rules.slice * 1024 / weight


@njit(cache=True)
def _load(c: int, groups: Groups, q: Queues) -> float:
    total = 0.0
    for g in range(len(groups.shares)):
        if q.members[g, c] > 0:
            total += max(_LEAST_LOAD, q.weight[g, c]) * q.busy[g, c]
    return total


@njit(cache=True)
def _queued(c: int, q: Queues) -> int:
    """Threads that run or wait on a CPU."""
    total = 0
    for g in range(q.members.shape[0]):
        if not q.stopped[g, c]:
            total += q.members[g, c]
    return total


@njit(cache=True)
def _busiest(c: int, groups: Groups, q: Queues) -> int:
    """The other CPU with the most load that has a thread waiting, or -1."""
    best = -1
    most = -1.0
    for other in range(q.members.shape[1]):
        if other != c and _queued(other, q) > 1:
            load = _load(other, groups, q)
            if load > most:
                best = other
                most = load
    return best


@njit(cache=True)
def _pull_idle(c: int, now: float, groups: Groups, rules: Rules, q: Queues) -> int:
    """At a tick, an idle CPU takes half of what is queued on the busiest; returns the number."""
    other = _busiest(c, groups, q)
    if other < 0:
        return 0
    most = max(1, _queued(other, q) // 2)
    tried = np.zeros(len(q.group), np.bool_)
    turn = q.turn.max() + len(tried)
    moved = 0
    while moved < most and _queued(other, q) > 1:
        t = _coldest(other, q, tried)
        if t < 0:
            break
        tried[t] = True
        # Threads are taken from one end of a list and put back from the other.
        q.turn[t] = turn
        turn -= 1
        g = q.group[t]
        if now - q.ran_at[t] < rules.hot or (q.members[g, c] > 0 and q.stopped[g, c]):
            continue
        _move(t, c, groups, rules, q)
        moved += 1
    return moved


@njit(cache=True)
def _balance(c: int, now: float, groups: Groups, rules: Rules, q: Queues) -> tuple[bool, int]:
    """A busy CPU pulls waiting threads from the busiest; returns whether all was even, and moves.

    With one thread of its own it takes part in any excess, with more only in one beyond
    `imbalance`. A thread moves if its load is at most half of the difference; after f failures in
    a row at most 2^f times that.
    """
    other = _busiest(c, groups, q)
    mine = _load(c, groups, q)
    tolerated = rules.imbalance if _queued(c, q) > 1 else 1.0
    if other < 0 or _load(other, groups, q) <= tolerated * mine:
        q.failed[c] = 0
        return True, 0
    missing = (_load(other, groups, q) - mine) / 2
    tried = np.zeros(len(q.group), np.bool_)
    turn = q.turn.max() + len(tried)
    moved = 0
    while missing > 0 and _queued(other, q) > 1:
        t = _coldest(other, q, tried)
        if t < 0:
            break
        tried[t] = True
        q.turn[t] = turn
        turn -= 1
        g = q.group[t]
        part = max(_LEAST_LOAD, q.weight[g, other]) * q.busy[g, other]
        load = part / q.members[g, other]
        is_hot = now - q.ran_at[t] < rules.hot and q.failed[c] <= 1
        if is_hot or load / 2.0 ** min(q.failed[c], 30) > missing:
            continue
        _move(t, c, groups, rules, q)
        missing -= load
        moved += 1
    q.failed[c] = 0 if moved > 0 else q.failed[c] + 1
    return False, moved


@njit(cache=True)
def _coldest(c: int, q: Queues, tried: Bool) -> int:
    """The thread waiting on a CPU whose turn was longest ago, or -1."""
    best = -1
    for t in range(len(q.group)):
        waits = q.cpu[t] == c and t != q.current[c] and not q.stopped[q.group[t], c]
        if waits and not tried[t] and (best < 0 or q.turn[t] < q.turn[best]):
            best = t
    return best


@njit(cache=True)
def _move(t: int, c: int, groups: Groups, rules: Rules, q: Queues) -> None:
    """Thread t goes to CPU c; the weight of its group is split anew, lags are kept."""
    g = q.group[t]
    old = q.cpu[t]
    there = q.members[g, c] > 0
    mean_old, lag_old, rest_old = _standing(g, old, groups, q)
    mean_new, lag_new, rest_new = _standing(g, c, groups, q)
    least = np.inf
    for other in range(len(q.group)):
        if q.group[other] == g and q.cpu[other] == c:
            least = min(least, q.run[other])
    if least < np.inf:
        q.run[t] = least
    q.members[g, old] -= 1
    q.members[g, c] += 1
    q.cpu[t] = c
    _split_weight(g, groups, q)
    if q.members[g, old] > 0:
        _reweigh(g, old, mean_old, lag_old, rest_old, groups, q)
    elif q.held[g, old] > rules.kept:
        q.pool[g] += q.held[g, old] - rules.kept
        q.held[g, old] = rules.kept
    if there:
        if not q.stopped[g, c]:
            _reweigh(g, c, mean_new, lag_new, rest_new, groups, q)
        return
    q.busy[g, c] = q.busy[g, old]
    q.lag[g, c] = 0.0
    q.stopped[g, c] = False
    if q.held[g, c] <= 0.0:
        _draw(g, c, groups, rules, q)
    if not q.stopped[g, c]:
        _join(g, c, groups, rules, q)


@njit(cache=True)
def _standing(g: int, c: int, groups: Groups, q: Queues) -> tuple[float, float, float]:
    """Mean virtual time on a CPU; a part's lag and the rest of its slice, as CPU time."""
    mean, _ = _mean_vtime(c, groups, q)
    if q.members[g, c] == 0:
        return mean, 0.0, 0.0
    weight = q.weight[g, c]
    lag = (mean - q.vtime[g, c]) * weight
    return mean, lag, (q.deadline[g, c] - q.vtime[g, c]) * weight


@njit(cache=True)
def _reweigh(
    g: int, c: int, mean: float, lag: float, rest: float, groups: Groups, q: Queues
) -> None:
    weight = q.weight[g, c]
    q.vtime[g, c] = mean - lag / weight
    q.deadline[g, c] = q.vtime[g, c] + rest / weight
