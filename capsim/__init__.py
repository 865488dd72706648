"""capsim: the capacity planner's bench.

import capsim as cs
plan = cs.place(cs.read("cluster.yaml"))
plan.summary()
cs.figures.utilisation(plan).show()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capsim import export as export
    from capsim import figures as figures
    from capsim import panels as panels
    from capsim.contention.bandwidth import CpuLimit
    from capsim.contention.caches import Processor, Tenant, interfere, noisy_curve
    from capsim.contention.contend import contend
    from capsim.contention.curve import Service, latency_curve
    from capsim.contention.hypervisor import CpuHost, VmCpu, overcommit_curve, share_host_cpu
    from capsim.contention.hypervisor_memory import MemoryHost, VmMemory, overcommit_memory
    from capsim.contention.io import Disk, IoGroup, share_disk
    from capsim.contention.latency import latency
    from capsim.contention.memory import settle_memory
    from capsim.contention.memory_groups import MemoryGroup, MemoryNode
    from capsim.contention.network import Link, NetworkGroup, share_link
    from capsim.contention.placed_threads import SpinningGroup, run_threads
    from capsim.contention.sharing import CpuGroup, cpu_shares
    from capsim.errors import CapsimError, InputError, ModelError
    from capsim.export.deck import deck
    from capsim.placement.comparison import compare
    from capsim.placement.defragmentation.defragment import compare_defragmentations, defragment
    from capsim.placement.defragmentation.evictor import Evictor
    from capsim.placement.defragmentation.result import Defragmentation
    from capsim.placement.headroom import headroom, headroom_curve, headroom_together
    from capsim.placement.isolation_price import isolation_frontier, isolation_prices
    from capsim.placement.isolation_trial import try_isolation
    from capsim.placement.packing import MachineShare, compare_packers, pack
    from capsim.placement.place import place
    from capsim.placement.result import Placement
    from capsim.placement.sizing import size_cluster
    from capsim.placement.stranded import stranded
    from capsim.placement.whatif import (
        add_machines,
        change_requests,
        cordon,
        drain,
        grow,
        grow_daemon_set,
        raise_replicas,
        remove_nodes,
        remove_zone,
        set_priority,
        uncordon,
        upgrade,
    )
    from capsim.readers import read
    from capsim.scenario import Scenario, SchedulerProfile
    from capsim.stack.compare import Host, UnitSize, compare_stacks
    from capsim.stack.images import (
        Links,
        compare_starts,
        image,
        pull,
        sized_image,
        start_up,
        stored,
    )
    from capsim.stack.isolation import isolate
    from capsim.stack.kernel_sharing import kernel_sharing
    from capsim.stack.workload import WorkloadProfile
    from capsim.topology import Topology, compile_scenario

__version__ = "0.1.0"

#: Module to the public names that it owns; loaded at first use, so that `import capsim` is quick.
_PUBLIC = {
    "capsim.errors": (
        "CapsimError",
        "InputError",
        "ModelError",
    ),
    "capsim.scenario": (
        "Scenario",
        "SchedulerProfile",
    ),
    "capsim.topology": (
        "Topology",
        "compile_scenario",
    ),
    "capsim.readers": ("read",),
    "capsim.stack.compare": (
        "Host",
        "UnitSize",
        "compare_stacks",
    ),
    "capsim.stack.workload": ("WorkloadProfile",),
    "capsim.stack.images": (
        "Links",
        "compare_starts",
        "image",
        "pull",
        "sized_image",
        "start_up",
        "stored",
    ),
    "capsim.stack.kernel_sharing": ("kernel_sharing",),
    "capsim.stack.isolation": ("isolate",),
    "capsim.contention.bandwidth": ("CpuLimit",),
    "capsim.contention.caches": (
        "Processor",
        "Tenant",
        "interfere",
        "noisy_curve",
    ),
    "capsim.contention.contend": ("contend",),
    "capsim.contention.curve": (
        "Service",
        "latency_curve",
    ),
    "capsim.contention.hypervisor": (
        "CpuHost",
        "VmCpu",
        "overcommit_curve",
        "share_host_cpu",
    ),
    "capsim.contention.hypervisor_memory": (
        "MemoryHost",
        "VmMemory",
        "overcommit_memory",
    ),
    "capsim.contention.io": (
        "Disk",
        "IoGroup",
        "share_disk",
    ),
    "capsim.contention.latency": ("latency",),
    "capsim.contention.memory": ("settle_memory",),
    "capsim.contention.memory_groups": (
        "MemoryGroup",
        "MemoryNode",
    ),
    "capsim.contention.network": (
        "Link",
        "NetworkGroup",
        "share_link",
    ),
    "capsim.contention.placed_threads": (
        "SpinningGroup",
        "run_threads",
    ),
    "capsim.contention.sharing": (
        "CpuGroup",
        "cpu_shares",
    ),
    "capsim.placement.isolation_price": (
        "isolation_frontier",
        "isolation_prices",
    ),
    "capsim.placement.isolation_trial": ("try_isolation",),
    "capsim.placement": (
        "Defragmentation",
        "Evictor",
        "MachineShare",
        "Placement",
        "add_machines",
        "change_requests",
        "compare",
        "compare_defragmentations",
        "compare_packers",
        "cordon",
        "defragment",
        "drain",
        "grow",
        "grow_daemon_set",
        "headroom",
        "headroom_curve",
        "headroom_together",
        "pack",
        "place",
        "raise_replicas",
        "remove_nodes",
        "remove_zone",
        "set_priority",
        "size_cluster",
        "stranded",
        "uncordon",
        "upgrade",
    ),
    "capsim.export": ("deck",),
}
_OWNER = {name: module for module, names in _PUBLIC.items() for name in names}
_ROOMS = ("export", "figures", "panels")

__all__ = [
    "CapsimError",
    "CpuGroup",
    "CpuHost",
    "CpuLimit",
    "Defragmentation",
    "Disk",
    "Evictor",
    "Host",
    "InputError",
    "IoGroup",
    "Link",
    "Links",
    "MachineShare",
    "MemoryGroup",
    "MemoryHost",
    "MemoryNode",
    "ModelError",
    "NetworkGroup",
    "Placement",
    "Processor",
    "Scenario",
    "SchedulerProfile",
    "Service",
    "SpinningGroup",
    "Tenant",
    "Topology",
    "UnitSize",
    "VmCpu",
    "VmMemory",
    "WorkloadProfile",
    "add_machines",
    "change_requests",
    "compare",
    "compare_defragmentations",
    "compare_packers",
    "compare_stacks",
    "compare_starts",
    "compile_scenario",
    "contend",
    "cordon",
    "cpu_shares",
    "deck",
    "defragment",
    "drain",
    "export",
    "figures",
    "grow",
    "grow_daemon_set",
    "headroom",
    "headroom_curve",
    "headroom_together",
    "image",
    "interfere",
    "isolate",
    "isolation_frontier",
    "isolation_prices",
    "kernel_sharing",
    "latency",
    "latency_curve",
    "noisy_curve",
    "overcommit_curve",
    "overcommit_memory",
    "pack",
    "panels",
    "place",
    "pull",
    "raise_replicas",
    "read",
    "remove_nodes",
    "remove_zone",
    "run_threads",
    "set_priority",
    "settle_memory",
    "share_disk",
    "share_host_cpu",
    "share_link",
    "size_cluster",
    "sized_image",
    "start_up",
    "stored",
    "stranded",
    "try_isolation",
    "uncordon",
    "upgrade",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"capsim.{name}")
    if name in _OWNER:
        return getattr(importlib.import_module(_OWNER[name]), name)
    raise AttributeError(f"module 'capsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
