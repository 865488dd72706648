"""Why units wait: for each template, how many nodes refused it for which reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import (
    gpu_share,
    inter_pod_affinity,
    node_affinity,
    node_ports,
    node_resources_fit,
    node_volume_limits,
    pod_topology_spread,
    volume_binding,
    volume_restrictions,
    volume_zone,
)
from capsim.placement.kubernetes.answers import Answers, State
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.static import BINDING, FILTERS, NARROWED, REJECTED, ZONE
from capsim.placement.kubernetes.volume_binding import Verdict
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
    -9: (volume_restrictions.NAME, volume_restrictions.REASON_DISK, False),
    -10: (volume_restrictions.NAME, volume_restrictions.REASON_LONE, False),
    -11: (node_volume_limits.NAME, node_volume_limits.REASON, False),
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
    rejected: bool = False
    """Whether they are refused before any node is looked at, for the main reason."""

    @property
    def message(self) -> str:
        """The words of the scheduler's FailedScheduling event."""
        if self.rejected:
            return f"0/{self.total} nodes are available: {self.main}."
        if not self.nodes:
            return f"{self.main}."
        said = ", ".join(sorted(f"{count} {reason}" for reason, count in self.nodes.items()))
        return f"0/{self.total} nodes are available: {said}."


def refusals(plan: Placement) -> tuple[Refusal, ...]:
    """One entry for each class (and pin) with waiting units, against the final state."""
    groups: dict[tuple[int, int, str], list[int]] = {}
    for unit in plan.waiting.tolist():
        over = plan.engine.over_quota.get(unit, "")
        key = (int(plan.engine.class_of[unit]), int(plan.topology.unit_pinned[unit]), over)
        groups.setdefault(key, []).append(unit)
    return tuple(_refusal(plan, c, pin, rows) for (c, pin, _), rows in groups.items())


def refusal_of(plan: Placement, unit: int) -> Refusal:
    """The refusal of one waiting unit, against the final state."""
    c, pin = int(plan.engine.class_of[unit]), int(plan.topology.unit_pinned[unit])
    return _refusal(plan, c, pin, [unit])


def held_back(plan: Placement, unit: int) -> str:
    """Why a unit never enters the queue; nothing for one that does."""
    template = plan.scenario.templates[plan.scenario.units[unit].template]
    if template.scheduling_gates:
        return GATED
    if plan.engine.profiles.number(template) < 0:
        return f"{UNKNOWN_SCHEDULER} ({template.scheduler_name})"
    return plan.engine.over_quota.get(unit, "")


def _refusal(plan: Placement, c: int, pin: int, rows: list[int]) -> Refusal:
    key = plan.scenario.units[rows[0]].template
    total = len(plan.scenario.nodes)
    held = held_back(plan, rows[0])
    if held:
        return Refusal(key, tuple(rows), {}, total, held)
    if total == 0:
        return Refusal(key, tuple(rows), {}, total, "no nodes available to schedule pods")
    engine = plan.engine
    rejection = engine.rejection(c)
    if rejection is not None:
        return Refusal(key, tuple(rows), {}, total, rejection[1], rejected=True)
    answers = engine.evaluate(plan.state, c)
    said, which = _said(engine, answers, pin)
    hopeless = unresolvable(engine, plan.offered, answers, pin)
    count = _count(said, which)
    hopeful = _count(said, which[~hopeless])
    main = _most(hopeful) or _beyond(engine, plan.offered, answers, pin) or _most(count)
    return Refusal(key, tuple(rows), dict(count), total, main)


def _count(said: Sequence[tuple[str, ...]], which: Int64) -> Counter[str]:
    """How many nodes gave each reason."""
    count: Counter[str] = Counter()
    for reasons, nodes in zip(said, np.bincount(which, minlength=len(said)).tolist(), strict=True):
        for reason in reasons if nodes else ():
            count[reason] += nodes
    return count


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
    said, which = _said(engine, answers, pin)
    return [said[i] for i in which.tolist()]


def reasons_at(engine: Engine, state: State, c: int, node: int) -> tuple[str, ...]:
    """The same for one node and one more unit of a class, as the state is now."""
    code = np.zeros(1, np.int8)
    verdict = engine.refuse(state, c, np.array([node], np.int64), code)
    refusal, k = int(code[0]), int(engine.static.node_class[node])
    if refusal == -2:
        checked = engine.checked(c)
        left = state.offered[node] - state.used[node]
        short = np.flatnonzero((checked > 0) & (checked > left)).tolist()
        names = engine.topology.resources
        return tuple(sorted(node_resources_fit.reason(names[r]) for r in short))
    if refusal == REJECTED:
        return _rejected(engine, c)
    if refusal > NARROWED:
        return _of_volumes(verdict, refusal, k)
    if refusal > 0:
        return (engine.static.reason[c][k],)
    return (_CHANGING[refusal][1],) if refusal else ()


def _rejected(engine: Engine, c: int) -> tuple[str, ...]:
    """Why a class is rejected before any node is looked at."""
    rejection = engine.rejection(c)
    return (rejection[1],) if rejection else ()


def _said(engine: Engine, answers: Answers, pin: int) -> tuple[list[tuple[str, ...]], Int64]:
    """The different things that nodes say to a class of units, and which of them each says."""
    narrows = engine.profile_of(answers.row).narrows_by_name
    pinned = node_affinity.REASON_NARROWED if narrows else node_affinity.REASON
    said: list[tuple[str, ...]] = [(), (pinned,)]
    which = np.zeros(len(answers.refusal), np.int64)
    for code in np.unique(answers.refusal).tolist():
        here = np.flatnonzero(answers.refusal == code)
        if code == -2:
            _add(said, which, here, *_lacking(engine, answers, here))
        elif code == REJECTED:
            reasons = [_rejected(engine, answers.row)]
            _add(said, which, here, reasons, np.zeros(len(here), np.int64))
        elif code > NARROWED:
            classes, of_node = np.unique(engine.static.node_class[here], return_inverse=True)
            reasons = [_of_volumes(answers.volumes, code, k) for k in classes.tolist()]
            _add(said, which, here, reasons, of_node)
        elif code > 0:
            classes, of_node = np.unique(engine.static.node_class[here], return_inverse=True)
            words = engine.static.reason[answers.row]
            _add(said, which, here, [(words[k],) for k in classes.tolist()], of_node)
        elif code < 0:
            _add(said, which, here, [(_CHANGING[code][1],)], np.zeros(len(here), np.int64))
    which[_elsewhere(len(which), pin)] = 1
    return said, which


def _of_volumes(verdict: Verdict | None, code: int, k: int) -> tuple[str, ...]:
    """What a class of nodes has against the volumes of a class of units."""
    if code == ZONE or verdict is None:
        return (volume_zone.REASON,)
    return verdict.reasons(k)


def _add(
    said: list[tuple[str, ...]],
    which: Int64,
    here: Int64,
    reasons: Sequence[tuple[str, ...]],
    of_node: NDArray[np.integer[Any]],
) -> None:
    which[here] = len(said) + of_node
    said.extend(reasons)


def _lacking(
    engine: Engine, answers: Answers, here: Int64
) -> tuple[list[tuple[str, ...]], NDArray[np.integer[Any]]]:
    """The different sets of resources of which these nodes have too little; each node's set."""
    asked = np.flatnonzero(engine.checked(answers.row) > 0)
    short = answers.short[here][:, asked]
    # A set is a whole number, so that sets are compared at once; it may have over 63 bits.
    sets = short @ np.array([1 << i for i in range(len(asked))], object if len(asked) > 62 else int)
    _, example, of_node = np.unique(sets, return_index=True, return_inverse=True)
    names = [node_resources_fit.reason(engine.topology.resources[r]) for r in asked.tolist()]
    lacking = [
        tuple(sorted(name for name, is_short in zip(names, row, strict=True) if is_short))
        for row in short[example].tolist()
    ]
    return lacking, of_node.reshape(-1)


def plugin(refusal: int) -> str:
    """The plugin behind a code of the kernels."""
    if refusal == NARROWED:
        return "PreFilterResult"
    named = {BINDING: volume_binding.NAME, ZONE: volume_zone.NAME}
    if refusal in named:
        return named[refusal]
    return FILTERS[refusal - 1].NAME if refusal > 0 else _CHANGING[refusal][0]


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
