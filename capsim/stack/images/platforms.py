"""The steps from a scale decision to a unit that answers, by platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from capsim.errors import ModelError, nearest
from capsim.stack.images.parameters import of_images, start
from capsim.stack.interval import Interval
from capsim.stack.parameters import Parameter, facts

Platform = Literal[
    "pod", "pod on a new node", "container", "vm", "vm-windows", "fargate", "microvm", "lambda"
]
Monitor = Literal["firecracker", "cloud-hypervisor", "qemu-qboot", "qemu"]
MONITORS: tuple[Monitor, ...] = ("firecracker", "cloud-hypervisor", "qemu-qboot", "qemu")
PULL, RUNTIME, APPLICATION = "pull and unpack", "create and start", "application"


@dataclass(frozen=True)
class Leg:
    """One step of a unit's way; legs of a unit follow one another."""

    name: str
    parameter: Parameter | None
    """None: the pull, and whatever else depends on the image."""


@dataclass(frozen=True)
class Way:
    """How a platform starts a unit."""

    legs: tuple[Leg, ...]
    ready: tuple[Leg, ...] = ()
    """After the application runs, before traffic arrives."""
    rates: str = "pull"
    """Whose rates of pulling and unpacking hold."""
    always_cold: bool = False
    pulls: bool = True


def _legs(applies_to: str, *names: str) -> tuple[Leg, ...]:
    return tuple(Leg(name, None if name == PULL else start(applies_to, name)) for name in names)


POD = _legs("pod", "schedule", "notice", "sandbox", PULL, RUNTIME)
_POD_READY = _legs("pod", "report", "endpoints")
_VM = _legs("vm", "call", "allocate")
NODE = (
    *_legs("node", "scale-up noticed"),
    *_VM,
    *_legs("vm", "boot"),
    *_legs("node", "join"),
)
WAYS: dict[Platform, Way] = {
    "pod": Way(POD, _POD_READY),
    "pod on a new node": Way((*NODE, *POD), _POD_READY, always_cold=True),
    "container": Way((Leg(PULL, None), *_legs("container", "run"))),
    "vm": Way((*_VM, *_legs("vm", "boot")), pulls=False),
    "vm-windows": Way((*_VM, *_legs("vm-windows", "boot")), pulls=False),
    "fargate": Way(_legs("fargate", "place", PULL, "start"), rates="fargate", always_cold=True),
    "microvm": Way((Leg(PULL, None), *_legs("firecracker", "rootfs"), Leg("boot", None))),
    "lambda": Way(_legs("lambda", "place"), pulls=False),
}
PLATFORMS: tuple[Platform, ...] = tuple(WAYS)


def way(platform: str) -> Way:
    """The steps of a platform.

    Raises: ModelError for an unknown one, with the nearest.
    """
    for name, found in WAYS.items():
        if name == platform:
            return found
    raise ModelError(f"no platform {platform!r}{nearest(platform, PLATFORMS)}.")


def rate(applies_to: str, name: str) -> Parameter:
    """A rate of the platform's own, or the general one."""
    own = facts("images").get((applies_to, name))
    return own or of_images("pull", name)


def application(runtime: str, platform: str) -> Parameter:
    """How long the application itself takes; on Lambda its runtime's measured initialisation."""
    if platform == "lambda":
        known = facts("start").get((f"lambda/{runtime}", "init"))
        return known or start("lambda/python", "init")
    return facts("start").get((runtime, "application")) or start("unknown", "application")


def boot_time(monitor: Monitor = "firecracker", *, at_once: int = 1) -> Interval:
    """Seconds from the start of a virtual machine monitor to init of a minimal Linux guest.

    p50 and p99 of one boot are measured for each monitor; with several boots at once on one host
    both are multiplied by what Firecracker's slowed by, between 1, 50 and 100 at once linear in the
    logarithm of their number. Beyond 100 the slope goes on.

    Parameters: monitor; at_once, boots side by side on a host of 96 hardware threads.
    Returns: Interval of p50 (value) and the 5th and 95th percentile that go with p99.
    Raises: ModelError for an unknown monitor or a number below 1.
    Source: Agache et al., NSDI 2020, raw data. Model: docs/models/images_and_starts.md, "MicroVMs".

    >>> round(boot_time("firecracker").value, 3)
    0.161
    """
    p50, p99 = boot_percentiles(monitor, at_once=at_once)
    spread = np.log(p99 / p50) / 2.3263 * 1.6449
    return Interval(p50, p50 * float(np.exp(-spread)), p50 * float(np.exp(spread)))


def boot_percentiles(monitor: Monitor = "firecracker", *, at_once: int = 1) -> tuple[float, float]:
    """p50 and p99 in seconds; see `boot_time`."""
    if monitor not in MONITORS:
        raise ModelError(f"no monitor {monitor!r}{nearest(monitor, MONITORS)}.")
    if at_once < 1:
        raise ModelError(f"{at_once} boots at once, expected at least 1.")
    p50, p99 = (start(monitor, name).figure.value for name in ("boot", "boot p99"))
    return p50 * _slowdown("p50", at_once), p99 * _slowdown("p99", at_once)


def boot_range(monitor: Monitor, percentile: Literal["p50", "p99"], *, at_once: int) -> Interval:
    """The model's interval of one percentile: the slow-down of other monitors may differ."""
    index = 0 if percentile == "p50" else 1
    middle = boot_percentiles(monitor, at_once=at_once)[index]
    single = boot_percentiles(monitor)[index]
    low, high = (single * _slowdown(percentile, at_once, end) for end in ("low", "high"))
    return Interval(middle, min(low, middle), max(high, middle))


def _slowdown(percentile: str, at_once: int, end: str = "value") -> float:
    known = [1.0]
    for number in (50, 100):
        span = start("microvm", f"slowdown {percentile}, {number} at once").figure
        known.append(getattr(span, end))
    at = np.log2(at_once)
    points = np.log2([1.0, 50.0, 100.0])
    if at > points[-1]:
        slope = (known[2] - known[1]) / (points[2] - points[1])
        return float(known[2] + slope * (at - points[2]))
    return float(np.interp(at, points, known))
