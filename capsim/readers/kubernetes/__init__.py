"""Kubernetes objects, as `kubectl get -o json|yaml` prints them or as manifests state them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from capsim.errors import Problem
from capsim.readers.estate import Content, Estate
from capsim.readers.kubernetes import remarks
from capsim.readers.kubernetes.cluster import Cluster
from capsim.readers.kubernetes.daemonsets import read_daemon_set
from capsim.readers.kubernetes.nodes import read_node
from capsim.readers.kubernetes.objects import Object, flatten, identify, is_object
from capsim.readers.kubernetes.pods import read_pods
from capsim.readers.kubernetes.policies import (
    read_autoscaler,
    read_budget,
    read_ingress,
    read_limit_range,
    read_namespace,
    read_priority_class,
    read_quota,
    read_runtime_class,
    read_service,
)
from capsim.readers.kubernetes.storage import (
    read_claim,
    read_csi_driver,
    read_csi_node,
    read_storage_capacity,
    read_storage_class,
    read_volume,
)
from capsim.readers.kubernetes.workloads import (
    read_cron_job,
    read_deployment,
    read_job,
    read_replica_set,
    read_replication_controller,
    read_stateful_set,
)

#: How each kind is read, in this order: what others refer to comes first.
KINDS: dict[str, Callable[[Object, Cluster], None]] = {
    "Namespace": read_namespace,
    "PriorityClass": read_priority_class,
    "RuntimeClass": read_runtime_class,
    "LimitRange": read_limit_range,
    "ResourceQuota": read_quota,
    "HorizontalPodAutoscaler": read_autoscaler,
    "PodDisruptionBudget": read_budget,
    "Service": read_service,
    "Ingress": read_ingress,
    "StorageClass": read_storage_class,
    "CSINode": read_csi_node,
    "CSIDriver": read_csi_driver,
    "CSIStorageCapacity": read_storage_capacity,
    "PersistentVolume": read_volume,
    "PersistentVolumeClaim": read_claim,
    "Node": read_node,
}
#: Kinds that make pods; read when all pods are known.
WORKLOADS: dict[str, Callable[[Object, Cluster], None]] = {
    "StatefulSet": read_stateful_set,
    "DaemonSet": read_daemon_set,
    "Deployment": read_deployment,
    "ReplicaSet": read_replica_set,
    "ReplicationController": read_replication_controller,
    "Job": read_job,
    "CronJob": read_cron_job,
}
#: The API groups in which these names mean these kinds; elsewhere (Knative's Service, Longhorn's
#: Node, Volcano's Job) they mean something else.
GROUPS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "Pod",
            "Node",
            "Namespace",
            "LimitRange",
            "ResourceQuota",
            "Service",
            "ReplicationController",
            "PersistentVolume",
            "PersistentVolumeClaim",
        ),
        ("",),
    ),
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"), ("apps", "extensions")
    ),
    **dict.fromkeys(("Job", "CronJob"), ("batch",)),
    "PriorityClass": ("scheduling.k8s.io",),
    "RuntimeClass": ("node.k8s.io",),
    "HorizontalPodAutoscaler": ("autoscaling",),
    "PodDisruptionBudget": ("policy",),
    "Ingress": ("networking.k8s.io", "extensions"),
    **dict.fromkeys(
        ("StorageClass", "CSINode", "CSIDriver", "CSIStorageCapacity"), ("storage.k8s.io",)
    ),
}


def recognises(content: Content) -> bool:
    """Whether a document is a Kubernetes object or a list of them."""
    return is_object(content.document)


def read(contents: Sequence[Content], estate: Estate) -> None:
    """Adds the nodes, pods, workloads and policies of all documents, and what has to be said."""
    cluster = Cluster(estate)
    _collect(contents, cluster)
    for kind, read_kind in KINDS.items():
        for found in cluster.of_kind(kind):
            read_kind(found, cluster)
    read_pods(cluster)
    for kind, read_kind in WORKLOADS.items():
        for found in cluster.of_kind(kind):
            read_kind(found, cluster)
    for unit, file in cluster.units():
        estate.add_unit(unit, file)
    remarks.conclude(cluster)


def _collect(contents: Sequence[Content], cluster: Cluster) -> None:
    """Files every object under its kind; the rest is counted, or a problem."""
    order = 0
    for content in contents:
        for found in flatten(content.document, content.file):
            if isinstance(found, Problem):
                cluster.estate.problems.append(found)
                continue
            raw, group, kind = found
            if group not in GROUPS.get(kind, ()):
                _leave_out(group, kind, cluster)
                continue
            named = identify(raw, kind, content.file, order)
            order += 1
            if isinstance(named, Problem):
                cluster.estate.problems.append(named)
            else:
                cluster.add_object(named)


def _leave_out(group: str, kind: str, cluster: Cluster) -> None:
    tally = cluster.tally
    known = group in remarks.GROUPS_WITHOUT_CAPACITY or kind in remarks.KINDS_WITHOUT_CAPACITY
    counter: Counter[str] = tally.kinds_without_capacity if known else tally.unknown_kinds
    counter[kind] += 1
