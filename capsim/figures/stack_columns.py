"""The columns of numbers of the picture of stacks: values, ranges, labels, axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from capsim.figures import theme
from capsim.figures.resources import Float32

if TYPE_CHECKING:
    from capsim.stack.compare import StackComparison
    from capsim.stack.interval import Interval

_GIB = 2**30
_ROOM = 1.62
"""Of an axis against its longest bar, for the number beside it."""
_BEYOND_WORST = 1.6
"""An axis of slow-downs ends so much beyond the worst value at least: ranges beyond are cut."""
_LEAST_SECONDS = 1e-4


@dataclass(frozen=True)
class Series:
    """One column: values with their distance to the ends, labels and where they stand."""

    x: Float32
    minus: Float32
    plus: Float32
    label_x: Float32
    labels: list[str]
    span: tuple[float, float]
    """The range of the axis."""


def stack_series(comparison: StackComparison) -> tuple[Series, Series, Series, Series]:
    """The four columns of numbers: units, memory taken, slow-down, start."""
    every = comparison.stacks
    taken = [stack.filling.taken.memory / _GIB for stack in every]
    return (
        _from_zero([s.units for s in every], [f"{s.units.value:,.0f}" for s in every]),
        _from_zero(taken, [_gib(each) for each in taken]),
        _slow([s.slowdown for s in every]),
        _starts([s.start for s in every]),
    )


def _gib(taken: Interval) -> str:
    return f"{taken.value:.0f}" if taken.value >= 10 else f"{taken.value:.1f}"


def _from_zero(figures: list[Interval], labels: list[str]) -> Series:
    most = max((each.high for each in figures), default=1.0) or 1.0
    return _series(figures, labels, (0.0, _ROOM * _round_end(most)))


def _round_end(most: float) -> float:
    """The next of 1, 1.5, 2, 3, 5, 7, 10, ...: an axis that stays where it is for small moves."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 1.5, 2, 3, 5, 7, 10) if step * power >= most)


def _slow(figures: list[Interval]) -> Series:
    """From 1 on, logarithmic; ranges that leave the axis are cut at its end."""
    worst = max(each.value for each in figures)
    end = _round_end(max(worst * _BEYOND_WORST, 1.5))
    labels = [_slow_label(each) for each in figures]
    room = math.log10(end)
    return _series(figures, labels, (-0.04 * room, 1.75 * room), cut=end)


def _slow_label(factor: Interval) -> str:
    if factor.high - 1 < 0.005:
        return "<b>×1</b>"
    digits = 2 if factor.high < 10 else 1
    high = f"{factor.high:.{digits}f}" if factor.high < 10 else f"{factor.high:.0f}"
    return (
        f"<b>×{factor.value:.2f}</b><br><span style='font-size:11px;color:{theme.SOFT}'>"
        f"{factor.low:.2f} to {high}</span>"
    )


def _starts(figures: list[Interval]) -> Series:
    labels = [f"<b>{seconds(each.value)}</b>" for each in figures]
    raised = [each.at_least(_LEAST_SECONDS) for each in figures]
    low = math.floor(math.log10(min(each.low for each in raised)))
    high = math.ceil(math.log10(max(each.high for each in raised)))
    room = max(high - low, 1.0)
    return _series(raised, labels, (low - 0.04 * room, high + 0.4 * room))


def seconds(value: float) -> str:
    """A time as people say it.

    >>> seconds(0.25), seconds(57.2), seconds(122)
    ('250 ms', '57 s', '2 min')
    """
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 99.5:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    return f"{value / 60:.0f} min"


def _series(
    figures: list[Interval],
    labels: list[str],
    span: tuple[float, float],
    *,
    cut: float = math.inf,
) -> Series:
    value, low, high = (
        np.array([getattr(each, end) for each in figures], dtype=np.float32)
        for end in ("value", "low", "high")
    )
    high = np.maximum(np.minimum(high, np.float32(cut)), value)
    minus, plus = value - low, high - value
    certain = (minus == 0) & (plus == 0)
    minus[certain] = plus[certain] = np.nan
    return Series(value, minus, plus, high, labels, span)


def label_texts(series: Series, gap: int) -> list[str]:
    """Labels with so many blanks between them and what they are beside."""
    blanks = "&nbsp;" * gap
    return [blanks + label.replace("<br>", f"<br>{blanks}") for label in series.labels]
