"""What is asked of a node's memory: the groups, and the node."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from capsim.scenario.spec import Spec

Bytes = float


class MemoryGroup(Spec):
    """The memory side of one cgroup: a container, a pod, or a service of the node."""

    name: str
    qos: Literal["Guaranteed", "Burstable", "BestEffort", "system"] = "Burstable"
    """system: outside the kubelet's pods; never evicted."""
    anon: Bytes = Field(ge=0)
    """Bytes that its processes hold (heap, stacks); only swap can take them."""
    file: Bytes = Field(default=0.0, ge=0)
    """Bytes of page cache charged to it, clean or soon so."""
    active_file: float = Field(default=0.5, ge=0, le=1)
    """Share of the page cache that counts as working set."""
    request: Bytes = Field(default=0.0, ge=0)
    limit: Bytes | None = Field(default=None, gt=0)
    """memory.max; None: none."""
    high: Bytes | None = Field(default=None, gt=0)
    """memory.high; None: none."""
    min: Bytes = Field(default=0.0, ge=0)
    """memory.min: never reclaimed."""
    low: Bytes = Field(default=0.0, ge=0)
    """memory.low: reclaimed only when nothing unprotected is left."""
    swap_limit: Bytes = Field(default=0.0, ge=0)
    """memory.swap.max, what the node's swap has to spare."""
    priority: int = 0
    oom_score_adj: int | None = Field(default=None, ge=-1000, le=1000)
    """None: by QoS, as the kubelet sets it; 0 for system."""


class MemoryNode(Spec):
    """The memory of a node."""

    capacity: Bytes = Field(gt=0)
    system: Bytes = Field(default=0.0, ge=0)
    """Kernel and daemons that are not among the groups; never reclaimed."""
    swap: Bytes = Field(default=0.0, ge=0)
    eviction_threshold: Bytes | None = Field(default=100 * 2.0**20, ge=0)
    """kubelet's memory.available; None: no kubelet."""

    @model_validator(mode="after")
    def _system_fits(self) -> MemoryNode:
        if self.system > self.capacity:
            raise ValueError(
                f"found a system of {self.system:.0f} bytes, expected at most the node's "
                f"{self.capacity:.0f}"
            )
        return self
