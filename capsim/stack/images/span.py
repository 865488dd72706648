"""A number that is known only within bounds, and the parameters of images and starts."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from capsim.data_files import data_path
from capsim.scenario import Assumption

Samples = NDArray[np.float64]
#: Standard deviations from the median to the 5th and the 95th percentile.
_Z95 = 1.6449


@dataclass(frozen=True)
class Span:
    """A middle with a low and a high end; as a distribution, its 50th, 5th and 95th percentile."""

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Span:
        """A number without doubt."""
        return cls(value, value, value)

    def __add__(self, other: Span) -> Span:
        return Span(self.value + other.value, self.low + other.low, self.high + other.high)

    def __mul__(self, factor: float | Span) -> Span:
        by = factor if isinstance(factor, Span) else Span.exact(factor)
        return Span(self.value * by.value, self.low * by.low, self.high * by.high)

    def __truediv__(self, rate: float | Span) -> Span:
        """An amount by a rate: the longest time is the high amount at the low rate."""
        by = rate if isinstance(rate, Span) else Span.exact(rate)
        return Span(self.value / by.value, self.low / by.high, self.high / by.low)

    @classmethod
    def total(cls, spans: Iterable[Span]) -> Span:
        """The sum; the ends add up too, as if all erred the same way."""
        return sum(spans, cls.exact(0.0))

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Samples:
        """Draws from a lognormal in two halves, which has exactly these three percentiles.

        x = value * exp(z * s), with s = ln(high / value) / 1.645 above the middle and
        s = ln(value / low) / 1.645 below; z standard normal.
        """
        return self.from_normal(rng.standard_normal(shape))

    def from_normal(self, z: Samples) -> Samples:
        """The values that standard normal draws stand for; see `sample`."""
        if self.value <= 0:
            return np.full(z.shape, self.value)
        up = math.log(max(self.high, self.value) / self.value) / _Z95
        down = math.log(self.value / max(min(self.low, self.value), 1e-3 * self.value)) / _Z95
        drawn: Samples = self.value * np.exp(z * np.where(z > 0, up, down))
        return drawn


@dataclass(frozen=True)
class Parameter:
    """A row of data/platforms/start.csv or images.csv."""

    name: str
    applies_to: str
    span: Span
    unit: str
    source: str
    date: str
    verified: bool
    note: str

    @property
    def assumption(self) -> Assumption:
        """As results state it."""
        guess = "" if self.verified else ", not verified"
        spread = self.span.low != self.span.high
        return Assumption(
            name=f"{self.applies_to}: {self.name}",
            value=f"{self.span.value:g} {self.unit}",
            low=f"{self.span.low:g}" if spread else "",
            high=f"{self.span.high:g}" if spread else "",
            source=f"{self.source} ({self.date}){guess}",
        )


def _span(row: dict[str, str]) -> Span:
    value = float(row["value"])
    return Span(value, float(row["low"] or value), float(row["high"] or value))


@cache
def parameters(table: str) -> dict[tuple[str, str], Parameter]:
    """All rows of a table by (applies_to, parameter)."""
    with data_path("platforms", f"{table}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        (row["applies_to"], row["parameter"]): Parameter(
            row["parameter"],
            row["applies_to"],
            _span(row),
            row["unit"],
            row["source"],
            row["source_date"],
            row["verified"] == "yes",
            row["note"],
        )
        for row in rows
    }


def start(applies_to: str, name: str) -> Parameter:
    """A step of a start."""
    return parameters("start")[applies_to, name]


def of_images(applies_to: str, name: str) -> Parameter:
    """A parameter of building, pushing and pulling."""
    return parameters("images")[applies_to, name]
