"""What a compiled engine becomes when only bindings, requests, priorities or cordons change.

Nothing that depends on labels, images or the kinds of units is asked again: a what-if that
`Topology.changed` made costs what has changed, not what is there.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from capsim.placement.kubernetes.counters import counters
from capsim.placement.kubernetes.engine import Engine, asking, queue, static_arrays
from capsim.placement.kubernetes.static import recordoned
from capsim.scenario import Node
from capsim.topology import Int64, Topology


def follow(engine: Engine, topology: Topology) -> Engine:
    """The engine of a topology that was made from the engine's own by `Topology.changed`."""
    base = engine if _asks_enough(engine, topology) else engine.complete
    made = copy.copy(base)
    for name in ("_adding", "complete"):  # what is worked out once an engine
        made.__dict__.pop(name, None)
    made.topology = topology
    made.admit()
    made.class_of = base.class_of[topology.origin.like]
    if topology.scenario.templates is not base.topology.scenario.templates:
        made.units = made.units_of(made.template_of)
    changed = _changed(base.topology.scenario.nodes, topology.scenario.nodes)
    if len(changed):
        _cordon(made, changed)
    return made


def _asks_enough(engine: Engine, topology: Topology) -> bool:
    """Whether the engine can place all that waits here, or could be evicted for it."""
    waiting = engine.class_of[topology.origin.like[queue(topology, engine.profiles)]]
    needed = asking(topology, engine.kinds, waiting, engine.profiles)
    return not needed[engine.asking :].any()


def _changed(before: Sequence[Node], after: Sequence[Node]) -> Int64:
    pairs = zip(before, after, strict=True)
    return np.flatnonzero([old is not new for old, new in pairs])


def _cordon(engine: Engine, changed: Int64) -> None:
    topology = engine.topology
    engine.static = recordoned(engine.static, topology.scenario.nodes, changed, engine.profiles)
    engine.tables = static_arrays(engine.static, engine.image_weights())
    if len(engine.counters.rows.key):  # who may be counted depends on taints
        engine.counters = counters(
            topology, engine.kinds, engine.asking, engine.static, engine.profiles
        )
