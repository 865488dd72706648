"""Container runtimes: containerd with runc, the bridge network, gVisor, Kata.

Model: docs/models/stack.md, "What layers take".
"""

from __future__ import annotations

from dataclasses import replace

from capsim.stack.fit import boot_time
from capsim.stack.interval import Interval
from capsim.stack.layer import Layer, constant
from capsim.stack.parameters import Parameter, parameter
from capsim.stack.slowdowns import factors


def container_memory() -> Interval:
    """Bytes that one more container takes: its shim, between proportional and resident size."""
    rss = parameter("containerd", "shim_rss", version="1.6").amount
    pss = parameter("containerd", "shim_pss").amount
    return Interval((rss.value * pss.value) ** 0.5, pss.low, rss.high)


def gvisor_memory() -> Interval:
    """Bytes that one more gVisor sandbox takes, the shim included."""
    return container_memory() + parameter("gvisor", "sandbox_memory_overhead").amount


def containerd() -> Layer:
    """Plain containerd with runc: a daemon a machine, a shim a container."""
    daemon, pss = parameter("containerd", "daemon_rss"), parameter("containerd", "shim_pss")
    rss = parameter("containerd", "shim_rss", version="1.6")
    started, quickest = _starts()
    return Layer(
        "containerd",
        "container runtime",
        takes_once=constant(daemon.amount),
        takes_each=constant(container_memory()),
        slows=factors("container"),
        delays_each=_start(),
        boundary="container",
        facts=(daemon, rss, pss, started, quickest),
    )


def _starts() -> tuple[Parameter, Parameter]:
    return parameter("docker", "create_and_start"), parameter("crun", "create_start_delete")


def _start() -> Interval:
    """Seconds to start a container whose image is there: from crun alone to all of Docker."""
    started, quickest = _starts()
    slowest = parameter("docker", "run_empty_container")
    return Interval(started.amount.value, quickest.amount.low, slowest.amount.high)


def bridge_network() -> Layer:
    """A bridge with address translation, Docker's default; pod networks cost about the same."""
    return Layer("bridge network", "container runtime", slows=factors("bridge"))


def gvisor() -> Layer:
    """gVisor: each container on a kernel in user space. Slow-downs are those of ptrace, 2020."""
    runc = containerd()
    sandbox = parameter("gvisor", "sandbox_memory_overhead")
    return replace(
        runc,
        name="gVisor",
        takes_each=constant(gvisor_memory()),
        slows=tuple(a * b for a, b in zip(runc.slows, factors("gvisor"), strict=True)),
        boundary="user-space kernel",
        facts=(*runc.facts, sandbox, parameter("gvisor", "default_platform")),
    )


def kata() -> Layer:
    """Kata: each pod in a microVM; what schedulers add to the pod's requests.

    From Firecracker or Cloud Hypervisor (130 MiB) to QEMU (320 MiB), which is the default.
    """
    light = parameter("kata", "pod_overhead_memory", "RuntimeClass clh")
    default = parameter("kata", "pod_overhead_memory", "RuntimeClass qemu", version="main")
    cpu = parameter("kata", "pod_overhead_cpu", "RuntimeClass clh")
    memory = Interval(default.amount.value, light.amount.low, default.amount.high)
    boot = boot_time("qemu")
    return Layer(
        "Kata microVM",
        "hypervisor",
        takes_each=constant(memory, cpu.amount),
        slows=factors("microvm"),
        delays_each=boot,
        own_kernel=True,
        boundary="virtual machine",
        facts=(light, default, cpu),
    )
