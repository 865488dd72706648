"""Pods, nodes and the cluster, read from raw Kubernetes JSON."""

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from .quantities import exact, whole_units
from .requests import is_sidecar, requested, requested_for_score, requested_on_node
from .selectors import (
    Labels,
    LabelSelector,
    NodeTerm,
    Taint,
    Toleration,
    label_selector,
)

Json = dict[str, Any]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class PodTerm:
    """One term of pod affinity or anti-affinity, with its weight if it is a preferred one."""

    def __init__(self, raw: Json, owner_namespace: str, weight: int = 0) -> None:
        self.weight = weight
        self.topology_key: str = raw["topologyKey"]
        self.selector = label_selector(raw.get("labelSelector"))
        self.namespaces = frozenset(raw.get("namespaces") or ())
        self.namespace_selector = label_selector(raw.get("namespaceSelector"))
        if not self.namespaces and raw.get("namespaceSelector") is None:
            self.namespaces = frozenset([owner_namespace])

    def means_incoming(self, pod: "Pod", cluster: "Cluster") -> bool:
        """Whether the term of a bound pod means this incoming pod."""
        return self.selector.matches(pod.labels) and (
            pod.namespace in self.namespaces
            or self.namespace_selector.matches(cluster.namespace_labels(pod.namespace))
        )

    def means_bound(self, pod: "Pod", cluster: "Cluster") -> bool:
        """Whether the term of the incoming pod means this bound pod.

        The scheduler replaces its namespaceSelector by the names of the matching namespaces,
        yet still evaluates it too, against no labels at all.
        """
        return self.means_incoming(pod, cluster) or (
            self.namespace_selector.matches(frozenset()) and self.selector.matches(pod.labels)
        )


class HostPort(NamedTuple):
    ip: str
    protocol: str
    port: int

    def conflicts(self, other: "HostPort") -> bool:
        if (self.protocol, self.port) != (other.protocol, other.port):
            return False
        return self.ip == other.ip or "0.0.0.0" in (self.ip, other.ip)


class Pod:
    """A pod, bound or pending."""

    def __init__(self, raw: Json) -> None:
        self.raw = raw
        meta, spec = raw["metadata"], raw["spec"]
        self.name: str = meta["name"]
        self.namespace: str = meta.get("namespace") or "default"
        self.key = f"{self.namespace}/{self.name}"
        self.labels: Labels = frozenset((meta.get("labels") or {}).items())
        self.label_map: dict[str, str] = meta.get("labels") or {}
        self.terminating = meta.get("deletionTimestamp") is not None
        self.start_time: str | None = (raw.get("status") or {}).get("startTime")
        self.priority: int = spec.get("priority") or 0
        self.may_preempt = spec.get("preemptionPolicy") != "Never"
        self.profile_name: str = spec.get("schedulerName") or "default-scheduler"
        self.node_name: str = spec.get("nodeName") or ""
        self.tolerations = [
            Toleration(*(t.get(f) or "" for f in Toleration._fields))
            for t in spec.get("tolerations") or ()
        ]
        self.spread_constraints: list[Json] = spec.get("topologySpreadConstraints") or []
        self.host_ports = _host_ports(spec)
        self.images = _images(spec)
        self.requested = requested(raw)
        self.requested_on_node = requested_on_node(raw)
        self.requested_for_score = requested_for_score(raw)
        self._read_affinity(spec.get("affinity") or {})

    def is_running(self, namespace: str, selector: LabelSelector) -> bool:
        """In this namespace, selected, and not terminating."""
        return (
            self.namespace == namespace and not self.terminating and selector.matches(self.labels)
        )

    def _read_affinity(self, affinity: Json) -> None:
        self.node_selector: dict[str, str] = self.raw["spec"].get("nodeSelector") or {}
        node_affinity = affinity.get("nodeAffinity") or {}
        self.required_node_terms, self.preferred_node_terms = node_terms(node_affinity)
        towards, away = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
        self.required_affinity = self._required(towards)
        self.required_anti_affinity = self._required(away)
        self.preferred_affinity = self._preferred(towards)
        self.preferred_anti_affinity = self._preferred(away)
        self.has_pod_terms = any(affinity.get(kind) for kind in ("podAffinity", "podAntiAffinity"))

    def _required(self, raw: Json) -> list[PodTerm]:
        return [PodTerm(term, self.namespace) for term in raw.get(REQUIRED) or ()]

    def _preferred(self, raw: Json) -> list[PodTerm]:
        return [
            PodTerm(term["podAffinityTerm"], self.namespace, term["weight"])
            for term in raw.get(PREFERRED) or ()
        ]


def node_terms(affinity: Json) -> tuple[list[NodeTerm] | None, list[tuple[int, NodeTerm]]]:
    """Required terms (None: no requirement) and preferred ones with their weights."""
    required = affinity.get(REQUIRED)
    if required is not None:
        required = [NodeTerm(term) for term in required.get("nodeSelectorTerms") or ()]
    preferred = [
        (term.get("weight") or 0, NodeTerm(term.get("preference") or {}))
        for term in affinity.get(PREFERRED) or ()
    ]
    return required, preferred


def _host_ports(spec: Json) -> list[HostPort]:
    """Of containers and sidecars."""
    sidecars = filter(is_sidecar, spec.get("initContainers") or ())
    return [
        HostPort(port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", port["hostPort"])
        for container in (*(spec.get("containers") or ()), *sidecars)
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]


def _images(spec: Json) -> list[str]:
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    return [with_tag(container.get("image") or "") for container in containers]


def with_tag(image: str) -> str:
    """The image's name, with `:latest` if nothing after the last slash names a version."""
    return image if ":" in image.rpartition("/")[2] else image + ":latest"


class Node:
    """A node and the pods on it, in their order of arrival."""

    def __init__(self, raw: Json) -> None:
        self.raw = raw
        spec, status = raw.get("spec") or {}, raw.get("status") or {}
        self.name: str = raw["metadata"]["name"]
        self.labels: dict[str, str] = raw["metadata"].get("labels") or {}
        self.unschedulable: bool = spec.get("unschedulable") or False
        self.taints = [
            Taint(*(t.get(f) or "" for f in Taint._fields)) for t in spec.get("taints") or ()
        ]
        self.allocatable = {
            resource: whole_units(resource, exact(quantity))
            for resource, quantity in (status.get("allocatable") or {}).items()
        }
        self.image_bytes: dict[str, int] = {
            name: image.get("sizeBytes") or 0
            for image in status.get("images") or ()
            for name in image.get("names") or ()
        }
        self.pods: list[Pod] = []
        self.requested: Counter[str] = Counter()
        self.requested_on_node: Counter[str] = Counter()
        self._running: dict[tuple[str, LabelSelector], int] = {}

    def used_for_score(self, resource: str) -> int:
        """For cpu and memory, pods that request none count with the default requests."""
        sums = self.requested_on_node if resource in ("cpu", "memory") else self.requested
        return sums[resource]

    def running(self, namespace: str, selector: LabelSelector) -> int:
        """The pods of a namespace that a selector matches, without the terminating ones.

        Remembered until a pod comes or goes.
        """
        number = self._running.get((namespace, selector))
        if number is None:
            number = sum(pod.is_running(namespace, selector) for pod in self.pods)
            self._running[namespace, selector] = number
        return number

    def add(self, pod: Pod) -> None:
        self._running.clear()
        self.pods.append(pod)
        self.requested.update(pod.requested)
        self.requested_on_node.update(pod.requested_on_node)

    def remove(self, pod: Pod) -> None:
        """The last pod moves into the gap, as in the scheduler's own list."""
        self._running.clear()
        self.pods[self.pods.index(pod)] = self.pods[-1]
        self.pods.pop()
        self.requested.subtract(pod.requested)
        self.requested_on_node.subtract(pod.requested_on_node)


class Cluster:
    """Nodes in their order, and the objects that scheduling looks at."""

    def __init__(self, case: Json) -> None:
        self.nodes: dict[str, Node] = {}
        self._namespaces: dict[str, Labels] = {
            raw["metadata"]["name"]: frozenset((raw["metadata"].get("labels") or {}).items())
            for raw in case.get("namespaces") or ()
        }
        self._read_storage(case)
        self.services: list[Json] = case.get("services") or []
        self.budgets: list[Json] = case.get("pdbs") or []
        self.owners: dict[tuple[str, str, str], Json] = {
            (kind, raw["metadata"].get("namespace") or "default", raw["metadata"]["name"]): raw
            for kind, field in (
                ("ReplicaSet", "replicasets"),
                ("StatefulSet", "statefulsets"),
                ("ReplicationController", "replicationcontrollers"),
            )
            for raw in case.get(field) or ()
        }

    def _read_storage(self, case: Json) -> None:
        """Copies, for claims are bound in the course of a replay."""

        def named(field: str) -> dict[str, Json]:
            listed = copy.deepcopy(case.get(field) or [])
            return {raw["metadata"]["name"]: raw for raw in listed}

        self.claims: dict[str, Json] = {
            f"{raw['metadata'].get('namespace') or 'default'}/{raw['metadata']['name']}": raw
            for raw in copy.deepcopy(case.get("persistentvolumeclaims") or [])
        }
        self.volumes = named("persistentvolumes")
        self.classes = named("storageclasses")
        self.csi_nodes = named("csinodes")
        self.capacities: list[Json] = case.get("csistoragecapacities") or []
        self.drivers_with_capacity = {
            name for name, raw in named("csidrivers").items() if raw["spec"].get("storageCapacity")
        }

    def drivers_on(self, node_name: str) -> list[Json]:
        raw = self.csi_nodes.get(node_name)
        return raw["spec"]["drivers"] if raw else []

    def namespace_labels(self, name: str) -> Labels:
        """An undeclared namespace exists and carries its name as a label."""
        if name not in self._namespaces:
            self._namespaces[name] = frozenset([("kubernetes.io/metadata.name", name)])
        return self._namespaces[name]

    def located_pods(self) -> Iterator[tuple[Node, Pod]]:
        for node in self.nodes.values():
            for pod in node.pods:
                yield node, pod
