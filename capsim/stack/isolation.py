"""Stronger isolation, tenant by tenant: a VM for each, gVisor, Kata or Fargate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from capsim.errors import ModelError, nearest
from capsim.scenario import (
    CPU,
    HOSTNAME_LABEL,
    MEMORY,
    PODS,
    Affinity,
    Assumption,
    LabelSelector,
    Node,
    PodAffinity,
    PodAffinityTerm,
    Requirement,
    Scenario,
    Template,
    Unit,
)
from capsim.scenario.requests import filter_requests
from capsim.stack.container import kata_facts, kata_overhead
from capsim.stack.interval import Interval
from capsim.stack.parameters import Parameter, parameter
from capsim.stack.serverless import fargate_size, pod_memory_added
from capsim.topology import has_own_kernel

SHARED, VM_PER_TENANT, GVISOR, KATA, FARGATE = (
    "shared",
    "vm-per-tenant",
    "gvisor",
    "kata",
    "fargate",
)
#: From the weakest to the strongest; what people call them.
ISOLATIONS = {
    SHARED: "shared kernel",
    VM_PER_TENANT: "VM per tenant",
    GVISOR: "gVisor",
    KATA: "Kata",
    FARGATE: "Fargate",
}
TENANT_LABEL = "capsim/tenant"
SERVERLESS_NODE = "fargate"
_APART = Assumption(
    name="VM per tenant",
    value="nodes are VMs, and pods of different tenants refuse one another's nodes; pods of "
    "DaemonSets belong to the node and stand beside every tenant",
    source="required anti-affinity between tenants, decided by the scheduler as any other",
)


@dataclass(frozen=True)
class Overhead:
    """What isolation adds to one unit, in milli-cores and bytes."""

    cpu: int
    memory: int

    @property
    def resources(self) -> dict[str, int]:
        """As requests; nothing where nothing is added."""
        return {k: v for k, v in ((CPU, self.cpu), (MEMORY, self.memory)) if v}


def isolate(
    scenario: Scenario,
    by_tenant: Mapping[str, str] | None = None,
    *,
    default: str = SHARED,
    pods_per_node: int | None = None,
    end: str = "value",
) -> Scenario:
    """The same units isolated tenant by tenant, waiting to be placed anew.

    Parameters: by_tenant, namespace to one of ISOLATIONS; default, for the others; pods_per_node,
    at most so many units on a node, as `kubelet --max-pods`; end, "low", "value" or "high" of the
    overheads' ranges. Units of DaemonSets and static pods belong to their node and are left as they
    are; so are units that bring a kernel already, and units with GPUs where Fargate has none.
    Returns: Scenario, with a remark for what could not be isolated.
    Raises: ModelError for an unknown isolation or tenant.
    Model: docs/models/kernel_sharing.md, "Isolation".

    >>> cs.place(isolate(cluster, {"batch": "kata"}))
    """
    chosen = _checked(scenario, by_tenant or {}, default)
    kinds = {ns: chosen.get(ns, default) for ns in _tenants(scenario)}
    apart = VM_PER_TENANT in kinds.values()
    templates: dict[str, Template] = {}
    units, left = [], 0
    for unit in scenario.units:
        template = scenario.templates[unit.template]
        kind = kinds[unit.namespace]
        if belongs_to_node(unit):
            kind = SHARED
        elif not _can(template, kind):
            kind, left = SHARED, left + 1
        key = _key(unit, kind, apart)
        if key not in templates:
            templates[key] = _isolated(template, unit, kind, apart, end)
        node = SERVERLESS_NODE if kind == FARGATE else None
        if belongs_to_node(unit):
            node = unit.node
        same = (unit.template, unit.node) == (key, node)
        units.append(unit if same else unit.model_copy(update={"template": key, "node": node}))
    return scenario.model_copy(
        update={
            "nodes": _nodes(scenario, pods_per_node, FARGATE in kinds.values()),
            "templates": templates,
            "units": tuple(units),
            "remarks": (*scenario.remarks, *_remarks(left)),
            "assumptions": (*scenario.assumptions, *assumptions(kinds.values())),
        }
    )


def _tenants(scenario: Scenario) -> list[str]:
    return list(dict.fromkeys(unit.namespace for unit in scenario.units))


def _checked(scenario: Scenario, by_tenant: Mapping[str, str], default: str) -> dict[str, str]:
    tenants = _tenants(scenario)
    for tenant in by_tenant:
        if tenant not in tenants:
            raise ModelError(f"There is no tenant {tenant!r}{nearest(tenant, tenants)}.")
    for kind in (*by_tenant.values(), default):
        if kind not in ISOLATIONS:
            known = ", ".join(ISOLATIONS)
            raise ModelError(
                f"isolation is {kind!r}, expected one of {known}{nearest(kind, ISOLATIONS)}."
            )
    return dict(by_tenant)


def belongs_to_node(unit: Unit) -> bool:
    """Whether a unit comes with the node, as those of a DaemonSet and static pods do."""
    return unit.pinned is not None or unit.owner.startswith(("DaemonSet/", "Node/"))


def asks_gpu(template: Template) -> bool:
    """Whether a unit asks for a GPU, whole or in part."""
    names = filter_requests(template)
    return template.gpu_share is not None or any("gpu" in n and names[n] for n in names)


def _can(template: Template, kind: str) -> bool:
    """Whether the isolation can take such a unit; what brings its own kernel stays as it is."""
    if kind == SHARED or has_own_kernel(template):
        return kind == SHARED
    if kind != FARGATE:
        return True
    ports = any(port.host_port for c in template.containers for port in c.ports)
    return not asks_gpu(template) and not ports and billed(template) is not None


def overhead(kind: str, template: Template, end: str = "value") -> Overhead:
    """What an isolation adds to one unit of a template on the cluster's nodes."""
    if kind not in (KATA, GVISOR):
        return Overhead(0, 0)
    cores, memory = (getattr(each, end) for each in _added(kind, asks_gpu(template)))
    return Overhead(round(cores * 1000), round(memory))


def _added(kind: str, gpu: bool) -> tuple[Interval, Interval]:
    """Cores and bytes for each pod."""
    if kind == KATA:
        kata = kata_overhead(gpu=gpu)
        return kata.cores, kata.memory
    cpu, memory = _stated(kind)
    return cpu.amount, memory.amount


def _stated(kind: str) -> tuple[Parameter, ...]:
    """The facts that an isolation's overhead rests on."""
    if kind == KATA:
        return (*kata_facts(), *kata_facts(gpu=True))
    if kind == GVISOR:
        return tuple(parameter(GVISOR, f"pod_overhead_{name}") for name in ("cpu", "memory"))
    return (pod_memory_added(),) if kind == FARGATE else ()


def billed(template: Template) -> tuple[float, int] | None:
    """VCPU and bytes that EKS Fargate provides for a unit; None where the unit is too large.

    Requests plus what Fargate adds for itself, rounded up to the next size that is offered.
    """
    asked = filter_requests(template)
    memory = asked.get(MEMORY, 0) + pod_memory_added().amount.value
    try:
        cores, size = fargate_size(asked.get(CPU, 0) / 1000, memory)
    except ModelError:
        return None
    return cores, round(size)


def _key(unit: Unit, kind: str, apart: bool) -> str:
    """Templates differ by isolation, and by tenant where tenants refuse one another."""
    tenant = f" of {unit.namespace}" if apart and not belongs_to_node(unit) else ""
    return unit.template if kind == SHARED and not tenant else f"{unit.template} [{kind}{tenant}]"


def _isolated(template: Template, unit: Unit, kind: str, apart: bool, end: str) -> Template:
    changes: dict[str, object] = {}
    extra = overhead(kind, template, end).resources
    if extra:
        names = {**template.overhead, **extra}
        changes["overhead"] = {n: template.overhead.get(n, 0) + extra.get(n, 0) for n in names}
    if kind in (KATA, GVISOR):
        changes["runtime_class_name"] = kind
    if apart and not belongs_to_node(unit):
        changes["labels"] = {**template.labels, TENANT_LABEL: unit.namespace}
    if kind == VM_PER_TENANT:
        changes["affinity"] = _apart(template.affinity, unit.namespace)
    return template.model_copy(update=changes)


def _apart(affinity: Affinity, tenant: str) -> Affinity:
    """No node with a unit of another tenant; the scheduler holds the others to it as well."""
    others = (
        Requirement(key=TENANT_LABEL, operator="Exists"),
        Requirement(key=TENANT_LABEL, operator="NotIn", values=(tenant,)),
    )
    term = PodAffinityTerm(
        topology_key=HOSTNAME_LABEL,
        label_selector=LabelSelector(match_expressions=others),
        namespace_selector=LabelSelector(),
    )
    there = affinity.pod_anti_affinity or PodAffinity()
    more = there.model_copy(update={"required": (*there.required, term)})
    return affinity.model_copy(update={"pod_anti_affinity": more})


def _nodes(scenario: Scenario, pods_per_node: int | None, serverless: bool) -> tuple[Node, ...]:
    nodes = tuple(_named(_capped(node, pods_per_node)) for node in scenario.nodes)
    return (*nodes, _serverless()) if serverless else nodes


def _named(node: Node) -> Node:
    """A node that can be told apart by its host name, as every Kubernetes node can."""
    if HOSTNAME_LABEL in node.labels:
        return node
    return node.model_copy(update={"labels": {**node.labels, HOSTNAME_LABEL: node.name}})


def _capped(node: Node, most: int | None) -> Node:
    pods = node.allocatable.get(PODS, 0)
    if most is None or most >= pods:
        return node
    return node.model_copy(update={"allocatable": {**node.allocatable, PODS: most}})


def _serverless() -> Node:
    """A node that stands for the service; it is given its units and takes no others."""
    labels = {"eks.amazonaws.com/compute-type": "fargate", HOSTNAME_LABEL: SERVERLESS_NODE}
    return Node(name=SERVERLESS_NODE, labels=labels, unschedulable=True, allocatable={})


def _remarks(left: int) -> tuple[str, ...]:
    if not left:
        return ()
    return (
        f"{left:,} units stay on the shared kernel: they bring a kernel already, or ask for a GPU, "
        "a host port or a size that Fargate does not have.",
    )


def assumptions(kinds: Iterable[str]) -> tuple[Assumption, ...]:
    """What the chosen isolations rest on."""
    chosen = set(kinds)
    facts = (fact for kind in ISOLATIONS if kind in chosen for fact in _stated(kind))
    found = tuple(fact.assumption for fact in facts)
    return (*found, _APART) if VM_PER_TENANT in chosen else found
