"""Rows of data/platforms/isolation.csv: a value with its range, unit and source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pandas as pd

from capsim.data_files import data_path
from capsim.errors import ModelError
from capsim.scenario import Assumption


@dataclass(frozen=True)
class Row:
    """One parameter of a platform: value, its range, unit and where it comes from."""

    platform: str
    parameter: str
    value: float
    low: float
    high: float
    unit: str
    applies_to: str
    source: str
    verified: bool
    note: str

    @property
    def assumption(self) -> Assumption:
        """The row as an assumption of a result; what nobody checked is called a guess."""
        who = "" if self.platform == "any" else f"{self.platform}: "
        span = {} if self.low == self.high else {"low": f"{self.low:g}", "high": f"{self.high:g}"}
        return Assumption(
            name=f"{who}{self.parameter.replace('_', ' ')}, {self.applies_to}",
            value=f"{self.value:g} {self.unit}",
            source=self.source if self.verified else f"not verified, a range: {self.source}",
            **span,
        )


@cache
def rows() -> tuple[Row, ...]:
    """All rows, in the order of the file."""
    table = pd.read_csv(data_path("platforms", "isolation.csv"), keep_default_na=False)
    return tuple(
        Row(
            platform=str(each["platform"]),
            parameter=str(each["parameter"]),
            value=float(each["value"]),
            low=float(each["low"]),
            high=float(each["high"]),
            unit=str(each["unit"]),
            applies_to=str(each["applies_to"]),
            source=str(each["source"]),
            verified=str(each["verified"]) == "yes",
            note=str(each["note"]),
        )
        for each in table.to_dict("records")
    )


def row(platform: str, parameter: str, applies_to: str | None = None) -> Row:
    """The row of a platform's parameter; the first that fits.

    Raises: ModelError if the file has no such row.
    """
    for each in rows():
        named = each.platform == platform and each.parameter == parameter
        if named and applies_to in (None, each.applies_to):
            return each
    raise ModelError(f"data/platforms/isolation.csv has no row {parameter!r} of {platform!r}.")
