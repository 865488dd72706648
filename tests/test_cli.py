"""The command line is a contract: output, exit codes, and plain words for what is wrong."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from capsim import __version__
from capsim.cli import main

ROOT = Path(__file__).parents[1]
SAMPLE = str(ROOT / "data" / "clusters" / "sample")
CASES = ROOT / "tests" / "golden" / "scheduler" / "dev"

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: nginx, ports: [{containerPort: 80}]}
"""


class Run:
    """Runs the console script in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capture = monkeypatch, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self._patch.setattr(sys, "argv", ["capsim", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        said = self._capture.readouterr()
        assert isinstance(code, int)
        assert "Traceback" not in said.err
        return code, said.out, said.err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(monkeypatch, capsys)


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"capsim {__version__}\n", "")


def test_a_plan_of_the_sample_fits_one_screen_and_is_quiet_when_piped(run: Run) -> None:
    code, out, err = run("plan", SAMPLE)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) <= 24
    assert out.startswith("80 pods on 20 nodes: ")
    assert "Insufficient nvidia.com/gpu even on an empty node" in out


def test_json_output_holds_the_same_numbers(run: Run) -> None:
    code, out, _ = run("plan", SAMPLE, "--format", "json")
    told = json.loads(out)
    assert code == 0
    assert told["summary"]["units"] == 80
    assert told["summary"]["placed_units"] + told["summary"]["waiting_units"] == 80
    assert told["assumptions"]


def test_a_minimal_deployment_is_planned_with_one_remark_on_missing_requests(
    run: Run, tmp_path: Path
) -> None:
    manifest = tmp_path / "deployment.yaml"
    manifest.write_text(DEPLOYMENT)
    code, out, _ = run("plan", manifest)
    remarks = [line for line in out.splitlines() if line.startswith("Note:") and "request" in line]
    assert code == 0
    assert len(remarks) == 1
    assert "3 pods" in remarks[0]
    assert "all fit" in out


def test_out_writes_tables_figures_and_a_deck_and_leaves_other_files_alone(
    run: Run, tmp_path: Path
) -> None:
    other = tmp_path / "mine.txt"
    other.write_text("keep")
    code, out, _ = run("plan", SAMPLE, "--out", tmp_path)
    made = {file.name for file in tmp_path.iterdir()}
    assert code == 0
    assert {"units.csv", "units.parquet", "nodes.csv", "figures.html", "deck.pptx"} <= made
    assert other.read_text() == "keep"
    assert not [name for name in made if name.startswith(".")]
    assert len(pd.read_parquet(tmp_path / "units.parquet")) == 80
    assert f"Wrote {len(made) - 1} files" in out


@pytest.mark.parametrize("name", ["LeastAllocated", "mostallocated", "Most-Allocated"])
def test_a_strategy_goes_by_the_name_of_kubernetes_too_in_any_case(run: Run, name: str) -> None:
    code, out, _ = run("plan", SAMPLE, "--strategy", name)
    assert code == 0
    assert f"kube-scheduler, {name.replace('-', '')}".lower() in out.lower()


MACHINES = "name,cpu_cores,memory_gib,count\nbig,16,64,12\n"


def test_machines_alone_are_told_with_an_example_of_what_they_would_hold(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "machines.csv").write_text(MACHINES)
    code, out, _ = run("plan", tmp_path / "machines.csv", "--out", tmp_path / "out")
    assert code == 0
    assert out.startswith("12 nodes, and no workloads were given to place there.")
    assert "They would hold 192 pods of 1 core, 4 GiB each, an example: give workloads" in out
    assert "would do" not in out
    written = {file.stem: len(pd.read_csv(file)) for file in (tmp_path / "out").glob("*.csv")}
    assert written.keys() == {"nodes", "headroom", "assumptions"}
    assert (written["nodes"], written["headroom"]) == (12, 1)


def test_units_too_large_for_the_machines_are_told_beside_what_these_hold(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "machines.csv").write_text(MACHINES)
    (tmp_path / "vms.csv").write_text("name,cpu_cores,memory_gib,count\nweb,2,8,72\nhuge,32,8,8\n")
    _, out, _ = run("plan", tmp_path)
    assert (
        "On machines of 16 cores, 64 GiB alone: 9 machines hold 72 of 80 units; "
        "8 fit on no such machine (first-fit-decreasing; "
    ) in out
    assert "would do" not in out


def test_cpu_and_memory_that_nobody_requests_are_shown_as_zero(run: Run, tmp_path: Path) -> None:
    (tmp_path / "machines.csv").write_text(MACHINES)
    (tmp_path / "vms.csv").write_text("name,cpu_cores,memory_gib,count\nweb,0,0,3\n")
    _, out, _ = run("plan", tmp_path)
    lines = {line.split("  ")[0]: line.split()[2:] for line in out.splitlines()}
    assert lines["cpu (cores)"] == ["0", "192", "0.0%"]
    assert lines["memory (GiB)"] == ["0", "768", "0.0%"]


def test_a_second_reason_of_those_that_wait_is_told_shortly(run: Run) -> None:
    _, out, _ = run("plan", SAMPLE)
    assert (
        "  1 for Insufficient nvidia.com/gpu even on an empty node, on other nodes for "
        "node(s) had untolerated taint"
    ) in out


@pytest.mark.parametrize("strategy", ["most-allocated", "requested-to-capacity-ratio"])
def test_every_strategy_can_be_chosen(run: Run, strategy: str) -> None:
    code, out, _ = run("plan", SAMPLE, "--strategy", strategy)
    assert code == 0
    assert strategy.replace("-", "") in out.lower()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", "no-such-file.yaml"), "no-such-file.yaml"),
        (("plan", SAMPLE, "--headroom", "1"), "headroom is 1.0, expected a share"),
        (("plan", SAMPLE, "--overcommit-cpu", "0"), "overcommit of cpu is 0.0"),
        (("replay", "schedular", "x.json"), "did you mean 'scheduler'?"),
        (("replay", "scheduler", "x.json"), "nothing there"),
        (("bench", "plaice-openb"), "did you mean 'place-openb'?"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_exit_code_2(
    run: Run, arguments: tuple[str, ...], words: str
) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.strip().splitlines()) <= 3


def test_a_bad_input_writes_nothing(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "nodes.json"
    broken.write_text('{"kind": "List", "items": [')
    out = tmp_path / "out"
    code, _, err = run("plan", broken, "--out", out)
    assert code == 2
    assert "breaks off" in err
    assert not out.exists()


def test_an_out_that_is_a_file_is_refused(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.write_text("")
    code, _, err = run("plan", SAMPLE, "--out", target)
    assert code == 2
    assert "cannot be written" in err


def test_replay_prints_one_json_line_a_case_in_order(run: Run) -> None:
    names = ["a-fit-least-allocated-09", "h-image-locality-01"]
    code, out, _ = run("replay", "scheduler", *(CASES / f"{name}.json.gz" for name in names))
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [record["id"] for record in records] == names
    assert all(set(record) == {"id", "result", "seconds"} for record in records)


def test_check_says_that_recorded_decisions_are_identical(run: Run) -> None:
    names = ["a-fit-least-allocated-09", "h-image-locality-01"]
    paths = [CASES / f"{name}.json.gz" for name in names]
    decisions = sum(len(json.loads(gzip.decompress(p.read_bytes()))["decisions"]) for p in paths)
    code, out, _ = run("replay", "scheduler", *paths, "--check")
    assert (code, out) == (0, f"2 of 2 cases identical ({decisions:,} decisions)\n")


def test_check_names_the_cases_that_differ_and_fails(run: Run, tmp_path: Path) -> None:
    case = json.loads(gzip.decompress((CASES / "a-fit-least-allocated-09.json.gz").read_bytes()))
    pod = case["decisions"][1]["pod"]
    case["decisions"][1]["feasible"] += 1
    (tmp_path / "a.json").write_text(json.dumps(case))
    code, out, _ = run("replay", "scheduler", tmp_path, "--check")
    assert code == 1
    assert out.startswith("0 of 1 cases identical")
    assert f"{case['name']} (first at {pod}: feasible)" in out


def test_check_of_cases_without_recorded_decisions_is_refused(run: Run, tmp_path: Path) -> None:
    case = json.loads(gzip.decompress((CASES / "a-fit-least-allocated-09.json.gz").read_bytes()))
    del case["decisions"]
    (tmp_path / "a.json").write_text(json.dumps(case))
    code, _, err = run("replay", "scheduler", tmp_path, "--check")
    assert code == 2
    assert "No case carries what the real system did" in err


def test_check_of_a_case_that_cannot_be_replayed_fails(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"name": "odd", "pending": 3, "decisions": []}))
    code, out, _ = run("replay", "scheduler", tmp_path, "--check")
    assert code == 2
    assert "1 could not be replayed: odd: " in out


@pytest.mark.parametrize(
    ("family", "lines"),
    [
        ("cgroup-cpu", ["cores, one CPU or one group (71)", "throttled fraction (138)"]),
        ("cgroup-latency", ["p50", "p95", "p99", "throttled fraction"]),
    ],
)
def test_check_shows_how_far_the_model_is_off_the_kernel(
    run: Run, family: str, lines: list[str]
) -> None:
    code, out, _ = run("replay", family, CASES.parents[1] / "kernel" / "dev", "--check")
    assert code == 0
    assert "median       worst" in out
    assert all(any(line.startswith(name) for line in out.splitlines()) for name in lines)


def test_a_case_that_cannot_be_replayed_is_an_error_record_and_the_others_still_run(
    run: Run, tmp_path: Path
) -> None:
    strange = tmp_path / "a.json"
    strange.write_text(json.dumps({"cases": [{"name": "odd", "pending": 3}]}))
    good = CASES / "a-fit-least-allocated-09.json.gz"
    code, out, _ = run("replay", "scheduler", strange, good)
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 2
    assert set(records[0]) == {"id", "error"}
    assert records[1]["id"] == "a-fit-least-allocated-09"
