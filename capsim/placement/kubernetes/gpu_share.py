"""GpuShare: boards that units share in thousandths, as in the openb cluster.

Rule: a unit needs a number of distinct boards with so many thousandths left on each; it takes the
tightest boards that fit. Not part of kube-scheduler: the rule of Alibaba's open-gpu-share plugin,
by which the openb trace was recorded (Weng et al., USENIX ATC 2023).
"""

from __future__ import annotations

import numpy as np

from capsim.topology import Int64

NAME = "GpuShare"
REASON = "Insufficient GPU share on single boards"


def boards(gpu_devices: Int64) -> Int64:
    """[N, D] thousandths on every board, all free; -1 where a node has fewer boards."""
    most = int(gpu_devices.max(initial=0))
    present = np.arange(most)[None, :] < gpu_devices[:, None]
    return np.where(present, 1000, -1).astype(np.int64)
