"""NodePorts: two units cannot hold the same host port of one node.

Rule: protocol and port are equal, and the addresses are equal or one of them is every address.
Source: Kubernetes 1.34, nodeports plugin.
"""

from __future__ import annotations

from collections.abc import Sequence

from capsim.scenario import Template

NAME = "NodePorts"
REASON = "node(s) didn't have free ports for the requested pod ports"
HostPort = tuple[str, str, int]


def host_ports(template: Template) -> tuple[HostPort, ...]:
    """(address, protocol, port) of each host port, of containers and sidecars."""
    sidecars = (c for c in template.init_containers if c.restart_policy == "Always")
    return tuple(
        (port.host_ip or "0.0.0.0", port.protocol, port.host_port)
        for container in (*template.containers, *sidecars)
        for port in container.ports
        if port.host_port
    )


def conflicts(mine: HostPort, other: HostPort) -> bool:
    """Whether the two cannot be on one node."""
    everywhere = "0.0.0.0"
    same_address = mine[0] == other[0] or everywhere in (mine[0], other[0])
    return mine[1:] == other[1:] and same_address


def conflict_table(
    templates: Sequence[Template],
) -> tuple[list[list[int]], list[list[int]], int]:
    """For each template the numbers of the ports that it holds and that it conflicts with."""
    wanted = [host_ports(template) for template in templates]
    known = sorted({port for ports in wanted for port in ports})
    number = {port: index for index, port in enumerate(known)}
    own = [[number[port] for port in dict.fromkeys(ports)] for ports in wanted]
    against = [
        [number[other] for other in known if any(conflicts(port, other) for port in ports)]
        for ports in wanted
    ]
    return own, against, len(known)
