"""Stacks side by side, slow-downs by part, and the model against measurements."""

from __future__ import annotations

import numpy as np
import pytest

import capsim.figures as figures
from capsim.figures.stack_columns import seconds, stack_series
from capsim.figures.stacks import stacks_picture, stacks_title, update_stacks
from capsim.stack.compare import Host, UnitSize, compare_stacks
from capsim.stack.measurements import measurement_table

SEVEN = ("bare-metal", "kvm", "containers", "eks", "fargate", "gvisor", "kata")


def compared(workload="web-api", unit=None, stacks=SEVEN):
    return compare_stacks(workload, Host(64, 256), unit or UnitSize(1, 2), stacks=stacks)


def test_the_columns_are_the_numbers_of_the_comparison():
    comparison = compared()
    units, taken, slow, start = stack_series(comparison)
    table = comparison.table
    np.testing.assert_allclose(units.x, table["units_per_host"])
    np.testing.assert_allclose(taken.x, table["memory_taken_gib"], rtol=1e-6)
    np.testing.assert_allclose(slow.x, table["slowdown"], rtol=1e-6)
    np.testing.assert_allclose(start.x, table["start_s"], rtol=1e-5)
    assert units.labels[0] == "64"
    assert "×1.15" in slow.labels[1]


def test_ranges_reach_from_the_low_to_the_high_end_unless_they_leave_the_axis():
    comparison = compared()
    slow = stack_series(comparison)[2]
    kvm, gvisor = 1, 5
    assert slow.x[kvm] + slow.plus[kvm] == pytest.approx(comparison["kvm"].slowdown.high, rel=1e-5)
    assert slow.x[gvisor] + slow.plus[gvisor] < comparison["gvisor"].slowdown.high
    assert f"{comparison['gvisor'].slowdown.high:.0f}" in slow.labels[gvisor]


def test_the_title_says_who_holds_most_and_least_and_what_the_work_costs():
    title = figures.stacks(compared()).layout.meta["title"]
    assert title.startswith("64 units fit on bare metal, 51 as Kata pods on a host; the work")
    assert title.endswith("longer with gVisor on a host")
    alone = stacks_title(compared(stacks=("bare-metal",)))
    assert alone == "64 units fit on bare metal; none slows the work"
    assert stacks_title(compared(unit=UnitSize(100, 2), stacks=("kvm",))).startswith("No platform")


def test_a_picture_moves_to_another_comparison_and_equals_one_made_anew():
    moved = stacks_picture(compared())
    other = compared("in-memory-cache", UnitSize(0.5, 3))
    update_stacks(moved, other)
    anew = stacks_picture(other)
    for one, two in zip(moved.data, anew.data, strict=True):
        assert list(one.x) == list(two.x)
        assert one.text == two.text
    for at in ("xaxis", "xaxis2", "xaxis3", "xaxis4"):
        assert tuple(moved.layout[at].range) == pytest.approx(tuple(anew.layout[at].range))


def test_a_picture_of_few_marks():
    assert sum(len(trace.x) for trace in figures.stacks(compared()).data) < 100


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.001, "1 ms"), (0.25, "250 ms"), (2.25, "2.2 s"), (57.2, "57 s"), (150, "2 min")],
)
def test_times_are_said_as_people_say_them(value, told):
    assert seconds(value) == told


def test_slow_downs_by_part_have_a_cell_for_each_stack_and_part():
    comparison = compared()
    figure = figures.stack_slowdowns(comparison)
    cells = [note.text for note in figure.layout.annotations if note.name == "cell"]
    assert len(cells) == len(SEVEN) * 6
    assert "system calls" in figure.layout.xaxis.ticktext[1].replace("<br>", " ")
    assert figure.layout.meta["title"].startswith("System calls suffer most")


def test_measurements_that_test_stand_apart_from_those_that_calibrate():
    table = measurement_table()
    figure = figures.measured_slowdowns(table)
    slow = table[table["quantity"] == "slowdown"]
    counts = {trace.name: len(trace.x) for trace in figure.data if trace.name}
    assert counts == slow["role"].value_counts().to_dict()
    assert "test measurements lie in the model's range" in figure.layout.meta["title"]
