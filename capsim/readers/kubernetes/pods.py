"""Pod: one unit, running or waiting; finished ones hold nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from capsim.errors import clip
from capsim.readers.kubernetes.cluster import Cluster, OwnerKey
from capsim.readers.kubernetes.fields import problems
from capsim.readers.kubernetes.objects import Object
from capsim.readers.kubernetes.owners import Owners
from capsim.readers.kubernetes.storage import plan_claims
from capsim.readers.kubernetes.templates import OWN_LABELS, PodSource
from capsim.scenario import Unit

_FINISHED = ("Succeeded", "Failed")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_STATUS_FIELDS = ("name", "allocatedResources", "resources")


def read_pods(cluster: Cluster) -> None:
    """Adds the pods of the input, and counts them for their owners."""
    owners = Owners(cluster)
    for found in cluster.of_kind("Pod"):
        part = next((p for p in ("spec", "status") if not _is_mapping(found, p)), None)
        if part is not None:
            cluster.problem(found, part, clip(found.raw.get(part)), "a mapping")
        elif _status(found).get("phase") in _FINISHED:
            cluster.tally.finished_pods += 1
        else:
            _read_pod(found, owners.chain(found), owners, cluster)


def _is_mapping(found: Object, part: str) -> bool:
    value = found.raw.get(part)
    return isinstance(value, dict) or (part == "status" and value is None)


def _status(found: Object) -> dict[str, Any]:
    return found.raw.get("status") or {}


def _read_pod(found: Object, chain: tuple[OwnerKey, ...], owners: Owners, cluster: Cluster) -> None:
    spec, labels = found.raw["spec"], found.metadata.get("labels") or {}
    direct = chain[0][0] if chain else ""
    pinned, affinity = unpinned(spec.get("affinity")) if direct == "DaemonSet" else (None, None)
    node = spec.get("nodeName") or None
    own, shared = _split_labels(labels)
    key = cluster.templates.key(
        PodSource(
            file=found.file,
            title=found.title,
            path="",
            key_name=_key_name(found, chain),
            namespace=found.namespace,
            own_name=found.name,
            labels=shared,
            spec=spec if pinned is None else {**spec, "affinity": affinity},
            live=found.is_live,
            statuses=_resized(_status(found)) if node else (),
        )
    )
    if not isinstance(key, str):
        cluster.estate.problems += key
        return
    if direct == "Node":
        pinned = node
    owner = owners.nearest_stated(chain)
    unit = _unit(found, key, own, pinned, f"{owner[0]}/{owner[2]}" if owner else "", cluster)
    if unit is not None:
        _count(unit, chain, cluster)
        _add(unit, found, cluster)


def _key_name(found: Object, chain: tuple[OwnerKey, ...]) -> str:
    return f"{found.namespace}/{chain[-1][2] if chain else found.name}"


def _split_labels(labels: Any) -> tuple[dict[str, Any], Any]:
    """Labels of the unit alone, and those of its template."""
    if not isinstance(labels, dict):
        return {}, labels
    own = {name: labels[name] for name in OWN_LABELS if name in labels}
    return own, {n: v for n, v in labels.items() if n not in own} if own else labels


def _resized(status: dict[str, Any]) -> tuple[Any, ...]:
    """Statuses of containers that tell which resources are in force."""
    found: list[Any] = []
    for field in ("containerStatuses", "initContainerStatuses"):
        listed = status.get(field) or []
        # What is no list goes to the check of the statuses, which refuses it.
        found += listed if isinstance(listed, list) else [listed]
    return tuple(
        {name: raw[name] for name in _STATUS_FIELDS if name in raw}
        if isinstance(raw, dict)
        else raw
        for raw in found
        if not isinstance(raw, dict) or "allocatedResources" in raw or "resources" in raw
    )


def unpinned(affinity: Any) -> tuple[str | None, Any]:
    """The node that a DaemonSet's controller tied a pod to, and the affinity without the tie.

    The controller adds `metadata.name In [node]` to the matchFields of every required term.
    """
    try:
        required = affinity["nodeAffinity"][_REQUIRED]
        terms = required["nodeSelectorTerms"]
        nodes = {_tied_to(term) for term in terms}
    except (KeyError, TypeError, AttributeError, IndexError):
        return None, affinity
    node = nodes.pop() if len(nodes) == 1 else None
    if not isinstance(node, str):
        return None, affinity
    rest = [_without_tie(term) for term in terms]
    node_affinity = {n: v for n, v in affinity["nodeAffinity"].items() if n != _REQUIRED}
    if all(rest):
        node_affinity[_REQUIRED] = {**required, "nodeSelectorTerms": rest}
    others = {n: v for n, v in affinity.items() if n != "nodeAffinity"}
    return node, {"nodeAffinity": node_affinity, **others} if node_affinity else others


def _tied_to(term: dict[str, Any]) -> str | None:
    for field in term.get("matchFields") or ():
        if field["key"] == "metadata.name" and field["operator"] == "In":
            values = field["values"]
            return values[0] if len(values) == 1 else None
    return None


def _without_tie(term: dict[str, Any]) -> dict[str, Any]:
    fields = [field for field in term["matchFields"] if field["key"] != "metadata.name"]
    rest = {name: value for name, value in term.items() if name != "matchFields" and value}
    return {**rest, "matchFields": fields} if fields else rest


def _unit(
    found: Object,
    template: str,
    labels: dict[str, Any],
    pinned: str | None,
    owner: str,
    cluster: Cluster,
) -> Unit | None:
    metadata = found.metadata
    created = _moment(found, "metadata", "creationTimestamp", cluster)
    started = _moment(found, "status", "startTime", cluster)
    try:
        return Unit(
            name=found.name,
            namespace=found.namespace,
            template=template,
            labels=labels,
            node=found.raw["spec"].get("nodeName") or None,
            pinned=pinned,
            owner=owner,
            created_s=created,
            started_s=started,
            terminating=metadata.get("deletionTimestamp") is not None,
        )
    except ValidationError as error:
        fields = {"node": "spec.nodeName", "labels": "metadata.labels"}
        for problem in problems(error, found.file, found.title, None):
            path = fields.get(problem.field.split(".")[0], problem.field)
            cluster.problem(found, path, problem.found, problem.expected)
        return None


def _moment(found: Object, part: str, field: str, cluster: Cluster) -> float | None:
    text = (found.raw.get(part) or {}).get(field)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        expected = "a time such as '2025-01-31T12:00:00Z'"
        cluster.problem(found, f"{part}.{field}", clip(text), expected)
        return None


def _count(unit: Unit, chain: tuple[OwnerKey, ...], cluster: Cluster) -> None:
    if unit.terminating:
        return
    for owner in chain:
        cluster.live[owner] += 1
        if owner[0] == "DaemonSet":
            node = unit.pinned or unit.node
            if node:
                cluster.daemon_nodes.setdefault(owner, set()).add(node)


def _add(unit: Unit, found: Object, cluster: Cluster) -> None:
    """Adds the unit, unless it runs on a node that is not here."""
    nodes = cluster.estate.nodes
    if not nodes and unit.pinned is not None:
        kind, _, owner = unit.owner.partition("/")
        name = owner if kind == "DaemonSet" else unit.name
        cluster.tally.daemons_without_nodes.append(f"{unit.namespace}/{name}")
        return
    if unit.node is not None and unit.node not in nodes:
        if nodes:
            cluster.tally.bound_elsewhere.append(unit.key)
            return
        cluster.tally.set_waiting += 1
        unit = unit.model_copy(update={"node": None, "started_s": None})
    cluster.add_unit(unit, found)
    if not found.is_live:
        plan_claims(unit, found.raw["spec"], (), found, cluster)
