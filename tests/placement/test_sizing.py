"""size_cluster: machines for units that came without any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import capsim as cs
from capsim import catalogue
from capsim.errors import ModelError
from capsim.placement.sizing import size_cluster
from capsim.scenario import Scenario, TopologySpreadConstraint
from tests.placement.builders import cluster, examples, node, pod, pods


def sized(*units, machine: str | None = None) -> Scenario:
    return size_cluster(cluster([], units), machine=machine)


def types(scenario: Scenario) -> set[str]:
    return {each.shape for each in scenario.nodes}


def test_a_small_deployment_gets_one_small_machine_and_one_remark():
    result = sized(*pods(3))
    assert [each.name for each in result.nodes] == ["c7i.large-1"]
    assert result.remarks == (
        "No machines were given, so the plan takes 1 c7i.large (2 vCPU, 4 GiB; AWS us-east-1, "
        "the cheapest of 27 types), 0.09 USD per hour on demand.",
    )
    assert len(cs.place(result).waiting) == 0


def test_nodes_are_named_labelled_and_spread_over_three_zones():
    result = sized(*pods(8, cpu="1500m"), machine="m7i.large")
    assert [each.name for each in result.nodes] == [f"m7i.large-{i}" for i in range(1, 9)]
    assert [each.zone for each in result.nodes[:4]] == [
        "us-east-1a",
        "us-east-1b",
        "us-east-1c",
        "us-east-1a",
    ]
    labels = result.nodes[0].labels
    assert labels["kubernetes.io/hostname"] == "m7i.large-1"
    assert labels["node.kubernetes.io/instance-type"] == "m7i.large"
    assert labels["kubernetes.io/arch"] == "amd64"


@pytest.mark.parametrize(
    ("machine", "name", "zone"),
    [
        ("Standard_D4s_v3", "standard-d4s-v3-1", "eastus-1"),
        ("n2-standard-4", "n2-standard-4-1", "us-central1-a"),
    ],
)
def test_machines_of_other_clouds_can_be_named(machine, name, zone):
    result = sized(*pods(3, cpu="1"), machine=machine)
    assert (result.nodes[0].name, result.nodes[0].zone) == (name, zone)


def test_no_cheaper_type_of_the_shortlist_would_do():
    units = [*pods(30, "web", cpu="500m", memory="1Gi"), *pods(5, "db", cpu="2", memory="14Gi")]
    chosen = sized(*units)
    price = {row["instance_type"]: row for _, row in catalogue.machines("aws").iterrows()}

    def cost(scenario: Scenario) -> float:
        return sum(price[each.shape]["linux_usd_per_hour"] for each in scenario.nodes)

    for other in ("c7i.2xlarge", "m7i.large", "m7i.xlarge", "m7i.4xlarge", "r7i.xlarge"):
        try:
            rival = sized(*units, machine=other)
        except ModelError:
            continue
        assert cost(chosen) <= cost(rival) * (1 + 1e-9)


def test_the_reserve_is_stated_and_taken_off():
    result = sized(*pods(3), machine="m7i.xlarge")
    assert result.nodes[0].allocatable["cpu"] == 3920
    assert result.nodes[0].capacity["cpu"] == 4000
    assert any("255 MiB + 11 MiB x max pods" in each.value for each in result.assumptions)
    assert all(each.source for each in result.assumptions)


def test_a_unit_that_fits_no_machine_is_named():
    with pytest.raises(
        ModelError, match="unit default/huge fits none of 27 machine types: it needs"
    ):
        sized(pod("huge", cpu="300"))
    with pytest.raises(
        ModelError, match="unit default/big fits no such machine: it needs 4 cores of cpu"
    ):
        sized(pod("big", cpu="4"), machine="m7i.xlarge")
    with pytest.raises(ModelError, match=r"1 of example\.com/fpga"):
        sized(pod("fpga", asks={"example.com/fpga": 1}))


def test_an_unknown_machine_and_a_cluster_with_nodes_are_refused():
    with pytest.raises(ModelError, match=r"did you mean 'm7i\.large'"):
        sized(*pods(1), machine="m7i.larg")
    with pytest.raises(ModelError, match="has 1 nodes already"):
        size_cluster(cluster([node()], pods(1)))


def test_gpus_get_machines_of_their_own():
    result = sized(*pods(4, "web", cpu="1"), pod("train", cpu="2", asks={"nvidia.com/gpu": 1}))
    assert types(result) == {"m7i.xlarge", "g6.xlarge"} or len(types(result)) == 2
    plan = cs.place(result)
    assert len(plan.waiting) == 0
    gpu = [each for each in result.nodes if each.allocatable.get("nvidia.com/gpu")]
    assert len(gpu) == 1


def test_shared_gpus_get_boards():
    result = sized(*pods(4, cpu="500m", gpu=(1, 500)))
    assert sum(each.gpu_devices for each in result.nodes) >= 2
    assert all("nvidia.com/gpu" not in each.allocatable for each in result.nodes)
    assert len(cs.place(result).waiting) == 0


def test_arm_is_chosen_where_all_selectors_ask_for_it():
    result = sized(*pods(3, cpu="1", node_selector={"kubernetes.io/arch": "arm64"}))
    assert next(iter(types(result))).split(".")[0] in {"c7g", "m7g", "r7g"}
    assert len(cs.place(result).waiting) == 0


def test_labels_that_units_select_are_given_to_the_machines():
    result = sized(*pods(3, node_selector={"disk": "ssd"}))
    assert result.nodes[0].labels["disk"] == "ssd"
    assert len(cs.place(result).waiting) == 0


def test_labels_that_contradict_each_other_are_not_invented():
    units = [pod("a", node_selector={"pool": "x"}), pod("b", node_selector={"pool": "y"})]
    result = sized(*units)
    assert "pool" not in result.nodes[0].labels
    assert len(cs.place(result).waiting) == 2


def test_local_disk_never_decides():
    result = sized(*pods(3, asks={"ephemeral-storage": "50Gi"}))
    assert result.nodes[0].allocatable["ephemeral-storage"] == 2 * 150 * 2**30
    assert len(cs.place(result).waiting) == 0


def test_rules_that_do_not_count_are_mentioned_only_where_they_are():
    spread = TopologySpreadConstraint(
        max_skew=1, topology_key="zone", when_unsatisfiable="ScheduleAnyway"
    )
    result = sized(pod("a", host_ports=[80], topology_spread_constraints=(spread,)))
    assert "host ports and topology spread did not count in their number" in result.remarks[-1]


def test_no_units_still_get_one_machine():
    assert len(size_cluster(Scenario()).nodes) == 1


def test_more_machines_are_added_where_the_scheduler_leaves_units_waiting():
    # First-fit decreasing fills machines to the brim, the scheduler spreads small units first.
    units = [*pods(12, "small", cpu="300m"), *pods(4, "large", cpu="1500m")]
    result = sized(*units, machine="m7i.large")
    assert len(cs.place(result).waiting) == 0


sizes = st.tuples(st.integers(1, 40), st.integers(1, 60), st.integers(1, 12))


@examples(25)
@given(st.lists(sizes, min_size=1, max_size=4))
def test_whatever_fits_a_machine_is_placed_on_a_sized_cluster(groups):
    units = [
        each
        for i, (cpu, memory, count) in enumerate(groups)
        for each in pods(count, f"w{i}", cpu=f"{cpu * 100}m", memory=f"{memory * 100}Mi")
    ]
    result = sized(*units)
    assert len(result.nodes) >= 1
    assert len(cs.place(result).waiting) == 0
    assert np.all([each.zone for each in result.nodes])
