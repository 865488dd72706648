"""Input that is meant to hurt: a clear sentence, or what the real scheduler does; never a crash."""

from __future__ import annotations

from typing import Any

import pytest

import capsim as cs
from capsim.errors import InputError
from capsim.readers.kubernetes.scheduler_config import read_profiles

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
ZONE = "topology.kubernetes.io/zone"


def expression(operator: str, *values: str) -> dict[str, Any]:
    return {"key": "app", "operator": operator, "values": list(values)}


def near(selector: dict[str, Any], key: str = ZONE, kind: str = "podAffinity") -> dict[str, Any]:
    return {kind: {REQUIRED: [{"topologyKey": key, "labelSelector": selector}]}}


def on_nodes(*expressions: dict[str, Any]) -> dict[str, Any]:
    terms = [{"matchExpressions": list(expressions)}]
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}


def spread(**more: Any) -> list[dict[str, Any]]:
    fields = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"}
    return [{**fields, "labelSelector": {"matchLabels": {"app": "web"}}, **more}]


# Selectors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"affinity": near({"matchExpressions": [expression("Near", "a")]})}, "'Near'"),
        ({"affinity": on_nodes(expression("Equals", "a"))}, "'Equals'"),
        ({"affinity": on_nodes(expression("in", "a"))}, "'in'"),
        (
            {"affinity": near({"matchExpressions": [expression("Gt", "1")]})},
            "In, NotIn, Exists and DoesNotExist",
        ),
        (
            {"affinity": on_nodes(expression("In"))},
            "found In with 0 values for the label 'app', expected In with at least one value.",
        ),
        (
            {"affinity": on_nodes(expression("Exists", "a"))},
            "found Exists with 1 value for the label 'app', expected Exists with no values.",
        ),
        (
            {"affinity": on_nodes(expression("Lt", "1", "2"))},
            "found Lt with 2 values for the label 'app', expected Lt with one value",
        ),
        ({"topologySpreadConstraints": spread(maxSkew=0)}, "maxSkew"),
        ({"topologySpreadConstraints": spread(topologyKey="")}, "topologyKey"),
        ({"topologySpreadConstraints": spread(whenUnsatisfiable="Never")}, "'Never'"),
        ({"affinity": near({}, key="")}, "topologyKey"),
    ],
)
def test_selectors_that_no_api_server_takes_are_named(
    spec: Any, words: str, refuses: Any, kube: Any
) -> None:
    said = refuses([kube.node(), kube.pod(**spec)])
    assert words in said
    assert said.startswith("input.yaml: ")
    assert len(said.splitlines()) == 1


def test_a_number_that_is_none_matches_no_node(reads: Any, kube: Any) -> None:
    machine = kube.node()
    machine["metadata"]["labels"]["app"] = "ten"
    pod = kube.pod(affinity=on_nodes(expression("Gt", "1")))
    assert cs.place(reads([machine, pod])).pending["reason"].tolist() == [
        "node(s) didn't match Pod's node affinity/selector"
    ]


def test_what_a_cluster_has_admitted_is_not_checked_again(reads: Any, kube: Any) -> None:
    pod = kube.live_pod("web", node=None)
    pod["spec"]["affinity"] = on_nodes(expression("Exists", "a"))
    machine = kube.node()
    machine["metadata"]["labels"]["app"] = "x"
    assert cs.place(reads([machine, pod])).summary()["placed_units"] == 1


# Topology keys ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (
            {"topologySpreadConstraints": spread(topologyKey="moon")},
            "node(s) didn't match pod topology spread constraints (missing required label)",
        ),
        (
            {"affinity": near({"matchLabels": {"app": "web"}}, "moon")},
            "node(s) didn't match pod affinity rules",
        ),
        ({"affinity": near({"matchLabels": {"app": "web"}}, "moon", "podAntiAffinity")}, None),
        (
            {
                "topologySpreadConstraints": spread(
                    topologyKey="moon", whenUnsatisfiable="ScheduleAnyway"
                )
            },
            None,
        ),
    ],
)
def test_an_unknown_topology_key_is_taken_as_the_scheduler_does(
    spec: Any, reason: str | None, reads: Any, kube: Any
) -> None:
    pod = kube.pod(**spec)
    pod["metadata"]["labels"] = {"app": "web"}
    plan = cs.place(reads([kube.node("n1"), kube.node("n2"), pod]))
    assert plan.pending["reason"].tolist() == ([reason] if reason else [])
    plan.explain("web")


# Owners -------------------------------------------------------------------------------------


def owned(thing: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    reference = {"kind": kind, "name": name, "uid": "u", "controller": True}
    metadata = {**thing["metadata"], "ownerReferences": [reference]}
    return {**thing, "metadata": metadata}


def replica_set(name: str, template: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": 1, "template": template},
    }


@pytest.mark.parametrize("ring", [["a"], ["a", "b"], ["a", "b", "c", "d", "e", "f", "g"]])
def test_owners_in_a_ring_end_and_their_pods_are_placed(
    ring: list[str], reads: Any, kube: Any
) -> None:
    template = {"spec": {"containers": [kube.container()]}}
    sets = [
        owned(replica_set(name, template), "ReplicaSet", above)
        for name, above in zip(ring, [*ring[1:], ring[0]], strict=True)
    ]
    pod = owned(kube.pod("p"), "ReplicaSet", "a")
    plan = cs.place(reads([kube.node(), *sets, pod]))
    assert "shop/p" in [unit.key for unit in plan.scenario.units]
    assert plan.summary()["waiting_units"] == 0


def test_a_pod_that_owns_itself_is_placed(reads: Any, kube: Any) -> None:
    plan = cs.place(reads([kube.node(), owned(kube.pod("p"), "Pod", "p")]))
    assert plan.summary()["placed_units"] == 1


# Numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        PREFERRED: [
                            {
                                "weight": -5,
                                "preference": {"matchExpressions": [expression("Exists")]},
                            }
                        ]
                    }
                }
            },
            "weight",
        ),
        (
            {
                "affinity": {
                    "podAntiAffinity": {
                        PREFERRED: [{"weight": -1, "podAffinityTerm": {"topologyKey": ZONE}}]
                    }
                }
            },
            "weight",
        ),
        ({"topologySpreadConstraints": spread(minDomains=-1)}, "minDomains"),
        ({"priority": 2**40}, "priority"),
    ],
)
def test_numbers_out_of_range_are_named_with_their_field(
    spec: Any, field: str, refuses: Any, kube: Any
) -> None:
    said = refuses([kube.node(), kube.pod(**spec)])
    assert field in said
    assert len(said.splitlines()) == 1


def test_a_negative_weight_of_a_plugin_is_named() -> None:
    enabled = [{"name": "NodeResourcesFit", "weight": -3}]
    config = {"profiles": [{"plugins": {"score": {"enabled": enabled}}}]}
    with pytest.raises(InputError) as caught:
        read_profiles(config, "scheduler.yaml")
    assert str(caught.value) == (
        "scheduler.yaml: KubeSchedulerConfiguration NodeResourcesFit: weight: found -3, "
        "expected a whole number from 0 to 100."
    )


# Sizes and names ----------------------------------------------------------------------------


def test_ten_thousand_labels_on_a_node_and_on_a_pod_are_taken(reads: Any, kube: Any) -> None:
    labels = {f"label-{i}": str(i) for i in range(10_000)}
    machines = [kube.node(f"n{i}") for i in range(3)]
    for machine in machines:
        machine["metadata"]["labels"] |= labels
    pods = [
        kube.pod(f"p{i}", nodeSelector=labels, topologySpreadConstraints=spread(topologyKey=key))
        for i, key in enumerate(("label-7", ZONE))
    ]
    for pod in pods:
        pod["metadata"]["labels"] = {**labels, "app": "web"}
    scenario = reads([*machines, *pods])
    plan = cs.place(scenario)
    plan.explain("p0")
    assert plan.summary()["waiting_units"] == 0


def test_a_selector_of_ten_thousand_labels_that_no_node_has_is_explained(
    reads: Any, kube: Any
) -> None:
    labels = {f"label-{i}": str(i) for i in range(10_000)}
    plan = cs.place(reads([kube.node(), kube.pod(nodeSelector=labels)]))
    assert "No single change" in str(plan.explain("web"))


@pytest.mark.parametrize(
    "name", ["größe-7", "узел", "节点", "🚀-1", "a b\tc", "x" * 5000, "%{y}$z"]
)
def test_names_in_any_script_are_taken(name: str, reads: Any, kube: Any) -> None:
    machine, pod = kube.node(name), kube.pod(name)
    machine["metadata"]["labels"][name] = name
    pod["spec"]["nodeSelector"] = {name: name}
    plan = cs.place(reads([machine, pod]))
    assert plan.table["node"].tolist() == [name]
    assert plan.explain(f"shop/{name}").node == name
    assert plan.explain(name)._repr_html_()
    cs.figures.utilisation_map(plan).to_json()
    again = cs.Scenario.from_content(_loaded(plan.scenario.to_yaml()))
    assert again.nodes[0].name == name


def _loaded(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)


def test_pods_that_differ_in_local_storage_alone_are_told_apart(reads: Any, kube: Any) -> None:
    pods = [kube.pod("a"), kube.pod("b", volumes=[{"name": "x", "emptyDir": {}}])]
    scenario = reads([kube.node(), *pods])
    local = [scenario.templates[unit.template].local_storage for unit in scenario.units]
    assert local == [False, True]
