"""What is said at the end of a Kubernetes input: assumptions, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from capsim.readers.estate import counted, named
from capsim.readers.kubernetes.cluster import Cluster
from capsim.readers.kubernetes.nodes import DEFAULT_PODS
from capsim.scenario import Assumption, Claim, StorageClass

#: Built-in API groups of which no kind takes capacity (those that do are read).
GROUPS_WITHOUT_CAPACITY = frozenset(
    {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "gateway.networking.k8s.io",
        "metrics.k8s.io",
        "monitoring.coreos.com",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "snapshot.storage.k8s.io",
        "storage.k8s.io",
    }
)
#: Kinds of the core group and others that take no capacity.
KINDS_WITHOUT_CAPACITY = frozenset(
    {
        "Binding",
        "ComponentStatus",
        "ConfigMap",
        "ControllerRevision",
        "Endpoints",
        "Event",
        "PodTemplate",
        "Secret",
        "ServiceAccount",
        "VerticalPodAutoscaler",
        "VerticalPodAutoscalerCheckpoint",
    }
)

_REQUESTS = Assumption(
    name="requests of containers that state none",
    value="100m of cpu, 200Mi of memory per container",
    low="0",
    high="not known: a guess, measure these pods",
    source="the kube-scheduler's own stand-in for scoring (100m and 200Mi per container); it "
    "places such pods as if they requested nothing",
)
_PODS = Assumption(
    name="pods per node that states no limit",
    value=str(DEFAULT_PODS),
    source="the kubelet's default (--max-pods)",
)
_PLANNED_CLAIMS = Assumption(
    name="volumes of claims that are yet to be made",
    value="made where the unit goes, though the class makes them at once (Immediate)",
    source="a guess: the provisioner chooses the place before the unit is scheduled",
)


def conclude(cluster: Cluster) -> None:
    """Adds remarks and assumptions to the estate."""
    for sentence in (
        _missing_requests(cluster),
        _pod_limits(cluster),
        *_waiting(cluster),
        *_workloads(cluster),
        *_storage(cluster),
        *_left_out(cluster),
    ):
        if sentence:
            cluster.estate.remark(sentence)


def _missing_requests(cluster: Cluster) -> str:
    lacking = cluster.templates.lacking
    units = cluster.estate.units.items()
    found = [(key, lacking.get(unit.template)) for key, unit in units]
    without = [(key, missing) for key, missing in found if missing]
    if not without:
        return ""
    cluster.estate.assume(_REQUESTS)
    what = " or no ".join(sorted(frozenset().union(*(missing for _, missing in without))))
    verb = "requests" if len(without) == 1 else "request"
    return (
        f"{counted(len(without), 'pod')} {verb} no {what} in some container "
        f"({named(key for key, _ in without)}): placed as if they took nothing there, as the "
        "kube-scheduler does; sized as 100m and 200Mi per container, which is a guess."
    )


def _pod_limits(cluster: Cluster) -> str:
    nodes = cluster.tally.nodes_without_pod_limit
    if not nodes:
        return ""
    cluster.estate.assume(_PODS)
    return (
        f"{counted(len(nodes), 'node')} without a pod limit ({named(nodes)}): "
        f"{DEFAULT_PODS} is taken, the kubelet's default."
    )


def _waiting(cluster: Cluster) -> Iterable[str]:
    tally = cluster.tally
    if tally.set_waiting:
        verbs = ("runs", "is") if tally.set_waiting == 1 else ("run", "are")
        yield (
            f"No nodes are given: {counted(tally.set_waiting, 'pod')} that {verbs[0]} elsewhere "
            f"{verbs[1]} planned as waiting."
        )
    if tally.bound_elsewhere:
        yield (
            f"Left out {counted(len(tally.bound_elsewhere), 'pod')} on nodes that are not in the "
            f"input ({named(tally.bound_elsewhere)})."
        )
    if tally.finished_pods:
        verbs = ("has", "holds") if tally.finished_pods == 1 else ("have", "hold")
        yield (
            f"Left out {counted(tally.finished_pods, 'pod')} that {verbs[0]} ended (Succeeded or "
            f"Failed) and {verbs[1]} nothing."
        )


def _workloads(cluster: Cluster) -> Iterable[str]:
    tally = cluster.tally
    daemons = list(dict.fromkeys(tally.daemons_without_nodes))
    if daemons:
        yield (
            f"No nodes are given: the pods of {named(daemons)} are left out, for there is one for "
            "each node."
        )
    if tally.cron_runs:
        yield f"Planned with the pods of one run: {named(tally.cron_runs)}."
    if tally.suspended:
        yield f"Suspended, so without new pods: {named(tally.suspended)}."
    if tally.raised_to_minimum:
        yield (
            "Without replicas of their own, planned with the minimum of their autoscaler: "
            f"{named(tally.raised_to_minimum)}."
        )
    unknown = cluster.rules.unknown_priorities
    if unknown:
        yield f"Priority classes that the input does not hold count as 0: {named(sorted(unknown))}."


def _storage(cluster: Cluster) -> Iterable[str]:
    """What is taken of claims that are yet to be made, or that the input does not hold."""
    lists = cluster.estate.lists
    planned = [
        each for each in lists["claims"].values() if isinstance(each, Claim) and each.planned
    ]
    at_once: set[str | None] = {
        name
        for each in lists["storage_classes"].values()
        if isinstance(each, StorageClass) and each.volume_binding_mode == "Immediate"
        for name in ((each.name, None) if each.is_default else (each.name,))
    }
    if any(each.storage_class_name in at_once for each in planned):
        cluster.estate.assume(_PLANNED_CLAIMS)
    unknown = {each.storage_class_name for each in planned} - {*lists["storage_classes"], None, ""}
    if unknown:
        yield (
            "Storage classes that the input does not hold are taken to make volumes on any node: "
            f"{named(sorted(name for name in unknown if name))}."
        )
    templates = cluster.estate.table.templates
    asking = [key for key, unit in cluster.estate.units.items() if templates[unit.template].volumes]
    if asking and not cluster.of_kind("PersistentVolumeClaim") and not planned:
        verb = "uses" if len(asking) == 1 else "use"
        yield (
            f"{counted(len(asking), 'pod')} {verb} claims, of which the input holds none "
            f"({named(asking)}): their volumes are taken to be reached from every node."
        )


def _left_out(cluster: Cluster) -> Iterable[str]:
    tally = cluster.tally
    known, unknown = tally.kinds_without_capacity, tally.unknown_kinds
    if known:
        yield (
            f"Left out {counted(known.total(), 'object')} of kinds that take no capacity: "
            f"{_kinds(known)}."
        )
    if unknown:
        yield (
            f"Left out {counted(unknown.total(), 'object')} of kinds that capsim does not know: "
            f"{_kinds(unknown)}; if they make pods, add those pods to the input."
        )


def _kinds(counter: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in counter.most_common())
