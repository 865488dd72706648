"""Pod specs: the loose models of the API's fields, and the Template they amount to."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from capsim.errors import clip
from capsim.readers.estate import counted
from capsim.readers.kubernetes import admission
from capsim.readers.kubernetes.admission import Admission, Amounts
from capsim.readers.kubernetes.api_fields import NOT_READ
from capsim.readers.kubernetes.fields import Flag, Loose, Selector, without_nulls
from capsim.scenario import (
    Affinity,
    Container,
    Disk,
    Labels,
    Requirement,
    Resources,
    Template,
    Toleration,
    TopologySpreadConstraint,
    Volume,
)
from capsim.scenario.storage import AccessMode, VolumeMode
from capsim.scenario.wording import misfit

#: Operator to the least and the most number of values, and that in words.
_VALUES = {
    **dict.fromkeys(("In", "NotIn"), (1, sys.maxsize, "at least one value")),
    **dict.fromkeys(("Exists", "DoesNotExist"), (0, 0, "no values")),
    **dict.fromkeys(("Gt", "Lt"), (1, 1, "one value, a whole number")),
}
#: Stands for the unit's own name in the claims that each unit of a template has for itself.
OWN = "*"


class RawResources(Loose):
    """`resources` of a container or pod."""

    also: ClassVar[frozenset[str]] = frozenset({"claims"})
    requests: Resources = {}
    limits: Resources = {}


class RawPort(Loose):
    """A port of a container."""

    container_port: int = Field(ge=1, le=65535, strict=True)
    host_port: int = Field(default=0, ge=0, le=65535, strict=True)
    host_ip: str = Field(default="", alias="hostIP")
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    name: str = ""


class RawContainer(Loose):
    """A container."""

    also: ClassVar[frozenset[str]] = NOT_READ["container"]
    name: str = "main"
    image: str = ""
    resources: RawResources = RawResources()
    ports: list[RawPort] = []
    restart_policy: Literal["", "Always", "Never", "OnFailure"] = ""


class RawClaim(Loose):
    """A volume's reference to a claim."""

    claim_name: str


class ClaimMetadata(Loose):
    """Metadata of a claim template."""

    name: str = ""


class RawClaimSpec(Loose):
    """What a claim asks for."""

    also: ClassVar[frozenset[str]] = frozenset({"dataSource", "dataSourceRef"})
    storage_class_name: str | None = None
    resources: RawResources = RawResources()
    access_modes: list[AccessMode] = []
    volume_mode: VolumeMode = "Filesystem"
    volume_attributes_class_name: str = ""
    volume_name: str = ""
    selector: Selector | None = None


class ClaimTemplate(Loose):
    """A claim that each unit of a StatefulSet, or with an ephemeral volume, has for itself."""

    metadata: ClaimMetadata = ClaimMetadata()
    spec: RawClaimSpec = RawClaimSpec()


class RawEphemeral(Loose):
    """A volume that comes and goes with its pod."""

    volume_claim_template: ClaimTemplate = ClaimTemplate()


class RawGce(Loose):
    """A disk of Google Cloud."""

    pd_name: str
    read_only: Flag = False


class RawEbs(Loose):
    """A disk of AWS."""

    volume_id: str = Field(alias="volumeID")
    read_only: Flag = False


class RawIscsi(Loose):
    """An iSCSI disk."""

    iqn: str
    read_only: Flag = False


class RawRbd(Loose):
    """A Ceph block device."""

    monitors: list[str] = []
    pool: str = "rbd"
    image: str
    read_only: Flag = False


class RawVolume(Loose):
    """A volume; claims, disks of which not all can be shared, and what stays on its node."""

    also: ClassVar[frozenset[str]] = NOT_READ["volume"]
    name: str = ""
    persistent_volume_claim: RawClaim | None = None
    ephemeral: RawEphemeral | None = None
    empty_dir: dict[str, Any] | None = None
    host_path: dict[str, Any] | None = None
    gce_persistent_disk: RawGce | None = None
    aws_elastic_block_store: RawEbs | None = None
    iscsi: RawIscsi | None = None
    rbd: RawRbd | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a directory of the node."""
        return self.empty_dir is not None or self.host_path is not None


class RawResourceClaim(Loose):
    """A claim on devices."""

    name: str


class RawGate(Loose):
    """A scheduling gate."""

    name: str


class RawPodSpec(Loose):
    """The spec of a pod or of a workload's pod template."""

    also: ClassVar[frozenset[str]] = NOT_READ["pod"]
    containers: list[RawContainer] = Field(min_length=1)
    init_containers: list[RawContainer] = []
    resources: RawResources = RawResources()
    overhead: Resources = {}
    node_selector: Annotated[Labels, BeforeValidator(without_nulls)] = {}
    node_name: str = ""
    affinity: Annotated[Affinity, BeforeValidator(without_nulls)] = Affinity()
    tolerations: Annotated[tuple[Toleration, ...], BeforeValidator(without_nulls)] = ()
    topology_spread_constraints: Annotated[
        tuple[TopologySpreadConstraint, ...], BeforeValidator(without_nulls)
    ] = ()
    priority: int | None = Field(default=None, strict=True, ge=-(2**31), le=2**31 - 1)
    priority_class_name: str = ""
    preemption_policy: Literal["PreemptLowerPriority", "Never"] | None = None
    scheduler_name: str = "default-scheduler"
    scheduling_gates: list[RawGate] = []
    runtime_class_name: str = ""
    host_network: Flag = False
    volumes: list[RawVolume] = []
    resource_claims: list[RawResourceClaim] = []

    @model_validator(mode="after")
    def _conditions_have_their_values(self, info: ValidationInfo) -> Self:
        """As the API server sees to it for new pods; those that it has admitted pass."""
        if info.context and not info.context.get("live"):
            for each in _requirements(self):
                least, most, words = _VALUES[each.operator]
                if not least <= len(each.values) <= most:
                    raise misfit(
                        f"{each.operator} with {counted(len(each.values), 'value')} for the label "
                        f"{clip(each.key)}",
                        f"{each.operator} with {words}",
                    )
        return self


def _requirements(spec: RawPodSpec) -> Iterable[Requirement]:
    """Every condition of affinities and constraints."""
    node = spec.affinity.node_affinity
    if node is not None:
        required = node.required.node_selector_terms if node.required else ()
        for term in (*required, *(each.preference for each in node.preferred)):
            yield from (*term.match_expressions, *term.match_fields)
    selectors = [each.label_selector for each in spec.topology_spread_constraints]
    for affinity in (spec.affinity.pod_affinity, spec.affinity.pod_anti_affinity):
        if affinity is not None:
            terms = [*affinity.required, *(each.pod_affinity_term for each in affinity.preferred)]
            selectors += [each.label_selector for each in terms]
            selectors += [each.namespace_selector for each in terms]
    for selector in selectors:
        yield from selector.match_expressions if selector is not None else ()


class RawContainerStatus(Loose):
    """What a running container really has; differs from its spec while it is resized in place."""

    name: str
    resources: RawResources = RawResources()
    allocated_resources: Resources = {}


def as_stated(
    spec: RawPodSpec, labels: Labels, own_name: str, statuses: Iterable[RawContainerStatus] = ()
) -> dict[str, Any]:
    """The fields of the Template of a pod that an API server has admitted already."""
    held = {status.name: status for status in statuses}
    return {
        "labels": labels,
        "containers": _containers(spec.containers, spec.host_network, held),
        "init_containers": _containers(spec.init_containers, spec.host_network, held),
        "requests": spec.resources.requests,
        "limits": spec.resources.limits,
        "overhead": spec.overhead,
        "node_selector": spec.node_selector,
        "affinity": spec.affinity,
        "tolerations": spec.tolerations,
        "topology_spread_constraints": spec.topology_spread_constraints,
        "priority": spec.priority or 0,
        "priority_class_name": spec.priority_class_name,
        "preemption_policy": spec.preemption_policy or "PreemptLowerPriority",
        "scheduler_name": spec.scheduler_name,
        "scheduling_gates": tuple(gate.name for gate in spec.scheduling_gates),
        "runtime_class_name": spec.runtime_class_name,
        "volumes": _volumes(spec.volumes, own_name),
        "disks": tuple(disk for volume in spec.volumes for disk in _disks(volume)),
        "resource_claims": tuple(claim.name for claim in spec.resource_claims),
        "local_storage": any(volume.is_local for volume in spec.volumes),
    }


def as_admitted(
    spec: RawPodSpec, labels: Labels, own_name: str, rules: Admission, namespace: str
) -> dict[str, Any]:
    """The fields of the Template of a pod that is yet to be created from a manifest."""
    stated = as_stated(spec, labels, own_name)
    for part in ("containers", "init_containers"):
        for container in stated[part]:
            container["requests"], container["limits"] = rules.container(
                namespace, container["requests"], container["limits"]
            )
    asked = [container["requests"] for container in stated["containers"]]
    runtime = rules.runtimes.get(spec.runtime_class_name, admission.Runtime())
    stated["requests"] = admission.pod_level(stated["requests"], stated["limits"], asked)
    stated["overhead"] = stated["overhead"] or runtime.overhead
    stated["node_selector"] = {**runtime.node_selector, **stated["node_selector"]}
    stated["tolerations"] = (*stated["tolerations"], *runtime.tolerations)
    stated["affinity"] = admission.merged_label_keys(spec.affinity, labels)
    return {**stated, **_priority(spec, rules)}


def _priority(spec: RawPodSpec, rules: Admission) -> dict[str, Any]:
    known = rules.priority(spec.priority_class_name) if spec.priority is None else None
    if known is None:
        return {}
    return {
        "priority": known.value,
        "priority_class_name": known.name,
        "preemption_policy": spec.preemption_policy or known.preemption_policy,
    }


def _containers(
    raw: Iterable[RawContainer], host_network: bool, held: dict[str, RawContainerStatus]
) -> list[dict[str, Any]]:
    return [
        {
            "name": container.name,
            "image": container.image,
            "requests": _held(container.resources.requests, held.get(container.name)),
            "limits": container.resources.limits,
            "ports": tuple(_port(port, host_network) for port in container.ports),
            "restart_policy": container.restart_policy,
        }
        for container in raw
    ]


def _held(requests: Amounts, status: RawContainerStatus | None) -> Amounts:
    """A resize in place counts with the most of what is asked, allocated and in force."""
    if status is None:
        return requests
    every = (requests, status.resources.requests, status.allocated_resources)
    return {name: max(each.get(name, 0) for each in every) for each in every for name in each}


def _port(port: RawPort, host_network: bool) -> dict[str, Any]:
    host_port = port.host_port or (port.container_port if host_network else 0)
    return {**port.model_dump(), "host_port": host_port}


def _volumes(volumes: Iterable[RawVolume], own_name: str) -> tuple[Volume, ...]:
    claims = [_claim(volume, own_name) for volume in volumes]
    return tuple(Volume(claim=claim) for claim in claims if claim)


def _claim(volume: RawVolume, own_name: str) -> str:
    if volume.ephemeral is not None:
        return f"{OWN}-{volume.name}"
    if volume.persistent_volume_claim is None:
        return ""
    return shared_claim(volume.persistent_volume_claim.claim_name, own_name)


def shared_claim(claim: str, own_name: str) -> str:
    """A claim as its whole template has it: "data-web-0" of the unit web-0 is "data-*".

    own_name: "" for the template of a workload, in which names stand as they are.
    """
    is_own = bool(own_name) and claim.endswith(f"-{own_name}")
    return claim.removesuffix(own_name) + OWN if is_own else claim


def _disks(volume: RawVolume) -> Iterable[Disk]:
    if (gce := volume.gce_persistent_disk) is not None:
        yield Disk(kind="gcePersistentDisk", name=gce.pd_name, read_only=gce.read_only)
    if (ebs := volume.aws_elastic_block_store) is not None:
        yield Disk(kind="awsElasticBlockStore", name=ebs.volume_id, read_only=ebs.read_only)
    if (iscsi := volume.iscsi) is not None:
        yield Disk(kind="iscsi", name=iscsi.iqn, read_only=iscsi.read_only)
    if (rbd := volume.rbd) is not None:
        yield Disk(
            kind="rbd",
            name=f"{rbd.pool}/{rbd.image}",
            monitors=tuple(rbd.monitors),
            read_only=rbd.read_only,
        )


def lacks(template: Template) -> frozenset[str]:
    """Which of cpu and memory some container of a template does not request."""
    return frozenset(
        name
        for name in ("cpu", "memory")
        if name not in template.requests
        and any(name not in container.requests for container in _counted(template))
    )


def _counted(template: Template) -> Iterable[Container]:
    sidecars = (c for c in template.init_containers if c.restart_policy == "Always")
    return (*template.containers, *sidecars)
