"""Classes of nodes and templates: what no rule can tell apart is asked about once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.placement.kubernetes.profiles import Profiles
from capsim.placement.kubernetes.static import allowed, static_tables
from capsim.scenario import NodeImage, SchedulerProfile
from tests.placement.builders import (
    HOSTNAME,
    avoided,
    cluster,
    examples,
    likes,
    node,
    nodes,
    nodes_of,
    on_nodes_with,
    place,
    pod,
    scores,
    taint,
    tolerates,
)


def tables(machines, units, profile=None):
    topology = cs.compile_scenario(cluster(machines, units))
    rows = range(len(topology.template_keys))
    return static_tables(topology, rows, Profiles([profile or SchedulerProfile()]))


def classes(machines, units, profile=None) -> list[int]:
    return tables(machines, units, profile).node_class.tolist()


def test_nodes_that_nobody_tells_apart_are_one_class():
    machines = [
        node("a", cpu="1", labels={HOSTNAME: "a"}),
        node("b", cpu="2", labels={HOSTNAME: "b"}),
    ]
    assert classes(machines, [pod()]) == [0, 0]


def test_labels_that_are_asked_for_make_classes():
    machines = [
        node(f"n{i}", labels={"disk": disk}) for i, disk in enumerate(["ssd", "hdd", "ssd"])
    ]
    assert classes(machines, [pod(node_selector={"disk": "ssd"})]) == [0, 1, 0]
    assert classes(machines, [pod(affinity=likes(disk=1))]) == [0, 1, 0]
    assert classes(machines, [pod(node_selector={"other": "x"})]) == [0, 0, 0]


def test_labels_that_the_profile_asks_for_make_classes():
    profile = SchedulerProfile(added_affinity=on_nodes_with(disk="ssd").node_affinity)
    assert classes([node("a", labels={"disk": "ssd"}), node("b")], [pod()], profile) == [0, 1]


def test_taints_cordons_names_and_images_make_classes():
    image = NodeImage(names=("web:1",), size_bytes=10**9)
    machines = [
        node("a"),
        node("b", taints=(taint("k"),)),
        node("c", unschedulable=True),
        node("d", images=(image,)),
        node("e"),
        node("f"),
    ]
    assert classes(machines, [pod(image="web:1"), pod("fixed", node_name="e")]) == [
        0,
        1,
        2,
        3,
        4,
        0,
    ]


def test_images_that_nobody_uses_make_no_classes():
    other = NodeImage(names=("other:1",), size_bytes=10**9)
    assert classes([node("a", images=(other,)), node("b")], [pod(image="web:1")]) == [0, 0]


def test_raw_scores_vary_only_where_passing_nodes_differ():
    bad = node("bad", taints=(*avoided(1), taint("k")))
    varies = tables(
        [node("good"), bad], [pod(), pod("tolerant", tolerations=(tolerates("k"),))]
    ).varies
    assert varies.tolist() == [False, True]


def test_without_templates_there_is_nothing_to_ask():
    found = static_tables(
        cs.compile_scenario(cluster(nodes(2))), [], Profiles([SchedulerProfile()])
    )
    assert found.refusal.shape == (0, 1)
    assert found.varies.tolist() == []


def test_without_nodes_there_is_nobody_to_ask():
    assert tables([], [pod(), pod("b", cpu="1")]).refusal.shape == (2, 0)


def test_what_is_allowed_is_told_for_every_template_and_node():
    machines = [node("a", labels={"disk": "ssd"}), node("b"), node("c", unschedulable=True)]
    topology = cs.compile_scenario(cluster(machines))
    asking = [
        pod().template,
        pod(node_selector={"disk": "ssd"}).template,
        pod(tolerations=(tolerates(),)).template,
        pod(node_name="b").template,
    ]
    assert allowed(topology, asking).tolist() == [
        [True, True, False],
        [True, False, False],
        [True, True, True],
        [False, True, False],
    ]
    assert allowed(topology, []).shape == (0, 3)


def test_what_is_allowed_follows_the_filters_of_the_profile():
    topology = cs.compile_scenario(cluster([node(unschedulable=True)]))
    profile = SchedulerProfile(filters=("NodeResourcesFit",))
    assert allowed(topology, [pod().template]).tolist() == [[False]]
    assert allowed(topology, [pod().template], profile).tolist() == [[True]]


# Images -------------------------------------------------------------------------------------


def image(name: str, mebibytes: int) -> NodeImage:
    return NodeImage(names=(name,), size_bytes=mebibytes * 2**20)


def test_an_image_on_the_node_counts_by_its_size_and_by_how_many_nodes_have_it():
    machines = [node("a", images=(image("web:1", 1000),)), node("b")]
    plan = place(machines, [pod(image="web:1")])
    # 1000 MiB on one of two nodes counts 500 of 23 to 1000
    assert scores(plan, "web", "ImageLocality") == {"a": 100 * 477 // 977, "b": 0}


def test_an_image_without_a_tag_means_the_latest():
    machines = [node("a"), node("b", images=(image("reg.example:5000/web:latest", 900),))]
    assert nodes_of(place(machines, [pod(image="reg.example:5000/web")])) == ["b"]


def test_small_images_do_not_count():
    plan = place([node("a"), node("b", images=(image("web:1", 40),))], [pod(image="web:1")])
    assert scores(plan, "web", "ImageLocality") == {"a": 0, "b": 0}


# Classes change nothing ---------------------------------------------------------------------

LABELS = st.dictionaries(st.sampled_from(["disk", "arch"]), st.sampled_from(["x", "y"]))
TAINTS = st.lists(
    st.builds(
        taint,
        st.sampled_from(["k", "l"]),
        effect=st.sampled_from(["NoSchedule", "PreferNoSchedule"]),
    ),
    max_size=2,
).map(tuple)
MACHINES = st.lists(
    st.builds(
        dict,
        labels=LABELS,
        taints=TAINTS,
        unschedulable=st.booleans(),
        images=st.sampled_from([(), (image("web:1", 700),)]),
    ),
    min_size=1,
    max_size=8,
)
ASKED = st.lists(
    st.builds(
        dict,
        node_selector=st.dictionaries(st.just("disk"), st.sampled_from(["x", "y"])),
        affinity=st.sampled_from([likes(arch=1), likes(disk=1, arch=2), on_nodes_with(arch="x")]),
        tolerations=st.sampled_from([(), (tolerates("k"),), (tolerates(),)]),
        image=st.sampled_from(["", "web:1"]),
    ),
    min_size=1,
    max_size=4,
)


@given(MACHINES, ASKED)
@examples(60)
def test_every_node_answers_for_itself_as_it_does_within_its_class(machines, asked):
    """Asked alone, a node is a class of its own; images need the whole cluster for their spread."""
    listed = [node(f"n{i}", **machine) for i, machine in enumerate(machines)]
    units = [pod(f"p{i}", **unit) for i, unit in enumerate(asked)]
    together = tables(listed, units)
    for row, machine in enumerate(listed):
        alone, k = tables([machine], units), together.node_class[row]
        assert np.array_equal(alone.refusal[:, 0], together.refusal[:, k])
        assert np.array_equal(alone.taint_raw[:, 0], together.taint_raw[:, k])
        assert np.array_equal(alone.affinity_raw[:, 0], together.affinity_raw[:, k])
        assert [said[0] for said in alone.reason] == [said[k] for said in together.reason]
