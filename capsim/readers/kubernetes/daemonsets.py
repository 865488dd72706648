"""DaemonSet: one unit for each node that it may run on, tied to that node."""

from __future__ import annotations

from typing import Any

from capsim.readers.kubernetes.cluster import Cluster
from capsim.readers.kubernetes.objects import Object
from capsim.readers.kubernetes.storage import plan_claims
from capsim.readers.kubernetes.templates import PodSource
from capsim.readers.kubernetes.workload_specs import DaemonSpec
from capsim.scenario import Node, Template, Unit, Workload

#: Tolerations that the DaemonSet controller adds, with the effect of each.
_TOLERATED = {
    "node.kubernetes.io/not-ready": "NoExecute",
    "node.kubernetes.io/unreachable": "NoExecute",
    "node.kubernetes.io/disk-pressure": "NoSchedule",
    "node.kubernetes.io/memory-pressure": "NoSchedule",
    "node.kubernetes.io/pid-pressure": "NoSchedule",
    "node.kubernetes.io/unschedulable": "NoSchedule",
}
_TOLERATED_ON_HOST_NETWORK = {"node.kubernetes.io/network-unavailable": "NoSchedule"}


def read_daemon_set(found: Object, cluster: Cluster) -> None:
    """Adds a unit for each eligible node that has none yet; without nodes, only the workload."""
    spec = cluster.checked(DaemonSpec, found, "spec")
    if spec is None:
        return
    key = cluster.templates.key(_pod_source(found, spec))
    if not isinstance(key, str):
        cluster.estate.problems += key
        return
    template = cluster.estate.table.templates[key]
    nodes = [node for node in cluster.estate.nodes.values() if runs_on(template, node)]
    if not cluster.estate.nodes:
        cluster.tally.daemons_without_nodes.append(f"{found.namespace}/{found.name}")
    served = cluster.daemon_nodes.get(("DaemonSet", found.namespace, found.name), set())
    for node in nodes:
        if node.name not in served:
            unit = _unit(found, key, node)
            cluster.add_unit(unit, found)
            plan_claims(unit, spec.template.spec, (), found, cluster)
    workload = Workload(
        kind=found.kind,
        name=found.name,
        namespace=found.namespace,
        template=key,
        replicas=len(nodes),
        selector=spec.selector,
    )
    cluster.estate.add("workloads", workload, found.file)


def _pod_source(found: Object, spec: DaemonSpec) -> PodSource:
    return PodSource(
        file=found.file,
        title=found.title,
        path="spec.template.",
        key_name=f"{found.namespace}/{found.name}",
        namespace=found.namespace,
        own_name="",
        labels=spec.template.metadata.labels,
        spec=_tolerant(spec.template.spec),
        live=False,
        asks_by_name=True,
    )


def _tolerant(spec: dict[str, Any]) -> dict[str, Any]:
    stated = spec.get("tolerations") or []
    if not isinstance(stated, list):
        return spec  # for the check of the spec to refuse
    keys = {**_TOLERATED, **(_TOLERATED_ON_HOST_NETWORK if spec.get("hostNetwork") else {})}
    added = [{"key": key, "operator": "Exists", "effect": keys[key]} for key in keys]
    return {
        **spec,
        "tolerations": [*stated, *(each for each in added if each not in stated)],
    }


def runs_on(template: Template, node: Node) -> bool:
    """Whether the DaemonSet controller wants a pod of this template on a node.

    Name, node selector, required affinity and taints decide; room does not.
    """
    required = template.affinity.node_affinity and template.affinity.node_affinity.required
    return (
        template.node_name in (None, node.name)
        and all(node.labels.get(name) == value for name, value in template.node_selector.items())
        and (not required or required.matches(node.labels, node.name))
        and all(
            any(toleration.tolerates(taint) for toleration in template.tolerations)
            for taint in node.taints
            if taint.effect != "PreferNoSchedule"
        )
    )


def _unit(found: Object, key: str, node: Node) -> Unit:
    return Unit(
        name=f"{found.name}-{node.name}",
        namespace=found.namespace,
        template=key,
        pinned=node.name,
        owner=f"DaemonSet/{found.name}",
    )
