"""capsim's own YAML: documents of kind Scenario."""

from __future__ import annotations

from collections.abc import Sequence

from capsim.errors import InputError, Problem
from capsim.readers.estate import Content, Estate
from capsim.scenario import Scenario, SchedulerProfile

KIND = "Scenario"


def recognises(content: Content) -> bool:
    """Whether a document is a Scenario."""
    return isinstance(content.document, dict) and content.document.get("kind") == KIND


def read(contents: Sequence[Content], estate: Estate) -> None:
    """Adds whole scenarios."""
    for content in contents:
        try:
            scenario = Scenario.from_content(content.document, file=content.file)
        except InputError as error:
            estate.problems += error.problems
        else:
            _add(scenario, content.file, estate)


def _add(scenario: Scenario, file: str, estate: Estate) -> None:
    estate.names.append(scenario.name)
    keys = estate.add_templates(scenario.templates)
    for node in scenario.nodes:
        estate.add_node(node, file)
    for unit in scenario.units:
        estate.add_unit(unit.model_copy(update={"template": keys[unit.template]}), file)
    for workload in scenario.workloads:
        template = keys.get(workload.template, workload.template)
        estate.add("workloads", workload.model_copy(update={"template": template}), file)
    for name in estate.lists:
        for entry in getattr(scenario, name) if name != "workloads" else ():
            estate.add(name, entry, file)
    _add_profile(scenario.profile, file, estate)
    for remark in scenario.remarks:
        estate.remark(remark)
    for assumption in scenario.assumptions:
        estate.assume(assumption)


def _add_profile(profile: SchedulerProfile, file: str, estate: Estate) -> None:
    if profile == SchedulerProfile():
        return
    if estate.profile not in (None, profile):
        problem = Problem(file, "a second scheduler profile", "one for all inputs", "profile")
        estate.problems.append(problem)
    estate.profile = profile
