"""The figure of nodes before and after defragmentation."""

from __future__ import annotations

import capsim as cs
from capsim.placement.defragmentation import defragment
from capsim.scenario import Scenario
from tests.figures.builders import HOSTILE, node, template, units


def fragmented(waiting: int = 0, **more: object) -> Scenario:
    running = [
        each.model_copy(update={"node": f"n{number}", "owner": "ReplicaSet/web"})
        for number, each in enumerate(units("web", 3))
    ]
    return Scenario(
        nodes=tuple(node(f"n{number}") for number in range(3)),
        templates={"web": template("1"), "big": template("4")},
        units=(*running, *units("big", waiting)),
        **more,
    )


def title(figure: object) -> str:
    return figure.layout.meta["title"]


def test_the_title_counts_evictions_and_the_nodes_that_they_empty() -> None:
    result = defragment(fragmented(), strategy="FewestEvictions:nodes")
    assert title(cs.figures.defragmentation(result)) == "2 evictions leave 2 more nodes empty"


def test_the_title_counts_the_waiting_units_that_run_then() -> None:
    result = defragment(fragmented(waiting=1), strategy="FewestEvictions:waiting")
    assert title(cs.figures.defragmentation(result)) == "1 eviction lets 1 waiting pod run"


def test_evictions_that_free_nothing_say_so() -> None:
    scenario = fragmented()
    busy = scenario.units[0].model_copy(update={"name": "busy", "node": "n1"})
    result = defragment(
        scenario.replace(units=(*scenario.units, busy)),
        strategy=cs.placement.defragmentation.HighNodeUtilization(thresholds={"cpu": 25}),
    )
    assert title(cs.figures.defragmentation(result)) == (
        "2 evictions free no node and let no waiting pod run"
    )


def test_without_evictions_the_strategy_is_named() -> None:
    result = defragment(fragmented(), strategy="RemoveDuplicates")
    assert title(cs.figures.defragmentation(result)) == "RemoveDuplicates finds nothing to evict"


def test_both_lines_fall_from_the_fullest_node_to_the_emptiest() -> None:
    figure = cs.figures.defragmentation(defragment(fragmented(), strategy="FewestEvictions:nodes"))
    before, after = figure.data
    assert list(before.y) == [25, 25, 25, 25]
    assert list(after.y) == [75, 0, 0, 0]
    labels = [each.text for each in figure.layout.annotations if each.name == "label"]
    assert labels == ["<b>before</b><br>0 nodes at 0 %", "<b>after</b><br>2 nodes at 0 %"]


def test_one_resource_can_be_chosen() -> None:
    result = defragment(fragmented(), strategy="FewestEvictions:nodes")
    figure = cs.figures.defragmentation(result, resource="memory")
    assert figure.layout.yaxis.title.text == "Memory requested (%)"
    assert max(figure.data[1].y) == 18.75


def test_an_empty_cluster_has_nothing_to_show() -> None:
    figure = cs.figures.defragmentation(defragment(Scenario()))
    assert title(figure) == "Nothing to defragment"


def test_names_out_of_files_are_harmless() -> None:
    figure = cs.figures.defragmentation(defragment(fragmented(name=HOSTILE)))
    assert "<script" not in str(figure.to_dict())
