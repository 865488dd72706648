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
from capsim.contention.parameters import parameter
from capsim.stack.interval import Interval
from capsim.stack.published import measurements


@dataclass(frozen=True)
class Prediction:
    """One measurement and the model's figure for it."""

    id: str
    """As in data/platforms/measurements.csv."""
    model: str
    """The function that predicts it."""
    predicted: Interval
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


def _published(id: str) -> float:
    return measurements()[id].value


def _interleaved(id: str) -> Interval:
    """Two sockets with interleaved memory, from one socket measured on the same machine."""
    return interleaved_bandwidth(_published(id.replace("dual", "single")), 2)


def _mixed(id: str) -> Interval:
    """A mix of reads and writes, from each alone."""
    reads, writes = (_published(id.replace("mixed", kind)) for kind in ("read", "write"))
    return mixed_iops(reads, writes)


_CASES: tuple[tuple[str, str, Callable[[str], Interval]], ...] = (
    ("felter-stream-dual-", "caches.interleaved_bandwidth", _interleaved),
    ("felter-fio-random-mixed-", "io.mixed_iops", _mixed),
    ("felter-nuttcp-client-", "network.bulk_goodput", lambda _: bulk_goodput(10e9) / 1e6),
    ("felter-nuttcp-server-", "network.bulk_goodput", lambda _: bulk_goodput(10e9) / 1e6),
    ("sriov-rate", "network.bulk_goodput", lambda _: bulk_goodput(10e9) / 1e9),
    ("ksm-52", "hypervisor_memory.identical_guests_that_fit", lambda _: _xp_guests()),
)
"""Ids by their beginning, the function that predicts them, and how it is asked."""
_CALIBRATE = (
    "felter-stream-dual-copy-native",
    "felter-nuttcp-client-native",
    "felter-nuttcp-server-native",
)
"""Rows that a parameter was taken from."""


def _published_predictions() -> list[Prediction]:
    return [
        Prediction(
            id,
            model,
            predict(id),
            row.value,
            row.unit,
            "calibrates" if id in _CALIBRATE else "tests",
        )
        for id, row in measurements().items()
        for start, model, predict in _CASES
        if id.startswith(start)
    ]


def _xp_guests() -> Interval:
    alike = parameter("page_sharing_identical_guests").figure.ends
    return Interval(*(float(identical_guests_that_fit(16.0, 1.0, alike=share)) for share in alike))


def predictions() -> tuple[Prediction, ...]:
    """Every measurement beside the model's figure."""
    return (*_published_predictions(), *_loaded_latencies(), *_cache_sharing())


def _loaded_latencies() -> list[Prediction]:
    """Memory latency under load of four processors; the first calibrates the curve."""
    rows: list[Prediction] = []
    least: dict[str, tuple[float, float]] = {}
    for id, row in measurements().items():
        if not id.startswith("mlc-"):
            continue
        used, offered = row.conditions.removesuffix(" MB/s").split(" of ")
        use = float(used) / float(offered)
        if row.platform not in least:
            least[row.platform] = use, row.value
            continue
        base = least[row.platform][1] / loaded_latency_factor(least[row.platform][0]).value
        role = "calibrates" if row.platform == "skylake_sp" else "tests"
        predicted = loaded_latency_factor(use) * base
        rows.append(
            Prediction(id, "caches.loaded_latency_factor", predicted, row.value, row.unit, role)
        )
    return rows


def _cache_sharing() -> list[Prediction]:
    """Mcf beside art fixes the share of its time spent on misses; mcf beside swim tests it."""
    growth = {beside: _published(f"mcf-{beside}-misses") for beside in _BESIDE}
    slower = {beside: 1.0 / _published(f"mcf-{beside}-ipc") for beside in _BESIDE}
    stall = _stall_share(growth["art"], slower["art"])
    rows = []
    for beside, role in _BESIDE.items():
        # Misses are read off a bar chart, to about a tenth.
        value, low, high = (
            slowdown_by_misses(growth[beside] * part, stall) for part in (1.0, 0.9, 1.1)
        )
        ipc = 1.0 / Interval(value, max(1.0, low), high)
        id = f"mcf-{beside}-ipc"
        rows.append(Prediction(id, "caches.slowdown_by_misses", ipc, _published(id), "x", role))
    return rows


_BESIDE = {"art": "calibrates", "swim": "tests"}


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
