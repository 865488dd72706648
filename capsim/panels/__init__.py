"""Panels: controls, an engine call, and a figure that follows; they hold no model of their own.

    cs.panels.how_many_machines(cluster)
    cs.panels.who_shares_my_kernel(cluster)

A panel shows itself as the last line of a notebook's cell. Without a notebook it is driven by the
`.value` of its controls.
"""

from capsim.panels.common import DeckTray
from capsim.panels.kernels import WhoSharesMyKernel, who_shares_my_kernel
from capsim.panels.machines import HowManyMachines, how_many_machines

__all__ = [
    "DeckTray",
    "HowManyMachines",
    "WhoSharesMyKernel",
    "how_many_machines",
    "who_shares_my_kernel",
]
