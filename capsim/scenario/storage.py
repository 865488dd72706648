"""Storage that outlives units: claims, volumes, classes, and what nodes can attach.

The fields are those of the Kubernetes API of the same names where there is one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from capsim.scenario.selectors import Labels, LabelSelector, NodeSelector
from capsim.scenario.spec import Resources, Spec

AccessMode = Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]
VolumeMode = Literal["Filesystem", "Block"]
#: The provisioner of classes whose volumes are made by hand.
NO_PROVISIONER = "kubernetes.io/no-provisioner"


class Claim(Spec):
    """A claim on storage (PersistentVolumeClaim)."""

    name: str = Field(min_length=1)
    namespace: str = "default"
    uid: str = ""
    storage_class_name: str | None = None
    """None: not stated, so the default class if the claim is yet to be made; "": no class."""
    requests: Resources = {}
    """`storage`, in bytes."""
    access_modes: tuple[AccessMode, ...] = ()
    volume_mode: VolumeMode = "Filesystem"
    volume_attributes_class_name: str = ""
    selector: LabelSelector | None = None
    """Which volumes will do, by their labels."""
    volume_name: str = ""
    bound: bool = False
    """Whether the binding to `volume_name` is complete."""
    lost: bool = False
    """Whether the volume is gone for good."""
    terminating: bool = False
    selected_node: str | None = None
    """Where a volume is being made for the unit that was placed first."""
    planned: bool = False
    """Not in a cluster yet: its class is filled in, and its volume made, for the unit to come."""

    @property
    def key(self) -> str:
        """namespace/name, unique in a scenario."""
        return f"{self.namespace}/{self.name}"

    @property
    def size_bytes(self) -> int:
        """What is asked for; 0 where nothing is stated."""
        return self.requests.get("storage", 0)


class PersistentVolume(Spec):
    """A volume that exists."""

    name: str = Field(min_length=1)
    labels: Labels = {}
    storage_class_name: str = ""
    capacity: Resources = {}
    """`storage`, in bytes."""
    access_modes: tuple[AccessMode, ...] = ()
    volume_mode: VolumeMode = "Filesystem"
    volume_attributes_class_name: str = ""
    node_affinity: NodeSelector | None = None
    """The nodes that reach it; None: all."""
    claim: str | None = None
    """namespace/name of the claim that it is kept for."""
    claim_uid: str = ""
    available: bool = True
    """Whether it can be bound (phase Available)."""
    terminating: bool = False
    driver: str = ""
    """The CSI driver that attaches it, or the one to which an in-tree disk has migrated."""
    handle: str = ""
    """What the driver calls it."""

    @property
    def size_bytes(self) -> int:
        """What it holds."""
        return self.capacity.get("storage", 0)


class LabelValues(Spec):
    """Values that a label may have."""

    key: str
    values: tuple[str, ...] = ()


class TopologyTerm(Spec):
    """Labels that a node must all have."""

    match_label_expressions: tuple[LabelValues, ...] = ()


class StorageClass(Spec):
    """How volumes of a class are made."""

    name: str = Field(min_length=1)
    provisioner: str = ""
    volume_binding_mode: Literal["Immediate", "WaitForFirstConsumer"] = "Immediate"
    allowed_topologies: tuple[TopologyTerm, ...] = ()
    """Where volumes can be made: nodes that meet one of the terms; none: anywhere."""
    is_default: bool = False


class CsiNodeDriver(Spec):
    """A CSI driver on a node."""

    name: str
    count: int | None = Field(default=None, ge=0)
    """The most volumes of the driver that can be attached; None: no limit."""
    topology_keys: tuple[str, ...] = ()
    """The labels that say from where its volumes are reached."""


class CsiNode(Spec):
    """The CSI drivers on a node (CSINode)."""

    name: str = Field(min_length=1)
    drivers: tuple[CsiNodeDriver, ...] = ()


class CsiDriver(Spec):
    """A CSI driver of the cluster (CSIDriver)."""

    name: str = Field(min_length=1)
    storage_capacity: bool = False
    """Whether it says how much room is left (StorageCapacity), so that the scheduler looks."""


class StorageCapacity(Spec):
    """Room for new volumes of a class on some nodes (CSIStorageCapacity)."""

    name: str = Field(min_length=1)
    namespace: str = "default"
    storage_class_name: str = ""
    capacity: Resources = {}
    """`storage`, in bytes; nothing: not known, so no room."""
    maximum_volume_size: Resources = {}
    """`storage`, in bytes, of the largest volume that can be made; counts before capacity."""
    node_topology: LabelSelector | None = None
    """The nodes that reach it; None: none."""

    @property
    def most_bytes(self) -> int | None:
        """The largest volume for which there is room, None where nothing is known."""
        return self.maximum_volume_size.get("storage", self.capacity.get("storage"))
