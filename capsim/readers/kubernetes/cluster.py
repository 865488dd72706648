"""What the Kubernetes objects of all files say together; every kind's reader works on it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from capsim.errors import Problem
from capsim.readers.estate import Estate, disagreement
from capsim.readers.kubernetes.admission import Admission
from capsim.readers.kubernetes.fields import problems
from capsim.readers.kubernetes.objects import Object, say_the_same
from capsim.readers.kubernetes.templates import Templates
from capsim.scenario import Unit

Part = TypeVar("Part", bound=BaseModel)
OwnerKey = tuple[str, str, str]
"""Kind, namespace, name of a workload."""


@dataclass
class Tally:
    """What is left out or noteworthy, to be said once at the end."""

    kinds_without_capacity: Counter[str] = field(default_factory=Counter)
    unknown_kinds: Counter[str] = field(default_factory=Counter)
    finished_pods: int = 0
    suspended: list[str] = field(default_factory=list)
    bound_elsewhere: list[str] = field(default_factory=list)
    """Pods on nodes that the input lacks, though it has others."""
    set_waiting: int = 0
    """Pods that run somewhere, in an input without any node."""
    daemons_without_nodes: list[str] = field(default_factory=list)
    cron_runs: list[str] = field(default_factory=list)
    raised_to_minimum: list[str] = field(default_factory=list)
    nodes_without_pod_limit: list[str] = field(default_factory=list)


class Cluster:
    """The objects by kind, the rules for new pods, the pods that live, and the units so far."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.objects: dict[str, dict[tuple[str, str], Object]] = {}
        self.rules = Admission()
        self.templates = Templates(estate.table, self.rules)
        self.tally = Tally()
        self.live: Counter[OwnerKey] = Counter()
        """Pods that exist of each workload."""
        self.daemon_nodes: dict[OwnerKey, set[str]] = {}
        """Nodes that have a DaemonSet's pod already."""
        self.minimum_of: dict[OwnerKey, int] = {}
        """Lowest number of replicas that an autoscaler lets a workload have."""
        self._arrivals: list[tuple[float, int, Unit, str]] = []
        self._taken: set[str] = set()
        self._replicas = 0

    def add_object(self, found: Object) -> None:
        """Files an object under its kind; a second statement of it must agree with the first."""
        known = self.objects.setdefault(found.kind, {})
        earlier = known.setdefault((found.namespace, found.name), found)
        if earlier is not found and not say_the_same(earlier, found):
            self.estate.problems.append(disagreement(found.title, earlier.file, found.file))

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """An object of the input."""
        return self.objects.get(kind, {}).get((namespace, name))

    def of_kind(self, kind: str) -> Iterable[Object]:
        """All objects of a kind, in order of the input."""
        return self.objects.get(kind, {}).values()

    def problem(self, found: Object, path: str, what: str, expected: str) -> None:
        """Notes what is wrong with an object."""
        self.estate.problems.append(Problem(found.file, what, expected, found.title, path))

    def checked(self, model: type[Part], found: Object, path: str = "") -> Part | None:
        """An object, or the part of it at `path`, as a model; None if it has problems."""
        content = found.raw.get(path) if path else found.raw
        try:
            return model.model_validate(content, context={"live": found.is_live})
        except ValidationError as error:
            found_problems = problems(error, found.file, found.title, content, path)
            self.estate.problems += found_problems
            return None

    def add_unit(self, unit: Unit, source: Object) -> None:
        """Adds a unit that was made from an object."""
        arrived = math.inf if unit.created_s is None else unit.created_s
        self._arrivals.append((arrived, source.order, unit, source.file))
        self._taken.add(unit.key)

    def is_taken(self, namespace: str, name: str) -> bool:
        """Whether a pod of this name exists."""
        key = f"{namespace}/{name}"
        return key in self._taken or key in self.estate.units

    def planned_replicas(self, more: int) -> int:
        """How many units workloads have been expanded to, with these."""
        self._replicas += more
        return self._replicas

    def units(self) -> Iterable[tuple[Unit, str]]:
        """All units with their files: first those with a time of creation, by it."""
        for _, _, unit, file in sorted(self._arrivals, key=lambda arrival: arrival[:2]):
            yield unit, file


def text_or_nothing(value: Any) -> str:
    """A text, or "" for anything else."""
    return value if isinstance(value, str) else ""
