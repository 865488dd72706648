"""Kubernetes quantities ("250m", "1.5Gi", "1e3") as exact fractions."""

import math
import re
from fractions import Fraction
from functools import cache

SCALES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{suffix: Fraction(1000 ** (i + 1)) for i, suffix in enumerate("kMGTPE")},
    **{suffix + "i": Fraction(1024 ** (i + 1)) for i, suffix in enumerate("KMGTPE")},
}
PATTERN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")


@cache
def exact(quantity: str | int | float) -> Fraction:
    """The quantity in cores, bytes or pieces."""
    match = PATTERN.fullmatch(str(quantity).strip())
    if match is None:
        raise ValueError(f"not a quantity: {quantity!r}")
    number, exponent, suffix = match.groups()
    scale = Fraction(10) ** int(exponent) if exponent else SCALES[suffix or ""]
    return Fraction(number) * scale


def whole_units(resource: str, amount: Fraction) -> int:
    """Milli-cores for cpu, whole units for everything else, rounded up."""
    return math.ceil(amount * 1000) if resource == "cpu" else math.ceil(amount)
