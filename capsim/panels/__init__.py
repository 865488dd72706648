"""Panels: controls, an engine call, and a figure that follows; they hold no model of their own.

    cs.panels.how_many_machines(cluster)
    cs.panels.will_it_schedule(cluster)

A panel shows itself as the last line of a notebook's cell. Without a notebook it is driven by the
`.value` of its controls.
"""

from capsim.panels.common import DeckTray
from capsim.panels.machines import HowManyMachines, how_many_machines
from capsim.panels.schedule import WillItSchedule, will_it_schedule
from capsim.panels.stacks import VmOrContainer, vm_or_container

__all__ = [
    "DeckTray",
    "HowManyMachines",
    "VmOrContainer",
    "WillItSchedule",
    "how_many_machines",
    "vm_or_container",
    "will_it_schedule",
]
from capsim.panels.pulls import ImagePulls, image_pulls

__all__ = ["DeckTray", "HowManyMachines", "ImagePulls", "how_many_machines", "image_pulls"]
