"""Panels: controls, an engine call, and a figure that follows; they hold no model of their own.

    cs.panels.how_many_machines(cluster)

A panel shows itself as the last line of a notebook's cell. Without a notebook it is driven by the
`.value` of its controls.
"""

from capsim.panels.common import DeckTray
from capsim.panels.cpu_limits import CpuLimits, cpu_limits
from capsim.panels.machines import HowManyMachines, how_many_machines

__all__ = ["CpuLimits", "DeckTray", "HowManyMachines", "cpu_limits", "how_many_machines"]
