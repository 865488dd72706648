"""What units ask of the scheduler that this version leaves out, so that a plan can say so."""

from __future__ import annotations

from capsim.scenario import Assumption, Scenario, Template


def unmodelled(template: Template) -> list[str]:
    """What a template needs that this version leaves out."""
    return ["resource claims"] if template.resource_claims else []


def assumption(scenario: Scenario) -> Assumption:
    """What was not looked at, and how many waiting units ask for it."""
    asked = {key for key, template in scenario.templates.items() if unmodelled(template)}
    units = sum(unit.node is None and unit.template in asked for unit in scenario.units)
    return Assumption(
        name="scheduler rules left out",
        value=f"resource claims ({units:,} waiting units ask for them)"
        if units
        else "none that these units ask for",
        source="Kubernetes 1.34 default profile; DynamicResources is not modelled in this version",
    )
