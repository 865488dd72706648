"""What units ask of the scheduler that this version leaves out, so that a plan can say so."""

from __future__ import annotations

from collections import Counter

from capsim.scenario import Assumption, Scenario, SchedulerProfile, Template


def unmodelled(template: Template, profile: SchedulerProfile) -> list[str]:
    """Plugins that a template needs and that this version leaves out."""
    affinity = template.affinity
    spread = template.topology_spread_constraints or profile.default_constraints
    asked = {
        "topology spread constraints": bool(spread),
        "inter-pod affinities": bool(affinity.pod_affinity or affinity.pod_anti_affinity),
        "volumes": bool(template.volumes),
    }
    return [name for name, yes in asked.items() if yes]


def assumption(scenario: Scenario, profile: SchedulerProfile) -> Assumption:
    """What was not looked at, and how many waiting units ask for it."""
    asked = {key: unmodelled(t, profile) for key, t in scenario.templates.items()}
    count = Counter(
        name for unit in scenario.units if unit.node is None for name in asked[unit.template]
    )
    said = ", ".join(
        f"{name} ({units:,} waiting units ask for them)" for name, units in count.items()
    )
    return Assumption(
        name="scheduler rules left out",
        value=said or "none that these units ask for; nothing is evicted for higher priority",
        source="Kubernetes 1.34 default profile; PodTopologySpread, InterPodAffinity, volumes and "
        "preemption are not modelled in this version",
    )
