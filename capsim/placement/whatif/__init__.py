"""What if: questions asked of a compiled scenario. Each is a function Topology -> Topology.

The topology that is asked stays as it is. Place both and `compare` the plans.
"""

from capsim.placement.whatif.daemon_sets import DaemonSetFit, grow_daemon_set
from capsim.placement.whatif.draining import cordon, drain, uncordon
from capsim.placement.whatif.growth import grow, raise_replicas
from capsim.placement.whatif.nodes import add_machines, remove_nodes, remove_zone
from capsim.placement.whatif.templates import change_requests, set_priority
from capsim.placement.whatif.upgrades import Upgrade, upgrade

__all__ = [
    "DaemonSetFit",
    "Upgrade",
    "add_machines",
    "change_requests",
    "cordon",
    "drain",
    "grow",
    "grow_daemon_set",
    "raise_replicas",
    "remove_nodes",
    "remove_zone",
    "set_priority",
    "uncordon",
    "upgrade",
]
