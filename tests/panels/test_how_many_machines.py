"""The panel, driven by the `.value` of its controls."""

from __future__ import annotations

import numpy as np
import pytest
from pptx import Presentation

import capsim as cs
from capsim.figures import utilisation_curves
from capsim.panels import DeckTray, HowManyMachines
from capsim.scenario import SchedulerProfile
from capsim.topology import Topology


def lines(panel: HowManyMachines) -> list[np.ndarray]:
    return [np.array(trace.y) for trace in panel.figure.data if trace.meta == "now"]


def assert_shows(panel: HowManyMachines, plan: cs.Placement) -> None:
    """The picture and the numbers are those of a placement made without the panel."""
    assert panel.plan.node_of.tolist() == plan.node_of.tolist()
    _, curves = utilisation_curves(plan, panel._names)
    for shown, expected in zip(lines(panel), curves.values(), strict=True):
        np.testing.assert_array_equal(shown, expected)


def test_it_opens_on_the_cluster_as_it_is(panel: HowManyMachines, sample: Topology):
    plan = cs.place(sample)
    assert_shows(panel, plan)
    units, waiting = len(plan.node_of), len(plan.waiting)
    told = f"{units - waiting} of {units} pods fit on 20 machines, {waiting} wait"
    assert panel.headline.startswith(told)


def test_growth_places_more_of_every_unit(panel: HowManyMachines, sample: Topology):
    before = lines(panel)
    panel.controls.growth.value = 50
    assert_shows(panel, cs.place(cs.grow(sample, 0.5)))
    assert any((now != then).any() for now, then in zip(lines(panel), before, strict=True))


def test_a_reserve_and_overcommit_reach_the_engine(panel: HowManyMachines, sample: Topology):
    panel.controls.headroom.value = 20
    panel.controls.overcommit.value = 1.5
    assert_shows(panel, cs.place(sample, headroom=0.2, overcommit_cpu=1.5))


@pytest.mark.parametrize("strategy", ["MostAllocated", "RequestedToCapacityRatio"])
def test_every_strategy_can_be_chosen(panel: HowManyMachines, sample: Topology, strategy: str):
    panel.controls.strategy.value = strategy
    ends = [{"utilization": 0, "score": 0}, {"utilization": 100, "score": 10}]
    curve = ends if strategy == "RequestedToCapacityRatio" else []
    profile = SchedulerProfile.model_validate({"strategy": strategy, "shape": curve})
    assert_shows(panel, cs.place(sample, profile=profile))


def test_machines_are_added_in_the_proportion_of_the_mix(panel: HowManyMachines):
    first, second = list(panel.shapes)[:2]
    panel.controls.machines.value = 9
    panel.controls.second_share.value = 35
    added = panel.plan.scenario.nodes[20:]
    assert [node.shape for node in added] == 6 * [first] + 3 * [second]
    assert max(trace.x[-1] for trace in panel.figure.data if trace.meta == "now") == 29


def test_machines_of_the_catalogue_can_be_added(panel: HowManyMachines):
    panel.controls.first.value = "m7i.4xlarge (catalogue)"
    panel.controls.machines.value = 2
    assert [node.shape for node in panel.plan.scenario.nodes[20:]] == 2 * ["m7i.4xlarge"]


def test_the_machines_that_are_needed_can_be_added_with_a_click(panel: HowManyMachines):
    panel.controls.growth.value = 50
    needed = panel.answer.needs.count
    panel.add_machines()
    assert panel.controls.machines.value >= needed > 0
    assert len(panel.plan.offered) == 20 + panel.controls.machines.value
    waiting = len(panel.plan.waiting) - panel.answer.held_by_none
    told = f"{panel.controls.machines.value} machines added; {waiting} pods still wait, and more"
    assert panel.said.text.startswith(told)
    more = cs.add_machines(panel.plan.topology, next(iter(panel.shapes.values())), waiting)
    assert len(cs.place(more).waiting) >= len(panel.plan.waiting)


def test_machines_are_added_in_rounds_until_they_no_longer_help(openb: Topology):
    """The scheduler leaves waiting what a packer would have held."""
    panel = cs.panels.how_many_machines(openb)
    once, waiting = panel.answer.needs.count, len(panel.plan.waiting)
    panel.add_machines()
    assert once < panel.controls.machines.value <= panel.controls.machines.max
    assert panel.answer.held_by_none < len(panel.plan.waiting) < waiting / 3
    assert "still wait" in panel.said.text


def test_more_machines_than_the_slider_has_are_said(panel: HowManyMachines):
    panel.controls.growth.value = 50
    needed = panel.answer.needs.count
    panel.controls.machines.max = 1
    panel.add_machines()
    assert panel.controls.machines.value == 1
    told = f"{needed} machines would be needed; the slider ends at 1."
    assert panel.said.text == told


def test_reset_puts_everything_back_at_once(panel: HowManyMachines, sample: Topology):
    opened = panel.headline, panel.controls.values, panel._tiles.value, panel._bars.value
    panel.controls.growth.value = 40
    panel.controls.headroom.value = 30
    panel.controls.strategy.value = "MostAllocated"
    asked: list[object] = []
    panel.figure.observe(asked.append, "_py2js_update")
    panel.reset()
    assert len([change for change in asked if change.new is not None]) == 1
    assert_shows(panel, cs.place(sample))
    now = panel.headline, panel.controls.values, panel._tiles.value, panel._bars.value
    assert now == opened


def test_a_move_is_one_redraw_of_few_short_float32_lines(panel: HowManyMachines):
    sent: list[object] = []
    panel.figure.observe(sent.append, "_py2js_update")
    panel.controls.growth.value = 10
    (message,) = [change.new for change in sent if change.new is not None]
    assert not message.get("layout_data")
    assert len(panel.figure.data) <= 8
    for trace in panel.figure.data:
        assert trace.y.dtype == trace.x.dtype == np.float32
        assert trace.y.ndim == 1
        assert len(trace.y) <= 300


def test_the_same_question_is_not_answered_twice(panel: HowManyMachines):
    panel.controls.growth.value = 10
    once = panel.answer
    panel.controls.growth.value = 20
    panel.controls.growth.value = 10
    assert panel.answer is once


@pytest.mark.parametrize(
    "step", [{"growth": 1}, {"headroom": 1}, {"overcommit": 1.05}, {"machines": 1}]
)
def test_the_first_move_is_worked_out_before_it_is_made(panel: HowManyMachines, step: dict):
    assert panel._question(step) in panel._ask._answers


def test_the_next_step_is_worked_out_ahead(panel: HowManyMachines):
    panel.controls.growth.value = 10
    panel.controls.growth.value = 11
    assert panel._question({"growth": 12}) in panel._ask._answers
    panel.controls.overcommit.value = 1.1
    panel.controls.overcommit.value = 1.1 + 0.05
    assert panel._question({"overcommit": 1.2}) in panel._ask._answers


def test_what_the_engine_refuses_is_one_sentence_and_leaves_the_picture(panel: HowManyMachines):
    before = lines(panel)
    panel.controls.headroom.max = 150
    panel.controls.headroom.value = 120
    assert panel.message.text == "headroom is 1.2, expected a share from 0 to below 1."
    assert panel.message.text in panel.message.widget.value
    for now, then in zip(lines(panel), before, strict=True):
        np.testing.assert_array_equal(now, then)
    panel.controls.headroom.value = 10
    assert panel.message.text == panel.message.widget.value == ""


def test_a_mix_that_holds_nothing_of_what_waits_is_said(openb: Topology):
    """All that waits on openb wants GPUs."""
    panel = cs.panels.how_many_machines(openb)
    panel.controls.first.value = "32 cores, 256 GiB"
    assert "no machine of this mix is large enough" in panel._tiles.value
    assert panel.headline.endswith("105 wait; no machine of this mix is large enough")


def test_nothing_is_needed_where_all_fits(openb: Topology):
    few = openb.scenario.replace(units=openb.scenario.units[:100])
    panel = cs.panels.how_many_machines(few)
    assert panel.headline == "All 100 pods fit on 1,523 machines"
    assert "everything has a place" in panel._tiles.value
    assert "no more machines" in panel._tiles.value


def test_the_tiles_say_why_units_wait(openb: Topology):
    panel = cs.panels.how_many_machines(openb)
    assert "105: not enough GPUs" in panel._tiles.value
    assert "7.8 %" in panel._tiles.value
    assert panel.headline == (
        "8,047 of 8,152 pods fit on 1,523 machines, 105 wait; "
        "47 more machines would hold 100 of them, 5 fit on no such machine"
    )


def test_resources_add_up(openb: Topology):
    panel = cs.panels.how_many_machines(openb)
    table = panel.tables["resources"].set_index("resource")
    parts = table["requested"] + table["usable"] + table["stranded"]
    np.testing.assert_allclose(parts, table["offered"])
    topology, waiting = panel.plan.topology, panel.plan.waiting
    asked = topology.request[topology.unit_template[waiting], topology.column("cpu")].sum()
    assert table.loc["cpu", "waiting"] == asked / 1000


def test_slides_are_collected_and_saved(sample: Topology, tmp_path):
    tray = DeckTray(tmp_path / "plan.pptx", title="Plan")
    panel = cs.panels.how_many_machines(sample, tray=tray)
    panel.add_to_deck()
    panel.controls.growth.value = 50
    panel.add_to_deck()
    assert panel.said.text == "2 slides collected"
    panel.save_deck()
    assert panel.said.text == f"Saved {tmp_path / 'plan.pptx'}"
    text = [
        shape.text_frame.text
        for slide in Presentation(str(tray.file)).slides
        for shape in slide.shapes
        if shape.has_text_frame
    ]
    assert panel.headline in text
    assert any("growth 50%" in each for each in text)


def test_a_deck_of_somebody_else_is_never_overwritten(sample: Topology, tmp_path):
    wanted = tmp_path / "plan.pptx"
    wanted.write_text("another's")
    panel = cs.panels.how_many_machines(sample, tray=DeckTray(wanted))
    panel.add_to_deck()
    panel.save_deck()
    assert wanted.read_text() == "another's"
    assert panel.said.text == f"Saved {tmp_path / 'plan-2.pptx'}"
    panel.add_to_deck()
    panel.save_deck()
    assert panel.said.text == f"Saved {tmp_path / 'plan-2.pptx'}"
    assert len(list(tmp_path.iterdir())) == 2
    panel.reset()
    assert panel.said.text == ""


def test_each_panel_has_a_deck_of_its_own(sample: Topology):
    made = [
        cs.panels.how_many_machines(sample),
        cs.panels.will_it_schedule(sample),
        cs.panels.vm_or_container(),
        cs.panels.cpu_limits(),
        cs.panels.who_shares_my_kernel(sample.scenario),
    ]
    assert len({panel.tray.file for panel in made}) == len(made)


def test_an_empty_deck_is_not_saved(panel: HowManyMachines):
    panel.save_deck()
    assert panel.said.text == "The deck has no slides yet: add one first."


def test_a_deck_that_cannot_be_written_is_one_sentence(sample: Topology, tmp_path):
    panel = cs.panels.how_many_machines(sample, tray=DeckTray(tmp_path / "no" / "plan.pptx"))
    panel.add_to_deck()
    panel.save_deck()
    assert "no" in panel.said.text
    assert "\n" not in panel.said.text
    assert not (tmp_path / "no").exists()


def test_an_unknown_machine_type_suggests_the_nearest(sample: Topology):
    with pytest.raises(cs.ModelError, match=r"no machine type 'm7i.4xlarg'.*'m7i.4xlarge'"):
        cs.panels.how_many_machines(sample, catalogue=["m7i.4xlarg"])


def test_a_cluster_without_machines_is_refused_in_words():
    with pytest.raises(cs.ModelError, match=r"The cluster has no machines"):
        cs.panels.how_many_machines(cs.Scenario())


def test_names_out_of_files_cannot_inject_html(sample: Topology):
    nodes = [
        node.model_copy(
            update={"labels": {"node.kubernetes.io/instance-type": "<script>x</script>"}}
        )
        for node in sample.scenario.nodes
    ]
    panel = cs.panels.how_many_machines(sample.scenario.replace(nodes=tuple(nodes)))
    panel.controls.growth.value = 100
    panel.numbers.widget.selected_index = 0
    for html in (panel._tiles.value, panel._bars.value, panel.numbers.html):
        assert "<script" not in html
    assert "&lt;script&gt;" in panel._tiles.value
