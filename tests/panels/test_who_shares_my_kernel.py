"""The panel of kernel sharing, driven by the `.value` of its controls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pptx import Presentation

import capsim as cs
from capsim.figures.isolation import STRIKES, frontier_traces
from capsim.panels import DeckTray, WhoSharesMyKernel, who_shares_my_kernel
from capsim.placement.isolation_trial import try_isolation
from capsim.scenario import Node, Scenario, Template, Unit
from capsim.topology import Topology


@pytest.fixture(scope="module")
def panel(sample: Topology) -> WhoSharesMyKernel:
    return who_shares_my_kernel(sample)


@pytest.fixture(autouse=True)
def put_back(panel: WhoSharesMyKernel) -> None:
    panel.reset()


def now(panel: WhoSharesMyKernel) -> tuple[float, float]:
    return float(panel.figure.data[-1].x[0]), float(panel.figure.data[-1].y[0])


def dots(panel: WhoSharesMyKernel, name: str) -> int:
    """Circles of a trace: they are parted by NaN."""
    (trace,) = (each for each in panel.figure.data if each.name == name)
    return int(np.isnan(np.array(trace.x, np.float64)).sum())


def test_it_opens_on_shared_kernels_with_a_dot_for_every_running_pod(panel: WhoSharesMyKernel):
    assert panel.headline == "An escape reaches 4.1 pods, on 20 machines"
    assert [dots(panel, n) for n in ("kernels", "shop", "batch")] == [20, 50, 8]
    assert dots(panel, "own kernels") == 0
    assert now(panel) == pytest.approx((20, panel.answer.pods_reached), rel=1e-6)


def test_a_tenant_on_kata_gets_rings_and_the_answer_of_the_engine(
    panel: WhoSharesMyKernel, sample: Topology
):
    panel.controls.tenant_1.value = "kata"
    expected = try_isolation(sample.scenario, {"shop": "kata"})
    assert dots(panel, "own kernels") == dots(panel, "shop")
    assert now(panel) == pytest.approx((expected.machines_in_use, expected.pods_reached), rel=1e-6)
    assert f"{expected.pods_reached:.1f} pods" in panel._tiles.value
    assert "GiB" in panel._tiles.value


def test_the_slider_limits_the_pods_on_a_machine(panel: WhoSharesMyKernel):
    panel.controls.density.value = 3
    assert panel.answer.sharing.kernels.most_lost <= 3
    assert "of them added" in panel.headline
    assert dots(panel, "kernels") == panel.answer.machines


def test_another_strike_draws_other_lines(panel: WhoSharesMyKernel):
    panel.controls.strike.value = "panic"
    wanted = frontier_traces(panel.frontier, "panic")
    lines = [trace for trace in panel.figure.data if trace.mode == "lines+markers"]
    for line, expected in zip(lines, wanted, strict=True):
        np.testing.assert_array_equal(line.y, expected.y)
    assert panel.figure.layout.yaxis2.title.text == STRIKES["panic"][1]
    assert now(panel)[1] == pytest.approx(panel.answer.pods_lost, rel=1e-6)
    assert panel.headline.startswith("A lost pod falls with")


def test_a_choice_on_a_line_lies_on_it(panel: WhoSharesMyKernel):
    for name in ("tenant_1", "tenant_2"):
        getattr(panel.controls, name).value = "gvisor"
    (line,) = (trace for trace in panel.figure.data if trace.name == "gVisor")
    points = list(zip(line.x.tolist(), line.y.tolist(), strict=True))
    assert any(now(panel) == pytest.approx(point, rel=1e-5) for point in points)


def test_reset_puts_everything_back(panel: WhoSharesMyKernel):
    before = now(panel)
    panel.controls.tenant_2.value = "fargate"
    panel.controls.density.value = 2
    panel.reset()
    assert now(panel) == before


def test_the_slide_says_what_was_chosen(panel: WhoSharesMyKernel, tmp_path: Path):
    panel.tray = DeckTray(tmp_path / "deck.pptx")
    panel.controls.tenant_1.value = "vm-per-tenant"
    panel.add_to_deck()
    panel.save_deck()
    assert "Saved" in panel.said.text
    assert "shop on vm-per-tenant" in panel.slide().layout.meta["source"]
    assert len(Presentation(str(tmp_path / "deck.pptx")).slides) >= 1


def test_the_numbers_behind_the_picture_follow(panel: WhoSharesMyKernel):
    panel.controls.tenant_1.value = "kata"
    assert panel.tables["kernels"]["kind"].eq("own").sum() == 50
    assert set(panel.tables) == {"kernels", "faults", "services", "frontier", "settings"}


def test_many_tenants_share_the_last_menu():
    names = "abcde"
    units = tuple(
        Unit(name=f"u{at}", namespace=name, template="t")
        for rank, name in enumerate(names)
        for at in range(5 - rank)
    )
    machine = Node(name="n", allocatable={"cpu": "9", "memory": "9Gi", "pods": "99"})
    scenario = Scenario(nodes=(machine,), templates={"t": Template()}, units=units)
    panel = who_shares_my_kernel(scenario)
    assert panel.controls.tenant_3.description == "all others on"
    panel.controls.tenant_3.value = "gvisor"
    own = panel.answer.sharing.paths.sandboxed
    assert {units[at].namespace for at in own.tolist()} == {"c", "d", "e"}


def test_a_cluster_without_machines_is_refused():
    scenario = Scenario(templates={"t": Template()}, units=(Unit(name="u", template="t"),))
    with pytest.raises(cs.ModelError, match="no machines or no units"):
        who_shares_my_kernel(scenario)
