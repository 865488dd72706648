"""Documents to objects: lists are opened, duplicates are found, kinds are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from capsim.errors import Problem, clip

CORE = ""
_CLUSTER_WIDE = frozenset(
    {
        "Node",
        "Namespace",
        "PriorityClass",
        "RuntimeClass",
        "PersistentVolume",
        "StorageClass",
        "CSINode",
        "CSIDriver",
    }
)
#: Parts of a status that change from one dump to the next without meaning anything here.
_VOLATILE = frozenset({"conditions", "observedGeneration", "nodeInfo", "volumesInUse"})


@dataclass(slots=True)
class Object:
    """One Kubernetes object as it was found."""

    kind: str
    namespace: str
    name: str
    raw: dict[str, Any]
    file: str
    order: int
    """Its position in the input."""

    @property
    def title(self) -> str:
        """Kind and name, for messages: "Deployment shop/web"."""
        return title(self.kind, self.namespace, self.name)

    @property
    def metadata(self) -> dict[str, Any]:
        """Its metadata."""
        found: dict[str, Any] = self.raw["metadata"]
        return found

    @property
    def is_live(self) -> bool:
        """Whether an API server has stored it: then its defaults are filled in already."""
        return bool(self.metadata.get("uid") or self.metadata.get("creationTimestamp"))


def title(kind: str, namespace: str, name: str) -> str:
    """Kind and name of an object, for messages."""
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def is_object(document: Any) -> bool:
    """Whether a document claims to be a Kubernetes object, or is a list of such."""
    if isinstance(document, list):
        return any(is_object(item) for item in document[:1])
    return isinstance(document, dict) and ("kind" in document or "apiVersion" in document)


def flatten(document: Any, file: str) -> Iterator[tuple[dict[str, Any], str, str] | Problem]:
    """The objects of a document with API group and kind; what is no object is a problem."""
    pending = [(document, "", "", "")]
    if isinstance(document, list):
        pending = [(item, "", "", f"[{number}]") for number, item in enumerate(document)][::-1]
    while pending:
        raw, list_version, list_kind, where = pending.pop()
        if not isinstance(raw, dict):
            yield Problem(file, clip(raw), "an object: a mapping with apiVersion and kind", where)
            continue
        kind, version = raw.get("kind") or list_kind, raw.get("apiVersion") or list_version
        if not isinstance(kind, str) or not isinstance(version, str) or not kind or not version:
            field = "kind" if not isinstance(kind, str) or not kind else "apiVersion"
            found = clip(raw[field]) if field in raw else "nothing"
            yield Problem(file, found, "a text such as 'Pod' or 'v1'", where, field)
        elif kind.endswith("List") and "items" in raw:
            items = raw["items"] if raw["items"] is not None else []
            if isinstance(items, list):
                pending += reversed(_items(items, version, kind, where))
            else:
                yield Problem(file, clip(items), "a list", kind, f"{where}items")
        else:
            yield raw, version.rpartition("/")[0], kind


def _items(
    items: list[Any], version: str, kind: str, where: str
) -> list[tuple[Any, str, str, str]]:
    """The items of a list, each with the version and kind that a PodList implies."""
    own_kind = kind.removesuffix("List")
    implied = version if own_kind else ""
    return [(item, implied, own_kind, f"{where}items[{n}]") for n, item in enumerate(items)]


def identify(raw: dict[str, Any], kind: str, file: str, order: int) -> Object | Problem:
    """The object under its name, or what is wrong with its metadata."""
    metadata = raw.get("metadata")
    if not isinstance(metadata, dict):
        found = "nothing" if metadata is None else clip(metadata)
        return Problem(
            file, found, "a mapping with a name", f"{kind} (object {order + 1})", "metadata"
        )
    name = metadata.get("name")
    if name is None and isinstance(metadata.get("generateName"), str):
        name = f"{metadata['generateName']}{order}"
    if not isinstance(name, str) or not name:
        found = "nothing" if name is None else clip(name)
        return Problem(file, found, "a name", f"{kind} (object {order + 1})", "metadata.name")
    namespace = "" if kind in _CLUSTER_WIDE else metadata.get("namespace") or "default"
    if not isinstance(namespace, str):
        return Problem(file, clip(namespace), "a text", f"{kind} {name}", "metadata.namespace")
    return Object(kind, namespace, name, raw, file, order)


def say_the_same(one: Object, other: Object) -> bool:
    """Whether two statements of one object agree in all that matters for capacity."""
    return _essence(one.raw) == _essence(other.raw)


def _essence(raw: dict[str, Any]) -> dict[str, Any]:
    metadata, status = raw["metadata"], raw.get("status")
    kept = {name: metadata.get(name) for name in ("labels", "ownerReferences", "uid")}
    if isinstance(status, dict):
        status = {name: value for name, value in status.items() if name not in _VOLATILE}
    rest = {n: v for n, v in raw.items() if n not in ("metadata", "status", "apiVersion", "kind")}
    return {**rest, "metadata": kept, "status": status}
