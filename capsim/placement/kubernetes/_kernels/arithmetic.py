"""Integer arithmetic that scores share."""

from __future__ import annotations

from capsim.placement.kubernetes._kernels.jit import kernel


@kernel
def percent(part, whole):
    """100 * part // whole for 0 <= part <= whole; floating point is faster, then set right."""
    share = int(100.0 * part / whole)
    rest = 100 * part - share * whole
    if rest < 0:
        return share - 1
    return share + 1 if rest >= whole else share


@kernel
def normalised(raw, largest, reverse):
    """The scheduler's default normalisation of a raw score to 0..100."""
    if largest == 0:
        return 100 if reverse else 0
    scaled = percent(raw, largest) if raw > 0 else 0
    return 100 - scaled if reverse else scaled
