"""Whatever the input, only an InputError may come out."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capsim.errors import InputError
from capsim.readers import read

CONTAINER = {
    "name": "main",
    "image": "web:1",
    "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"cpu": 1}},
    "ports": [{"containerPort": 80, "hostPort": 8080, "hostIP": "0.0.0.0", "protocol": "TCP"}],
}
TERM = {
    "topologyKey": "zone",
    "labelSelector": {
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
    },
    "namespaceSelector": {},
    "matchLabelKeys": ["app"],
}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
TIE = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
POD_SPEC = {
    "containers": [CONTAINER],
    "initContainers": [{**CONTAINER, "restartPolicy": "Always"}],
    "resources": {"limits": {"memory": "2Gi"}},
    "overhead": {"cpu": "10m"},
    "nodeName": "n1",
    "nodeSelector": {"disk": "ssd"},
    "affinity": {
        "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [TIE]}},
        "podAntiAffinity": {REQUIRED: [TERM]},
    },
    "tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 3}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "priorityClassName": "high",
    "schedulingGates": [{"name": "a"}],
    "volumes": [
        {"name": "a", "persistentVolumeClaim": {"claimName": "data-web-0"}},
        {"name": "b", "ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "a"}}}},
        {"name": "c", "gcePersistentDisk": {"pdName": "a", "readOnly": True}},
        {"name": "d", "rbd": {"monitors": ["a"], "image": "b"}},
    ],
    "resourceClaims": [{"name": "gpu"}],
}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD_SPEC}


def thing(version: str, kind: str, spec: Any, **more: Any) -> dict[str, Any]:
    owner = {"kind": "DaemonSet", "name": "agent", "controller": True}
    metadata = {
        "name": "x",
        "namespace": "shop",
        "labels": {"app": "web", "apps.kubernetes.io/pod-index": "0"},
        "ownerReferences": [owner],
        "creationTimestamp": "2025-01-01T00:00:00Z",
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec, **more}


OBJECTS = [
    thing("v1", "Pod", POD_SPEC, status={
        "phase": "Running",
        "startTime": "2025-01-01T00:00:00Z",
        "containerStatuses": [{"name": "main", "allocatedResources": {"cpu": "1"}}],
    }),
    thing("v1", "Node", {"taints": [{"key": "a", "effect": "NoSchedule"}]}, status={
        "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"},
        "images": [{"names": ["web:1"], "sizeBytes": 1000}],
    }),
    thing("apps/v1", "Deployment", {"replicas": 2, "selector": {}, "template": TEMPLATE}),
    thing("apps/v1", "StatefulSet", {
        "replicas": 2,
        "ordinals": {"start": 1},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        "template": TEMPLATE,
    }),
    thing("apps/v1", "ReplicaSet", {"replicas": 2, "template": TEMPLATE}),
    thing("apps/v1", "DaemonSet", {"template": TEMPLATE}),
    thing("v1", "ReplicationController", {"selector": {"a": "b"}, "template": TEMPLATE}),
    thing("batch/v1", "Job", {"parallelism": 2, "completions": 3, "template": TEMPLATE}, status={
        "succeeded": 1, "conditions": [{"type": "Complete", "status": "False"}],
    }),
    thing("batch/v1", "CronJob", {"jobTemplate": {"spec": {"template": TEMPLATE}}}),
    thing("autoscaling/v2", "HorizontalPodAutoscaler", {
        "scaleTargetRef": {"kind": "Deployment", "name": "x"},
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": [{"type": "Resource"}],
    }),
    thing("policy/v1", "PodDisruptionBudget", {"minAvailable": "50%", "selector": {}}),
    thing("v1", "Service", {"selector": {"app": "web"}, "ports": [{"port": 80}]}),
    thing("networking.k8s.io/v1", "Ingress", {"rules": [
        {"http": {"paths": [{"backend": {"service": {"name": "x"}}}]}}
    ]}),
    thing("v1", "Namespace", {}),
    thing("scheduling.k8s.io/v1", "PriorityClass", None, value=5, globalDefault=True),
    thing("node.k8s.io/v1", "RuntimeClass", None, overhead={"podFixed": {"cpu": "1"}}),
    thing("v1", "LimitRange", {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}),
    thing("v1", "ResourceQuota", {"hard": {"pods": "5"}}),
    thing("v1", "PersistentVolumeClaim", {
        "storageClassName": "a",
        "resources": {"requests": {"storage": "5Gi"}},
        "accessModes": ["ReadWriteOnce"],
        "volumeName": "x",
        "selector": {},
    }, status={"phase": "Bound"}),
    thing("v1", "PersistentVolume", {
        "capacity": {"storage": "5Gi"},
        "accessModes": ["ReadWriteOnce"],
        "nodeAffinity": {"required": {"nodeSelectorTerms": [TIE]}},
        "claimRef": {"name": "x", "namespace": "shop"},
        "awsElasticBlockStore": {"volumeID": "aws://a/vol-1"},
    }, status={"phase": "Bound"}),
    thing("storage.k8s.io/v1", "StorageClass", None, provisioner="a", allowedTopologies=[
        {"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]},
    ]),
    thing("storage.k8s.io/v1", "CSINode", {
        "drivers": [{"name": "a", "allocatable": {"count": 5}, "topologyKeys": ["zone"]}],
    }),
    thing("storage.k8s.io/v1", "CSIDriver", {"storageCapacity": True}),
    thing("storage.k8s.io/v1", "CSIStorageCapacity", None, storageClassName="a", capacity="5Gi",
          nodeTopology={"matchLabels": {"zone": "a"}}),
]  # fmt: skip
SCENARIO = {
    "apiVersion": "capsim/v1",
    "kind": "Scenario",
    "nodes": [{"name": "n1", "allocatable": {"cpu": 4, "memory": "16Gi"}}],
    "templates": {"web": {"containers": [{"requests": {"cpu": "250m"}}]}},
    "units": [{"name": "a", "template": "web", "node": "n1"}],
    "workloads": [{"kind": "Deployment", "name": "web", "template": "web", "replicas": 1}],
    "profile": {"strategy": "MostAllocated", "scoreWeights": {"ImageLocality": 1}},
}
TABLES = [
    "name,count,cpu_cores,memory_gib,pods,gpu,labels,taints\nm,2,4,16,110,1,a=b,a=b:NoSchedule\n",
    "vm,count,cpu,memory,kind,priority,gpu_milli,resources\nv,2,0.5,512Mi,vm,5,500,a.b/c=1\n",
    "sn,cpu_milli,memory_mib,gpu,model\nn0,32000,262144,2,T4\n",
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time\np,600,128,1,460,T4,5\n",
]
JUNK = st.sampled_from(
    [
        *[None, True, False, 0, -1, 5, 2**31, 2**63, 10**400, 1.5, -0.0, 1e308, "", "x", "-1"],
        *["1e9999", "é\x00", "\ud800", "NaN", "10E", "*", [], [None], [[]], {}, {"": None}],
        *[{"a": {}}, ["a", 1], {"key": 1}, {"name": []}, {"name": "x"}, {"cpu": []}],
        *[{"metadata": None}, "x" * 5000],
    ]
)
NAMES = st.sampled_from(["spec", "metadata", "name", "kind", "a", "", "labels", "cpu", "1"])


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value inside a value."""
    if path:
        yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from paths(inner, (*path, key))


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """The value with one to three of its parts replaced, removed, doubled or added to."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        ways = list(paths(value))
        if not ways:
            break
        *way, last = draw(st.sampled_from(ways))
        parent = value
        for step in way:
            parent = parent[step]
        action = draw(st.sampled_from(["replace", "replace", "remove", "wrap", "add"]))
        if action == "remove":
            del parent[last]
        elif action == "wrap":
            parent[last] = draw(st.sampled_from([[parent[last]], {"a": parent[last]}]))
        elif action == "add" and isinstance(parent[last], dict):
            parent[last] = {**parent[last], draw(NAMES): copy.deepcopy(draw(JUNK))}
        else:
            parent[last] = copy.deepcopy(draw(JUNK))
    return value


@pytest.fixture(scope="module")
def attempt(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("fuzz")

    def reading(data: bytes, name: str = "input") -> None:
        path: Path = folder / name
        path.write_bytes(data)
        try:
            scenario = read(path)
        except InputError as error:
            refused = error.problems
        else:
            refused = ()
            scenario.to_yaml()
        assert all(problem.found and problem.expected for problem in refused)

    return reading


FUZZ = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("number", range(len(OBJECTS)), ids=lambda n: OBJECTS[n]["kind"])
def test_the_objects_to_mutate_are_valid_themselves(number: int, reads: Any, kube: Any) -> None:
    assert reads([kube.deployment("other"), OBJECTS[number]])


@FUZZ
@given(data=st.data())
def test_a_mutated_kubernetes_object_gives_a_scenario_or_an_input_error(
    data: st.DataObject, attempt: Any
) -> None:
    number = data.draw(st.integers(0, len(OBJECTS) - 1))
    changed = data.draw(mutated(OBJECTS[number]))
    content = {"apiVersion": "v1", "kind": "List", "items": [OBJECTS[1], changed, OBJECTS[2]]}
    attempt(json.dumps(content).encode())


@FUZZ
@given(data=st.data())
def test_a_mutated_list_of_everything_gives_a_scenario_or_an_input_error(
    data: st.DataObject, attempt: Any
) -> None:
    content = {"apiVersion": "v1", "kind": "List", "items": OBJECTS}
    attempt(json.dumps(data.draw(mutated(content))).encode())


@FUZZ
@given(data=st.data())
def test_a_mutated_scenario_gives_a_scenario_or_an_input_error(
    data: st.DataObject, attempt: Any
) -> None:
    attempt(json.dumps(data.draw(mutated(SCENARIO))).encode())


@FUZZ
@given(data=st.data())
def test_text_cut_and_overwritten_anywhere_gives_a_scenario_or_an_input_error(
    data: st.DataObject, attempt: Any
) -> None:
    texts = [json.dumps(OBJECTS[2], indent=1), json.dumps(SCENARIO), *TABLES, _as_yaml()]
    text = data.draw(st.sampled_from(texts)).encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    patches = st.binary(max_size=6) | st.sampled_from(
        [b"{{", b"[" * 500, b"&a *a", b"<<: ", b"!!x", b"\t", b'"', b"---\n", b",,,", b";", b"\n"]
    )
    attempt(text[:start] + data.draw(patches) + text[end:])


@FUZZ
@given(data=st.data())
def test_mutated_cells_give_a_scenario_or_an_input_error(data: st.DataObject, attempt: Any) -> None:
    rows = [line.split(",") for line in data.draw(st.sampled_from(TABLES)).splitlines()]
    row = data.draw(st.integers(0, len(rows) - 1))
    cell = data.draw(st.integers(0, len(rows[row]) - 1))
    rows[row][cell] = data.draw(
        st.sampled_from(["", "-1", "1e9", "x", "9" * 30, "٣", "1.5", "=", "a=b", ";", '"', "1_0"])
    )
    attempt("\n".join(",".join(row) for row in rows).encode())


@FUZZ
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_scenario_or_an_input_error(attempt: Any, data: bytes) -> None:
    attempt(data)


def _as_yaml() -> str:
    text: str = yaml.safe_dump(OBJECTS[3], sort_keys=False)
    return text
