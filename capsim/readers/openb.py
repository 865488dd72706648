"""The openb tables: 1,523 nodes and 8,152 pods of a production GPU cluster.

One table of nodes (sn, cpu_milli, memory_mib, gpu, model) and one of pods (name, cpu_milli,
memory_mib, num_gpu, gpu_milli, gpu_spec, ...). Source of the format: Alibaba cluster-trace-gpu-
v2023; Weng et al., "Beware of Fragmentation", USENIX ATC 2023, whose way of loading is followed:
every pod of the table, in order of creation, as if all were there at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from capsim.readers.estate import MAX_UNITS, Content, Estate
from capsim.readers.tables import Row, whole
from capsim.scenario import (
    CPU,
    MEMORY,
    PODS,
    Affinity,
    Assumption,
    Container,
    GpuShare,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorTerm,
    Requirement,
    Template,
    Unit,
)

MODEL_LABEL = "alibabacloud.com/gpu-card-model"
NAMESPACE = "openb"

_NODE_COLUMNS = {"sn", "cpu_milli", "memory_mib", "gpu"}
_POD_COLUMNS = {"name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"}
_MIB = 2**20
_MAX_MILLI = 10**9
_DEVICES = "0 to 1024 GPUs"
_MAX_MIB = 2**33
_TRACE = "Weng et al., Beware of Fragmentation, USENIX ATC 2023"
_NO_POD_LIMIT = Assumption(
    name="pods per node of the openb trace",
    value=str(MAX_UNITS),
    source="the trace records no limit (the kubelet's default is 110); this one never binds",
)
_ALL_AT_ONCE = Assumption(
    name="pods of the openb trace",
    value="all at once, in order of creation, whatever their phase",
    source=_TRACE,
)

_Shape = tuple[int, int, int, int, str]


def recognises(content: Content) -> bool:
    """Whether a table has the columns of openb's nodes or pods."""
    header = set(content.header)
    return header >= _NODE_COLUMNS or header >= _POD_COLUMNS


def read(contents: Sequence[Content], estate: Estate) -> None:
    """Adds the nodes and pods of openb tables."""
    for content in contents:
        if set(content.header) >= _NODE_COLUMNS:
            _read_nodes(content, estate)
        else:
            _read_pods(content, estate)


def _read_nodes(content: Content, estate: Estate) -> None:
    estate.assume(_NO_POD_LIMIT)
    for line, cells in content.rows:
        row = Row(content.file, line, cells, estate.problems)
        name = row.need("sn", str, "", "the name of a node")
        stated = {
            "name": name,
            "labels": {MODEL_LABEL: cells["model"]} if cells.get("model") else {},
            "allocatable": {CPU: f"{_milli(row)}m", MEMORY: _memory(row), PODS: MAX_UNITS},
            "gpu_devices": row.need("gpu", _devices, 0, _DEVICES),
        }
        if name:
            estate.add_node(Node.model_validate(stated), content.file)


def _read_pods(content: Content, estate: Estate) -> None:
    estate.assume(_ALL_AT_ONCE)
    estate.remark(
        f"All {len(content.rows):,} pods of {content.file} are planned as if there at once, in "
        f"order of creation and whatever their phase, as studies of this trace do ({_TRACE})."
    )
    keys: dict[_Shape, str] = {}
    units = []
    for line, cells in content.rows:
        row = Row(content.file, line, cells, estate.problems)
        name = row.need("name", str, "", "the name of a pod")
        shape = _shape(row)
        if shape not in keys:
            keys[shape] = estate.table.key(_template(shape), _title(shape))
        created = row.read("creation_time", _seconds, None, "seconds")
        if name:
            units.append(
                Unit(name=name, namespace=NAMESPACE, template=keys[shape], created_s=created)
            )
    for unit in sorted(units, key=lambda unit: unit.created_s or 0.0):
        estate.add_unit(unit, content.file)


def _shape(row: Row) -> _Shape:
    devices = row.need("num_gpu", _devices, 0, _DEVICES)
    milli = row.need("gpu_milli", lambda text: whole(text, 0, 1000), 0, "0 to 1000 thousandths")
    if devices and not milli:
        row.wrong("gpu_milli", "0", "1 to 1000 thousandths of each of its GPUs")
        devices = 0
    return _milli(row), _memory(row), devices, milli, row.cells.get("gpu_spec", "")


def _template(shape: _Shape) -> Template:
    milli, memory, devices, gpu_milli, models = shape
    return Template(
        containers=(Container.model_validate({"requests": {CPU: f"{milli}m", MEMORY: memory}}),),
        gpu_share=GpuShare(devices=devices, milli=gpu_milli) if devices else None,
        affinity=_on_models(models) if models else Affinity(),
    )


def _on_models(models: str) -> Affinity:
    requirement = Requirement(key=MODEL_LABEL, operator="In", values=tuple(models.split("|")))
    term = NodeSelectorTerm(match_expressions=(requirement,))
    selector = NodeSelector(node_selector_terms=(term,))
    return Affinity(node_affinity=NodeAffinity(required=selector))


def _title(shape: _Shape) -> str:
    milli, memory, devices, gpu_milli, models = shape
    gpus = f" {devices}x{gpu_milli}m-GPU" if devices else ""
    return f"{NAMESPACE}/{milli / 1000:g}c {memory / 2**30:g}Gi{gpus} {models}".rstrip()


def _milli(row: Row) -> int:
    return row.need("cpu_milli", lambda text: whole(text, 0, _MAX_MILLI), 0, "milli-cores")


def _memory(row: Row) -> int:
    return row.need("memory_mib", lambda text: whole(text, 0, _MAX_MIB), 0, "MiB") * _MIB


def _devices(text: str) -> int:
    return whole(text, 0, 1024)


def _seconds(text: str) -> float | None:
    return float(whole(text))
