"""Numba kernels of response times under a CPU quota: pure functions of arrays, times in seconds.

J jobs in the order of arrival, W workers (threads), each on a CPU of its own.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

#: Seconds: what is given with the debt, and what counts as none (rounding of many steps).
_MOMENT, _NOTHING = 1e-9, 1e-12


@njit(cache=True)
def replay_quota(
    arrival: Float64,
    service: Float64,
    workers: int,
    quota: float,
    period: float,
    burst: float,
    phase: float,
    wake: float,
    overhead: float,
    slice_s: float,
    kept: float,
    slack_delay: float,
    slack_margin: float,
    out: Float64,
) -> tuple[int, int, float, float]:
    """Serve jobs first come first served under quota, period, burst and slices; counts periods.

    Rule: bandwidth control of the Linux scheduler. A group has a pool, refilled by `quota` at
    every period boundary to at most quota + burst. A CPU draws a slice from the pool when what
    it holds is used up, and stops when the pool is empty. Stopped CPUs go on at the boundary, or
    after `slack_delay` when a thread that went to sleep gave back enough. A sleeper keeps `kept`.
    The timer of the boundaries stops after a period in which nobody drew; periods then do not
    count. Replay rule and sources: docs/models/cpu.md.

    arrival, service: float64[J], arrival ascending; out: float64[J], response times, overwritten.
    quota inf: no limit. phase: time of the first boundary. wake: delay of a sleeping worker until
    it runs; overhead: CPU time that each job takes beside its service.
    Returns: periods counted, periods that ended with a stopped CPU, CPU seconds used, end time.
    """
    jobs = len(arrival)
    limited = quota < np.inf
    left = np.zeros(workers)  # CPU time that the job in hand still needs
    start = np.full(workers, np.inf)  # when a sleeping worker will run
    job = np.full(workers, -1)
    held = np.zeros(workers)  # drawn from the pool and not used
    stopped = np.zeros(workers, np.bool_)
    queue = np.zeros(workers, np.int64)  # stopped workers in the order of stopping
    queued = 0
    pool = quota
    boundary = np.inf
    nobody_drew = False
    slack_at = np.inf
    periods = 0
    throttled = 0
    used = 0.0
    now = 0.0
    following = 0
    finished = 0
    for w in range(workers):
        if following < jobs:
            job[w] = following
            start[w] = arrival[following] + wake
            following += 1
    while finished < jobs:
        # The next thing that happens: a boundary, slack, a start, an end, or a slice used up.
        # Steps are found as differences: late in a long replay, now + 1 ns is now.
        step = min(boundary, slack_at) - now
        who = -1
        for w in range(workers):
            if job[w] < 0 or stopped[w]:
                continue
            wait = start[w] - now
            if start[w] == np.inf:
                wait = min(left[w], max(held[w], 0.0)) if limited else left[w]
            if wait < step:
                step = wait
                who = w
        for w in range(workers):
            if job[w] >= 0 and not stopped[w] and start[w] == np.inf:
                left[w] -= step
                held[w] -= step
                used += step
        now = now + step if who >= 0 else min(boundary, slack_at)
        draws = False
        if who >= 0:
            if start[who] < np.inf:
                start[who] = np.inf
                left[who] = service[job[who]] + overhead
                draws = limited and held[who] <= 0.0
            elif left[who] <= _NOTHING:
                out[job[who]] = now - arrival[job[who]]
                finished += 1
                job[who] = -1
                if following < jobs:
                    job[who] = following
                    if arrival[following] > now:
                        start[who] = arrival[following] + wake
                    else:
                        left[who] = service[following] + overhead
                    following += 1
                if limited and (job[who] < 0 or start[who] < np.inf) and held[who] > kept:
                    pool += held[who] - kept
                    held[who] = kept
                    waits = queued > 0 and pool > slice_s and slack_at == np.inf
                    if waits and boundary - now > slack_delay + slack_margin:
                        slack_at = now + slack_delay
            else:
                draws = True
            if draws:
                if boundary == np.inf:
                    boundary = phase + period * (np.floor((now - phase) / period) + 1)
                nobody_drew = False
                got = min(pool, slice_s - held[who])
                pool -= got
                held[who] += got
                if held[who] <= _NOTHING:
                    stopped[who] = True
                    queue[queued] = who
                    queued += 1
            continue
        if slack_at <= boundary:
            slack_at = np.inf
            if boundary - now < slack_margin or pool <= slice_s:
                continue
        else:
            boundary += period
            periods += 1
            pool = min(pool + quota, quota + burst) if burst > 0 else quota
            if queued == 0:
                if nobody_drew:
                    boundary = np.inf
                nobody_drew = True
                continue
            throttled += 1
            nobody_drew = False
        pool, queued = _release(pool, queue, queued, held, stopped)
    return periods, throttled, used, now


@njit(cache=True)
def _release(
    pool: float, queue: Int64, queued: int, held: Float64, stopped: Bool
) -> tuple[float, int]:
    """Let stopped workers go on in the order of stopping while the pool lasts (rule 2.6).

    Each gets its debt and a moment more, and draws as usual when that is used up. Returns what is
    left of the pool, and how many still stand.
    """
    served = 0
    while served < queued:
        w = queue[served]
        got = min(pool, _MOMENT - held[w])
        pool -= got
        held[w] += got
        if held[w] <= _NOTHING:
            break
        stopped[w] = False
        served += 1
    for k in range(served, queued):
        queue[k - served] = queue[k]
    return pool, queued - served
