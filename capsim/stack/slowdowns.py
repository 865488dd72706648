"""What each layer does to the time of each part of a workload: factors, fitted and stated.

data/platforms/slowdowns.csv holds the factors that `capsim.stack.fit` finds from the published
measurements that calibrate; 1.3 is 30 % more time. Model: docs/models/stack.md, "Slow-downs".
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from capsim.data_files import data_path
from capsim.stack.interval import ONE, Interval
from capsim.stack.workload import PARTS

#: Parts that a layer slows; the last one, the start of a container, is of measurements only.
FITTED_PARTS = (*PARTS, "start")


@dataclass(frozen=True)
class Slowdown:
    """A factor on the time of one part under one layer, and how many measurements it rests on."""

    layer: str
    part: str
    factor: Interval
    measurements: int
    reason: str


@lru_cache(maxsize=1)
def slowdowns() -> Mapping[tuple[str, str], Slowdown]:
    """All factors by layer and part."""
    with data_path("platforms", "slowdowns.csv").open(newline="", encoding="utf-8") as lines:
        rows = [
            Slowdown(
                row["layer"],
                row["part"],
                Interval(float(row["value"]), float(row["low"]), float(row["high"])),
                int(row["measurements"]),
                row["reason"],
            )
            for row in csv.DictReader(lines)
        ]
    return {(row.layer, row.part): row for row in rows}


def factors(layer: str) -> tuple[Interval, ...]:
    """The factors of a layer in the order of PARTS; 1 where it touches nothing.

    A layer adds work, so none is below 1: there the range of a measurement holds noise only.
    """
    table = slowdowns()
    return tuple(
        table[layer, part].factor.at_least(1.0) if (layer, part) in table else ONE for part in PARTS
    )
