"""Fixed point of tenants that share last-level caches, memory bandwidth and a disk."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@njit(cache=True)
def latency_factor(use: float, slope: float, queue: float) -> float:
    """Memory latency at a use of the bandwidth, over the idle latency: 1 + a u + c u^2 / (1 - u).

    Rises without end towards use 1 (queue > 0); at queue = 0 it ends at 1 + a.
    """
    if use >= 1.0:
        return np.inf if queue > 0.0 else 1.0 + slope
    return 1.0 + slope * use + queue * use * use / (1.0 - use)


@njit(cache=True)
def tenant_speed(core: float, stall: float, miss_floor: float, reuse: float) -> float:
    """Greatest speed s with s (core + stall m) = 1, m = floor + (1 - floor) exp(-reuse s).

    core: time per unit of work without misses; stall: of misses, if every access missed; reuse:
    how often a line is touched within the cache's turnover, at speed 1. With y = reuse s,
    f(y) = y (core + stall m(y)) = reuse. f is concave up to y = 2 and convex beyond, so Newton's
    steps approach a root beyond 2 from above without passing it; if they leave the convex part
    there is none, and the only root is approached from 0, again from one side.
    """
    if reuse < 1e-12:
        return 1.0 / (core + stall)
    fixed = core + stall * miss_floor
    loss = stall * (1.0 - miss_floor)
    y = reuse / fixed
    for _ in range(100):
        decay = loss * math.exp(-y)
        slope = fixed + decay * (1.0 - y)
        if y <= 2.0 or slope <= 0.0:
            break
        step = (y * (fixed + decay) - reuse) / slope
        y -= step
        if step <= 1e-12 * y:
            return y / reuse
    y = 0.0
    for _ in range(100):
        decay = loss * math.exp(-y)
        step = (reuse - y * (fixed + decay)) / (fixed + decay * (1.0 - y))
        y += step
        if step <= 1e-12 * y:
            break
    return y / reuse


@njit(cache=True)
def _held(
    part: int,
    log_t: float,
    cache_of: Int64,
    core: Float64,
    stall: Float64,
    rate: Float64,
    working_set: Float64,
    streaming: Float64,
    line: float,
    speed: Float64,
) -> float:
    """Bytes that the tenants of one cache hold when a line stays for exp(log_t) after its use."""
    held = 0.0
    t = math.exp(log_t)
    for i in range(core.shape[0]):
        if cache_of[i] != part:
            continue
        reuse = rate[i] * (1.0 - streaming[i]) * t * line / working_set[i]
        speed[i] = tenant_speed(core[i], stall[i], streaming[i], reuse)
        held += working_set[i] * (1.0 - math.exp(-reuse * speed[i]))
        held += rate[i] * streaming[i] * speed[i] * t * line
    return held


@njit(cache=True)
def _turnover(
    part: int,
    cache_bytes: float,
    cache_of: Int64,
    core: Float64,
    stall: Float64,
    rate: Float64,
    working_set: Float64,
    streaming: Float64,
    line: float,
    speed: Float64,
) -> None:
    """Speeds of the tenants of one cache, by its characteristic time (Che's approximation).

    A line stays for the time T after its last use; a tenant with rate a over a working set W then
    holds W (1 - exp(-a T line / W)), and a stream of fresh lines holds a T line. T is the largest
    for which all fits, found by bisection on log T: what is held rises with T, also through the
    speeds. Where a tenant stalls so much that slowing costs it its cache and losing cache slows
    it, what is held jumps at T; the two sides are then mixed so that the cache is just full.
    """
    low, high = -40.0, 40.0
    # When everything fits for ever, nothing is evicted.
    if (
        _held(part, high, cache_of, core, stall, rate, working_set, streaming, line, speed)
        <= cache_bytes
    ):
        return
    while high - low > 1e-7:
        middle = (low + high) / 2.0
        held = _held(part, middle, cache_of, core, stall, rate, working_set, streaming, line, speed)
        if held > cache_bytes:
            high = middle
        else:
            low = middle
    above = _held(part, high, cache_of, core, stall, rate, working_set, streaming, line, speed)
    upper = speed.copy()
    below = _held(part, low, cache_of, core, stall, rate, working_set, streaming, line, speed)
    if above - below > 1e-5 * cache_bytes:
        share = (cache_bytes - below) / (above - below)
        for i in range(core.shape[0]):
            if cache_of[i] == part:
                # What a working set holds is linear in its misses, and so in the time of work.
                speed[i] = 1.0 / (share / upper[i] + (1.0 - share) / speed[i])


@njit(cache=True)
def _at(
    pool: int,
    latency: float,
    disk_wait: float,
    caches: Float64,
    cache_of: Int64,
    pool_of: Int64,
    busy: Float64,
    core: Float64,
    rate: Float64,
    working_set: Float64,
    streaming: Float64,
    overlap: Float64,
    remote: Float64,
    disk_s: Float64,
    line: float,
    speed: Float64,
    miss: Float64,
) -> float:
    """Speeds and miss ratios of one memory pool at a latency (s); returns bytes/s of misses."""
    n = core.shape[0]
    time = np.empty(n)
    stall = np.empty(n)
    flow = np.empty(n)
    member = np.full(n, -1, np.int64)
    for i in range(n):
        time[i] = core[i] + disk_s[i] * disk_wait
        stall[i] = rate[i] * latency * remote[i] / overlap[i]
        flow[i] = rate[i] * busy[i]
        if pool_of[i] == pool:
            member[i] = cache_of[i]
    for part in range(caches.shape[0]):
        _turnover(
            part, caches[part], member, time, stall, flow, working_set, streaming, line, speed
        )
    traffic = 0.0
    for i in range(n):
        if pool_of[i] != pool:
            continue
        miss[i] = streaming[i]
        if stall[i] > 0.0:
            # From s (time + stall m) = 1.
            miss[i] = min(1.0, max(0.0, (1.0 / speed[i] - time[i]) / stall[i]))
        traffic += busy[i] * speed[i] * rate[i] * miss[i] * line
    return traffic


@njit(cache=True)
def contend(
    caches: Float64,
    cache_of: Int64,
    pool_of: Int64,
    bandwidth: Float64,
    idle_latency: float,
    slope: float,
    queue: float,
    writeback: float,
    busy: Float64,
    core: Float64,
    rate: Float64,
    working_set: Float64,
    streaming: Float64,
    overlap: Float64,
    remote: Float64,
    disk_s: Float64,
    line: float,
    use: Float64,
    latency: Float64,
    speed: Float64,
    miss: Float64,
) -> float:
    """Fixed point over caches, memory pools and one disk; returns the disk's use.

    Nested bisections, so the work is bounded: on the disk's slowdown R = 1 / (1 - use), on each
    pool's latency L = idle * factor(use), and on each cache's turnover time. A longer latency
    slows all, which lowers the use, while the latency that a use calls for rises with it: the
    two cross. Where tenants could use more bandwidth than there is, the latency is the one at
    which they use just all of it (a closed system).

    caches: float64[P] bytes; cache_of, pool_of: int64[n]; bandwidth: float64[M] bytes/s;
    idle_latency: s; busy: float64[n] threads; core: float64[n] time of a unit of work without
    misses (s, 1 alone); rate: float64[n] accesses per unit of work; working_set: float64[n]
    bytes; streaming: float64[n] share; overlap: float64[n] misses at once; remote: float64[n]
    latency factor of its memory; disk_s: float64[n] disk time per unit of work.
    Overwritten: use, latency: float64[M]; speed: float64[n] work per second and thread; miss:
    float64[n].
    Source: Che, Tung, Wang, IEEE JSAC 20(7) 2002 (caches); Little's law.
    """
    disk_low, disk_high = 1.0, 1e6
    with_disk = disk_s.max() > 0.0
    disk_wait, disk_use = 1.0, 0.0
    for outer in range(48):
        if with_disk and outer > 0:
            disk_wait = math.sqrt(disk_low * disk_high)
        for pool in range(bandwidth.shape[0]):
            low, high = idle_latency, idle_latency * 4.0
            widening = True
            for step in range(80):
                # The bracket is widened while even its upper end is too short.
                now = low if step == 0 else (high if widening else math.sqrt(low * high))
                traffic = _at(
                    pool,
                    now,
                    disk_wait,
                    caches,
                    cache_of,
                    pool_of,
                    busy,
                    core,
                    rate,
                    working_set,
                    streaming,
                    overlap,
                    remote,
                    disk_s,
                    line,
                    speed,
                    miss,
                )
                use[pool] = traffic * (1.0 + writeback) / bandwidth[pool]
                latency[pool] = now
                wanted = idle_latency * latency_factor(min(use[pool], 1.0), slope, queue)
                if use[pool] > 1.0 or wanted > now:
                    low = now
                    if widening and step > 0:
                        high *= 4.0
                else:
                    if step == 0:
                        break
                    high = now
                    widening = False
                if high / low < 1.0 + 1e-6:
                    break
        if not with_disk:
            break
        disk_use = 0.0
        for i in range(speed.shape[0]):
            disk_use += busy[i] * speed[i] * disk_s[i]
        if disk_use >= 1.0 or 1.0 / (1.0 - disk_use) > disk_wait:
            disk_low = disk_wait
        else:
            disk_high = disk_wait
        if disk_high / disk_low < 1.0 + 1e-4:
            break
    return disk_use
