"""Fargate: each pod on a microVM of its own, at the next larger size that is offered."""

from __future__ import annotations

import csv
from functools import lru_cache

from capsim.data_files import data_path
from capsim.errors import ModelError
from capsim.stack.images.parameters import of_images, start
from capsim.stack.images.predictions import predicted
from capsim.stack.interval import Interval
from capsim.stack.layer import Amount, Cost, Layer, constant
from capsim.stack.parameters import Parameter, parameter
from capsim.stack.slowdowns import factors

_GIB = 2**30


@lru_cache(maxsize=1)
def fargate_sizes() -> tuple[tuple[float, float], ...]:
    """Cores and bytes of the sizes of EKS pods on Linux, x86-64, smallest first."""
    with data_path("catalogue", "fargate_sizes.csv").open(newline="", encoding="utf-8") as lines:
        return tuple(
            sorted(
                (float(row["vcpu"]), float(row["memory_mib"]) * 2**20)
                for row in csv.DictReader(lines)
                if (row["os"], row["arch"], row["eks_pod"]) == ("linux", "x86_64", "yes")
            )
        )


def fargate_size(cores: float, memory: float) -> tuple[float, float]:
    """The size that a pod of so many cores and bytes becomes: fewest vCPUs, then least memory.

    Raises: ModelError for a pod larger than every size.

    >>> fargate_size(1, 8.25 * 2**30)
    (2.0, 9663676416.0)
    """
    for size in fargate_sizes():
        if size[0] >= cores - 1e-9 and size[1] >= memory - 1:
            return size
    largest = fargate_sizes()[-1]
    raise ModelError(
        f"Fargate has no size for a pod of {cores:g} cores and {memory / _GIB:.4g} GiB; "
        f"the largest is {largest[0]:g} cores and {largest[1] / _GIB:g} GiB."
    )


def fargate() -> Layer:
    """AWS's side: sizes, price and start of a pod with an image of 413 MB, pulled each time."""
    cpu_price, memory_price = (
        parameter("fargate", name) for name in ("vcpu_price", "memory_price")
    )
    steps = (start("fargate", name) for name in ("place", "start"))
    begun = (*steps, of_images("fargate", "unpack rate"))
    return Layer(
        "Fargate",
        "serverless",
        sizes=_rounded_up,
        delays_each=predicted("fargate-soci-none"),
        costs=(
            Cost(
                f"{cpu_price.text} USD per vCPU and hour, {memory_price.text} per GB; the hardware "
                "is in it",
                usd_per_guest_hour=lambda size: (
                    cpu_price.amount * size.cores + memory_price.amount * (size.memory / _GIB)
                ),
            ),
        ),
        facts=(cpu_price, memory_price, *begun),
    )


def _rounded_up(pod: Amount) -> Amount:
    """Sizes of the low, the likely and the high need."""
    value, low, high = (
        fargate_size(c, m) for c, m in zip(pod.cores.ends, pod.memory.ends, strict=True)
    )
    return Amount(*(_span(value[k], low[k], high[k]) for k in (0, 1)))


def _span(value: float, *others: float) -> Interval:
    return Interval(value, min(value, *others), max(value, *others))


def pod_memory_added() -> Parameter:
    """What EKS adds to each pod's memory before it is rounded up."""
    return parameter("fargate_eks", "pod_memory_added")


def fargate_agent() -> Layer:
    """What EKS adds to a pod before it is rounded up: kubelet, kube-proxy, containerd."""
    added = pod_memory_added()
    return Layer(
        "kubelet and containerd of the pod",
        "orchestrator",
        takes_once=constant(added.amount),
        slows=factors("container"),
        facts=(added,),
    )
