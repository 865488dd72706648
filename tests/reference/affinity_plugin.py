"""InterPodAffinity: pods that seek or shun the domains of other pods."""

from collections import Counter
from collections.abc import Iterator

from .objects import Node, Pod, PodTerm
from .plugin import UNRESOLVABLE, Failure, Plugin, Scores
from .selectors import Labels

Domain = tuple[str, str]  # topology key, value


class InterPodAffinity(Plugin):
    """Required terms of the pod and of the pods there filter; preferred ones score."""

    def _means(self, term: PodTerm, existing: Pod) -> bool:
        """Whether a term of the incoming pod means a bound one; remembered by labels."""
        key = (term, existing.namespace, existing.labels)
        if key not in self._answers:
            self._answers[key] = term.means_bound(existing, self.cluster)
        return self._answers[key]

    def _is_meant_by(self, term: PodTerm) -> bool:
        """Whether a term of a bound pod means the incoming one."""
        return term.means_incoming(self.pod, self.cluster)

    # Filter ---------------------------------------------------------------------------------

    def begin(self) -> None:
        """Count, domain by domain, the terms that speak for and against it."""
        self._answers: dict[tuple[PodTerm, str, Labels], bool] = {}
        self.sought: Counter[Domain] = Counter()
        self.shunned: Counter[Domain] = Counter()
        self.shunned_by_others: Counter[Domain] = Counter()
        for node, existing in self.cluster.located_pods():
            self.pod_changed(node, existing, by=1)

    def pod_changed(self, node: Node, pod: Pod, by: int) -> None:
        affinity = self.pod.required_affinity
        if affinity and all([self._means(term, pod) for term in affinity]):
            for term in affinity:
                count(self.sought, node, term, by)
        for term in self.pod.required_anti_affinity:
            if self._means(term, pod):
                count(self.shunned, node, term, by)
        for term in pod.required_anti_affinity:
            if self._is_meant_by(term):
                count(self.shunned_by_others, node, term, by)

    def skips_filter(self) -> bool:
        own_terms = self.pod.required_affinity or self.pod.required_anti_affinity
        return not own_terms and not self.shunned_by_others

    def filter(self, node: Node) -> Failure | None:
        if not self._finds_company(node):
            return Failure(["node(s) didn't match pod affinity rules"], UNRESOLVABLE)
        if not self.shunned.keys().isdisjoint(node.labels.items()):
            return Failure(["node(s) didn't match pod anti-affinity rules"])
        if not self.shunned_by_others.keys().isdisjoint(node.labels.items()):
            return Failure(["node(s) didn't satisfy existing pods anti-affinity rules"])
        return None

    def _finds_company(self, node: Node) -> bool:
        """All terms are met, or the pod is the first of its kind and may start anywhere."""
        terms = self.pod.required_affinity
        if any(term.topology_key not in node.labels for term in terms):
            return False
        if all(domain in self.sought for term in terms for domain in domain_of(node, term)):
            return True
        return not self.sought and all(self._means(term, self.pod) for term in terms)

    # Score ----------------------------------------------------------------------------------

    def skips_score(self, feasible: list[Node]) -> bool:
        own = self.pod.preferred_affinity or self.pod.preferred_anti_affinity
        if self.args.get("ignorePreferredTermsOfExistingPods") and not own:
            return True
        self.pull: Counter[Domain] = Counter()
        for node, existing in self.cluster.located_pods():
            for weight, term in self._contributions(existing):
                for domain in domain_of(node, term):
                    self.pull[domain] += weight
        return not self.pull

    def _contributions(self, existing: Pod) -> Iterator[tuple[int, PodTerm]]:
        """The signed weights that a bound pod gives to its domains."""
        for term in self.pod.preferred_affinity:
            if self._means(term, existing):
                yield term.weight, term
        for term in self.pod.preferred_anti_affinity:
            if self._means(term, existing):
                yield -term.weight, term
        if not existing.has_pod_terms:
            return
        if hard_weight := self.args["hardPodAffinityWeight"]:
            for term in filter(self._is_meant_by, existing.required_affinity):
                yield hard_weight, term
        for term in filter(self._is_meant_by, existing.preferred_affinity):
            yield term.weight, term
        for term in filter(self._is_meant_by, existing.preferred_anti_affinity):
            yield -term.weight, term

    def score(self, node: Node) -> int:
        return sum(self.pull.get(label, 0) for label in node.labels.items())

    def normalise(self, raw: Scores) -> Scores:
        lowest, highest = min(raw.values()), max(raw.values())
        width = highest - lowest
        return {name: int(100 * ((s - lowest) / width)) if width else 0 for name, s in raw.items()}


def count(counter: Counter[Domain], node: Node, term: PodTerm, by: int) -> None:
    """Domains that count nothing any more are forgotten."""
    for domain in domain_of(node, term):
        counter[domain] += by
        if counter[domain] == 0:
            del counter[domain]


def domain_of(node: Node, term: PodTerm) -> list[Domain]:
    """The domain of a node by the term's key; none if the node lacks it."""
    key = term.topology_key
    return [(key, node.labels[key])] if key in node.labels else []
