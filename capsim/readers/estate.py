"""What has been read so far; every format adds to it, and at the end it is a Scenario."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from capsim.errors import InputError, Problem
from capsim.scenario import (
    Assumption,
    Node,
    Scenario,
    SchedulerProfile,
    Spec,
    Template,
    TemplateTable,
    Unit,
)

#: More units than this are a mistake; Kubernetes itself is built for 150,000 pods a cluster.
MAX_UNITS = 1_000_000

#: The lists of a scenario beside nodes and units, with the fields that name their entries.
_LISTS = {
    "workloads": ("kind", "namespace", "name"),
    "services": ("namespace", "name"),
    "ingresses": ("namespace", "name"),
    "budgets": ("namespace", "name"),
    "namespaces": ("name",),
    "priority_classes": ("name",),
    "quotas": ("namespace", "name"),
    "autoscalers": ("namespace", "name"),
    "claims": ("namespace", "name"),
    "persistent_volumes": ("name",),
    "storage_classes": ("name",),
    "csi_nodes": ("name",),
    "csi_drivers": ("name",),
    "storage_capacities": ("namespace", "name"),
}


@dataclass(frozen=True)
class Content:
    """One document or table of a file, not yet understood."""

    file: str
    document: Any = None
    """Plain data of a JSON or YAML document."""
    header: tuple[str, ...] = ()
    """Column names of a table, as they were written."""
    rows: tuple[tuple[int, dict[str, str]], ...] = ()
    """Rows of a table: line number, and text by column name."""


class Estate:
    """Collects nodes, units and what stands around them from several files.

    An entry that comes twice is counted once; two that bear one name and disagree are a problem
    that names both files.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.units: dict[str, Unit] = {}
        self.table = TemplateTable()
        self.lists: dict[str, dict[str, Spec]] = {name: {} for name in _LISTS}
        self.profile: SchedulerProfile | None = None
        self.remarks: list[str] = []
        self.assumptions: list[Assumption] = []
        self.problems: list[Problem] = []
        self.names: list[str] = []
        """Names of the scenarios that were read whole."""
        self._stated: set[str] = set()
        self._file_of: dict[tuple[str, str], str] = {}

    def add_node(self, node: Node, file: str) -> None:
        """Adds a machine."""
        self._add(self.nodes, "Node", node.name, node, file)

    def add_unit(self, unit: Unit, file: str) -> None:
        """Adds a unit whose template is in the table."""
        self._add(self.units, "unit", unit.key, unit, file)

    def add(self, list_name: str, entry: Spec, file: str) -> None:
        """Adds an entry to one of the other lists of a scenario, such as "services"."""
        key = "/".join(str(getattr(entry, field)) for field in _LISTS[list_name])
        self._add(self.lists[list_name], type(entry).__name__, key, entry, file)

    def _add(self, known: dict[str, Any], kind: str, key: str, entry: Any, file: str) -> None:
        earlier = known.setdefault(key, entry)
        if earlier is entry:
            self._file_of[kind, key] = file
        elif earlier != entry:
            self.problems.append(disagreement(f"{kind} {key}", self._file_of[kind, key], file))

    def add_templates(self, templates: dict[str, Template]) -> dict[str, str]:
        """Adds a scenario's templates; gives the key that each has here."""
        keys = {key: self.table.keep(key, template) for key, template in templates.items()}
        self._stated.update(keys.values())
        return keys

    def assume(self, assumption: Assumption) -> None:
        """States an assumption, once."""
        if assumption not in self.assumptions:
            self.assumptions.append(assumption)

    def remark(self, sentence: str) -> None:
        """States in one sentence what was assumed or left out, once."""
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def scenario(self, name: str) -> Scenario:
        """All of it as a scenario; `name` serves where no input names it.

        Raises: InputError with every problem that was met on the way.
        """
        if self.problems:
            raise InputError(self.problems)
        used = self._stated | {unit.template for unit in self.units.values()}
        used |= {getattr(workload, "template", "") for workload in self.lists["workloads"].values()}
        fields: dict[str, Any] = {key: tuple(found.values()) for key, found in self.lists.items()}
        return Scenario(
            name=self.names[0] if len(self.names) == 1 else name,
            nodes=tuple(self.nodes.values()),
            templates={key: spec for key, spec in self.table.templates.items() if key in used},
            units=tuple(self.units.values()),
            profile=self.profile or SchedulerProfile(),
            remarks=tuple(self.remarks),
            assumptions=tuple(self.assumptions),
            **fields,
        )


def disagreement(name: str, first: str, second: str) -> Problem:
    """The problem of one name for two different things."""
    where = "twice, and differently" if first == second else f"differently in {first}"
    return Problem(second, f"an object that is stated {where}", "one statement of it", name)


def named(names: Iterable[str], shown: int = 3) -> str:
    """The first few names and how many more there are: "a, b, c and 9 more"."""
    listed = list(names)
    more = len(listed) - shown
    return ", ".join(listed[:shown]) + (f" and {more} more" if more > 0 else "")


def counted(count: int, noun: str) -> str:
    """A count with its noun: "1 pod", "12 pods"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
