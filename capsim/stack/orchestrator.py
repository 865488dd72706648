"""Kubernetes on a node: what the kubelet keeps, and what each pod takes beside its containers."""

from __future__ import annotations

import math

from capsim.stack.interval import Interval
from capsim.stack.layer import Amount, Cost, Layer
from capsim.stack.node_reserve import ManagedKubernetes, most_pods, node_reserve
from capsim.stack.parameters import parameter


def managed_kubernetes(service: ManagedKubernetes) -> Layer:
    """The node side of EKS, GKE or AKS, by the service's own rule of reserves."""
    reserve = node_reserve(service)
    pause, start = parameter("kubernetes", "pause_memory"), parameter("kubernetes", "pod_start")
    fee = parameter(service, "management_fee")
    launch = parameter("eks", "node_launch_example")

    def kept(node: Amount) -> Amount:
        cores = max(1, math.floor(node.cores.value))
        pods = most_pods(service, cores)
        memory = [float(reserve.reserved_memory(int(m), pods)) for m in node.memory.ends]
        cpu = reserve.reserved_cpu(cores) / 1000
        return Amount(Interval(cpu, cpu, cpu), Interval(memory[0], min(memory), max(memory)))

    return Layer(
        reserve.name,
        "orchestrator",
        takes_once=kept,
        takes_each=lambda _: Amount(memory=pause.amount),
        most_guests=lambda node: most_pods(service, max(1, math.floor(node.cores.value))),
        delays_once=_node_launch(launch.amount),
        delays_each=start.amount,
        costs=(Cost(f"{fee.text} USD per hour for the cluster, whatever its size"),),
        facts=(*reserve.facts, pause, start, fee, launch),
    )


def _node_launch(example: Interval) -> Interval:
    """AWS gives 120 s as an example; half and double it is a guess."""
    return Interval(example.value, example.low / 2, example.high * 2)
