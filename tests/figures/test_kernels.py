"""Figures of kernel sharing and of isolation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from capsim.figures import blast_radius, isolation_frontier, isolation_prices, kernels
from capsim.figures.isolation import frontier_axes, line_labels
from capsim.figures.kernel_discs import MOST_MACHINES, discs, legend, tenant_ranks
from capsim.placement.isolation_price import IsolationPrices
from capsim.scenario import Scenario, Template, Unit
from capsim.stack.isolation import ISOLATIONS
from capsim.stack.kernel_sharing import KernelSharing, kernel_sharing
from capsim.topology import compile_scenario
from tests.figures.builders import HOSTILE, node, plan


def sharing(machines: int, pods: int, tenants: str = "ab") -> KernelSharing:
    units = tuple(
        Unit(name=f"u{at}", namespace=tenants[at % len(tenants)], template="t", node=f"n{host}")
        for host in range(machines)
        for at in range(host * pods, host * pods + pods)
    )
    scenario = Scenario(
        nodes=tuple(node(f"n{at}") for at in range(machines)),
        templates={"t": Template()},
        units=units,
    )
    return kernel_sharing(compile_scenario(scenario))


def circles(line: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre and radius of each circle of a polyline parted by NaN."""
    x, y = (each.astype(np.float64) for each in line)
    turns = int(np.isnan(x).sum())
    x, y = (each.reshape(turns, -1)[:, :-2] for each in (x, y))
    return x.mean(axis=1), y.mean(axis=1), np.ptp(x, axis=1) / 2


@pytest.mark.parametrize("pods", [1, 2, 5, 7, 13, 60])
def test_dots_lie_within_the_disc_of_their_kernel_and_apart(pods: int):
    found = sharing(1, pods, "a")
    names, ranks = tenant_ranks(found)
    laid = discs(found, 2.0, ranks, len(legend(names)))
    (cx,), (cy,), (around,) = circles(laid.kernels)
    x, y, r = circles(laid.tenants[0])
    assert len(x) == pods
    assert (np.hypot(x - cx, y - cy) + r <= around * 1.01).all()
    apart = np.hypot(x[:, None] - x, y[:, None] - y) + np.eye(pods) * 9
    assert (apart >= 1.9 * r[0]).all()


def test_of_many_machines_a_sample_is_drawn_and_said():
    found = sharing(MOST_MACHINES + 30, 1)
    names, ranks = tenant_ranks(found)
    laid = discs(found, 2.0, ranks, len(legend(names)))
    assert (laid.shown, laid.machines) == (MOST_MACHINES, MOST_MACHINES + 30)
    assert f"{MOST_MACHINES} of 102 machines" in kernels(found).layout.meta["subtitle"]


def test_small_tenants_share_a_colour():
    found = sharing(1, 20, "aaabbbccddefghij")
    names, ranks = tenant_ranks(found)
    assert names[:2] == ["a", "b"]
    assert len(names) == 4
    assert int((ranks == 4).sum()) == 6


def test_the_titles_are_computed():
    found = sharing(3, 4)
    assert kernels(found).layout.meta["title"] == (
        "A container escape reaches 3.0 other pods on average, 2.0 of other tenants"
    )
    assert blast_radius(found).layout.meta["title"] == (
        "A pod lost to a kernel panic falls with 3.0 others on average, at worst with 3"
    )


def test_without_running_pods_the_figures_say_so():
    empty = sharing(1, 0)
    for figure in (kernels(empty), blast_radius(empty)):
        assert any("Nothing to show" in (a.text or "") for a in figure.layout.annotations)


def test_hostile_names_are_harmless():
    nodes = (node("n"),)
    unit = Unit(name="u", namespace=HOSTILE, template="t", node="n")
    scenario = Scenario(name=HOSTILE, nodes=nodes, templates={"t": Template()}, units=(unit,))
    text = kernels(kernel_sharing(compile_scenario(scenario))).to_json()
    assert "<script>" not in text.replace("\\u003c", "<")


def frontier() -> pd.DataFrame:
    rows = [(kind, 10 + at, 5.0 - at) for at, kind in enumerate(ISOLATIONS)]
    table = pd.DataFrame(rows, columns=["isolation", "machines_in_use", "pods"])
    return table.assign(
        pods_per_node_at_most=9,
        pods_reached_by_an_escape=table["pods"],
        pods_lost_per_panic_seen_by_a_pod=table["pods"],
    )


def test_the_frontier_has_a_line_an_isolation_and_names_beside_them_that_do_not_overlap():
    figure = isolation_frontier(frontier(), now=(12, 3))
    assert len(figure.data) == len(ISOLATIONS) + 1
    assert figure.layout.meta["title"] == (
        "With Fargate an escape reaches 1.0 pods instead of 5.0 on 4 machines more"
    )
    close = frontier().assign(
        pods_reached_by_an_escape=[1.0, 0.97, 0.94, 0.91, 0.0], machines_in_use=14
    )
    heights = [label["y"] for label in line_labels(close, "escape")]
    assert (-np.diff(heights) > 0.05).all()
    assert min(heights) > 0


def test_lines_that_end_in_one_point_share_a_label_at_that_point():
    same = frontier().assign(pods_reached_by_an_escape=1.0, machines_in_use=14)
    (label,) = line_labels(same, "escape")
    assert (label["x"], label["y"]) == (14, 1)
    assert all(name in label["text"] for name in ISOLATIONS.values())


@pytest.mark.parametrize(("least", "most"), [(2, 58), (19, 24), (930, 1530), (5, 5), (1, 1)])
def test_the_machines_axis_counts_in_round_steps_from_its_low_end(least: int, most: int):
    table = frontier().assign(machines_in_use=[least, most, most, most, most])
    across, _ = frontier_axes(table, "escape")
    ticks, (low, high) = across["tickvals"], across["range"]
    assert ticks[0] == low >= 0
    assert len(set(np.diff(ticks))) <= 1
    assert low <= least
    assert high > most
    assert max(ticks) <= high
    assert 1 <= len(ticks) <= 9


def test_the_prices_show_four_bars_an_isolation_with_ranges():
    kinds = list(ISOLATIONS)
    table = pd.DataFrame(
        {
            "isolation": kinds,
            "pods_reached_by_an_escape": [4.0, 3, 1, 1, 1],
            "pods_lost_per_panic_seen_by_a_pod": [4.0, 3, 2, 2, 1],
            "machines_added": [0, 4, 0, 1, 0],
            "machines_added_low": [0, 4, 0, 1, 0],
            "machines_added_high": [0, 4, 0, 2, 0],
            "memory_added_mib_per_pod": [0.0, 0, 15, 300, 600],
        }
    )
    figure = isolation_prices(IsolationPrices(table, pd.DataFrame(), ()))
    bars = [trace for trace in figure.data if isinstance(trace, go.Bar)]
    assert [list(bar.x) for bar in bars][2] == [0, 4, 0, 1, 0]
    drawn = [trace for trace in figure.data if isinstance(trace, go.Scatter)]
    ranges = [trace for trace in drawn if trace.mode == "lines"]
    assert [list(each.x) for each in ranges] == [[1, 2]]
    assert "Kata cuts what an escape reaches from 4.0 pods to 1.0" in figure.layout.meta["title"]
    assert "1 more machine" in figure.layout.meta["title"]


def test_a_placement_can_be_shown_as_it_was_decided():
    placed = plan([node("a"), node("b")], {"t": Template()}, [Unit(name="u", template="t")])
    assert kernel_sharing(placed).summary()["pods"] == 1
