"""Published measurements of platforms, and the model's figure for each.

data/platforms/measurements.csv says which rows calibrate and which only test; that was fixed
before anything was fitted. The table is docs/models/measurements.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from capsim.stack.container import container_memory, gvisor_memory
from capsim.stack.fit import vm_start_time
from capsim.stack.images import predictions
from capsim.stack.interval import ZERO, Interval, product
from capsim.stack.parameters import parameter
from capsim.stack.published import (
    MIB,
    SECONDS,
    Measurement,
    benchmark_mixes,
    device_limit,
    measurements,
    observed,
)
from capsim.stack.slowdowns import FITTED_PARTS, slowdowns


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


def _start(row: Measurement) -> Interval:
    """Seconds, of the model of starts; of what it does not know, the mean of what calibrates."""
    if row.id in predictions.PREDICTIONS:
        return predictions.predicted(row.id) * SECONDS[row.unit]
    return vm_start_time(row.layers[0])


def _memory(row: Measurement) -> Interval:
    platform = row.layers[0]
    if platform == "container":
        return container_memory()
    if platform == "gvisor":
        return gvisor_memory()
    if platform == "shim":
        return parameter("containerd", "shim_rss", version="1.6").amount
    product_of = {"kvm": "kvm_qemu"}
    return parameter(product_of.get(platform, platform), "vmm_memory_overhead").amount


_MODELS = {"slowdown": _slowdown, "boot": _start, "vm_start": _start, "memory": _memory}


def measurement_table() -> pd.DataFrame:
    """Every measurement that a model of this room has a figure for, beside that figure.

    Returns: id, what, platform, workload, role, quantity, unit (of slow-downs x, a factor on time),
    measured, model, low, high, relative_error, inside, verified, paper, year. The role is that of
    the file; "calibrated" where a parameter of starts was taken from a row that is not for it.
    """
    figured = [_figured(row) for row in measurements().values() if row.role != "context"]
    return pd.DataFrame([*figured, *_starts()])


def beside(
    row: Measurement, role: str, quantity: str, measured: float, model: Interval, unit: str
) -> dict[str, object]:
    """A measurement and a model's figure for it, as a row of the table."""
    return {
        **{name: getattr(row, name) for name in ("id", "what", "platform", "workload")},
        "role": role,
        "quantity": quantity,
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


def used(role: str, *, calibrates: bool) -> str:
    """The role of a row in the file, or that a parameter was taken from it nevertheless."""
    return "calibrated" if calibrates and role != "calibrate" else role


def _figured(row: Measurement) -> dict[str, object]:
    scale, unit = {"slowdown": (1.0, "x"), "memory": (MIB, "MiB")}.get(row.quantity, (1.0, "s"))
    starts = row.quantity in ("boot", "vm_start")
    role = used(row.role, calibrates=starts and row.id in predictions.CALIBRATED)
    return beside(row, role, row.quantity, observed(row) / scale, predicted(row) / scale, unit)


def _starts() -> Iterator[dict[str, object]]:
    """What the model of images and starts says of further rows, in the unit of the row."""
    for id in predictions.PREDICTIONS:
        row = measurements()[id]
        if row.quantity not in ("boot", "vm_start"):
            role = used(row.role, calibrates=id in predictions.CALIBRATED)
            yield beside(row, role, "start", row.value, predictions.predicted(id), row.unit)
