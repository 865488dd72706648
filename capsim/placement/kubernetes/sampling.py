"""Sampling: the scheduler looks at some of the nodes only, and draws one among the best.

Rule: with 100 nodes or more it stops once percentageOfNodesToScore percent of them (at least 100)
fit; 0 stands for the adaptive share, 50 - nodes / 125 percent, at least 5. The next search starts
where this one ended. Among nodes of equal score one is drawn evenly.
Source: Kubernetes 1.34, schedule_one. The real search runs in parallel and may look at a few nodes
more; here nodes are looked at one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from capsim.errors import ModelError
from capsim.scenario import Assumption

Ties = Literal["first", "random"]
_SOURCE = "Kubernetes 1.34, schedule_one"


@dataclass(frozen=True)
class Sampling:
    """How many nodes are looked at, and how one of the best is taken."""

    percentage: int = 100
    """percentageOfNodesToScore; 0: adaptive."""
    ties: Ties = "first"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what the scheduler's configuration would refuse."""
        if not 0 <= self.percentage <= 100:
            raise ModelError(
                f"percentage_of_nodes_to_score is {self.percentage}, expected 0 (adaptive) to 100."
            )
        if self.ties not in ("first", "random"):
            raise ModelError(f"ties is {self.ties!r}, expected 'first' or 'random'.")

    @property
    def is_exhaustive(self) -> bool:
        """Whether all nodes are looked at and the first of the best is taken."""
        return self.percentage == 100 and self.ties == "first"

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What was chosen."""
        drawn = f"one is drawn evenly, seed {self.seed}"
        share = f"{self.percentage} % of the nodes" if self.percentage else "the adaptive share"
        all_ = "every node" if self.percentage == 100 else f"{share}, at least 100, one by one"
        return (
            Assumption(
                name="equal scores",
                value=drawn if self.ties == "random" else "the first node in order is taken",
                source=_SOURCE,
            ),
            Assumption(name="nodes that are looked at", value=all_, source=_SOURCE),
        )
