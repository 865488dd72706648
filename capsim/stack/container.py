"""Container runtimes: containerd with runc, the bridge network, gVisor, Kata.

Model: docs/models/stack.md, "What layers take".
"""

from __future__ import annotations

from dataclasses import replace

from capsim.stack.images.parameters import start
from capsim.stack.images.platforms import boot_time
from capsim.stack.interval import Interval
from capsim.stack.layer import Amount, Layer, constant
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
    return Layer(
        "containerd",
        "container runtime",
        takes_once=constant(daemon.amount),
        takes_each=constant(container_memory()),
        slows=factors("container"),
        delays_each=_start(),
        boundary="container",
        facts=(daemon, rss, pss, *_starts()),
    )


def _starts() -> tuple[Parameter, Parameter, Parameter]:
    return (
        start("pod", "create and start"),
        parameter("crun", "create_start_delete"),
        start("container", "run"),
    )


def _start() -> Interval:
    """Seconds to start a container whose image is there: from crun alone to all of Docker."""
    started, quickest, slowest = (each.amount for each in _starts())
    return Interval(started.value, quickest.low, slowest.high)


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


def kata_facts(*, gpu: bool = False) -> tuple[Parameter, ...]:
    """What schedulers add to the requests of a Kata pod: CPU, memory by default, and at least."""
    default = "RuntimeClass qemu-nvidia-gpu" if gpu else "RuntimeClass qemu"
    lightest = default if gpu else "RuntimeClass clh (Cloud Hypervisor)"
    cpu = parameter("kata", "pod_overhead_cpu", default, version="main")
    memory = (
        parameter("kata", "pod_overhead_memory", name, version="main")
        for name in dict.fromkeys((default, lightest))
    )
    return (cpu, *memory)


def kata_overhead(*, gpu: bool = False) -> Amount:
    """Cores and bytes that schedulers add to a Kata pod.

    From Firecracker or Cloud Hypervisor (130 MiB) to QEMU (320 MiB), which is the default; a pod
    with a GPU has QEMU only.
    """
    cpu, default, *lighter = (each.amount for each in kata_facts(gpu=gpu))
    least = min(each.low for each in (default, *lighter))
    return Amount(cpu, Interval(default.value, least, default.high))


def kata() -> Layer:
    """Kata: each pod in a microVM."""
    return Layer(
        "Kata microVM",
        "hypervisor",
        takes_each=lambda _: kata_overhead(),
        slows=factors("microvm"),
        delays_each=boot_time("qemu"),
        own_kernel=True,
        boundary="virtual machine",
        facts=(*kata_facts(), start("qemu", "boot")),
    )
