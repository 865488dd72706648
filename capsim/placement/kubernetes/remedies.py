"""Which single changes would let a waiting unit be placed; each is asked of the scheduler.

Tried are: room freed on a node, units that leave, a toleration, a selector, affinity term or
spread constraint dropped or loosened, a smaller request, and a higher priority. A change is named
only if some node takes the unit when the whole scheduler is asked again with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes.answers import Answers
from capsim.placement.kubernetes.default_preemption import Candidate, Preemption
from capsim.placement.kubernetes.probe import Probe, Variant
from capsim.placement.kubernetes.scores import best_node
from capsim.placement.kubernetes.variants import Change, changes
from capsim.placement.tables import told_amount
from capsim.scenario import GPU_MILLI, PODS, Template
from capsim.topology import Int64

if TYPE_CHECKING:
    from capsim.placement.result import Placement

_MOST_TRIED = 8
_MOST_NAMED = 3


@dataclass(frozen=True)
class Remedy:
    """One change after which the scheduler would place the unit."""

    kind: str
    """"room", "leave", "rule", "request" or "priority"."""
    change: str
    """What is changed, in words."""
    node: str
    """Where the unit would go then."""
    nodes: int
    """How many nodes would take it then."""

    def __str__(self) -> str:
        also = f" ({self.nodes:,} nodes would take it)" if self.nodes > 1 else ""
        if self.kind == "room":
            return f"It would fit on {self.node} if {self.change} were freed there."
        if self.kind == "leave":
            return f"It would fit on {self.node} if {self.change} left."
        if self.kind == "priority":
            return f"With {self.change} on {self.node}."
        return f"{self.change[:1].upper()}{self.change[1:]} would let it on {self.node}{also}."


def remedies(plan: Placement, probe: Probe, answers: Answers) -> tuple[Remedy, ...]:
    """Single changes that would do, the least first within each kind."""
    # A unit that may go nowhere, as one pinned to a lost node, has no node to be asked about.
    if not probe.allowed.any():
        return ()
    engine, state = probe.engine, probe.session.state
    considered = changes(engine, state, plan.offered, _at(answers, probe))
    raised = _raised(probe)
    asked = Probe(plan, probe.row, [each.variant for each in (*considered, *raised)])
    return (
        *_room(probe, answers),
        *_leaving(probe, answers),
        *_of_variants(asked, considered),
        *_of_priorities(asked, len(considered), raised),
    )


def _at(answers: Answers, probe: Probe) -> Answers:
    """The answers of the nodes that count, for one that is pinned: the others say nothing."""
    if probe.pin == -1:
        return answers
    refusal = np.where(probe.allowed, answers.refusal, 0).astype(np.int8)
    short = answers.short & probe.allowed[:, None]
    zeros = (np.zeros(len(refusal), np.int64),) * 4
    return Answers(answers.row, refusal, short, *zeros, volumes=answers.volumes)


# Room ---------------------------------------------------------------------------------------


def _room(probe: Probe, answers: Answers) -> Iterable[Remedy]:
    """The node that lacks least, as the largest share of a request that is missing."""
    for n, missing in _closest(probe, answers):
        nodes = probe.session.state.nodes
        kept = nodes.used[n].copy(), nodes.gpu_free[n].copy(), nodes.port_use[n].copy()
        freed = _free(probe, answers, n, missing)
        fits = probe.fitting(probe.ask(answers.row))[n]
        nodes.used[n], nodes.gpu_free[n], nodes.port_use[n] = kept
        if fits:
            yield Remedy("room", freed, _name(probe, n), 1)
            return


def _closest(probe: Probe, answers: Answers) -> list[tuple[int, Int64]]:
    """Nodes without enough room, and what each lacks; those that lack least first."""
    state, allowed = probe.session.state, probe.allowed
    asked = probe.engine.checked(answers.row)
    rows = np.flatnonzero(np.isin(answers.refusal, (-1, -2, -3, -9)) & allowed)
    missing = np.maximum(asked - (state.offered - state.used)[rows], 0) * (asked > 0)
    possible: NDArray[np.bool_] = np.all(missing <= state.used[rows], axis=1)
    share = (missing / np.maximum(asked, 1)).max(axis=1, initial=0)
    order = np.argsort(share, kind="stable")
    order = order[possible[order]][:_MOST_TRIED]
    return [(int(rows[i]), missing[i]) for i in order.tolist()]


def _free(probe: Probe, answers: Answers, n: int, missing: Int64) -> str:
    """Frees on a node what a class lacks there, and says what that is."""
    nodes, engine, c = probe.session.state.nodes, probe.engine, answers.row
    probe.session.state.used[n] -= missing
    code, said = int(answers.refusal[n]), []
    if code in (-1, -9):
        start, entry = engine.by_class.ports if code == -1 else engine.by_class.disks
        nodes.port_use[n, entry[start[c] : start[c + 1]]] = 0
        said.append("the host port that it needs" if code == -1 else "the disk that it names")
    lacks = dict(zip(engine.topology.resources, missing.tolist(), strict=True))
    boards = _free_boards(nodes.gpu_free[n], *engine.units.gpu_need[c].tolist())
    if boards:
        # Boards are counted one by one; their sum may have been enough, and says less.
        lacks[GPU_MILLI] = boards
    said += [_amount(name, amount) for name, amount in lacks.items() if amount > 0]
    return " and ".join(said)


def _free_boards(free: Int64, devices: int, milli: int) -> int:
    """Makes room on the boards that lack least, as many as are needed; thousandths freed."""
    boards = [d for d in np.argsort(-free, kind="stable").tolist() if free[d] >= 0][:devices]
    lacking = int(sum(max(0, milli - free[d]) for d in boards))
    for d in boards:
        free[d] = max(free[d], milli)
    return lacking


def _amount(name: str, amount: int) -> str:
    if name == PODS:
        return "a pod slot"
    if name == GPU_MILLI:
        return f"{amount:,} thousandths of its GPU boards"
    return told_amount(name, amount)


# Units that leave ---------------------------------------------------------------------------


def _leaving(probe: Probe, answers: Answers) -> Iterable[Remedy]:
    """The fewest units whose company is unwanted, that do not want the unit's, or use its claim."""
    shunned = np.flatnonzero(np.isin(answers.refusal, (-7, -8, -10)) & probe.allowed)
    if len(shunned) == 0:
        return
    groups = sorted((_unwanted(probe, answers.row, n), n) for n in shunned.tolist())
    for units, n in sorted(groups, key=lambda each: len(each[0]))[:_MOST_TRIED]:
        with probe.session.without(units):
            fits = probe.fitting(probe.ask(answers.row))[n]
        if fits:
            yield Remedy("leave", _listed(probe, units), _name(probe, n), 1)
            return


def _unwanted(probe: Probe, c: int, n: int) -> list[int]:
    """The units in a node's domains that stand between it and a class."""
    engine, session = probe.engine, probe.session
    _, unwanted_row, unwanted = engine.heard(c)
    rows, where = engine.counters.rows, session.residents.node
    found = np.zeros(len(where), np.bool_)
    for j, q in enumerate(unwanted_row.tolist()):
        domain = rows.domain[rows.key[q]]
        if domain[n] >= 0:
            there = (where >= 0) & (domain[where] == domain[n])
            found |= there & (unwanted[j, engine.class_of] != 0)
    return np.flatnonzero(found).tolist()


def _listed(probe: Probe, units: Sequence[int]) -> str:
    known = probe.engine.topology.scenario.units
    named = [known[unit].key for unit in units[:_MOST_NAMED]]
    more = len(units) - len(named)
    return ", ".join(named) + (f" and {more:,} more" if more > 0 else "")


# Variants -----------------------------------------------------------------------------------


def _of_variants(asked: Probe, considered: Sequence[Change]) -> Iterable[Remedy]:
    """Those that let the unit on some node; of one constraint's skews, the smallest."""
    done: set[str] = set()
    for number, change in enumerate(considered):
        kind = "request" if change.variant.request else "rule"
        group = change.words.split(" instead of ")[-1] if "maxSkew" in change.words else ""
        if group and group in done:
            continue
        c = asked.variant_class(number)
        answers = asked.ask(c)
        fits = asked.fitting(answers)
        if fits.any():
            done.add(group)
            node = _name(asked, best_node(asked.engine, answers, fits))
            yield Remedy(kind, change.words, node, int(fits.sum()))


# Priorities ---------------------------------------------------------------------------------


def _raised(probe: Probe) -> list[Change]:
    """The unit with priorities just above those of units that run, or free to evict at all."""
    engine, c = probe.engine, probe.unit_class
    template = engine.template(c)
    if not engine.profile_of(c).preemption:
        return []
    found = []
    if template.preemption_policy == "Never":
        free = template.model_copy(update={"preemption_policy": "PreemptLowerPriority"})
        found.append(Change("preemptionPolicy PreemptLowerPriority", Variant(free)))
    residents = probe.session.residents
    present = np.unique(residents.priority[residents.node >= 0])
    own = template.priority
    for value in present[present >= own][:_MOST_TRIED].tolist():
        higher: Template = template.model_copy(
            update={"priority": value + 1, "preemption_policy": "PreemptLowerPriority"}
        )
        found.append(Change(f"a priority above {value:,}", Variant(higher)))
    return found


def _of_priorities(asked: Probe, first: int, raised: Sequence[Change]) -> Iterable[Remedy]:
    """The lowest priority with which evictions make room."""
    preemption = Preemption(asked.session)
    for number, change in enumerate(raised, start=first):
        c = asked.variant_class(number)
        found = preemption.outcome(c, asked.ask(c), asked.pin)
        if found.candidates:
            best: Candidate = found.best[0]
            words = f"{change.words} it could evict {_listed(asked, best.victims)}"
            yield Remedy("priority", words, _name(asked, best.node), len(found.candidates))
            return


def _name(probe: Probe, node: int) -> str:
    return probe.engine.topology.scenario.nodes[node].name
