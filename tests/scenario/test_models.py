"""What the models of a scenario know of themselves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from capsim.scenario import (
    LabelSelector,
    Node,
    NodeSelector,
    Requirement,
    Scenario,
    SchedulerProfile,
    Taint,
    Template,
    TemplateTable,
    Toleration,
    print_resources,
    read_resources,
)


def requirement(operator: str, *values: str) -> Requirement:
    return Requirement.model_validate({"key": "k", "operator": operator, "values": values})


@pytest.mark.parametrize(
    ("operator", "values", "label", "matches"),
    [
        ("In", ["a", "b"], "b", True),
        ("In", ["a"], None, False),
        ("NotIn", ["a"], "b", True),
        ("NotIn", ["a"], None, True),
        ("NotIn", ["a"], "a", False),
        ("Exists", [], "", True),
        ("Exists", [], None, False),
        ("DoesNotExist", [], None, True),
        ("DoesNotExist", [], "x", False),
        ("Gt", ["5"], "6", True),
        ("Gt", ["5"], "5", False),
        ("Gt", ["5"], "six", False),
        ("Lt", ["5"], "-1", True),
        ("Lt", ["x"], "1", False),
        ("Lt", [], "1", False),
        ("Gt", ["1"], "9223372036854775808", False),
        ("Gt", ["1"], " 2", False),
        ("Gt", ["1"], "1_0", False),
    ],
)
def test_a_requirement_matches_as_in_kubernetes(
    operator: str, values: list[str], label: str | None, matches: bool
) -> None:
    labels = {} if label is None else {"k": label}
    assert requirement(operator, *values).matches(labels) is matches


def test_an_empty_label_selector_chooses_all_and_an_empty_node_term_nothing() -> None:
    assert LabelSelector().matches({})
    selector = NodeSelector.model_validate({"nodeSelectorTerms": [{}]})
    assert not selector.matches({"a": "b"}, "n1")
    assert not NodeSelector().matches({}, "n1")


def test_a_node_term_can_name_the_node() -> None:
    field = {"key": "metadata.name", "operator": "In", "values": ["n1"]}
    selector = NodeSelector.model_validate({"nodeSelectorTerms": [{"matchFields": [field]}]})
    assert selector.matches({}, "n1")
    assert not selector.matches({}, "n2")


def test_a_label_selector_knows_no_numbers() -> None:
    with pytest.raises(ValidationError, match="a label selector knows In, NotIn"):
        LabelSelector(match_expressions=(requirement("Gt", "1"),))


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "k", "operator": "", "value": "v"}, True),
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, True),
        ({"key": "k", "value": "v", "effect": "NoExecute"}, False),
    ],
)
def test_a_toleration_tolerates_as_in_kubernetes(
    toleration: dict[str, Any], tolerated: bool
) -> None:
    taint = Taint(key="k", value="v", effect="NoSchedule")
    assert Toleration.model_validate(toleration).tolerates(taint) is tolerated


def test_cpu_is_kept_in_millicores_and_the_rest_in_whole_units_rounded_up() -> None:
    found = read_resources({"cpu": "0.5m", "memory": "100m", "vendor.com/gpu": 2})
    assert found == {"cpu": 1, "memory": 1, "vendor.com/gpu": 2}


def test_kubelets_resource_names_are_known() -> None:
    names = ["cpu", "memory", "pods", "ephemeral-storage", "hugepages-2Mi", "vendor.com/gpu"]
    names.append("attachable-volumes-aws-ebs")
    assert list(read_resources(dict.fromkeys(names, "1"))) == names


@given(st.dictionaries(st.sampled_from(["cpu", "memory", "pods", "a.b/c"]), st.integers(0, 2**53)))
def test_printed_resources_read_back(amounts: dict[str, int]) -> None:
    assert read_resources(print_resources(amounts)) == amounts


@pytest.mark.parametrize("text", [True, None, [], {}, "1 Gi", float("nan")])
def test_what_is_no_amount_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="expected a quantity such as 512Mi or 4Gi"):
        read_resources({"memory": text})


def test_true_is_no_amount_even_after_one_was_read() -> None:
    assert read_resources({"pods": 1}) == {"pods": 1}
    with pytest.raises(ValueError, match="expected a quantity"):
        read_resources({"pods": True})


def test_a_node_tells_zone_rack_shape_and_size() -> None:
    labels = {"topology.kubernetes.io/zone": "a", "topology.kubernetes.io/region": "r", "rack": "7"}
    allocatable = {"cpu": "3500m", "memory": "14Gi"}
    content = {"name": "n", "labels": labels, "allocatable": allocatable, "gpuDevices": 2}
    node = Node.model_validate(content)
    assert (node.zone, node.region, node.rack) == ("a", "r", "7")
    assert node.shape == node.size == "3.5 cores, 14 GiB, 2 GPUs"
    labels["node.kubernetes.io/instance-type"] = "m6i.xlarge"
    assert Node.model_validate(content).shape == "m6i.xlarge"


def test_equal_templates_get_one_key_and_taken_names_a_number() -> None:
    table = TemplateTable()
    assert table.key(Template(), "shop/web") == "shop/web"
    assert table.key(Template(), "shop/api") == "shop/web"
    assert table.key(Template(priority=1), "shop/web") == "shop/web#2"
    assert table.key(Template(priority=2), "shop/web") == "shop/web#3"
    assert list(table.templates) == ["shop/web", "shop/web#2", "shop/web#3"]


def test_a_template_kept_under_its_key_stays_there_though_another_is_equal() -> None:
    table = TemplateTable()
    assert table.keep("a", Template()) == "a"
    assert table.keep("b", Template()) == "b"
    assert table.keep("a", Template(priority=1)) == "a#2"
    assert table.key(Template(), "c") == "a"


def test_replacing_fields_checks_the_scenario_again(small: dict[str, Any]) -> None:
    scenario = Scenario.from_content(small)
    assert scenario.replace(nodes=scenario.nodes, name="what-if").name == "what-if"
    with pytest.raises(ValidationError, match="unit default/a has the node 'n1'"):
        scenario.replace(nodes=())


def test_a_summary_counts_and_adds_up(small: dict[str, Any]) -> None:
    summary = Scenario.from_content(small).summary()
    assert summary["nodes"] == 1
    assert (summary["units"], summary["waiting_units"]) == (2, 1)
    assert (summary["allocatable_cores"], summary["allocatable_memory_gib"]) == (4, 16)


def test_a_ratio_strategy_needs_a_rising_shape() -> None:
    with pytest.raises(ValidationError, match="needs a shape"):
        SchedulerProfile(strategy="RequestedToCapacityRatio")
    points = [{"utilization": 100, "score": 0}, {"utilization": 0, "score": 10}]
    with pytest.raises(ValidationError, match="rising utilization"):
        SchedulerProfile.model_validate({"shape": points})
