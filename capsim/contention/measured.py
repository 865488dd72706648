"""Published measurements that the contention models say something about, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from capsim.contention.caches import (
    interleaved_bandwidth,
    loaded_latency_factor,
    slowdown_by_misses,
)
from capsim.contention.hypervisor_memory import identical_guests_that_fit
from capsim.contention.io import mixed_iops
from capsim.contention.network import bulk_goodput
from capsim.contention.parameters import Range, parameter, parameters


@dataclass(frozen=True)
class Prediction:
    """One measurement and the model's figure for it."""

    id: str
    """As in the table of published measurements, or the case in contention.csv."""
    model: str
    """The function that predicts it."""
    predicted: Range
    measured: float
    unit: str
    role: str
    """calibrates or tests."""

    @property
    def error(self) -> float:
        """Relative error of the best value."""
        return self.predicted.value / self.measured - 1.0

    @property
    def inside(self) -> bool:
        """Whether the measurement lies within the model's range, to 1 %."""
        return self.predicted.low * 0.99 <= self.measured <= self.predicted.high * 1.01


_CASES: tuple[tuple[str, str, Callable[[str], Range]], ...] = (
    # Two sockets with interleaved memory, from one socket measured on the same machine.
    (
        "felter-stream-dual-",
        "caches.interleaved_bandwidth",
        lambda id: interleaved_bandwidth(_published(id.replace("dual", "single")), 2),
    ),
    # A mix of reads and writes, from each alone.
    (
        "felter-fio-random-mixed-",
        "io.mixed_iops",
        lambda id: mixed_iops(
            _published(id.replace("mixed", "read")), _published(id.replace("mixed", "write"))
        ),
    ),
    ("felter-nuttcp-", "network.bulk_goodput", lambda _: _ten_gigabit()),
    ("sriov-rate", "network.bulk_goodput", lambda _: _ten_gigabit()),
    ("ksm-52", "hypervisor_memory.identical_guests_that_fit", lambda _: _xp_guests()),
)
"""Ids by their beginning, the function that predicts them, and how it is asked."""


def _published(id: str) -> float:
    return parameter("published", id).value


def _published_predictions() -> list[Prediction]:
    rows = []
    for (name, id), row in parameters().items():
        if name != "published" or row.note == "input":
            continue
        _, model, predict = next(case for case in _CASES if id.startswith(case[0]))
        rows.append(Prediction(id, model, predict(id), row.value, row.unit, row.note))
    return rows


def _ten_gigabit() -> Range:
    return Range(*(rate / 1e6 for rate in bulk_goodput(10e9)))


def _xp_guests() -> Range:
    alike = parameter("page_sharing_identical_guests").range
    return Range(*(float(identical_guests_that_fit(16.0, 1.0, alike=share)) for share in alike))


def predictions() -> tuple[Prediction, ...]:
    """Every measurement beside the model's figure."""
    return (*_published_predictions(), *_loaded_latencies(), *_cache_sharing())


def _loaded_latencies() -> list[Prediction]:
    """Memory latency under load of four processors; the first calibrates the curve."""
    rows: list[Prediction] = []
    idle: dict[str, tuple[float, float]] = {}
    for (name, case), row in parameters().items():
        if name != "loaded_latency":
            continue
        machine, use = case.split(" at ")
        first_use, first = idle.setdefault(machine, (float(use), row.value))
        if float(use) == first_use:
            continue
        base = first / loaded_latency_factor(first_use).value
        factor = loaded_latency_factor(float(use))
        rows.append(
            Prediction(
                f"{machine} at {100 * float(use):.0f} % of its bandwidth",
                "caches.loaded_latency_factor",
                Range(*(base * part for part in factor)),
                row.value,
                "ns",
                "calibrates" if machine == "skylake_sp" else "tests",
            )
        )
    return rows


def _cache_sharing() -> list[Prediction]:
    """Mcf beside art fixes the share of its time spent on misses; mcf beside swim tests it."""
    growth = {case: parameter("cache_misses_against_alone", case).value for case in _MCF}
    slower = {case: 1.0 / parameter("ipc_against_alone", case).value for case in _MCF}
    stall = _stall_share(growth[_MCF[0]], slower[_MCF[0]])
    rows = []
    for case, role in zip(_MCF, ("calibrates", "tests"), strict=True):
        value = slowdown_by_misses(growth[case], stall)
        # Misses are read off a bar chart, to about a tenth.
        ends = [slowdown_by_misses(growth[case] * part, stall) for part in (0.9, 1.1)]
        predicted = Range(value, max(1.0, ends[0]), ends[1])
        rows.append(
            Prediction(case, "caches.slowdown_by_misses", predicted, slower[case], "x", role)
        )
    return rows


_MCF = ("mcf with art", "mcf with swim")


def _stall_share(miss_growth: float, slowdown: float) -> float:
    return (slowdown - 1.0) / (miss_growth - 1.0)


def table() -> pd.DataFrame:
    """One row a measurement: id, model, figure with range, measured, unit, error, inside, role."""
    return pd.DataFrame(
        [
            {
                "id": each.id,
                "model": each.model,
                "predicted": each.predicted.value,
                "low": each.predicted.low,
                "high": each.predicted.high,
                "measured": each.measured,
                "unit": each.unit,
                "error": each.error,
                "inside": each.inside,
                "role": each.role,
            }
            for each in predictions()
        ]
    )


if __name__ == "__main__":
    print(table().to_string(index=False, float_format=lambda value: f"{value:.4g}"))
