"""NodeResourcesFit and NodeResourcesBalancedAllocation."""

import math
from collections.abc import Mapping
from typing import Any

from .objects import Node
from .plugin import UNRESOLVABLE, UNSCHEDULABLE, Failure, Plugin, quotient
from .requests import is_extended, is_scalar


class NodeResourcesFit(Plugin):
    """What the pod requests must be free; how full the node gets is the score."""

    def begin(self) -> None:
        strategy = self.args["scoringStrategy"]
        self.demanded = {
            resource: amount
            for resource, amount in self.pod.requested.items()
            if amount > 0 and not self._is_ignored(resource)
        }
        self.scored = [
            (r["name"], r.get("weight") or 1, self.pod.requested_for_score.get(r["name"], 0))
            for r in strategy["resources"]
            if not is_unasked_scalar(r["name"], self.pod.requested_for_score)
        ]
        self.strategy = STRATEGIES[strategy["type"]](strategy)

    def _is_ignored(self, resource: str) -> bool:
        return is_extended(resource) and (
            resource in (self.args.get("ignoredResources") or ())
            or resource.split("/")[0] in (self.args.get("ignoredResourceGroups") or ())
        )

    def filter(self, node: Node) -> Failure | None:
        short = [
            resource
            for resource, amount in self.demanded.items()
            if amount > node.allocatable.get(resource, 0) - node.requested[resource]
        ]
        reasons = [f"Insufficient {resource}" for resource in short]
        if len(node.pods) + 1 > node.allocatable.get("pods", 0):
            reasons.append("Too many pods")
        if not reasons:
            return None
        hopeless = any(self.demanded[r] > node.allocatable.get(r, 0) for r in short)
        return Failure(reasons, UNRESOLVABLE if hopeless else UNSCHEDULABLE)

    def score(self, node: Node) -> int:
        parts = []
        for resource, weight, own in self.scored:
            capacity = node.allocatable.get(resource, 0)
            if capacity > 0:
                used = node.used_for_score(resource) + own
                parts.append((weight, self.strategy.part(used, capacity)))
        return self.strategy.mean(parts)


def is_unasked_scalar(resource: str, requests: Mapping[str, int]) -> bool:
    """Extended and the like: they count for the pods that want them only."""
    return is_scalar(resource) and not requests.get(resource)


class LeastAllocated:
    """Free capacity is good: spreads."""

    def __init__(self, strategy: dict[str, Any]) -> None:
        pass

    def part(self, used: int, capacity: int) -> int:
        return 0 if used > capacity else (capacity - used) * 100 // capacity

    def mean(self, parts: list[tuple[int, int]]) -> int:
        """Weighted, rounded down; the parts are (weight, score)."""
        weights = sum([weight for weight, _ in parts])
        return sum([weight * score for weight, score in parts]) // weights if weights else 0


class MostAllocated(LeastAllocated):
    """Full nodes are good: packs."""

    def part(self, used: int, capacity: int) -> int:
        return min(used, capacity) * 100 // capacity


class RequestedToCapacityRatio(LeastAllocated):
    """A shape says how good a utilisation is: linear between its points, flat outside."""

    def __init__(self, strategy: dict[str, Any]) -> None:
        shape = strategy["requestedToCapacityRatio"]["shape"]
        self.shape = [(point["utilization"], point["score"] * 10) for point in shape]

    def part(self, used: int, capacity: int) -> int:
        u = 100 if used > capacity else 100 * used // capacity
        before = [point for point in self.shape if point[0] < u]
        after = [point for point in self.shape if point[0] >= u]
        if not before or not after:
            return (after or before[-1:])[0][1]
        (u0, s0), (u1, s1) = before[-1], after[0]
        return s0 + quotient((s1 - s0) * (u - u0), u1 - u0)

    def mean(self, parts: list[tuple[int, int]]) -> int:
        """Weighted, rounded half up; parts that score 0 are left out altogether."""
        counted = [(weight, score) for weight, score in parts if score > 0]
        weights = sum(weight for weight, _ in counted)
        total = sum(weight * score for weight, score in counted)
        return math.floor(total / weights + 0.5) if weights else 0


STRATEGIES = {
    strategy.__name__: strategy
    for strategy in (LeastAllocated, MostAllocated, RequestedToCapacityRatio)
}


class NodeResourcesBalancedAllocation(Plugin):
    """How evenly the resources of the node would be used."""

    def begin(self) -> None:
        requests = self.pod.requested
        names = [resource["name"] for resource in self.args["resources"]]
        self.asks = any(requests.get(name) for name in names)
        self.scored = [
            (name, requests.get(name, 0)) for name in names if not is_unasked_scalar(name, requests)
        ]

    def skips_score(self, feasible: list[Node]) -> bool:
        return not self.asks

    def score(self, node: Node) -> int:
        fractions = []
        for resource, own in self.scored:
            capacity = node.allocatable.get(resource, 0)
            if capacity > 0:
                fractions.append(min(1.0, (node.requested[resource] + own) / capacity))
        return int((1 - deviation(fractions)) * 100)


def deviation(fractions: list[float]) -> float:
    """The population standard deviation."""
    if len(fractions) < 2:
        return 0.0
    if len(fractions) == 2:
        return abs(fractions[0] - fractions[1]) / 2
    mean = sum(fractions) / len(fractions)
    return math.sqrt(sum((f - mean) * (f - mean) for f in fractions) / len(fractions))
