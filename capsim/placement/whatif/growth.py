"""More units: of every kind, or of one workload."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from capsim.errors import ModelError
from capsim.placement.result import Cluster, topology_of
from capsim.placement.whatif.selection import stated, units_of, workload_of
from capsim.scenario import Claim, Scenario, Unit, Workload
from capsim.topology import Int64, Topology, compile_scenario

_MOST_REPLICAS = 150_000
_SCALED = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet")
#: Labels of a StatefulSet's unit that hold its number, and its name.
_ORDINAL, _OWN_NAME = "apps.kubernetes.io/pod-index", "statefulset.kubernetes.io/pod-name"


def grow(topology: Cluster, share: float) -> Topology:
    """The same mix of units, more of it: round(count * share) waiting copies of every template.

    The copies arrive after all others, spread evenly over the order in which the originals
    arrived, so that no template is favoured. They are named after an original: web-1+1.
    Raises: ModelError for a share outside 0..10.

    >>> grow(topology, 0.2)
    """
    topology = topology_of(topology)
    if not 0 <= share <= 10:
        raise ModelError(f"growth is {share}, expected a share from 0 to 10 (1 doubles the units).")
    rows = _spread_copies(topology, share)
    if len(rows) == 0:
        return topology
    units = topology.scenario.units
    copies = [units[row] for row in rows.tolist()]
    grown = sum("+" in unit.name for unit in units)
    added = tuple(_copy(unit, number) for number, unit in enumerate(copies, start=grown + 1))
    return _followed(topology, rows, added)


def _followed(topology: Topology, rows: Int64, added: tuple[Unit, ...]) -> Topology:
    """With copies of the units in some rows behind the others, waiting."""
    units = topology.scenario.units
    scenario = topology.scenario.model_copy(update={"units": (*units, *added)})
    waiting = np.full(len(rows), -1, np.int32)
    arrays: dict[str, Any] = {
        "unit_template": np.concatenate([topology.unit_template, topology.unit_template[rows]]),
        "unit_node": np.concatenate([topology.unit_node, waiting]),
        "unit_pinned": np.concatenate([topology.unit_pinned, waiting]),
    }
    originals = [units[row] for row in rows.tolist()]
    claims = _claims(topology.scenario, originals, added)
    if claims:
        own = {"claims": (*scenario.claims, *claims)}
        return dataclasses.replace(topology, scenario=scenario.model_copy(update=own), **arrays)
    pairs = zip(originals, added, strict=True)
    if all(a.labels == b.labels and a.terminating == b.terminating for a, b in pairs):
        return topology.changed(scenario, copied=rows, **arrays)
    return dataclasses.replace(topology, scenario=scenario, **arrays)


def _claims(
    scenario: Scenario, originals: Sequence[Unit], added: Sequence[Unit]
) -> tuple[Claim, ...]:
    """Claims that copies have for themselves, like those of the originals, unless they are there.

    They are yet to be made, as the controller does it; their volumes are new ones.
    """
    if not scenario.claims:
        return ()
    known, made = {claim.key: claim for claim in scenario.claims}, dict[str, Claim]()
    for original, unit in zip(originals, added, strict=True):
        for volume in scenario.templates[original.template].volumes:
            model = known.get(f"{original.namespace}/{volume.claim_of(original.name)}")
            name = volume.claim_of(unit.name)
            if model is not None and f"{unit.namespace}/{name}" not in known:
                claim = _like(model, name)
                made.setdefault(claim.key, claim)
    return tuple(made.values())


def _like(claim: Claim, name: str) -> Claim:
    stated = claim.storage_class_name
    return claim.model_copy(
        update={
            "name": name,
            "uid": "",
            "storage_class_name": stated if claim.planned else stated or "",
            "volume_name": "",
            "bound": False,
            "lost": False,
            "terminating": False,
            "selected_node": None,
            "planned": True,
        }
    )


def _spread_copies(topology: Topology, share: float) -> Int64:
    """Rows to copy: of each template's m units round(m * share), evenly spaced, in row order.

    Units pinned to one node (as a DaemonSet's) do not grow with the load.
    """
    free = np.flatnonzero(topology.unit_pinned == -1)
    by_template = free[np.argsort(topology.unit_template[free], kind="stable")]
    sizes = np.bincount(topology.unit_template[free], minlength=len(topology.template_keys))
    wanted = np.rint(sizes * share).astype(np.int64)
    starts = np.repeat(np.cumsum(sizes) - sizes, wanted)
    turn = np.arange(wanted.sum()) - np.repeat(np.cumsum(wanted) - wanted, wanted)
    # Shares above 1 copy some units several times; the division spaces them evenly either way.
    offset = turn * np.repeat(sizes, wanted) // np.repeat(np.maximum(wanted, 1), wanted)
    rows: Int64 = np.sort(by_template[starts + offset])
    return rows


def _copy(unit: Unit, number: int) -> Unit:
    return unit.model_copy(
        update={
            "name": f"{unit.name}+{number}",
            "node": None,
            "started_s": None,
            "created_s": None,
            "terminating": False,
        }
    )


def raise_replicas(topology: Cluster, workload: str, replicas: int) -> Topology:
    """The cluster with more replicas of one workload, waiting behind all other units.

    Parameters: workload, as namespace/name or namespace/Kind/name; replicas, how many in all.
    Raises: ModelError for an unknown workload, one that has no replicas (DaemonSet, Job), or a
    number below that of the units there are.

    >>> raise_replicas(topology, "shop/web", 12)
    """
    topology = topology_of(topology)
    found = workload_of(topology, workload)
    rows = units_of(topology, found)
    if found.kind not in _SCALED:
        raise ModelError(f"{workload} is a {found.kind}, expected one of {', '.join(_SCALED)}.")
    if not len(rows) <= replicas <= _MOST_REPLICAS:
        span = f"{len(rows):,} (its units now) to {_MOST_REPLICAS:,}"
        raise ModelError(f"{replicas:,} replicas of {workload}, expected {span}.")
    if replicas == len(rows):
        return topology
    original = topology.scenario.units[rows[-1]] if len(rows) else _first(found)
    added = _replicas(topology, found, original, replicas - len(rows))
    scaled = found.model_copy(update={"replicas": replicas})
    workloads = (scaled if each is found else each for each in topology.scenario.workloads)
    told = f"{workload} from {len(rows):,} to {replicas:,}"
    scenario = topology.scenario.model_copy(
        update={
            "workloads": tuple(workloads),
            "assumptions": stated(topology.scenario, f"replicas of {workload}", told),
        }
    )
    if not len(rows):
        return compile_scenario(scenario.replace(units=(*scenario.units, *added)))
    return _followed(topology.changed(scenario), np.full(len(added), rows[-1]), added)


def _first(workload: Workload) -> Unit:
    """What the units of a workload that has none would be copies of."""
    is_stateful = workload.kind == "StatefulSet"
    return Unit(
        name=workload.name,
        namespace=workload.namespace,
        template=workload.template,
        labels=dict.fromkeys((_ORDINAL, _OWN_NAME), "") if is_stateful else {},
        owner=f"{workload.kind}/{workload.name}",
    )


def _replicas(
    topology: Topology, workload: Workload, original: Unit, count: int
) -> tuple[Unit, ...]:
    """Copies of a unit under free names; those of a StatefulSet carry their numbers."""
    units = topology.scenario.units
    taken = {unit.name for unit in units if unit.namespace == workload.namespace}
    numbers = (n for n in itertools.count() if f"{workload.name}-{n}" not in taken)
    added = []
    for number in itertools.islice(numbers, count):
        name = f"{workload.name}-{number}"
        own = {_ORDINAL: str(number), _OWN_NAME: name}
        labels = {key: own.get(key, value) for key, value in original.labels.items()}
        fresh = {"node": None, "started_s": None, "created_s": None, "terminating": False}
        added.append(original.model_copy(update={"name": name, "labels": labels, **fresh}))
    return tuple(added)
