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
    from capsim import export, figures, panels
    from capsim.errors import CapsimError, InputError, ModelError
    from capsim.export import deck
    from capsim.placement import Placement, headroom, pack, place, size_cluster, stranded
    from capsim.readers import read
    from capsim.scenario import Scenario, SchedulerProfile
    from capsim.topology import Topology, compile_scenario

__version__ = "0.1.0"

#: Public name to the module that owns it; loaded at first use, so that `import capsim` is quick.
_PUBLIC = {
    "CapsimError": "capsim.errors",
    "InputError": "capsim.errors",
    "ModelError": "capsim.errors",
    "Placement": "capsim.placement",
    "Scenario": "capsim.scenario",
    "SchedulerProfile": "capsim.scenario",
    "Topology": "capsim.topology",
    "compile_scenario": "capsim.topology",
    "deck": "capsim.export",
    "headroom": "capsim.placement",
    "pack": "capsim.placement",
    "place": "capsim.placement",
    "read": "capsim.readers",
    "size_cluster": "capsim.placement",
    "stranded": "capsim.placement",
}
_ROOMS = ("export", "figures", "panels")

__all__ = [
    "CapsimError",
    "InputError",
    "ModelError",
    "Placement",
    "Scenario",
    "SchedulerProfile",
    "Topology",
    "compile_scenario",
    "deck",
    "export",
    "figures",
    "headroom",
    "pack",
    "panels",
    "place",
    "read",
    "size_cluster",
    "stranded",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"capsim.{name}")
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'capsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
