from __future__ import annotations

from pathlib import Path

import pytest

import capsim as cs
from capsim.panels import HowManyMachines
from capsim.topology import Topology

CLUSTERS = Path(__file__).parents[2] / "data" / "clusters"


@pytest.fixture(scope="session")
def sample() -> Topology:
    return cs.compile_scenario(cs.read(CLUSTERS / "sample"))


@pytest.fixture(scope="session")
def openb() -> Topology:
    return cs.compile_scenario(cs.read(CLUSTERS / "openb"))


@pytest.fixture
def panel(sample: Topology) -> HowManyMachines:
    return cs.panels.how_many_machines(sample)
