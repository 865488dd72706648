"""Why units wait: for each template, how many nodes refused it for which reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import (
    gpu_share,
    inter_pod_affinity,
    node_affinity,
    node_ports,
    node_resources_fit,
    pod_topology_spread,
)
from capsim.placement.kubernetes.engine import Answers, Engine
from capsim.placement.kubernetes.static import FILTERS, NARROWED
from capsim.topology import Int64

if TYPE_CHECKING:
    from capsim.placement.result import Placement

GATED = "held by a scheduling gate"
UNKNOWN_SCHEDULER = "asks for a scheduler that the configuration does not have"
#: What refuses by the state of the cluster: code of the kernels to plugin, words, and whether
#: evictions cannot help.
_CHANGING = {
    -1: (node_ports.NAME, node_ports.REASON, False),
    -2: (node_resources_fit.NAME, "", False),
    -3: (gpu_share.NAME, gpu_share.REASON, False),
    -4: (pod_topology_spread.NAME, pod_topology_spread.REASON_LABEL, True),
    -5: (pod_topology_spread.NAME, pod_topology_spread.REASON, False),
    -6: (inter_pod_affinity.NAME, inter_pod_affinity.REASON_NEAR, True),
    -7: (inter_pod_affinity.NAME, inter_pod_affinity.REASON_APART, False),
    -8: (inter_pod_affinity.NAME, inter_pod_affinity.REASON_SHUNNED, False),
}
_HOPELESS = [code for code, (_, _, hopeless) in _CHANGING.items() if hopeless]


@dataclass(frozen=True)
class Refusal:
    """Waiting units of one template, and what the nodes say to them."""

    template: str
    units: tuple[int, ...]
    """Rows of the waiting units."""
    nodes: dict[str, int]
    """Reason to number of nodes; a node short of two resources counts for both."""
    total: int
    """Nodes in the cluster."""
    main: str
    """The reason that stands in the way on most of the nodes that could ever take the unit."""

    @property
    def message(self) -> str:
        """The words of the scheduler's FailedScheduling event."""
        if not self.nodes:
            return f"{self.main}."
        said = ", ".join(sorted(f"{count} {reason}" for reason, count in self.nodes.items()))
        return f"0/{self.total} nodes are available: {said}."


def refusals(plan: Placement) -> tuple[Refusal, ...]:
    """One entry for each class (and pin) with waiting units, against the final state."""
    groups: dict[tuple[int, int], list[int]] = {}
    for unit in plan.waiting.tolist():
        key = (int(plan.engine.class_of[unit]), int(plan.topology.unit_pinned[unit]))
        groups.setdefault(key, []).append(unit)
    return tuple(_refusal(plan, c, pin, rows) for (c, pin), rows in groups.items())


def held_back(plan: Placement, unit: int) -> str:
    """Why a unit never enters the queue; nothing for one that does."""
    template = plan.scenario.templates[plan.scenario.units[unit].template]
    if template.scheduling_gates:
        return GATED
    if plan.engine.profiles.number(template) < 0:
        return f"{UNKNOWN_SCHEDULER} ({template.scheduler_name})"
    return ""


def _refusal(plan: Placement, c: int, pin: int, rows: list[int]) -> Refusal:
    key = plan.scenario.units[rows[0]].template
    total = len(plan.scenario.nodes)
    held = held_back(plan, rows[0])
    if held:
        return Refusal(key, tuple(rows), {}, total, held)
    if total == 0:
        return Refusal(key, tuple(rows), {}, total, "no nodes available to schedule pods")
    engine = plan.engine
    answers = engine.evaluate(plan.state, c)
    reasons = node_reasons(engine, answers, pin)
    hopeless = unresolvable(engine, plan.offered, answers, pin)
    count = Counter(reason for each in reasons for reason in each)
    hopeful = Counter(
        reason
        for each, no in zip(reasons, hopeless.tolist(), strict=True)
        if not no
        for reason in each
    )
    main = _most(hopeful) or _beyond(engine, plan.offered, answers, pin) or _most(count)
    return Refusal(key, tuple(rows), dict(count), total, main)


def _beyond(engine: Engine, offered: Int64, answers: Answers, pin: int) -> str:
    """What even an empty node lacks, where labels and taints would let the unit on some node."""
    allowed = (answers.refusal == -2) & ~_elsewhere(len(offered), pin)
    nodes = _too_large(engine, offered, answers)[allowed].sum(axis=0)
    names = engine.topology.resources
    lacking = {
        node_resources_fit.reason(name): n for name, n in zip(names, nodes.tolist(), strict=True)
    }
    most = _most(Counter(lacking) + Counter())
    return f"{most} even on an empty node" if most else ""


def _most(count: Counter[str]) -> str:
    return max(sorted(count), key=lambda reason: count[reason], default="")


def node_reasons(engine: Engine, answers: Answers, pin: int = -1) -> list[tuple[str, ...]]:
    """For each node the reasons of the first filter that refuses it; none where it fits."""
    return [
        (node_affinity.REASON,) if pin not in (-1, node) else each
        for node, each in enumerate(_reasons(engine, answers))
    ]


def _reasons(engine: Engine, answers: Answers) -> list[tuple[str, ...]]:
    static, resources = engine.static, engine.topology.resources
    said = static.reason[answers.row]
    patterns, pattern_of = _patterns(answers.short)
    short = [
        tuple(sorted(node_resources_fit.reason(resources[r]) for r in np.flatnonzero(pattern)))
        for pattern in patterns
    ]
    words = {0: (), **{code: (said,) for code, (_, said, _) in _CHANGING.items()}}
    return [
        short[pattern] if code == -2 else words[code] if code <= 0 else (said[k],)
        for code, k, pattern in zip(
            answers.refusal.tolist(), static.node_class.tolist(), pattern_of.tolist(), strict=True
        )
    ]


def plugin(refusal: int) -> str:
    """The plugin behind a code of the kernels."""
    if refusal == NARROWED:
        return "PreFilterResult"
    return FILTERS[refusal - 1].NAME if refusal > 0 else _CHANGING[refusal][0]


def _patterns(short: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Int64]:
    """The distinct rows, and which of them each node has."""
    distinct, which = np.unique(short, axis=0, return_inverse=True)
    return distinct, which.reshape(-1).astype(np.int64)


def unresolvable(
    engine: Engine, offered: Int64, answers: Answers, pin: int = -1
) -> NDArray[np.bool_]:
    """[N] nodes that refuse the unit however empty they are (UnschedulableAndUnresolvable)."""
    too_large = _too_large(engine, offered, answers).any(axis=1) & (answers.refusal == -2)
    final = (answers.refusal > 0) | np.isin(answers.refusal, _HOPELESS)
    result: NDArray[np.bool_] = final | too_large | _elsewhere(len(offered), pin)
    return result


def _too_large(engine: Engine, offered: Int64, answers: Answers) -> NDArray[np.bool_]:
    """[N, R] requests that are larger than what the node offers in all."""
    checked = engine.checked(answers.row)
    # The pod count is never unresolvable for the scheduler, even where no pod is allowed.
    checked = np.where(np.arange(len(checked)) == 2, 0, checked)
    result: NDArray[np.bool_] = checked > offered
    return result


def _elsewhere(nodes: int, pin: int) -> NDArray[np.bool_]:
    """[N] nodes that are not the one to which a unit is pinned."""
    result: NDArray[np.bool_] = (np.arange(nodes) != pin) & (pin != -1)
    return result
