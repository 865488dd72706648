"""What the CSV tables of machines and of workloads have in common."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from capsim.errors import Problem, nearest
from capsim.readers.estate import MAX_UNITS, Content, Estate
from capsim.readers.tables import Row, whole
from capsim.scenario import CPU, MEMORY, read_resources
from capsim.units import format_quantity


@dataclass(frozen=True)
class Column:
    """A column: its name, other names it may have, and whether every row must fill it."""

    name: str
    aliases: tuple[str, ...] = ()
    needed: bool = False


COUNT = Column("count", ("replicas", "quantity", "number"))
CPU_CORES = Column("cpu_cores", ("cpu", "cpus", "cores", "vcpu", "vcpus"), needed=True)
MEMORY_GIB = Column("memory_gib", ("memory", "mem_gib", "ram_gib", "ram"), needed=True)

#: Columns by which a table of machines and one of workloads are told apart, aliases included.
_MACHINES = {"machine", "node", "host", "server", "pods", "max_pods", "zone", "rack", "shape"}
_MACHINES |= {"instance_type", "taints"}
_WORKLOADS = {"workload", "pod", "vm", "container", "app", "unit", "namespace", "kind", "priority"}
_WORKLOADS |= {"node_selector", "gpu_milli", "replicas"}
_SIZES = ({"cpu_cores", *CPU_CORES.aliases}, {"memory_gib", *MEMORY_GIB.aliases})
_KNOWN = {*_SIZES[0], *_SIZES[1], *_MACHINES, *_WORKLOADS, COUNT.name, *COUNT.aliases}
_KNOWN |= {"name", "gpu", "gpus", "labels", "resources"}
#: From here on one name is taken for another misspelt: `cpu_count` is no `cpu_cores`.
_NEARNESS = 0.7
_MACHINE_FILES = re.compile(r"machine|node|host|server|hardware|inventory")
_NUMBER = re.compile(r"\d{1,15}(\.\d{0,15})?|\.\d{1,15}")


def kind_of(content: Content) -> Literal["machines", "workloads"] | None:
    """What a table is about, by its columns; if they fit both, by the name of its file.

    A table with nothing that only machines have is one of workloads.
    """
    header = {_plain(name) for name in content.header}
    if not all(header & names for names in _SIZES):
        return None
    machines, workloads = len(header & _MACHINES), len(header & _WORKLOADS)
    if machines == workloads and _MACHINE_FILES.search(os.path.basename(content.file).lower()):
        return "machines"
    return "machines" if machines > workloads else "workloads"


def misspelt(content: Content) -> str:
    """The columns that nearly have a known name, with what they may mean; nothing where none is.

    >>> misspelt(Content("a.csv", header=("name", "cpus_cores"), rows=()))
    "'cpus_cores' (did you mean 'cpu_cores'?)"
    """
    meant = ((name, _near(name)) for name in content.header if _plain(name) not in _KNOWN)
    return ", ".join(f"{name!r} (did you mean {known!r}?)" for name, known in meant if known)


def is_nearly_known(content: Content) -> bool:
    """Whether a table would be one of machines or workloads, were its columns spelt right."""
    header = {_plain(name) for name in content.header}
    near = header | {_near(name) for name in header}
    return bool(misspelt(content)) and all(near & names for names in _SIZES)


def _near(name: str) -> str:
    close = difflib.get_close_matches(_plain(name), sorted(_KNOWN), n=1, cutoff=_NEARNESS)
    return close[0] if close else ""


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def rows(content: Content, columns: Sequence[Column], estate: Estate) -> Iterator[Row]:
    """The rows with cells under the columns' proper names; none if the header is wrong."""
    known = {alias: column.name for column in columns for alias in (column.name, *column.aliases)}
    proper = {name: known.get(_plain(name), "") for name in content.header}
    problems = [*_unknown(content, proper, columns), *_missing(content, proper, columns)]
    estate.problems += problems
    for line, cells in content.rows if not problems else ():
        renamed = {proper[name]: text for name, text in cells.items()}
        yield Row(content.file, line, renamed, estate.problems)


def _unknown(
    content: Content, proper: dict[str, str], columns: Sequence[Column]
) -> Iterator[Problem]:
    names = [column.name for column in columns]
    for name in proper:
        if not proper[name]:
            hint = nearest(_plain(name), {*names, *_MACHINES, *_WORKLOADS})
            found = f"the unknown column {name!r}{hint}"
            yield Problem(content.file, found, f"one of {', '.join(names)}")
        elif list(proper.values()).count(proper[name]) > 1:
            yield Problem(content.file, f"{name!r} among columns for {proper[name]}", "only one")


def _missing(
    content: Content, proper: dict[str, str], columns: Sequence[Column]
) -> Iterator[Problem]:
    for column in columns:
        if column.needed and column.name not in proper.values():
            yield Problem(content.file, f"no column {column.name!r}", "one, filled in every row")


def count(row: Row, estate: Estate) -> int:
    """How many a row stands for: 1 where nothing is said."""
    limit = MAX_UNITS - len(estate.units) - len(estate.nodes)
    return row.read("count", lambda text: whole(text, 0, limit), 1, f"0 to {limit:,}")


def names(name: str, number: int) -> list[str]:
    """The name itself for one, NAME-0, NAME-1, ... for several."""
    return [name] if number == 1 else [f"{name}-{index}" for index in range(number)]


def amounts(row: Row) -> dict[str, int]:
    """cpu, memory and the column `resources` as amounts."""
    cores = row.need("cpu_cores", _number_or_quantity, "0", "cores such as 4, 0.5 or 500m")
    memory = row.need("memory_gib", _gib, "0", "GiB such as 16 or 0.5, or a quantity such as 512Mi")
    quantities = {**pairs(row, "resources"), CPU: cores, MEMORY: memory}
    found: dict[str, int] = {}
    for name, text in quantities.items():
        try:
            found |= read_resources({name: text})
        except ValueError:
            column = {CPU: "cpu_cores", MEMORY: "memory_gib"}.get(name, "resources")
            row.wrong(column, f"{text!r} of {name}", "an amount that a machine can have")
    return found


def _number_or_quantity(text: str) -> str:
    read_resources({CPU: text})
    return text


def _gib(text: str) -> str:
    if _NUMBER.fullmatch(text):
        text = format_quantity(Fraction(-(-(Fraction(text) * 2**30) // 1)))
    read_resources({MEMORY: text})
    return text


def pairs(row: Row, column: str) -> dict[str, str]:
    """A cell such as "disk=ssd;tier=web" as a mapping."""
    return row.read(column, _pairs, {}, "key=value, several with ;")


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(";"):
        key, equals, value = part.strip().partition("=")
        if not equals or not key.strip() or key.strip() in found:
            raise ValueError(text)
        found[key.strip()] = value.strip()
    return found
