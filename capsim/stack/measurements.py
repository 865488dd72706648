"""Published measurements of platforms, and the model's figure for each.

data/platforms/measurements.csv says which rows calibrate and which only test; that was fixed
before anything was fitted. The table is docs/models/measurements.md.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from capsim.data_files import data_path
from capsim.stack.interval import ZERO, Interval, product
from capsim.stack.parameters import parameter
from capsim.stack.slowdowns import FITTED_PARTS, slowdowns

_MIB = 2**20
_TEN_GBIT = 10.0


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
    paper: str
    year: str
    verified: bool
    role: str
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
        **{
            name: row[name]
            for name in ("id", "what", "platform", "baseline", "workload", "metric", "unit")
        },
        **{name: row[name] for name in ("role", "quantity", "baseline_id", "reads", "benchmark")},
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
        return row.value * {"ms": 1e-3, "s": 1.0, "MiB": _MIB, "MB": 10**6}[row.unit]
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


def predicted(row: Measurement) -> Interval:
    """The model's figure for a row that calibrates or tests, with its range.

    Raises: KeyError for a row of context.
    """
    return _MODELS[row.quantity](row)


def _slowdown(row: Measurement) -> Interval:
    mix = benchmark_mixes()[row.benchmark]
    known = slowdowns()
    total = ZERO
    for part, share in zip(FITTED_PARTS, mix, strict=True):
        if share:
            layers = [known[layer, part] for layer in row.layers if (layer, part) in known]
            total = total + share * product(each.factor for each in layers)
    return total.at_least(device_limit(row))


def _boot(row: Measurement) -> Interval:
    from capsim.stack.fit import boot_time

    vmm = row.layers[0]
    level, _, percentile = row.benchmark.partition(" ")
    return boot_time(vmm, level, percentile)


def _vm_start(row: Measurement) -> Interval:
    from capsim.stack.fit import vm_start_time

    if row.layers[0] == "fargate":
        return parameter("fargate_ecs", "task_start_413MB_image").amount
    return vm_start_time(row.layers[0])


def _memory(row: Measurement) -> Interval:
    from capsim.stack.container import container_memory, gvisor_memory

    platform = row.layers[0]
    if platform == "container":
        return container_memory()
    if platform == "gvisor":
        return gvisor_memory()
    if platform == "shim":
        return parameter("containerd", "shim_rss", version="1.6").amount
    product_of = {"kvm": "kvm_qemu"}
    return parameter(product_of.get(platform, platform), "vmm_memory_overhead").amount


_MODELS = {"slowdown": _slowdown, "boot": _boot, "vm_start": _vm_start, "memory": _memory}


def measurement_table() -> pd.DataFrame:
    """Every measurement that the model has a figure for, beside that figure.

    Returns: id, what, platform, workload, role, quantity, unit (x: a factor on time; s; MiB),
    measured, model, low, high, relative_error, inside, verified, paper, year.
    """
    rows = [_compared(row) for row in measurements().values() if row.role != "context"]
    return pd.DataFrame(rows)


def _compared(row: Measurement) -> dict[str, object]:
    scale, unit = {"slowdown": (1.0, "x"), "memory": (_MIB, "MiB")}.get(row.quantity, (1.0, "s"))
    measured, model = observed(row) / scale, predicted(row) / scale
    return {
        **{name: getattr(row, name) for name in ("id", "what", "platform", "workload", "role")},
        "quantity": row.quantity,
        "unit": unit,
        "measured": measured,
        "model": model.value,
        "low": model.low,
        "high": model.high,
        "relative_error": abs(model.value / measured - 1),
        "inside": model.holds(measured),
        "verified": row.verified,
        "paper": row.paper,
        "year": row.year,
    }
