"""NodeResourcesBalancedAllocation: nodes whose resources fill evenly are worth more.

Rule: int((1 - standard deviation of requested shares) * 100); not asked for units that request
none of the resources. Source: Kubernetes 1.34, noderesources plugin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.topology import Int64

NAME = "NodeResourcesBalancedAllocation"


def skipped(request: Int64, columns: Int64) -> NDArray[np.bool_]:
    """[C] units that request none of the balanced resources."""
    return np.asarray(~(request[:, columns] > 0).any(axis=1))
