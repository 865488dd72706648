"""Stranded capacity, headroom, waiting units, packers and comparisons."""

from __future__ import annotations

import pandas as pd
import pytest

import capsim as cs
import capsim.figures as figures
from capsim.figures.pending import pending_rows, reason_words
from capsim.placement.headroom import headroom_curve
from capsim.placement.packing import compare_packers, pack
from tests.figures.builders import half_full, node, plan, template, units, with_waiting


def title(figure) -> str:
    return figure.layout.meta["title"]


def labels(figure) -> list[str]:
    return [note.text for note in figure.layout.annotations if note.name == "label"]


def full_of_cpu() -> cs.Placement:
    """All CPU requested, three quarters of the memory left over."""
    return plan([node("a"), node("b")], {"web": template("2", "2Gi")}, units("web", 4))


# Stranded ------------------------------------------------------------------------------------


def test_stranded_memory_is_told_with_its_reason():
    figure = figures.stranded_capacity(cs.stranded(full_of_cpu()))
    assert title(figure) == "75 % of memory is stranded: 75 % behind full CPUs"
    assert any("75 % stranded" in text and "behind full CPUs" in text for text in labels(figure))


def test_used_usable_and_stranded_add_up_to_what_is_offered():
    figure = figures.stranded_capacity(cs.stranded(half_full()))
    assert [trace.name for trace in figure.data] == ["used", "free", "stranded"]
    for row in range(2):
        assert sum(trace.x[row] for trace in figure.data) == pytest.approx(100)


def test_stranded_by_shape_is_in_amounts_and_names_the_shape_with_most_of_it():
    mixed = plan(
        [node("a"), node("b", memory="64Gi")], {"web": template("4", "2Gi")}, units("web", 2)
    )
    figure = figures.stranded_by_shape(cs.stranded(mixed))
    assert title(figure) == ("82 % of the stranded memory sits in machines of 4 cores, 64 GiB")
    assert [sum(trace.x[row] for trace in figure.data) for row in (0, 1)] == [16.0, 64.0]


def test_stranded_gpus_come_first_where_there_are_any():
    gpu = plan(
        [node("a", gpus=2)],
        {"job": template("4", gpus=1)},
        units("job", 1),
    )
    assert title(figures.stranded_capacity(cs.stranded(gpu))) == (
        "50 % of GPUs are stranded: 50 % behind full CPUs"
    )
    by_shape = figures.stranded_by_shape(cs.stranded(gpu))
    assert by_shape.layout.xaxis.title.text == "GPUs"


# Headroom ------------------------------------------------------------------------------------


def test_headroom_counts_each_shape_and_says_what_stops_the_next():
    figure = figures.headroom(cs.headroom(half_full()))
    assert list(figure.data[0].x) == [4]
    assert title(figure) == "4 more pods of web: CPU runs out first"


def test_headroom_of_shapes_that_no_longer_fit():
    figure = figures.headroom(cs.headroom(with_waiting()))
    assert title(figure) == "None of the 2 shapes fits any more; CPU runs out first for all"
    assert all("none fits" in text for text in labels(figure))


def test_the_curve_over_size_marks_today_and_tells_what_twice_the_size_costs():
    curve = headroom_curve(half_full(), "web")
    figure = figures.headroom_curve(curve, shape="web")
    assert title(figure) == "4 more web fit as they are, 2 if they are twice as large"
    assert figure.layout.xaxis.type == "log"
    assert list(figure.data[1].x) == [1.0]


def test_the_curve_over_a_reserve_tells_what_keeping_a_fifth_costs():
    curve = headroom_curve(half_full(), "web", over="reserve")
    figure = figures.headroom_curve(curve, shape="web")
    assert title(figure) == "Keeping 20 % of every node free leaves room for 2 of 4 web"


def test_a_curve_of_nothing_says_so():
    curve = headroom_curve(with_waiting(), "big")
    assert title(figures.headroom_curve(curve, shape="big")) == "No big fits"


# Waiting -------------------------------------------------------------------------------------


def test_waiting_units_are_told_by_reason_each_with_its_templates():
    figure = figures.pending(with_waiting())
    assert title(figure) == "2 of 4 pods wait, 1 of them because there is not enough CPU"
    assert [(row.name, row.units, row.is_template) for row in pending_rows(with_waiting())] == [
        ("Not enough CPU", 1, False),
        ("web", 1, True),
        ("Not enough CPU even on an empty node", 1, False),
        ("big", 1, True),
    ]


def test_one_waiting_unit_waits_and_none_wait():
    one = plan([node("a")], {"big": template("9")}, units("big", 1))
    assert title(figures.pending(one)) == "1 of 1 pod waits: not enough CPU even on an empty node"
    assert title(figures.pending(half_full())) == "No pod waits"


def test_many_templates_are_gathered_in_a_last_row():
    kinds = {f"t{i}": template(str(9 + i)) for i in range(15)}
    rows = pending_rows(plan([node("a")], kinds, [u for k in kinds for u in units(k, 1)]))
    assert len(rows) == 9
    assert (rows[-1].name, rows[-1].units) == ("8 other templates", 8)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Insufficient cpu", "not enough CPU"),
        ("Insufficient alibabacloud.com/gpu-milli", "not enough GPUs"),
        ("Insufficient memory even on an empty node", "not enough memory even on an empty node"),
        ("node(s) were unschedulable", "node(s) were unschedulable"),
    ],
)
def test_the_reasons_of_the_scheduler_are_put_in_plain_words(said, told):
    assert reason_words(said) == told


# Packers -------------------------------------------------------------------------------------


def test_packers_are_sorted_and_held_against_the_lower_bound():
    waiting = full_of_cpu()
    figure = figures.packers(compare_packers(waiting.topology, waiting.scenario.nodes[0]))
    assert title(figure) == "2 machines will do: first fit decreasing reaches the lower bound"
    counts = list(figure.data[0].x)
    assert counts == sorted(counts)
    (bound,) = [note for note in figure.layout.annotations if note.name == "bound"]
    assert bound.text == "<b>lower bound 2</b>"


def test_packings_themselves_do_as_well_as_their_table():
    waiting = full_of_cpu()
    packing = pack(waiting.topology, waiting.scenario.nodes[0], algorithm="best-fit")
    figure = figures.packers([packing])
    assert title(figure) == "2 machines will do: best fit reaches the lower bound"
    (note,) = [note for note in figure.layout.annotations if note.name == "footnote"]
    assert note.text == "Source: test · 4 pods · machines of 4 cores, 16 GiB"


def test_a_gap_to_the_bound_is_told_in_machines_and_percent():
    columns = ["algorithm", "machines", "lower_bound", "units", "unplaceable_units"]
    table = pd.DataFrame([("first-fit", 11, 10, 80, 0)], columns=columns)
    figure = figures.packers(table)
    assert (
        title(figure) == "11 machines will do, at most 10 % more than the 10 that any packing needs"
    )
    assert "+1 (10 %)" in labels(figure)[0]


def test_units_that_fit_on_no_such_machine_are_told_in_the_title():
    columns = ["algorithm", "machines", "lower_bound", "units", "unplaceable_units"]
    told = {
        (12, 80, 8): "12 machines hold 72 of 80 units; 8 fit on no such machine",
        (1, 80, 1): "1 machine holds 79 of 80 units; 1 fits on no such machine",
        (0, 8, 8): "No such machine holds any of 8 units",
    }
    for (machines, all_units, left), words in told.items():
        row = ("first-fit", machines, machines, all_units, left)
        figure = figures.packers(pd.DataFrame([row], columns=columns))
        assert title(figure) == words
        assert f"needs, without {left} unit" in figure.layout.meta["subtitle"]


# Before and after ----------------------------------------------------------------------------


def test_a_comparison_leads_with_what_waits_and_what_is_empty():
    before = plan([node("a")], {"web": template("2")}, units("web", 3))
    after = plan([node("a"), node("b"), node("c")], {"web": template("2")}, units("web", 3))
    assert title(figures.comparison(before, after)) == "1 fewer pod waits"
    kept = cs.place(before.topology, headroom=0.4)
    assert title(figures.comparison(before, kept, names=("now", "40 % kept free"))) == (
        "40 % kept free: 1 more pod waits"
    )


def test_a_comparison_tells_moved_use_where_nothing_else_changes():
    before = half_full()
    after = cs.place(before.topology, overcommit_cpu=2)
    assert title(figures.comparison(before, after)) == "CPU requested falls from 50 % to 25 %"
    assert title(figures.comparison(before, before)) == (
        "Nothing changes in use, in what waits or in empty nodes"
    )


def test_a_comparison_has_shares_as_bars_and_amounts_beside_them():
    figure = figures.comparison(half_full(), half_full())
    assert [trace.name for trace in figure.data] == ["before", "after"]
    assert list(figure.data[0].x)[:2] == [50.0, 25.0]
    assert "50 %, 4 cores" in labels(figure)
    assert "0 %, 0 pods" in labels(figure)
