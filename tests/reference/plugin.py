"""What all plugins share: their hooks in one pod's cycle, failures, the usual normalisation."""

from typing import Any, NamedTuple

from .objects import Cluster, Node, Pod

UNSCHEDULABLE = "Unschedulable"
UNRESOLVABLE = "UnschedulableAndUnresolvable"
Scores = dict[str, int]  # node name -> score


class Failure(NamedTuple):
    """Why a node does not do; only an Unschedulable one may be helped by preemption."""

    reasons: list[str]
    code: str = UNSCHEDULABLE


class Plugin:
    """A plugin in the scheduling cycle of one pod, which it sees with the cluster as it is.

    A plugin that skips the filter would pass every node.
    """

    def __init__(self, pod: Pod, cluster: Cluster, args: dict[str, Any]) -> None:
        self.pod = pod
        self.cluster = cluster
        self.args = args
        self.begin()

    def begin(self) -> None:
        """PreFilter: state that filter and score need."""

    def rejects(self) -> str | None:
        """PreFilter: why the pod fits nowhere, before any node is looked at."""
        return None

    def skips_filter(self) -> bool:
        return False

    def filter(self, node: Node) -> Failure | None:
        raise NotImplementedError

    def pod_changed(self, node: Node, pod: Pod, by: int) -> None:
        """Preemption tries it out: a pod has come to the node (by 1) or left it (by -1)."""

    def reserve(self, node: Node) -> None:
        """The pod goes to the node."""

    def skips_score(self, feasible: list[Node]) -> bool:
        """PreScore: state that score needs; True if there is nothing to score."""
        return False

    def score(self, node: Node) -> int:
        raise NotImplementedError

    def normalise(self, raw: Scores) -> Scores:
        return raw


def first_failure(plugins: dict[str, Plugin], node: Node) -> tuple[str, Failure | None]:
    """The first plugin that rejects the node, and how."""
    for name, plugin in plugins.items():
        failure = plugin.filter(node)
        if failure is not None:
            return name, failure
    return "", None


def stretched(raw: Scores) -> Scores:
    """The default normalisation: the best gets 100."""
    highest = max(raw.values())
    return {name: 100 * s // highest if highest else 0 for name, s in raw.items()}


def stretched_reversed(raw: Scores) -> Scores:
    """The lowest possible value, 0, gets 100."""
    return {name: 100 - s for name, s in stretched(raw).items()}


def quotient(dividend: int, divisor: int) -> int:
    """Go's integer division: it truncates toward zero."""
    whole = abs(dividend) // abs(divisor)
    return whole if (dividend < 0) == (divisor < 0) else -whole
