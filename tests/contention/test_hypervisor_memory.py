"""Memory overcommit: which technique gives back how much, and to whom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.contention.hypervisor_memory import (
    MemoryHost,
    VmMemory,
    identical_guests_that_fit,
    min_free_bytes,
    overcommit_memory,
)
from capsim.errors import ModelError

GIB = 2.0**30


@st.composite
def vms(draw):
    size = draw(st.floats(1, 16)) * GIB
    touched = draw(st.floats(0, 1)) * size
    active = draw(st.floats(0, 1)) * touched
    return VmMemory(
        size=size,
        touched=touched,
        active=active,
        shares=draw(st.floats(100, 4000)),
        balloon=draw(st.booleans()),
        reservation=draw(st.sampled_from([0.0, 0.25])) * size,
    )


def fleet(count, *, used=1.0, active=0.3, **fields):
    size = 8 * GIB
    vm = VmMemory(size=size, touched=used * size, active=active * used * size, **fields)
    return [vm] * count


@given(
    st.lists(vms(), min_size=1, max_size=8),
    st.sampled_from(["esxi", "hyper_v", "kvm"]),
)
@settings(deadline=None, max_examples=80)
def test_what_is_kept_fits_and_reservations_are_never_touched(some, kind):
    host = MemoryHost(memory=48 * GIB, hypervisor=kind)
    got = overcommit_memory(host, some)
    touched = np.array([vm.touched for vm in some])
    reserved = np.minimum([vm.reservation for vm in some], touched)
    for run in got.runs:
        assert (run >= -1).all()
        kept = touched - run.sum(axis=1)
        if kind != "hyper_v":
            assert kept.sum() <= max(48 * GIB, touched.sum() if not run.any() else 0) + 1
            assert (kept >= reserved - 1).all()


@given(st.lists(vms(), min_size=1, max_size=8))
@settings(deadline=None, max_examples=60)
def test_more_alike_pages_never_mean_more_ballooning_or_swap(some):
    got = overcommit_memory(MemoryHost(memory=24 * GIB), some) if _fits(some) else None
    if got is None:
        return
    value, low, high = (run[:, 1:].sum() for run in got.runs)
    assert low <= value + 1
    assert value <= high + 1


def _fits(some):
    return sum(vm.reservation for vm in some) < 22 * GIB


def test_states_follow_each_other_as_vms_are_added():
    host = MemoryHost(memory=128 * GIB)
    states = [overcommit_memory(host, fleet(n)).states[0] for n in range(8, 96, 2)]
    order = ["high", "clear", "soft", "hard", "low"]
    rank = [order.index(state) for state in states]
    assert rank == sorted(rank)
    assert {"high", "clear", "soft", "hard"} <= set(states)


def test_balloons_take_from_the_idle_before_the_busy():
    idle = VmMemory(name="idle", size=32 * GIB, touched=32 * GIB, active=GIB)
    busy = VmMemory(name="busy", size=32 * GIB, touched=32 * GIB, active=31 * GIB)
    got = overcommit_memory(MemoryHost(memory=40 * GIB), [idle, busy]).table
    assert got.ballooned_bytes[0] > 2 * got.ballooned_bytes[1]


def test_without_a_balloon_the_host_swaps_sooner():
    host = MemoryHost(memory=128 * GIB)
    with_driver = overcommit_memory(host, fleet(22)).summary()
    without = overcommit_memory(host, fleet(22, balloon=False)).summary()
    assert with_driver["swapped_bytes"] == 0
    assert without["swapped_bytes"] > 0


def test_hyper_v_gives_up_buffers_before_demand_and_never_swaps():
    host = MemoryHost(memory=100 * GIB, hypervisor="hyper_v")
    tight = overcommit_memory(host, fleet(30, active=0.38))
    assert tight.summary()["swapped_bytes"] == 0
    demand = 30 * 8 * GIB * 0.38
    kept = 30 * 8 * GIB * 0.38 * 1.2 - tight.runs[0].sum()
    assert kept == pytest.approx(min(100 * GIB, demand * 1.2), rel=1e-6)
    assert kept >= demand


def test_minfree_is_the_sliding_scale():
    assert min_free_bytes(128 * GIB) / 2**20 == pytest.approx(1925, abs=1)
    assert min_free_bytes(4 * GIB) == pytest.approx(0.06 * 4 * GIB)


def test_blind_swap_hits_the_working_set_and_careful_swap_does_not():
    got = overcommit_memory(MemoryHost(memory=64 * GIB, hypervisor="kvm"), fleet(12, active=0.2))
    least, most = got.active_in_swap[0]
    assert least == 0
    assert most > 0


def test_reservations_beyond_the_host_are_refused():
    with pytest.raises(ModelError, match=r"Reservations of 80\.0 GiB exceed"):
        overcommit_memory(MemoryHost(memory=64 * GIB), fleet(10, reservation=8 * GIB))


def test_identical_guests_need_one_copy_of_what_they_share():
    assert identical_guests_that_fit(16, 1, alike=0.0) == 16
    assert identical_guests_that_fit(16, 1, alike=0.5) == 31
    with pytest.raises(ModelError, match="below 1"):
        identical_guests_that_fit(16, 1, alike=1.0)
