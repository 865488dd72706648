"""The plugins that look at one node and the pod only (and at the images of all nodes)."""

from .objects import Node, Pod, node_terms
from .plugin import UNRESOLVABLE, Failure, Plugin, Scores, stretched, stretched_reversed
from .selectors import NodeTerm, Taint, tolerated

MIB = 1024 * 1024


class NodeUnschedulable(Plugin):
    """A cordoned node takes pods that tolerate the cordon's taint."""

    CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")

    def filter(self, node: Node) -> Failure | None:
        if not node.unschedulable or tolerated(self.CORDON, self.pod.tolerations):
            return None
        return Failure(["node(s) were unschedulable"], UNRESOLVABLE)


class NodeName(Plugin):
    """A pod that names its node goes there."""

    def skips_filter(self) -> bool:
        return not self.pod.node_name

    def filter(self, node: Node) -> Failure | None:
        if self.pod.node_name in ("", node.name):
            return None
        return Failure(["node(s) didn't match the requested node name"], UNRESOLVABLE)


class TaintToleration(Plugin):
    """Taints must be tolerated; those of effect PreferNoSchedule should be."""

    def filter(self, node: Node) -> Failure | None:
        for taint in node.taints:
            if is_repelled_by(taint, self.pod):
                reason = f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"
                return Failure([reason], UNRESOLVABLE)
        return None

    def score(self, node: Node) -> int:
        return sum(
            taint.effect == "PreferNoSchedule" and not tolerated(taint, self.pod.tolerations)
            for taint in node.taints
        )

    def normalise(self, raw: Scores) -> Scores:
        return stretched_reversed(raw)


def is_repelled_by(taint: Taint, pod: Pod) -> bool:
    hard = taint.effect in ("NoSchedule", "NoExecute")
    return hard and not tolerated(taint, pod.tolerations)


def is_wanted_by(pod: Pod, node: Node) -> bool:
    """Whether the pod's own nodeSelector and required node affinity let the node be."""
    for key, value in pod.node_selector.items():
        if node.labels.get(key) != value:
            return False
    return pod.required_node_terms is None or any_matches(pod.required_node_terms, node)


def any_matches(terms: list[NodeTerm], node: Node) -> bool:
    return any(term.matches(node.name, node.labels) for term in terms)


class NodeAffinity(Plugin):
    """nodeSelector and node affinity of the pod, and the affinity that the profile adds."""

    def begin(self) -> None:
        added = self.args.get("addedAffinity") or {}
        self.added_required, self.added_preferred = node_terms(added)

    def allowed_names(self) -> frozenset[str] | None:
        """The nodes to which the pod confines itself by name; None: it does not."""
        terms = self.pod.required_node_terms
        names = [term.names() for term in terms or ()]
        if not names or None in names:
            return None
        return frozenset().union(*names)

    def skips_filter(self) -> bool:
        asked = self.pod.node_selector or self.pod.required_node_terms is not None
        return not asked and self.added_required is None

    def filter(self, node: Node) -> Failure | None:
        if self.added_required is not None and not any_matches(self.added_required, node):
            reason = "node(s) didn't match scheduler-enforced node affinity"
            return Failure([reason], UNRESOLVABLE)
        if not is_wanted_by(self.pod, node):
            return Failure(["node(s) didn't match Pod's node affinity/selector"], UNRESOLVABLE)
        return None

    def skips_score(self, feasible: list[Node]) -> bool:
        self.preferred = self.added_preferred + self.pod.preferred_node_terms
        return not self.preferred

    def score(self, node: Node) -> int:
        return sum(
            weight for weight, term in self.preferred if term.matches(node.name, node.labels)
        )

    def normalise(self, raw: Scores) -> Scores:
        return stretched(raw)


class NodePorts(Plugin):
    """No two pods of a node share a host port."""

    def skips_filter(self) -> bool:
        return not self.pod.host_ports

    def filter(self, node: Node) -> Failure | None:
        taken = [port for pod in node.pods for port in pod.host_ports]
        if any(port.conflicts(other) for port in self.pod.host_ports for other in taken):
            return Failure(["node(s) didn't have free ports for the requested pod ports"])
        return None


class ImageLocality(Plugin):
    """Nodes that have the pod's images, large ones that many nodes have above all."""

    LOW, HIGH_PER_CONTAINER = 23 * MIB, 1000 * MIB

    def skips_score(self, feasible: list[Node]) -> bool:
        self.worth = {image: self._worth(image) for image in self.pod.images}
        return False

    def _worth(self, image: str) -> int:
        """Bytes, scaled by the part of all nodes that has the image."""
        sizes = [
            node.image_bytes[image]
            for node in self.cluster.nodes.values()
            if image in node.image_bytes
        ]
        return int(sizes[0] * (len(sizes) / len(self.cluster.nodes))) if sizes else 0

    def score(self, node: Node) -> int:
        present = sum([self.worth[image] for image in self.pod.images if image in node.image_bytes])
        high = self.HIGH_PER_CONTAINER * len(self.pod.images)
        clamped = min(max(present, self.LOW), high)
        return 100 * (clamped - self.LOW) // (high - self.LOW)
