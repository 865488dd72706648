"""Small processes that burn CPU time: started at rest, let go together, gone at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from capsim.calibrate.signals import undisturbed

#: Ends by itself when its parent is gone, or after a minute: load is bounded whatever happens.
_SPIN = """
import os, sys, time
busy, period = float(sys.argv[1]), float(sys.argv[2])
parent, end = os.getppid(), time.monotonic() + 60
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
due = time.monotonic()
while os.getppid() == parent and time.monotonic() < end:
    used = time.process_time() + busy
    while time.process_time() < used:
        for _ in range(200): pass
    due += period
    if due > time.monotonic(): time.sleep(due - time.monotonic())
"""


@contextmanager
def spinning(
    cpus: Sequence[int], *, busy_s: float = 0.05, period_s: float = 0.0
) -> Iterator[list[subprocess.Popen[str]]]:
    """One process on each CPU of `cpus`, waiting for `go`; all are killed at the end.

    busy_s, period_s: each burns busy_s of CPU time in every period_s, or all the time it gets.
    """
    made: list[subprocess.Popen[str]] = []
    try:
        for cpu in cpus:
            with undisturbed():
                made.append(_start(busy_s, period_s))
            with suppress(OSError):
                os.sched_setaffinity(made[-1].pid, {cpu})
        for worker in made:
            if worker.stdout is not None:
                worker.stdout.readline()
        yield made
    finally:
        with undisturbed():
            for worker in made:
                worker.kill()
                worker.communicate()


def _start(busy_s: float, period_s: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _SPIN, str(busy_s), str(period_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def go(workers: Sequence[subprocess.Popen[str]]) -> None:
    """Lets workers run, one right after the other."""
    for worker in workers:
        if worker.stdin is not None:
            worker.stdin.write("go\n")
            worker.stdin.flush()
