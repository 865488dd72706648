"""Who shares a kernel, and who falls or is reached together: kernel_sharing(plan)."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.scenario import Assumption
from capsim.stack.domains import MACHINES, Domains, Float64, Paths, Rows, grouped
from capsim.stack.isolation import belongs_to_node
from capsim.stack.parameters import parameter
from capsim.stack.sharing_story import Story, of_kernel, of_unit
from capsim.topology import Int32, Int64, Topology, service_units

#: Domain of a fault to (what happens, the row of its rate in data/platforms/isolation.csv).
FAULTS = {
    "kernel": ("kernel panic", "kernel_panics"),
    "host": ("host or hypervisor fault", "host_faults"),
    "rack": ("rack fault", "rack_faults"),
    "zone": ("zone fault", "zone_faults"),
    "region": ("region fault", "region_faults"),
}
_ALIKE = Assumption(
    name="which domain fails",
    value="every kernel, host, rack or zone that carries a pod fails as often as another",
    source="no published rate by load; a pod sees large domains more often than they fail",
)
_HOSTS = Assumption(
    name="host of a node where none is named",
    value="each node is on a host of its own; so is each pod of a serverless service",
    source="clouds do not tell; two nodes on one host would fall together",
)
_REACH = Assumption(
    name="what a container escape reaches",
    value="all pods whose path leads through that kernel, their secrets and service-account tokens",
    source="root on a node reads memory and volumes of its pods, and its kubelet is served the "
    "secrets of just those (Kubernetes, Node authorization)",
)


class Placed(Protocol):
    """Units on nodes: a `Placement`."""

    @property
    def topology(self) -> Topology:
        """What was to be placed."""

    @property
    def node_of(self) -> Int32:
        """[U] node of each unit; -1: it waits."""


def kernel_sharing(plan: Placed | Topology) -> KernelSharing:
    """Who shares a kernel with whom, and how many pods one fault or escape takes.

    Parameters: plan, a placement, or a topology to look at what runs already.
    Returns: KernelSharing, with .table (one row a kernel), .faults, .services, .summary(),
    .explain("shop/web-3") or .explain("node-1").
    Model: docs/models/kernel_sharing.md.

    >>> cs.kernel_sharing(cs.place(cs.read("cluster.yaml"))).summary()
    """
    if isinstance(plan, Topology):
        return KernelSharing(Paths(plan, plan.unit_node))
    return KernelSharing(Paths(plan.topology, plan.node_of))


@dataclass(frozen=True, eq=False)
class KernelSharing:
    """Kernels, who runs on them, and what a fault of each takes along.

    Row k of the kernels is node k for the first N; then come the kernels of sandboxed units.
    """

    paths: Paths

    @property
    def topology(self) -> Topology:
        """The machines and units."""
        return self.paths.topology

    @property
    def kernels(self) -> Domains:
        """Units that fall with each kernel, sandboxes on a node's kernel included."""
        return self.paths.kernels

    @cached_property
    def sharing(self) -> Int64:
        """[K] units that run directly on each kernel."""
        kernel = self.paths.kernel_of[self.paths.placed]
        return np.bincount(kernel, minlength=len(self.kernels.sizes))

    @cached_property
    def tenants(self) -> tuple[list[str], Int32]:
        """Names of the tenants (namespaces), and [U] which of them each unit belongs to.

        Units of DaemonSets come with the node and belong to no tenant: -1.
        """
        code: dict[str, int] = {}
        of = [
            -1 if belongs_to_node(unit) else code.setdefault(unit.namespace, len(code))
            for unit in self.topology.scenario.units
        ]
        return list(code), np.array(of, np.int32)

    @cached_property
    def groups(self) -> tuple[list[str], Domains]:
        """Names and running units of the services; of the workloads where there are no services."""
        scenario = self.topology.scenario
        chosen: list[tuple[str, Rows]] = [
            (f"{scenario.services[at].namespace}/{scenario.services[at].name}", rows)
            for at, rows in service_units(self.topology)
        ]
        if not scenario.services:
            chosen = _by_owner(self.topology)
        chosen = [(name, rows[self.paths.node_of[rows] >= 0]) for name, rows in chosen]
        chosen = [(name, rows) for name, rows in chosen if len(rows)]
        of = [np.full(len(rows), at) for at, (_, rows) in enumerate(chosen)]
        empty = np.empty(0, np.int64)
        rows = np.concatenate([empty, *(rows for _, rows in chosen)]).astype(np.int64)
        code = np.concatenate([empty, *of]).astype(np.int64)
        return [name for name, _ in chosen], grouped("service", code, rows, len(chosen))

    @cached_property
    def secrets(self) -> tuple[list[str], Domains]:
        """Names of the secrets and tokens that units hold, and the units that hold each."""
        code: dict[tuple[str, str], int] = {}
        templates = self.topology.templates
        held = [_held(template.secrets, template.service_account_name) for template in templates]
        units = self.topology.scenario.units
        secret, unit = [], []
        some = np.array([bool(each) for each in held], bool)
        for at in np.flatnonzero(some[self.topology.unit_template]).tolist():
            for name in held[self.topology.unit_template[at]]:
                secret.append(code.setdefault((units[at].namespace, name), len(code)))
                unit.append(at)
        pairs = np.array(secret, np.int64), np.array(unit, np.int64)
        return [f"{space}/{name}" for space, name in code], grouped("secret", *pairs, len(code))

    @cached_property
    def strangers(self) -> Int64:
        """[U] units of other tenants that an escape from each unit reaches."""
        tenant = self.tenants[1].astype(np.int64) + 1  # 0: belongs to the node
        kernel, placed = self.paths.kernel_of, self.paths.placed
        width = int(tenant.max(initial=0)) + 1
        entries = self.kernels.domain_of_entry * width + tenant[self.kernels.units]
        held = np.bincount(entries, minlength=len(self.kernels.sizes) * width).reshape(-1, width)
        found = np.zeros(len(tenant), np.int64)
        of_tenants = held[kernel[placed], 1:].sum(axis=1)
        own_tenant = np.where(tenant[placed] > 0, held[kernel[placed], tenant[placed]], 0)
        found[placed] = of_tenants - own_tenant
        return found

    @cached_property
    def reached(self) -> Int64:
        """[U] units that an escape from each unit reaches, itself included; 0 while it waits."""
        found = np.zeros(len(self.paths.node_of), np.int64)
        placed = self.paths.placed
        found[placed] = self.kernels.sizes[self.paths.kernel_of[placed]]
        return found

    @cached_property
    def neighbours(self) -> tuple[Int64, Int64]:
        """[U] other units on the same kernel, and [U] other units on the same machine.

        The first share run queues, page cache and locks with a noisy one; the second share caches,
        memory bandwidth and disks whatever their kernel.
        """
        in_kernel, on_machine = (np.zeros(self._units, np.int64) for _ in range(2))
        placed, machine = self.paths.placed, self.paths.on_machine
        in_kernel[placed] = self.sharing[self.paths.kernel_of[placed]] - 1
        on_node = np.bincount(self.paths.node_of[machine], minlength=1)
        on_machine[machine] = on_node[self.paths.node_of[machine]] - 1
        return in_kernel, on_machine

    @property
    def score(self) -> float:
        """Isolation from 0 to 100: the effective number of kernels for each 100 units.

        100: every unit has a kernel to itself; n equally full kernels give 100 n / units.
        """
        mean = float(self.reached[self.paths.placed].mean()) if len(self.paths.placed) else 1.0
        return 100.0 / mean

    @cached_property
    def kernel_names(self) -> list[str]:
        """[K] names: of the node, or of the unit that brings the kernel."""
        units = self.topology.scenario.units
        brought = [units[at].key for at in self.paths.sandboxed.tolist()]
        return [node.name for node in self.topology.scenario.nodes] + brought

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a kernel that carries a pod: who shares it, who falls with it, what it reaches.

        pods run directly on it; pods_lost fall with it, sandboxes included; of these are the
        tenants, services and secrets.
        """
        kernels, total = self.kernels, len(self.paths.node_of)
        chosen = np.flatnonzero(kernels.sizes)
        nodes = len(self.topology.scenario.nodes)
        runtime = np.where(chosen < nodes, "node", "own")
        services = _distinct(kernels, self.groups[1], total)
        secrets = _distinct(kernels, self.secrets[1], total)
        names = np.array(self.kernel_names, object)
        return pd.DataFrame(
            {
                "kernel": names[chosen],
                "kind": runtime,
                "pods": self.sharing[chosen],
                "pods_lost": kernels.sizes[chosen],
                "tenants": kernels.distinct(self.tenants[1])[chosen],
                "services": services[chosen],
                "secrets": secrets[chosen],
            }
        ).sort_values("pods_lost", ascending=False, kind="stable", ignore_index=True)

    @cached_property
    def faults(self) -> pd.DataFrame:
        """One row a kind of fault: domains, pods lost (on average, seen by a pod, at most), rates.

        pods_lost_mean is over the domains; pods_lost_seen_by_a_pod is over the pods that are lost.
        """
        domains = [self.kernels, *(self.paths.machines(kind) for kind in MACHINES)]
        return pd.DataFrame([_fault(self, each) for each in domains if each.sizes.any()])

    @cached_property
    def services(self) -> pd.DataFrame:
        """One row a service: replicas, and the largest share of them in one kernel, host, zone."""
        names, groups = self.groups
        columns: dict[str, object] = {"service": names, "replicas": groups.sizes}
        columns["in_one_kernel"] = largest_share(self.kernels, groups, self._units)
        for kind in MACHINES[:3]:
            domains = self.paths.machines(kind)
            if domains.sizes.any():
                columns[f"in_one_{kind}"] = largest_share(domains, groups, self._units)
        found = pd.DataFrame(columns)
        return found.sort_values(
            ["in_one_kernel", "replicas"], ascending=False, kind="stable", ignore_index=True
        )

    @property
    def _units(self) -> int:
        return len(self.paths.node_of)

    def summary(self) -> dict[str, float]:
        """A few numbers, units in the names."""
        placed = self.paths.placed
        theirs = placed[self.tenants[1][placed] >= 0]
        exposed = self.services[(self.services["replicas"] > 1)]
        in_kernel, on_machine = (_mean(each[placed]) for each in self.neighbours)
        return {
            "pods": len(placed),
            "kernels": int((self.kernels.sizes > 0).sum()),
            "pods_on_their_own_kernel": len(self.paths.sandboxed),
            "pods_lost_per_panic_mean": self.kernels.mean_lost,
            "pods_lost_per_panic_seen_by_a_pod": self.kernels.seen_lost,
            "pods_lost_per_panic_most": self.kernels.most_lost,
            "kernels_with_several_tenants": int((self.kernels.distinct(self.tenants[1]) > 1).sum()),
            "pods_reached_by_an_escape": _mean(self.reached[theirs]),
            "pods_of_other_tenants_reached_by_an_escape": _mean(self.strangers[theirs]),
            "noisy_neighbours_in_the_kernel": in_kernel,
            "noisy_neighbours_on_the_machine": on_machine,
            "services_on_one_kernel": int((exposed["in_one_kernel"] == 1).sum()),
            "isolation_score_0_to_100": self.score,
        }

    def explain(self, name: str) -> Story:
        """Who shares a kernel with a unit (namespace/name), or who runs on a kernel (a node).

        Raises: ModelError if there is no such unit or kernel.
        """
        keys = {unit.key: at for at, unit in enumerate(self.topology.scenario.units)}
        return of_unit(self, keys[name]) if name in keys else of_kernel(self, name, keys)

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What the numbers rest on."""
        rates = [parameter("any", rate).assumption for _, rate in FAULTS.values()]
        stated = self.topology.scenario.assumptions
        return (*stated, _ALIKE, _HOSTS, _REACH, *rates)

    def _repr_html_(self) -> str:
        numbers = "".join(
            f"<tr><td>{html.escape(name.replace('_', ' '))}</td><td>{value:,.4g}</td></tr>"
            for name, value in self.summary().items()
        )
        return f"<table>{numbers}</table>"


def _mean(values: Int64) -> float:
    return float(values.mean()) if len(values) else 0.0


def _held(secrets: tuple[str, ...], account: str) -> list[str]:
    """Secrets, and the token of a service account; that of "default" opens nothing as a rule."""
    token = [f"token of {account}"] if account not in ("", "default") else []
    return [*secrets, *token]


def _by_owner(topology: Topology) -> list[tuple[str, Rows]]:
    """Units by what made them, Deployment/web for example."""
    code: dict[tuple[str, str], int] = {}
    of = np.array(
        [
            code.setdefault((u.namespace, u.owner), len(code)) if u.owner else -1
            for u in topology.scenario.units
        ],
        np.int64,
    )
    found = grouped("owner", of[of >= 0], np.flatnonzero(of >= 0), len(code))
    return [
        (f"{space}/{owner}", found.members(at).astype(np.intp))
        for at, (space, owner) in enumerate(code)
    ]


def _distinct(domains: Domains, groups: Domains, total: int) -> Int64:
    """[D] how many groups have a unit in each domain."""
    return np.bincount(domains.counts(groups, total)[0], minlength=len(domains.sizes))


def largest_share(domains: Domains, groups: Domains, total: int) -> Float64:
    """[G] the largest share of each group's units that stands in one domain, 0 to 1."""
    _, group, found = domains.counts(groups, total)
    most = np.zeros(len(groups.sizes), np.int64)
    np.maximum.at(most, group, found)
    share: NDArray[np.float64] = most / np.maximum(1, groups.sizes)
    return share


def _fault(sharing: KernelSharing, domains: Domains) -> dict[str, object]:
    """One row of `faults`."""
    what, rate_name = FAULTS[domains.kind]
    rate = parameter("any", rate_name).figure
    _, groups = sharing.groups
    whole = largest_share(domains, groups, len(sharing.paths.node_of)) == 1
    carrying = int((domains.sizes > 0).sum())
    lost = float(domains.sizes.sum())
    return {
        "fault": what,
        "domains": carrying,
        "pods_lost_mean": domains.mean_lost,
        "pods_lost_seen_by_a_pod": domains.seen_lost,
        "pods_lost_most": domains.most_lost,
        "tenants_most": int(domains.distinct(sharing.tenants[1]).max(initial=0)),
        "services_lost_whole": int((whole & (groups.sizes > 1)).sum()),
        "faults_per_year": carrying * rate.value,
        "faults_per_year_low": carrying * rate.low,
        "faults_per_year_high": carrying * rate.high,
        "pods_lost_per_year": lost * rate.value,
        "pods_lost_per_year_low": lost * rate.low,
        "pods_lost_per_year_high": lost * rate.high,
    }
