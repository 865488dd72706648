"""What stands around the units: services, budgets, quotas, autoscalers, classes, defaults."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from capsim.errors import clip
from capsim.readers.kubernetes.admission import Runtime
from capsim.readers.kubernetes.cluster import Cluster
from capsim.readers.kubernetes.fields import (
    Count,
    Flag,
    IntOrText,
    Loose,
    Selector,
    without_nulls,
)
from capsim.readers.kubernetes.objects import Object
from capsim.scenario import (
    Autoscaler,
    Budget,
    Ingress,
    Labels,
    Namespace,
    PriorityClass,
    Quota,
    QuotaScope,
    Resources,
    Service,
    Toleration,
)
from capsim.units import parse_quantity

_AUTOSCALING = ("autoscaling/v1", "autoscaling/v2", "autoscaling/v2beta2")
_DEEPEST_METRIC = 20
_OwnLabels = Annotated[Labels, BeforeValidator(without_nulls)]
_Policy = Literal["PreemptLowerPriority", "Never"]


class _Labelled(Loose):
    labels: _OwnLabels = {}


def read_namespace(found: Object, cluster: Cluster) -> None:
    """A namespace; its name is a label too, as the API server sees to."""
    metadata = cluster.checked(_Labelled, found, "metadata")
    if metadata is not None:
        labels = {"kubernetes.io/metadata.name": found.name, **metadata.labels}
        cluster.estate.add("namespaces", Namespace(name=found.name, labels=labels), found.file)


class _PriorityClass(Loose):
    value: int = Field(strict=True, ge=-(2**31), le=2**31 - 1)
    global_default: Flag = False
    preemption_policy: _Policy = "PreemptLowerPriority"


def read_priority_class(found: Object, cluster: Cluster) -> None:
    """A named priority."""
    raw = cluster.checked(_PriorityClass, found)
    if raw is not None:
        known = PriorityClass(name=found.name, **raw.model_dump())
        cluster.rules.priorities[found.name] = known
        cluster.estate.add("priority_classes", known, found.file)


class _Scheduling(Loose):
    node_selector: _OwnLabels = {}
    tolerations: Annotated[tuple[Toleration, ...], BeforeValidator(without_nulls)] = ()


class _Overhead(Loose):
    pod_fixed: Resources = {}


class _RuntimeClass(Loose):
    overhead: _Overhead = _Overhead()
    scheduling: _Scheduling = _Scheduling()


def read_runtime_class(found: Object, cluster: Cluster) -> None:
    """What a container runtime (gVisor, Kata) adds to its pods."""
    raw = cluster.checked(_RuntimeClass, found)
    if raw is not None:
        cluster.rules.runtimes[found.name] = Runtime(
            raw.overhead.pod_fixed, raw.scheduling.node_selector, raw.scheduling.tolerations
        )


class _LimitItem(Loose):
    type: str
    default: Resources = {}
    default_request: Resources = {}
    max: Resources = {}
    min: Resources = {}


class _LimitSpec(Loose):
    limits: list[_LimitItem] = []


def read_limit_range(found: Object, cluster: Cluster) -> None:
    """Defaults for containers.

    Where they are not stated, max is the default limit, and limit or else min the default request.
    """
    spec = cluster.checked(_LimitSpec, found, "spec")
    for item in spec.limits if spec is not None else ():
        if item.type == "Container":
            limits = {**item.max, **item.default}
            requests = {**item.min, **limits, **item.default_request}
            cluster.rules.add_defaults(found.namespace, limits, requests)


_Scope = Literal[
    "BestEffort",
    "NotBestEffort",
    "Terminating",
    "NotTerminating",
    "PriorityClass",
    "CrossNamespacePodAffinity",
]


class _ScopeExpression(Loose):
    scope_name: _Scope
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = "Exists"
    values: list[str] = []


class _ScopeSelector(Loose):
    match_expressions: list[_ScopeExpression] = []


class _QuotaSpec(Loose):
    hard: dict[str, str | int | float] = {}
    scopes: list[_Scope] = []
    scope_selector: _ScopeSelector = _ScopeSelector()


def read_quota(found: Object, cluster: Cluster) -> None:
    """What a namespace may request in total."""
    spec = cluster.checked(_QuotaSpec, found, "spec")
    if spec is None:
        return
    for name, text in spec.hard.items():
        try:
            parse_quantity(text)
        except ValueError:
            cluster.problem(found, f"spec.hard.{name}", clip(text), "a quantity such as 10 or 4Gi")
            return
    hard = {name: str(text) for name, text in spec.hard.items()}
    scopes = (
        *(QuotaScope(name=name) for name in spec.scopes),
        *(
            QuotaScope(name=each.scope_name, operator=each.operator, values=tuple(each.values))
            for each in spec.scope_selector.match_expressions
        ),
    )
    quota = Quota(name=found.name, namespace=found.namespace, hard=hard, scopes=scopes)
    cluster.estate.add("quotas", quota, found.file)


class _ServicePort(Loose):
    port: int = Field(strict=True, ge=1, le=65535)


class _ServiceSpec(Loose):
    type: str = "ClusterIP"
    selector: _OwnLabels = {}
    ports: list[_ServicePort] = []


def read_service(found: Object, cluster: Cluster) -> None:
    """A name under which pods are reached."""
    spec = cluster.checked(_ServiceSpec, found, "spec")
    if spec is not None:
        service = Service(
            name=found.name,
            namespace=found.namespace,
            type=spec.type,
            selector=spec.selector,
            ports=tuple(port.port for port in spec.ports),
        )
        cluster.estate.add("services", service, found.file)


class _ServiceName(Loose):
    name: str = ""


class _Backend(Loose):
    service: _ServiceName = _ServiceName()
    service_name: str = ""


class _IngressPath(Loose):
    backend: _Backend = _Backend()


class _IngressHttp(Loose):
    paths: list[_IngressPath] = []


class _IngressRule(Loose):
    http: _IngressHttp = _IngressHttp()


class _IngressSpec(Loose):
    default_backend: _Backend = _Backend()
    rules: list[_IngressRule] = []


def read_ingress(found: Object, cluster: Cluster) -> None:
    """A way into the cluster, and the services it leads to."""
    spec = cluster.checked(_IngressSpec, found, "spec")
    if spec is not None:
        backends = [path.backend for rule in spec.rules for path in rule.http.paths]
        names = [b.service.name or b.service_name for b in (spec.default_backend, *backends)]
        services = tuple(dict.fromkeys(name for name in names if name))
        ingress = Ingress(name=found.name, namespace=found.namespace, services=services)
        cluster.estate.add("ingresses", ingress, found.file)


class _BudgetSpec(Loose):
    selector: Selector | None = None
    min_available: IntOrText = ""
    max_unavailable: IntOrText = ""


class _BudgetStatus(Loose):
    disruptions_allowed: int | None = None
    disrupted_pods: dict[str, Any] = {}


class _Budget(Loose):
    spec: _BudgetSpec = _BudgetSpec()
    status: _BudgetStatus = _BudgetStatus()


def read_budget(found: Object, cluster: Cluster) -> None:
    """How many pods of a selection may be away at once."""
    raw = cluster.checked(_Budget, found)
    if raw is not None:
        budget = Budget(
            name=found.name,
            namespace=found.namespace,
            selector=raw.spec.selector,
            min_available=raw.spec.min_available,
            max_unavailable=raw.spec.max_unavailable,
            disruptions_allowed=raw.status.disruptions_allowed,
            disrupted_pods=tuple(raw.status.disrupted_pods),
        )
        cluster.estate.add("budgets", budget, found.file)


class _Target(Loose):
    also: ClassVar[frozenset[str]] = frozenset({"apiVersion"})
    kind: str
    name: str


class _AutoscalerSpec(Loose):
    scale_target_ref: _Target
    min_replicas: Count | None = None
    max_replicas: int = Field(strict=True, ge=1)
    metrics: list[dict[str, Any]] = []
    behavior: dict[str, Any] = {}
    target_cpu_utilization: int | None = Field(
        default=None, strict=True, ge=1, alias="targetCPUUtilizationPercentage"
    )


def read_autoscaler(found: Object, cluster: Cluster) -> None:
    """A HorizontalPodAutoscaler; version 1's CPU target is kept as a metric of version 2."""
    version = found.raw.get("apiVersion")
    if version not in _AUTOSCALING:
        cluster.problem(found, "apiVersion", clip(version), f"one of {', '.join(_AUTOSCALING)}")
        return
    spec = cluster.checked(_AutoscalerSpec, found, "spec")
    if spec is None:
        return
    if _depth([spec.metrics, spec.behavior]) > _DEEPEST_METRIC:
        cluster.problem(found, "spec", "metrics or behavior nested too deeply", "the API's fields")
        return
    minimum = 1 if spec.min_replicas is None else spec.min_replicas
    if minimum > spec.max_replicas:
        expected = f"at most maxReplicas ({spec.max_replicas})"
        cluster.problem(found, "spec.minReplicas", str(minimum), expected)
        return
    target = spec.scale_target_ref
    cluster.minimum_of[target.kind, found.namespace, target.name] = minimum
    autoscaler = Autoscaler(
        name=found.name,
        namespace=found.namespace,
        target=f"{target.kind}/{target.name}",
        min_replicas=minimum,
        max_replicas=spec.max_replicas,
        metrics=tuple(spec.metrics) or _cpu_metric(spec.target_cpu_utilization),
        behavior=spec.behavior,
    )
    cluster.estate.add("autoscalers", autoscaler, found.file)


def _cpu_metric(utilization: int | None) -> tuple[dict[str, Any], ...]:
    if utilization is None:
        return ()
    target = {"type": "Utilization", "averageUtilization": utilization}
    return ({"type": "Resource", "resource": {"name": "cpu", "target": target}},)


def _depth(value: Any) -> int:
    """How deep lists and mappings are nested; counted without recursion."""
    level, depth = [value], 0
    while level and depth <= _DEEPEST_METRIC + 1:
        depth += 1
        children = (v.values() if isinstance(v, dict) else v for v in level)
        level = [c for group in children for c in group if isinstance(c, dict | list)]
    return depth
