"""CPU control groups of this host, version 1 or 2: made, set, read, and always taken away again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from capsim.calibrate.measurement import CannotMeasure, reason
from capsim.calibrate.signals import undisturbed

PREFIX = "capsim-calibrate-"
_PERIOD_US = 100_000
_PATIENCE_S = 2.0


@dataclass(frozen=True)
class Usage:
    """Counters of a group at one moment."""

    cpu_s: float
    periods: int
    throttled_periods: int

    def since(self, before: Usage) -> Usage:
        """What was added after `before`."""
        return Usage(
            self.cpu_s - before.cpu_s,
            self.periods - before.periods,
            self.throttled_periods - before.throttled_periods,
        )


@dataclass(frozen=True)
class Hierarchy:
    """Where groups can be made: one folder for version 2; for 1 also that of cpuacct."""

    version: int
    cpu: Path
    account: Path

    def group(self, name: str) -> Group:
        """Makes a group; `groups` is how to be sure that it goes away again."""
        full = f"{PREFIX}{os.getpid()}-{name}"
        folders = dict.fromkeys((self.cpu / full, self.account / full))
        try:
            for folder in folders:
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise CannotMeasure(
                f"a control group cannot be made in {self.cpu}: {reason(error)}"
            ) from None
        return Group(self.version, self.cpu / full, self.account / full)


@dataclass(frozen=True)
class Group:
    """One control group of this run."""

    version: int
    cpu: Path
    account: Path

    def limit(self, quota_cores: float | None, period_us: int = _PERIOD_US) -> None:
        """CPU time in each period; None: no limit."""
        quota = -1 if quota_cores is None else round(quota_cores * period_us)
        if self.version == 2:
            _write(self.cpu / "cpu.max", f"{'max' if quota < 0 else quota} {period_us}")
        else:
            _write(self.cpu / "cpu.cfs_period_us", str(period_us))
            _write(self.cpu / "cpu.cfs_quota_us", str(quota))

    def weigh(self, weight: int) -> None:
        """Weight against its siblings, in the scale of version 2: 100 is the default."""
        if self.version == 2:
            _write(self.cpu / "cpu.weight", str(weight))
        else:
            _write(self.cpu / "cpu.shares", str(round(weight * 1024 / 100)))

    def take(self, pid: int) -> None:
        """Moves a process into the group."""
        for folder in dict.fromkeys((self.cpu, self.account)):
            _write(folder / "cgroup.procs", str(pid))

    def usage(self) -> Usage:
        """The counters as they are now."""
        stat = dict(
            line.split()[:2] for line in _read(self.cpu / "cpu.stat").splitlines() if line.strip()
        )
        if self.version == 2:
            cpu_s = int(stat.get("usage_usec", "0")) / 1e6
        else:
            cpu_s = int(_read(self.account / "cpuacct.usage")) / 1e9
        return Usage(cpu_s, int(stat.get("nr_periods", 0)), int(stat.get("nr_throttled", 0)))

    def remove(self) -> None:
        """Kills what is left in the group and removes it; waits until the kernel lets go."""
        for folder in dict.fromkeys((self.cpu, self.account)):
            _remove(folder)


@contextmanager
def groups(hierarchy: Hierarchy, *names: str) -> Iterator[list[Group]]:
    """Groups that are removed at the end, whatever happens.

    >>> with groups(find(), "a", "b") as (first, second): ...
    """
    made: list[Group] = []
    try:
        for name in names:
            with undisturbed():
                made.append(hierarchy.group(name))
        yield made
    finally:
        with undisturbed():
            for group in made:
                group.remove()


def find(root: Path = Path("/")) -> Hierarchy:
    """The CPU groups of this host, in the group of this process or at the top.

    Raises: CannotMeasure with the reason where groups cannot be made.
    """
    mounts = _mounts(root)
    if "cpu" in mounts:
        at, account = mounts["cpu"], mounts.get("cpuacct", mounts["cpu"])
        return _checked(Hierarchy(1, _own(root, at, "cpu"), _own(root, account, "cpuacct")))
    if "" not in mounts:
        raise CannotMeasure("no cgroup file system with a cpu controller is mounted")
    at = mounts[""]
    for folder in dict.fromkeys((_own(root, at, ""), at)):
        if _offers_cpu(folder):
            return _checked(Hierarchy(2, folder, folder))
    raise CannotMeasure(f"the cpu controller is not handed down below {at}")


def _mounts(root: Path) -> dict[str, Path]:
    """Controller to mount point; "" is the unified hierarchy."""
    found: dict[str, Path] = {}
    for line in _read(root / "proc/self/mounts").splitlines():
        _, where, kind, options = line.split()[:4]
        place = root / where.lstrip("/")
        if kind == "cgroup2":
            found.setdefault("", place)
        elif kind == "cgroup":
            found |= {name: place for name in options.split(",") if name in ("cpu", "cpuacct")}
    return found


def _own(root: Path, mount: Path, controller: str) -> Path:
    """The folder of this process's group; the mount point where that is not seen from here."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            folder = mount / path.lstrip("/")
            return folder if folder.is_dir() else mount
    return mount


def _offers_cpu(folder: Path) -> bool:
    """Whether groups below a folder of version 2 have the cpu controller, asking for it if not."""
    control = folder / "cgroup.subtree_control"
    with suppress(OSError, CannotMeasure):
        if "cpu" not in _read(control).split():
            _write(control, "+cpu")
        return "cpu" in _read(control).split()
    return False


def _checked(hierarchy: Hierarchy) -> Hierarchy:
    """The hierarchy, if groups can be made in it; also takes away what a killed run left."""
    for folder in dict.fromkeys((hierarchy.cpu, hierarchy.account)):
        if not os.access(folder, os.W_OK):
            raise CannotMeasure(f"control groups cannot be made in {folder}: run it as root")
        for left in folder.glob(f"{PREFIX}*"):
            pid = left.name.removeprefix(PREFIX).split("-")[0]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                _remove(left)
    return hierarchy


def _remove(folder: Path) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while folder.is_dir():
        for pid in _processes(folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(OSError):
            _remove_directory(folder)
        if time.monotonic() > give_up:
            break
        time.sleep(0.01)


def _processes(folder: Path) -> list[int]:
    """Processes of a group, never this one."""
    with suppress(CannotMeasure):
        return [p for p in map(int, _read(folder / "cgroup.procs").split()) if p != os.getpid()]
    return []


def _remove_directory(folder: Path) -> None:
    folder.rmdir()


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise CannotMeasure(f"{file} cannot be read: {reason(error)}") from None


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        raise CannotMeasure(f"{text!r} cannot be written to {file}: {reason(error)}") from None
