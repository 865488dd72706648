"""What must be refused, in one sentence and without a trace."""

from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ('{"apiVersion": "v1", "kind": "Li', "a.json", "a.json: found JSON that breaks off at"),
        ("a: &a [*a]", "a.yaml", "a.yaml: line 1: found the alias *a, which stands for nothing"),
        ("!!python/object/apply:os.system ['ls']", "a.yaml", "a.yaml: line 1: found the tag !!py"),
        (
            "nodes: a string\nkind: Scenario",
            "a.yaml",
            "a.yaml: nodes: found 'a string', expected a",
        ),
        ("kind: Pod\nspec: 5\n", "a.yaml", "a.yaml: apiVersion: found nothing, expected a text"),
        (
            "apiVersion: v1\nkind: Pod\n",
            "a.yaml",
            "a.yaml: Pod (object 1): metadata: found nothing",
        ),
        ("apiVersion: v1\nkind: 5\n", "a.yaml", "a.yaml: kind: found 5, expected a text such as"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}", "a.yaml", "metadata.name: found nothing, expe"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: 5}", "a.yaml", "found 5, expected a name."),
        (
            "apiVersion: v1\nkind: List\nitems: {}\n",
            "a.yaml",
            "a.yaml: List: items: found {}, expected a",
        ),
        ("apiVersion: v1\nkind: List\nitems: [7]\n", "a.yaml", "a.yaml: items[0]: found 7, expect"),
        ("", "a.yaml", "a.yaml: found an empty file, expected JSON, YAML or CSV."),
        ("# nothing\n", "a.yaml", "a.yaml: found no object in it, expected JSON, YAML or CSV with"),
        (
            b"\x00\x01\x02",
            "a.yaml",
            "a.yaml: found a binary file, expected text: JSON, YAML or CSV.",
        ),
        (b"PK\x03\x04\x00\x00", "a.xlsx", "a.xlsx: found a binary file, expected text"),
        ("just words", "a.txt", "a.txt: found 'just words', expected one of: a capsim scenario"),
        (
            "services:\n  web: {image: x}\n",
            "compose.yaml",
            "found a mapping of services without ap",
        ),
        ("replicaCount: 1\n", "values.yaml", "found values of a Helm chart, expected rendered"),
        ("apiVersion: v2\nname: shop\n", "Chart.yaml", "Chart.yaml: found a Helm chart, expected"),
        (
            "resources: [a.yaml]\n",
            "kustomization.yaml",
            "kustomization.yaml: found a kustomization",
        ),
        (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
            "prod.yaml",
            "prod.yaml: found a kustomization, expected rendered manifests: `kubectl kustomize",
        ),
        ("kind: {{ .Values.kind }}\n", "a.yaml", "a.yaml: found a template with {{ }} in it"),
    ],
)
def test_bad_input_is_named_in_one_sentence(
    content: Any, name: str, words: str, refuses: Any
) -> None:
    said = refuses(content, name)
    assert words in said
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said


def test_a_valid_input_with_three_bad_objects_of_500_lists_all_three(
    refuses: Any, kube: Any
) -> None:
    objects = [kube.pod(f"pod-{number}") for number in range(250)]
    objects += [kube.node(f"node-{number}") for number in range(250)]
    objects[17]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "lots"}}
    objects[18]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "lots"}}
    objects[400]["status"]["allocatable"]["memory"] = "-4Gi"
    assert refuses(objects, "cluster.json").splitlines() == [
        "cluster.json: Node node-150: status.allocatable: found '-4Gi' of memory, "
        "expected an amount that is not negative.",
        "cluster.json: Pod shop/pod-17: spec.containers[main].resources.requests: "
        "found 'lots' of cpu, expected a quantity such as 250m or 2.",
        "cluster.json: Pod shop/pod-18: spec.containers[main].resources.requests: "
        "found 'lots' of cpu, expected a quantity such as 250m or 2.",
    ]


def test_problems_of_several_files_are_listed_together(refuses: Any, kube: Any) -> None:
    words = refuses(
        '{"kind": ', "a.json", ([kube.node(cpu="x")], "b.json"), ("vm,cpu,memory\na,x,1\n", "c.csv")
    )
    assert [line.split(":")[0] for line in words.splitlines()] == ["a.json", "c.csv", "b.json"]


def test_the_same_error_in_thousands_of_pods_is_cut_short(refuses: Any, kube: Any) -> None:
    bad = {"requests": {"cpu": "lots"}}
    pods = [kube.pod(f"p{n}", containers=[{"name": "a", "resources": bad}]) for n in range(3000)]
    lines = refuses(pods).splitlines()
    assert lines[-1] == "... and 2980 more problems."


def test_deep_values_inside_an_object_are_refused_or_ignored(reads: Any, kube: Any) -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    pod = json.dumps(kube.pod()).replace('"web"', '"web"', 1)
    text = pod[:-1] + f', "status": {{"conditions": {deep}}}}}'
    assert len(reads(text, "one.json", (text, "two.json")).units) == 1
