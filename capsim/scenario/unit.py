"""What runs: templates of units (pods, VMs, containers) and the units themselves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from capsim.scenario.selectors import Affinity, Labels, Toleration, TopologySpreadConstraint
from capsim.scenario.spec import Resources, Spec


class Port(Spec):
    """A port of a container; only host ports matter for placement."""

    container_port: int = Field(default=0, ge=0, le=65535)
    host_port: int = Field(default=0, ge=0, le=65535)
    """0: none taken on the node."""
    host_ip: str = Field(default="", alias="hostIP")
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    name: str = ""


class Container(Spec):
    """One container of a unit (a VM has exactly one)."""

    name: str = "main"
    image: str = ""
    requests: Resources = {}
    limits: Resources = {}
    ports: tuple[Port, ...] = ()
    restart_policy: Literal["", "Always", "Never", "OnFailure"] = ""
    """On an init container, "Always" makes it a sidecar."""


class GpuShare(Spec):
    """Boards that a unit needs, and how much of each."""

    devices: int = Field(ge=1)
    milli: int = Field(ge=1, le=1000)
    """Thousandths of each board; 1000 is a whole one."""


class Volume(Spec):
    """A claim on storage that a unit mounts."""

    claim: str
    """Its name; "*" in it stands for the unit's own name. "*-NAME" comes and goes with the unit."""

    @property
    def is_ephemeral(self) -> bool:
        """Whether the claim is made with the unit, and goes with it."""
        return self.claim.startswith("*-")

    def claim_of(self, unit: str) -> str:
        """The name of the claim of one unit."""
        return self.claim.replace("*", unit)


class Disk(Spec):
    """A disk that a unit names itself, without a claim; not every two units can share one."""

    kind: Literal["gcePersistentDisk", "awsElasticBlockStore", "iscsi", "rbd"]
    name: str
    """PD name, volume ID, IQN, or pool/image."""
    monitors: tuple[str, ...] = ()
    """Of Ceph; two disks are the same only if they share one."""
    read_only: bool = False


class Template(Spec):
    """What units of one kind have in common; shared, so identical units cost nothing twice."""

    kind: Literal["pod", "vm", "container"] = "pod"
    labels: Labels = {}
    containers: tuple[Container, ...] = (Container(),)
    init_containers: tuple[Container, ...] = ()
    requests: Resources = {}
    """Requests of the unit as a whole (pod-level resources)."""
    limits: Resources = {}
    overhead: Resources = {}
    """What the sandbox of the unit itself takes."""
    gpu_share: GpuShare | None = None
    node_selector: Labels = {}
    node_name: str | None = None
    """Asked for by name; only this node will do."""
    affinity: Affinity = Affinity()
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    priority: int = Field(default=0, ge=-(2**31), le=2**31 - 1)
    priority_class_name: str = ""
    preemption_policy: Literal["PreemptLowerPriority", "Never"] = "PreemptLowerPriority"
    scheduler_name: str = "default-scheduler"
    scheduling_gates: tuple[str, ...] = ()
    runtime_class_name: str = ""
    volumes: tuple[Volume, ...] = ()
    disks: tuple[Disk, ...] = ()
    resource_claims: tuple[str, ...] = ()
    """Devices asked for by claim (dynamic resource allocation), which are not modelled."""
    local_storage: bool = False
    """Whether it mounts a directory of its node (emptyDir, hostPath), which does not move along."""
    secrets: tuple[str, ...] = ()
    """Names, in the unit's namespace, of secrets that it mounts, reads or pulls images with."""
    service_account_name: str = ""
    """Whose token the unit carries; empty: not known, or none."""


class Unit(Spec):
    """One thing to place: a pod, a VM, a container."""

    name: str = Field(min_length=1)
    namespace: str = "default"
    template: str
    """Key of its template in the scenario."""
    labels: Labels = {}
    """Labels that only this unit has, on top of its template's."""
    node: str | None = None
    """Where it runs already; None: it waits for a place."""
    pinned: str | None = None
    """The one node it may run on, as for a pod of a DaemonSet."""
    owner: str = ""
    """Kind/name of what made it, for example "Deployment/web"."""
    created_s: float | None = None
    """When it was created, in seconds (since 1970 for cluster dumps)."""
    started_s: float | None = None
    terminating: bool = False

    @property
    def key(self) -> str:
        """namespace/name, unique in a scenario."""
        return f"{self.namespace}/{self.name}"
