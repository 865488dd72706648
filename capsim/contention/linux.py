"""How the Linux scheduler is set: data/platforms/linux_cpu.csv as one object."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache

from capsim.contention._run_queue_kernels import Rules
from capsim.data_files import data_path
from capsim.scenario import Assumption

_TO_ENGINE = {"ms": 1e-3, "percent": 1e-2, "ratio": 1.0}


@dataclass(frozen=True)
class Linux:
    """Settings of the scheduler, in seconds and shares; fields are named as in the file."""

    tick: float
    base_slice: float
    bandwidth_slice: float
    bandwidth_kept: float
    slack_delay: float
    slack_margin: float
    load_half_life: float
    imbalance: float
    balance_interval: float
    migration_cost: float
    background: float
    wake_up: float
    job_overhead: float

    def rules(self, cpus: int) -> Rules:
        """The settings for a machine with so many CPUs, as the run-queue kernel takes them.

        Rules: the slice grows with 1 + ilog2(min(CPUs, 8)), the balancing interval with the CPUs.
        """
        factor = 1 + int(math.log2(min(cpus, 8)))
        return Rules(
            tick=self.tick,
            slice=self.base_slice * factor,
            pool_slice=self.bandwidth_slice,
            kept=self.bandwidth_kept,
            half_life=self.load_half_life,
            imbalance=self.imbalance,
            balance=max(self.tick, self.balance_interval * cpus - self.tick),
            hot=self.migration_cost,
            background=self.background,
        )


@cache
def linux() -> Linux:
    """The settings of the bundled file.

    >>> linux().bandwidth_slice
    0.005
    """
    return Linux(
        **{row["parameter"]: float(row["value"]) * _TO_ENGINE[row["unit"]] for row in _rows()}
    )


@cache
def assumptions(*names: str) -> tuple[Assumption, ...]:
    """Rows of the file as assumptions of a result, with their range and source."""
    rows = {row["parameter"]: row for row in _rows()}
    return tuple(
        Assumption(
            name=name.replace("_", " "),
            value=f"{rows[name]['value']} {rows[name]['unit']}",
            low=rows[name]["low"],
            high=rows[name]["high"],
            source=rows[name]["source"],
        )
        for name in names
    )


@cache
def _rows() -> tuple[dict[str, str], ...]:
    path = data_path("platforms", "linux_cpu.csv")
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(csv.DictReader(file))
