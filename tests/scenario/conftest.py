"""Fixtures of the scenario tests."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def small() -> dict[str, Any]:
    """A small scenario as plain data."""
    return {
        "apiVersion": "capsim/v1",
        "kind": "Scenario",
        "nodes": [{"name": "n1", "allocatable": {"cpu": 4, "memory": "16Gi", "pods": 10}}],
        "templates": {"web": {"containers": [{"requests": {"cpu": "250m"}}]}},
        "units": [{"name": "a", "template": "web", "node": "n1"}, {"name": "b", "template": "web"}],
    }
