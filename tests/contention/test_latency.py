"""Response times under quotas: formulas, a slow replay, and what must hold."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.contention import queueing
from capsim.contention.bandwidth import CpuLimit
from capsim.contention.latency import Jobs, draw_jobs, latency, replay_jobs, response_times
from capsim.contention.linux import linux
from capsim.errors import ModelError

quick = settings(max_examples=40, deadline=None, derandomize=True)


def fluid_times(limit, jobs, phase):
    """One worker in steps of quota: the budget is full at each boundary, no slices, no costs."""
    times, free, spent, boundary = [], 0.0, 0.0, phase
    for arrival, service in zip(*jobs, strict=True):
        now, left = max(arrival, free), service
        while True:
            while boundary <= now + 1e-12:
                boundary, spent = boundary + limit.period_s, 0.0
            step = min(left, limit.quota_s - spent, boundary - now)
            now, left, spent = now + step, left - step, spent + step
            if left <= 1e-12:
                break
            if spent >= limit.quota_s - 1e-12:
                now = boundary
        times.append(now - arrival)
        free = now
    return np.array(times)


@quick
@given(st.integers(0, 1000), st.floats(0.005, 0.09), st.floats(0.1, 0.8), st.floats(0, 0.1))
def test_one_worker_is_near_the_fluid_replay(seed, quota, use, phase):
    limit = CpuLimit(quota)
    jobs = draw_jobs(use * limit.cores / 0.02, 0.02, "exponential", 300, seed)
    got, _, _ = response_times(limit, jobs, phase_s=phase)
    kernel = linux()
    costs = kernel.wake_up + kernel.job_overhead
    exact = fluid_times(limit, Jobs(jobs[0] + kernel.wake_up, jobs[1] + kernel.job_overhead), phase)
    # A millisecond that a CPU keeps while asleep may move a job across a boundary.
    assert np.median(np.abs(got - exact)) < 0.001 + costs
    assert got.mean() == pytest.approx(exact.mean(), rel=0.15, abs=0.005)


def test_a_lone_job_takes_what_the_formula_says():
    limit = CpuLimit(0.05)
    for work in (0.01, 0.049, 0.12, 0.31):
        jobs = Jobs(np.array([0.0]), np.array([work]))
        # It arrives just after a boundary, with a full pool.
        got, _, _ = response_times(limit, jobs, phase_s=0.1)
        assert got[0] == pytest.approx(limit.completion_s(work), abs=0.001)


@pytest.mark.parametrize(("rate", "servers"), [(50, 1), (80, 1), (150, 2), (300, 4)])
def test_without_a_quota_the_replay_gives_the_mmc_formula(rate, servers):
    jobs = draw_jobs(rate, 0.01, "exponential", 200_000, 1)
    found = replay_jobs(CpuLimit(), jobs, workers=servers, phases=1)
    kernel = linux()
    service = 0.01 + kernel.job_overhead
    assert found["mean_s"][0] == pytest.approx(
        queueing.mmc_mean(rate, service, servers), rel=0.06, abs=kernel.wake_up
    )
    for name, level in (("p50_s", 0.5), ("p95_s", 0.95), ("p99_s", 0.99)):
        exact = queueing.mmc_quantile(level, rate, service, servers)
        assert found[name][0] == pytest.approx(exact, rel=0.08)


def test_deterministic_service_follows_pollaczek_and_khinchine():
    jobs = draw_jobs(60, 0.01, "deterministic", 200_000, 3)
    found = replay_jobs(CpuLimit(), jobs, phases=1)
    assert found["mean_s"][0] == pytest.approx(queueing.mg1_mean(60, 0.01, 0), rel=0.03)


def test_textbook_queues_have_their_textbook_values():
    assert queueing.waiting_probability(8, 0.1, 1) == pytest.approx(0.8)
    assert queueing.waiting_probability(1.5, 1, 2) == pytest.approx(0.6429, abs=1e-4)
    assert queueing.mmc_mean(5, 0.1, 1) == pytest.approx(0.2)
    assert queueing.mmc_quantile(0.99, 5, 0.1, 1) == pytest.approx(math.log(100) / 5)
    assert queueing.shared_mean(5, 0.1) == pytest.approx(0.2)
    assert queueing.interrupted_mean(1, 0.1, 1e9, 0.0) == pytest.approx(queueing.mg1_mean(1, 0.1))


@quick
@given(st.floats(0.1, 0.9), st.integers(1, 8))
def test_the_mean_is_the_integral_of_the_quantiles(use, servers):
    rate = use * servers / 0.01
    levels = (np.arange(4000) + 0.5) / 4000
    mean = np.mean([queueing.mmc_quantile(level, rate, 0.01, servers) for level in levels])
    assert mean == pytest.approx(queueing.mmc_mean(rate, 0.01, servers), rel=0.01)


def test_a_limit_throttles_at_a_low_mean_utilisation():
    """Two requests of 60 ms in a period empty the pool of one core for the rest of it."""
    found = latency(CpuLimit.of(1), rate_per_s=4, service_s=0.06, threads=10)
    free = latency(None, rate_per_s=4, service_s=0.06, threads=10)
    assert found.utilisation < 0.25
    assert found.throttled_fraction > 0.03
    assert found.p99_s > 1.1 * free.p99_s


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_larger_quota_and_a_burst_never_slow_requests(threads):
    times = [
        latency(CpuLimit(quota), rate_per_s=30, service_s=0.01, threads=threads).p95_s
        for quota in (0.04, 0.06, 0.09, 0.2)
    ]
    assert all(a >= b - 1e-4 for a, b in pairwise(times))
    banked = latency(CpuLimit(0.04, 0.1, 0.04), rate_per_s=30, service_s=0.01, threads=threads)
    assert banked.p95_s <= times[0] + 1e-4


def test_a_replay_stays_exact_after_days():
    """Late in a long replay a nanosecond is lost in the sum; steps must not stand still."""
    jobs = Jobs(np.array([1e7, 1e7 + 0.01]), np.array([0.2, 0.2]))
    got, _, _ = response_times(CpuLimit(0.05), jobs)
    assert 0.3 < got[0] < 0.5


def test_the_same_seed_gives_the_same_numbers():
    first, second = (
        latency(CpuLimit.of(0.5), rate_per_s=20, service_s=0.01, seed=4).summary() for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: CpuLimit(0.0005), "The quota is 0.0005 s, expected at least 0.001 s (kernel)."),
        (lambda: CpuLimit(0.05, 1.5), "The period is 1.5 s, expected 0.001 to 1 s (kernel)."),
        (lambda: CpuLimit(0.05, 0.1, 0.06), "The burst is 0.06 s, expected 0 up to the quota"),
        (lambda: CpuLimit(0.05, 0.1, -1), "The burst is -1 s, expected 0 up to the quota"),
        (lambda: latency(rate_per_s=0, service_s=1), "The rate is 0 /s, expected a number above"),
        (lambda: latency(rate_per_s=1, service_s=-1), "The service time is -1 s, expected"),
        (lambda: latency(rate_per_s=1, service_s=1, threads=0), "There are 0 threads, expected"),
        (lambda: latency(rate_per_s=1, service_s=1, speed=0), "The speed is 0, expected a share"),
        (
            lambda: latency(CpuLimit(1), rate_per_s=1, service_s=1, distribution="exponental"),
            "Unknown distribution 'exponental' (did you mean 'exponential'?)",
        ),
        (lambda: queueing.mmc_mean(20, 0.1, 1), "20 requests/s of 0.1 s keep 2 servers busy and"),
        (
            lambda: replay_jobs(CpuLimit(), Jobs(np.array([1.0, 0.0]), np.ones(2))),
            "Arrivals are out of order or undefined",
        ),
    ],
)
def test_absurd_questions_are_answered_by_one_sentence(ask, words):
    with pytest.raises(ModelError) as error:
        ask()
    assert str(error.value).startswith(words)


def test_a_queue_hardly_below_its_capacity_has_a_quantile():
    """All waiting is exponential there, with mean S / (c - a)."""
    spare = 1e-4
    found = queueing.mmc_quantile(0.99, 96 - spare, 1.0, 96)
    assert found == pytest.approx(math.log(100) / spare, rel=0.01)
