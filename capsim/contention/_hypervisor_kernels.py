"""vCPUs on a host: the closed queue of busy and sleeping vCPUs, and a replay with co-scheduling."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@njit(cache=True)
def closed_queue(sources: float, cores: float, smt_gain: float, use: float) -> tuple[float, float]:
    """Time on a CPU, and time waiting for one, per unit of work in a closed system.

    `sources` vCPUs (or whole VMs) alternate between a burst of work of mean 1 and a sleep of mean
    (1 - use) / use, so alone on a core each would be busy for the share `use`. n of them in their
    burst progress at the rate n up to one a core; beyond that each core that runs two threads
    gives 1 + smt_gain, and those without a thread wait (smt_gain < 0: one thread a core). The
    number in burst is a birth-death chain, p[n] ~ p[n-1] (sources - n + 1) / (sleep rate[n]);
    the two means follow by Little's law. The state is the same for any distribution of bursts
    and sleeps under processor sharing.

    sources >= 1 (cut to a whole number), cores > 0 (fractions allowed), 0 <= use <= 1.
    Source: machine interference model (finite-source queue), Kleinrock, Queueing Systems I,
    section 3.8; insensitivity of processor sharing: Baskett et al. 1975.
    """
    count = int(sources)
    gain = max(smt_gain, 0.0)
    threads = cores if smt_gain < 0.0 else 2.0 * cores
    if count < 1 or use <= 0.0:
        return 1.0, 0.0
    log_p = np.empty(count + 1)
    log_p[0] = 0.0
    sleep = (1.0 - use) / use
    for n in range(1, count + 1):
        rate = min(float(n), cores) + gain * min(max(n - cores, 0.0), cores)
        log_p[n] = log_p[n - 1] + math.log((count - n + 1) / (max(sleep, 1e-300) * rate))
    largest = log_p.max()
    done = 0.0
    running = 0.0
    waiting = 0.0
    for n in range(1, count + 1):
        if use >= 1.0 and n < count:
            continue
        p = 1.0 if use >= 1.0 else math.exp(log_p[n] - largest)
        done += p * (min(float(n), cores) + gain * min(max(n - cores, 0.0), cores))
        running += p * min(float(n), threads)
        waiting += p * max(n - threads, 0.0)
    return running / done, waiting / done


@njit(cache=True)
def replay(
    vm_of: Int64,
    weight: Float64,
    use: Float64,
    cpus: int,
    ticks: int,
    tick_s: float,
    slice_s: float,
    burst_s: float,
    skew_s: float,
    together: bool,
    rng: np.random.Generator,
    out: Float64,
) -> None:
    """Replay a host tick by tick; out[v] = shares of time in run, ready and co-stop.

    A vCPU sleeps, then has a burst of CPU time (both exponential; `together`: all vCPUs of a VM
    start the same burst at once). Of those that could run, free CPUs take the one with the least
    CPU time per weight; it keeps the CPU for a slice. Relaxed co-scheduling: a vCPU that is
    `skew_s` ahead of a busy sibling is stopped until it is less than half of that ahead; sleeping
    siblings count as making progress. skew_s = inf turns co-scheduling off (KVM, Hyper-V).

    vm_of: int64[v], rows of one VM adjacent; weight, use: float64[v]; out: float64[v, 3].
    Rule: VMware performance blog 2008-06, "ESX scheduler support for SMP VMs".
    """
    n = vm_of.shape[0]
    left = np.zeros(n)
    sleep = np.zeros(n)
    spent = np.zeros(n)
    progress = np.zeros(n)
    slice_left = np.zeros(n)
    on_cpu = np.zeros(n, np.bool_)
    stopped = np.zeros(n, np.bool_)
    for v in range(n):
        mean = burst_s * (1.0 - use[v]) / max(use[v], 1e-9)
        sleep[v] = rng.exponential(mean) if mean > 0.0 else 0.0
    for _ in range(ticks):
        _wake(vm_of, use, burst_s, tick_s, together, rng, left, sleep, spent, progress)
        _costop(vm_of, skew_s, left, progress, stopped)
        free = cpus
        for v in range(n):
            on_cpu[v] = on_cpu[v] and left[v] > 0.0 and not stopped[v] and slice_left[v] > 1e-12
            free -= on_cpu[v]
        while free > 0:
            best = -1
            for v in range(n):
                could_run = left[v] > 0.0 and not stopped[v] and not on_cpu[v]
                if could_run and (best < 0 or spent[v] < spent[best]):
                    best = v
            if best < 0:
                break
            on_cpu[best] = True
            slice_left[best] = slice_s
            free -= 1
        for v in range(n):
            if on_cpu[v]:
                out[v, 0] += 1.0
                left[v] -= tick_s
                spent[v] += tick_s / weight[v]
                progress[v] += tick_s
                slice_left[v] -= tick_s
            elif stopped[v]:
                out[v, 2] += 1.0
            elif left[v] > 0.0:
                out[v, 1] += 1.0
    out /= ticks


@njit(cache=True)
def _wake(
    vm_of: Int64,
    use: Float64,
    burst_s: float,
    tick_s: float,
    together: bool,
    rng: np.random.Generator,
    left: Float64,
    sleep: Float64,
    spent: Float64,
    progress: Float64,
) -> None:
    """Start the bursts that are due; who wakes is not paid back for the time it slept."""
    n = vm_of.shape[0]
    least = np.inf
    for v in range(n):
        if left[v] > 0.0:
            least = min(least, spent[v])
    first = 0
    while first < n:
        last = first
        while last < n and vm_of[last] == vm_of[first]:
            last += 1
        busy = 0
        ahead = 0.0
        for v in range(first, last):
            if left[v] > 0.0:
                busy += 1
                ahead = max(ahead, progress[v])
        if not together or busy == 0:
            burst = rng.exponential(burst_s)
            for v in range(first, last):
                if left[v] > 0.0:
                    continue
                sleep[v] -= tick_s
                due = sleep[first] <= 0.0 if together else sleep[v] <= 0.0
                if due:
                    left[v] = burst if together else rng.exponential(burst_s)
                    progress[v] = ahead
                    if least < np.inf:
                        spent[v] = max(spent[v], least)
            for v in range(first, last):
                if left[v] > 0.0 and sleep[v] <= 0.0:
                    mean = burst_s * (1.0 - use[v]) / max(use[v], 1e-9)
                    sleep[v] = rng.exponential(mean) if mean > 0.0 else 0.0
        first = last


@njit(cache=True)
def _costop(
    vm_of: Int64,
    skew_s: float,
    left: Float64,
    progress: Float64,
    stopped: NDArray[np.bool_],
) -> None:
    """Stop the vCPUs that are too far ahead of the slowest busy sibling, start those it caught."""
    n = vm_of.shape[0]
    first = 0
    while first < n:
        last = first
        slowest = np.inf
        while last < n and vm_of[last] == vm_of[first]:
            if left[last] > 0.0:
                slowest = min(slowest, progress[last])
            last += 1
        for v in range(first, last):
            ahead = progress[v] - slowest
            if left[v] <= 0.0 or ahead < skew_s / 2.0:
                stopped[v] = False
            elif ahead > skew_s:
                stopped[v] = True
        first = last
