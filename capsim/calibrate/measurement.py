"""What a step of the calibration gives: measured parameters, or the reason why there are none."""

from __future__ import annotations

import datetime
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from capsim.stack.parameters import COLUMNS


@dataclass(frozen=True)
class Measured:
    """One parameter with the smallest and largest of its repeats."""

    layer: str
    parameter: str
    value: float
    low: float
    high: float
    unit: str
    applies_to: str
    note: str = ""
    expected: float | None = None
    """What the model says, where it says something."""

    def row(self) -> dict[str, object]:
        """The row of a platform profile."""
        values = (
            "this_host",
            f"Linux {platform.release()}",
            self.layer,
            self.parameter,
            *(_rounded(number) for number in (self.value, self.low, self.high)),
            self.unit,
            self.applies_to,
            "measured on this host by capsim calibrate",
            datetime.date.today().isoformat(),
            "yes",
            self.note,
        )
        return dict(zip(COLUMNS, values, strict=True))


@dataclass(frozen=True)
class NotMeasured:
    """What could not be measured, and why."""

    what: str
    why: str


class CannotMeasure(Exception):
    """This host does not allow a measurement; the message is the reason, for NotMeasured."""


def of_repeats(
    layer: str, parameter: str, repeats: Sequence[float], unit: str, applies_to: str, note: str = ""
) -> Measured:
    """The median of repeats, with their smallest and largest."""
    middle = statistics.median(repeats)
    return Measured(layer, parameter, middle, min(repeats), max(repeats), unit, applies_to, note)


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")


def reason(error: OSError) -> str:
    """An operating-system error as the end of a sentence."""
    return (error.strerror or str(error)).lower()


def of_threads(threads: int) -> str:
    """A number of threads in words."""
    return f"{threads} thread{'' if threads == 1 else 's'}"
