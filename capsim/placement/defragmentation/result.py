"""The result of defragmenting: who moves where, which nodes are emptied, what is freed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.errors import ModelError, nearest
from capsim.placement import tables
from capsim.placement.defragmentation.snapshot import Eviction
from capsim.placement.headroom import headroom
from capsim.placement.result import Placement
from capsim.placement.stranded import stranded
from capsim.scenario import Assumption

_ORDER = Assumption(
    name="evictions",
    value="all at once; each unit is made anew under its name and placed behind the waiting units "
    "of its priority, in the order of eviction",
    source="kubernetes-sigs/descheduler evicts in one pass; controllers make pods anew at once",
)
_BY_REQUEST = Assumption(
    name="use of nodes",
    value="requests, not measured use",
    source="kubernetes-sigs/descheduler without metricsUtilization",
)
_NO_OWNERS = Assumption(
    name="owners of units",
    value="the input states none; every unit is taken to be made anew when it is evicted",
    source="chosen by capsim for traces; the descheduler never evicts bare pods by default",
)


@dataclass(frozen=True, eq=False)
class Defragmentation:
    """What a strategy evicts, and the plan before and after."""

    strategy: str
    before: Placement
    after: Placement
    evictions: tuple[Eviction, ...]
    cordoned: tuple[int, ...]
    """Rows of nodes that the strategy cordons before it empties them."""
    refused: dict[int, str]
    """Units that the strategy would have evicted, and why they had to stay."""
    knows_owners: bool

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What was taken."""
        own = (_ORDER, _BY_REQUEST) if self.knows_owners else (_ORDER, _BY_REQUEST, _NO_OWNERS)
        return (*self.after.assumptions, *own)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row an eviction: unit, owner, priority, from and to node, outcome, why, requests."""
        topology, units = self.before.topology, self.before.scenario.units
        nodes = [*(node.name for node in self.before.scenario.nodes), None]
        rows = np.array([each.unit for each in self.evictions], np.int64)
        to = self.after.node_of[rows]
        return pd.DataFrame(
            {
                "namespace": [units[row].namespace for row in rows.tolist()],
                "unit": [units[row].name for row in rows.tolist()],
                "owner": [units[row].owner for row in rows.tolist()],
                "priority": topology.priority[topology.unit_template[rows]],
                "from_node": [nodes[each.node] for each in self.evictions],
                "to_node": [nodes[node] for node in to.tolist()],
                "outcome": [
                    _outcome(each.node, node)
                    for each, node in zip(self.evictions, to.tolist(), strict=True)
                ],
                "why": [each.why for each in self.evictions],
                **tables.amounts(
                    topology, topology.request[topology.unit_template[rows]], "requested"
                ),
            }
        )

    @cached_property
    def emptied(self) -> list[str]:
        """Nodes that had work before and have none after; a DaemonSet's units are not counted."""
        gone = ~_empty(self.before) & _empty(self.after)
        names = self.before.scenario.nodes
        return [names[row].name for row in np.flatnonzero(gone).tolist()]

    @cached_property
    def stranded(self) -> pd.DataFrame:
        """resource, unit, before, after, share_of_offered_before, share_of_offered_after."""
        first, second = (stranded(plan).table.set_index("resource") for plan in self._plans)
        return pd.DataFrame(
            {
                "unit": first["unit"],
                "before": first["stranded"],
                "after": second["stranded"],
                "share_of_offered_before": first["share_of_offered"],
                "share_of_offered_after": second["share_of_offered"],
            }
        ).reset_index()

    @cached_property
    def headroom(self) -> pd.DataFrame:
        """shape, before, after: how many more units of each shape fit."""
        first, second = (headroom(plan).table for plan in self._plans)
        return pd.DataFrame(
            {"shape": first["shape"], "before": first["fits"], "after": second["fits"]}
        )

    @cached_property
    def stays(self) -> pd.DataFrame:
        """reason, units: why units that the strategy would have evicted had to stay."""
        counts = pd.Series(list(self.refused.values()), dtype=object).value_counts()
        return pd.DataFrame({"reason": counts.index, "units": counts.to_numpy()})

    @property
    def _plans(self) -> tuple[Placement, Placement]:
        return self.before, self.after

    def summary(self) -> dict[str, float]:
        """A few numbers, units in the names."""
        outcome = self.table["outcome"]
        waited = self.before.node_of < 0
        numbers: dict[str, float] = {
            "evictions": len(self.evictions),
            "moved_units": int((outcome == "moved").sum()),
            "units_back_on_their_node": int((outcome == "back on its node").sum()),
            "evicted_units_waiting": int((outcome == "waits").sum()),
            "units_placed_that_waited": int((waited & (self.after.node_of >= 0)).sum()),
            "waiting_units_before": int(waited.sum()),
            "waiting_units_after": int((self.after.node_of < 0).sum()),
            "emptied_nodes": len(self.emptied),
            "empty_nodes_before": int(_empty(self.before).sum()),
            "empty_nodes_after": int(_empty(self.after).sum()),
        }
        for row in self.stranded.to_dict("records"):
            for when in ("before", "after"):
                numbers[f"stranded_{row['resource']}_share_{when}"] = float(
                    row[f"share_of_offered_{when}"]
                )
        for when in ("before", "after"):
            numbers[f"headroom_units_{when}"] = int(self.headroom[when].iloc[:1].sum())
        return numbers

    def explain(self, unit: str) -> str:
        """Why a unit was evicted, or was not, and why it is where it is now.

        Raises: ModelError if there is no such unit.
        """
        units = self.before.scenario.units
        rows = [row for row, each in enumerate(units) if unit in (each.key, each.name)]
        if len(rows) != 1:
            hint = nearest(unit, [each.key for each in units]) if not rows else " alone"
            raise ModelError(f"There is no unit {unit!r}{hint} in the plan.")
        gone = {each.unit: each for each in self.evictions}.get(rows[0])
        if gone is None:
            if rows[0] in self.refused:
                return f"{units[rows[0]].key} stays: it {self.refused[rows[0]]}."
            return f"{self.strategy} has nothing against {units[rows[0]].key} where it is."
        left = self.before.scenario.nodes[gone.node].name
        again = self.after.explain(units[rows[0]].key)
        return f"{units[rows[0]].key} was evicted from {left}: {gone.why}.\n{again}"

    def _repr_html_(self) -> str:
        html: str = self.table.head(20).to_html(index=False)
        return html


def _outcome(left: int, now: int) -> str:
    if now < 0:
        return "waits"
    return "back on its node" if now == left else "moved"


def _empty(plan: Placement) -> NDArray[np.bool_]:
    """[N] nodes without any unit but those that are made for the node."""
    tied = np.array(
        [
            unit.pinned is not None or unit.owner.startswith(("DaemonSet/", "Node/"))
            for unit in plan.scenario.units
        ],
        np.bool_,
    )
    working = (plan.node_of >= 0) & ~tied
    count = np.bincount(plan.node_of[working], minlength=len(plan.scenario.nodes))
    result: NDArray[np.bool_] = count == 0
    return result
