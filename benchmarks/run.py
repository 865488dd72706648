"""One benchmark in a process of its own: `python -m benchmarks.run NAME` prints a JSON row."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import capsim as cs
from benchmarks import contention_yardsticks as yardsticks
from benchmarks import full_scan, inputs, recorded
from capsim.contention import contend as contention
from capsim.contention.bandwidth import CpuLimit
from capsim.contention.latency import draw_jobs, replay_jobs
from capsim.contention.sharing import flat_shares
from capsim.data_files import data_path
from capsim.placement import compare_packers
from capsim.placement.shapes import commonest_machine
from capsim.topology import Topology

_RUNS = 5


def _timed(work: Callable[[], object], runs: int = _RUNS) -> dict[str, Any]:
    """Seconds of some runs after one that warms up."""
    work()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return {
        "seconds_min": min(seconds),
        "seconds_median": statistics.median(seconds),
        "seconds_max": max(seconds),
        "runs": runs,
    }


def _against(row: dict[str, Any], name: str, seconds: float | None) -> dict[str, Any]:
    """The row with its yardstick; the ratio says how many times the yardstick takes longer."""
    ratio = seconds / row["seconds_median"] if seconds is not None else None
    return {**row, "yardstick": name, "yardstick_seconds": seconds, "ratio": ratio}


def _placing(topology: Topology, scanned: int) -> dict[str, Any]:
    """Placement against the C full scan of the first units, which must decide the same."""
    plan = cs.place(topology)
    row = _decided(topology)
    found = full_scan.place(topology, plan.order[:scanned].astype(np.int64))
    if found is None:
        return _against(row, "no C compiler", None)
    nodes, seconds = found
    if not np.array_equal(nodes, plan.node_of[plan.order[:scanned]]):
        raise SystemExit("the C full scan decides otherwise: one of the two is wrong")
    share = len(plan.order) / len(nodes)
    words = "C full scan" if share == 1 else f"C full scan of {scanned:,} pods, scaled up"
    return _against(row, words, seconds * share)


def _decided(topology: Topology) -> dict[str, Any]:
    seconds = sorted(cs.place(topology).seconds for _ in range(_RUNS))
    return {
        "seconds_min": seconds[0],
        "seconds_median": statistics.median(seconds),
        "seconds_max": seconds[-1],
        "runs": _RUNS,
    }


def place_openb() -> dict[str, Any]:
    """All pods of openb, LeastAllocated."""
    return _placing(cs.compile_scenario(inputs.openb()), 8152)


def place_150k() -> dict[str, Any]:
    """5,000 nodes, 150,000 pods in 20 templates."""
    return _placing(cs.compile_scenario(inputs.synthetic(5000, 150_000)), 15_000)


def spread_150k() -> dict[str, Any]:
    """The same pods, each template spread over hosts and zones; the yardstick is without."""
    plain = _decided(cs.compile_scenario(inputs.synthetic(5000, 150_000)))
    row = _decided(cs.compile_scenario(inputs.synthetic(5000, 150_000, spread=True)))
    return _against(row, "the same without spread", plain["seconds_median"])


def place_450k() -> dict[str, Any]:
    """15,000 nodes, 450,000 pods in 20 templates."""
    return _placing(cs.compile_scenario(inputs.synthetic(15_000, 450_000)), 5_000)


def compile_150k() -> dict[str, Any]:
    """A scenario of 5,000 nodes and 150,000 pods to arrays, and its graph as CSR."""
    scenario = inputs.synthetic(5000, 150_000)
    row = _timed(lambda: cs.compile_scenario(scenario).vertices, 3)
    started = time.perf_counter()
    cs.compile_scenario(scenario).graph()
    return _against(row, "compile and networkx graph", time.perf_counter() - started)


def read_openb() -> dict[str, Any]:
    """Reading the openb tables."""
    import pandas as pd

    row = _timed(inputs.openb)
    folder = data_path("clusters", "openb")
    plain = _timed(lambda: [pd.read_csv(file) for file in sorted(folder.glob("*.csv"))])
    return _against(row, "pandas.read_csv alone", plain["seconds_median"])


def pack_openb() -> dict[str, Any]:
    """All packers with their lower bound, openb on its commonest machine."""
    topology = cs.compile_scenario(inputs.openb())
    machine = commonest_machine(topology)
    row = _timed(lambda: compare_packers(topology, machine))
    return _against(row, "none", None)


def compare_stacks() -> dict[str, Any]:
    """Five stacks side by side, as a move of a slider asks for them."""
    row = _timed(lambda: cs.compare_stacks("web-api", cs.Host(64, 256), cs.UnitSize(1, 2)))
    return _against(row, "none", None)


def kernel_sharing_150k() -> dict[str, Any]:
    """Who shares a kernel, and every fault; the yardstick is placing the same pods."""
    plan = cs.place(cs.compile_scenario(inputs.synthetic(5000, 150_000)))

    def told() -> None:
        found = cs.kernel_sharing(plan)
        found.summary()
        assert len(found.faults)

    return _against(_timed(told, 3), "placing them", plan.seconds)


def plan_process() -> dict[str, Any]:
    """The whole process `capsim plan data/clusters/openb --out`, warm."""
    import tempfile

    folder = str(data_path("clusters", "openb"))
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "capsim", "plan", folder, "--out", out]
        row = _timed(lambda: subprocess.run(command, check=True, capture_output=True), 3)
    libraries = "import numba, pandas, plotly.graph_objects, pptx, pyarrow"
    empty = [sys.executable, "-c", libraries]
    bare = _timed(lambda: subprocess.run(empty, check=True), 3)
    return _against(row, "importing the libraries", bare["seconds_median"])


def shares_1m() -> dict[str, Any]:
    """CPU shares of a million groups, short of capacity; numpy sorts and sums the same."""
    rng = np.random.default_rng(0)
    weight = rng.integers(2, 10_000, 1_000_000).astype(np.float64)
    demand = rng.exponential(0.1, len(weight))
    capacity = 0.6 * float(demand.sum())
    row = _timed(lambda: flat_shares(capacity, weight, demand))
    plain = _timed(lambda: yardsticks.waterfill_numpy(capacity, weight, demand), 3)
    if not np.allclose(
        flat_shares(capacity, weight, demand), yardsticks.waterfill_numpy(capacity, weight, demand)
    ):
        raise SystemExit("numpy divides otherwise: one of the two is wrong")
    return _against(row, "numpy: argsort, cumulative sums", plain["seconds_median"])


def queue_10m() -> dict[str, Any]:
    """Ten million requests through a quota, with their percentiles, against plain Python."""
    limit = CpuLimit.of(0.5)
    jobs = draw_jobs(35.0, 0.01, "exponential", 10_000_000, 0)
    row = _timed(lambda: replay_jobs(limit, jobs, phases=1), 3)
    few = jobs.first(100_000)
    started = time.perf_counter()
    yardsticks.quota_queue_python(limit.quota_s, limit.period_s, *few)
    seconds = time.perf_counter() - started
    words = "plain Python, no slices, 100,000 requests, scaled up"
    return _against(row, words, seconds * len(jobs.arrival_s) / len(few.arrival_s))


def contend_openb() -> dict[str, Any]:
    """What every unit of openb gets, with response times of each kind of unit anew."""
    plan = cs.place(cs.compile_scenario(inputs.openb()))

    def work() -> None:
        contention._times.cache_clear()
        contention.contend(plan, 1.0)

    return _against(_timed(work, 3), "none", None)


#: Name to size and benchmark.
BENCHMARKS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "place-openb": ("1,523 nodes, 8,152 pods, 151 templates", place_openb),
    "place-150k": ("5,000 nodes, 150,000 pods, 20 templates", place_150k),
    "spread-150k": ("the same, spread over hosts and zones", spread_150k),
    "place-450k": ("15,000 nodes, 450,000 pods, 20 templates", place_450k),
    "compile-150k": ("5,000 nodes, 150,000 pods", compile_150k),
    "read-openb": ("1,523 nodes, 8,152 pods", read_openb),
    "pack-openb": ("8,152 pods, every packer", pack_openb),
    "shares-1m": ("1,000,000 groups", shares_1m),
    "queue-10m": ("10,000,000 requests, one thread", queue_10m),
    "contend-openb": ("1,523 nodes, 8,047 units", contend_openb),
    "compare-stacks": ("five stacks", compare_stacks),
    "kernel-sharing-150k": ("5,000 nodes, 150,000 pods", kernel_sharing_150k),
    "plan-process": ("openb: tables, figures, deck", plan_process),
    **{
        f"scheduler-{name}": ("recorded, 5,000 nodes", partial(recorded.workload, name))
        for name in recorded.REAL_PODS_PER_S
    },
}


def main(name: str) -> None:
    """Run one benchmark and print its row."""
    size, work = BENCHMARKS[name]
    row = work()
    who = resource.RUSAGE_CHILDREN if name == "plan-process" else resource.RUSAGE_SELF
    peak_mib = resource.getrusage(who).ru_maxrss / 1024
    print(json.dumps({"name": name, "size": size, **row, "peak_memory_mib": peak_mib}))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main(sys.argv[1])
