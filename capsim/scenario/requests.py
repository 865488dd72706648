"""What a unit requests in sum, by the three rules that the kube-scheduler uses side by side.

Rule (Kubernetes 1.34, resource helpers): containers run together with all sidecars; init
containers run one after the other, each beside the sidecars started before it; the larger of
both phases counts, pod-level requests replace cpu, memory and huge pages, and overhead is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from capsim.scenario.spec import CPU, GPU_MILLI, MEMORY, PODS
from capsim.scenario.unit import Container, Template

#: What a container without the request counts when nodes are scored (not when they are filtered):
#: 100 milli-cores and 200 MiB. Source: kube-scheduler, DefaultMilliCPURequest and
#: DefaultMemoryRequest.
SCORING_DEFAULTS: dict[str, int] = {CPU: 100, MEMORY: 200 * 2**20}

_NONE: dict[str, int] = {}


def filter_requests(template: Template) -> dict[str, int]:
    """What a unit takes of a node when it is filtered and accounted (pods: 1 for itself)."""
    total = pod_requests(template)
    if template.gpu_share is not None:
        share = template.gpu_share
        total[GPU_MILLI] = total.get(GPU_MILLI, 0) + share.devices * share.milli
    return {**total, PODS: 1}


def scoring_requests(template: Template) -> dict[str, int]:
    """What an incoming unit counts in the score of NodeResourcesFit; pod-level is ignored there."""
    total = pod_requests(template, SCORING_DEFAULTS, pod_level=False)
    if template.gpu_share is not None:
        total[GPU_MILLI] = filter_requests(template)[GPU_MILLI]
    return total


def accounted_requests(template: Template) -> dict[str, int]:
    """What a unit on a node counts there, in cpu and memory, for the score of NodeResourcesFit."""
    named = set(template.requests)
    if named:
        for container in (*template.containers, *template.init_containers):
            named |= set(container.requests)
    defaults = {name: amount for name, amount in SCORING_DEFAULTS.items() if name not in named}
    return pod_requests(template, defaults)


def sizing_requests(template: Template) -> dict[str, int]:
    """What a unit counts when machines are sized: the requests, or the scoring default for none."""
    total = filter_requests(template)
    assumed = pod_requests(template, SCORING_DEFAULTS)
    for name in SCORING_DEFAULTS:
        if not total.get(name):
            total[name] = assumed.get(name, 0)
    return total


def pod_requests(
    template: Template, defaults: Mapping[str, int] = _NONE, *, pod_level: bool = True
) -> dict[str, int]:
    """Requests of a unit by resource; `defaults` stand in for what a container does not name.

    >>> pod_requests(Template(containers=(Container(requests={"cpu": "1"}),)))
    {'cpu': 1000}
    """
    sidecars = [c for c in template.init_containers if c.restart_policy == "Always"]
    running = _add(_requests(c, defaults) for c in (*template.containers, *sidecars))
    total = _most([running, *_init_peaks(template.init_containers, defaults)])
    if pod_level:
        total |= {
            name: amount
            for name, amount in template.requests.items()
            if name in (CPU, MEMORY) or name.startswith("hugepages-")
        }
    return _add([total, template.overhead])


def pod_limits(template: Template) -> dict[str, int]:
    """Limits of a unit by resource, by the rule of its requests; no limit counts as none."""
    bare = template.model_copy(
        update={
            "containers": tuple(_as_requests(c) for c in template.containers),
            "init_containers": tuple(_as_requests(c) for c in template.init_containers),
            "requests": template.limits,
        }
    )
    return pod_requests(bare)


def _as_requests(container: Container) -> Container:
    return container.model_copy(update={"requests": container.limits})


def _requests(container: Container, defaults: Mapping[str, int]) -> dict[str, int]:
    return {**defaults, **container.requests}


def _init_peaks(
    containers: Iterable[Container], defaults: Mapping[str, int]
) -> Iterable[dict[str, int]]:
    beside: dict[str, int] = {}
    for container in containers:
        peak = _add([beside, _requests(container, defaults)])
        if container.restart_policy == "Always":
            beside = peak
        yield peak


def _add(amounts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in amounts:
        for name, amount in each.items():
            total[name] = total.get(name, 0) + amount
    return total


def _most(amounts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    largest: dict[str, int] = {}
    for each in amounts:
        for name, amount in each.items():
            largest[name] = max(largest.get(name, 0), amount)
    return largest
