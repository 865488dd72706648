"""size_cluster: machines for units that came without any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim import catalogue
from capsim.catalogue import NVIDIA_GPU
from capsim.errors import ModelError
from capsim.placement.packing import Packing, pack
from capsim.placement.place import place
from capsim.scenario import (
    EPHEMERAL_STORAGE,
    HOSTNAME_LABEL,
    REGION_LABEL,
    ZONE_LABEL,
    Assumption,
    Node,
    Scenario,
    Template,
)
from capsim.scenario.requests import filter_requests
from capsim.scenario.spec import MAX_AMOUNT
from capsim.topology import Topology, compile_scenario

ARCH_LABEL = "kubernetes.io/arch"
OS_LABEL = "kubernetes.io/os"
#: Families that are considered when none is named: current AWS generations of general use, with
#: 2, 4 and 8 GiB for each vCPU. Burstable, bare-metal and local-disk variants are left out.
GENERAL_FAMILIES = {"x86_64": ("c7i", "m7i", "r7i"), "arm64": ("c7g", "m7g", "r7g")}
GPU_FAMILIES = ("g6", "g6e", "p4d", "p5")
_KUBERNETES_ARCH = {"x86_64": "amd64", "arm64": "arm64"}
_ZONES = {"aws": "{region}{letter}", "gcp": "{region}-{letter}", "azure": "{region}-{number}"}
#: Node groups of EKS come with a root volume of 20 GiB unless told otherwise.
_LEAST_DISK = 20 * 2**30
_ROUNDS = 10


@dataclass(frozen=True, eq=False)
class Pool:
    """Machines of one type for units of one kind."""

    entry: pd.Series
    """The row of the catalogue."""
    node: Node
    """One of them."""
    packing: Packing
    considered: int
    """Machine types that were compared."""

    @property
    def usd_per_hour(self) -> float:
        """Price of all machines of the pool."""
        return float(self.entry["linux_usd_per_hour"]) * max(1, self.packing.count)


def size_cluster(scenario: Scenario, *, machine: str | None = None) -> Scenario:
    """The same units with machines for them.

    Units that ask for GPUs get machines of their own kind, the others general ones. Of each
    shortlist the type with the lowest total price is taken (fewest machines on ties); their number
    is what first-fit decreasing needs, at least 1, and more where the scheduler, which spreads
    units, leaves some waiting on those.

    Parameters: scenario without nodes; machine, a type of the catalogue instead of the choice.
    Returns: the scenario with nodes in three zones, a remark and the assumptions made.
    Raises: ModelError if there are nodes already, or a unit fits no machine.
    Model: docs/models.md, "Sizing".

    >>> size_cluster(cs.read("deployment.yaml")).remarks[-1]
    """
    if scenario.nodes:
        raise ModelError(f"the scenario has {len(scenario.nodes)} nodes already, expected none.")
    topology = compile_scenario(scenario)
    labels = _selected_labels(topology)
    pools = [
        _choose(topology, units, _shortlist(topology, units, machine))
        for units in _kinds(topology, machine)
    ]
    counts = [max(1, pool.packing.count) for pool in pools]
    sized = scenario.replace(nodes=_nodes(pools, counts, labels))
    sized, counts = _until_placed(sized, pools, counts, labels)
    return sized.replace(
        remarks=(*scenario.remarks, _remark(topology, pools, counts)),
        assumptions=(*scenario.assumptions, *_assumptions(pools)),
    )


def _kinds(topology: Topology, machine: str | None) -> list[NDArray[np.intp]]:
    """Rows of the units that ask for GPUs, and of those that do not; all as one for one type."""
    every = np.arange(len(topology.unit_template))
    if machine is not None or not len(every):
        return [every]
    asks = np.array([_asks_gpu(template) for template in topology.templates], bool)
    gpu = asks[topology.unit_template]
    return [rows for rows in (every[~gpu], every[gpu]) if len(rows)]


def _asks_gpu(template: Template) -> bool:
    return template.gpu_share is not None or filter_requests(template).get(NVIDIA_GPU, 0) > 0


def _shortlist(topology: Topology, units: NDArray[np.intp], machine: str | None) -> list[pd.Series]:
    if machine is not None:
        return [catalogue.row(machine)]
    arch = _architecture(topology)
    table = catalogue.machines("aws", arch=arch, current_generation=True)
    gpu = any(_asks_gpu(template) for template in _templates(topology, units))
    families = GPU_FAMILIES if gpu else GENERAL_FAMILIES[arch]
    listed = table[
        table["family"].isin(families) & ~table["bare_metal"] & table["linux_usd_per_hour"].notna()
    ]
    return [entry for _, entry in listed.iterrows()]


def _templates(topology: Topology, units: NDArray[np.intp]) -> list[Template]:
    templates = topology.templates
    return [templates[row] for row in np.unique(topology.unit_template[units]).tolist()]


def _architecture(topology: Topology) -> str:
    """The processor that units select; x86 where none or several are named."""
    asked = {template.node_selector.get(ARCH_LABEL) for template in topology.templates} - {None}
    return "arm64" if asked == {"arm64"} else "x86_64"


def _choose(topology: Topology, units: NDArray[np.intp], shortlist: Sequence[pd.Series]) -> Pool:
    """The cheapest machines in sum that hold the units."""
    shared = bool(topology.gpu_share[topology.unit_template[units], 0].any())
    candidates = []
    for entry in shortlist:
        node = _machine(entry, shared)
        packing = pack(topology, node, units=units)
        candidates.append(Pool(entry, node, packing, len(shortlist)))
    fitting = [pool for pool in candidates if not len(pool.packing.refused)]
    if not fitting:
        raise ModelError(_no_fit(candidates))
    return min(fitting, key=lambda pool: (round(pool.usd_per_hour, 6), pool.packing.count))


def _machine(entry: pd.Series, shared_boards: bool) -> Node:
    """An empty machine; its root volume is chosen last, so no unit is refused for it."""
    name = str(entry["instance_type"])
    node = catalogue.node(entry, name)
    offer = {**node.allocatable, EPHEMERAL_STORAGE: MAX_AMOUNT}
    boards = offer.pop(NVIDIA_GPU, 0) if shared_boards else 0
    return _with(node, offer, gpu_devices=boards)


def _with(node: Node, allocatable: dict[str, int], **changes: object) -> Node:
    """A copy with other amounts, which are integers already."""
    return node.model_copy(update={"allocatable": allocatable, **changes})


def _no_fit(candidates: Sequence[Pool]) -> str:
    """The unit that fits least, against the machine that refuses the fewest templates."""
    best = min(candidates, key=lambda pool: (len(pool.packing.refused), -pool.usd_per_hour))
    topology = best.packing.topology
    template = int(best.packing.refused[0])
    unit = topology.scenario.units[int(np.flatnonzero(topology.unit_template == template)[0])]
    reason = str(best.packing.unplaceable["reason"].iloc[0])
    tried = f"none of {len(candidates)} machine types" if len(candidates) > 1 else "no such machine"
    return f"unit {unit.key} fits {tried}: it {reason}."


def _nodes(
    pools: Sequence[Pool], counts: Sequence[int], labels: dict[str, str]
) -> tuple[Node, ...]:
    return tuple(
        _one_of(pool, number, labels)
        for pool, count in zip(pools, counts, strict=True)
        for number in range(1, count + 1)
    )


def _one_of(pool: Pool, number: int, labels: dict[str, str]) -> Node:
    """Machine `number` of a pool: named and labelled, in the next of three zones."""
    entry = pool.entry
    region = str(entry["price_region"])
    zone = _ZONES[entry["provider"]].format(
        region=region, letter="abc"[(number - 1) % 3], number=(number - 1) % 3 + 1
    )
    name = f"{pool.node.name.lower().replace('_', '-')}-{number}"
    standard = {
        HOSTNAME_LABEL: name,
        ZONE_LABEL: zone,
        REGION_LABEL: region,
        ARCH_LABEL: _KUBERNETES_ARCH[str(entry["arch"])],
        OS_LABEL: "linux",
    }
    offer = {**pool.node.allocatable, EPHEMERAL_STORAGE: _disk(pool.packing)}
    every = {**labels, **pool.node.labels, **standard}
    return _with(pool.node, offer, name=name, labels=every)


def _disk(packing: Packing) -> int:
    """Twice what the fullest machine is asked for, as volumes are rented to measure."""
    resources = packing.topology.resources
    if EPHEMERAL_STORAGE not in resources or not packing.count:
        return _LEAST_DISK
    most = int(packing.used[:, resources.index(EPHEMERAL_STORAGE)].max())
    return max(_LEAST_DISK, 2 * most)


def _until_placed(
    sized: Scenario, pools: Sequence[Pool], counts: list[int], labels: dict[str, str]
) -> tuple[Scenario, list[int]]:
    """Add machines for units that the scheduler leaves waiting, as long as that helps."""
    waiting = place(sized).waiting
    for _ in range(_ROUNDS):
        if not len(waiting):
            break
        more = [count + _extra(pool, waiting) for pool, count in zip(pools, counts, strict=True)]
        larger = sized.replace(nodes=_nodes(pools, more, labels))
        still = place(larger).waiting
        if len(still) >= len(waiting):
            break
        sized, counts, waiting = larger, more, still
    return sized, counts


def _extra(pool: Pool, waiting: NDArray[np.int64]) -> int:
    mine = waiting[np.isin(waiting, pool.packing.units)]
    return pack(pool.packing.topology, pool.node, units=mine).count if len(mine) else 0


def _selected_labels(topology: Topology) -> dict[str, str]:
    """Labels that units select with one and the same value: the machines are given them."""
    values: dict[str, set[str]] = {}
    for template in topology.templates:
        for key, value in template.node_selector.items():
            values.setdefault(key, set()).add(value)
    return {key: next(iter(found)) for key, found in values.items() if len(found) == 1}


def _remark(topology: Topology, pools: Sequence[Pool], counts: Sequence[int]) -> str:
    """What was assumed, in one sentence, and which rules were not counted."""
    parts = [_told(pool, count) for pool, count in zip(pools, counts, strict=True)]
    usd = sum(
        float(pool.entry["linux_usd_per_hour"]) * count
        for pool, count in zip(pools, counts, strict=True)
    )
    ignored = _ignored(topology)
    told = f"; {ignored} did not count in their number" if ignored else ""
    return (
        f"No machines were given, so the plan takes {' and '.join(parts)}, "
        f"{usd:,.2f} USD per hour on demand{told}."
    )


def _told(pool: Pool, count: int) -> str:
    entry = pool.entry
    gpus = f", {entry['gpus']} GPUs" if entry["gpus"] else ""
    size = f"{entry['vcpu']} vCPU, {entry['memory_gib']:g} GiB{gpus}"
    region = f"{str(entry['provider']).upper()} {entry['price_region']}"
    why = f", the cheapest of {pool.considered} types" if pool.considered > 1 else ""
    return f"{count:,} {entry['instance_type']} ({size}; {region}{why})"


def _ignored(topology: Topology) -> str:
    """Rules between units that more machines may be needed for."""
    templates = [topology.templates[row] for row in np.unique(topology.unit_template).tolist()]
    stated = {
        "host ports": any(p.host_port for t in templates for c in t.containers for p in c.ports),
        "anti-affinity between units": any(_apart(t) for t in templates),
        "topology spread": any(t.topology_spread_constraints for t in templates),
    }
    return _listed(name for name, present in stated.items() if present)


def _apart(template: Template) -> bool:
    apart = template.affinity.pod_anti_affinity
    return apart is not None and bool(apart.required)


def _listed(names: Iterable[str]) -> str:
    *most, last = ["", *names]
    joined = ", ".join(name for name in most if name)
    return f"{joined} and {last}" if joined else last


def _assumptions(pools: Sequence[Pool]) -> tuple[Assumption, ...]:
    providers = dict.fromkeys(str(pool.entry["provider"]) for pool in pools)
    chosen = Assumption(
        name="machines",
        value=", ".join(
            f"{pool.entry['instance_type']} at {pool.entry['linux_usd_per_hour']:.4g} USD per hour"
            for pool in pools
        ),
        source="bundled catalogue, Linux on demand",
    )
    return (chosen, *(catalogue.SERVICES[name].assumption for name in providers))
