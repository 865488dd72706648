"""What a pod asks for: three different sums of the same containers."""

from collections.abc import Container, Iterator
from fractions import Fraction
from typing import Any

from .quantities import exact, whole_units

Amounts = dict[str, Fraction]
DEFAULTS: Amounts = {"cpu": exact("100m"), "memory": exact("200Mi")}
NO_DEFAULTS: Amounts = {}


def requested(pod: dict[str, Any]) -> dict[str, int]:
    """For the filter, the node's `requested` and BalancedAllocation."""
    return _sum(pod, NO_DEFAULTS, pod_level=True)


def requested_on_node(pod: dict[str, Any]) -> dict[str, int]:
    """For the node's part of the Fit score (`nonZeroRequested`)."""
    defaults = DEFAULTS
    if pod_level_requests(pod):
        named = _named(pod)
        defaults = {r: amount for r, amount in DEFAULTS.items() if r not in named}
    return _sum(pod, defaults, pod_level=True)


def requested_for_score(pod: dict[str, Any]) -> dict[str, int]:
    """For the incoming pod's part of the Fit score; it knows no pod-level requests."""
    return _sum(pod, DEFAULTS, pod_level=False)


def pod_level_requests(pod: dict[str, Any]) -> Amounts:
    """spec.resources.requests, as far as pods may have them."""
    requests = (pod["spec"].get("resources") or {}).get("requests") or {}
    return {
        resource: exact(quantity)
        for resource, quantity in requests.items()
        if resource in ("cpu", "memory") or resource.startswith("hugepages-")
    }


def is_sidecar(container: dict[str, Any]) -> bool:
    """An init container that keeps running beside the regular ones."""
    return container.get("restartPolicy") == "Always"


def is_scalar(resource: str) -> bool:
    """Whether the scheduler counts a resource beside cpu, memory and ephemeral-storage."""
    return (
        is_extended(resource)
        or resource.startswith(("hugepages-", "attachable-volumes-"))
        or "kubernetes.io/" in resource
    )


def is_extended(resource: str) -> bool:
    return "/" in resource and "kubernetes.io/" not in resource


def is_counted(resource: str) -> bool:
    return resource in ("cpu", "memory", "ephemeral-storage") or is_scalar(resource)


def _sum(pod: dict[str, Any], defaults: Amounts, *, pod_level: bool) -> dict[str, int]:
    """PodRequests: containers, init peaks, pod level, overhead."""
    total = _running(pod, defaults)
    for peak in _init_peaks(pod, defaults):
        total = _maximum(total, peak)
    if pod_level:
        total = total | pod_level_requests(pod)
    overhead = pod["spec"].get("overhead") or {}
    total = _plus(total, {resource: exact(quantity) for resource, quantity in overhead.items()})
    return {r: whole_units(r, amount) for r, amount in total.items() if is_counted(r)}


def _running(pod: dict[str, Any], defaults: Amounts) -> Amounts:
    """All regular containers and all sidecars together."""
    total: Amounts = {}
    for container in pod["spec"].get("containers") or ():
        total = _plus(total, _of_container(pod, container, defaults))
    for container in filter(is_sidecar, pod["spec"].get("initContainers") or ()):
        total = _plus(total, _of_container(pod, container, defaults))
    return total


def _init_peaks(pod: dict[str, Any], defaults: Amounts) -> Iterator[Amounts]:
    """What is needed while each init container starts: it, and the sidecars before it."""
    sidecars: Amounts = {}
    for container in pod["spec"].get("initContainers") or ():
        together = _plus(sidecars, _of_container(pod, container, defaults))
        if is_sidecar(container):
            sidecars = together
        yield together


def _of_container(pod: dict[str, Any], container: dict[str, Any], defaults: Amounts) -> Amounts:
    own = _exact((container.get("resources") or {}).get("requests"))
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status.get("name") == container["name"]:  # a resize in place: the largest counts
            own = _maximum(own, _exact((status.get("resources") or {}).get("requests")))
            own = _maximum(own, _exact(status.get("allocatedResources")))
    return defaults | own


def _named(pod: dict[str, Any]) -> Container[str]:
    """The resources that any container or the pod level names."""
    spec = pod["spec"]
    names = set(pod_level_requests(pod))
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        names.update(_of_container(pod, container, NO_DEFAULTS))
    return names


def _exact(requests: dict[str, Any] | None) -> Amounts:
    return {resource: exact(quantity) for resource, quantity in (requests or {}).items()}


def _plus(a: Amounts, b: Amounts) -> Amounts:
    return {r: a.get(r, Fraction(0)) + b.get(r, Fraction(0)) for r in {**a, **b}}


def _maximum(a: Amounts, b: Amounts) -> Amounts:
    return {r: max(a.get(r, Fraction(0)), b.get(r, Fraction(0))) for r in {**a, **b}}
