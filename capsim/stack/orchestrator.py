"""Kubernetes on a node: what the kubelet keeps, and what each pod takes beside its containers."""

from __future__ import annotations

import math

from capsim.stack.images.platforms import NODE, POD, RUNTIME
from capsim.stack.interval import Interval, total
from capsim.stack.layer import Amount, Cost, Layer
from capsim.stack.node_reserve import ManagedKubernetes, most_pods, node_reserve
from capsim.stack.parameters import parameter

#: Steps of a node and of a pod whose image is there; the runtime creates and starts the container.
NODE_FACTS = tuple(leg.parameter for leg in NODE if leg.parameter)
POD_FACTS = tuple(leg.parameter for leg in POD if leg.parameter and leg.name != RUNTIME)


def managed_kubernetes(service: ManagedKubernetes) -> Layer:
    """The node side of EKS, GKE or AKS, by the service's own rule of reserves."""
    reserve = node_reserve(service)
    pause = parameter("kubernetes", "pause_memory")
    fee = parameter(service, "management_fee")

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
        delays_once=total(fact.amount for fact in NODE_FACTS),
        delays_each=total(fact.amount for fact in POD_FACTS),
        costs=(Cost(f"{fee.text} USD per hour for the cluster, whatever its size"),),
        facts=(*reserve.facts, pause, fee, *POD_FACTS, *NODE_FACTS),
    )
