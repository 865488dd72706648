"""Compiles every kernel before the user moves anything: `python -m capsim.warm`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache

from capsim.scenario import (
    Container,
    GpuShare,
    Node,
    Port,
    Scenario,
    Template,
    TopologySpreadConstraint,
    Unit,
)


def _tiny() -> Scenario:
    """Two nodes, on which a unit that is spread evicts another."""
    requests = {"cpu": "1", "memory": "1Gi"}
    plain = Template(containers=(Container(requests=requests, ports=(Port(host_port=80),)),))
    shared = Template(
        containers=(Container(requests=requests),), gpu_share=GpuShare(devices=1, milli=500)
    )
    spread = TopologySpreadConstraint(
        max_skew=1, topology_key="zone", when_unsatisfiable="DoNotSchedule"
    )
    urgent = Template(
        containers=(Container(requests={"cpu": "4", "memory": "1Gi"}),),
        topology_spread_constraints=(spread,),
        priority=1,
    )
    size = {"cpu": "4", "memory": "8Gi", "pods": "10"}
    nodes = tuple(
        Node(name=f"n{i}", labels={"zone": "a"}, allocatable=size, gpu_devices=1) for i in range(2)
    )
    running = tuple(Unit(name=f"r{i}", template="plain", node=f"n{i}") for i in range(2))
    waiting = (
        *(Unit(name=f"{name}{i}", template=name) for i in range(2) for name in ("plain", "shared")),
        Unit(name="urgent", template="urgent"),
    )
    templates = {"plain": plain, "shared": shared, "urgent": urgent}
    return Scenario(nodes=nodes, templates=templates, units=(*running, *waiting))


def _steps() -> dict[str, Callable[[], object]]:
    from capsim.contention.bandwidth import CpuLimit
    from capsim.contention.caches import Processor, Tenant, interfere
    from capsim.contention.contend import contend
    from capsim.contention.curve import Service, latency_curve
    from capsim.contention.hypervisor import CpuHost, VmCpu, share_host_cpu
    from capsim.contention.placed_threads import SpinningGroup, run_threads
    from capsim.placement import compare_packers, headroom, place, stranded
    from capsim.placement.headroom import headroom_curve, headroom_together
    from capsim.stack.images import pull, sized_image, start_up
    from capsim.topology import compile_scenario

    topology = compile_scenario(_tiny())
    return {
        "placing": lambda: place(topology),
        "explaining": lambda: place(topology).explain("plain0"),
        "placing by a sample": lambda: place(
            topology, percentage_of_nodes_to_score=0, ties="random"
        ),
        "packing": lambda: compare_packers(topology, topology.scenario.nodes[0]),
        "headroom": lambda: headroom(place(topology)),
        "headroom curve": lambda: headroom_curve(place(topology), "plain"),
        "headroom together": lambda: headroom_together(place(topology), {"plain": 1.0}),
        "stranded capacity": lambda: stranded(place(topology)),
        "CPU shares": lambda: contend(place(topology), 0.1),
        "CPU limits": lambda: latency_curve(Service(CpuLimit.of(1))),
        "run queues": lambda: run_threads([SpinningGroup(1)], 2, duration_s=0.01, runs=1),
        "vCPUs": lambda: share_host_cpu(CpuHost(cores=2), [VmCpu(vcpus=1, use=0.5)]),
        "noisy neighbours": lambda: interfere(
            Processor(cores=2, cache=1e6, bandwidth=1e9), [Tenant(name="a")]
        ),
        "image pulls": lambda: pull(sized_image(100), 2),
        "starts": lambda: start_up(sized_image(100), begin="scale", samples=100),
    }


@cache
def placing() -> None:
    """Load or compile the kernels of placing and explaining alone."""
    steps = _steps()
    steps["placing"]()
    steps["explaining"]()


def warm(*, show: bool = True) -> None:
    """Run every kernel once on a tiny cluster; a bar shows how far it is.

    With the kernels in numba's cache this takes about a second, else about two minutes.
    """
    from rich.console import Console
    from rich.progress import track

    steps = _steps()
    console = Console(stderr=True, quiet=not (show and sys.stderr.isatty()))
    for step in track(steps.values(), "Compiling kernels (once)", console=console):
        step()


if __name__ == "__main__":
    warm()
