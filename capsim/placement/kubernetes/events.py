"""The FailedScheduling event of a unit that finds no node, in the words of Kubernetes 1.34.

    0/5 nodes are available: 2 Insufficient cpu, 3 node(s) had untolerated taint {k: v}. no new
    claims to deallocate, preemption: 0/5 nodes are available: 2 No preemption victims found for
    incoming pod, 3 Preemption is not helpful for scheduling.

Rule: reasons are counted over the nodes and sorted as texts that begin with their count. Then
follows what the plugins of the PostFilter point say: DynamicResources, on by default since 1.34,
and DefaultPreemption, which says of each node why evictions do not help. Nothing follows where
evictions help: the room is being made then. Source: Kubernetes 1.34, FitError, PostFilter of the
dynamicresources and defaultpreemption plugins, Evaluator.Preempt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from capsim.placement.kubernetes.answers import Answers
from capsim.placement.kubernetes.default_preemption import Preemption
from capsim.placement.kubernetes.refusals import node_reasons, reasons_at, unresolvable
from capsim.placement.kubernetes.session import Session

NO_NODES = "no nodes available to schedule pods"
NO_CLAIMS = "no new claims to deallocate"
NO_VICTIMS = "No preemption victims found for incoming pod"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NEVER = "not eligible due to preemptionPolicy=Never."


def event(session: Session, answers: Answers, pin: int = -1) -> str:
    """The whole event of a unit of a class that every node has refused.

    Parameters: session, as it is; answers of the nodes to the class; pin, the one node that the
    unit may run on, -1 for any.
    """
    engine = session.engine
    total = len(answers.refusal)
    if total == 0:
        return NO_NODES
    rejection = engine.rejection(answers.row)
    if rejection is not None:
        said = f"0/{total} nodes are available: {rejection[1]}."
    else:
        reasons = node_reasons(engine, answers, pin)
        said = available(total, (each for node in reasons for each in node))
    return f"{said} {after}" if (after := _after(session, answers, pin)) else said


def available(total: int, reasons: Iterable[str]) -> str:
    """How many nodes gave each reason, as the scheduler says it."""
    counted = sorted(f"{count} {reason}" for reason, count in Counter(reasons).items())
    return f"0/{total} nodes are available: {', '.join(counted)}."


def _after(session: Session, answers: Answers, pin: int) -> str:
    """What the PostFilter plugins say; nothing where evictions make room."""
    engine, c = session.engine, answers.row
    if not engine.profile_of(c).preemption:
        return NO_CLAIMS
    if engine.template(c).preemption_policy == "Never":
        return f"{NO_CLAIMS}, preemption: {NEVER}"
    if Preemption(session).outcome(c, answers, pin).candidates:
        return ""
    said = _in_vain(session, answers, pin)
    return f"{NO_CLAIMS}, preemption: {available(len(answers.refusal), said)}"


def _in_vain(session: Session, answers: Answers, pin: int) -> Iterable[str]:
    """Why evictions do not help, node by node."""
    engine, c = session.engine, answers.row
    hopeless = unresolvable(engine, session.state.offered, answers, pin)
    yield from [NOT_HELPFUL] * int(hopeless.sum())
    priority = session.priority(c)
    present = session.residents.node
    lower = np.unique(present[(session.residents.priority < priority) & (present >= 0)])
    hopeful = np.flatnonzero(~hopeless)
    yield from [NO_VICTIMS] * len(np.setdiff1d(hopeful, lower))
    for node in np.intersect1d(hopeful, lower).tolist():
        with session.without([u for u in session.on_node(node) if _is_lower(session, u, priority)]):
            yield from reasons_at(engine, session.state, c, node)


def _is_lower(session: Session, unit: int, priority: int) -> bool:
    return bool(session.residents.priority[unit] < priority)
