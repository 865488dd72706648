"""Operating systems: the kernel and services of a host or of a VM."""

from __future__ import annotations

from capsim.stack.images.parameters import start
from capsim.stack.layer import Layer, constant
from capsim.stack.parameters import parameter


def linux() -> Layer:
    """Linux without a desktop, on a host or in a VM; its idle CPU is not counted."""
    memory = parameter("linux", "footprint_memory")
    process, boot = parameter("linux", "process_start"), start("vm", "boot")
    return Layer(
        "Linux",
        "guest OS",
        takes_once=constant(memory.amount),
        delays_once=boot.amount,
        delays_each=process.amount,
        boundary="process",
        facts=(memory, boot, process),
    )


def minimal_linux() -> Layer:
    """A minimal kernel and init in a microVM; its boot is part of the microVM's."""
    memory = parameter("linux_minimal", "footprint_memory")
    return Layer("minimal Linux", "guest OS", takes_once=constant(memory.amount), facts=(memory,))
