"""Facts of data/platforms/*.csv as typed rows, each with its range and its source.

Files of products say of which platform, version and layer a fact is; files of one model
(contention, start, images) say only what it applies to.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from capsim.data_files import data_path
from capsim.errors import InputError, ModelError, Problem, clip, nearest
from capsim.scenario import Assumption
from capsim.stack.interval import Interval

_PRODUCT = ("platform", "version", "layer")
_FACT = (
    "parameter",
    "value",
    "low",
    "high",
    "unit",
    "applies_to",
    "source",
    "source_date",
    "verified",
    "note",
)
#: Columns of a file of parameters of products; those of one model's begin with `parameter`.
COLUMNS = (*_PRODUCT, *_FACT)
#: How a file of products begins; the folder holds files of other kinds as well.
_FIRST_COLUMNS = "platform,version,layer,parameter,"

#: Factors to the engine's units: bytes, cores, seconds, shares.
_TO_ENGINE = {
    "MiB": 2**20,
    "GiB": 2**30,
    "MB": 10**6,
    "GB": 10**9,
    "millicores": 1e-3,
    "ms": 1e-3,
    "percent": 1e-2,
    "MiB per max pod": 2**20,
}


@dataclass(frozen=True)
class Parameter:
    """One fact: its figure with a range, its unit, where it holds, its source."""

    platform: str
    """The product; nothing in the files of one model, or "any"."""
    version: str
    layer: str
    name: str
    text: str
    """The figure as it is written; a word or a formula where it is no number."""
    interval: Interval | None
    """Value, low, high in `unit`; None where the figure is no number."""
    unit: str
    applies_to: str
    source: str
    source_date: str
    verified: bool
    note: str

    @property
    def figure(self) -> Interval:
        """Value, low and high in `unit`.

        Raises: ModelError where the figure is no number.
        """
        if self.interval is None:
            raise ModelError(f"{self.platform} {self.name} is {self.text!r}, not a number.")
        return self.interval

    @property
    def value(self) -> float:
        """The best value in `unit`."""
        return self.figure.value

    @property
    def amount(self) -> Interval:
        """The figure in bytes, cores, seconds, or as a share; other units as they are.

        Raises: ModelError where the figure is no number.
        """
        return self.figure * _TO_ENGINE.get(self.unit, 1.0)

    @property
    def assumption(self) -> Assumption:
        """The fact, as a result states it."""
        span = self.interval
        wide = span is not None and span.low < span.high
        guess = "" if self.verified else "unverified: "
        who = "" if self.platform in ("", "any") else f"{self.platform}: "
        where = "" if self.applies_to == "any" else f" ({self.applies_to})"
        return Assumption(
            name=f"{who}{self.name.replace('_', ' ')}{where}",
            value=f"{self.text} {self.unit}".strip(),
            source=f"{guess}{self.source}, {self.source_date}".rstrip(", "),
            low=f"{span.low:g}" if span is not None and wide else "",
            high=f"{span.high:g}" if span is not None and wide else "",
        )


def parameters(platform: str | None = None) -> tuple[Parameter, ...]:
    """All facts, or those of one platform.

    Raises: ModelError for a platform that no file knows.
    """
    rows = _all()
    if platform is None:
        return rows
    known = {row.platform for row in rows}
    if platform not in known:
        raise ModelError(
            f"no parameters of a platform {platform!r}{nearest(platform, known)}; "
            f"known are {', '.join(sorted(known))}."
        )
    return tuple(row for row in rows if row.platform == platform)


def rows_of(platform: str, name: str, *, version: str = "") -> tuple[Parameter, ...]:
    """The rows of one fact, in the order of the file; versions that begin with `version`.

    Raises: ModelError if there is none.
    """
    of_platform = parameters(platform)
    found = tuple(
        row for row in of_platform if row.name == name and row.version.startswith(version)
    )
    if not found:
        hint = nearest(name, {row.name for row in of_platform})
        raise ModelError(f"{platform} has no parameter {name!r} of version {version!r}{hint}.")
    return found


def parameter(platform: str, name: str, applies_to: str = "", *, version: str = "") -> Parameter:
    """The one row of a fact whose `applies_to` is or begins so.

    Raises: ModelError if there is none, or more than one.

    >>> parameter("firecracker", "vmm_memory_overhead").amount
    Interval(value=2621440.0, low=2621440.0, high=2621440.0)
    """
    rows = rows_of(platform, name, version=version)
    exact = [row for row in rows if row.applies_to == applies_to]
    found = exact or [row for row in rows if row.applies_to.startswith(applies_to)]
    if len(found) != 1:
        told = "; ".join(row.applies_to for row in rows)
        raise ModelError(
            f"{platform} {name}: {len(found)} rows apply to {applies_to!r}, of: {told}."
        )
    return found[0]


@lru_cache(maxsize=8)
def facts(model: str) -> Mapping[tuple[str, str], Parameter]:
    """The rows of one model's file, data/platforms/`model`.csv, by (applies_to, parameter)."""
    rows = read_parameters(data_path("platforms", f"{model}.csv"))
    return {(row.applies_to, row.name): row for row in rows}


def fact(model: str, applies_to: str, name: str) -> Parameter:
    """One row of a model's file.

    Raises: ModelError if there is none of that name for that thing.

    >>> fact("contention", "esxi", "cpu_ready_warning").value
    5.0
    """
    rows = facts(model)
    if (applies_to, name) not in rows:
        asked = f"{name} of {applies_to}"
        known = [f"{key} of {thing}" for thing, key in rows]
        raise ModelError(
            f"data/platforms/{model}.csv has no parameter {asked}{nearest(asked, known)}."
        )
    return rows[applies_to, name]


def parameter_table(platform: str | None = None) -> pd.DataFrame:
    """The facts as a table with the columns of the files; low and high are filled for numbers."""
    rows = [
        (
            *(row.platform, row.version, row.layer, row.name, row.text),
            *((row.interval.low, row.interval.high) if row.interval else (None, None)),
            *(row.unit, row.applies_to, row.source, row.source_date, row.verified, row.note),
        )
        for row in parameters(platform)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@lru_cache(maxsize=1)
def _all() -> tuple[Parameter, ...]:
    files = sorted(data_path("platforms").glob("*.csv"))
    return tuple(row for file in files if _is_of_products(file) for row in read_parameters(file))


def _is_of_products(file: Path) -> bool:
    with file.open(encoding="utf-8") as lines:
        return lines.readline().startswith(_FIRST_COLUMNS)


def read_parameters(file: Path) -> tuple[Parameter, ...]:
    """The rows of one file.

    Raises: InputError with every row that has no source, or a value outside its range.
    """
    with file.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        if tuple(reader.fieldnames or ()) not in (COLUMNS, _FACT):
            raise InputError(
                Problem(file.name, clip(reader.fieldnames), f"the columns {', '.join(COLUMNS)}")
            )
        cells = list(enumerate(reader, 2))
    problems = [each for line, row in cells for each in _problems(file.name, line, row)]
    if problems:
        raise InputError(problems)
    return tuple(_parameter(row) for _, row in cells)


def _problems(file: str, line: int, row: dict[str, str]) -> Iterable[Problem]:
    where = f"line {line} ({row['parameter']})"
    if not row["source"]:
        yield Problem(file, "no source", "where the figure comes from", where, "source")
    if row["verified"] not in ("yes", "no"):
        yield Problem(file, clip(row["verified"]), "yes or no", where, "verified")
    ends = [_number(row[name]) for name in ("low", "value", "high")]
    if ends[1] is None:
        return
    if ends[0] is None or ends[2] is None:
        yield Problem(file, "no range", "low and high beside a number", where, "low")
    elif not ends[0] <= ends[1] <= ends[2]:
        yield Problem(
            file, f"{row['low']}, {row['value']}, {row['high']}", "low <= value <= high", where
        )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _parameter(row: dict[str, str]) -> Parameter:
    value = _number(row["value"])
    spans = value is not None
    return Parameter(
        **{column: row.get(column, "") for column in _PRODUCT},
        name=row["parameter"],
        text=row["value"],
        interval=Interval(float(value), float(row["low"]), float(row["high"]))
        if spans and value is not None
        else None,
        unit=row["unit"],
        applies_to=row["applies_to"],
        source=row["source"],
        source_date=row["source_date"],
        verified=row["verified"] == "yes",
        note=row["note"],
    )
