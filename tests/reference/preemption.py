"""DefaultPreemption: on which node, by evicting which pods, could a pod run?"""

from collections.abc import Callable
from typing import NamedTuple

from .objects import Cluster, Json, Node, Pod
from .plugin import UNSCHEDULABLE, Failure, Plugin, first_failure
from .selectors import label_selector

NOW = "9999"  # when a pod without a start time starts; times are compared as text


class Candidate(NamedTuple):
    """A node on which the pod would fit without the victims (most important first)."""

    node: Node
    victims: list[Pod]
    budget_violations: int


def candidates(
    cluster: Cluster, pod: Pod, failures: dict[str, Failure], plugins: dict[str, Plugin]
) -> list[Candidate]:
    """A dry run on every node whose filter failed, but not for good."""
    found = []
    for name, failure in failures.items():
        if failure.code == UNSCHEDULABLE:
            candidate = dry_run(pod, cluster.nodes[name], plugins, cluster.budgets)
            if candidate is not None:
                found.append(candidate)
    return found


def dry_run(
    pod: Pod, node: Node, plugins: dict[str, Plugin], budgets: list[Json]
) -> Candidate | None:
    """Evict all pods of lower priority, then take back as many as possible."""
    lower = [other for other in node.pods if other.priority < pod.priority]
    if not lower:
        return None
    with Trial(node, plugins) as trial:
        for other in lower:
            trial.evict(other)
        return _reprieve(trial, lower, budgets) if trial.fits() else None


class Trial:
    """A node whose pods may be evicted and taken back; in the end all is as before."""

    def __init__(self, node: Node, plugins: dict[str, Plugin]) -> None:
        self.node = node
        self.plugins = plugins

    def __enter__(self) -> "Trial":
        self.before = list(self.node.pods)
        return self

    def __exit__(self, *_: object) -> None:
        for pod in self.before:
            if pod not in self.node.pods:
                self.take_back(pod)
        self.node.pods = self.before

    def evict(self, pod: Pod) -> None:
        self.node.remove(pod)
        for plugin in self.plugins.values():
            plugin.pod_changed(self.node, pod, by=-1)

    def take_back(self, pod: Pod) -> None:
        self.node.add(pod)
        for plugin in self.plugins.values():
            plugin.pod_changed(self.node, pod, by=1)

    def fits(self) -> bool:
        return first_failure(self.plugins, self.node)[1] is None


def _reprieve(trial: Trial, evicted: list[Pod], budgets: list[Json]) -> Candidate:
    """Those whose eviction would violate a budget may come back first."""
    violating, others = split_by_budgets(by_importance(evicted), budgets)
    kept_out = [_that_cannot_return(trial, group) for group in (violating, others)]
    victims = kept_out[0] + kept_out[1]
    if all(kept_out):
        victims = by_importance(victims)
    return Candidate(trial.node, victims, len(kept_out[0]))


def _that_cannot_return(trial: Trial, evicted: list[Pod]) -> list[Pod]:
    victims = []
    for pod in evicted:
        trial.take_back(pod)
        if not trial.fits():
            trial.evict(pod)
            victims.append(pod)
    return victims


def by_importance(pods: list[Pod]) -> list[Pod]:
    """Insertion sort, most important first.

    It matters which sort this is: two pods of equal priority without start times are each more
    important than the other (`is_more_important`), so that their order is reversed.
    """
    result: list[Pod] = []
    for pod in pods:
        place = len(result)
        while place > 0 and is_more_important(pod, result[place - 1]):
            place -= 1
        result.insert(place, pod)
    return result


def is_more_important(a: Pod, b: Pod) -> bool:
    """Higher priority, then earlier start; a missing start time is now, and now passes."""
    if a.priority != b.priority:
        return a.priority > b.priority
    if a.start_time is None and b.start_time is None:
        return True
    return start_of(a) < start_of(b)


def start_of(pod: Pod) -> str:
    return pod.start_time or NOW


def split_by_budgets(pods: list[Pod], budgets: list[Json]) -> tuple[list[Pod], list[Pod]]:
    """Pods whose eviction exceeds a disruption budget, and the others, both in order."""
    left = [(budget.get("status") or {}).get("disruptionsAllowed") or 0 for budget in budgets]
    violating, others = [], []
    for pod in pods:
        over = False
        for i, budget in enumerate(budgets):
            if is_covered(pod, budget):
                left[i] -= 1
                over |= left[i] < 0
        (violating if over else others).append(pod)
    return violating, others


def is_covered(pod: Pod, budget: Json) -> bool:
    """Whether evicting the pod uses up the budget."""
    selects = label_selector((budget.get("spec") or {}).get("selector"))
    disrupted = (budget.get("status") or {}).get("disruptedPods") or {}
    return (
        (budget["metadata"].get("namespace") or "default") == pod.namespace
        and bool(pod.labels)
        and not selects.is_empty
        and selects.matches(pod.labels)
        and pod.name not in disrupted
    )


def best(found: list[Candidate]) -> list[Candidate]:
    """Those that no criterion tells apart: the real choice among them is random."""
    for cost in CRITERIA:
        lowest = min(cost(candidate) for candidate in found)
        found = [candidate for candidate in found if cost(candidate) == lowest]
    latest = max(earliest_start(candidate) for candidate in found)
    return [candidate for candidate in found if earliest_start(candidate) == latest]


CRITERIA: list[Callable[[Candidate], int]] = [
    lambda candidate: candidate.budget_violations,
    lambda candidate: candidate.victims[0].priority,
    lambda candidate: sum(victim.priority + 2**31 for victim in candidate.victims),
    lambda candidate: len(candidate.victims),
]


def earliest_start(candidate: Candidate) -> str:
    """Of the victims with the node's highest priority."""
    highest = max(victim.priority for victim in candidate.victims)
    return min(start_of(v) for v in candidate.victims if v.priority == highest)
