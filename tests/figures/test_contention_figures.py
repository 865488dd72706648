"""Ready time, noisy neighbours and memory pressure as figures."""

from __future__ import annotations

import numpy as np
import pytest

from capsim.contention.caches import Processor, Tenant, noisy_curve
from capsim.contention.hypervisor import CpuHost, overcommit_curve
from capsim.contention.memory import settle_memory
from capsim.contention.memory_groups import MemoryGroup, MemoryNode
from capsim.figures.lines import spread
from capsim.figures.memory_pressure import memory_pressure
from capsim.figures.noisy_neighbour import noisy_neighbour
from capsim.figures.ready_time import crossing, ready_time

GIB = 2.0**30


def curves(widths=(1, 4, 8), use=0.25):
    ratios = np.arange(1, 7.1, 0.5)
    return {w: overcommit_curve(CpuHost(cores=32), w, use, ratios) for w in widths}


def test_the_title_of_ready_time_is_where_its_lines_cross_the_threshold():
    drawn = curves()
    figure = ready_time(drawn, use=0.25, host="32 cores")
    at = crossing(drawn[1], "ready_share", 0.05)
    assert f"begins at {at:.1f} (VMs of 1)" in figure.layout.meta["title"]
    assert "% co-stop at" in figure.layout.meta["title"]


def test_ready_time_marks_the_thresholds_of_administrators_with_units():
    figure = ready_time(curves(), use=0.25, host="32 cores")
    levels = sorted(shape.y0 for shape in figure.layout.shapes if shape.name == "threshold")
    assert levels == [3.0, 5.0, 10.0]
    assert "%" in figure.layout.yaxis.title.text
    assert "vCPUs per core" in figure.layout.xaxis.title.text


def test_an_idle_host_is_told_to_have_room():
    drawn = curves(use=0.01)
    assert "there is room" in ready_time(drawn, use=0.01, host="x").layout.meta["title"]


def test_names_of_lines_do_not_overlap():
    assert spread([1.0, 1.1, 1.2, 5.0], 1.0) == pytest.approx([1.0, 2.0, 3.0, 5.0])


def test_the_noisy_neighbour_is_told_with_its_range_and_where_cores_are_shared():
    host = Processor(cores=8, cache=22 * 2**20, bandwidth=100e9)
    victim, noise = Tenant(name="web", threads=4), Tenant(name="noise", profile="streaming")
    curve = noisy_curve(host, victim, noise, [0, 2, 4, 6, 8])
    figure = noisy_neighbour(curve, victim="web", neighbour="streams")
    last = curve.iloc[-1]
    assert f"{last.slowdown:.1f} times as long beside 8" in figure.layout.meta["title"]
    assert [s.x0 for s in figure.layout.shapes if s.name == "cores full"] == [4.0]
    band, line = figure.data
    assert max(band.y) >= max(line.y)


def test_memory_pressure_lists_what_was_done_in_order_and_escapes_names():
    groups = [
        MemoryGroup(name="a<b>", anon=2 * GIB, limit=GIB, file=GIB),
        MemoryGroup(name="c", qos="BestEffort", anon=7.5 * GIB),
    ]
    settled = settle_memory(MemoryNode(capacity=8 * GIB, system=GIB), groups)
    figure = memory_pressure(settled)
    assert [t.name for t in figure.data] == [
        "page cache reclaimed",
        "killed by the kernel",
        "evicted by the kubelet",
    ]
    assert "1. a&lt;b&gt;" in figure.layout.yaxis.ticktext[0]
    assert figure.layout.meta["title"].startswith("1 group evicted, 1 group killed")


def test_a_node_with_room_says_so():
    settled = settle_memory(MemoryNode(capacity=8 * GIB), [MemoryGroup(name="a", anon=GIB)])
    assert memory_pressure(settled).layout.meta["title"] == "Memory suffices for all"
