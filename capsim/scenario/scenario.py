"""A Scenario: everything the planner states, in one frozen value with a YAML round trip."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Self

import yaml
from pydantic import ValidationError, model_validator

from capsim.errors import InputError, Problem, clip, nearest
from capsim.scenario.node import Node
from capsim.scenario.objects import (
    Autoscaler,
    Budget,
    Ingress,
    Namespace,
    PriorityClass,
    Quota,
    Service,
    Workload,
)
from capsim.scenario.profile import SchedulerProfile
from capsim.scenario.spec import Assumption, Spec, field_names
from capsim.scenario.storage import (
    Claim,
    CsiDriver,
    CsiNode,
    PersistentVolume,
    StorageCapacity,
    StorageClass,
)
from capsim.scenario.unit import Template, Unit
from capsim.scenario.wording import found_and_expected, misfits

FORMAT = "capsim/v1"
_MOST_TO_COMPARE = 2000


class Scenario(Spec):
    """Machines, units and rules, as read or written down; the input of every verb.

    `units` are in the order in which they arrived: it is the order in which waiting ones of
    equal priority are placed.
    """

    api_version: str = FORMAT
    name: str = "scenario"
    nodes: tuple[Node, ...] = ()
    templates: dict[str, Template] = {}
    units: tuple[Unit, ...] = ()
    workloads: tuple[Workload, ...] = ()
    services: tuple[Service, ...] = ()
    ingresses: tuple[Ingress, ...] = ()
    budgets: tuple[Budget, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    priority_classes: tuple[PriorityClass, ...] = ()
    quotas: tuple[Quota, ...] = ()
    autoscalers: tuple[Autoscaler, ...] = ()
    claims: tuple[Claim, ...] = ()
    persistent_volumes: tuple[PersistentVolume, ...] = ()
    storage_classes: tuple[StorageClass, ...] = ()
    csi_nodes: tuple[CsiNode, ...] = ()
    csi_drivers: tuple[CsiDriver, ...] = ()
    storage_capacities: tuple[StorageCapacity, ...] = ()
    profile: SchedulerProfile = SchedulerProfile()
    other_profiles: tuple[SchedulerProfile, ...] = ()
    """Of the same scheduler configuration, for units that name them."""
    remarks: tuple[str, ...] = ()
    """What was assumed or left out when this was read, one sentence each."""
    assumptions: tuple[Assumption, ...] = ()

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> Self:
        if self.api_version != FORMAT:
            raise misfits([("apiVersion", repr(self.api_version), repr(FORMAT))])
        dangling = [
            *_twice("node", (node.name for node in self.nodes)),
            *_twice("unit", (unit.key for unit in self.units)),
            *_twice("claim", (claim.key for claim in self.claims)),
            *_twice("persistent volume", (volume.name for volume in self.persistent_volumes)),
            *_twice("storage class", (each.name for each in self.storage_classes)),
            *_twice("CSI node", (each.name for each in self.csi_nodes)),
            *self._dangling("template", set(self.templates)),
            *self._dangling("node", {node.name for node in self.nodes}),
        ]
        if dangling:
            raise misfits(dangling)
        return self

    def _dangling(self, field: str, known: set[str]) -> list[tuple[str, str, str]]:
        """Units that refer to a template or node that is not there."""
        lost = [unit for unit in self.units if getattr(unit, field) not in known]
        return [
            (f"unit {unit.key}", f"the {field} {name!r}", f"a {field} of the scenario{hint}")
            for unit in lost
            if (name := getattr(unit, field)) is not None
            for hint in (_hint(name, known),)
        ]

    def replace(self, **changes: Any) -> Scenario:
        """A copy with some fields changed, for what-ifs; validated again.

        >>> cluster.replace(nodes=cluster.nodes[:10])
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return Scenario(**{**values, **changes})

    def to_yaml(self) -> str:
        """The scenario as capsim YAML; `Scenario.from_yaml` reads back an equal one."""
        content = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        content = {"apiVersion": FORMAT, "kind": "Scenario", **content}
        text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        return text

    @classmethod
    def from_content(cls, content: Any, *, file: str = "scenario") -> Scenario:
        """A scenario from plain data, as YAML or JSON gives it.

        Raises: InputError naming file, object and field of every problem.
        """
        if not isinstance(content, dict):
            raise InputError(Problem(file, clip(content), "a mapping with kind: Scenario"))
        fields = {name: value for name, value in content.items() if name != "kind"}
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise InputError(problems_of(error, file, content)) from None

    def summary(self) -> dict[str, float]:
        """Counts and totals, units in the names."""
        cores = sum(node.allocatable.get("cpu", 0) for node in self.nodes) / 1000
        memory_gib = sum(node.allocatable.get("memory", 0) for node in self.nodes) / 2**30
        return {
            "nodes": len(self.nodes),
            "units": len(self.units),
            "waiting_units": sum(unit.node is None for unit in self.units),
            "templates": len(self.templates),
            "allocatable_cores": cores,
            "allocatable_memory_gib": memory_gib,
            "gpu_devices": sum(node.gpu_devices for node in self.nodes),
        }


_SAFE_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_SAFE_DUMPER):  # type: ignore[misc]
    """Also quotes texts that only YAML 1.2 takes for numbers ("1e3", "0o17")."""


_Dumper.add_implicit_resolver(
    "capsim:number",
    re.compile(r"([-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0o[0-7]+)$", re.ASCII),
    list("-+.0123456789"),
)


def _twice(kind: str, names: Iterable[str]) -> list[tuple[str, str, str]]:
    counted = Counter(names).items()
    return [(f"{kind} {n}", f"{count} of this name", "one") for n, count in counted if count > 1]


def _hint(name: str, known: set[str]) -> str:
    """The nearest known name; not sought among thousands, which would take long."""
    return nearest(name, sorted(known)) if len(known) <= _MOST_TO_COMPARE else ""


def problems_of(
    error: ValidationError, file: str, content: Any = None, object: str = ""
) -> list[Problem]:
    """A pydantic error as problems: object (by its name where it has one), field, words."""
    found: list[Problem] = []
    for detail in error.errors(include_url=False):
        if detail["type"] == "misfits":
            found += [Problem(file, what, want, own) for own, what, want in detail["ctx"]["all"]]
        else:
            place = _place(detail["loc"], content, object)
            found.append(Problem(file, *found_and_expected(detail, field_names()), *place))
    return found


def _place(loc: tuple[int | str, ...], content: Any, object: str) -> tuple[str, str]:
    """The name of the innermost named list entry on the way, and the path from there."""
    name, rest = object, loc
    for depth, step in enumerate(loc):
        content = _child(content, step)
        if isinstance(step, int) and isinstance(content, dict) and content.get("name"):
            name, rest = f"{loc[depth - 1]} {content['name']!s}".strip(), loc[depth + 1 :]
    return name, ".".join(str(step) for step in rest)


def _child(content: Any, step: int | str) -> Any:
    try:
        return content[step]
    except (KeyError, IndexError, TypeError):
        return None


def json_schema() -> dict[str, Any]:
    """The JSON schema of capsim YAML."""
    schema = Scenario.model_json_schema(by_alias=True)
    schema["properties"]["kind"] = {"const": "Scenario", "type": "string"}
    return schema
