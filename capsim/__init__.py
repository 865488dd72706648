"""capsim: the capacity planner's bench.

import capsim as cs
plan = cs.place(cs.read("cluster.yaml"))
plan.summary()
cs.figures.utilisation(plan).show()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capsim import export as export
    from capsim import figures as figures
    from capsim import panels as panels
    from capsim.errors import CapsimError, InputError, ModelError
    from capsim.export.deck import deck
    from capsim.placement.comparison import compare
    from capsim.placement.headroom import headroom, headroom_curve, headroom_together
    from capsim.placement.packing import MachineShare, compare_packers, pack
    from capsim.placement.place import place
    from capsim.placement.result import Placement
    from capsim.placement.sizing import size_cluster
    from capsim.placement.stranded import stranded
    from capsim.placement.whatif import (
        add_machines,
        change_requests,
        cordon,
        drain,
        grow,
        grow_daemon_set,
        raise_replicas,
        remove_nodes,
        remove_zone,
        set_priority,
        uncordon,
        upgrade,
    )
    from capsim.readers import read
    from capsim.scenario import Scenario, SchedulerProfile
    from capsim.topology import Topology, compile_scenario

__version__ = "0.1.0"

#: Public name to the module that owns it; loaded at first use, so that `import capsim` is quick.
_PUBLIC = {
    **dict.fromkeys(("CapsimError", "InputError", "ModelError"), "capsim.errors"),
    **dict.fromkeys(("Scenario", "SchedulerProfile"), "capsim.scenario"),
    **dict.fromkeys(("Topology", "compile_scenario"), "capsim.topology"),
    **dict.fromkeys(
        (
            "MachineShare",
            "Placement",
            "add_machines",
            "change_requests",
            "compare",
            "compare_packers",
            "cordon",
            "drain",
            "grow",
            "grow_daemon_set",
            "headroom",
            "headroom_curve",
            "headroom_together",
            "pack",
            "place",
            "raise_replicas",
            "remove_nodes",
            "remove_zone",
            "set_priority",
            "size_cluster",
            "stranded",
            "uncordon",
            "upgrade",
        ),
        "capsim.placement",
    ),
    "deck": "capsim.export",
    "read": "capsim.readers",
}
_ROOMS = ("export", "figures", "panels")

__all__ = [
    "CapsimError",
    "InputError",
    "MachineShare",
    "ModelError",
    "Placement",
    "Scenario",
    "SchedulerProfile",
    "Topology",
    "add_machines",
    "change_requests",
    "compare",
    "compare_packers",
    "compile_scenario",
    "cordon",
    "deck",
    "drain",
    "export",
    "figures",
    "grow",
    "grow_daemon_set",
    "headroom",
    "headroom_curve",
    "headroom_together",
    "pack",
    "panels",
    "place",
    "raise_replicas",
    "read",
    "remove_nodes",
    "remove_zone",
    "set_priority",
    "size_cluster",
    "stranded",
    "uncordon",
    "upgrade",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"capsim.{name}")
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'capsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
