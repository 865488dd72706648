"""Several inputs make one scenario."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capsim.errors import InputError
from capsim.readers import read

MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop}
spec: {containers: [{name: main, resources: {requests: {cpu: 1, memory: 1Gi}}}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
"""


def test_files_of_several_formats_are_merged(reads: Any) -> None:
    csv = "vm,cpu,memory\nv,1,1\n"
    scenario = reads(MANIFEST, "a.yaml", (csv, "b.csv"), ("host,cpu,memory\nm,4,16\n", "c.csv"))
    assert {unit.key for unit in scenario.units} == {"shop/a", "default/v"}
    assert [node.name for node in scenario.nodes] == ["m"]


def test_paths_may_be_given_one_by_one_or_as_a_list(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(MANIFEST)
    two.write_text(MANIFEST.replace("name: a", "name: b"))
    assert read(one, str(two)) == read([one, two]) == read((str(one), two))
    assert read(one).name == "one"


def test_a_folder_is_read_whole_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.yaml").write_text(MANIFEST)
    (tmp_path / "sub" / "m.csv").write_text("host,cpu,memory\nm,4,16\n")
    (tmp_path / "README.md").write_text("words")
    (tmp_path / "prices.csv").write_text("date,price\n1,2\n")
    (tmp_path / "settings.json").write_text('{"colour": "red"}')
    (tmp_path / "nothing.yaml").write_text("# nothing yet\n")
    scenario = read(tmp_path)
    assert len(scenario.units) == len(scenario.nodes) == 1
    remarks = [remark.replace(f"{tmp_path}/", "") for remark in scenario.remarks]
    assert remarks[1] == (
        "Left out 3 files that hold nothing capsim plans with "
        "(nothing.yaml, prices.csv, settings.json)."
    )
    assert remarks[0].endswith(": left out 1 file of other endings (.md 1).")


def test_a_broken_file_in_a_folder_is_an_error_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MANIFEST)
    (tmp_path / "b.json").write_text('{"kind": ')
    with pytest.raises(InputError, match="JSON that breaks off"):
        read(tmp_path)


def test_a_folder_of_nothing_that_is_known_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(InputError, match="found nothing to plan"):
        read(tmp_path)


@pytest.mark.parametrize("first", ["json", "yaml"])
def test_an_object_in_two_files_is_counted_once(first: str, reads: Any, kube: Any) -> None:
    nodes, pods = [kube.node()], [kube.live_pod()]
    again = "\n---\n".join(json.dumps(item) for item in (*nodes, *pods))
    scenario = reads([*nodes, *pods], "one.json", (again, f"two.{first}"))
    assert len(scenario.units) == len(scenario.nodes) == 1


def test_two_dumps_of_one_cluster_may_differ_in_what_only_time_changes(
    reads: Any, kube: Any
) -> None:
    early, late = kube.node(), kube.node()
    early["status"]["conditions"] = [{"type": "Ready", "lastHeartbeatTime": "10:00"}]
    late["status"]["conditions"] = [{"type": "Ready", "lastHeartbeatTime": "10:05"}]
    late["metadata"] |= {"resourceVersion": "7", "managedFields": []}
    assert len(reads([early], "one.json", ([late], "two.json")).nodes) == 1


def test_objects_of_one_name_that_disagree_are_named_with_both_files(
    refuses: Any, kube: Any
) -> None:
    words = refuses([kube.node()], "one.json", ([kube.node(cpu="8")], "two.json"))
    assert words == (
        "two.json: Node n1: found an object that is stated differently in one.json, "
        "expected one statement of it."
    )


def test_objects_of_one_file_that_disagree_are_refused_too(refuses: Any, kube: Any) -> None:
    words = refuses([kube.pod(), kube.pod(priority=5)])
    assert words == (
        "input.yaml: Pod shop/web: found an object that is stated twice, and differently, "
        "expected one statement of it."
    )


def test_machines_of_one_name_in_two_formats_must_agree(refuses: Any, kube: Any) -> None:
    words = refuses([kube.node("m")], "one.json", ("host,cpu,memory\nm,8,16\n", "two.csv"))
    assert "one.json: Node m: found an object that is stated differently in two.csv" in words


def test_pods_of_one_name_in_two_namespaces_are_two(reads: Any, kube: Any) -> None:
    assert len(reads([kube.pod("a", "x"), kube.pod("a", "y")]).units) == 2


def test_generated_names_are_made_unique(reads: Any, kube: Any) -> None:
    pods = [kube.pod(), kube.pod()]
    for pod in pods:
        del pod["metadata"]["name"]
        pod["metadata"]["generateName"] = "run-"
    assert [unit.name for unit in reads(pods).units] == ["run-0", "run-1"]


def test_lists_in_any_form_are_opened(reads: Any, kube: Any) -> None:
    bare = {key: value for key, value in kube.pod("a").items() if key in ("metadata", "spec")}
    pod_list = json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [bare]})
    nested = json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": [json.loads(pod_list), kube.pod("b")]}
    )
    plain = json.dumps([kube.pod("a"), kube.pod("b")])
    lines = "\n".join(json.dumps(kube.pod(name)) for name in "ab")
    empty = json.dumps({"apiVersion": "v1", "kind": "List", "items": None})
    assert len(reads(pod_list).units) == 1
    assert len(reads(nested).units) == 2
    assert len(reads(plain).units) == 2
    assert len(reads(lines).units) == 2
    assert len(reads(empty, "a.json", (plain, "b.json")).units) == 2


def test_no_path_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="found no input, expected a file or folder"):
        read()
