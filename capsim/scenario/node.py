"""Machines: what a node offers and where it stands."""

from __future__ import annotations

from pydantic import Field

from capsim.scenario.selectors import Labels, Taint
from capsim.scenario.spec import Resources, Spec

ZONE_LABEL = "topology.kubernetes.io/zone"
REGION_LABEL = "topology.kubernetes.io/region"
HOSTNAME_LABEL = "kubernetes.io/hostname"
INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"
#: Kubernetes has no standard label for racks; these are in common use.
RACK_LABELS = ("topology.kubernetes.io/rack", "topology.rack", "rack")


class NodeImage(Spec):
    """A container image that is on a node's disk."""

    names: tuple[str, ...] = ()
    size_bytes: int = Field(default=0, ge=0)


class Node(Spec):
    """A machine that runs units: a Kubernetes node, or a host of VMs."""

    name: str = Field(min_length=1)
    labels: Labels = {}
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    """Cordoned: nothing new is placed here."""
    allocatable: Resources
    """What units may request in total; `pods` is the number of units (no entry: none fit)."""
    capacity: Resources = {}
    """What the machine has, before reserves; empty where unknown."""
    images: tuple[NodeImage, ...] = ()
    gpu_devices: int = Field(default=0, ge=0, le=1024)
    """GPU boards that can be shared in thousandths (see Template.gpu_share)."""
    host: str | None = None
    """The physical host, where this node is a VM on a known one."""

    @property
    def zone(self) -> str | None:
        """Failure zone, from the standard label."""
        return self.labels.get(ZONE_LABEL)

    @property
    def region(self) -> str | None:
        """Region, from the standard label."""
        return self.labels.get(REGION_LABEL)

    @property
    def rack(self) -> str | None:
        """Rack, from the labels in common use."""
        return next((self.labels[key] for key in RACK_LABELS if key in self.labels), None)

    @property
    def shape(self) -> str:
        """The machine's shape: its instance type where labelled, else its size."""
        return self.labels.get(INSTANCE_TYPE_LABEL) or self.size

    @property
    def size(self) -> str:
        """Allocatable cores, memory and GPUs in words, for example "32 cores, 256 GiB"."""
        cores = self.allocatable.get("cpu", 0) / 1000
        memory_gib = self.allocatable.get("memory", 0) / 2**30
        gpus = f", {self.gpu_devices} GPUs" if self.gpu_devices else ""
        return f"{cores:.4g} cores, {memory_gib:.4g} GiB{gpus}"
