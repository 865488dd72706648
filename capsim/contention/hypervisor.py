"""vCPUs on a host: what each VM gets, how long its vCPUs wait (ready), stop (co-stop) and slow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from capsim.contention import _hypervisor_kernels as kernels
from capsim.contention.fill import fill
from capsim.contention.parameters import parameter
from capsim.errors import ModelError
from capsim.scenario import Assumption
from capsim.scenario.spec import Spec

Float64 = NDArray[np.float64]
Hypervisor = Literal["esxi", "hyper_v", "kvm"]
#: A vCPU that is busy for less than this share of the time counts as idle.
_IDLE = 1e-6
_EULER = 0.5772156649015329
#: Normal shares of a vCPU on ESXi (low 500, high 2000). Source: vSphere Resource Management.
NORMAL_SHARES = 1000.0


class CpuHost(Spec):
    """The processors of one host."""

    cores: float = Field(gt=0, le=100_000)
    """Physical cores that VMs may use."""
    smt: bool = False
    """Whether each core runs two threads (Hyper-Threading)."""
    hypervisor: Hypervisor = "esxi"
    """Only ESXi stops vCPUs that run ahead of their siblings."""


class VmCpu(Spec):
    """The CPU side of one VM."""

    name: str = "vm"
    vcpus: int = Field(ge=1, le=1024)
    use: float = Field(ge=0, le=1)
    """Mean share of the time in which a vCPU has work, alone on a core."""
    shares_per_vcpu: float = Field(default=NORMAL_SHARES, gt=0)
    reservation_cores: float = Field(default=0.0, ge=0)
    limit_cores: float | None = Field(default=None, gt=0)
    """None: no limit."""


@dataclass(frozen=True, eq=False)
class HostCpu:
    """CPU of VMs on one host; shares of the wall time of a vCPU, each with its range."""

    host: CpuHost
    vms: tuple[VmCpu, ...]
    work: Float64
    """[V] cores of work done, at full core speed."""
    ready: Float64
    """[V, 3] share of time ready without a CPU: value, low, high. KVM guests see it as steal."""
    costop: Float64
    """[V, 3] share of time stopped to wait for a sibling (ESXi)."""
    stretch: Float64
    """[V, 3] wall time of a piece of CPU work over its time alone on a core."""
    assumptions: tuple[Assumption, ...] = field(default=())

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a VM: cores demanded, entitled and worked; ready, co-stop, slowdown, ranges."""
        demand = [vm.vcpus * vm.use for vm in self.vms]
        columns: dict[str, object] = {
            "vm": [vm.name for vm in self.vms],
            "vcpus": [vm.vcpus for vm in self.vms],
            "demand_cores": demand,
            "entitled_cores": entitlement(self.host, self.vms),
            "work_cores": self.work,
        }
        for name, values in (
            ("ready_share", self.ready),
            ("costop_share", self.costop),
            ("slowdown", self.stretch),
        ):
            columns |= {name: values[:, 0], f"{name}_low": values[:, 1]}
            columns |= {f"{name}_high": values[:, 2]}
        return pd.DataFrame(columns)

    def summary(self) -> dict[str, float]:
        """Number of vCPUs to a core, use of the host, mean ready and co-stop shares of a vCPU."""
        width = np.array([vm.vcpus for vm in self.vms], np.float64)
        return {
            "vcpus_per_core": float(width.sum() / self.host.cores),
            "work_cores": float(self.work.sum()),
            "ready_share": float(self.ready[:, 0] @ width / width.sum()),
            "costop_share": float(self.costop[:, 0] @ width / width.sum()),
        }

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format=lambda value: f"{value:.3g}"))


def share_host_cpu(host: CpuHost, vms: Sequence[VmCpu]) -> HostCpu:
    """What each VM gets of a host's CPU, and how its vCPUs wait.

    vCPUs wait because more of them are busy than there are threads: a closed queue of on-off
    vCPUs, exact for equal VMs. Those at work progress in proportion to their shares, within
    reservation and limit. The range runs from vCPUs that are busy independently to whole VMs
    that are busy at once.

    Parameters: host; vms, at least one.
    Returns: HostCpu, with .table.
    Raises: ModelError if reservations exceed the host, as admission control would refuse them.
    Model: docs/models/hypervisor_scheduling.md.

    >>> share_host_cpu(CpuHost(cores=4), [VmCpu(vcpus=8, use=1.0)]).summary()["ready_share"]
    0.5
    """
    if not vms:
        raise ModelError("No VM was given, expected at least one to share the host's CPU.")
    _check_reservations(host, vms)
    gain = parameter("smt_gain").figure
    together = parameter("vcpu_burst_correlation").figure
    ends = [
        _waits(host, vms, smt, at)
        for smt, at in (
            (gain.value, together.value),
            (gain.high, together.low),
            (gain.low, together.high),
        )
    ]
    return _result(host, vms, ends, together.value)


def entitlement(host: CpuHost, vms: Sequence[VmCpu]) -> Float64:
    """Cores that each VM gets when all vCPUs of all VMs always have work: what shares guarantee.

    clip(level * shares, reservation, min(limit, vcpus)), by weighted max-min.
    """
    _check_reservations(host, vms)
    ceiling = [min(float(vm.vcpus), vm.limit_cores or math.inf) for vm in vms]
    weight = [vm.shares_per_vcpu * vm.vcpus for vm in vms]
    floor = [vm.reservation_cores for vm in vms]
    return fill(_capacity(host, parameter("smt_gain").value), weight, ceiling, floor=floor)


def _capacity(host: CpuHost, smt_gain: float) -> float:
    return host.cores * (1.0 + smt_gain) if host.smt else host.cores


def _check_reservations(host: CpuHost, vms: Sequence[VmCpu]) -> None:
    reserved = sum(vm.reservation_cores for vm in vms)
    if reserved > host.cores * (1 + 1e-9):
        raise ModelError(
            f"The VMs reserve {reserved:g} cores, expected at most the host's {host.cores:g}."
        )


@dataclass(frozen=True)
class _Waits:
    """For each VM: work per vCPU, time on a CPU and time off it, both per unit of time."""

    work: Float64
    run: Float64
    wait: Float64


def _waits(host: CpuHost, vms: Sequence[VmCpu], smt_gain: float, together: float) -> _Waits:
    width = np.array([vm.vcpus for vm in vms], np.float64)
    use = np.array([vm.use if vm.use > _IDLE else 0.0 for vm in vms])
    mean = float(width @ use / width.sum())
    if mean == 0.0:
        return _Waits(use, use, use)
    run, ready = _closed(host, width, mean, smt_gain, together)
    sleep = (1.0 - use) / np.maximum(use, _IDLE)
    total = float(width.sum()) / (run + ready + (1.0 - mean) / mean)
    work = np.where(use > 0, _spread(total, vms, width, run, sleep), 0.0) / width
    wait = np.where(use > 0, 1.0 - work * (run + sleep), 0.0)
    return _Waits(work, run * work, np.maximum(0.0, wait))


def _spread(
    total: float, vms: Sequence[VmCpu], width: Float64, run: float, sleep: Float64
) -> Float64:
    """Work of each VM, `total` together: a vCPU at work progresses in proportion to its shares.

    A unit of work takes max(run, k / shares) and the sleep after it, within reservation and
    limit; k is found by halving.
    """
    shares = np.array([vm.shares_per_vcpu for vm in vms])
    most = np.minimum(width / (run + sleep), [vm.limit_cores or math.inf for vm in vms])
    least = np.minimum([vm.reservation_cores for vm in vms], most)

    def work(k: float) -> Float64:
        return np.asarray(np.clip(width / (np.maximum(run, k / shares) + sleep), least, most))

    low, high = 0.0, float(shares.max())
    while high < 1e18 and work(high).sum() > total:
        high *= 4.0
    for _ in range(80):
        middle = (low + high) / 2.0
        enough = work(middle).sum() >= total
        low, high = (middle, high) if enough else (low, middle)
    return work(high)


def _closed(
    host: CpuHost, width: Float64, use: float, smt_gain: float, together: float
) -> tuple[float, float]:
    """The queue with vCPUs grouped into clusters of 1 + (width - 1) * correlation.

    The design effect: that many fewer independent sources vary the load as much.
    """
    mean_width = float(width @ width / width.sum())
    cluster = 1.0 + (mean_width - 1.0) * together
    sources = max(1.0, round(float(width.sum()) / cluster))
    cores = host.cores * sources / float(width.sum())
    run, ready = kernels.closed_queue(sources, cores, smt_gain if host.smt else -1.0, use)
    return float(run), float(ready)


def costop_part(vcpus: Float64, busy: Float64) -> Float64:
    """The part of a vCPU's waiting that relaxed co-scheduling shows as co-stop, at most.

    Of k = 1 + (vcpus - 1) * busy siblings at work, each waits for a CPU for an exponential time;
    who gets one early is stopped until the last has got one. The mean wait is R, the mean of the
    longest H_k R, so 1 - 1/H_k of all waiting is co-stop; H_k is the harmonic number.

    vcpus: [V]; busy: [V] share of time with work. Upper end; 0 where siblings keep step.
    """
    k = 1.0 + (vcpus - 1.0) * np.clip(busy, 0.0, 1.0)
    # The harmonic number of a fraction, by its asymptotic series with 8 terms taken off.
    shifted = k + 8.0
    series = np.log(shifted) + _EULER + 1 / (2 * shifted) - 1 / (12 * shifted**2)
    harmonic = series - sum(1.0 / (k + step) for step in range(1, 9))
    return np.asarray(np.maximum(0.0, 1.0 - 1.0 / np.maximum(harmonic, 1.0)))


def _result(host: CpuHost, vms: Sequence[VmCpu], ends: list[_Waits], together: float) -> HostCpu:
    width = np.array([vm.vcpus for vm in vms], np.float64)
    stops = 1.0 if host.hypervisor == "esxi" else 0.0
    value = ends[0]
    part = [stops * costop_part(width, each.run + each.wait) for each in ends]
    waits = np.column_stack([each.wait for each in ends])
    slow = np.column_stack([_stretch(each) for each in ends])
    least, most = waits.min(axis=1), waits.max(axis=1)
    costop = value.wait * part[0] * (1.0 - together)
    highest = np.max(part, axis=0)
    return HostCpu(
        host=host,
        vms=tuple(vms),
        work=value.work * width,
        ready=np.column_stack((value.wait - costop, least * (1.0 - highest), most)),
        costop=np.column_stack((costop, np.zeros(len(vms)), most * highest)),
        stretch=np.column_stack((slow[:, 0], slow.min(axis=1), slow.max(axis=1))),
        assumptions=_assumptions(host),
    )


def _stretch(waits: _Waits) -> Float64:
    busy = waits.run + waits.wait
    return np.where(waits.work > 0, busy / np.maximum(waits.work, 1e-12), 1.0)


def _assumptions(host: CpuHost) -> tuple[Assumption, ...]:
    rows = [parameter("vcpu_burst_correlation")]
    if host.smt:
        rows.append(parameter("smt_gain"))
    return tuple(row.assumption for row in rows)


def overcommit_curve(
    host: CpuHost, width: int, use: float, ratios: Sequence[float]
) -> pd.DataFrame:
    """Ready and co-stop as equal VMs are added to a host.

    Parameters: width, vCPUs of each VM; use, of each vCPU; ratios, vCPUs to a core.
    Returns: one row a ratio that whole VMs come nearest to, with the columns of HostCpu.table.
    """
    counts = sorted({max(1, round(ratio * host.cores / width)) for ratio in ratios})
    rows = []
    for count in counts:
        vm = VmCpu(vcpus=width, use=use)
        row = share_host_cpu(host, [vm] * count).table.iloc[0].to_dict()
        rows.append({"vms": count, "vcpus_per_core": count * width / host.cores, **row})
    return pd.DataFrame(rows)


def replay_host_cpu(
    host: CpuHost,
    vms: Sequence[VmCpu],
    *,
    seconds: float = 60.0,
    together: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """The same host replayed millisecond by millisecond, as a check on the formulas.

    Whole cores, no SMT, no reservations or limits; vCPUs busy independently, or together in
    each VM. About 60 ms of computing a minute replayed, for 64 vCPUs.

    Returns: one row a VM: vm, run_share, ready_share, costop_share of a vCPU's time.
    """
    width = [vm.vcpus for vm in vms]
    vm_of = np.repeat(np.arange(len(vms)), width)
    weight = np.repeat([vm.shares_per_vcpu for vm in vms], width)
    use = np.repeat([vm.use for vm in vms], width)
    skew = parameter("costop_skew", "esxi").value if host.hypervisor == "esxi" else math.inf
    timeslice = parameter("vcpu_timeslice", host.hypervisor).value
    out = np.zeros((len(vm_of), 3))
    kernels.replay(
        vm_of,
        weight,
        use,
        int(host.cores),
        int(seconds * 1000),
        0.001,
        timeslice,
        0.02,
        skew,
        together,
        np.random.default_rng(seed),
        out,
    )
    mean = np.array([out[vm_of == v].mean(axis=0) for v in range(len(vms))])
    table = pd.DataFrame(mean, columns=["run_share", "ready_share", "costop_share"])
    table.insert(0, "vm", [vm.name for vm in vms])
    return table
