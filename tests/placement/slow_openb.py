"""The openb cluster placed in plain Python: slow, and meant to be checked by eye.

It shares nothing with capsim: tables are read by the csv module, every node is asked anew for
every pod. The rules are those of kube-scheduler 1.34 with all else switched off that the trace
does not use, and of open-gpu-share for boards (Weng et al., USENIX ATC 2023):

- Pods come in the order of their creation; all that the table holds, whatever their phase.
- A node must have the cpu, the memory, the wanted GPU model and, on so many distinct boards, the
  wanted thousandths left.
- It scores 0 to 100 for how empty (LeastAllocated) or full (MostAllocated) its cpu and memory
  would be, and 0 to 100 for how alike the two would be (balanced allocation).
- The first of the nodes that score highest gets the pod, which takes the tightest boards.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
WHOLE_BOARD = 1000


@dataclass(slots=True)
class Node:
    name: str
    model: str
    cpu: int
    memory: int
    boards: list[int]
    """Thousandths left on each."""
    cpu_used: int = 0
    memory_used: int = 0


@dataclass(slots=True)
class Pod:
    name: str
    cpu: int
    memory: int
    boards: int
    milli: int
    """Thousandths of each of its boards."""
    models: list[str]
    """GPU models that will do; empty: any."""


Score = Callable[[int, int], int]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_nodes(path: Path) -> list[Node]:
    return [
        Node(
            name=row["sn"],
            model=row["model"],
            cpu=int(row["cpu_milli"]),
            memory=int(row["memory_mib"]) * MIB,
            boards=[WHOLE_BOARD] * int(row["gpu"]),
        )
        for row in rows(path)
    ]


def read_pods(path: Path) -> list[Pod]:
    return [
        Pod(
            name=row["name"],
            cpu=int(row["cpu_milli"]),
            memory=int(row["memory_mib"]) * MIB,
            boards=int(row["num_gpu"]),
            milli=int(row["gpu_milli"]),
            models=row["gpu_spec"].split("|") if row["gpu_spec"] else [],
        )
        for row in sorted(rows(path), key=lambda row: int(row["creation_time"]))
    ]


def fits(pod: Pod, node: Node) -> bool:
    if node.cpu_used + pod.cpu > node.cpu or node.memory_used + pod.memory > node.memory:
        return False
    if pod.models and node.model not in pod.models:
        return False
    if pod.boards == 0:
        return True
    return len([left for left in node.boards if left >= pod.milli]) >= pod.boards


def least_allocated(used: int, capacity: int) -> int:
    return (capacity - used) * 100 // capacity


def most_allocated(used: int, capacity: int) -> int:
    return used * 100 // capacity


def score(pod: Pod, node: Node, strategy: Score) -> int:
    cpu, memory = node.cpu_used + pod.cpu, node.memory_used + pod.memory
    fit = (strategy(cpu, node.cpu) + strategy(memory, node.memory)) // 2
    deviation = abs(cpu / node.cpu - memory / node.memory) / 2
    return fit + int((1 - deviation) * 100)


def best_node(pod: Pod, nodes: Iterable[Node], strategy: Score) -> Node | None:
    best, highest = None, -1
    for node in nodes:
        if fits(pod, node):
            total = score(pod, node, strategy)
            if total > highest:
                best, highest = node, total
    return best


def bind(pod: Pod, node: Node) -> None:
    node.cpu_used += pod.cpu
    node.memory_used += pod.memory
    enough = [i for i, left in enumerate(node.boards) if left >= pod.milli]
    tightest_first = sorted(enough, key=lambda i: node.boards[i])
    for i in tightest_first[: pod.boards]:
        node.boards[i] -= pod.milli


def place(folder: Path, strategy: Score) -> tuple[dict[str, str | None], list[Node]]:
    """Pod to node (None: it found no place), and the nodes as they are at the end."""
    nodes = read_nodes(folder / "openb_nodes.csv")
    node_of: dict[str, str | None] = {}
    for pod in read_pods(folder / "openb_pods.csv"):
        node = best_node(pod, nodes, strategy)
        if node is not None:
            bind(pod, node)
        node_of[pod.name] = node.name if node else None
    return node_of, nodes
