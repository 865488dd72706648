"""Threads on run queues: what must hold whatever the placement, and where the rule is sharp."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.contention.bandwidth import CpuLimit
from capsim.contention.placed_threads import SpinningGroup, run_threads
from capsim.contention.sharing import CpuGroup, cpu_shares

quick = settings(max_examples=25, deadline=None, derandomize=True)
groups_of = st.lists(
    st.builds(
        SpinningGroup,
        st.integers(1, 4),
        st.sampled_from([2.0, 102.0, 512.0, 1024.0, 8192.0]),
        st.one_of(
            st.just(CpuLimit()),
            st.builds(CpuLimit, st.floats(0.005, 0.15), st.sampled_from([0.02, 0.1, 0.2])),
        ),
    ),
    min_size=1,
    max_size=4,
)


@quick
@given(groups_of, st.integers(1, 4))
def test_no_cpu_is_given_twice_and_no_group_is_beyond_its_quota(groups, cpus):
    done = run_threads(groups, cpus, duration_s=2.0, runs=2)
    assert (done.cores.sum(axis=1) <= cpus + 1e-9).all()
    for group, cores in zip(groups, done.cores.T, strict=True):
        assert (cores <= min(group.threads, cpus) + 1e-9).all()
        # One extra quota by the phase, and a tick of debt on every CPU.
        most = group.limit.cores * 2.0 + group.limit.quota_s + 0.004 * cpus
        assert (cores * 2.0 <= most + 1e-9).all()
    assert ((done.throttled <= done.periods) & (done.periods >= 0)).all()


@quick
@given(st.lists(st.sampled_from([256.0, 512.0, 1024.0, 4096.0]), min_size=2, max_size=4))
def test_on_one_cpu_groups_get_their_weighted_share(weights):
    done = run_threads([SpinningGroup(2, weight) for weight in weights], 1, runs=2)
    exact = np.array(weights) / sum(weights)
    assert done.cores.mean(axis=0) == pytest.approx(exact, abs=0.01)


def test_groups_spread_over_two_cpus_come_near_the_max_min_share():
    groups = [SpinningGroup(4, 1024.0), SpinningGroup(4, 2048.0), SpinningGroup(2, 1024.0)]
    done = run_threads(groups, 2)
    named = [CpuGroup(str(at), g.shares, threads=g.threads) for at, g in enumerate(groups)]
    assert done.cores.mean(axis=0) == pytest.approx(cpu_shares(named, 2).cores, abs=0.06)


def test_a_pair_of_lone_threads_keeps_a_cpu_each_whatever_they_weigh():
    done = run_threads([SpinningGroup(1, 2.0), SpinningGroup(1, 8192.0)], 2)
    assert done.cores.mean(axis=0) == pytest.approx([1, 1], abs=0.05)


def test_a_stalled_group_leaves_its_cpu_to_others():
    limited = SpinningGroup(2, 8192.0, CpuLimit(0.04, 0.1))
    done = run_threads([limited, SpinningGroup(2, 2.0)], 2)
    assert done.cores.mean(axis=0) == pytest.approx([0.41, 1.58], abs=0.05)
    assert done.table["throttled_fraction"][0] > 0.9


@pytest.mark.parametrize("threads", [2, 4, 10])
def test_always_runnable_threads_run_quota_over_threads(threads):
    limit = CpuLimit.of(1)
    assert limit.runs_s(threads) == pytest.approx(0.1 / threads)
    assert limit.runs_s(threads) + limit.stalls_s(threads) == pytest.approx(0.1)
    done = run_threads([SpinningGroup(threads, 1024.0, limit)], threads)
    assert done.cores.mean() == pytest.approx(1.0, rel=0.03)
