"""A figure with the range it may lie in, and the arithmetic that carries the range along."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A best value between a low and a high end: low <= value <= high.

    The ends of a result are the least and the greatest that the ends of its parts allow, whatever
    hangs together with what; so a wider part never makes a narrower result (Moore, *Interval
    Analysis*, 1966).

    >>> Interval(2, 1, 3) * Interval(10, 10, 20)
    Interval(value=20, low=10, high=60)
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} is not between {self.low} and {self.high}")

    def __add__(self, other: Interval | float) -> Interval:
        b = as_interval(other)
        return Interval(self.value + b.value, self.low + b.low, self.high + b.high)

    __radd__ = __add__

    def __neg__(self) -> Interval:
        return Interval(-self.value, -self.high, -self.low)

    def __sub__(self, other: Interval | float) -> Interval:
        b = as_interval(other)
        return Interval(self.value - b.value, self.low - b.high, self.high - b.low)

    def __rsub__(self, other: float) -> Interval:
        return as_interval(other) - self

    def __mul__(self, other: Interval | float) -> Interval:
        b = as_interval(other)
        ends = (self.low * b.low, self.low * b.high, self.high * b.low, self.high * b.high)
        return Interval(self.value * b.value, min(ends), max(ends))

    __rmul__ = __mul__

    def __truediv__(self, other: Interval | float) -> Interval:
        """Division; the divisor must not reach zero."""
        b = as_interval(other)
        if b.low <= 0 <= b.high:
            raise ZeroDivisionError(f"{b} reaches zero")
        ends = (self.low / b.low, self.low / b.high, self.high / b.low, self.high / b.high)
        return Interval(self.value / b.value, min(ends), max(ends))

    def __rtruediv__(self, other: float) -> Interval:
        return as_interval(other) / self

    def floor(self) -> Interval:
        """Whole numbers, rounded down; a hair below a whole number counts as that number."""
        return Interval(*(math.floor(x + 1e-9) for x in self.ends))

    def at_least(self, least: Interval | float) -> Interval:
        """No end below that of `least`."""
        b = as_interval(least)
        return Interval(*(max(x, y) for x, y in zip(self.ends, b.ends, strict=True)))

    def at_most(self, most: Interval | float) -> Interval:
        """No end above that of `most`."""
        b = as_interval(most)
        return Interval(*(min(x, y) for x, y in zip(self.ends, b.ends, strict=True)))

    @property
    def ends(self) -> tuple[float, float, float]:
        """Value, low, high."""
        return self.value, self.low, self.high

    def holds(self, number: float) -> bool:
        """Whether a number lies in the range; a hair outside it still does."""
        hair = 1e-9 * abs(number)
        return self.low - hair <= number <= self.high + hair

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.value:.3g}"
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


ZERO = Interval(0.0, 0.0, 0.0)
ONE = Interval(1.0, 1.0, 1.0)


def as_interval(number: Interval | float) -> Interval:
    """A plain number as the interval that holds nothing else."""
    return number if isinstance(number, Interval) else Interval(number, number, number)


def product(factors: Iterable[Interval]) -> Interval:
    """All factors multiplied; 1 where there is none."""
    result = ONE
    for factor in factors:
        result = result * factor
    return result


def total(parts: Iterable[Interval]) -> Interval:
    """All parts added; 0 where there is none."""
    return sum(parts, ZERO)
