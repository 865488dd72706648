"""headroom: how many more fit, against what placing them really does and a plain twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.errors import ModelError
from capsim.placement import Placement, _kernels
from capsim.placement.headroom import headroom, headroom_curve, headroom_together
from capsim.scenario import Template, Unit
from tests.placement.builders import (
    avoided,
    cluster,
    examples,
    node,
    nodes,
    on_nodes_with,
    place,
    pod,
    pods,
    taint,
    tolerates,
)


def shape(**asks) -> Template:
    return pod(**asks).template


def fits(plan: Placement, template: Template) -> int:
    return int(headroom(plan, {"it": template}).table["fits"].iloc[0])


def limited_by(plan: Placement, template: Template) -> str:
    return str(headroom(plan, {"it": template}).table["limiting_resource"].iloc[0])


# --- against the scheduler itself ---


@st.composite
def shapes(draw):
    """Templates that ask for resources, boards, ports, labels and tolerations."""
    gpu = draw(st.sampled_from([None, (1, 300), (1, 700), (2, 300), (2, 500), (3, 1000)]))
    return shape(
        cpu=f"{draw(st.integers(1, 8)) * 250}m",
        memory=f"{draw(st.integers(0, 6))}Gi",
        gpu=gpu,
        host_ports=draw(st.sampled_from([(), (), (80,)])),
        node_selector=draw(st.sampled_from([{}, {}, {"disk": "ssd"}])),
        tolerations=draw(st.sampled_from([(), (tolerates("dedicated"),)])),
    )


@st.composite
def scenarios(draw):
    machines = [
        node(
            f"n{i}",
            cpu=str(draw(st.integers(1, 8))),
            memory=f"{draw(st.integers(1, 16))}Gi",
            pods=draw(st.integers(1, 12)),
            gpu_devices=draw(st.integers(0, 4)),
            labels=draw(st.sampled_from([{}, {"disk": "ssd"}])),
            taints=draw(st.sampled_from([(), (taint("dedicated"),), avoided(1)])),
            unschedulable=draw(st.sampled_from([False, False, True])),
        )
        for i in range(draw(st.integers(1, 4)))
    ]
    templates = draw(st.lists(shapes(), min_size=1, max_size=3))
    units = draw(st.lists(st.integers(0, len(templates) - 1), max_size=10))
    waiting = cluster(machines)
    return waiting.replace(
        templates={f"t{i}": each for i, each in enumerate(templates)},
        units=tuple(Unit(name=f"u{i}", template=f"t{t}") for i, t in enumerate(units)),
    )


@examples(80)
@given(scenarios(), shapes())
def test_headroom_is_the_number_that_the_scheduler_would_place(scenario, wanted):
    plan = cs.place(scenario)
    counted = fits(plan, wanted)
    more = tuple(Unit(name=f"more-{i}", template="more") for i in range(counted + 3))
    larger = scenario.replace(
        templates={**scenario.templates, "more": wanted}, units=(*scenario.units, *more)
    )
    after = cs.place(larger)
    assert (after.node_of[len(scenario.units) :] >= 0).sum() == counted


# --- the kernel against its plain twin ---


def slow_fit_count(free, boards, limit, request, devices, milli):
    """One more unit at a time, until something says no."""
    free, boards, count = list(free), list(boards), 0
    while count < limit and all(f >= r for f, r in zip(free, request, strict=True) if r):
        fitting = sorted((b, i) for i, b in enumerate(boards) if b >= milli)
        if devices and len(fitting) < devices:
            break
        for _, board in fitting[:devices]:
            boards[board] -= milli
        free = [f - r for f, r in zip(free, request, strict=True)]
        count += 1
    return count


@examples(200)
@given(st.data())
def test_fit_counts_equal_their_plain_twin(data):
    count, most_boards = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    amounts = st.lists(st.integers(0, 30), min_size=2, max_size=2)
    boards = st.lists(st.integers(-1, 1000), min_size=most_boards, max_size=most_boards)
    free = np.array([[*data.draw(amounts), 0] for _ in range(count)], np.int64)
    left = np.array([data.draw(boards) for _ in range(count)], np.int64)
    free[:, 2] = np.maximum(left, 0).sum(axis=1)
    devices, milli = data.draw(st.integers(0, 3)), data.draw(st.sampled_from([1000, 600, 300, 90]))
    cpu, memory = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 9))
    request = np.array([[cpu, memory, devices * milli]], np.int64)
    limit = np.array([[data.draw(st.sampled_from([0, 1, _kernels.UNLIMITED])) for _ in free]])
    out, blocked = np.zeros((1, count), np.int64), np.zeros((1, count), np.int8)
    milli = milli if devices else 0
    gpu = (np.array([devices]), np.array([milli]), 2)
    _kernels.fit_counts(free, left, limit, request, *gpu, out, blocked)
    expected = [
        slow_fit_count(free[n], left[n], limit[0, n], request[0], devices, milli)
        for n in range(count)
    ]
    assert out[0].tolist() == expected
    assert (blocked[0] >= 0).all()


@given(st.integers(0, 2**53), st.integers(1, 2**53))
def test_the_quotient_of_floats_is_exact(have, asked):
    assert _kernels._times.py_func(have, asked) == have // asked


@pytest.mark.parametrize("asked", [1, 3, 7, 1000, 2**20 + 1])
def test_the_quotient_is_exact_just_below_a_multiple(asked):
    for times in (1, 2, 3, 2**53 // asked):
        have = times * asked
        if have - 1 <= 2**53:
            assert _kernels._times.py_func(have - 1, asked) == times - 1


# --- what limits ---


def test_an_empty_cluster_takes_what_its_resources_hold():
    plan = place(nodes(2, cpu="4", memory="16Gi"))
    assert fits(plan, shape(cpu="1", memory="1Gi")) == 8
    assert limited_by(plan, shape(cpu="1", memory="1Gi")) == "cpu"
    assert limited_by(plan, shape(cpu="1", memory="8Gi")) == "memory"


def test_what_runs_takes_room():
    plan = place(nodes(2), pods(3, cpu="2"))
    assert fits(plan, shape(cpu="2")) == 1


def test_pod_slots_limit():
    plan = place([node(pods=3)], pods(2, cpu="1m"))
    assert fits(plan, shape(cpu="1m")) == 1
    assert limited_by(plan, shape(cpu="1m")) == "pods"


def test_boards_limit_by_the_largest_fragment():
    plan = place([node(gpu_devices=2)], [pod("a", gpu=(1, 600)), pod("b", gpu=(1, 600))])
    assert fits(plan, shape(gpu=(1, 400))) == 2
    assert fits(plan, shape(gpu=(1, 500))) == 0
    assert limited_by(plan, shape(gpu=(1, 500))) == "gpu"


def test_a_taint_a_selector_and_a_cordon_close_nodes():
    machines = [
        node("tainted", taints=(taint("team"),)),
        node("ssd", labels={"disk": "ssd"}),
        node("cordoned", unschedulable=True),
    ]
    plan = place(machines)
    assert fits(plan, shape(cpu="4")) == 1
    assert limited_by(plan, shape(cpu="4")) == "node rules"
    assert fits(plan, shape(cpu="4", tolerations=(tolerates("team"),))) == 2
    assert fits(plan, shape(cpu="4", affinity=on_nodes_with(disk="ssd"))) == 1


def test_a_host_port_is_held_once_a_node():
    plan = place(nodes(3), [pod("proxy", host_ports=[80])])
    assert fits(plan, shape(host_ports=[80])) == 2
    assert fits(plan, shape(host_ports=[81])) == 3


def test_a_resource_that_no_node_has_is_named():
    plan = place(nodes(2))
    table = headroom(plan, {"it": shape(asks={"example.com/fpga": 1})}).table
    assert table[["fits", "limiting_resource"]].iloc[0].tolist() == [0, "example.com/fpga"]


def test_the_most_frequent_templates_are_the_default_shapes():
    units = [*pods(3, "web", cpu="1"), pod("db", cpu="2")]
    counted = headroom(place(nodes(2, cpu="8"), units))
    assert counted.table["shape"].tolist() == ["web-1", "db"]
    assert counted.summary() == {"web-1_units": 11, "db_units": 5}
    assert "11 more web-1 fit; then cpu on 2 nodes" in counted.explain("web-1")
    with pytest.raises(ModelError, match="did you mean 'web-1'"):
        counted.explain("web-2")


def test_shapes_that_come_one_to_a_node_are_no_shapes_to_add():
    agents = [pod(f"agent-{n}", cpu="1", on=f"n{n}") for n in (1, 2)]
    for agent in agents:
        agent.unit["owner"] = "DaemonSet/agent"
    plan = place(nodes(2), [*agents, pod("web", cpu="2")])
    assert headroom(plan).table["shape"].tolist() == ["web"]
    assert headroom(plan, {"agent": shape(cpu="1")}).table["shape"].tolist() == ["agent"]


def test_the_reserve_of_the_plan_is_kept_free():
    machines = nodes(1, cpu="4", memory="16Gi")
    plan = cs.place(cluster(machines), headroom=0.5)
    assert fits(plan, shape(cpu="1")) == 2
    assert any("headroom" in each.name for each in headroom(plan, {}).assumptions)


def test_no_shape_at_all_is_an_empty_table():
    assert headroom(place(nodes(1))).table.empty


# --- curves ---


@examples(30)
@given(scenarios(), shapes())
def test_a_larger_unit_and_a_larger_reserve_never_fit_more_often(scenario, wanted):
    plan = cs.place(scenario)
    by_size = headroom_curve(plan, wanted)["units"]
    by_reserve = headroom_curve(plan, wanted, over="reserve")["units"]
    assert by_size.is_monotonic_decreasing
    assert by_reserve.is_monotonic_decreasing
    assert by_reserve.iloc[0] == fits(plan, wanted)


def test_a_curve_says_what_the_units_request():
    plan = place([node(cpu="4", memory="16Gi")], [pod("web", cpu="500m", memory="1Gi")])
    curve = headroom_curve(plan, "web", at=[1, 2, 4])
    assert curve["size_multiple"].tolist() == [1, 2, 4]
    assert curve["units"].tolist() == [7, 3, 1]
    assert curve["cores"].tolist() == [3.5, 3.0, 2.0]
    assert curve["memory_gib"].tolist() == [7, 6, 4]
    reserve = headroom_curve(plan, "web", over="reserve", at=[0, 0.5])
    assert reserve["units"].tolist() == [7, 3]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shape": "wep"}, "did you mean 'web'"),
        ({"at": [0]}, "size multiple"),
        ({"over": "reserve", "at": [1]}, "reserve is out of range"),
    ],
)
def test_a_curve_out_of_range_is_refused(change, words):
    plan = place([node()], [pod("web", cpu="1")])
    with pytest.raises(ModelError, match=words):
        headroom_curve(plan, **{"shape": "web", **change})


# --- several shapes at once ---


def test_a_mix_is_filled_in_proportion():
    plan = place(nodes(1, cpu="8"), [])
    mix = headroom_together(
        plan, {"small": 2, "large": 1}, {"small": shape(cpu="1"), "large": shape(cpu="2")}
    )
    assert mix.table["units"].tolist() == [4, 2]
    assert mix.summary() == {"units": 6, "small_units": 4, "large_units": 2}
    assert mix.stopped_by == "small"


@examples(60)
@given(scenarios(), shapes(), shapes(), st.integers(1, 4))
def test_a_mix_keeps_its_proportion_and_fits_no_more_than_each_shape_alone(scenario, a, b, share):
    plan = cs.place(scenario)
    units = headroom_together(plan, {"a": share, "b": 1}, {"a": a, "b": b}).table["units"].tolist()
    assert units[0] <= fits(plan, a)
    assert units[1] <= fits(plan, b)
    total = sum(units)
    assert abs(units[0] - total * share / (share + 1)) <= 1


@examples(60)
@given(scenarios(), shapes())
def test_a_mix_of_one_shape_is_its_headroom(scenario, wanted):
    plan = cs.place(scenario)
    mix = headroom_together(plan, {"it": 1.0}, {"it": wanted})
    assert mix.table["units"].tolist() == [fits(plan, wanted)]


@pytest.mark.parametrize(
    ("mix", "words"),
    [({}, "is empty"), ({"web": 0}, "the share of web is 0"), ({"wep": 1}, "did you mean 'web'")],
)
def test_a_mix_that_makes_no_sense_is_refused(mix, words):
    plan = place([node()], [pod("web", cpu="1")])
    with pytest.raises(ModelError, match=words):
        headroom_together(plan, mix)


def test_counting_headroom_leaves_the_placement_as_it_is():
    plan = place(nodes(2, gpu_devices=2), pods(2, cpu="1", gpu=(1, 500)))
    free, boards = plan.free.copy(), plan.gpu_free.copy()
    headroom_together(plan, {"web-1": 1})
    assert (plan.free == free).all()
    assert (plan.gpu_free == boards).all()


def test_the_profile_that_placed_decides_which_rules_hold():
    scenario = cluster([node(taints=(taint("team"),))], pods(1, cpu="1"))
    lenient = scenario.profile.model_copy(
        update={"filters": tuple(f for f in scenario.profile.filters if f != "TaintToleration")}
    )
    assert headroom(cs.place(scenario)).table["fits"].tolist() == [0]
    assert headroom(cs.place(scenario, profile=lenient)).table["fits"].tolist() == [3]
