"""Disks and links: costs, caps, weights, and two limits at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.contention.io import Disk, IoGroup, latency_victims, mixed_iops, share_disk
from capsim.contention.network import Link, NetworkGroup, share_link

DISK = Disk(
    read_bytes_per_s=2e9,
    read_sequential_iops=200_000,
    read_random_iops=100_000,
    write_bytes_per_s=1e9,
    write_sequential_iops=100_000,
    write_random_iops=50_000,
)
IO = st.builds(
    IoGroup,
    name=st.just("g"),
    read_iops=st.floats(0, 3e5),
    write_iops=st.floats(0, 3e5),
    size=st.sampled_from([4096.0, 65536.0, 1048576.0]),
    random=st.floats(0, 1),
    weight=st.floats(1, 10_000),
    riops=st.none() | st.floats(10, 1e5),
    wbps=st.none() | st.floats(1e4, 1e9),
)
FLOW = st.builds(
    lambda **fields: NetworkGroup(**fields),
    name=st.just("f"),
    bytes_per_s=st.floats(0, 2e9),
    packet_bytes=st.floats(64, 1448),
    weight=st.floats(0.1, 100),
    limit_packets_per_s=st.none() | st.floats(1e3, 1e6),
)


@pytest.mark.parametrize(
    ("write", "random", "size", "rate"),
    [
        (False, 1.0, 4096, 100_000),
        (False, 0.0, 4096, 200_000),
        (True, 1.0, 4096, 50_000),
        (False, 0.0, 2**24, 2e9 / 2**24),
    ],
)
def test_a_request_costs_what_the_devices_own_limits_say(write, random, size, rate):
    cost = DISK.request_s(write=write, random=random, size=size)
    assert 1 / cost == pytest.approx(rate, rel=0.01)


@given(st.lists(IO, min_size=1, max_size=6))
@settings(deadline=None, max_examples=60)
def test_device_time_is_conserved_and_no_cap_or_demand_exceeded(groups):
    got = share_disk(DISK, groups)
    assert got.use <= 1 + 1e-9
    for at, group in enumerate(groups):
        assert got.read_iops[at] <= min(group.read_iops, group.riops or 1e99) * (1 + 1e-9)
        assert got.write_iops[at] * group.size <= (group.wbps or 1e99) * (1 + 1e-9)


def test_two_saturating_groups_get_device_time_by_weight_whatever_their_requests_cost():
    small = IoGroup(name="small", read_iops=1e6, weight=300)
    large = IoGroup(name="large", write_iops=1e5, size=1 << 20, random=0, weight=100)
    got = share_disk(DISK, [small, large])
    assert got.device_share.tolist() == pytest.approx([0.75, 0.25])
    assert got.read_iops[0] == pytest.approx(75_000)


@given(st.lists(IO, min_size=2, max_size=5), st.floats(1, 5))
@settings(deadline=None, max_examples=40)
def test_more_io_weight_never_gives_less(groups, factor):
    heavier = min(10_000.0, groups[0].weight * factor)
    more = [groups[0].model_copy(update={"weight": heavier}), *groups[1:]]
    before, after = share_disk(DISK, groups), share_disk(DISK, more)
    assert after.device_share[0] >= before.device_share[0] - 1e-9


def test_io_max_is_named_as_what_limits():
    got = share_disk(DISK, [IoGroup(name="a", read_iops=1e4, riops=100)])
    assert got.table.limited_by[0] == "io.max"
    assert got.read_iops[0] == 100


def test_io_latency_slows_whoever_has_a_looser_target_than_who_misses():
    groups = [
        IoGroup(name="strict", latency_target_s=0.01),
        IoGroup(name="loose", latency_target_s=0.1),
        IoGroup(name="none"),
    ]
    assert latency_victims(groups, [0.02, 0.05, 0.5]) == ["none", "loose"]
    assert latency_victims(groups, [0.005, 0.05, 0.5]) == []
    assert latency_victims(groups, [0.005, 0.2, 0.5]) == ["none"]


def test_a_mix_lies_between_reads_and_writes_alone():
    got = mixed_iops(84_044, 112_034)
    assert 84_044 < got.low < got.value < got.high < 112_034


@given(st.lists(FLOW, min_size=1, max_size=6), st.floats(1e4, 5e6))
@settings(deadline=None, max_examples=60)
def test_neither_bits_nor_packets_of_a_link_are_exceeded(flows, packets):
    link = Link(bits_per_s=10e9, packets_per_s=packets)
    got = share_link(link, flows)
    table = got.table
    assert table.packets_per_s.sum() <= packets * (1 + 1e-9)
    wire = sum(
        rate / f.packet_bytes * (f.packet_bytes + 90) * 8
        for rate, f in zip(got.bytes_per_s, flows, strict=True)
    )
    assert wire <= 10e9 * (1 + 1e-9)
    assert (got.bytes_per_s <= table.asked_bytes_per_s + 1e-6).all()


def test_small_packets_meet_the_packet_rate_before_the_link():
    link = Link(bits_per_s=10e9, packets_per_s=1e6)
    flows = [
        NetworkGroup(name="small", bytes_per_s=1e9, packet_bytes=100),
        NetworkGroup(name="bulk", bytes_per_s=1e8),
    ]
    got = share_link(link, flows)
    assert got.bound_by == "packet rate"
    assert got.table.packets_per_s.sum() == pytest.approx(1e6)


def test_equal_flows_share_a_link_by_weight():
    flows = [NetworkGroup(name=n, bytes_per_s=2e9, weight=w) for n, w in (("a", 1), ("b", 3))]
    got = share_link(Link(bits_per_s=10e9), flows).bytes_per_s
    assert got[1] == pytest.approx(3 * got[0])
    assert got.sum() * 8 == pytest.approx(9.415e9, rel=1e-3)
