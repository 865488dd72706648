"""A plain CSV of workloads: one row a pod, VM or container, or one row for `count` equal ones.

Needed: name, cpu_cores, memory_gib. The rest may be missing or empty; docs/how-to/inputs.md
describes every column.
"""

from __future__ import annotations

from collections.abc import Sequence

from capsim.readers import plain_csv
from capsim.readers.estate import Content, Estate
from capsim.readers.plain_csv import COUNT, CPU_CORES, MEMORY_GIB, Column
from capsim.readers.tables import Row, whole
from capsim.scenario import GpuShare, Template, Unit, Workload, print_resources

COLUMNS = (
    Column("name", ("workload", "pod", "vm", "container", "app", "unit"), needed=True),
    Column("namespace"),
    COUNT,
    CPU_CORES,
    MEMORY_GIB,
    Column("gpu", ("gpus",)),
    Column("gpu_milli"),
    Column("kind"),
    Column("priority"),
    Column("node_selector"),
    Column("labels"),
    Column("resources"),
)

_KINDS = ("pod", "vm", "container")


def recognises(content: Content) -> bool:
    """Whether a table has names and sizes, and is not one of machines."""
    return plain_csv.kind_of(content) == "workloads"


def read(contents: Sequence[Content], estate: Estate) -> None:
    """Adds the units of CSV tables."""
    for content in contents:
        for row in plain_csv.rows(content, COLUMNS, estate):
            _add(row, estate)


def _add(row: Row, estate: Estate) -> None:
    before = len(estate.problems)
    name = row.need("name", str, "", "a name")
    namespace = row.cells.get("namespace") or "default"
    count = plain_csv.count(row, estate)
    template = _template(row)
    if len(estate.problems) > before:
        return
    key = estate.table.key(template, f"{namespace}/{name}")
    workload = Workload(
        kind="Workload", name=name, namespace=namespace, template=key, replicas=count
    )
    estate.add("workloads", workload, row.file)
    for own_name in plain_csv.names(name, count):
        unit = Unit(name=own_name, namespace=namespace, template=key, owner=f"Workload/{name}")
        estate.add_unit(unit, row.file)


def _template(row: Row) -> Template:
    return Template.model_validate(
        {
            "kind": row.read("kind", _kind, "pod", f"one of {', '.join(_KINDS)}"),
            "labels": plain_csv.pairs(row, "labels"),
            "containers": [{"requests": print_resources(plain_csv.amounts(row))}],
            "gpu_share": _gpu_share(row),
            "node_selector": plain_csv.pairs(row, "node_selector"),
            "priority": row.read("priority", _priority, 0, "a whole number of 32 bits"),
        }
    )


def _kind(text: str) -> str:
    if text.lower() not in _KINDS:
        raise ValueError(text)
    return text.lower()


def _priority(text: str) -> int:
    return whole(text, -(2**31), 2**31 - 1)


def _gpu_share(row: Row) -> GpuShare | None:
    milli = row.read("gpu_milli", lambda text: whole(text, 0, 1000), 0, "0 to 1000 thousandths")
    stated = row.read("gpu", lambda text: whole(text, 0, 1024), -1, "0 to 1024 GPUs")
    devices = stated if stated >= 0 else int(milli > 0)
    return GpuShare(devices=devices, milli=milli or 1000) if devices else None
