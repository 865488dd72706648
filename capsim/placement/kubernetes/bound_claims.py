"""The claims of a plan once its units run: each bound to a volume that is there.

What is asked of the cluster afterwards (evictions, drains) finds volumes where they are: a unit
that moves can go only where its volume is reached.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from capsim.placement.kubernetes import node_volume_limits, volume_binding
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.storage import Storage
from capsim.placement.kubernetes.volume_binding import Bound
from capsim.scenario import Claim, NodeSelector, PersistentVolume, Scenario
from capsim.topology import Int32


def bound_claims(engine: Engine, bound: Bound, node_of: Int32) -> dict[str, Any]:
    """The fields of the scenario that have changed: claims, and volumes; none where none have.

    Parameters: bound, what the scheduler has bound; node_of, [U] the row of each unit's node. A
    unit that ran before on an unbound claim has it bound where it runs.
    """
    volumes, scenario = engine.volumes, engine.topology.scenario
    if volumes is None:
        return {}
    found = _of_placed(engine, bound.copy(), node_of)
    return _fields(volumes.storage, scenario, found) if found.reach else {}


def _of_placed(engine: Engine, bound: Bound, node_of: Int32) -> Bound:
    """With what the units that are somewhere have bound."""
    volumes, scenario = engine.volumes, engine.topology.scenario
    assert volumes is not None
    for row in np.flatnonzero(node_of >= 0).tolist():
        unit, c = scenario.units[row], int(engine.class_of[row])
        profile = engine.profile_of(c)
        if volume_binding.NAME not in profile.filters:
            continue
        waiting = volumes.storage.waiting_claims(unit, engine.template(c))
        left = [claim for claim in waiting if claim.key not in bound.reach]
        if left and c < engine.asking:
            volumes.choose(c, int(node_of[row]), bound, profile)
        for claim in left:
            if claim.key not in bound.reach:
                bound.reach[claim.key] = volumes.made_at(claim, int(node_of[row]))
    return bound


def _fields(storage: Storage, scenario: Scenario, bound: Bound) -> dict[str, Any]:
    volume_of = {claim: volume for volume, claim in bound.taken.items()}
    volumes = {
        volume.name: volume.model_copy(update={"claim": key, "available": False})
        if (key := bound.taken.get(volume.name))
        else volume
        for volume in scenario.persistent_volumes
    }
    if not volumes:  # Once one is known, those of other bound claims must be.
        named = [each for each in scenario.claims if storage.is_bound(each) and each.volume_name]
        volumes = {each.volume_name: _volume(storage, each, each.volume_name) for each in named}
    claims = []
    for claim in scenario.claims:
        if claim.key in bound.reach:
            name = volume_of.get(claim.key) or f"made for {claim.key}"
            if name not in volumes:
                affinity = bound.reach[claim.key].affinity
                volumes[name] = _volume(storage, claim, name, affinity)
            done = {"volume_name": name, "bound": True, "selected_node": None}
            claims.append(claim.model_copy(update=done))
        else:
            claims.append(claim)
    return {"claims": tuple(claims), "persistent_volumes": tuple(volumes.values())}


def _volume(
    storage: Storage, claim: Claim, name: str, affinity: NodeSelector | None = None
) -> PersistentVolume:
    """What is made for a claim; it counts on a node as the claim did."""
    found = storage.classes.get(storage.class_of(claim))
    driver = found.provisioner if found is not None else ""
    return PersistentVolume(
        name=name,
        storage_class_name=storage.class_of(claim),
        capacity={"storage": str(claim.size_bytes)},
        access_modes=claim.access_modes,
        volume_mode=claim.volume_mode,
        volume_attributes_class_name=claim.volume_attributes_class_name,
        node_affinity=affinity,
        claim=claim.key,
        available=False,
        driver=node_volume_limits.MIGRATED.get(driver, driver),
        handle=f"claim {claim.key}",
    )
