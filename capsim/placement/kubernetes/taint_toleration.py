"""TaintToleration: taints keep units away (NoSchedule, NoExecute) or put them off (Prefer...).

Rule: the first untolerated NoSchedule or NoExecute taint refuses. Raw score: the number of
PreferNoSchedule taints that are not tolerated; fewer is better (reversed normalisation).
Source: Kubernetes 1.34, tainttoleration plugin.
"""

from __future__ import annotations

from capsim.scenario import Node, SchedulerProfile, Taint, Template

NAME = "TaintToleration"


def refusal(template: Template, node: Node, profile: SchedulerProfile) -> str | None:
    """The reason for which the node is refused, or None."""
    taint = repelling(template, node)
    if taint is None:
        return None
    return f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"


def repelling(template: Template, node: Node) -> Taint | None:
    """The first taint that keeps the unit away."""
    for taint in node.taints:
        if taint.effect != "PreferNoSchedule" and not _tolerated(template, taint):
            return taint
    return None


def raw_score(template: Template, node: Node, profile: SchedulerProfile) -> int:
    """PreferNoSchedule taints that the unit does not tolerate."""
    return sum(
        taint.effect == "PreferNoSchedule" and not _tolerated(template, taint)
        for taint in node.taints
    )


def _tolerated(template: Template, taint: Taint) -> bool:
    return any(toleration.tolerates(taint) for toleration in template.tolerations)
