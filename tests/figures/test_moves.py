"""What becomes of units from one plan to another."""

from __future__ import annotations

import capsim as cs
from capsim import figures
from capsim.figures.moves import move_rows
from capsim.placement.comparison import CHANGES
from tests.placement.builders import ZONE, cluster, node, pod, pods


def labels(figure) -> list[str]:
    return [note.text for note in figure.layout.annotations if note.name == "label"]


def two_zones() -> cs.Topology:
    machines = [node("n1", labels={ZONE: "a"}), node("n2", labels={ZONE: "b"}, memory="8Gi")]
    running = [pod("big", on="n1", cpu="3"), *pods(3, on="n2", cpu="1"), pod("waits", cpu="4")]
    return cs.compile_scenario(cluster(machines, running))


def test_the_title_counts_who_loses_a_place_and_who_moves():
    topology = two_zones()
    today = cs.place(topology)
    lost = cs.compare(today, cs.place(cs.drain(topology, ["n2"])))
    figure = figures.moves(lost)
    assert figure.layout.meta["title"] == "2 more pods wait and 1 moves"
    assert "2 stay as they are" in figure.layout.meta["subtitle"]
    assert labels(figure) == ["1 moved, 2 newly pending"]


def test_units_are_told_by_the_zone_where_they_stood_and_waiting_and_new_ones_apart():
    topology = two_zones()
    wider = cs.add_machines(cs.grow(topology, 0.34), topology.scenario.nodes[0], 1)
    names, counts = move_rows(
        cs.compare(cs.place(topology), cs.place(cs.drain(wider, ["n1", "n2"])))
    )
    assert set(names) <= {"zone a", "zone b", "pods that waited", "new pods"}
    assert "new pods" in names
    assert counts.shape == (len(names), len(CHANGES))
    assert (counts.sum(axis=1) > 0).all()


def test_units_that_are_gone_are_counted_where_they_were():
    topology = cs.compile_scenario(
        cluster(
            [node("n1", labels={ZONE: "a"}), node("n2", labels={ZONE: "b"})],
            [pod("agent", on="n1", pinned="n1")],
        )
    )
    gone = cs.compare(cs.place(topology), cs.place(cs.remove_zone(topology, "a")))
    assert move_rows(gone)[0] == ["zone a"]
    assert figures.moves(gone).layout.meta["title"] == "1 is gone; no pod loses its place"


def test_where_nothing_changes_the_figure_says_so():
    today = cs.place(two_zones())
    figure = figures.moves(cs.compare(today, today))
    assert figure.layout.meta["title"] == "No pod moves or waits that did not before"


def test_names_out_of_files_are_harmless():
    machines = [node("n1", labels={ZONE: "<b>$x$"}), node("n2", labels={ZONE: "b"})]
    topology = cs.compile_scenario(cluster(machines, [pod(on="n1")]))
    moved = cs.compare(cs.place(topology), cs.place(cs.drain(topology, ["n1"])))
    assert "zone &lt;b&gt;&#36;x&#36;" in figures.moves(moved).layout.yaxis.ticktext
