"""Inputs as people have them, and how fast they are read."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from capsim.readers import machines_csv, read, workloads_csv

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "fixtures"


def test_a_dump_of_a_small_cluster_is_read_as_a_person_would() -> None:
    scenario = read(FIXTURES / "two-nodes.yaml")
    assert [node.name for node in scenario.nodes] == ["control", "worker"]
    placed = {unit.key: (unit.node, unit.pinned, unit.owner) for unit in scenario.units}
    assert placed == {
        "kube-system/etcd-control": ("control", "control", "Node/control"),
        "kube-system/kube-proxy-8xk2p": ("control", "control", "DaemonSet/kube-proxy"),
        "shop/web-6c5f7b-hk7vd": ("worker", None, "Deployment/web"),
        "kube-system/kube-proxy-worker": (None, "worker", "DaemonSet/kube-proxy"),
        "shop/web-0": (None, None, "Deployment/web"),
    }
    new = next(unit for unit in scenario.units if unit.name == "web-0")
    assert scenario.templates[new.template].labels["pod-template-hash"] == "6c5f7b"
    assert scenario.nodes[0].images[0].size_bytes == 74311308
    assert [remark.split(":")[0] for remark in scenario.remarks] == [
        "2 pods request no cpu or no memory in some container "
        "(kube-system/kube-proxy-8xk2p, kube-system/kube-proxy-worker)",
        "Left out 1 pod that has ended (Succeeded or Failed) and holds nothing.",
        "Left out 1 object of kinds that take no capacity",
    ]


def test_the_bundled_sample_cluster_needs_no_assumption() -> None:
    scenario = read(ROOT / "data" / "clusters" / "sample")
    assert scenario.assumptions == ()
    assert len(scenario.nodes) == 20


def test_the_guide_names_every_column_and_alias() -> None:
    guide = (ROOT / "docs" / "how-to" / "inputs.md").read_text()
    for column in (*machines_csv.COLUMNS, *workloads_csv.COLUMNS):
        for name in (column.name, *column.aliases):
            assert f"`{name}`" in guide, name


def test_openb_is_read_in_half_a_second() -> None:
    folder = ROOT / "data" / "clusters" / "openb"
    assert _best_of(3, folder) < 0.5


@pytest.mark.slow
def test_a_large_dump_is_read_at_the_pace_of_its_json(
    tmp_path: Path, kube: SimpleNamespace
) -> None:
    items = [kube.node(f"n{number}") for number in range(5_000)]
    for number in range(20_000):
        pod = kube.live_pod(f"web-{number}", f"n{number % 5_000}", ("ReplicaSet", "web-abc"))
        pod["spec"]["priority"] = number % 20
        items.append(pod)
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    scenario = read(path)
    assert len(scenario.units) == 20_000
    assert len(scenario.templates) == 20
    assert _best_of(2, path) < 4.0


def _best_of(runs: int, path: Path) -> float:
    """Seconds of CPU time, so that what else the machine does counts little."""
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        read(path)
        seconds.append(time.process_time() - start)
    return min(seconds)
