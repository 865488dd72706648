"""Scenario to graph and to structure-of-arrays: what every engine room computes on.

The graph has a vertex for each region, zone, rack, host, kernel, node, unit, container and
service. Edges: `contains` (place to what stands in it), `runs-on` (what runs to what it runs on)
and `selects` (service to unit). The kernel is a vertex of its own: units whose paths meet in one
kernel share it; a VM or a sandboxed pod brings its own, and so does each unit on a node that stands
for a serverless service.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.scenario import CPU, GPU_MILLI, MEMORY, PODS, Node, Scenario, Template, Unit
from capsim.scenario.requests import accounted_requests, filter_requests, scoring_requests

if TYPE_CHECKING:
    import networkx as nx

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

VERTEX_KINDS = (
    "region",
    "zone",
    "rack",
    "host",
    "kernel",
    "node",
    "unit",
    "container",
    "service",
)
EDGE_KINDS = ("contains", "runs-on", "selects")
_CONTAINS, _RUNS_ON, _SELECTS = range(3)
#: Runtime classes whose pods bring a kernel of their own.
SANDBOXES = ("kata", "gvisor", "runsc", "firecracker", "cloud-hypervisor")
#: Labels of nodes that stand for a service which runs every pod in a microVM of its own:
#: virtual-kubelet (Azure Container Instances and others) and EKS Fargate.
SERVERLESS_LABELS = {
    "type": "virtual-kubelet",
    "eks.amazonaws.com/compute-type": "fargate",
}


@dataclass(frozen=True, eq=False)
class Topology:
    """A compiled scenario. Rows follow the order of the scenario; quantities are int64.

    N nodes, T templates, U units, R resources; cpu in milli-cores, all else in whole units.
    """

    scenario: Scenario
    resources: tuple[str, ...]
    """Names of the R columns; cpu, memory and pods come first."""
    allocatable: Int64
    """[N, R]"""
    gpu_devices: Int64
    """[N] boards that are shared in thousandths."""
    template_keys: tuple[str, ...]
    request: Int64
    """[T, R] what a unit takes of a node; 1 of pods."""
    scoring_request: Int64
    """[T, R] what an incoming unit counts in scores."""
    accounted_request: Int64
    """[T, 2] cpu and memory that a placed unit counts in scores."""
    gpu_share: Int64
    """[T, 2] boards needed, thousandths of each."""
    priority: Int64
    """[T]"""
    unit_template: Int32
    """[U] row of the template."""
    unit_node: Int32
    """[U] row of the node it runs on, -1 while it waits."""
    unit_pinned: Int32
    """[U] row of the one node it may run on, -1 for any, -2 for one that is not there."""
    basis: Basis | None = field(default=None, init=False)
    """What it was made from by `changed`."""

    def changed(
        self, scenario: Scenario, *, copied: Int64 | None = None, **arrays: Any
    ) -> Topology:
        """A what-if that leaves the kinds of units and nodes, so that no scheduler is compiled.

        Units may run elsewhere or wait, templates may differ in requests, priority and preemption
        policy, nodes in cordons and taints, and copies of units may follow the others (copied: the
        row of each one's original; all labels and the namespace are the same). What else differs
        needs `dataclasses.replace`, and is compiled anew.
        """
        made = replace(self, scenario=scenario, **arrays)
        root, like = self.origin
        if copied is not None:
            like = np.concatenate([like, like[copied]])
        object.__setattr__(made, "basis", Basis(root, like))
        return made

    @property
    def origin(self) -> Basis:
        """The basis, or the topology as its own."""
        return self.basis or Basis(self, np.arange(len(self.unit_template)))

    @cached_property
    def unbound(self) -> dict[int, Unit]:
        """Units (by row) as they are while they wait, for those of which a what-if asked."""
        return {}

    @property
    def templates(self) -> Sequence[Template]:
        """The templates in row order."""
        return tuple(self.scenario.templates[key] for key in self.template_keys)

    def column(self, resource: str) -> int:
        """The column of a resource."""
        return self.resources.index(resource)

    @cached_property
    def vertices(self) -> Vertices:
        """Vertices and CSR adjacency of the graph."""
        return _vertices(self)

    def graph(self) -> nx.DiGraph[str]:
        """The graph for people, made on demand; `from_graph` gives the topology back.

        Vertices are named kind/name and carry `kind`, and `spec` where the scenario has one.
        """
        return _networkx(self)


class Basis(NamedTuple):
    """A topology, and for each unit of a what-if on it the row of the one whose kind it is."""

    topology: Topology
    like: Int64
    """[U]"""


@dataclass(frozen=True, eq=False)
class Vertices:
    """The graph as arrays: V vertices in blocks by kind, E edges in CSR form."""

    kind: NDArray[np.int8]
    """[V] index into VERTEX_KINDS."""
    names: list[str]
    """[V] kind/name."""
    indptr: Int64
    """[V + 1]"""
    indices: Int32
    """[E] target of each edge."""
    edge_kind: NDArray[np.int8]
    """[E] index into EDGE_KINDS."""

    def offset(self, kind: str) -> int:
        """The first vertex of a kind."""
        return int(np.searchsorted(self.kind, VERTEX_KINDS.index(kind)))


def compile_scenario(scenario: Scenario) -> Topology:
    """Compile a scenario to arrays.

    Parameters: scenario, as read.
    Returns: Topology.

    >>> compile_scenario(cs.read("cluster.yaml")).allocatable.shape
    """
    keys = tuple(scenario.templates)
    templates = [scenario.templates[key] for key in keys]
    taken = [filter_requests(template) for template in templates]
    offered = [_offer(node) for node in scenario.nodes]
    resources = _resource_names([*offered, *taken])
    row = {key: index for index, key in enumerate(keys)}
    node_row = {node.name: index for index, node in enumerate(scenario.nodes)}
    units = scenario.units
    accounted = [accounted_requests(template) for template in templates]
    shares = [template.gpu_share for template in templates]
    return Topology(
        scenario=scenario,
        resources=resources,
        allocatable=_matrix(offered, resources),
        gpu_devices=np.array([node.gpu_devices for node in scenario.nodes], np.int64),
        template_keys=keys,
        request=_matrix(taken, resources),
        scoring_request=_matrix([scoring_requests(t) for t in templates], resources),
        accounted_request=_matrix(accounted, (CPU, MEMORY)),
        gpu_share=np.array(
            [(s.devices, s.milli) if s else (0, 0) for s in shares], np.int64
        ).reshape(-1, 2),
        priority=np.array([template.priority for template in templates], np.int64),
        unit_template=np.fromiter((row[u.template] for u in units), np.int32, len(units)),
        unit_node=np.fromiter(
            (-1 if u.node is None else node_row[u.node] for u in units), np.int32, len(units)
        ),
        unit_pinned=np.fromiter(
            (-1 if u.pinned is None else node_row.get(u.pinned, -2) for u in units),
            np.int32,
            len(units),
        ),
    )


def _offer(node: Node) -> dict[str, int]:
    shared = {GPU_MILLI: 1000 * node.gpu_devices} if node.gpu_devices else {}
    return {**node.allocatable, **shared}


def _resource_names(amounts: Iterable[dict[str, int]]) -> tuple[str, ...]:
    named = {name for each in amounts for name in each}
    first = (CPU, MEMORY, PODS)
    return (*first, *sorted(named.difference(first)))


def _matrix(rows: Sequence[dict[str, int]], names: Sequence[str]) -> Int64:
    flat = [row.get(name, 0) for row in rows for name in names]
    return np.array(flat, np.int64).reshape(len(rows), len(names))


def has_own_kernel(template: Template) -> bool:
    """Whether a unit brings its own kernel: VMs, and pods in a sandbox such as Kata or gVisor."""
    return template.kind == "vm" or template.runtime_class_name.startswith(SANDBOXES)


def is_serverless(node: Node) -> bool:
    """Whether a node is no machine but a service that gives every unit a kernel of its own."""
    return any(node.labels.get(key) == value for key, value in SERVERLESS_LABELS.items())


def own_kernels(topology: Topology, node_of: Int32 | None = None) -> NDArray[np.bool_]:
    """[U] whether each unit brings its own kernel, by its template or by the node it is on.

    node_of: [U] row of the node, -1 while waiting; by default where the units run already.
    """
    on = topology.unit_node if node_of is None else node_of
    by_template = np.array([has_own_kernel(t) for t in topology.templates], bool)
    # The last entry answers for units that wait: row -1.
    by_node = np.array([*map(is_serverless, topology.scenario.nodes), False], bool)
    found: NDArray[np.bool_] = by_node[on]
    return found | by_template[topology.unit_template] if len(by_template) else found


def _vertices(topology: Topology) -> Vertices:
    """Blocks of vertices by kind, and their edges as (source, target, kind) rows, then CSR."""
    blocks = _Blocks(topology)
    edges = np.concatenate([np.empty((0, 3), np.int64), *_edges(topology, blocks)])
    count = len(blocks.names)
    order = np.lexsort((edges[:, 1], edges[:, 2], edges[:, 0]))
    edges = edges[order]
    indptr = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(edges[:, 0], minlength=count), out=indptr[1:])
    return Vertices(
        kind=np.repeat(np.arange(len(VERTEX_KINDS), dtype=np.int8), blocks.sizes),
        names=blocks.names,
        indptr=indptr,
        indices=edges[:, 1].astype(np.int32),
        edge_kind=edges[:, 2].astype(np.int8),
    )


class _Blocks:
    """Where each kind's vertices start, and what they are called."""

    def __init__(self, topology: Topology) -> None:
        scenario = topology.scenario
        nodes, units, templates = scenario.nodes, scenario.units, topology.templates
        self.region = {name: i for i, name in enumerate(_distinct(n.region for n in nodes))}
        self.zone = {name: i for i, name in enumerate(_distinct(n.zone for n in nodes))}
        self.rack = {name: i for i, name in enumerate(_distinct(map(_rack, nodes)))}
        self.host = {name: i for i, name in enumerate(_distinct(n.host for n in nodes))}
        self.sandboxed = np.flatnonzero(own_kernels(topology))
        self.machines = np.array([not is_serverless(node) for node in nodes], bool)
        containers = np.array([len(t.containers) for t in templates], np.int64)
        self.container_unit = np.repeat(np.arange(len(units)), containers[topology.unit_template])
        keys = [unit.key for unit in units]
        names = (
            list(self.region),
            list(self.zone),
            list(self.rack),
            list(self.host),
            [node.name for node in nodes if not is_serverless(node)]
            + [keys[i] for i in self.sandboxed],
            [node.name for node in nodes],
            keys,
            _container_names(topology, keys),
            [f"{service.namespace}/{service.name}" for service in scenario.services],
        )
        self.sizes = [len(each) for each in names]
        self.start = dict(
            zip(VERTEX_KINDS, np.concatenate([[0], np.cumsum(self.sizes)]).tolist(), strict=False)
        )
        self.names = [
            f"{kind}/{name}"
            for kind, each in zip(VERTEX_KINDS, names, strict=True)
            for name in each
        ]


def _distinct(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name is not None))


def _rack(node: Node) -> str | None:
    """Racks are numbered per zone as a rule, so the zone is part of the name."""
    return node.rack and "/".join(part for part in (node.zone, node.rack) if part)


def _container_names(topology: Topology, keys: list[str]) -> list[str]:
    names = [_numbered([c.name for c in template.containers]) for template in topology.templates]
    rows = topology.unit_template.tolist()
    return [f"{key}/{name}" for key, row in zip(keys, rows, strict=True) for name in names[row]]


def _numbered(names: list[str]) -> list[str]:
    """Names made distinct: main, main#2, ..."""
    counts = [names[: i + 1].count(name) for i, name in enumerate(names)]
    return [name if n == 1 else f"{name}#{n}" for name, n in zip(names, counts, strict=True)]


def _edges(topology: Topology, blocks: _Blocks) -> Iterable[Int64]:
    nodes, start = topology.scenario.nodes, blocks.start
    machines = np.flatnonzero(blocks.machines)
    yield np.array(sorted(set(_places(nodes, blocks))), np.int64).reshape(-1, 3)
    kernels = start["kernel"] + np.arange(len(machines))
    yield _rows(start["node"] + machines, kernels, _RUNS_ON)
    placed = np.flatnonzero(topology.unit_node >= 0)
    runs_on = start["node"] + topology.unit_node[placed].astype(np.int64)
    own = start["kernel"] + len(machines) + np.arange(len(blocks.sandboxed))
    own_of = np.full(len(topology.unit_node), -1, np.int64)
    own_of[blocks.sandboxed] = own
    sandboxed = own_of[placed] >= 0
    yield _rows(start["unit"] + blocks.sandboxed, own, _RUNS_ON)
    yield _rows(own_of[placed][sandboxed], runs_on[sandboxed], _RUNS_ON)
    yield _rows(start["unit"] + placed[~sandboxed], runs_on[~sandboxed], _RUNS_ON)
    containers = np.arange(len(blocks.container_unit))
    yield _rows(start["container"] + containers, start["unit"] + blocks.container_unit, _RUNS_ON)
    yield from _selections(topology, start)


def _places(nodes: Sequence[Node], blocks: _Blocks) -> Iterable[tuple[int, int, int]]:
    """Who stands in whom: region, zone, rack, host; a node on a known host runs on it."""
    start = blocks.start
    kernel_of = start["kernel"] + np.cumsum(blocks.machines) - 1
    for row, node in enumerate(nodes):
        chain = [
            start[kind] + table[name]
            for kind, table, name in (
                ("region", blocks.region, node.region),
                ("zone", blocks.zone, node.zone),
                ("rack", blocks.rack, _rack(node)),
                ("host", blocks.host, node.host),
            )
            if name is not None
        ]
        if node.host is not None and blocks.machines[row]:
            yield (int(kernel_of[row]), chain[-1], _RUNS_ON)
        else:
            chain.append(start["node"] + row)
        yield from ((a, b, _CONTAINS) for a, b in itertools.pairwise(chain))


def _selections(topology: Topology, start: dict[str, int]) -> Iterable[Int64]:
    for row, chosen in service_units(topology):
        source = np.full(len(chosen), start["service"] + row)
        yield _rows(source, start["unit"] + chosen, _SELECTS)


def service_units(topology: Topology) -> Iterable[tuple[int, NDArray[np.intp]]]:
    """For each service with a selector: its row, and the rows of the units that it selects."""
    scenario = topology.scenario
    namespaces = np.array([unit.namespace for unit in scenario.units], object)
    labelled = [row for row, unit in enumerate(scenario.units) if unit.labels]
    own_keys = frozenset(key for row in labelled for key in scenario.units[row].labels)
    for row, service in enumerate(scenario.services):
        if not service.selector:
            continue
        wanted = service.selector.items()
        hit = np.array([wanted <= t.labels.items() for t in topology.templates], bool)
        selected = hit[topology.unit_template]
        if not own_keys.isdisjoint(service.selector):
            selected[labelled] = [wanted <= _labels(scenario, unit).items() for unit in labelled]
        yield row, np.flatnonzero(selected & (namespaces == service.namespace))


def _labels(scenario: Scenario, row: int) -> dict[str, str]:
    """All labels of a unit; its own stand over those of its template."""
    unit = scenario.units[row]
    return {**scenario.templates[unit.template].labels, **unit.labels}


def _rows(source: NDArray[Any], target: NDArray[Any], kind: int) -> Int64:
    return np.stack([source, target, np.full(len(source), kind)], axis=1).astype(np.int64)


def _networkx(topology: Topology) -> nx.DiGraph[str]:
    import networkx as nx  # slow to import, and most plans never show their graph

    vertices = topology.vertices
    graph: nx.DiGraph[str] = nx.DiGraph(scenario=topology.scenario.replace(nodes=(), units=()))
    kinds = [VERTEX_KINDS[kind] for kind in vertices.kind.tolist()]
    graph.add_nodes_from(
        (name, {"kind": kind}) for name, kind in zip(vertices.names, kinds, strict=True)
    )
    for kind, specs in (("node", topology.scenario.nodes), ("unit", topology.scenario.units)):
        start = vertices.offset(kind)
        for name, spec in zip(vertices.names[start:], specs, strict=False):
            graph.nodes[name]["spec"] = spec
    sources = np.repeat(np.arange(len(vertices.kind)), np.diff(vertices.indptr)).tolist()
    names = vertices.names
    graph.add_edges_from(
        (names[source], names[target], {"kind": EDGE_KINDS[kind]})
        for source, target, kind in zip(
            sources, vertices.indices.tolist(), vertices.edge_kind.tolist(), strict=True
        )
    )
    return graph


def from_graph(graph: nx.DiGraph[str]) -> Topology:
    """The topology of a graph that `Topology.graph` made (units bound or moved on it keep that).

    Raises: KeyError if the graph does not come from a topology.
    """
    rest: Scenario = graph.graph["scenario"]
    specs: dict[str, list[Any]] = {"node": [], "unit": []}
    for _, data in graph.nodes(data=True):
        if data["kind"] in specs:
            specs[data["kind"]].append(data["spec"])
    return compile_scenario(rest.replace(nodes=tuple(specs["node"]), units=tuple(specs["unit"])))
