"""The panel of stacks, driven by the `.value` of its controls."""

from __future__ import annotations

import numpy as np
import pytest
from pptx import Presentation

import capsim as cs
from capsim.errors import ModelError
from capsim.panels import DeckTray, VmOrContainer
from capsim.stack.compare import Host, UnitSize, compare_stacks
from capsim.stack.workload import PARTS


@pytest.fixture
def panel() -> VmOrContainer:
    return cs.panels.vm_or_container()


def shown(panel: VmOrContainer) -> list[float]:
    return [float(x) for x in panel.figure.data[0].x]


def test_it_opens_on_the_named_workload(panel: VmOrContainer):
    expected = compare_stacks("web-api", Host(64, 256), UnitSize(1, 2))
    for stack in expected.stacks:
        assert panel.comparison[stack.platform.key].units == stack.units
        assert panel.comparison[stack.platform.key].slowdown == stack.slowdown
    assert panel.headline.startswith("64 units fit on bare metal")


def test_sizes_reach_the_engine_and_the_picture(panel: VmOrContainer):
    panel.controls.host_cores.value = 128
    panel.controls.unit_memory.value = 4.0
    panel.controls.unit_cores.value = 0.5
    assert (panel.comparison.host, panel.comparison.unit) == (Host(128, 256), UnitSize(0.5, 4.0))
    np.testing.assert_allclose(shown(panel), panel.comparison.table["units_per_host"])


def test_another_workload_puts_the_sliders_of_the_mix(panel: VmOrContainer):
    panel.controls.workload.value = "in-memory-cache"
    assert panel.controls.packets.value == 70
    assert panel.comparison.profile.name == "in-memory-cache"


def test_a_mix_of_ones_own_is_scaled_to_a_whole(panel: VmOrContainer):
    for part in PARTS:
        getattr(panel.controls, part).value = 0
    assert "expected at least one above 0" in panel.message.text
    panel.controls.compute.value = 30
    panel.controls.packets.value = 10
    mix = panel.comparison.profile
    assert mix.name == "own mix, from web-api"
    assert [share.value for share in mix.shares] == [0.75, 0, 0, 0.25, 0, 0]
    assert not panel.message.text


def test_products_are_chosen_from_menus(panel: VmOrContainer):
    panel.controls.hypervisor.value = "esxi"
    panel.controls.kubernetes.value = "aks"
    panel.controls.microvm.value = "firecracker"
    names = " ".join(panel.figure.layout.yaxis.ticktext)
    assert all(word in names for word in ("ESXi", "AKS", "Firecracker"))
    assert "vSphere" in panel._charges.value


def test_smaller_node_vms_leave_less(panel: VmOrContainer):
    large = panel.comparison["eks"].filling.taken.memory.value
    panel.controls.node_cores.value = 2
    assert panel.comparison["eks"].filling.taken.memory.value > large


def test_reset_puts_everything_back(panel: VmOrContainer):
    before = shown(panel)
    panel.controls.workload.value = "batch-compute"
    panel.controls.unit_memory.value = 9.0
    panel.reset()
    assert shown(panel) == before
    assert panel.comparison.profile.name == "web-api"


def test_the_numbers_behind_the_picture_are_those_of_the_comparison(panel: VmOrContainer):
    tables = panel.tables
    assert list(tables["stacks"]["stack"]) == [s.platform.key for s in panel.comparison.stacks]
    assert set(tables["layers"]["stack"]) == {s.platform.name for s in panel.comparison.stacks}
    panel.numbers.widget.selected_index = 0
    assert "Bare metal" in panel.numbers.html


def test_slides_are_collected_and_saved(tmp_path):
    tray = DeckTray(tmp_path / "deck.pptx")
    panel = cs.panels.vm_or_container("oltp-database", tray=tray)
    panel.add_to_deck()
    panel.save_deck()
    assert len(Presentation(tray.file).slides) >= 1
    assert panel.said.text.startswith("Saved")


def test_an_unknown_workload_is_one_sentence():
    with pytest.raises(ModelError, match="did you mean 'web-api'"):
        cs.panels.vm_or_container("web-app")
