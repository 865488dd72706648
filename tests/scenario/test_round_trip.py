"""A scenario survives YAML, whatever is in it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capsim.readers import yaml_events
from capsim.scenario import Scenario

_NAMES = st.text("abc-09", min_size=1, max_size=6)
#: Texts that YAML likes to take for something else.
_TRICKY = st.sampled_from(
    [
        *[
            "yes",
            "on",
            "null",
            "~",
            "1e3",
            "0x1F",
            "0o17",
            "010",
            "1:30",
            "2020-01-01",
            ".5",
            "-",
            "=",
        ],
        *[
            "<<",
            "true",
            "1_000",
            "*a",
            "&a",
            "!x",
            "{",
            "[",
            "#",
            "a: b",
            " x ",
            "é",
            "",
            "1.",
            "+1",
        ],
    ]
)
_TEXTS = _TRICKY | st.text(max_size=8)
_LABELS = st.dictionaries(_NAMES | _TRICKY, _TEXTS, max_size=3)
_AMOUNTS = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.integers(0, 10**7).map(lambda m: f"{m}m"),
        "memory": st.integers(0, 2**50),
        "pods": st.integers(0, 1000),
        "ephemeral-storage": st.integers(0, 2**45),
        "hugepages-2Mi": st.integers(0, 2**30),
        "vendor.com/gpu": st.integers(0, 16),
    },
)
_REQUIREMENTS = st.fixed_dictionaries(
    {"key": _NAMES, "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"])},
    optional={"values": st.lists(_TEXTS, max_size=2)},
)
_SELECTORS = st.fixed_dictionaries(
    {}, optional={"matchLabels": _LABELS, "matchExpressions": st.lists(_REQUIREMENTS, max_size=2)}
)
_TERMS = st.fixed_dictionaries(
    {"topologyKey": _NAMES},
    optional={"labelSelector": _SELECTORS, "namespaces": st.lists(_NAMES, max_size=2)},
)
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NODE_TERMS = st.fixed_dictionaries(
    {}, optional={"matchExpressions": st.lists(_REQUIREMENTS, max_size=2)}
)
_AFFINITIES = st.fixed_dictionaries(
    {},
    optional={
        "podAntiAffinity": st.fixed_dictionaries(
            {}, optional={_REQUIRED: st.lists(_TERMS, max_size=2)}
        ),
        "nodeAffinity": st.fixed_dictionaries(
            {},
            optional={
                _REQUIRED: st.fixed_dictionaries(
                    {"nodeSelectorTerms": st.lists(_NODE_TERMS, max_size=2)}
                ),
                _PREFERRED: st.lists(
                    st.fixed_dictionaries(
                        {"weight": st.integers(1, 100), "preference": _NODE_TERMS}
                    ),
                    max_size=2,
                ),
            },
        ),
    },
)
_SPREADS = st.fixed_dictionaries(
    {
        "maxSkew": st.integers(1, 5),
        "topologyKey": _NAMES,
        "whenUnsatisfiable": st.sampled_from(["DoNotSchedule", "ScheduleAnyway"]),
    },
    optional={"labelSelector": _SELECTORS, "minDomains": st.integers(1, 3)},
)
_PORTS = st.fixed_dictionaries(
    {"containerPort": st.integers(1, 65535)},
    optional={"hostPort": st.integers(0, 65535), "hostIP": st.just("10.0.0.1")},
)
_CONTAINERS = st.fixed_dictionaries(
    {},
    optional={
        "name": _NAMES,
        "image": _TEXTS,
        "requests": _AMOUNTS,
        "ports": st.lists(_PORTS, max_size=2),
    },
)
_TEMPLATES = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["pod", "vm", "container"]),
        "labels": _LABELS,
        "containers": st.lists(_CONTAINERS, max_size=2),
        "overhead": _AMOUNTS,
        "affinity": _AFFINITIES,
        "topologySpreadConstraints": st.lists(_SPREADS, max_size=2),
        "tolerations": st.lists(st.fixed_dictionaries({"key": _TEXTS}), max_size=2),
        "gpuShare": st.fixed_dictionaries(
            {"devices": st.integers(1, 8), "milli": st.integers(1, 1000)}
        ),
        "priority": st.integers(-(2**31), 2**31 - 1),
    },
)
_TAINTS = st.fixed_dictionaries({"key": _NAMES, "effect": st.just("NoSchedule")})
_NODES = st.fixed_dictionaries(
    {"name": _NAMES, "allocatable": _AMOUNTS},
    optional={
        "labels": _LABELS,
        "taints": st.lists(_TAINTS, max_size=2),
        "unschedulable": st.booleans(),
        "gpuDevices": st.integers(0, 8),
        "capacity": _AMOUNTS,
    },
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Any scenario with units on its nodes or waiting."""
    nodes = draw(st.lists(_NODES, max_size=3, unique_by=lambda node: node["name"]))
    templates = draw(st.dictionaries(_NAMES | _TRICKY, _TEMPLATES, max_size=3))
    places = st.none() | st.sampled_from([node["name"] for node in nodes] or [None])
    units = st.fixed_dictionaries(
        {"name": _NAMES, "template": st.sampled_from(list(templates) or [""]), "node": places},
        optional={
            "labels": _LABELS,
            "namespace": _NAMES,
            "createdS": st.floats(0, 2e9),
            "owner": _TEXTS,
        },
    )
    content: dict[str, Any] = {
        "kind": "Scenario",
        "name": draw(_TEXTS),
        "nodes": nodes,
        "templates": templates,
        "remarks": draw(st.lists(_TEXTS, max_size=2)),
    }
    if templates:
        key = lambda unit: (unit.get("namespace", "default"), unit["name"])  # noqa: E731
        content["units"] = draw(st.lists(units, max_size=4, unique_by=key))
    return Scenario.from_content(content)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(scenarios())
def test_a_scenario_written_as_yaml_reads_back_equal(scenario: Scenario) -> None:
    assert Scenario.from_content(yaml_events.load(scenario.to_yaml())[0]) == scenario


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=30)
@given(scenarios())
def test_other_yaml_parsers_read_the_same_texts(scenario: Scenario) -> None:
    assert Scenario.from_content(yaml.safe_load(scenario.to_yaml())) == scenario


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=30)
@given(scenarios())
def test_a_scenario_survives_json(scenario: Scenario) -> None:
    assert Scenario.model_validate_json(scenario.model_dump_json(by_alias=True)) == scenario


def test_the_yaml_says_what_it_is_and_leaves_defaults_out(small: dict[str, Any]) -> None:
    text = Scenario.from_content(small).to_yaml()
    assert text.startswith("apiVersion: capsim/v1\nkind: Scenario\n")
    assert "allocatable:\n    cpu: '4'\n    memory: 16Gi\n    pods: '10'\n" in text
    assert "affinity" not in text
    assert "namespace" not in text


@pytest.mark.parametrize("word", ["yes", "1e3", "0o17", "0x1F", "2020-01-01", "null", "1.0", ""])
def test_a_label_that_looks_like_something_else_stays_a_text(
    word: str, small: dict[str, Any]
) -> None:
    small["nodes"][0]["labels"] = {"label": word}
    text = Scenario.from_content(small).to_yaml()
    assert yaml_events.load(text)[0]["nodes"][0]["labels"] == {"label": word}
