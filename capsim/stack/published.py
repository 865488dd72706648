"""Published measurements of platforms: data/platforms/measurements.csv.

The file says which rows calibrate and which only test; that was fixed before anything was fitted.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from capsim.data_files import data_path
from capsim.stack.interval import ZERO, Interval
from capsim.stack.parameters import parameter
from capsim.stack.slowdowns import FITTED_PARTS

MIB = 2**20
SECONDS = {"ms": 1e-3, "s": 1.0}
_TEN_GBIT = 10.0
_AS_WRITTEN = (
    *("id", "what", "platform", "baseline", "workload", "metric", "unit", "conditions"),
    *("role", "quantity", "baseline_id", "reads", "benchmark"),
)


@dataclass(frozen=True)
class Measurement:
    """One published figure, and how the model reads it; fields as in data/README.md."""

    id: str
    what: str
    platform: str
    baseline: str
    workload: str
    metric: str
    value: float
    unit: str
    conditions: str
    paper: str
    year: str
    verified: bool
    role: str
    """calibrate, test or context."""
    quantity: str
    layers: tuple[str, ...]
    baseline_id: str
    reads: str
    benchmark: str


@lru_cache(maxsize=1)
def measurements() -> Mapping[str, Measurement]:
    """All published figures by id."""
    with data_path("platforms", "measurements.csv").open(newline="", encoding="utf-8") as lines:
        return {row["id"]: _measurement(row) for row in csv.DictReader(lines)}


def _measurement(row: dict[str, str]) -> Measurement:
    return Measurement(
        **{name: row[name] for name in _AS_WRITTEN},
        value=float(row["value"]),
        paper=row["paper_or_report"],
        year=row["year"],
        verified=row["verified"] == "yes",
        layers=tuple(row["layers"].split("+")),
    )


@lru_cache(maxsize=1)
def benchmark_mixes() -> Mapping[str, tuple[float, ...]]:
    """Shares of native time by part, in the order of FITTED_PARTS, of each benchmark."""
    with data_path("platforms", "benchmarks.csv").open(newline="", encoding="utf-8") as lines:
        return {
            row["benchmark"]: tuple(float(row[part]) for part in FITTED_PARTS)
            for row in csv.DictReader(lines)
        }


def observed(row: Measurement) -> float:
    """The figure as the model states it: a factor on time, seconds, or bytes."""
    if row.reads == "absolute":
        return row.value * {**SECONDS, "MiB": MIB, "MB": 10**6}[row.unit]
    baseline = measurements()[row.baseline_id].value if row.baseline_id else 1.0
    match row.reads:
        case "higher":
            return baseline / row.value
        case "lower":
            return row.value / baseline
        case "overhead_percent":
            return 1 + row.value / 100
        case "loss_percent":
            return 1 / (1 - row.value / 100)
        case "of_ten":
            return _TEN_GBIT / row.value
    return row.value


def device_limit(row: Measurement) -> Interval:
    """The slow-down below which an emulated block device that works alone cannot come; else 0."""
    if row.benchmark != "fio-deep-read" or "microvm" not in row.layers:
        return ZERO
    cap = parameter("firecracker", "device_random_read_cap").amount
    return measurements()[row.baseline_id].value / cap
