"""Memory overcommit under a hypervisor: sharing, ballooning, compression and swap, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from capsim.contention.fill import fill
from capsim.contention.parameters import parameter
from capsim.errors import ModelError
from capsim.scenario import Assumption
from capsim.scenario.spec import Spec
from capsim.stack.interval import Interval, as_interval

Float64 = NDArray[np.float64]
_GIB = 2.0**30
#: Techniques in the order in which they are used, with what each costs a guest.
STEPS = ("shared", "ballooned", "compressed", "swapped", "missing")


class MemoryHost(Spec):
    """The memory of a virtualisation host."""

    memory: float = Field(gt=0)
    """Bytes of RAM."""
    hypervisor: Literal["esxi", "hyper_v", "kvm"] = "esxi"
    reserve: float = Field(default=0.0, ge=0)
    """Bytes that the hypervisor itself or the root partition takes, beside ESXi's minFree."""


class VmMemory(Spec):
    """The memory side of one VM; all in bytes."""

    name: str = "vm"
    size: float = Field(gt=0)
    """Configured memory (Hyper-V: maximum)."""
    touched: float = Field(ge=0)
    """What the guest has used at some time, and the host therefore backs."""
    active: float = Field(ge=0)
    """Its working set (Hyper-V: the demand that the guest reports)."""
    overhead: float = Field(default=0.0, ge=0)
    """What the hypervisor needs for the VM beside its memory."""
    reservation: float = Field(default=0.0, ge=0)
    """Never reclaimed (Hyper-V: minimum)."""
    shares: float = Field(default=1000.0, gt=0)
    balloon: bool = True
    """Whether a balloon driver runs in the guest (Hyper-V: dynamic memory is on)."""

    @model_validator(mode="after")
    def _ordered(self) -> VmMemory:
        if not self.active <= self.touched <= self.size or self.reservation > self.size:
            raise ValueError(
                "found an active, touched or reserved amount out of order, expected "
                "active <= touched <= size and reservation <= size"
            )
        return self


@dataclass(frozen=True, eq=False)
class HostMemory:
    """Where the memory of VMs comes from on one host: one run for each end of the range."""

    host: MemoryHost
    vms: tuple[VmMemory, ...]
    runs: tuple[Float64, Float64, Float64]
    """value, low and high pressure: [V, 5] bytes by step of STEPS."""
    assumptions: tuple[Assumption, ...] = field(default=())

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a VM: size, active, and bytes by technique with the range of each."""
        columns: dict[str, object] = {
            "vm": [vm.name for vm in self.vms],
            "size_bytes": [vm.size for vm in self.vms],
            "active_bytes": [vm.active for vm in self.vms],
        }
        stack = np.stack(self.runs)
        for k, step in enumerate(STEPS):
            columns[f"{step}_bytes"] = stack[0, :, k]
            columns[f"{step}_bytes_low"] = stack[:, :, k].min(axis=0)
            columns[f"{step}_bytes_high"] = stack[:, :, k].max(axis=0)
        columns["active_in_swap_bytes_high"] = self.active_in_swap[:, 1]
        return pd.DataFrame(columns)

    @cached_property
    def active_in_swap(self) -> Float64:
        """[V, 2] bytes of working set in the host's swap: idle pages first, or picked blindly.

        ESXi does not know which pages the guest needs and picks at random; Linux picks the idle.
        """
        swapped = self.runs[0][:, 3] + self.runs[0][:, 4]
        active = np.array([vm.active for vm in self.vms])
        touched = np.maximum([vm.touched for vm in self.vms], 1.0)
        least = np.maximum(0.0, active - (touched - swapped))
        return np.column_stack((least, np.maximum(least, swapped * active / touched)))

    @property
    def states(self) -> tuple[str, str, str]:
        """The host's memory state: value, best and worst case (ESXi's words, used for all)."""
        value, low, high = (_state(run) for run in self.runs)
        return value, low, high

    def summary(self) -> dict[str, float]:
        """Overcommit, and the bytes that each technique gives back."""
        size = sum(vm.size for vm in self.vms)
        total = self.runs[0].sum(axis=0)
        return {
            "overcommit": size / self.host.memory,
            **{f"{step}_bytes": float(total[k]) for k, step in enumerate(STEPS)},
        }

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format=lambda value: f"{value:,.4g}"))


def _state(run: Float64) -> str:
    used = run.sum(axis=0) > 1.0
    if used[4]:
        return "low"
    if used[2] or used[3]:
        return "hard"
    if used[1]:
        return "soft"
    return "clear" if used[0] else "high"


def min_free_bytes(host_memory: float) -> float:
    """ESXi's minFree, below which the host reclaims: a sliding scale of the host's memory.

    Source: Mem.MinFreePct: 6 % of the first 4 GB, 4 % to 12, 2 % to 28, 1 % above.

    >>> round(min_free_bytes(128 * 2**30) / 2**20)
    1925
    """
    free, at = 0.0, 0.0
    for upto, name in (
        (4.0, "first 4 GB"),
        (12.0, "4 to 12 GB"),
        (28.0, "12 to 28 GB"),
        (np.inf, "above 28 GB"),
    ):
        part = max(0.0, min(host_memory / _GIB, upto) - at)
        free += part * _GIB * parameter("min_free_memory", f"esxi {name}").value / 100
        at = upto
    return free


def overcommit_memory(host: MemoryHost, vms: Sequence[VmMemory]) -> HostMemory:
    """How a host backs more VM memory than it has: which technique gives back how much.

    ESXi: page sharing, then balloons, then compression, then swap to the host's disk; each VM
    keeps clip(level * shares / (active + idle / (1 - tax)), reservation, touched). Hyper-V: the
    buffer goes first, then balloons down to the minimum; there is no host swap while VMs run.
    KVM: page merging (KSM), then the kernel swaps.

    Parameters: host; vms, at least one.
    Returns: HostMemory with .table and .states; the range comes from how much pages are alike.
    Raises: ModelError if reservations and overheads exceed the host.
    Model: docs/models/memory_io_caches.md, "Memory under a hypervisor".
    """
    if not vms:
        raise ModelError("No VM was given, expected at least one on the host.")
    room = _room(host, vms)
    alike = _alike(host)
    runs = [_cascade(host, vms, room, share) for share in (alike.value, alike.high, alike.low)]
    return HostMemory(
        host=host,
        vms=tuple(vms),
        runs=(runs[0], runs[1], runs[2]),
        assumptions=_assumptions(host),
    )


def _alike(host: MemoryHost) -> Interval:
    if host.hypervisor == "hyper_v":
        return as_interval(0.0)
    return parameter("page_sharing", host.hypervisor).figure


def _room(host: MemoryHost, vms: Sequence[VmMemory]) -> float:
    """Bytes left for guest memory."""
    kept = min_free_bytes(host.memory) if host.hypervisor == "esxi" else 0.0
    room = host.memory - host.reserve - kept - sum(vm.overhead for vm in vms)
    reserved = sum(vm.reservation for vm in vms)
    if reserved > room:
        raise ModelError(
            f"Reservations of {reserved / _GIB:.1f} GiB exceed the {max(room, 0) / _GIB:.1f} GiB "
            "that the host has for VMs, expected no more than that."
        )
    return room


def _cascade(host: MemoryHost, vms: Sequence[VmMemory], room: float, alike: float) -> Float64:
    """[V, 5] bytes given back by each step, for one share of pages that are alike."""
    out = np.zeros((len(vms), len(STEPS)))
    touched = np.array([vm.touched for vm in vms])
    reserved = np.minimum([vm.reservation for vm in vms], touched)
    if host.hypervisor == "hyper_v":
        touched = np.minimum(touched, _wanted(vms))
        reserved = _demand_first(vms, np.minimum(reserved, touched), touched, room)
    if touched.sum() <= room:
        return out
    out[:, 0] = np.minimum(touched * alike, touched - reserved)
    left = touched - out[:, 0]
    kept = fill(room, _weights(host, vms), left, floor=np.minimum(reserved, left))
    short = left - kept
    for k, most in enumerate(_abilities(host, vms), start=1):
        out[:, k] = np.minimum(short, most)
        short = short - out[:, k]
    out[:, 4] += short
    return out


def _wanted(vms: Sequence[VmMemory]) -> Float64:
    """What Hyper-V would assign: demand plus buffer, within minimum and maximum."""
    buffer = 1.0 + parameter("dynamic_memory_buffer", "hyper_v").value
    wanted = [vm.active * buffer if vm.balloon else vm.size for vm in vms]
    floor = [vm.reservation for vm in vms]
    return np.minimum(np.maximum(wanted, floor), [vm.size for vm in vms])


def _demand_first(
    vms: Sequence[VmMemory], minimum: Float64, wanted: Float64, room: float
) -> Float64:
    """The buffers go before any demand does: while demand fits, it is what each VM keeps."""
    demand = np.maximum(minimum, np.minimum([vm.active for vm in vms], wanted))
    return demand if demand.sum() <= room else minimum


def _weights(host: MemoryHost, vms: Sequence[VmMemory]) -> Float64:
    """Shares; on ESXi an idle page costs 1 / (1 - tax) times an active one."""
    shares = np.array([vm.shares for vm in vms])
    if host.hypervisor != "esxi":
        return shares
    active = np.array([vm.active / max(vm.touched, 1.0) for vm in vms])
    cost = 1.0 / (1.0 - parameter("idle_memory_tax", "esxi").value)
    return np.asarray(shares / (active + cost * (1.0 - active)))


def _abilities(host: MemoryHost, vms: Sequence[VmMemory]) -> tuple[Float64, Float64, Float64]:
    """The most that balloon, compression and swap can give back of each VM."""
    size = np.array([vm.size for vm in vms])
    balloon = np.array([float(vm.balloon) for vm in vms])
    none = np.zeros(len(vms))
    if host.hypervisor == "hyper_v":
        return size * balloon, none, none
    if host.hypervisor == "kvm":
        return none, none, size
    # A compression cache of c bytes holds ratio * c bytes of pages.
    gain = parameter("compression_ratio", "esxi").value - 1.0
    cache = size * parameter("compression_cache", "esxi").value
    return size * balloon * parameter("balloon_limit", "esxi").value, cache * gain, size


def _assumptions(host: MemoryHost) -> tuple[Assumption, ...]:
    names = {
        "esxi": ("page_sharing", "balloon_limit", "idle_memory_tax", "compression_cache"),
        "hyper_v": ("dynamic_memory_buffer",),
        "kvm": ("page_sharing",),
    }[host.hypervisor]
    return tuple(parameter(name, host.hypervisor).assumption for name in names)


def identical_guests_that_fit(
    host_memory: float, guest: float, *, alike: float, reserve: float = 0.0
) -> int:
    """How many idle guests of one image fit a host that merges their equal pages.

    n guests take alike * guest once and (1 - alike) * guest each.

    Parameters: host_memory, guest, reserve in bytes; alike, share of a guest's pages, below 1.

    >>> identical_guests_that_fit(16.0, 1.0, alike=0.67)
    46
    """
    if not 0 <= alike < 1:
        raise ModelError(f"The share of equal pages is {alike!r}, expected 0 or more, below 1.")
    return max(0, int((host_memory - reserve - alike * guest) / ((1 - alike) * guest)))
