"""Panels: controls, an engine call, and a figure that follows; they hold no model of their own.

    cs.panels.how_many_machines(cluster)
    cs.panels.will_it_schedule(cluster)
    cs.panels.vm_or_container()
    cs.panels.who_shares_my_kernel(cluster)

A panel shows itself as the last line of a notebook's cell. Without a notebook it is driven by the
`.value` of its controls.
"""

from capsim.panels.cpu_limits import CpuLimits, cpu_limits
from capsim.panels.kernels import WhoSharesMyKernel, who_shares_my_kernel
from capsim.panels.machines import HowManyMachines, how_many_machines
from capsim.panels.panel import DeckTray
from capsim.panels.pulls import ImagePulls, image_pulls
from capsim.panels.schedule import WillItSchedule, will_it_schedule
from capsim.panels.stacks import VmOrContainer, vm_or_container

__all__ = [
    "CpuLimits",
    "DeckTray",
    "HowManyMachines",
    "ImagePulls",
    "VmOrContainer",
    "WhoSharesMyKernel",
    "WillItSchedule",
    "cpu_limits",
    "how_many_machines",
    "image_pulls",
    "vm_or_container",
    "who_shares_my_kernel",
    "will_it_schedule",
]
