"""stranded: every free amount is accounted for, to the cause that a plain twin finds."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim.errors import ModelError
from capsim.placement import Placement
from capsim.placement.headroom import headroom
from capsim.placement.stranded import _rounded, stranded
from capsim.scenario import Template, Unit
from tests.placement.builders import (
    cluster,
    examples,
    node,
    nodes,
    place,
    pod,
    pods,
    taint,
    tolerates,
)


def shape(**asks) -> Template:
    return pod(**asks).template


def share(plan: Placement, resource: str, *, by: str | None = None, **shapes: Template) -> float:
    """Stranded share of what is offered, in all or by one cause."""
    why = stranded(plan, shapes or None).why
    rows = why[why["resource"] == resource]
    return float(rows[rows["blocked_by"] == by if by else slice(None)]["share_of_offered"].sum())


# --- by example ---


def test_gpus_are_stranded_behind_full_cpus():
    busy = pod("batch", cpu="4", on="n1")
    plan = place([node("n1", cpu="4", gpu_devices=4)], [busy])
    assert share(plan, "gpu", train=shape(cpu="1", gpu=(1, 1000))) == 1
    assert share(plan, "gpu", by="cpu", train=shape(cpu="1", gpu=(1, 1000))) == 1
    told = stranded(plan, {"train": shape(cpu="1", gpu=(1, 1000))}).headline()
    assert told == "100 % of GPUs are stranded: 100 % behind full CPUs."


def test_a_node_is_filled_before_what_is_left_counts():
    # CPU for one more unit: one board of four is used, three lie behind full CPUs.
    plan = place([node(cpu="1", gpu_devices=4)])
    train = {"train": shape(cpu="1", gpu=(1, 1000))}
    assert stranded(plan, train).headline() == ("75 % of GPUs are stranded: 75 % behind full CPUs.")


def test_gpus_are_stranded_in_fragments_of_boards():
    plan = place([node(gpu_devices=2)], pods(2, gpu=(1, 600)))
    half = {"half": shape(cpu="1m", gpu=(1, 500))}
    found = stranded(plan, half)
    assert found.headline() == "40 % of GPUs are stranded: 40 % in fragments of boards."
    why = found.why.set_index(["resource", "blocked_by"])
    assert why.loc[("gpu", "remainder"), "amount"] == pytest.approx(0.8)
    assert why.loc[("gpu", "remainder"), "unit"] == "GPUs"


def test_a_shape_for_which_everything_fits_strands_nothing():
    plan = place(nodes(2, cpu="4", memory="16Gi"))
    found = stranded(plan, {"even": shape(cpu="1", memory="4Gi")})
    assert found.why.empty
    assert found.headline("cpu") == "0 % of CPU cores are stranded."
    assert found.by_node["blocked_by"].tolist() == [""] * 4


def test_a_rule_that_closes_a_node_is_the_cause():
    plan = place([node("n1", taints=(taint("team"),)), node("n2")])
    assert share(plan, "cpu", by="node rules", web=shape(cpu="1")) == 0.5
    open_to_all = shape(cpu="1", tolerations=(tolerates("team"),))
    assert share(plan, "cpu", web=open_to_all) == 0
    assert "50 % on nodes that rules close" in stranded(plan, {"web": shape(cpu="1")}).headline()


def test_pod_slots_are_a_cause_but_not_a_row():
    plan = place([node(cpu="4", pods=1)])
    found = stranded(plan, {"web": shape(cpu="1")})
    assert found.table["resource"].tolist() == ["cpu"]
    assert found.headline() == "75 % of CPU cores are stranded: 75 % behind full pod slots."


def test_the_scarcest_of_several_resources_is_the_cause():
    plan = place([node(cpu="4", memory="16Gi", gpu_devices=1)], [pod("a", cpu="3900m")])
    train = {"train": shape(cpu="1", memory="15Gi", gpu=(1, 1000))}
    assert stranded(plan, train).why.query("resource == 'gpu'")["blocked_by"].tolist() == ["cpu"]


def test_shapes_count_by_their_units():
    # 3 of 4 units ask for cpu that fits; the one that does not fit strands all cpu: a quarter.
    units = [*pods(3, "small", cpu="1"), pod("large", cpu="8")]
    plan = place([node(cpu="7")], units)
    assert stranded(plan).summary()["stranded_cpu_percent"] == pytest.approx(100 * 4 / 7 / 4)
    assert stranded(plan).by_shape.set_index("shape")["weight"].to_dict() == {
        "small-1": 0.75,
        "large": 0.25,
    }


def test_a_template_that_does_not_ask_for_a_resource_does_not_count_for_it():
    units = [pod("cpu-only", cpu="1"), pod("gpu", cpu="1", gpu=(1, 1000))]
    plan = place([node(cpu="4", gpu_devices=4)], units)
    assert set(stranded(plan).by_shape.query("resource == 'gpu'")["shape"]) == {"gpu"}


def test_machine_types_are_told_apart():
    machines = [node("big", cpu="3", memory="64Gi"), node("small", cpu="2", memory="2Gi")]
    plan = place(machines)
    table = stranded(plan, {"web": shape(cpu="1", memory="1Gi")}).by_machine
    assert table["machine"].tolist() == ["3 cores, 64 GiB"]
    assert table[["nodes", "resource", "blocked_by", "stranded"]].iloc[0].tolist() == [
        1,
        "memory",
        "cpu",
        61.0,
    ]


def test_an_overfull_node_has_nothing_to_strand():
    plan = place([node("n1", cpu="1")], pods(2, cpu="1", on="n1"))
    assert stranded(plan).summary()["stranded_cpu_percent"] == 0


def test_an_empty_cluster_and_no_units_say_so():
    assert stranded(place(nodes(1))).headline().startswith("Nothing is stranded")
    assert stranded(place([], pods(1, cpu="1"))).summary() == {"stranded_cpu_percent": 0}


def test_a_resource_that_nothing_requests_is_refused():
    with pytest.raises(ModelError, match="did you mean 'memory'"):
        stranded(place(nodes(1), pods(1, memory="1Gi", cpu="1"))).headline("memroy")


def test_the_assumption_and_the_html_are_there():
    found = stranded(place(nodes(1), pods(1, cpu="3")))
    assert any("Weng" in each.source for each in found.assumptions)
    assert "stranded" in found._repr_html_()


# --- in general ---


@st.composite
def plans(draw):
    gpu = st.sampled_from([None, (1, 300), (1, 700), (2, 1000)])
    machines = [
        node(
            f"n{i}",
            cpu=str(draw(st.integers(1, 8))),
            memory=f"{draw(st.integers(1, 16))}Gi",
            pods=draw(st.integers(1, 12)),
            gpu_devices=draw(st.integers(0, 4)),
            taints=draw(st.sampled_from([(), (), (taint("team"),)])),
        )
        for i in range(draw(st.integers(1, 4)))
    ]
    templates = [
        shape(
            cpu=f"{draw(st.integers(1, 8)) * 250}m",
            memory=f"{draw(st.integers(0, 6))}Gi",
            gpu=draw(gpu),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]
    of = draw(st.lists(st.integers(0, len(templates) - 1), min_size=1, max_size=12))
    return cs.place(
        cluster(machines).replace(
            templates={f"t{i}": each for i, each in enumerate(templates)},
            units=tuple(Unit(name=f"u{i}", template=f"t{t}") for i, t in enumerate(of)),
        )
    )


def board_count(boards, devices, milli):
    left, count = [b for b in boards if b >= 0], 0
    while sum(b >= milli for b in left) >= devices:
        for _, i in sorted((b, i) for i, b in enumerate(left) if b >= milli)[:devices]:
            left[i] -= milli
        count += 1
    return count


def slow_stranded(plan: Placement, template: int, limits: np.ndarray) -> dict:
    """Amount by (resource, cause) for one template, node by node."""
    topology = plan.topology
    request, (devices, milli) = topology.request[template], topology.gpu_share[template].tolist()
    amounts: dict = defaultdict(float)
    for n, free in enumerate(plan.free.tolist()):
        alone = {}
        for r, asked in enumerate(request.tolist()):
            if asked:
                alone[r] = free[r] // asked
                if devices and "gpu-milli" in topology.resources[r]:
                    alone[r] = board_count(plan.gpu_free[n].tolist(), devices, milli)
        fits = min([int(limits[n]), *alone.values()])
        out = [r for r, count in alone.items() if count == fits]
        cause = "node rules"
        if fits != limits[n]:
            first = min(out, key=lambda r: (min(free[r] / request[r], fits + 1), r))
            cause = topology.resources[first]
        for r, count in alone.items():
            amounts[r, cause] += (count - fits) * int(request[r])
            amounts[r, "remainder"] += free[r] - count * int(request[r])
    return {key: amount for key, amount in amounts.items() if amount}


@examples(150)
@given(plans())
def test_what_is_stranded_equals_the_plain_twin(plan):
    found = stranded(plan)
    causes = [*plan.topology.resources, "node rules", "remainder"]
    for s, name in enumerate(found.shapes.names):
        template = plan.topology.template_keys.index(name)
        expected = slow_stranded(plan, template, found.shapes.limit[s])
        table = found.by_shape_and_cause[s]
        nonzero = {(int(r), causes[q]): table[r, q] for r, q in zip(*table.nonzero(), strict=True)}
        assert nonzero == expected


@examples(100)
@given(plans())
def test_what_a_shape_strands_and_what_its_headroom_takes_is_all_that_is_free(plan):
    found = stranded(plan)
    templates = dict(zip(found.shapes.names, found.shapes.templates, strict=True))
    fits = headroom(plan, templates).fits.sum(axis=1)
    free = plan.free.sum(axis=0)
    for s in range(len(found.shapes.names)):
        asked = found.shapes.request[s] > 0
        taken = fits[s] * found.shapes.request[s]
        left = found.by_shape_and_cause[s].sum(axis=1)
        assert (taken + left)[asked].tolist() == free[asked].tolist()


@examples(60)
@given(plans())
def test_views_agree_and_shares_stay_between_nothing_and_all_that_is_free(plan):
    found = stranded(plan)
    table = found.table.set_index("resource")
    assert (table["stranded"] <= table["free"] * (1 + 1e-9)).all()
    by_cause = found.why.groupby("resource")["amount"].sum()
    by_machine = found.by_machine.groupby("resource")["stranded"].sum()
    by_node = found.by_node.groupby("resource")["stranded"].sum()
    for resource, amount in table["stranded"].items():
        for view in (by_cause, by_machine, by_node):
            assert view.get(resource, 0.0) == pytest.approx(amount)


@examples(40)
@given(plans(), st.randoms(use_true_random=False))
def test_the_order_of_nodes_does_not_matter(plan, random):
    scenario = plan.placed_topology.scenario
    machines = list(scenario.nodes)
    random.shuffle(machines)
    other = stranded(cs.place(scenario.replace(nodes=tuple(machines))))
    mine = stranded(cs.place(scenario))
    assert mine.summary() == pytest.approx(other.summary())


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=5))
def test_the_parts_of_the_headline_add_up_to_its_total(shares):
    total, parts = _rounded(np.array(shares))
    told = [float(each.removesuffix(" %")) for each in parts.values()]
    assert sum(told) == pytest.approx(float(total.removesuffix(" %")))
    assert float(total.removesuffix(" %")) == pytest.approx(100 * sum(shares), abs=0.51)


def test_small_shares_are_told_in_tenths():
    assert _rounded(np.array([0.0642, 0.0136, 0.0002])) == ("7.8 %", {0: "6.4 %", 1: "1.4 %"})
    assert _rounded(np.array([0.056, 0.046, 0.007])) == ("11 %", {0: "6 %", 1: "4 %", 2: "1 %"})
