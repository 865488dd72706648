"""NodeName: a unit that names its node fits nowhere else.

Source: Kubernetes 1.34, nodename plugin.
"""

from __future__ import annotations

from capsim.scenario import Node, SchedulerProfile, Template

NAME = "NodeName"
REASON = "node(s) didn't match the requested node name"


def refusal(template: Template, node: Node, profile: SchedulerProfile) -> str | None:
    """The reason for which the node is refused, or None."""
    return None if template.node_name in (None, node.name) else REASON
