"""What the kernel and the machine take for basic work: calls, faults, switches, memory, disk."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit

from capsim.calibrate.measurement import CannotMeasure, Measured, of_repeats, of_threads, reason

_REPEATS = 5
_MIB = 2**20
_BLOCK = 4096
_COPY_BYTES = 128 * _MIB
_ECHO = """
import os
while byte := os.read(0, 1): os.write(1, byte)
"""


def syscall(calls: int) -> list[Measured]:
    """A trivial system call from compiled code: getppid, which no library answers by itself."""
    libc = ctypes.CDLL(None)
    getppid = libc.getppid
    getppid.restype, getppid.argtypes = ctypes.c_int, []

    @njit
    def many(count):  # type: ignore[no-untyped-def]
        total = 0
        for _ in range(count):
            total += getppid()
        return total

    many(1)
    found = [_seconds(lambda: many(calls)) / calls * 1e9 for _ in range(_REPEATS)]
    return [of_repeats("kernel", "syscall_time", found, "ns", "getppid from compiled code")]


def page_fault(mebibytes: int) -> list[Measured]:
    """The first touch of an anonymous 4 KiB page, zeroing included."""
    pages = mebibytes * _MIB // _BLOCK

    def touch() -> float:
        with mmap.mmap(-1, mebibytes * _MIB) as memory:
            if hasattr(mmap, "MADV_NOHUGEPAGE"):
                memory.madvise(mmap.MADV_NOHUGEPAGE)
            seconds = _touch(memory)
        return seconds / pages * 1e9

    found = [touch() for _ in range(_REPEATS)]
    return [of_repeats("kernel", "page_fault_time", found, "ns", "anonymous page of 4 KiB")]


def _touch(memory: mmap.mmap) -> float:
    """Seconds of a write to each page; a function of its own, so that the view is gone after."""
    view = np.frombuffer(memory, np.uint8)
    started = time.perf_counter()
    view[::_BLOCK] = 1
    return time.perf_counter() - started


def context_switch(rounds: int) -> list[Measured]:
    """Half a round trip of a byte between two processes on one CPU, less the calls themselves."""
    allowed = os.sched_getaffinity(0)
    try:
        found = [max(0.0, (_ping_pong(rounds) - _alone(rounds)) / 2 * 1e9) for _ in range(_REPEATS)]
    finally:
        os.sched_setaffinity(0, allowed)
    note = (
        "pipe ping-pong less the same calls without a switch; with Python's hand-over of its lock"
    )
    return [
        of_repeats("kernel", "context_switch_time", found, "ns", "two processes on a CPU", note)
    ]


def _ping_pong(rounds: int) -> float:
    """Seconds of a round trip between this process and another on the same CPU."""
    cpu = {min(os.sched_getaffinity(0))}
    other = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _ECHO],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )
    try:
        assert other.stdin is not None
        assert other.stdout is not None
        out, into = other.stdin.fileno(), other.stdout.fileno()
        os.sched_setaffinity(other.pid, cpu)
        os.sched_setaffinity(0, cpu)
        _exchange(out, into, rounds // 10)
        return _seconds(lambda: _exchange(out, into, rounds)) / rounds
    finally:
        other.kill()
        other.communicate()


def _exchange(out: int, into: int, rounds: int) -> None:
    for _ in range(rounds):
        os.write(out, b"x")
        os.read(into, 1)


def _alone(rounds: int) -> float:
    """Seconds of the four calls of a round trip in one process."""
    into, out = os.pipe()

    def calls() -> None:
        for _ in range(2 * rounds):
            os.write(out, b"x")
            os.read(into, 1)

    seconds = _seconds(calls) / rounds
    os.close(into)
    os.close(out)
    return seconds


def memory_bandwidth(threads: int) -> list[Measured]:
    """Bytes read and written a second by copying more than caches hold, on so many threads."""
    _enough_memory(2 * _COPY_BYTES)
    source = np.ones(_COPY_BYTES // 8)
    target = np.zeros_like(source)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))

    def copy() -> None:
        at_work = [threading.Thread(target=np.copyto, args=(b, a)) for a, b in parts]
        for thread in at_work:
            thread.start()
        for thread in at_work:
            thread.join()

    copy()
    found = [2 * _COPY_BYTES / _seconds(copy) / 1e9 for _ in range(_REPEATS)]
    applies = f"copy of {_COPY_BYTES // _MIB} MiB, {of_threads(threads)}"
    note = "bytes read plus bytes written"
    return [of_repeats("host", "memory_copy_bandwidth", found, "GB/s", applies, note)]


def _enough_memory(needed: int) -> None:
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next((int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line), 0)
    if free < 4 * needed:
        raise CannotMeasure(
            f"{4 * needed // _MIB} MiB of free memory are asked for, {free // _MIB} MiB are there"
        )


def disk(seconds: float, mebibytes: int = 64) -> list[Measured]:
    """Writing with fsync, and random reads past the page cache, in the folder for passing files."""
    folder = tempfile.gettempdir()
    where = f"files in {folder}"
    block = mmap.mmap(-1, _MIB)
    block.write(os.urandom(_MIB))
    with tempfile.NamedTemporaryFile(dir=folder, prefix="capsim-calibrate-") as file:
        written = [_write(file.fileno(), block, mebibytes) for _ in range(3)]
        synced = [_sync(file.fileno()) for _ in range(20)]
        reads = _random_reads(file.name, mebibytes, seconds)
    return [
        of_repeats("host", "disk_write_bandwidth", written, "MB/s", f"{where}, 1 MiB, then fsync"),
        of_repeats("host", "disk_fsync_time", synced, "ms", f"{where}, 4 KiB written before"),
        of_repeats("host", "disk_read_4k", reads, "IOPS", f"{where}, random, one at a time"),
    ]


def _write(file: int, block: mmap.mmap, mebibytes: int) -> float:
    def work() -> None:
        os.lseek(file, 0, os.SEEK_SET)
        for _ in range(mebibytes):
            os.write(file, block)
        os.fsync(file)

    return mebibytes * _MIB / _seconds(work) / 1e6


def _sync(file: int) -> float:
    os.pwrite(file, b"x" * _BLOCK, 0)
    return _seconds(lambda: os.fsync(file)) * 1e3


def _random_reads(name: str, mebibytes: int, seconds: float) -> list[float]:
    """Reads a second in each of three windows; O_DIRECT, so the page cache does not answer."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_DIRECT)
    except OSError as error:
        raise CannotMeasure(f"{name} cannot be read past the page cache: {reason(error)}") from None
    places = np.random.default_rng(0).integers(0, mebibytes * _MIB // _BLOCK, 1 << 16) * _BLOCK
    target, at, found = mmap.mmap(-1, _BLOCK), 0, []
    try:
        for _ in range(3):
            started, done = time.perf_counter(), 0
            while time.perf_counter() - started < seconds / 3:
                os.preadv(file, [target], int(places[at % len(places)]))
                done, at = done + 1, at + 1
            found.append(done / (time.perf_counter() - started))
    finally:
        os.close(file)
    return found


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
