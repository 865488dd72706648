"""The platforms that are compared, each as the layers it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache

from capsim.errors import ModelError, nearest
from capsim.stack import container, guest_os, hypervisor, orchestrator, serverless
from capsim.stack.interval import ZERO
from capsim.stack.layer import Layer
from capsim.stack.node_reserve import ManagedKubernetes
from capsim.stack.platform import Platform, Tier

#: One of each kind: the comparison that the design asks for.
FIVE_STACKS = ("bare-metal", "kvm", "containers", "eks", "fargate")


def _vm(hypervisor_layers: tuple[Layer, ...]) -> tuple[Tier, ...]:
    """A VM for each unit."""
    return (Tier(hypervisor_layers, "one unit each"), Tier((guest_os.linux(),)))


def _on_host(*layers: Layer) -> tuple[Tier, ...]:
    return (Tier((guest_os.linux(), *layers)),)


def _managed(service: ManagedKubernetes) -> tuple[Tier, ...]:
    """Pods on node VMs of a cloud."""
    return (Tier((hypervisor.offloaded(),), "nodes"), Tier(_node_layers(service)))


def _node_layers(service: ManagedKubernetes) -> tuple[Layer, ...]:
    """The boot of the node's Linux is part of the time to launch a node."""
    system = replace(guest_os.linux(), delays_once=ZERO)
    kubelet = orchestrator.managed_kubernetes(service)
    return (system, container.containerd(), container.bridge_network(), kubelet)


#: Key to name and tiers; a new platform is one more entry.
_BUILDERS: Mapping[str, Callable[[], tuple[str, tuple[Tier, ...]]]] = {
    "bare-metal": lambda: ("Bare metal", _on_host()),
    "esxi": lambda: ("VM on ESXi", _vm((hypervisor.esxi(),))),
    "hyper-v": lambda: ("VM on Hyper-V", _vm((hypervisor.hyper_v(),))),
    "kvm": lambda: ("VM on KVM", _vm((guest_os.linux(), hypervisor.kvm()))),
    "containers": lambda: (
        "Containers on a host",
        _on_host(container.containerd(), container.bridge_network()),
    ),
    "eks": lambda: ("Containers in VMs (EKS)", _managed("eks")),
    "gke": lambda: ("Containers in VMs (GKE)", _managed("gke")),
    "aks": lambda: ("Containers in VMs (AKS)", _managed("aks")),
    "firecracker": lambda: (
        "MicroVM (Firecracker)",
        (
            Tier((guest_os.linux(), hypervisor.firecracker()), "one unit each"),
            Tier((guest_os.minimal_linux(),)),
        ),
    ),
    "fargate": lambda: (
        "MicroVM (Fargate)",
        (
            Tier((hypervisor.firecracker(), serverless.fargate()), "one unit each"),
            Tier((serverless.fargate_agent(),)),
        ),
    ),
    "kata": lambda: (
        "Kata pods on a host",
        _on_host(container.containerd(), container.kata()),
    ),
    "gvisor": lambda: (
        "gVisor on a host",
        _on_host(container.gvisor(), container.bridge_network()),
    ),
    "kata-in-vms": lambda: (
        "Kata pods in VMs (EKS)",
        (
            Tier((hypervisor.offloaded(),), "nodes"),
            Tier((*_node_layers("eks"), hypervisor.nested(), container.kata())),
        ),
    ),
}


def platforms() -> tuple[str, ...]:
    """The keys of all platforms."""
    return tuple(_BUILDERS)


@lru_cache(maxsize=64)
def platform(key: str) -> Platform:
    """A platform by its key.

    Raises: ModelError for an unknown key, with the nearest one.

    >>> platform("eks").name
    'Containers in VMs (EKS)'
    """
    if key not in _BUILDERS:
        raise ModelError(
            f"unknown platform {key!r}{nearest(str(key), _BUILDERS)}; "
            f"known are {', '.join(_BUILDERS)}."
        )
    name, tiers = _BUILDERS[key]()
    return Platform(key, name, tiers)
