"""capsim's own YAML."""

from __future__ import annotations

from typing import Any

from capsim.scenario import Scenario

TEXT = """
apiVersion: capsim/v1
kind: Scenario
name: small plan
nodes:
- {name: n1, allocatable: {cpu: 4, memory: 16Gi, pods: 10}}
templates:
  web: {containers: [{requests: {cpu: 250m}}]}
  same: {containers: [{requests: {cpu: 250m}}]}
  unused: {priority: 5}
units:
- {name: a, template: web, node: n1}
- {name: b, template: same}
workloads:
- {kind: Deployment, name: web, template: web, replicas: 2}
profile: {strategy: MostAllocated}
remarks: [read before]
"""


def test_a_scenario_is_read_back_as_it_was_written(reads: Any) -> None:
    scenario = reads(TEXT)
    assert scenario.name == "small plan"
    assert set(scenario.templates) == {"web", "same", "unused"}
    assert scenario.profile.strategy == "MostAllocated"
    assert reads(scenario.to_yaml()) == scenario


def test_what_any_reader_gives_can_be_written_and_read_back(reads: Any, kube: Any) -> None:
    scenario = reads([kube.node(), kube.live_pod(), kube.deployment(), kube.pod(hostNetwork=True)])
    assert reads(scenario.to_yaml(), "again.yaml") == scenario


def test_a_scenario_as_json_is_read_too(reads: Any) -> None:
    scenario = reads(TEXT)
    content = scenario.model_dump(mode="json", by_alias=True) | {"kind": "Scenario"}
    assert Scenario.from_content(content) == scenario


def test_scenarios_are_merged_under_names_that_stay_apart(reads: Any) -> None:
    other = """
apiVersion: capsim/v1
kind: Scenario
name: other
templates:
  web: {containers: [{requests: {cpu: 1}}]}
units:
- {name: c, template: web}
workloads:
- {kind: Deployment, name: other, template: web, replicas: 1}
"""
    scenario = reads(TEXT, "one.yaml", (other, "two.yaml"))
    assert scenario.templates["web#2"].containers[0].requests == {"cpu": 1000}
    assert scenario.units[-1].template == "web#2"
    assert scenario.workloads[-1].template == "web#2"
    assert scenario.name == "one"


def test_two_profiles_that_differ_are_refused(refuses: Any) -> None:
    other = "kind: Scenario\nprofile: {preemption: false}\n"
    words = refuses(TEXT, "one.yaml", (other, "two.yaml"))
    assert words == (
        "two.yaml: profile: found a second scheduler profile, expected one for all inputs."
    )


def test_what_is_wrong_in_it_is_named_with_the_file(refuses: Any) -> None:
    words = refuses(TEXT.replace("250m", "lots", 1))
    assert words == (
        "input.yaml: templates.web.containers.0.requests: found 'lots' of cpu, "
        "expected a quantity such as 250m or 2."
    )
