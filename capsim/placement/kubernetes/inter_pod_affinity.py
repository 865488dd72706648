"""InterPodAffinity: units seek or shun the topology domains of other units.

Rule: every required term needs a unit that meets all required terms of the newcomer in the
node's domain (the first of its kind, which meets its own terms, needs the labels only); no unit
that a required anti-affinity term means may be in the domain, nor one whose own anti-affinity
means the newcomer. Score: weights of preferred terms in both directions, and the profile's weight
for required terms of units that are there, summed over the domains of the node and scaled to
0..100 between the worst and the best node. Source: Kubernetes 1.34, interpodaffinity plugin.
"""

from __future__ import annotations

from dataclasses import dataclass

from capsim.placement.kubernetes.chosen import Choice, Namespaces, selector
from capsim.scenario import PodAffinityTerm, SchedulerProfile, Template

NAME = "InterPodAffinity"
REASON_NEAR = "node(s) didn't match pod affinity rules"
REASON_APART = "node(s) didn't match pod anti-affinity rules"
REASON_SHUNNED = "node(s) didn't satisfy existing pods anti-affinity rules"


@dataclass(frozen=True)
class Term:
    """Units that a term means, and the topology key of the domains in which it looks."""

    key: str
    choice: Choice


@dataclass(frozen=True)
class Terms:
    """The terms of a unit; preferred ones with their weights, negative where it shuns."""

    near: tuple[Term, ...] = ()
    apart: tuple[Term, ...] = ()
    preferred: tuple[tuple[Term, int], ...] = ()

    @property
    def all(self) -> tuple[Term, ...]:
        """Every term."""
        return (*self.near, *self.apart, *(term for term, _ in self.preferred))


def terms(template: Template, owner: str, known: Namespaces, *, incoming: bool) -> Terms:
    """The terms of units of a template in the namespace `owner`.

    `incoming` tells whether they are asked for a newcomer, or held by a unit that is there: the
    scheduler reads namespace selectors differently.
    """
    near, apart = template.affinity.pod_affinity, template.affinity.pod_anti_affinity

    def term(stated: PodAffinityTerm) -> Term:
        names = known.of(stated, owner, incoming=incoming)
        chosen = frozenset((selector(stated.label_selector),))
        return Term(stated.topology_key, Choice(names, chosen))

    return Terms(
        tuple(term(each) for each in (near.required if near else ())),
        tuple(term(each) for each in (apart.required if apart else ())),
        tuple(
            (term(each.pod_affinity_term), sign * each.weight)
            for sign, affinity in ((1, near), (-1, apart))
            for each in (affinity.preferred if affinity else ())
        ),
    )


def is_stated(template: Template) -> bool:
    """Whether units of the template have any term."""
    return bool(template.affinity.pod_affinity or template.affinity.pod_anti_affinity)


def looks(preferred: bool, profile: SchedulerProfile) -> bool:
    """Whether the score is asked for at all."""
    return preferred or not profile.ignore_preferred_terms_of_existing_pods
