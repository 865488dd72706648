"""What stronger isolation buys and costs: pods lost per fault against machines and memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from capsim.placement.isolation_trial import Isolated, Rows, try_isolation, waiting_shared
from capsim.scenario import Assumption, Scenario
from capsim.stack.isolation import ISOLATIONS, assumptions
from capsim.stack.parameters import Parameter, parameter

WORK = ("compute", "syscalls", "network", "disk")


@dataclass(frozen=True, eq=False)
class IsolationPrices:
    """Every isolation for the whole cluster, side by side."""

    table: pd.DataFrame
    """One row an isolation; *_low and *_high are the ends of the overheads' ranges."""
    slowdowns: pd.DataFrame
    """One row an isolation and kind of work: time relative to a shared kernel, with its range."""
    assumptions: tuple[Assumption, ...]

    def summary(self) -> dict[str, float]:
        """Machines to add, by isolation."""
        named = zip(self.table["isolation"], self.table["machines_added"], strict=True)
        return {f"machines_added_{name}": float(count) for name, count in named}

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False, float_format=lambda value: f"{value:,.3g}")


def isolation_prices(
    cluster: Scenario, kinds: Iterable[str] = tuple(ISOLATIONS)
) -> IsolationPrices:
    """The price of stronger isolation for a whole cluster beside what it buys.

    Parameters: cluster; kinds, of ISOLATIONS.
    Returns: IsolationPrices.
    Raises: as `try_isolation`.
    Model: docs/models/kernel_sharing.md, "The price".

    >>> cs.isolation_prices(cluster).table
    """
    listed = list(kinds)
    waiting = waiting_shared(cluster)
    table = pd.DataFrame([_price(cluster, kind, waiting) for kind in listed])
    stated = (*assumptions(listed), *(each.assumption for each in _stated(listed)))
    return IsolationPrices(table, slowdowns(listed), stated)


def _stated(kinds: Sequence[str]) -> list[Parameter]:
    """How isolations slow work, and how often a way out of them becomes public."""
    names = ("published_escapes", *(f"slowdown_{work}" for work in WORK))
    return [parameter(kind, name) for kind in kinds for name in names]


def _price(cluster: Scenario, kind: str, waiting: Rows) -> dict[str, object]:
    low, mid, high = (
        try_isolation(cluster, default=kind, end=end, waiting=waiting)
        for end in ("low", "value", "high")
    )
    escapes = parameter(kind, "published_escapes").figure
    units = max(1, len(cluster.units))
    return {
        "isolation": kind,
        "machines_in_use": mid.machines_in_use,
        "machines_added": mid.machines_added,
        "machines_added_low": min(each.machines_added for each in (low, mid, high)),
        "machines_added_high": max(each.machines_added for each in (low, mid, high)),
        "pods_waiting_more": mid.waiting_more,
        "memory_added_mib_per_pod": mid.memory_added / 2**20 / units,
        "memory_added_mib_per_pod_low": low.memory_added / 2**20 / units,
        "memory_added_mib_per_pod_high": high.memory_added / 2**20 / units,
        "cores_added_per_pod": mid.cores_added / units,
        "pods_lost_per_panic_seen_by_a_pod": mid.pods_lost,
        "pods_reached_by_an_escape": mid.pods_reached,
        "pods_of_other_tenants_reached": mid.sharing.summary()[
            "pods_of_other_tenants_reached_by_an_escape"
        ],
        "isolation_score_0_to_100": mid.sharing.score,
        "published_escapes_per_year": escapes.value,
        "published_escapes_per_year_low": escapes.low,
        "published_escapes_per_year_high": escapes.high,
    }


def slowdowns(kinds: Iterable[str] = tuple(ISOLATIONS)) -> pd.DataFrame:
    """Time that work takes relative to a shared kernel: isolation, work, value, low, high."""
    listed = [(kind, work, parameter(kind, f"slowdown_{work}")) for kind in kinds for work in WORK]
    return pd.DataFrame(
        [(k, w, *r.figure.ends, r.verified, r.source) for k, w, r in listed],
        columns=["isolation", "work", "slowdown_x", "low_x", "high_x", "verified", "source"],
    )


def isolation_frontier(
    cluster: Scenario,
    *,
    kinds: Iterable[str] = tuple(ISOLATIONS),
    pods_per_node: Sequence[int] = (2, 3, 4, 6, 8, 16, 110),
) -> pd.DataFrame:
    """Pods lost per panic against machines, for each isolation and limit of pods on a node.

    Returns: isolation, pods_per_node_at_most, machines_in_use, machines_added, pods_per_machine,
    pods_lost_per_panic_seen_by_a_pod, pods_reached_by_an_escape, pods_waiting_more.

    >>> isolation_frontier(cluster, kinds=["shared", "kata"])
    """
    waiting = waiting_shared(cluster)
    made = [
        (kind, most, try_isolation(cluster, default=kind, pods_per_node=most, waiting=waiting))
        for kind in kinds
        for most in pods_per_node
    ]
    return pd.DataFrame([_point(kind, most, found) for kind, most, found in made])


def _point(kind: str, most: int, found: Isolated) -> dict[str, object]:
    machines = found.machines_in_use
    return {
        "isolation": kind,
        "pods_per_node_at_most": most,
        "machines_in_use": machines,
        "machines_added": found.machines_added,
        "pods_per_machine": len(found.sharing.paths.on_machine) / max(1, machines),
        "pods_lost_per_panic_seen_by_a_pod": found.pods_lost,
        "pods_reached_by_an_escape": found.pods_reached,
        "pods_waiting_more": found.waiting_more,
    }
