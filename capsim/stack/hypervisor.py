"""Hypervisors: ESXi, Hyper-V, KVM, Firecracker, and those of clouds that offload to cards.

Model: docs/models/stack.md, "What layers take".
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from capsim.stack.images.parameters import start
from capsim.stack.images.platforms import boot_time
from capsim.stack.interval import Interval
from capsim.stack.layer import Amount, Cost, Layer
from capsim.stack.parameters import Parameter, parameter, rows_of
from capsim.stack.slowdowns import factors

_MIB, _GIB = 2**20, 2**30
_HOURS_A_YEAR = 8760
_BEYOND_TABLE = 1.25
"""Of ESXi's overhead outside the vendor's table, at most; a guess."""


def esxi() -> Layer:
    """VMware ESXi: the VMkernel, what it keeps free, and an overhead for each VM."""
    system, licence = parameter("vmware_esxi", "host_memory"), parameter("vmware_esxi", "licence")
    per_core = licence.amount / _HOURS_A_YEAR
    return Layer(
        "ESXi",
        "hypervisor",
        takes_once=lambda host: Amount(memory=system.amount + _esxi_kept_free(host.memory)),
        takes_each=lambda guest: Amount(memory=_esxi_overhead(guest)),
        slows=factors("esxi"),
        delays_each=parameter("vmware_esxi", "vm_power_on").amount,
        own_kernel=True,
        boundary="virtual machine",
        costs=(
            Cost(
                "vSphere Foundation, 135 to 192 USD per core and year (list)",
                lambda host: per_core * host.cores,
            ),
        ),
        facts=(
            system,
            parameter("vmware_esxi", "min_free_memory_first_28GB"),
            *rows_of("vmware_esxi", "vm_overhead_memory", version="6.5")[-1:],
            licence,
        ),
    )


@lru_cache(maxsize=1)
def _free_tiers() -> tuple[tuple[float, float, float], ...]:
    """Share kept free, of the memory from here to there in bytes."""
    ends = (0.0, 4.0, 12.0, 28.0, float("inf"))
    rows = rows_of("vmware_esxi", "min_free_memory_fraction")
    return tuple(
        (row.amount.value, low * _GIB, high * _GIB)
        for row, low, high in zip(rows, ends[:-1], ends[1:], strict=True)
    )


def _esxi_kept_free(memory: Interval) -> Interval:
    """Memory that the VMkernel keeps free: 6 % of 4 GB, 4 % of 8, 2 % of 16, 1 % of the rest."""

    def kept(total: float) -> float:
        return sum(share * max(0.0, min(total, high) - low) for share, low, high in _free_tiers())

    return Interval(*(kept(total) for total in memory.ends))


@lru_cache(maxsize=1)
def _esxi_plane() -> tuple[float, float, float, float]:
    """Bytes: constant, per vCPU, per byte of guest memory, and the largest miss of the plane.

    A least-squares plane through the 16 shapes of the vendor's table for 6.5.
    """
    rows = rows_of("vmware_esxi", "vm_overhead_memory", version="6.5")
    shapes = [[float(word) for word in row.applies_to.split() if word.isdigit()] for row in rows]
    x = np.array([[1.0, vcpus, megabytes * _MIB] for vcpus, megabytes in shapes])
    y = np.array([row.amount.value for row in rows])
    base, per_vcpu, per_gib = map(float, np.linalg.lstsq(x / [1, 1, _GIB], y, rcond=None)[0])
    plane = x @ np.array([base, per_vcpu, per_gib / _GIB])
    return base, per_vcpu, per_gib / _GIB, float(np.abs(plane - y).max())


def _esxi_overhead(guest: Amount) -> Interval:
    base, per_vcpu, per_byte, miss = _esxi_plane()
    plane = base + per_vcpu * guest.cores + per_byte * guest.memory
    return Interval(plane.value, max(plane.low - miss, 0.0), plane.high * _BEYOND_TABLE + miss)


def hyper_v() -> Layer:
    """Microsoft Hyper-V: the parent partition, its reserve, and an overhead for each VM."""
    system, reserve = (
        parameter("hyper_v", "host_memory"),
        parameter("hyper_v", "root_reserve_fixed"),
    )
    per_gib = parameter("hyper_v", "root_reserve_per_GB")
    first = parameter("hyper_v", "vm_overhead_first_GB")
    further = parameter("hyper_v", "vm_overhead_per_extra_GB")
    mib_per_gib = per_gib.amount * _MIB / _GIB
    return Layer(
        "Hyper-V",
        "hypervisor",
        takes_once=lambda host: Amount(
            memory=system.amount + reserve.amount + mib_per_gib * host.memory
        ),
        takes_each=lambda guest: Amount(
            memory=first.amount + further.amount / _GIB * (guest.memory - _GIB).at_least(0.0)
        ),
        slows=factors("hyper_v"),
        delays_each=parameter("hyper_v", "vm_power_on").amount,
        own_kernel=True,
        boundary="virtual machine",
        costs=(Cost("Windows Server Datacenter, 6,771 USD per 16 cores, once (list)"),),
        facts=(system, reserve, per_gib, first, further, parameter("hyper_v", "licence")),
    )


def kvm() -> Layer:
    """KVM with QEMU on a Linux host: QEMU's memory, its vCPU threads, and page tables."""
    reserve = parameter("kvm_qemu", "host_reserved_memory")
    stressed = parameter("kvm_qemu", "vm_overhead_qemu")
    mapped = parameter("kvm_qemu", "vmm_memory_overhead")
    vcpu = parameter("kvm_qemu", "vm_overhead_per_vcpu")
    tables = parameter("kvm_qemu", "vm_overhead_page_tables")
    process = _between(stressed, mapped)
    return Layer(
        "KVM",
        "hypervisor",
        takes_once=lambda _: Amount(memory=reserve.amount),
        takes_each=lambda guest: Amount(
            memory=process + vcpu.amount * guest.cores + tables.amount * guest.memory
        ),
        slows=factors("kvm"),
        delays_each=parameter("kvm_qemu", "vm_power_on").amount,
        own_kernel=True,
        boundary="virtual machine",
        costs=(Cost("no licence; support not priced yet"),),
        facts=(reserve, stressed, mapped, vcpu, tables),
    )


def _between(low: Parameter, high: Parameter) -> Interval:
    """Two sources measure the same thing differently: the range between, its geometric middle."""
    ends = low.amount.value, high.amount.value
    return Interval((ends[0] * ends[1]) ** 0.5, *ends)


def firecracker() -> Layer:
    """Firecracker: a microVM with a few MiB of its own."""
    memory = parameter("firecracker", "vmm_memory_overhead")
    most = parameter("firecracker", "vmm_memory_overhead_max")
    taken = Interval(memory.amount.value, memory.amount.low, most.amount.high)
    return Layer(
        "Firecracker",
        "hypervisor",
        takes_each=lambda _: Amount(memory=taken),
        slows=factors("microvm"),
        delays_each=boot_time("firecracker"),
        own_kernel=True,
        boundary="virtual machine",
        costs=(Cost("no licence; support not priced yet"),),
        facts=(memory, most, start("firecracker", "boot")),
    )


def offloaded() -> Layer:
    """A cloud's hypervisor that leaves network and disk to cards (Nitro and its like)."""
    fraction = parameter("offloaded", "host_memory_fraction")
    return Layer(
        "cloud hypervisor",
        "hypervisor",
        takes_each=lambda guest: Amount(memory=fraction.amount * guest.memory),
        slows=factors("offloaded"),
        own_kernel=True,
        boundary="virtual machine",
        costs=(Cost("in the price of the machine, not priced yet"),),
        facts=(fraction,),
    )


def nested() -> Layer:
    """What a hypervisor inside a VM adds to both (Turtles project)."""
    return Layer(
        "nested virtualisation",
        "hypervisor",
        slows=factors("nested"),
        facts=(parameter("generic_hypervisor", "nested_overhead"),),
    )
