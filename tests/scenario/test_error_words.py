"""What is wrong with capsim YAML is said in words: object, field, found, expected."""

from __future__ import annotations

from typing import Any

import pytest

from capsim.errors import InputError
from capsim.scenario import Scenario


def refusal(content: Any) -> str:
    with pytest.raises(InputError) as caught:
        Scenario.from_content(content, file="plan.yaml")
    return str(caught.value)


def test_a_document_that_is_no_mapping_is_refused() -> None:
    assert refusal(["x"]) == "plan.yaml: found ['x'], expected a mapping with kind: Scenario."


def test_a_bad_quantity_is_named_with_node_field_and_example(small: dict[str, Any]) -> None:
    small["nodes"][0]["allocatable"]["cpu"] = "four"
    assert refusal(small) == (
        "plan.yaml: nodes n1: allocatable: found 'four' of cpu, "
        "expected a quantity such as 250m or 2."
    )


def test_a_negative_amount_is_refused(small: dict[str, Any]) -> None:
    small["nodes"][0]["allocatable"]["memory"] = "-1Gi"
    assert "found '-1Gi' of memory, expected an amount that is not negative." in refusal(small)


def test_an_absurd_amount_is_refused(small: dict[str, Any]) -> None:
    small["nodes"][0]["allocatable"]["memory"] = "100Ei"
    assert "found '100Ei' of memory, expected an amount that some machine has." in refusal(small)


def test_a_misspelt_resource_gets_the_nearest_name(small: dict[str, Any]) -> None:
    small["nodes"][0]["allocatable"]["memroy"] = "1Gi"
    assert "found the resource 'memroy', expected one of cpu, memory" in refusal(small)
    assert "(did you mean 'memory'?)" in refusal(small)


def test_a_unit_of_an_unknown_template_gets_the_nearest_one(small: dict[str, Any]) -> None:
    small["units"][0]["template"] = "wab"
    small["units"][1]["template"] = "db"
    assert refusal(small).splitlines() == [
        "plan.yaml: unit default/a: found the template 'wab', "
        "expected a template of the scenario (did you mean 'web'?).",
        "plan.yaml: unit default/b: found the template 'db', expected a template of the scenario.",
    ]


def test_a_unit_on_an_unknown_node_gets_the_nearest_one(small: dict[str, Any]) -> None:
    small["nodes"][0]["name"] = "node-1"
    small["units"][0]["node"] = "node-2"
    assert refusal(small) == (
        "plan.yaml: unit default/a: found the node 'node-2', "
        "expected a node of the scenario (did you mean 'node-1'?)."
    )


def test_two_nodes_of_one_name_are_refused(small: dict[str, Any]) -> None:
    small["nodes"] *= 2
    assert "node n1: found 2 of this name, expected one." in refusal(small)


def test_two_units_of_one_name_are_refused(small: dict[str, Any]) -> None:
    small["units"] = [small["units"][0]] * 2
    assert "unit default/a: found 2 of this name, expected one." in refusal(small)


def test_an_unknown_field_is_named(small: dict[str, Any]) -> None:
    small["nodes"][0]["tains"] = []
    assert refusal(small) == (
        "plan.yaml: nodes n1: tains: found the unknown field 'tains', "
        "expected a field of the schema (did you mean 'taints'?)."
    )


def test_an_unknown_choice_gets_the_nearest_one(small: dict[str, Any]) -> None:
    small["nodes"][0]["taints"] = [{"key": "k", "effect": "NoSchdule"}]
    words = refusal(small)
    assert "found 'NoSchdule', expected one of NoSchedule, PreferNoSchedule, NoExecute" in words
    assert "(did you mean 'NoSchedule'?)" in words


def test_a_number_where_a_text_belongs_is_told_apart(small: dict[str, Any]) -> None:
    small["nodes"][0]["labels"] = {"tier": 1}
    assert "found 1, expected a text (numbers, true and false need quotes" in refusal(small)


def test_another_version_is_refused(small: dict[str, Any]) -> None:
    small["apiVersion"] = "capsim/v9"
    assert refusal(small) == "plan.yaml: apiVersion: found 'capsim/v9', expected 'capsim/v1'."


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("nodes", "n1", "found 'n1', expected a list."),
        ("nodes", ["n1"], "found 'n1', expected a mapping."),
        ("templates", [], "found [], expected a mapping."),
        ("units", [{"template": "web"}], "name: found nothing, expected a value."),
        ("profile", {"strategy": "Best"}, "expected one of LeastAllocated, MostAllocated"),
        ("profile", {"hardPodAffinityWeight": 101}, "found 101, expected at most 100."),
        ("profile", {"hardPodAffinityWeight": "x"}, "found 'x', expected a whole number."),
        ("profile", {"preemption": "maybe"}, "found 'maybe', expected true or false."),
    ],
)
def test_wrong_shapes_are_told_in_words(
    field: str, value: Any, words: str, small: dict[str, Any]
) -> None:
    assert words in refusal({**small, field: value})


def test_every_problem_is_listed_and_many_are_cut_short(small: dict[str, Any]) -> None:
    bad = {"allocatable": {"cpu": "x"}}
    small["nodes"] += [{"name": f"bad-{number}", **bad} for number in range(30)]
    lines = refusal(small).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 10 more problems."
