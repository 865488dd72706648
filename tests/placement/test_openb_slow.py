"""The openb cluster: every pod goes where slow, plain Python puts it."""

from __future__ import annotations

from pathlib import Path

import pytest

import capsim as cs
from capsim.scenario import SchedulerProfile
from tests.placement import slow_openb
from tests.placement.builders import where

OPENB = Path(__file__).parents[2] / "data" / "clusters" / "openb"
STRATEGIES = {
    "LeastAllocated": slow_openb.least_allocated,
    "MostAllocated": slow_openb.most_allocated,
}


@pytest.fixture(scope="module")
def topology() -> cs.Topology:
    return cs.compile_scenario(cs.read(OPENB))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_pod_of_openb_goes_to_the_node_that_plain_python_chooses(topology, strategy):
    plan = cs.place(topology, profile=SchedulerProfile(strategy=strategy))
    expected, nodes = slow_openb.place(OPENB, STRATEGIES[strategy])
    assert len(expected) == 8152
    assert where(plan) == expected
    assert [[left for left in row if left >= 0] for row in plan.gpu_free.tolist()] == [
        node.boards for node in nodes
    ]
    cpu, memory = plan.topology.column("cpu"), plan.topology.column("memory")
    assert plan.used[:, [cpu, memory]].tolist() == [
        [node.cpu_used, node.memory_used] for node in nodes
    ]


def test_openb_is_too_full_for_some_of_its_pods(topology):
    """So the comparison above covers refusals as well."""
    assert cs.place(topology).summary()["waiting_units"] > 100
