"""The recorded 5,000-node workloads: decided again, identically, beside the real scheduler."""

from __future__ import annotations

import gzip
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import full_scan
from capsim import warm
from capsim.placement.kubernetes.replay import _scenario, replay
from capsim.topology import compile_scenario

_FOLDER = Path(__file__).parents[1] / "tests" / "golden" / "scheduler" / "perf"
_RUNS = 5
#: Pods a second of the real framework, every node scored, on two cores (one run each).
REAL_PODS_PER_S = {
    "basic": 138,
    "spreading": 102,
    "pod-affinity": 80,
    "preferred-anti-affinity": 78,
    "mixed": 61,
    "heterogeneous": 129,
}
#: What the C full scan knows: resources, and nothing that other pods say.
_PLAIN = ("basic", "heterogeneous")


def workload(name: str) -> dict[str, Any]:
    """Deciding one recorded workload; the yardstick is what the real scheduler took."""
    with gzip.open(_FOLDER / f"{name}-5000.json.gz") as stream:
        case = json.load(stream)
    warm.placing()
    seconds = sorted(_decided(case) for _ in range(_RUNS))
    pods, median = len(case["pending"]), statistics.median(seconds)
    real = pods / REAL_PODS_PER_S[name]
    scanned = _scanned(case) if name in _PLAIN else None
    also = f"; C full scan {scanned * 1000:,.0f} ms" if scanned is not None else ""
    return {
        "seconds_min": seconds[0],
        "seconds_median": median,
        "seconds_max": seconds[-1],
        "runs": _RUNS,
        "decisions_per_s": pods / median,
        "c_full_scan_seconds": scanned,
        "yardstick": f"kube-scheduler as recorded, {REAL_PODS_PER_S[name]} pods/s{also}",
        "yardstick_seconds": real,
        "ratio": real / median,
    }


def _decided(case: dict[str, Any]) -> float:
    decisions, seconds = replay(case)
    if decisions != case["decisions"]:
        raise SystemExit("the decisions are not those that were recorded")
    return seconds


def _scanned(case: dict[str, Any]) -> float | None:
    """Seconds of the C full scan, which must take the same nodes."""
    topology = compile_scenario(_scenario(case))
    row = {unit.key: index for index, unit in enumerate(topology.scenario.units)}
    units = np.array([row[decision["pod"]] for decision in case["decisions"]], np.int64)
    found = full_scan.place(topology, units)
    if found is None:
        return None
    names = [node.name for node in topology.scenario.nodes]
    if [names[n] for n in found[0].tolist()] != [each["node"] for each in case["decisions"]]:
        raise SystemExit("the C full scan decides otherwise: one of the two is wrong")
    return found[1]
