"""Nodes in zones or shapes."""

from __future__ import annotations

from capsim.figures.groups import group_by_shape, group_nodes, shape_of
from capsim.scenario import INSTANCE_TYPE_LABEL, Node, Scenario
from tests.figures.builders import node


def names(nodes, **options) -> list[tuple[str, list[int]]]:
    scenario = Scenario(nodes=tuple(nodes))
    return [(g.name, g.rows.tolist()) for g in group_nodes(scenario, **options)]


def test_nodes_stand_by_zone_where_there_are_several_in_the_order_of_their_names():
    nodes = [node("a", zone="z2"), node("b", zone="z1"), node("c", zone="z2"), node("d")]
    assert names(nodes) == [("no zone", [3]), ("zone z1", [1]), ("zone z2", [0, 2])]


def test_nodes_of_one_zone_stand_by_shape_the_commonest_first():
    nodes = [node("a", zone="z"), node("b", cpu="8"), node("c", cpu="8")]
    assert names(nodes) == [("8 cores, 16 GiB", [1, 2]), ("4 cores, 16 GiB", [0])]


def test_beyond_the_most_groups_the_smallest_are_one():
    nodes = [node(f"n{i}", cpu=str(1 + i // 2)) for i in range(9)]
    grouped = names(nodes, most=3)
    assert [name for name, _ in grouped][-1] == "3 other shapes"
    assert sorted(row for _, rows in grouped for row in rows) == list(range(9))


def test_a_shape_names_the_gpu_model_where_a_label_tells_it():
    labels = {"alibabacloud.com/gpu-card-model": "T4"}
    machine = node("a", gpus=2).model_copy(update={"labels": labels})
    assert shape_of(machine) == "4 cores, 16 GiB, 2 T4 GPUs"
    typed = Node(name="b", labels={INSTANCE_TYPE_LABEL: "m5.large"}, allocatable={})
    assert shape_of(typed) == "m5.large"


def test_shapes_ignore_zones():
    scenario = Scenario(nodes=(node("a", zone="z1"), node("b", zone="z2")))
    assert [g.rows.tolist() for g in group_by_shape(scenario)] == [[0, 1]]
