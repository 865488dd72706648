"""Which workload a pod belongs to: the chain of controllers above it."""

from __future__ import annotations

from typing import Any

from capsim.errors import clip
from capsim.readers.kubernetes.cluster import Cluster, OwnerKey, text_or_nothing
from capsim.readers.kubernetes.objects import Object

HASH_LABEL = "pod-template-hash"
_LONGEST_CHAIN = 5


class Owners:
    """Finds owners, remembering the answer for each direct one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._chains: dict[tuple[OwnerKey, str], tuple[OwnerKey, ...]] = {}

    def chain(self, pod: Object) -> tuple[OwnerKey, ...]:
        """The controllers of a pod from the nearest to the farthest that is known."""
        direct = controller(pod, self._cluster)
        if direct is None:
            return ()
        labels = pod.metadata.get("labels")
        pod_hash = text_or_nothing(labels.get(HASH_LABEL)) if isinstance(labels, dict) else ""
        known = self._chains.get((direct, pod_hash))
        if known is None:
            known = self._chains[direct, pod_hash] = self._follow(direct, pod_hash)
        return known

    def _follow(self, direct: OwnerKey, pod_hash: str) -> tuple[OwnerKey, ...]:
        chain = [direct]
        while len(chain) < _LONGEST_CHAIN:
            found = self._cluster.find(*chain[-1])
            above = controller(found, self._cluster) if found else _deployment(chain[-1], pod_hash)
            if above is None:
                break
            chain.append(above)
        return tuple(chain)

    def nearest_stated(self, chain: tuple[OwnerKey, ...]) -> OwnerKey | None:
        """The farthest owner that the input states, else the farthest that is known."""
        stated = tuple(key for key in chain if self._cluster.find(*key))
        return next(reversed(stated or chain), None)


def controller(found: Object, cluster: Cluster) -> OwnerKey | None:
    """The controller that an object names as its owner."""
    references = found.metadata.get("ownerReferences")
    if references is None:
        return None
    if not isinstance(references, list) or not all(isinstance(r, dict) for r in references):
        path = "metadata.ownerReferences"
        cluster.problem(found, path, clip(references), "a list of mappings")
        return None
    return next((_key(r, found) for r in references if r.get("controller")), None)


def _key(reference: dict[str, Any], found: Object) -> OwnerKey:
    kind, name = text_or_nothing(reference.get("kind")), text_or_nothing(reference.get("name"))
    return kind, "" if kind == "Node" else found.namespace, name


def _deployment(owner: OwnerKey, pod_hash: str) -> OwnerKey | None:
    """A ReplicaSet that the input lacks is named after its Deployment and the pods' hash."""
    kind, namespace, name = owner
    if kind != "ReplicaSet" or not pod_hash or not name.endswith(f"-{pod_hash}"):
        return None
    return "Deployment", namespace, name.removesuffix(f"-{pod_hash}")
