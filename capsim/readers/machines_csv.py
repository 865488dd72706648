"""A plain CSV of machines: one row a machine, or one row for `count` equal ones.

Needed: name, cpu_cores, memory_gib. The rest may be missing or empty; docs/how-to/inputs.md
describes every column.
"""

from __future__ import annotations

from collections.abc import Sequence

from capsim.readers import plain_csv
from capsim.readers.estate import Content, Estate, named
from capsim.readers.plain_csv import COUNT, CPU_CORES, MEMORY_GIB, Column
from capsim.readers.tables import Row, whole
from capsim.scenario import (
    HOSTNAME_LABEL,
    INSTANCE_TYPE_LABEL,
    PODS,
    RACK_LABELS,
    ZONE_LABEL,
    Assumption,
    Node,
    Taint,
    print_resources,
)

COLUMNS = (
    Column("name", ("machine", "node", "host", "server"), needed=True),
    COUNT,
    CPU_CORES,
    MEMORY_GIB,
    Column("pods", ("max_pods",)),
    Column("gpu", ("gpus",)),
    Column("zone"),
    Column("rack"),
    Column("shape", ("instance_type",)),
    Column("labels"),
    Column("taints"),
    Column("resources"),
)
DEFAULT_PODS = 110

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_LABEL_COLUMNS = {"zone": ZONE_LABEL, "rack": RACK_LABELS[0], "shape": INSTANCE_TYPE_LABEL}
_NO_TAINTS: tuple[Taint, ...] = ()
_PODS = Assumption(
    name="pods per machine that states no limit",
    value=str(DEFAULT_PODS),
    source="the kubelet's default (--max-pods)",
)


def recognises(content: Content) -> bool:
    """Whether a table has what machines have and workloads have not."""
    return plain_csv.kind_of(content) == "machines"


def read(contents: Sequence[Content], estate: Estate) -> None:
    """Adds the machines of CSV tables."""
    without_limit: list[str] = []
    for content in contents:
        for row in plain_csv.rows(content, COLUMNS, estate):
            _add(row, estate, without_limit)
    if without_limit:
        estate.assume(_PODS)
        estate.remark(
            f"No pod limit is stated for {named(without_limit)}: {DEFAULT_PODS} a machine is "
            "taken, the kubelet's default."
        )


def _add(row: Row, estate: Estate, without_limit: list[str]) -> None:
    before = len(estate.problems)
    name = row.need("name", str, "", "a name")
    count = plain_csv.count(row, estate)
    pods = row.read("pods", lambda text: whole(text, 0, 10**6), DEFAULT_PODS, "a number of pods")
    allocatable = print_resources({**plain_csv.amounts(row), PODS: pods})
    gpus = row.read("gpu", lambda text: whole(text, 0, 1024), 0, "0 to 1024 GPUs")
    taints = row.read("taints", _taints, _NO_TAINTS, "key=value:NoSchedule, several with ;")
    labels = _labels(row)
    if len(estate.problems) > before:
        return
    if not row.cells.get("pods"):
        without_limit.append(name)
    for own_name in plain_csv.names(name, count):
        node = Node.model_validate(
            {
                "name": own_name,
                "labels": {HOSTNAME_LABEL: own_name, **labels},
                "taints": taints,
                "allocatable": allocatable,
                "gpu_devices": gpus,
            }
        )
        estate.add_node(node, row.file)


def _labels(row: Row) -> dict[str, str]:
    stated = {key: row.cells.get(column) for column, key in _LABEL_COLUMNS.items()}
    own = {key: value for key, value in stated.items() if value}
    return {**own, **plain_csv.pairs(row, "labels")}


def _taints(text: str) -> tuple[Taint, ...]:
    return tuple(_taint(part.strip()) for part in text.split(";") if part.strip())


def _taint(text: str) -> Taint:
    left, _, effect = text.rpartition(":")
    key, _, value = left.partition("=")
    if effect not in _EFFECTS or not key:
        raise ValueError(text)
    return Taint.model_validate({"key": key, "value": value, "effect": effect})
