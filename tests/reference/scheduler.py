"""A cluster that pods are scheduled on, and the replay of a recorded case."""

from typing import Any

from .configuration import profiles
from .cycle import Cycle
from .objects import Cluster, Node, Pod

Json = dict[str, Any]


def replay(case: Json) -> list[Json]:
    """The decisions of a case: its pending pods one by one, each bound at once."""
    scheduler = Scheduler(case)
    return [scheduler.schedule(pod) for pod in case["pending"]]


class Scheduler:
    """A cluster and what the scheduler would decide about it.

    Parameters: a case without `pending` and `decisions`: nodes, pods (bound), config,
    namespaces, services, replicasets, statefulsets, pdbs, and the lists of storage
    (storageclasses, csinodes, csidrivers, csistoragecapacities, persistentvolumes,
    persistentvolumeclaims); `detail` compact or full (default).
    """

    def __init__(self, case: Json) -> None:
        self.is_full = case.get("detail", "full") == "full"
        self.profiles = profiles(case.get("config"))
        self.cluster = Cluster(case)
        self._bound: dict[str, tuple[Node, Pod]] = {}
        for node in case.get("nodes") or ():
            self.add_node(node)
        for pod in case.get("pods") or ():
            self.bind(pod, pod["spec"]["nodeName"])

    # State ----------------------------------------------------------------------------------

    def add_node(self, raw: Json) -> None:
        """A new node is the last in the order of nodes."""
        node = Node(raw)
        if node.name in self.cluster.nodes:
            raise ValueError(f"node {node.name} is there already")
        self.cluster.nodes[node.name] = node

    def remove_node(self, name: str) -> list[Json]:
        """The node goes, and its pods, which are returned."""
        pods = list(self.cluster.nodes[name].pods)
        for pod in pods:
            self.evict(pod.key)
        del self.cluster.nodes[name]
        return [pod.raw for pod in pods]

    def bind(self, raw: Json, node_name: str) -> None:
        """The pod runs on the node from now on, whether it fits or not."""
        pod, node = Pod(raw), self.cluster.nodes[node_name]
        if pod.key in self._bound:
            raise ValueError(f"pod {pod.key} is bound already")
        node.add(pod)
        self._bound[pod.key] = (node, pod)

    def evict(self, pod_key: str) -> Json:
        """The pod (namespace/name) is gone at once; returns it."""
        node, pod = self._bound.pop(pod_key)
        node.remove(pod)
        return pod.raw

    def placement(self) -> dict[str, str]:
        """Pod key -> node name of all bound pods."""
        return {key: node.name for key, (node, _) in self._bound.items()}

    # Decisions ------------------------------------------------------------------------------

    def schedule(self, raw: Json) -> Json:
        """Decide, evict the victims (by name) and try again if need be, and bind."""
        decision = attempt = self.decide(raw)
        preempted = decision.get("preemption") or {}
        if preempted.get("node"):
            for victim in preempted["candidates"][preempted["node"]]:
                self.evict(victim)
            attempt = decision["retry"] = self._decision(Pod(raw), may_preempt=False)
        if attempt["node"] is not None:
            self._cycle(Pod(raw)).reserve(self.cluster.nodes[attempt["node"]])
            self.bind(raw, attempt["node"])
        return decision

    def decide(self, raw: Json) -> Json:
        """What would happen to the pod now; changes nothing."""
        return self._decision(Pod(raw), may_preempt=True)

    def _decision(self, pod: Pod, *, may_preempt: bool) -> Json:
        return self._cycle(pod).run(may_preempt=may_preempt)

    def _cycle(self, pod: Pod) -> Cycle:
        if pod.profile_name not in self.profiles:
            raise ValueError(f"pod {pod.key} asks for the unknown scheduler {pod.profile_name}")
        return Cycle(pod, self.cluster, self.profiles[pod.profile_name], self.is_full)
