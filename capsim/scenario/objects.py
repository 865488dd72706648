"""What stands around the units: workloads, services, budgets, quotas, autoscalers, namespaces."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from capsim.errors import clip
from capsim.scenario.selectors import Labels, LabelSelector
from capsim.scenario.spec import Spec
from capsim.scenario.wording import misfit
from capsim.units import parse_quantity


class Workload(Spec):
    """What keeps a number of units of one template alive."""

    kind: str
    """Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, ..."""
    name: str
    namespace: str = "default"
    template: str
    replicas: int = Field(ge=0)
    selector: LabelSelector | None = None
    parallelism: int | None = None


class Service(Spec):
    """A name under which units are reached."""

    name: str
    namespace: str = "default"
    type: str = "ClusterIP"
    selector: Labels = {}
    ports: tuple[int, ...] = ()


class Ingress(Spec):
    """A way into the cluster, and the services it leads to."""

    name: str
    namespace: str = "default"
    services: tuple[str, ...] = ()


class Budget(Spec):
    """How many units of a selection may be away (PodDisruptionBudget)."""

    name: str
    namespace: str = "default"
    selector: LabelSelector | None = None
    min_available: str = ""
    max_unavailable: str = ""
    disruptions_allowed: int | None = None
    disrupted_pods: tuple[str, ...] = ()


class Namespace(Spec):
    """A namespace that has labels of its own."""

    name: str
    labels: Labels = {}


class PriorityClass(Spec):
    """A named priority."""

    name: str
    value: int
    global_default: bool = False
    preemption_policy: Literal["PreemptLowerPriority", "Never"] = "PreemptLowerPriority"


class QuotaScope(Spec):
    """Which units a quota covers; PriorityClass has an operator and values."""

    name: Literal[
        "BestEffort",
        "NotBestEffort",
        "Terminating",
        "NotTerminating",
        "PriorityClass",
        "CrossNamespacePodAffinity",
    ]
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = "Exists"
    values: tuple[str, ...] = ()


class Quota(Spec):
    """What a namespace may request in total (ResourceQuota)."""

    name: str
    namespace: str = "default"
    hard: dict[str, str] = {}
    """Names such as requests.cpu or pods to quantities."""
    scopes: tuple[QuotaScope, ...] = ()
    """It covers the units that all of them choose; none: every unit."""

    @field_validator("hard")
    @classmethod
    def _are_quantities(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            try:
                parse_quantity(text)
            except ValueError:
                raise misfit(f"{clip(text)} of {name}", "a quantity such as 10 or 4Gi") from None
        return value


class Autoscaler(Spec):
    """A HorizontalPodAutoscaler; `metrics` and `behavior` are kept as the API has them."""

    name: str
    namespace: str = "default"
    target: str
    """Kind/name of the workload it scales."""
    min_replicas: int = 1
    max_replicas: int
    metrics: tuple[dict[str, Any], ...] = ()
    behavior: dict[str, Any] = {}
