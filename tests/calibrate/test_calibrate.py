"""calibrate: on a made-up cgroup file system, and for real where the host allows it."""

from __future__ import annotations

import csv
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from capsim.calibrate import cgroups, check_rows, command, expected, kvm, run, workers
from capsim.calibrate.cgroups import PREFIX, Hierarchy, Usage, find, groups
from capsim.calibrate.measurement import CannotMeasure, Measured, NotMeasured
from capsim.calibrate.run import Calibration, Step, calibrate
from capsim.calibrate.signals import Interrupted, raised, undisturbed
from capsim.errors import ModelError
from capsim.stack.parameters import COLUMNS

V1_MOUNTS = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""
V2_MOUNTS = "cgroup2 /sys/fs/cgroup cgroup2 rw,relatime 0 0\n"


def host(root: Path, mounts: str, own: str, **files: str) -> Path:
    """A made-up host: mounts, this process's groups, and files by their path."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mounts").write_text(mounts)
    (root / "proc/self/cgroup").write_text(own)
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def real() -> str:
    """Why groups cannot be made here; empty where they can."""
    try:
        find()
    except CannotMeasure as why:
        return str(why)
    return ""


def left_over() -> list[Path]:
    return [p for p in Path("/sys/fs/cgroup").glob(f"**/{PREFIX}*") if p.is_dir()]


@pytest.fixture
def removable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real cgroup folder goes with its control files; one in a test folder must be emptied."""
    monkeypatch.setattr(cgroups, "_remove_directory", shutil.rmtree)


def test_version_1_is_found_by_its_mounts_and_the_group_of_this_process(tmp_path: Path):
    own = "4:cpu,cpuacct:/slice\n0::/\n"
    root = host(tmp_path, V1_MOUNTS, own, **{"sys/fs/cgroup/cpu,cpuacct/slice/cpu.stat": ""})
    folder = root / "sys/fs/cgroup/cpu,cpuacct/slice"
    assert find(root) == Hierarchy(1, folder, folder)


def test_version_2_asks_for_the_cpu_controller_where_it_is_not_handed_down(tmp_path: Path):
    control = "sys/fs/cgroup/cgroup.subtree_control"
    root = host(tmp_path, V2_MOUNTS, "0::/\n", **{control: "memory"})
    folder = root / "sys/fs/cgroup"
    with pytest.raises(CannotMeasure, match="not handed down"):
        find(root)
    assert (root / control).read_text() == "+cpu"
    (root / control).write_text("cpu memory")
    assert find(root) == Hierarchy(2, folder, folder)


def test_a_host_without_groups_says_so(tmp_path: Path):
    with pytest.raises(CannotMeasure, match="no cgroup file system"):
        find(host(tmp_path, "proc /proc proc rw 0 0\n", ""))


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    control = "sys/fs/cgroup/cgroup.subtree_control"
    root = host(tmp_path, V2_MOUNTS, "0::/\n", **{control: "cpu"})
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CannotMeasure, match=r"sys/fs/cgroup: run it as root"):
        find(root)


@pytest.mark.usefixtures("removable")
def test_quota_and_weight_are_written_as_each_version_wants_them(tmp_path: Path):
    for version, wanted in (
        (1, {"cpu.cfs_quota_us": "25000", "cpu.cfs_period_us": "100000", "cpu.shares": "2048"}),
        (2, {"cpu.max": "25000 100000", "cpu.weight": "200"}),
    ):
        with groups(Hierarchy(version, tmp_path, tmp_path), f"v{version}") as (group,):
            group.limit(0.25)
            group.weigh(200)
            group.take(4_000_000)
            written = {file.name: file.read_text() for file in group.cpu.iterdir()}
            assert written == {**wanted, "cgroup.procs": "4000000"}
            group.limit(None)
            limit = "cpu.max" if version == 2 else "cpu.cfs_quota_us"
            assert (group.cpu / limit).read_text() in ("max 100000", "-1")
            (group.cpu / "cgroup.procs").write_text("")


@pytest.mark.usefixtures("removable")
def test_counters_are_read_as_each_version_has_them(tmp_path: Path):
    stat = "usage_usec 1500000\nnr_periods 20\nnr_throttled 5\nthrottled_usec 7\n"
    for version in (1, 2):
        with groups(Hierarchy(version, tmp_path, tmp_path), f"v{version}") as (group,):
            (group.cpu / "cpu.stat").write_text(stat)
            (group.cpu / "cpuacct.usage").write_text("1500000000\n")
            assert group.usage() == Usage(1.5, 20, 5)


@pytest.mark.usefixtures("removable")
def test_groups_go_away_when_the_work_in_them_fails(tmp_path: Path):
    def work() -> None:
        with groups(Hierarchy(2, tmp_path, tmp_path), "a", "b"):
            assert len(list(tmp_path.iterdir())) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("removable")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_groups_go_away_when_a_signal_comes(tmp_path: Path, number: signal.Signals):
    def work() -> None:
        with raised(), groups(Hierarchy(2, tmp_path, tmp_path), "a"):
            os.kill(os.getpid(), number)
            time.sleep(1)

    with pytest.raises(Interrupted):
        work()
    assert not list(tmp_path.iterdir())


def test_a_signal_waits_until_clearing_away_is_done():
    done = []

    def work() -> None:
        with raised(), undisturbed():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
            done.append("cleared")

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as caught:
        work()
    assert done == ["cleared"]
    assert caught.value.number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.usefixtures("removable")
def test_what_a_killed_run_left_is_taken_away_by_the_next(tmp_path: Path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    control = "sys/fs/cgroup/cgroup.subtree_control"
    root = host(tmp_path, V2_MOUNTS, "0::/\n", **{control: "cpu"})
    dead, alive = (root / f"sys/fs/cgroup/{PREFIX}{pid}-x" for pid in (gone.pid, os.getpid()))
    dead.mkdir()
    alive.mkdir()
    find(root)
    assert (dead.exists(), alive.exists()) == (False, True)


def test_workers_are_gone_at_the_end():
    with workers.spinning([0], busy_s=0.01, period_s=0.1) as made:
        workers.go(made)
    assert made[0].returncode == -signal.SIGKILL


def test_a_worker_ends_by_itself_when_its_parent_is_killed():
    """The parent starts a worker, tells its number and is killed at once."""
    code = (
        "import os, signal\n"
        "from capsim.calibrate.workers import go, spinning\n"
        "with spinning([0], busy_s=0.01) as made:\n"
        "    go(made); print(made[0].pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert gone(int(told.stdout))


def gone(pid: int) -> bool:
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().split()[2] == "Z":
            return True
        time.sleep(0.05)
    return False


amounts = st.floats(0.01, 10)


@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=8), st.floats(0.1, 8))
def test_shares_are_work_conserving_and_never_above_demand(
    pairs: list[tuple[float, float]], capacity: float
):
    weights, demands = zip(*pairs, strict=True)
    got = expected.shares(capacity, weights, demands)
    assert sum(got) == pytest.approx(min(capacity, sum(demands)))
    assert all(g <= d + 1e-9 for g, d in zip(got, demands, strict=True))
    short = [g / w for g, w, d in zip(got, weights, demands, strict=True) if g < d - 1e-9]
    assert all(level == pytest.approx(max(short)) for level in short)


def test_steps_that_fail_give_their_reason_and_the_others_run(monkeypatch: pytest.MonkeyPatch):
    row = Measured("kernel", "p", 1.0, 0.9, 1.1, "ns", "x")

    def refuse() -> list[Measured]:
        raise CannotMeasure("it is closed")

    def break_() -> list[Measured]:
        raise PermissionError(1, "Operation not permitted")

    steps = [Step("first", refuse), Step("second", break_), Step("third", lambda: [row])]
    monkeypatch.setattr(run, "_steps", lambda quick: steps)
    began: list[tuple[str, int, int]] = []
    found = calibrate(begin=lambda *told: began.append(told))
    assert found.measured == (row,)
    assert found.not_measured == (
        NotMeasured("first", "it is closed"),
        NotMeasured("second", "operation not permitted"),
    )
    assert began == [("first", 0, 3), ("second", 1, 3), ("third", 2, 3)]
    assert "not measured: first: it is closed." in str(found)


def test_a_signal_keeps_what_was_finished_and_names_the_rest(monkeypatch: pytest.MonkeyPatch):
    row = Measured("kernel", "p", 1.0, 0.9, 1.1, "ns", "x")

    def stop() -> list[Measured]:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
        return []

    steps = [Step("first", lambda: [row]), Step("second", stop), Step("third", lambda: [row])]
    monkeypatch.setattr(run, "_steps", lambda quick: steps)
    found = calibrate()
    assert found.measured == (row,)
    assert [each.what for each in found.not_measured] == ["second", "third"]
    assert found.signal_number == signal.SIGTERM


def test_the_profile_has_the_columns_of_the_bundled_platforms(tmp_path: Path):
    row = Measured("kernel", "syscall_time", 123.456789, 100, 150, "ns", "getppid")
    found = Calibration((row,), (NotMeasured("disk", "no room"),), 1.0)
    found.save(tmp_path / "host.csv")
    found.save(tmp_path / "host.yaml")
    written = list(csv.DictReader((tmp_path / "host.csv").open()))
    assert tuple(written[0]) == COLUMNS
    assert (written[0]["value"], written[0]["unit"]) == ("123.457", "ns")
    assert written[0]["source"] == "measured on this host by capsim calibrate"
    plain = yaml.safe_load((tmp_path / "host.yaml").read_text())
    assert plain["profile"][0]["value"] == 123.457
    assert plain["not_measured"] == [{"what": "disk", "why": "no room"}]
    bundled = Path(__file__).parents[2] / "data/platforms/isolation.csv"
    assert tuple(next(csv.reader(bundled.open()))) == COLUMNS


def test_a_profile_of_another_kind_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(command, "calibrate", lambda **_: pytest.fail("measured"))
    for name, words in (("host.txt", r"ending '.txt', expected one of"), ("no/h.csv", "folder")):
        with pytest.raises(ModelError, match=words):
            command.run(tmp_path / name, check=False, quick=True, begin=lambda *_: None)


def test_check_holds_what_was_measured_against_the_model():
    close = Measured("kernel", "a", 0.31, 0.3, 0.32, "cores", "x", expected=0.30)
    far = Measured("kernel", "b", 0.5, 0.4, 0.6, "share", "y", expected=1.0)
    silent = Measured("kernel", "c", 9.0, 8.0, 10.0, "ns", "z")
    rows = check_rows(Calibration((close, far, silent), (), 1.0))
    assert rows["within"].tolist() == [True, False]
    assert rows["off"].tolist() == pytest.approx([0.01, -0.5])


@pytest.mark.skipif(bool(real()), reason=f"no control groups here: {real()}")
def test_a_real_run_agrees_with_the_rules_and_leaves_nothing(tmp_path: Path):
    """One quota and one pair of weights, on the real kernel; tolerant of a busy host."""
    from capsim.calibrate import cpu

    used, throttled = cpu.throttling(find(), 0.2, 1, 1.0)
    assert used.value == pytest.approx(0.2, abs=0.05)
    assert throttled.value == pytest.approx(1.0, abs=0.1)
    (share,) = cpu.weights(find(), (300, 100), 1.0)
    assert share.value == pytest.approx(0.75, abs=0.08)
    assert not [p for p in left_over() if p.name.startswith(f"{PREFIX}{os.getpid()}-")]


@pytest.mark.skipif(bool(real()), reason=f"no control groups here: {real()}")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_run_that_is_interrupted_leaves_no_group_and_no_process(
    tmp_path: Path, number: signal.Signals
):
    out = tmp_path / "host.csv"
    running = subprocess.Popen(
        [sys.executable, "-m", "capsim", "calibrate", "--quick", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    mine = f"{PREFIX}{running.pid}-"
    give_up = time.monotonic() + 60
    while not any(p.name.startswith(mine) for p in left_over()) and time.monotonic() < give_up:
        time.sleep(0.05)
    time.sleep(0.3)
    running.send_signal(number)
    text, errors = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    assert "Interrupted; its processes and control groups are gone." in text
    assert not errors
    assert not [p for p in left_over() if p.name.startswith(mine)]
    assert out.exists()


@pytest.mark.skipif(not os.access(kvm.DEVICE, os.R_OK | os.W_OK), reason="no /dev/kvm here")
def test_a_tiny_machine_starts_and_exits():
    try:
        found = [*kvm.exits(50, repeats=1), *kvm.start(repeats=1)]
    except CannotMeasure as why:
        pytest.skip(str(why))
    assert all(math.isfinite(each.value) and each.value > 0 for each in found)
    assert [each.parameter for each in found] == [
        "vm_exit_to_user_time",
        "vm_exit_time",
        "vm_create_time",
    ]


def test_without_the_device_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(kvm, "DEVICE", str(tmp_path / "kvm"))
    with pytest.raises(CannotMeasure, match="cannot be opened: no such file or directory"):
        kvm.start(repeats=1)
