"""The JSON schema of capsim YAML."""

from __future__ import annotations

import json
from typing import Any

from capsim.scenario import Scenario, json_schema


def test_the_schema_is_plain_json_and_names_every_field_as_yaml_does() -> None:
    schema = json_schema()
    assert json.loads(json.dumps(schema)) == schema
    properties = schema["properties"]
    assert {"apiVersion", "kind", "nodes", "templates", "units", "priorityClasses"} <= set(
        properties
    )
    assert properties["kind"]["const"] == "Scenario"


def test_the_schema_explains_what_a_quantity_is() -> None:
    allocatable = json_schema()["$defs"]["Node"]["properties"]["allocatable"]
    assert "Kubernetes quantity" in json.dumps(allocatable)


def test_the_schema_knows_every_key_that_a_written_scenario_has(small: dict[str, Any]) -> None:
    schema = json_schema()
    written = Scenario.from_content(small).model_dump(mode="json", by_alias=True)
    assert set(written) <= set(schema["properties"])
    assert set(written["nodes"][0]) == set(schema["$defs"]["Node"]["properties"])
    assert set(written["templates"]["web"]) == set(schema["$defs"]["Template"]["properties"])


def test_fields_are_described() -> None:
    undescribed = [
        f"{model}.{name}"
        for model, content in json_schema()["$defs"].items()
        for name, field in content.get("properties", {}).items()
        if name in ("allocatable", "gpuDevices", "pinned", "overhead")
        and "description" not in field
    ]
    assert undescribed == []
