"""capsim.replay: recorded cases of the real kube-scheduler are decided as they were."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from capsim.errors import InputError, ModelError
from capsim.replay import replay
from tests.reference import replay as reference
from tests.reference.generate import FAMILIES, Family, random_case

Json = dict[str, Any]

DEV = sorted((Path(__file__).parent / "golden" / "scheduler" / "dev").glob("*.json.gz"))


def case_name(path: Path) -> str:
    return path.name.removesuffix(".json.gz")


def read(path: Path) -> Json:
    return json.loads(gzip.decompress(path.read_bytes()))


def records(*paths: Path) -> list[Json]:
    return list(replay("scheduler", paths))


# Recorded and random cases ------------------------------------------------------------------


@pytest.mark.parametrize("path", DEV, ids=case_name)
def test_a_recorded_case_is_decided_in_every_field(path):
    case = read(path)
    (record,) = records(path)
    assert (record["id"], record.get("error")) == (case["name"], None)
    pairs = zip(record["result"], case["decisions"], strict=True)
    assert next(((got, real) for got, real in pairs if got != real), None) is None
    assert record["seconds"] > 0


def test_all_recorded_cases_are_here():
    assert Counter(path.name[0] for path in DEV) == dict(
        a=10, b=10, c=12, d=10, e=10, f=14, g=14, h=8, i=14, j=8, k=4
    )


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_random_cases_are_decided_as_by_the_reference(tmp_path, family):
    cases = [random_case(Random(seed), family) | {"name": f"seed {seed}"} for seed in range(10)]
    for case, record in zip(cases, records(write(tmp_path, {"cases": cases})), strict=True):
        assert (record["id"], record.get("error")) == (case["name"], None)
        assert (record["id"], record["result"]) == (case["name"], reference(case))


def test_everything_at_once_is_decided_as_by_the_reference(tmp_path):
    features = frozenset().union(*(family.features for family in FAMILIES.values()))
    mixed = Family(features, nodes=(2, 9), pods=(0, 9), pending=(1, 12))
    with patch.dict(FAMILIES, mixed=mixed):
        cases = [random_case(Random(seed), "mixed") for seed in range(60)]
    found = records(write(tmp_path, {"cases": cases}))
    assert [record.get("result") for record in found] == [reference(case) for case in cases]


def test_a_pod_of_a_daemon_set_goes_to_the_node_that_its_affinity_names(tmp_path):
    case = small_case()
    field = {"key": "metadata.name", "operator": "In", "values": ["n2"]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    (pod,) = case["pending"]
    pod["spec"]["affinity"] = affinity
    pod["metadata"]["ownerReferences"] = [{"kind": "DaemonSet", "name": "a", "controller": True}]
    (record,) = records(write(tmp_path, case))
    assert record["result"] == reference(case)
    assert record["result"][0]["filtered"]["n1"]["plugin"] == "PreFilterResult"


def test_a_pending_pod_that_names_its_node_is_not_there_from_the_start(tmp_path):
    case = small_case()
    named = json.loads(json.dumps(case["pending"][0]))
    named["metadata"]["name"], named["spec"]["nodeName"] = "named", "n1"
    lost = json.loads(json.dumps(named))
    lost["metadata"]["name"], lost["spec"]["nodeName"] = "lost", "gone"
    case["pending"] += [named, lost]
    (record,) = records(write(tmp_path, case))
    assert record["result"] == reference(case)
    assert [decision["node"] for decision in record["result"]] == ["n1", "n1", None]


def test_a_compact_case_leaves_the_details_out(tmp_path):
    full, compact = small_case(), small_case() | {"detail": "compact"}
    (long,), (short,) = records(write(tmp_path, full, "a")), records(write(tmp_path, compact, "b"))
    assert long["result"] == reference(full)
    assert short["result"] == reference(compact)
    assert set(long["result"][0]) - set(short["result"][0]) == {"scores", "best"}


# Formats ------------------------------------------------------------------------------------


def small_case(name: str = "small") -> Json:
    return {
        "name": name,
        "detail": "full",
        "nodes": [
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": node, "labels": {}},
                "spec": {},
                "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}},
            }
            for node in ("n1", "n2")
        ],
        "pods": [],
        "pending": [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {
                    "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}],
                },
            }
        ],
    }


def write(folder: Path, content: Any, name: str = "case") -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content))
    return path


def test_a_file_may_hold_one_case(tmp_path):
    (record,) = records(write(tmp_path, small_case()))
    assert record["id"] == "small"
    assert record["result"] == reference(small_case())


def test_a_file_may_be_gzipped(tmp_path):
    path = tmp_path / "case.json.gz"
    path.write_bytes(gzip.compress(json.dumps(small_case()).encode()))
    assert records(path)[0]["result"] == reference(small_case())


def test_a_file_may_hold_several_cases(tmp_path):
    cases = [small_case("one"), small_case("two")]
    assert [r["id"] for r in records(write(tmp_path, {"cases": cases}))] == ["one", "two"]


def test_a_folder_stands_for_its_case_files_in_order_of_their_names(tmp_path):
    write(tmp_path, small_case("second"), "b")
    write(tmp_path, small_case("first"), "a")
    (tmp_path / "README.md").write_text("not a case")
    assert [r["id"] for r in records(tmp_path)] == ["first", "second"]


def test_several_paths_are_replayed_one_after_the_other(tmp_path):
    later, sooner = write(tmp_path, small_case("z"), "z"), write(tmp_path, small_case("a"), "a")
    assert [r["id"] for r in records(later, sooner)] == ["z", "a"]


def test_a_path_may_be_a_text(tmp_path):
    path = write(tmp_path, small_case())
    assert [r["id"] for r in replay("scheduler", [str(path)])] == ["small"]


@pytest.mark.parametrize(("key", "given"), [("id", "id"), (None, "case.json[0]")])
def test_a_case_without_a_name_goes_by_its_id_or_by_its_place(tmp_path, key, given):
    case = small_case()
    del case["name"]
    (record,) = records(write(tmp_path, case | ({key: "id"} if key else {})))
    assert record["id"] == given


def test_cases_are_replayed_as_they_are_asked_for(tmp_path):
    write(tmp_path, small_case("good"), "a")
    (tmp_path / "b.json").write_text("{")
    stream = replay("scheduler", [tmp_path])
    assert next(stream)["id"] == "good"
    with pytest.raises(InputError):
        next(stream)


# What cannot be replayed --------------------------------------------------------------------


def refused(*paths: Path, family: str = "scheduler") -> str:
    with pytest.raises((InputError, ModelError)) as caught:
        list(replay(family, paths))
    return str(caught.value)


def test_an_unknown_family_is_named_with_the_nearest_one():
    assert refused(family="schedular") == (
        "Unknown family 'schedular' (did you mean 'scheduler'?); known: scheduler, "
        "cgroup-cpu, cgroup-latency."
    )


def test_a_missing_path_is_an_error(tmp_path):
    assert refused(tmp_path / "gone.json") == (
        f"{tmp_path}/gone.json: found nothing there, expected a file or folder of cases."
    )


def test_a_folder_without_cases_is_an_error(tmp_path):
    assert refused(tmp_path) == f"{tmp_path}: found no cases, expected files .json or .json.gz."


BROKEN = {
    "empty.json": b"",
    "truncated.json": b'{"nodes": [',
    "binary.json": bytes(range(256)),
    "deep.json": b"[" * 100_000,
    "plain.json.gz": b"{}",
    "truncated.json.gz": gzip.compress(json.dumps(small_case()).encode())[:-20],
    "corrupt.json.gz": b"\x1f\x8b\x08\x00" + b"\xff" * 40,
    "flipped.json.gz": gzip.compress(bytes(range(256)) * 9)[:30] + b"\x00" * 99,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_an_error_that_names_it(tmp_path, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    said = refused(tmp_path / name)
    assert said.startswith(f"{tmp_path}/{name}: found unreadable content (")
    assert said.endswith("), expected JSON, plain or gzipped.")
    assert "\n" not in said


def test_a_case_that_cannot_be_replayed_does_not_stop_the_others(tmp_path):
    storing = small_case("storing")
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    storing["pending"][0]["spec"]["volumes"] = [claim]
    cases = [small_case("one"), storing, 7, {"name": "bare"}, small_case("two")]
    found = records(write(tmp_path, {"cases": cases}))
    assert [r["id"] for r in found] == ["one", "storing", "case.json[2]", "bare", "two"]
    assert ["result" in r for r in found] == [True, False, False, False, True]
    assert [r["error"] for r in found[1:4]] == [
        "shop/web: its claims need persistentvolumeclaims in the case.",
        "case.json[2] is not a case (a mapping).",
        "bare: found a case of another shape, expected lists of objects, and pending.",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nodes": 5}, "found a case of another shape"),
        ({"pending": None}, "found a case of another shape"),
        ({"pending": [{"metadata": {}}]}, "found a case of another shape"),
        ({"nodes": [5]}, "found a case of another shape"),
        ({"config": 5}, "a KubeSchedulerConfiguration"),
        ({"nodes": [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}]}, "no cpu"),
    ],
)
def test_a_case_of_another_shape_gives_one_sentence(tmp_path, change, said):
    (record,) = records(write(tmp_path, small_case() | change))
    assert record["id"] == "small"
    assert said in record["error"]
    assert "Traceback" not in record["error"]


def test_bad_objects_of_a_case_are_named(tmp_path):
    case = small_case()
    case["nodes"][1]["status"]["allocatable"]["cpu"] = "lots"
    (record,) = records(write(tmp_path, case))
    assert "Node n2" in record["error"]
    assert "'lots'" in record["error"]


@pytest.mark.parametrize("family", ["cgroup-cpu", "cgroup-latency"])
def test_a_folder_of_several_families_gives_the_cases_of_the_one_asked_for(family):
    folder = Path(__file__).parent / "golden" / "kernel" / "dev"
    found = [record["id"] for record in replay(family, [folder])]
    assert found == [record["id"] for record in replay(family, [folder / f"{family}.json"])]
    assert len(found) > 20
