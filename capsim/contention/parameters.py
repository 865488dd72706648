"""Parameters of the contention models, with range and source: data/platforms/contention.csv."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from capsim.data_files import data_path
from capsim.errors import ModelError, nearest
from capsim.scenario import Assumption


class Range(NamedTuple):
    """A number that is not known exactly: its best value, and the ends it may reach."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:g} ({self.low:g} to {self.high:g})"


@dataclass(frozen=True)
class Parameter:
    """One row of the file: a number with its range, unit and source."""

    name: str
    applies_to: str
    range: Range
    unit: str
    source: str
    source_date: str
    verified: bool
    note: str

    @property
    def value(self) -> float:
        """The best value."""
        return self.range.value

    @property
    def assumption(self) -> Assumption:
        """The row as an assumption of a result; what was not verified is called a guess."""
        source = self.source if self.verified else f"{self.source} (not verified)"
        return Assumption(
            name=self.name.replace("_", " "),
            value=f"{self.range.value:g} {self.unit}".strip(),
            low=f"{self.range.low:g}",
            high=f"{self.range.high:g}",
            source=source,
        )


@cache
def parameters() -> dict[tuple[str, str], Parameter]:
    """Every row by (parameter, applies_to)."""
    path = data_path("platforms", "contention.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [_read(row) for row in csv.DictReader(file)]
    return {(row.name, row.applies_to): row for row in rows}


def parameter(name: str, applies_to: str = "any") -> Parameter:
    """One parameter.

    Raises: ModelError if there is none of that name for that thing.

    >>> parameter("cpu_ready_warning", "esxi").range.value
    5.0
    """
    rows = parameters()
    if (name, applies_to) not in rows:
        known = [f"{key} of {thing}" for key, thing in rows]
        asked = f"{name} of {applies_to}"
        raise ModelError(
            f"data/platforms/contention.csv has no parameter {asked}{nearest(asked, known)}."
        )
    return rows[name, applies_to]


def _read(row: dict[str, str]) -> Parameter:
    value = float(row["value"])
    low, high = (float(row[end]) if row[end] else value for end in ("low", "high"))
    if not (math.isfinite(value) and low <= value <= high):
        raise ModelError(f"contention.csv: {row['parameter']} is not within its range.")
    return Parameter(
        name=row["parameter"],
        applies_to=row["applies_to"],
        range=Range(value, low, high),
        unit=row["unit"],
        source=row["source"],
        source_date=row["source_date"],
        verified=row["verified"] == "yes",
        note=row["note"],
    )
