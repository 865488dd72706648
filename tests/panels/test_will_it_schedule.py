"""The panel of drains and changed requests, driven by the `.value` of its controls."""

from __future__ import annotations

import numpy as np
import pytest
from pptx import Presentation

import capsim as cs
from capsim.figures import utilisation_curves
from capsim.figures.pending import reason_words
from capsim.panels import DeckTray, WillItSchedule
from capsim.panels.schedule.picture import reason_rows
from capsim.panels.schedule.question import Answer, drain_order
from capsim.panels.schedule.words import parts
from capsim.topology import Topology


@pytest.fixture
def asked(sample: Topology) -> WillItSchedule:
    return cs.panels.will_it_schedule(sample)


@pytest.fixture(scope="module")
def start(sample: Topology) -> Topology:
    """The sample as it stands once what waits has been placed."""
    return cs.place(sample).placed_topology


def trace(panel: WillItSchedule, meta: str):
    (found,) = (each for each in panel.figure.data if each.meta == meta)
    return found


def assert_shows(panel: WillItSchedule, plan: cs.Placement) -> None:
    """The picture and the numbers are those of a placement made without the panel."""
    assert panel.plan.node_of.tolist() == plan.node_of.tolist()
    lines = [(each.x, each.y) for each in panel.figure.data if each.meta == "now"]
    expected = Answer(panel.answer.question, plan, plan).curves(panel._names)
    for shown, curve in zip(lines, expected.values(), strict=True):
        np.testing.assert_array_equal(shown, curve)
    assert trace(panel, "bars").x.sum() == len(plan.waiting)
    assert sum(parts(panel.answer).values()) == len(plan.node_of)
    for reason, units in plan.reasons[["reason", "units"]].values.tolist():
        assert panel.answer.reasons[reason_words(reason)] >= units


def test_it_opens_on_the_cluster_with_what_waits_placed(asked, start):
    plan = cs.place(start)
    assert_shows(asked, plan)
    for line, y in zip(
        (each for each in asked.figure.data if each.meta == "now"),
        utilisation_curves(plan, asked._names)[1].values(),
        strict=True,
    ):
        np.testing.assert_array_equal(line.y, y)
    assert asked.headline == "As it is, 2 of 80 pods wait"
    assert "As it is, 2 of 80 pods wait." in asked._tiles.value


@pytest.mark.parametrize(
    ("words", "order"), [("the emptiest first", "emptiest"), ("drawn at random", "random")]
)
def test_nodes_are_drained_in_the_order_chosen(asked, start, words, order):
    asked.controls.order.value = words
    asked.controls.drained.value = 4
    names = drain_order(start, order)[:4]
    assert_shows(asked, cs.place(cs.drain(start, names)))
    assert "4 cordoned" in asked._tiles.value
    assert {n.name for n in asked.plan.scenario.nodes if n.unschedulable} == set(names)


def test_the_emptiest_nodes_are_those_whose_fullest_resource_is_least_used(start):
    plan = cs.place(start)
    use = (plan.used / np.maximum(plan.offered, 1)).max(axis=1)
    rows = {node.name: n for n, node in enumerate(start.scenario.nodes)}
    sorted_use = [use[rows[name]] for name in drain_order(start, "emptiest")]
    assert sorted_use == sorted(sorted_use)


def test_larger_requests_make_every_pod_anew(asked, start):
    asked.controls.factor.value = 1.5
    plan = cs.place(cs.change_requests(start, 1.5))
    assert_shows(asked, plan)
    assert parts(asked.answer)["stay"] == 0
    assert "are made anew" in asked.headline


def test_only_memory_can_be_multiplied(asked, start):
    asked.controls.scaled.value = "memory"
    asked.controls.factor.value = 2.0
    assert_shows(asked, cs.place(cs.change_requests(start, 2.0, resources=["memory"])))


def test_nodes_that_are_empty_and_closed_leave_the_picture(openb):
    panel = cs.panels.will_it_schedule(openb)
    panel.controls.drained.value = 100
    cpu = next(each for each in panel.figure.data if each.meta == "now")
    assert cpu.x[-1] == 1423
    assert cpu.y[-1] > 0


def test_a_zone_is_lost_and_more_pods_come(asked, start):
    asked.controls.zone.value = "westeurope-1"
    asked.controls.growth.value = 10
    asked.controls.drained.value = 1
    left = cs.remove_zone(start, "westeurope-1")
    drained = cs.drain(left, drain_order(left, "emptiest")[:1])
    assert_shows(asked, cs.place(cs.grow(drained, 0.1)))
    assert asked.headline.startswith("It does not schedule: ")
    assert "without westeurope-1" in asked._tiles.value


def test_a_cluster_without_zones_has_no_menu_of_zones(openb):
    assert not hasattr(cs.panels.will_it_schedule(openb).controls, "zone")


def test_reasons_are_few_rows_and_the_last_stands_for_the_rest(asked):
    asked.answer.reasons.clear()
    asked.answer.reasons.update({f"reason {n}": 10 - n for n in range(8)})
    lengths, told = reason_rows(asked.answer)
    assert lengths.tolist() == [10, 9, 8, 7, 6 + 5 + 4 + 3]
    assert told[-1] == "<b>18</b> 4 other reasons"


def test_nothing_that_waits_is_said(openb):
    few = openb.scenario.replace(units=openb.scenario.units[:100])
    panel = cs.panels.will_it_schedule(few)
    assert panel.headline == "As it is, all 100 pods have a place"
    assert trace(panel, "names").text[0] == "everything has a place"
    panel.controls.drained.value = 100
    assert panel.headline.startswith("It schedules: no pod loses its place")


def test_a_move_is_one_redraw_of_few_short_float32_arrays(asked):
    sent: list[object] = []
    asked.figure.observe(sent.append, "_py2js_update")
    asked.controls.drained.value = 3
    (message,) = [change.new for change in sent if change.new is not None]
    assert not message.get("layout_data")
    assert len(asked.figure.data) <= 10
    for each in asked.figure.data:
        assert np.asarray(each.x).dtype == np.asarray(each.y).dtype == np.float32
        assert np.asarray(each.y).ndim == 1
        assert len(each.y) <= 300


def test_the_next_step_is_worked_out_ahead(asked):
    for step in ({"drained": 1}, {"factor": 1.01}, {"growth": 1}):
        assert asked._question(step) in asked._ask._answers
    asked.controls.drained.value = 1
    asked.controls.drained.value = 2
    assert asked._question({"drained": 3}) in asked._ask._answers


def test_no_engine_is_compiled_by_a_move(asked, monkeypatch):
    from capsim.placement.kubernetes.engine import Engine

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an engine was compiled")

    asked.controls.factor.value = 1.2  # every class may have to be placed from here on
    monkeypatch.setattr(Engine, "__init__", refuse)
    asked.controls.drained.value = 4
    asked.controls.factor.value = 1.4
    asked.controls.growth.value = 7


def test_reset_puts_everything_back(asked, start):
    opened = asked.headline, asked.controls.values, asked._tiles.value
    asked.controls.drained.value = 5
    asked.controls.factor.value = 1.3
    asked.reset()
    assert_shows(asked, cs.place(start))
    assert (asked.headline, asked.controls.values, asked._tiles.value) == opened


def test_what_the_engine_refuses_is_one_sentence(asked):
    asked.controls.factor.max = 200
    asked.controls.factor.value = 150
    assert (
        asked.message.text == "requests are multiplied by 150.0, expected more than 0, up to 100."
    )
    asked.controls.factor.value = 1.1
    assert asked.message.text == ""


def test_every_unit_that_changes_is_in_the_numbers(asked):
    asked.controls.drained.value = 4
    asked.numbers.widget.selected_index = 0
    table = asked.tables["what changes"]
    assert len(table) == sum(n for k, n in asked.answer.comparison.counts().items() if k != "stays")
    assert "What changes" in asked.numbers.html


def test_a_slide_says_what_was_asked(sample, tmp_path):
    tray = DeckTray(tmp_path / "plan.pptx", title="Plan")
    panel = cs.panels.will_it_schedule(sample, tray=tray)
    panel.controls.drained.value = 3
    panel.controls.factor.value = 1.25
    panel.add_to_deck()
    panel.save_deck()
    text = [
        shape.text_frame.text
        for slide in Presentation(str(tray.file)).slides
        for shape in slide.shapes
        if shape.has_text_frame
    ]
    assert panel.headline in text
    told = "3 nodes drained, emptiest · requests of cpu and memory × 1.25"
    assert panel.slide().layout.meta["source"].endswith(told)


def test_a_cluster_without_nodes_is_refused_in_words():
    with pytest.raises(cs.ModelError, match="The cluster has no nodes"):
        cs.panels.will_it_schedule(cs.Scenario())
