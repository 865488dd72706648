"""Random draws of numbers that are known only within bounds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from capsim.stack.interval import Interval

Samples = NDArray[np.float64]
#: Standard deviations from the median to the 5th and the 95th percentile.
_Z95 = 1.6449


def drawn(figure: Interval, z: Samples) -> Samples:
    """Draws from a lognormal in two halves, with value, low, high as 50th, 5th, 95th percentile.

    x = value * exp(z * s), with s = ln(high / value) / 1.645 above the middle and
    s = ln(value / low) / 1.645 below. z: standard normal, of any shape.
    """
    if figure.value <= 0:
        return np.full(z.shape, figure.value)
    up = math.log(figure.high / figure.value) / _Z95
    down = math.log(figure.value / max(figure.low, 1e-3 * figure.value)) / _Z95
    found: Samples = figure.value * np.exp(z * np.where(z > 0, up, down))
    return found
