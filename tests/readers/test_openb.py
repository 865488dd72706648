"""The openb tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from capsim.readers import read
from capsim.scenario import Scenario

BUNDLED = Path(__file__).parents[2] / "data" / "clusters" / "openb"
NODES = """sn,cpu_milli,memory_mib,gpu,model
n0,32000,262144,0,
n1,96000,393216,8,V100M16
"""
PODS = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,"
    "deletion_time,scheduled_time\n"
    "p1,6000,12288,1,460,,LS,Running,427061,12902960,427061\n"
    "p0,12000,16384,2,1000,V100M16|V100M32,BE,Failed,0,12537496,0\n"
    "p2,500,1024,0,0,,LS,Pending,500000,,\n"
)


@pytest.fixture(scope="module")
def openb() -> Scenario:
    return read(BUNDLED)


def test_the_bundled_cluster_is_read_whole(openb: Scenario) -> None:
    assert len(openb.nodes) == 1523
    assert len(openb.units) == 8152
    assert len(openb.templates) == 151
    assert sum(node.gpu_devices for node in openb.nodes) == 6212
    assert openb.name == "openb"


def test_pods_come_in_order_of_creation(openb: Scenario) -> None:
    created = [unit.created_s for unit in openb.units]
    assert created == sorted(created)
    assert all(unit.node is None for unit in openb.units)


def test_what_is_assumed_of_the_trace_is_stated(openb: Scenario) -> None:
    assert len(openb.remarks) == 1
    assert openb.remarks[0].startswith("All 8,152 pods of ")
    assert "whatever their phase" in openb.remarks[0]
    assert [assumption.value for assumption in openb.assumptions] == [
        "1000000",
        "all at once, in order of creation, whatever their phase",
    ]


def test_a_node_has_boards_to_share_and_a_model(reads: Any) -> None:
    nodes = reads(NODES, "nodes.csv").nodes
    assert [node.gpu_devices for node in nodes] == [0, 8]
    assert nodes[0].labels == {}
    assert nodes[1].labels == {"alibabacloud.com/gpu-card-model": "V100M16"}
    assert nodes[1].allocatable["cpu"] == 96_000
    assert nodes[1].allocatable["memory"] == 393216 * 2**20


def test_a_pod_asks_for_shares_of_boards_of_certain_models(reads: Any) -> None:
    scenario = reads(NODES, "nodes.csv", (PODS, "pods.csv"))
    assert [unit.key for unit in scenario.units] == ["openb/p0", "openb/p1", "openb/p2"]
    first, second, third = (scenario.templates[unit.template] for unit in scenario.units)
    assert (first.gpu_share.devices, first.gpu_share.milli) == (2, 1000)
    requirement = first.affinity.node_affinity.required.node_selector_terms[0].match_expressions[0]
    assert (requirement.operator, requirement.values) == ("In", ("V100M16", "V100M32"))
    assert second.gpu_share.milli == 460
    assert second.affinity.node_affinity is None
    assert third.gpu_share is None
    assert third.containers[0].requests == {"cpu": 500, "memory": 2**30}


def test_template_names_tell_the_shape(openb: Scenario) -> None:
    assert "openb/6c 12Gi 1x460m-GPU" in openb.templates
    most = Counter(unit.template for unit in openb.units).most_common(1)[0][0]
    assert most.startswith("openb/")


def test_every_bad_cell_is_listed(refuses: Any) -> None:
    bad = PODS.replace("6000", "6 cores").replace("1,460", "1,0").replace(",500,", ",-500,")
    words = refuses(bad, "pods.csv")
    assert words.splitlines() == [
        "pods.csv: line 2 (p1): gpu_milli: found 0, "
        "expected 1 to 1000 thousandths of each of its GPUs.",
        "pods.csv: line 2 (p1): cpu_milli: found '6 cores', expected milli-cores.",
        "pods.csv: line 4 (p2): cpu_milli: found '-500', expected milli-cores.",
    ]


def test_a_nameless_node_is_refused(refuses: Any) -> None:
    assert refuses(NODES.replace("n0", ""), "nodes.csv") == (
        "nodes.csv: line 2: sn: found nothing, expected the name of a node."
    )
