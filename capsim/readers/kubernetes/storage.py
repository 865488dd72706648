"""Claims, volumes, storage classes and CSI objects; and the claims of units that are added."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationError

from capsim.readers.kubernetes.cluster import Cluster
from capsim.readers.kubernetes.fields import Flag, Loose, Selector, problems, without_nulls
from capsim.readers.kubernetes.objects import Object
from capsim.readers.kubernetes.podspec import ClaimTemplate, RawClaimSpec, RawVolume
from capsim.scenario import (
    Claim,
    CsiDriver,
    CsiNode,
    CsiNodeDriver,
    Labels,
    LabelValues,
    NodeSelector,
    PersistentVolume,
    Resources,
    StorageCapacity,
    StorageClass,
    TopologyTerm,
    Unit,
    print_resources,
)
from capsim.scenario.storage import AccessMode, VolumeMode

_BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_CLASS = "volume.beta.kubernetes.io/storage-class"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_Texts = Annotated[dict[str, str], BeforeValidator(without_nulls)]


class _Metadata(Loose):
    uid: str = ""
    labels: Annotated[Labels, BeforeValidator(without_nulls)] = {}
    annotations: _Texts = {}
    deletion_timestamp: str | None = None


# Claims -------------------------------------------------------------------------------------


class _Status(Loose):
    phase: str = ""


class _Claim(Loose):
    metadata: _Metadata = _Metadata()
    spec: RawClaimSpec = RawClaimSpec()
    status: _Status = _Status()


def read_claim(found: Object, cluster: Cluster) -> None:
    """A PersistentVolumeClaim; one that no API server has stored is planned."""
    raw = cluster.checked(_Claim, found)
    if raw is None:
        return
    notes, phase = raw.metadata.annotations, raw.status.phase
    is_bound = phase == "Bound" or _BIND_COMPLETED in notes
    claim = _claim(
        raw.spec,
        name=found.name,
        namespace=found.namespace,
        uid=raw.metadata.uid,
        bound=is_bound and bool(raw.spec.volume_name),
        lost=phase == "Lost",
        terminating=raw.metadata.deletion_timestamp is not None,
        selected_node=notes.get(_SELECTED_NODE),
        planned=not found.is_live,
    )
    if _CLASS in notes:
        claim = claim.model_copy(update={"storage_class_name": notes[_CLASS]})
    cluster.estate.add("claims", claim, found.file)


def _claim(spec: RawClaimSpec, **fields: Any) -> Claim:
    return Claim(
        storage_class_name=spec.storage_class_name,
        requests=print_resources(spec.resources.requests),
        access_modes=tuple(spec.access_modes),
        volume_mode=spec.volume_mode,
        volume_attributes_class_name=spec.volume_attributes_class_name,
        selector=spec.selector,
        volume_name=spec.volume_name,
        **fields,
    )


def plan_claims(
    unit: Unit, spec: dict[str, Any], own: Iterable[ClaimTemplate], source: Object, cluster: Cluster
) -> None:
    """Adds the claims that come with a unit which is yet to be made, unless they are there.

    spec: of the pod, whose ephemeral volumes have claims; own: claim templates of a StatefulSet.
    """
    wanted = {f"{each.metadata.name}-{unit.name}": each.spec for each in own}
    wanted |= {f"{unit.name}-{name}": each.spec for name, each in _ephemeral(spec)}
    for name, asked in wanted.items():
        if cluster.find("PersistentVolumeClaim", unit.namespace, name) is None:
            claim = _claim(asked, name=name, namespace=unit.namespace, planned=True)
            cluster.estate.add("claims", claim, source.file)


def _ephemeral(spec: dict[str, Any]) -> Iterable[tuple[str, ClaimTemplate]]:
    """Name and claim template of each ephemeral volume of a spec that has been checked."""
    for raw in spec.get("volumes") or ():
        if raw.get("ephemeral") is not None:
            volume = RawVolume.model_validate(raw, context={"live": True})
            if volume.ephemeral is not None:
                yield volume.name, volume.ephemeral.volume_claim_template


# Volumes ------------------------------------------------------------------------------------


class _Source(Loose):
    """Where a volume is: in CSI, or in a plugin of old that has migrated to CSI."""

    driver: str = ""
    volume_handle: str = ""
    volume_id: str = Field(default="", alias="volumeID")
    pd_name: str = ""
    disk_name: str = ""


class _Affinity(Loose):
    required: Annotated[NodeSelector | None, BeforeValidator(without_nulls)] = None


class _Reference(Loose):
    name: str = ""
    namespace: str = ""
    uid: str = ""


class _VolumeSpec(Loose):
    also: ClassVar[frozenset[str]] = frozenset(
        {"persistentVolumeReclaimPolicy", "mountOptions", "hostPath", "local", "nfs", "iscsi"}
    )
    capacity: Resources = {}
    access_modes: list[AccessMode] = []
    storage_class_name: str = ""
    volume_mode: VolumeMode = "Filesystem"
    volume_attributes_class_name: str = ""
    node_affinity: _Affinity = _Affinity()
    claim_ref: _Reference | None = None
    csi: _Source | None = None
    aws_elastic_block_store: _Source | None = None
    gce_persistent_disk: _Source | None = None
    azure_disk: _Source | None = None
    cinder: _Source | None = None


class _Volume(Loose):
    metadata: _Metadata = _Metadata()
    spec: _VolumeSpec
    status: _Status = _Status()


def read_volume(found: Object, cluster: Cluster) -> None:
    """A PersistentVolume."""
    raw = cluster.checked(_Volume, found)
    if raw is None:
        return
    spec, kept = raw.spec, raw.spec.claim_ref
    driver, handle = _attached(spec)
    volume = PersistentVolume(
        name=found.name,
        labels=raw.metadata.labels,
        storage_class_name=raw.metadata.annotations.get(_CLASS, spec.storage_class_name),
        capacity=print_resources(spec.capacity),
        access_modes=tuple(spec.access_modes),
        volume_mode=spec.volume_mode,
        volume_attributes_class_name=spec.volume_attributes_class_name,
        node_affinity=spec.node_affinity.required,
        claim=f"{kept.namespace or 'default'}/{kept.name}" if kept else None,
        claim_uid=kept.uid if kept else "",
        available=raw.status.phase in ("", "Available"),
        terminating=raw.metadata.deletion_timestamp is not None,
        driver=driver,
        handle=handle,
    )
    cluster.estate.add("persistent_volumes", volume, found.file)


def _attached(spec: _VolumeSpec) -> tuple[str, str]:
    """CSI driver and the volume's name there; nothing for what is not attached."""
    if spec.csi is not None:
        return spec.csi.driver, spec.csi.volume_handle
    if spec.aws_elastic_block_store is not None:
        # The ID may be written as aws://zone/vol-1.
        return "ebs.csi.aws.com", spec.aws_elastic_block_store.volume_id.rpartition("/")[2]
    if spec.gce_persistent_disk is not None:
        return "pd.csi.storage.gke.io", spec.gce_persistent_disk.pd_name
    if spec.azure_disk is not None:
        return "disk.csi.azure.com", spec.azure_disk.disk_name
    if spec.cinder is not None:
        return "cinder.csi.openstack.org", spec.cinder.volume_id
    return "", ""


# Classes and drivers ------------------------------------------------------------------------


class _Expression(Loose):
    key: str
    values: list[str] = []


class _Term(Loose):
    match_label_expressions: list[_Expression] = []


class _StorageClass(Loose):
    also: ClassVar[frozenset[str]] = frozenset(
        {"parameters", "reclaimPolicy", "mountOptions", "allowVolumeExpansion"}
    )
    metadata: _Metadata = _Metadata()
    provisioner: str
    volume_binding_mode: Literal["Immediate", "WaitForFirstConsumer"] = "Immediate"
    allowed_topologies: list[_Term] = []


def read_storage_class(found: Object, cluster: Cluster) -> None:
    """How volumes of a class are made."""
    raw = cluster.checked(_StorageClass, found)
    if raw is None:
        return
    terms = tuple(
        TopologyTerm(
            match_label_expressions=tuple(
                LabelValues(key=each.key, values=tuple(each.values))
                for each in term.match_label_expressions
            )
        )
        for term in raw.allowed_topologies
    )
    known = StorageClass(
        name=found.name,
        provisioner=raw.provisioner,
        volume_binding_mode=raw.volume_binding_mode,
        allowed_topologies=terms,
        is_default=raw.metadata.annotations.get(_DEFAULT_CLASS) == "true",
    )
    cluster.estate.add("storage_classes", known, found.file)


class _Allocatable(Loose):
    count: int | None = Field(default=None, strict=True, ge=0)


class _Driver(Loose):
    name: str
    allocatable: _Allocatable = _Allocatable()
    topology_keys: list[str] = []


class _CsiNodeSpec(Loose):
    drivers: list[_Driver] = []


def read_csi_node(found: Object, cluster: Cluster) -> None:
    """The CSI drivers of a node, and how many volumes each attaches."""
    spec = cluster.checked(_CsiNodeSpec, found, "spec")
    if spec is not None:
        drivers = tuple(
            CsiNodeDriver(
                name=each.name,
                count=each.allocatable.count,
                topology_keys=tuple(each.topology_keys),
            )
            for each in spec.drivers
        )
        cluster.estate.add("csi_nodes", CsiNode(name=found.name, drivers=drivers), found.file)


class _CsiDriverSpec(Loose):
    storage_capacity: Flag = False


def read_csi_driver(found: Object, cluster: Cluster) -> None:
    """Whether a CSI driver says how much room is left."""
    spec = cluster.checked(_CsiDriverSpec, found, "spec")
    if spec is not None:
        driver = CsiDriver(name=found.name, storage_capacity=spec.storage_capacity)
        cluster.estate.add("csi_drivers", driver, found.file)


class _Capacity(Loose):
    storage_class_name: str
    capacity: str | int | float | None = None
    maximum_volume_size: str | int | float | None = None
    node_topology: Selector | None = None


def read_storage_capacity(found: Object, cluster: Cluster) -> None:
    """Room for new volumes of a class on some nodes."""
    raw = cluster.checked(_Capacity, found)
    if raw is None:
        return
    try:
        known = StorageCapacity(
            name=found.name,
            namespace=found.namespace,
            storage_class_name=raw.storage_class_name,
            capacity=_storage(raw.capacity),
            maximum_volume_size=_storage(raw.maximum_volume_size),
            node_topology=raw.node_topology,
        )
    except ValidationError as error:
        for each in problems(error, found.file, found.title, None):
            cluster.problem(found, each.field, each.found, each.expected)
        return
    cluster.estate.add("storage_capacities", known, found.file)


def _storage(amount: Any) -> Any:
    return {} if amount is None else {"storage": amount}
