"""What a compiled engine becomes when only bindings, requests, priorities or cordons change.

Nothing that depends on labels, images or the kinds of units is asked again: a what-if that
`Topology.changed` made costs what has changed, not what is there. Copies of units that use claims
or disks are units of another kind, though: other names, and others who use the same. An engine is
compiled for them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from capsim.placement.kubernetes.counters import counters
from capsim.placement.kubernetes.engine import Engine
from capsim.placement.kubernetes.queue import asking, entering
from capsim.placement.kubernetes.static import recordoned
from capsim.scenario import Node
from capsim.topology import Int64, Topology


def follow(engine: Engine, topology: Topology) -> Engine:
    """The engine of a topology that was made from the engine's own by `Topology.changed`."""
    if _copies_volumes(topology):
        return Engine(topology, engine.profile)
    waiting, over_quota = entering(topology, engine.profiles)
    base = engine if _asks_enough(engine, topology, waiting) else engine.complete
    made = copy.copy(base)
    for name in ("_adding", "complete"):  # what is worked out once an engine
        made.__dict__.pop(name, None)
    made.topology, made.waiting, made.over_quota = topology, waiting, over_quota
    made.class_of = base.class_of[topology.origin.like]
    changed = _changed(base.topology.scenario.nodes, topology.scenario.nodes)
    if len(changed):
        _cordon(made, changed)
    if topology.scenario.templates is not base.topology.scenario.templates:
        made.by_class = made.unit_tables()
    return made


def _copies_volumes(topology: Topology) -> bool:
    """Whether copies of units that use claims or disks have been added."""
    root, like = topology.origin
    templates = root.templates
    uses = np.array([bool(each.volumes or each.disks) for each in templates], np.bool_)
    copied = like[len(root.unit_template) :]
    return bool(uses[root.unit_template[copied]].any())


def _asks_enough(engine: Engine, topology: Topology, waiting: Int64) -> bool:
    """Whether the engine can place all that waits here, or could be evicted for it."""
    kinds = engine.class_of[topology.origin.like[waiting]]
    needed = asking(topology, engine.kinds, kinds, engine.profiles)
    return not needed[engine.asking :].any()


def _changed(before: Sequence[Node], after: Sequence[Node]) -> Int64:
    pairs = zip(before, after, strict=True)
    return np.flatnonzero([old is not new for old, new in pairs])


def _cordon(engine: Engine, changed: Int64) -> None:
    topology = engine.topology
    tables = engine.before_volumes
    engine.adopt(recordoned(tables, topology.scenario.nodes, changed, engine.profiles))
    if len(engine.counters.rows.key):  # who may be counted depends on taints
        engine.counters = counters(
            topology, engine.kinds, engine.asking, engine.static, engine.profiles
        )
