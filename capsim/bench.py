"""The benchmark table: every row is measured in a process of its own, so that its memory is too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from capsim.errors import ModelError, nearest

_ROOT = Path(__file__).parents[1]


def rows(name: str | None = None) -> Iterator[dict[str, Any]]:
    """Rows of one benchmark or of all: name, size, seconds, peak memory, yardstick, ratio.

    Raises: ModelError for an unknown name, or where the benchmarks are not beside the package.
    """
    known = _names()
    if name is not None and name not in known:
        hint = nearest(name, known)
        raise ModelError(f"Unknown benchmark {name!r}{hint}; known: {', '.join(known)}.")
    for each in known if name is None else [name]:
        yield _row(each)


def _names() -> list[str]:
    if not (_ROOT / "benchmarks" / "run.py").is_file():
        raise ModelError("The benchmarks come with a checkout of capsim, not with the package.")
    listing = "from benchmarks.run import BENCHMARKS; print(*BENCHMARKS)"
    return _python("-c", listing).split()


def _row(name: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(_python("-m", "benchmarks.run", name).splitlines()[-1])
    return row


def _python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ModelError(f"The benchmark process failed: {last}")
    return done.stdout


def table(measured: Iterable[dict[str, Any]]) -> str:
    """Rows as text; the ratio says how many times longer the yardstick takes."""
    lines = [
        f"{'benchmark':33} {'size':42} {'min':>8} {'median':>8} {'max':>8} {'MiB':>7}"
        f" {'ratio':>7}  yardstick"
    ]
    for row in measured:
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.1f}x"
        lines.append(
            f"{row['name']:33} {row['size']:42} {_seconds(row['seconds_min'])}"
            f" {_seconds(row['seconds_median'])} {_seconds(row['seconds_max'])}"
            f" {row['peak_memory_mib']:>7,.0f} {ratio:>7}  {row['yardstick']}"
        )
    return "\n".join(lines)


def _seconds(value: float) -> str:
    return f"{value * 1000:>6.0f}ms" if value < 1 else f"{value:>7.2f}s"
