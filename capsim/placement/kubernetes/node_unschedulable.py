"""NodeUnschedulable: a cordoned node takes only what tolerates its taint.

Rule: `spec.unschedulable` refuses unless the taint node.kubernetes.io/unschedulable:NoSchedule is
tolerated. Source: Kubernetes 1.34, nodeunschedulable plugin.
"""

from __future__ import annotations

from capsim.scenario import Node, SchedulerProfile, Taint, Template

NAME = "NodeUnschedulable"
REASON = "node(s) were unschedulable"
#: The taint that a cordon puts on a node.
TAINT = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")


def refusal(template: Template, node: Node, profile: SchedulerProfile) -> str | None:
    """The reason for which the node is refused, or None."""
    if not node.unschedulable or any(t.tolerates(TAINT) for t in template.tolerations):
        return None
    return REASON
