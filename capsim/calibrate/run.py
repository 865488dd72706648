"""calibrate: all measurements one after the other, interruptible, within three minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from capsim.calibrate import costs, cpu, kvm
from capsim.calibrate.cgroups import Hierarchy, find
from capsim.calibrate.measurement import (
    CannotMeasure,
    Measured,
    NotMeasured,
    of_threads,
    reason,
)
from capsim.calibrate.signals import Interrupted, raised
from capsim.errors import ModelError
from capsim.stack.parameters import COLUMNS

_FORMATS = (".csv", ".yaml", ".yml")


@dataclass(frozen=True)
class Step:
    """One measurement: what it is called and how it is made."""

    name: str
    measure: Callable[[], list[Measured]]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What was measured on this host, and what was not, with the reasons."""

    measured: tuple[Measured, ...]
    not_measured: tuple[NotMeasured, ...]
    seconds: float
    signal_number: int = 0
    """Of the signal that ended it early; 0 where none did."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """The platform profile: one row a parameter, in the columns of data/platforms."""
        return pd.DataFrame([each.row() for each in self.measured], columns=list(COLUMNS))

    def summary(self) -> dict[str, float]:
        """The measured values by parameter; of several cases the first."""
        found: dict[str, float] = {}
        for each in self.measured:
            found.setdefault(f"{each.parameter} ({each.unit})", each.value)
        return found

    def save(self, file: Path) -> None:
        """Writes the profile as CSV or YAML, by the name's ending.

        Raises: ModelError for another ending, or a file that cannot be written.
        """
        kind = profile_format(file)
        try:
            if kind == ".csv":
                self.table.to_csv(file, index=False)
            else:
                file.write_text(yaml.safe_dump(self._plain(), sort_keys=False, allow_unicode=True))
        except OSError as error:
            raise ModelError(f"{file}: cannot be written ({reason(error)}).") from None

    def _plain(self) -> dict[str, Any]:
        return {
            "profile": [each.row() for each in self.measured],
            "not_measured": [{"what": e.what, "why": e.why} for e in self.not_measured],
        }

    def __str__(self) -> str:
        lines = [
            f"{each.parameter:<26}{_number(each.value):>12} {each.unit:<6}"
            f" ({_number(each.low)} to {_number(each.high)})  {each.applies_to}"
            for each in self.measured
        ]
        lines += [f"not measured: {each.what}: {each.why}." for each in self.not_measured]
        return "\n".join([*lines, f"{self.seconds:.0f} s in all."])


def profile_format(file: Path) -> str:
    """The ending of a profile's name: .csv, .yaml or .yml.

    Raises: ModelError for another.
    """
    if file.suffix not in _FORMATS:
        raise ModelError(
            f"{file}: found the ending {file.suffix!r}, expected one of {', '.join(_FORMATS)}."
        )
    if file.parent != Path() and not file.parent.is_dir():
        raise ModelError(f"{file}: the folder {file.parent} does not exist.")
    return file.suffix


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def calibrate(
    *, quick: bool = False, begin: Callable[[str, int, int], None] = lambda name, at, of: None
) -> Calibration:
    """Measures this host: CPU quotas and weights, kernel costs, memory, disk, and a tiny VM.

    Uses at most two CPUs at a time and 0.3 GB of memory. What this host does not allow is left
    out with the reason. SIGINT and SIGTERM end it early; what was finished is kept, and its
    control groups and processes are gone either way.

    Parameters: quick, shorter windows (about 15 s in all instead of a minute); begin, called
    with the name, number and count of steps at the start of each.
    Returns: Calibration.
    Model: docs/how-to/calibrate.md.

    >>> calibrate(quick=True).table
    """
    steps = _steps(quick)
    measured: list[Measured] = []
    missing: list[NotMeasured] = []
    started, at, number = time.monotonic(), 0, 0
    try:
        with raised():
            for at, step in enumerate(steps):
                begin(step.name, at, len(steps))
                _take(step, measured, missing)
            at = len(steps)
    except Interrupted as interruption:
        number = interruption.number
        missing += [NotMeasured(step.name, "interrupted") for step in steps[at:]]
    return Calibration(
        tuple(measured), tuple(missing), time.monotonic() - started, signal_number=number
    )


def _take(step: Step, measured: list[Measured], missing: list[NotMeasured]) -> None:
    try:
        measured += step.measure()
    except CannotMeasure as why:
        missing.append(NotMeasured(step.name, str(why)))
    except OSError as error:
        missing.append(NotMeasured(step.name, reason(error)))


def _steps(quick: bool) -> list[Step]:
    """In order: those that need control groups, then those that need nothing, then the VM."""
    seconds, short = (1.2, 0.3) if quick else (6.0, 3.0)
    return [
        *_quota_steps(seconds),
        *_weight_steps(seconds),
        Step("system call", lambda: costs.syscall(100_000 if quick else 2_000_000)),
        Step("page fault", lambda: costs.page_fault(32 if quick else 128)),
        Step("context switch", lambda: costs.context_switch(2_000 if quick else 20_000)),
        *(
            Step(f"memory bandwidth, {of_threads(n)}", lambda n=n: costs.memory_bandwidth(n))  # type: ignore[misc]
            for n in sorted({1, min(2, len(cpu.allowed_cpus()))})
        ),
        Step("disk", lambda: costs.disk(short)),
        Step("virtual machine, exits", lambda: kvm.exits(2_000 if quick else 50_000)),
        Step("virtual machine, start", lambda: kvm.start(3 if quick else 20)),
    ]


def _quota_steps(seconds: float) -> Iterator[Step]:
    for quota, threads in ((0.1, 1), (0.3, 1), (0.7, 1), (1.0, 2)):
        yield Step(
            f"quota of {quota:g} cores, {of_threads(threads)}",
            lambda quota=quota, threads=threads: cpu.throttling(  # type: ignore[misc]
                _hierarchy(), quota, threads, seconds
            ),
        )
    yield Step(
        "quota of 0.5 cores, 20 % asked", lambda: cpu.steady(_hierarchy(), 0.5, 0.2, seconds)
    )


def _weight_steps(seconds: float) -> Iterator[Step]:
    for pair in ((100, 100), (200, 100), (800, 100)):
        yield Step(
            f"weights {pair[0]} and {pair[1]}",
            lambda pair=pair: cpu.weights(_hierarchy(), pair, seconds),  # type: ignore[misc]
        )


def _hierarchy() -> Hierarchy:
    return find()


def busy_share(seconds: float = 0.5) -> float:
    """Share of the machine's CPU time that others use at the moment, 0 to 1."""
    busy_before, before = _ticks()
    time.sleep(seconds)
    busy_after, after = _ticks()
    return (busy_after - busy_before) / max(1, after - before)


def _ticks() -> tuple[int, int]:
    """Clock ticks of all CPUs since the start: busy, and in all. Source: proc(5), /proc/stat."""
    line = Path("/proc/stat").read_text().split("\n")[0]
    fields = [int(field) for field in line.split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)
