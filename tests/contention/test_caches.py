"""Noisy neighbours: the fixed point holds, is bounded, and moves the right way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.contention import _caches_kernels as kernels
from capsim.contention.caches import (
    LINE,
    Processor,
    Tenant,
    interfere,
    interleaved_bandwidth,
    loaded_latency_factor,
)
from capsim.errors import ModelError

MIB = 2.0**20
HOST = Processor(cores=16, cache=22 * MIB, bandwidth=100e9)
IDLE, SLOPE, QUEUE, WRITEBACK = 81e-9, 0.45, 0.05, 0.3

TRAITS = st.tuples(
    st.floats(0.5, 16),  # threads
    st.floats(1e5, 3e8),  # accesses per s
    st.floats(1, 64).map(lambda mib: mib * MIB),
    st.floats(0, 1),  # streaming share
    st.floats(1, 12),  # overlap
    st.sampled_from([0.0, 0.0, 0.05]),  # disk s
)


def solve(traits, *, cache=22 * MIB, bandwidth=100e9):
    n = len(traits)
    busy, rate, working, stream, overlap, disk = (
        np.array(column, np.float64) for column in zip(*traits, strict=True)
    )
    use, latency, speed, miss = np.zeros(1), np.zeros(1), np.ones(n), np.zeros(n)
    none = np.zeros(n, np.int64)
    disk_use = kernels.contend(
        np.array([cache]),
        none,
        none,
        np.array([bandwidth]),
        IDLE,
        SLOPE,
        QUEUE,
        WRITEBACK,
        busy,
        np.ones(n),
        rate,
        working,
        stream,
        overlap,
        np.ones(n),
        disk,
        LINE,
        use,
        latency,
        speed,
        miss,
    )
    return use[0], latency[0], speed, miss, disk_use


# The fixed point -----------------------------------------------------------------------------


@given(st.lists(TRAITS, min_size=1, max_size=5))
@settings(deadline=None, max_examples=60)
def test_speeds_misses_and_latency_agree_with_each_other(traits):
    """Each tenant's time is core time, stalls and disk waits; and misses make the use."""
    use, latency, speed, miss, disk_use = solve(traits)
    traffic = 0.0
    for i, (busy, rate, _, _, overlap, disk) in enumerate(traits):
        wait = 1 / (1 - disk_use) if disk else 1.0
        time = 1 + rate * miss[i] * latency / overlap + disk * wait
        assert speed[i] * time == pytest.approx(1, rel=2e-3)
        traffic += busy * speed[i] * rate * miss[i] * LINE * (1 + WRITEBACK)
    assert use == pytest.approx(traffic / 100e9, rel=1e-6)
    assert use <= 1 + 1e-4
    assert latency >= IDLE * (1 - 1e-9)
    assert 0 <= disk_use < 1


@given(st.lists(TRAITS, min_size=1, max_size=5))
@settings(deadline=None, max_examples=60)
def test_what_the_tenants_hold_fits_the_cache(traits):
    """By the rule itself: a characteristic time with which all of them miss as often as found."""
    _, _, _, miss, _ = solve(traits)
    held = 0.0
    for i, (_, _, working, stream, _, _) in enumerate(traits):
        if stream > 0.999 or miss[i] >= 1 - 1e-9:
            continue
        reused = max(0.0, (miss[i] - stream) / (1 - stream))
        held += working * (1 - reused)
    # Where what is held jumps (a tenant that stalls for most of its time) it is near the size.
    assert held <= 22 * MIB * 1.02


def test_two_equal_tenants_share_the_cache_as_plain_python_says():
    rate, working = 5e7, 20 * MIB
    use, latency, speed, miss, _ = solve([(4, rate, working, 0.0, 2.0, 0.0)] * 2)
    # Each holds half of the cache: W (1 - m) = C / 2.
    assert miss == pytest.approx([1 - 11 / 20] * 2, rel=1e-4)
    assert speed[0] == pytest.approx(1 / (1 + rate * miss[0] * latency / 2.0), rel=1e-4)
    expected = IDLE * (1 + SLOPE * use + QUEUE * use**2 / (1 - use))
    assert latency == pytest.approx(expected, rel=1e-4)


def test_a_tenant_that_stalls_for_most_of_its_time_still_fills_its_cache():
    """Alone it holds the whole cache, so it misses what the cache cannot hold."""
    for working in (23 * MIB, 24 * MIB, 30 * MIB, 64 * MIB):
        miss = solve([(1, 1.6e8, working, 0.0, 1.0, 0.0)])[3]
        assert miss[0] == pytest.approx(1 - 22 * MIB / working, abs=0.02)


@given(st.floats(1, 3), st.floats(0, 50), st.floats(0, 1), st.floats(0, 200))
@settings(deadline=None, max_examples=100)
def test_a_tenants_speed_is_the_greatest_fixed_point_of_its_own_slowing(core, stall, floor, reuse):
    speed = kernels.tenant_speed(core, stall, floor, reuse)

    def step(s):
        return 1 / (core + stall * (floor + (1 - floor) * np.exp(-reuse * s)))

    assert step(speed) == pytest.approx(speed, rel=1e-6)
    above = speed + np.linspace(0.01, 1, 400) * (1 / core - speed)
    assert (step(above) <= above + 1e-9).all()


def test_tenants_who_want_more_bandwidth_than_there_is_get_all_of_it_and_no_more():
    use, latency, *_ = solve([(16, 3e8, MIB, 1.0, 12.0, 0.0)] * 3, bandwidth=20e9)
    assert use == pytest.approx(1, abs=0.05)
    assert latency > 3 * IDLE


@given(st.lists(TRAITS, min_size=1, max_size=4), st.floats(1, 4))
@settings(deadline=None, max_examples=40)
def test_one_kind_of_tenant_is_never_slower_with_more_cache_or_bandwidth(traits, factor):
    alike = [traits[0]] * len(traits)
    before = solve(alike)[2]
    assert (solve(alike, cache=22 * MIB * factor)[2] >= before * (1 - 1e-3)).all()
    assert (solve(alike, bandwidth=100e9 * factor)[2] >= before * (1 - 1e-3)).all()


# What it costs -------------------------------------------------------------------------------


def test_a_louder_neighbour_never_helps():
    slow = [
        interfere(
            HOST,
            [
                Tenant(name="web", threads=8),
                Tenant(name="noise", profile="streaming", threads=8, intensity=x),
            ],
        ).slowdown[0]
        for x in (0.0, 0.1, 0.3, 1.0, 2.0)
    ]
    assert (np.diff(slow, axis=0) >= -1e-3).all()
    assert slow[0][0] == pytest.approx(1, abs=0.01)
    assert slow[-1][0] > 1.3


def test_the_cost_of_a_full_loss_of_the_cache_is_what_tang_et_al_saw_at_most():
    noisy = [Tenant(name="web", threads=8), Tenant(name="noise", profile="streaming", threads=8)]
    value, low, high = interfere(HOST, noisy).slowdown[0]
    assert low < 1 / (1 - 0.25) < high + 0.1
    assert value < 1 / (1 - 0.40)


def test_a_cache_partition_shields_and_compute_hardly_notices():
    noise = Tenant(name="noise", profile="streaming", threads=8)
    open_ = interfere(HOST, [Tenant(name="web", threads=8), noise]).slowdown[0, 0]
    own = Tenant(name="web", threads=8, partition=14 * MIB)
    assert interfere(HOST, [own, noise]).slowdown[0, 0] < 1 + 0.3 * (open_ - 1)
    compute = Tenant(name="sums", profile="compute", threads=8)
    assert interfere(HOST, [compute, noise]).slowdown[0, 0] < 1.15


def test_threads_that_share_a_core_run_at_half_its_gain():
    sums = [Tenant(name=n, profile="compute", threads=16, intensity=0) for n in "ab"]
    assert interfere(HOST, sums).slowdown[:, 0] == pytest.approx(2 / 1.25, rel=1e-6)
    plain = HOST.model_copy(update={"smt": False})
    assert interfere(plain, sums).slowdown[:, 0] == pytest.approx(2.0)


def test_sockets_keep_neighbours_apart_unless_memory_is_interleaved():
    two = HOST.model_copy(update={"sockets": 2})
    apart = [
        Tenant(name="web", threads=8),
        Tenant(name="noise", profile="streaming", threads=8, socket=1),
    ]
    assert interfere(two, apart).slowdown[0] == pytest.approx([1, 1, 1], abs=1e-3)
    mixed = two.model_copy(update={"memory": "interleaved"})
    assert interfere(mixed, apart).slowdown[0, 2] > 1.01


def test_two_tenants_of_one_disk_slow_each_other():
    pair = [Tenant(name=n, profile="compute", threads=4, disk_share=0.3) for n in "ab"]
    got = interfere(HOST, pair)
    assert got.slowdown[0, 0] > 1.2
    assert got.slowdown[0] == pytest.approx(got.slowdown[1], rel=1e-3)
    assert 0.5 < got.disk_use.value < 1


def test_the_order_of_the_tenants_changes_nothing():
    some = [
        Tenant(name="a", threads=5),
        Tenant(name="b", profile="streaming", threads=3),
        Tenant(name="c", profile="cache_bound", threads=2),
    ]
    straight, turned = interfere(HOST, some).slowdown, interfere(HOST, some[::-1]).slowdown
    assert turned[::-1] == pytest.approx(straight, rel=1e-4)


def test_the_latency_curve_rises_and_its_ends_enclose_it():
    uses = np.linspace(0, 0.98, 50)
    curve = np.array([loaded_latency_factor(u).ends for u in uses])
    assert (np.diff(curve, axis=0) >= 0).all()
    assert (curve[:, 1] <= curve[:, 0]).all()
    assert (curve[:, 0] <= curve[:, 2]).all()
    assert interleaved_bandwidth(10.0, 1).ends == (10.0, 10.0, 10.0)


def test_absurd_tenants_are_refused_in_one_sentence():
    with pytest.raises(ModelError, match="on socket 3, expected one of 0 to 0"):
        interfere(HOST, [Tenant(name="web", socket=3)])
    with pytest.raises(ModelError, match="expected less than the"):
        interfere(HOST, [Tenant(name="web", partition=99 * MIB)])
