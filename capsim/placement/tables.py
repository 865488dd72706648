"""A placement as tidy tables: what people and files see of it."""

from __future__ import annotations

import html as escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from capsim.scenario import CPU, GPU_MILLI, MEMORY, PODS, print_resource
from capsim.topology import Int32, Int64, Topology

if TYPE_CHECKING:
    from capsim.placement.result import Placement

_GIB = 2**30
_WORTH_A_LINE = 0.001
#: Resource to (name in columns, unit, size of the unit in the engine's integers).
SHOWN_UNITS = {
    CPU: ("cpu", "cores", 1000),
    MEMORY: ("memory", "gib", _GIB),
    PODS: ("pods", "count", 1),
    "ephemeral-storage": ("ephemeral_storage", "gib", _GIB),
    GPU_MILLI: ("gpu", "boards", 1000),
}


def shown_unit(resource: str) -> tuple[str, str, int]:
    """Name, unit and scale under which people see a resource."""
    plain = resource.replace("/", "_").replace(".", "_").replace("-", "_")
    return SHOWN_UNITS.get(resource, (plain, "count", 1))


def told_amount(resource: str, amount: int) -> str:
    """An amount in words: "8 cores of cpu", "2Gi of memory"."""
    if resource != CPU:
        return f"{print_resource(resource, amount)} of {resource}"
    return f"{amount / 1000:.10g} {'core' if amount == 1000 else 'cores'} of cpu"


def amounts(topology: Topology, values: Int64, prefix: str) -> dict[str, np.ndarray[Any, Any]]:
    """Columns such as requested_cpu_cores from [rows, R] integers."""
    columns = {}
    for r, resource in enumerate(topology.resources):
        name, unit, scale = shown_unit(resource)
        column = f"{prefix}_{name}_{unit}"
        columns[column] = values[:, r] if scale == 1 else values[:, r] / scale
    return columns


def units(plan: Placement) -> pd.DataFrame:
    """One row a unit."""
    topology, listed = plan.topology, plan.scenario.units
    names = np.array([node.name for node in plan.scenario.nodes] + [None], object)
    zones = np.array([node.zone for node in plan.scenario.nodes] + [None], object)
    state = np.where(plan.node_of < 0, "waiting", "placed").astype(object)
    state[(topology.unit_node >= 0) & (plan.node_of >= 0)] = "running"
    for row, by in plan.evicted.items():
        gone = "moved" if plan.node_of[row] >= 0 else "evicted"
        state[row] = f"{gone} for {listed[by].key}"
    return pd.DataFrame(
        {
            "namespace": [unit.namespace for unit in listed],
            "unit": [unit.name for unit in listed],
            "owner": [unit.owner for unit in listed],
            "template": np.array(topology.template_keys, object)[topology.unit_template],
            "node": names[plan.node_of],
            "zone": zones[plan.node_of],
            "state": state,
            **amounts(topology, topology.request[topology.unit_template], "requested"),
        }
    )


def nodes(plan: Placement) -> pd.DataFrame:
    """One row a node."""
    topology, listed = plan.topology, plan.scenario.nodes
    placed = plan.node_of[plan.node_of >= 0]
    return pd.DataFrame(
        {
            "node": [node.name for node in listed],
            "shape": [node.shape for node in listed],
            "zone": [node.zone for node in listed],
            "units": np.bincount(placed, minlength=len(listed)),
            **amounts(topology, plan.offered, "allocatable"),
            **amounts(topology, plan.used, "requested"),
            **amounts(topology, plan.free, "free"),
        }
    )


def pending(plan: Placement) -> pd.DataFrame:
    """One row a waiting unit, in the order in which they were tried."""
    said = {row: refusal for refusal in plan.refusals for row in refusal.units}
    rows = plan.waiting.tolist()
    listed = plan.scenario.units
    return pd.DataFrame(
        {
            "namespace": [listed[row].namespace for row in rows],
            "unit": [listed[row].name for row in rows],
            "template": [listed[row].template for row in rows],
            "reason": [said[row].main for row in rows],
            "message": [said[row].message for row in rows],
            "as_of": "the end, when all were tried",
        }
    )


def reasons(plan: Placement) -> pd.DataFrame:
    """Waiting units by main reason, most frequent first."""
    table = plan.pending
    grouped = table.groupby("reason", sort=False).agg(
        units=("unit", "size"),
        templates=("template", "nunique"),
        example=("unit", "first"),
        message=("message", "first"),
    )
    ordered = grouped.sort_values("units", ascending=False, kind="stable")
    return ordered.reset_index()


def bind(topology: Topology, node_of: Int32) -> Topology:
    """The topology with every placed unit bound to its node."""
    names = [*(node.name for node in topology.scenario.nodes), None]
    bound = tuple(
        unit if unit.node == names[row] else unit.model_copy(update={"node": names[row]})
        for unit, row in zip(topology.scenario.units, node_of.tolist(), strict=True)
    )
    scenario = topology.scenario.model_copy(update={"units": bound})
    return topology.changed(scenario, unit_node=node_of)


def resources_shown(plan: Placement) -> list[str]:
    """Resources that are offered somewhere and requested by something."""
    topology = plan.topology
    offered = plan.offered.sum(axis=0, dtype=np.float64) > 0
    asked = topology.request[topology.unit_template].sum(axis=0, dtype=np.float64)
    shown = offered & (asked > 0)
    # A pod limit so high that it never binds is not worth a line.
    pods = topology.column(PODS)
    shown[pods] &= asked[pods] > _WORTH_A_LINE * plan.offered[:, pods].sum(dtype=np.float64)
    return [name for name, yes in zip(topology.resources, shown, strict=True) if yes]


def resources_told(plan: Placement) -> list[str]:
    """The resources of a summary: those that are shown, and cpu and memory even if unrequested."""
    shown = resources_shown(plan)
    offered = plan.offered.sum(axis=0, dtype=np.float64)
    return [
        name
        for r, name in enumerate(plan.topology.resources)
        if name in shown or (name in (CPU, MEMORY) and offered[r] > 0)
    ]


def summary(plan: Placement) -> dict[str, float]:
    """Counts, and requested share of what is offered."""
    placed = plan.node_of >= 0
    holding = np.unique(plan.node_of[placed])
    numbers: dict[str, float] = {
        "nodes": len(plan.scenario.nodes),
        "empty_nodes": len(plan.scenario.nodes) - len(holding),
        "units": len(placed),
        "placed_units": int(placed.sum()),
        "waiting_units": int((~placed).sum()),
    }
    offered = plan.offered.sum(axis=0, dtype=np.float64)
    used = plan.used.sum(axis=0, dtype=np.float64)
    for resource in resources_told(plan):
        r = plan.topology.column(resource)
        name, unit, scale = shown_unit(resource)
        numbers[f"allocatable_{name}_{unit}"] = float(offered[r] / scale)
        numbers[f"requested_{name}_{unit}"] = float(used[r] / scale)
        numbers[f"requested_{name}_share"] = float(used[r] / offered[r]) if offered[r] else 0.0
    numbers["decision_seconds"] = plan.seconds
    return numbers


def html(plan: Placement) -> str:
    """The summary as a small table for notebooks."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape.escape(name)}</th><td>{value:,.4g}</td></tr>"
        for name, value in plan.summary().items()
    )
    return f"<table><caption>{escape.escape(plan.method)}</caption>{rows}</table>"


def plain(plan: Placement) -> dict[str, Any]:
    """Summary, waiting units and assumptions as plain data."""
    return {
        "method": plan.method,
        "summary": plan.summary(),
        "pending": plan.reasons.to_dict(orient="records"),
        "remarks": list(plan.scenario.remarks),
        "assumptions": [str(each) for each in plan.assumptions],
    }
