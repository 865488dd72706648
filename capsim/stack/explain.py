"""What each layer of a filled platform does, in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from capsim.stack.interval import ZERO, Interval
from capsim.stack.layer import Amount, Layer
from capsim.stack.platform import Tier, guest_size
from capsim.stack.workload import PART_NAMES, PARTS, WorkloadProfile

_MIB, _GIB = 2**20, 2**30


def layers_with_sizes(
    tiers: Sequence[Tier], machine: Amount, unit: Amount, nodes: int
) -> Iterator[tuple[Layer, Amount, Amount]]:
    """Each layer from the host up, with the machine that it runs on and the guest that it carries.

    Parameters: as of `capsim.stack.platform.fill`.
    """
    guest = guest_size(tiers, machine, unit, nodes)
    for layer in tiers[0].layers:
        yield layer, machine, guest
    if tiers[0].guests != "units":
        yield from layers_with_sizes(tiers[1:], guest, unit, nodes)


def told(
    layer: Layer, machine: Amount, guest: Amount, workload: WorkloadProfile
) -> dict[str, object]:
    """The five things that one layer does, as a row of words."""
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "takes_once": _amount(layer.takes_once(machine)),
        "takes_each": _takes_each(layer, guest),
        "slows": _slows(layer, workload),
        "delays": _delays(layer),
        "isolates": _isolates(layer),
        "costs": "; ".join(cost.words for cost in layer.costs) or "–",
        "rests_on": _rests_on(layer),
    }


def _takes_each(layer: Layer, guest: Amount) -> str:
    taken = _amount(layer.takes_each(guest))
    if layer.sizes(guest) == guest and layer.kind != "serverless":
        return taken
    size = f"{guest.cores.value:g} cores, {guest.memory.value / _GIB:g} GiB"
    return f"rounded up to {size}"


def _amount(taken: Amount) -> str:
    parts = []
    if taken.cores.high > 0:
        parts.append(f"{taken.cores} cores")
    if taken.memory.high > 0:
        parts.append(f"{_rounded(taken.memory / _MIB)} MiB")
    return ", ".join(parts) or "–"


def _rounded(figure: Interval) -> str:
    if figure.low == figure.high:
        return f"{figure.value:,.0f}"
    return f"{figure.value:,.0f} ({figure.low:,.0f} to {figure.high:,.0f})"


def _slows(layer: Layer, workload: WorkloadProfile) -> str:
    """The parts that this workload has and that take at least 1 % longer."""
    parts = [
        f"{PART_NAMES[part]} ×{factor}"
        for part, factor, share in zip(PARTS, layer.slows, workload.shares, strict=True)
        if share.value and factor.value >= 1.01
    ]
    return "; ".join(parts) or "–"


def _delays(layer: Layer) -> str:
    parts = [
        f"{seconds} s {words}"
        for seconds, words in (
            (layer.delays_each, "for each guest"),
            (layer.delays_once, "for its machine"),
        )
        if seconds != ZERO
    ]
    return "; ".join(parts) or "–"


def _isolates(layer: Layer) -> str:
    if layer.boundary is None:
        return "–"
    kernel = "own kernel" if layer.own_kernel else "shared kernel"
    return f"{layer.boundary}, {kernel}"


def _rests_on(layer: Layer) -> str:
    sources = [fact.source for fact in layer.facts]
    if any(factor.high > 1 for factor in layer.slows):
        sources.append("published measurements (docs/models/measurements.md)")
    return "; ".join(dict.fromkeys(sources)) or "–"
