"""Which of several refusals counts: that of the filter which the profile asks first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import (
    gpu_share,
    inter_pod_affinity,
    node_ports,
    node_resources_fit,
    node_volume_limits,
    pod_topology_spread,
    volume_binding,
    volume_restrictions,
    volume_zone,
)
from capsim.placement.kubernetes.static import BINDING, FILTERS, NARROWED, REJECTED, ZONE

#: Code of the kernels to filter.
_FILTER_OF = {
    -1: node_ports.NAME,
    -2: node_resources_fit.NAME,
    -3: gpu_share.NAME,
    **dict.fromkeys((-4, -5), pod_topology_spread.NAME),
    **dict.fromkeys((-6, -7, -8), inter_pod_affinity.NAME),
    **dict.fromkeys((-9, -10), volume_restrictions.NAME),
    -11: node_volume_limits.NAME,
    BINDING: volume_binding.NAME,
    ZONE: volume_zone.NAME,
    **{number: plugin.NAME for number, plugin in enumerate(FILTERS, start=1)},
}
_LOWEST = -11


def first_refusals(groups: Sequence[NDArray[np.int8]], order: Sequence[str]) -> NDArray[np.int8]:
    """Of what several filters say to the same nodes, what the first to refuse says.

    groups: int8[nodes] each, 0 or a code. order: the names of the filters as the profile has them.
    """
    place = np.array([_place(refusal, order) for refusal in range(_LOWEST, ZONE + 1)])
    said = np.stack(groups)
    first = place[said - _LOWEST].argmin(axis=0)
    found: NDArray[np.int8] = np.take_along_axis(said, first[None], axis=0)[0]
    return found


def _place(refusal: int, order: Sequence[str]) -> int:
    """How early a profile asks the filter behind a code; what does not refuse comes last."""
    if refusal == 0:
        return len(order) + 1
    if refusal in (REJECTED, NARROWED):
        return -refusal
    name = _FILTER_OF[refusal]
    return order.index(name) if name in order else len(order)
