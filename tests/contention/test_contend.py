"""What units of a placement get: the cgroup tree of Kubernetes, and the answers in words."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import capsim as cs
from capsim.contention.cgroups import unit_cpu
from capsim.contention.contend import contend
from capsim.data_files import data_path
from capsim.errors import ModelError
from capsim.scenario import Container, Node, Scenario, Template, Unit


def template(request=None, limit=None, **more):
    memory = more.pop("memory", None)
    requests = {"cpu": request} if request else {}
    limits = {"cpu": limit} if limit else {}
    if memory:
        requests["memory"] = limits["memory"] = memory
    return Template(containers=(Container(requests=requests, limits=limits),), **more)


def placed(cpus="2", **templates):
    node = Node(name="n", allocatable={"cpu": cpus, "memory": "64Gi", "pods": 50})
    units = tuple(Unit(name=name, template=name, node="n") for name in templates)
    return cs.place(Scenario(nodes=(node,), templates=templates, units=units))


def shares(plan, demand, **options):
    table = contend(plan, demand, **options).table.set_index("unit")
    return table["share_cores"].rename(lambda key: key.split("/")[1]).to_dict()


@pytest.mark.parametrize(
    ("made", "qos"),
    [
        (template("1", "1", memory="1Gi"), "Guaranteed"),
        (template(None, "1", memory="1Gi"), "Guaranteed"),
        (template("1"), "Burstable"),
        (template("1", "1"), "Burstable"),
        (template(memory="1Gi"), "Burstable"),
        (template(), "BestEffort"),
        (Template(requests={"cpu": "1"}), "Burstable"),
    ],
)
def test_the_qos_class_follows_requests_and_limits(made, qos):
    assert unit_cpu(made).qos == qos


def test_everybody_gets_what_he_wants_while_there_is_room():
    plan = placed(a=template("500m"), b=template("1"))
    assert shares(plan, 0.9) == pytest.approx({"a": 0.9, "b": 0.9})


def test_a_full_node_is_divided_by_weight_level_by_level():
    plan = placed(a=template("250m"), b=template("750m"), rest=template())
    # shares 256 and 768 in burstable (1024), besteffort has 2; cgroup v1 divides by shares.
    got = shares(plan, 2.0, conversion="none")
    burstable = 2 * 1024 / 1026
    assert got == pytest.approx({"a": burstable / 4, "b": 3 * burstable / 4, "rest": 2 * 2 / 1026})


def test_the_newer_conversion_divides_by_its_weights():
    plan = placed(a=template("250m"), b=template("750m"))
    got = shares(plan, 2.0)
    assert got["b"] / got["a"] == pytest.approx(80 / 35, rel=0.01)


def test_a_limit_caps_and_throttles():
    plan = placed(a=template("100m", "500m"))
    result = contend(plan, 0.4, threads=4)
    (row,) = result.table.to_dict("records")
    assert row["limit_cores"] == pytest.approx(0.5)
    assert row["share_cores"] == pytest.approx(0.4)
    assert row["throttled_fraction"] > 0.2
    free = contend(placed(a=template("100m")), 0.4, threads=4).table["p99_s"][0]
    assert row["p99_s"] > 2 * free
    beyond = contend(plan, 0.6).table
    assert beyond["share_cores"][0] == pytest.approx(0.5)
    assert math.isinf(beyond["p99_s"][0])
    assert beyond["throttled_fraction"][0] == 1


def test_the_system_slice_takes_its_part():
    plan = placed(cpus="2", a=template("1"))
    assert shares(plan, 2.0, system_cores=2.0)["a"] < shares(plan, 2.0)["a"] == 2.0


def test_capacity_is_conserved_on_every_node_of_a_real_cluster():
    plan = cs.place(cs.read(data_path("clusters", "sample")))
    result = contend(plan, 1.5, service_s=0.05)
    cores = {node.name: node.allocatable["cpu"] / 1000 for node in plan.scenario.nodes}
    for row in result.nodes.itertuples():
        assert row.share_cores <= max(cores[row.node], 1e-9) * 1.2
    assert (result.share_cores <= result.demand_cores + 1e-9).all()
    assert (result.share_cores <= result.limit_cores + 1e-9).all()
    assert (result.reach_cores >= result.share_cores - 1e-6).all()
    assert result.summary()["units"] == len(result.table)
    assert {each.name for each in result.assumptions} >= {"CPU sharing", "requests", "neighbours"}


def test_demand_is_a_number_a_mapping_or_a_table():
    plan = placed(a=template("1"), b=template("1"))
    mapped = {"default/a": 0.2, "default/b": 0.4}
    table = pd.DataFrame({"unit": [*mapped], "demand_cores": [*mapped.values()]})
    assert shares(plan, mapped) == shares(plan, table) == pytest.approx({"a": 0.2, "b": 0.4})


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        (-1.0, "The demand of default/a is -1.0 cores, expected 0 or more."),
        (np.nan, "The demand of default/a is nan cores"),
        ({"default/b": 1.0}, "The demand names 'default/b', which is no unit"),
        ({}, "default/a has no demand (1 of 1 placed units have none)."),
        (pd.DataFrame({"unit": ["default/a"]}), "The demand has no column 'demand_cores'"),
    ],
)
def test_a_demand_that_cannot_be_is_answered_by_one_sentence(demand, words):
    with pytest.raises(ModelError) as error:
        contend(placed(a=template("1")), demand)
    assert str(error.value).startswith(words)
