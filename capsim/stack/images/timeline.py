"""How long a start takes, step by step: the results of `start_up` and `compare_starts`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from capsim.errors import ModelError, nearest
from capsim.readers.deployment import ServiceType
from capsim.scenario import Assumption
from capsim.stack.images.draws import Samples
from capsim.stack.images.platforms import Platform

Begin = Literal["build", "scale"]


@dataclass(frozen=True)
class Timed:
    """A step with its sampled begin and end, in seconds from the beginning."""

    name: str
    phase: str
    begin_s: Samples
    """[samples] or [samples, replicas]"""
    end_s: Samples
    source: str
    assumption: Assumption | None = None

    @property
    def took_s(self) -> Samples:
        """How long it lasts."""
        return self.end_s - self.begin_s


@dataclass(frozen=True, eq=False)
class StartUp:
    """How long until the first replica answers and until all are ready; seconds."""

    image: str
    platform: Platform
    replicas: int
    service: ServiceType
    begin: Begin
    steps: tuple[Timed, ...]
    one_s: Samples
    """[samples, replicas] each replica, from the scale decision."""
    first_s: Samples
    """[samples] the first answer, from the beginning."""
    all_s: Samples
    """[samples] the last replica ready, from the beginning."""
    assumptions: tuple[Assumption, ...] = field(default=())

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a step, in order: phase, step, begins_s and ends_s (medians), p50_s, low_s (5th
        percentile), high_s (95th), p99_s of its duration, source.
        """  # noqa: D205
        rows = []
        for step in self.steps:
            low, p50, high, p99 = np.percentile(step.took_s, [5, 50, 95, 99])
            begins, ends = np.median(step.begin_s), np.median(step.end_s)
            rows.append((step.phase, step.name, begins, ends, p50, low, high, p99, step.source))
        names = [
            "phase",
            "step",
            "begins_s",
            "ends_s",
            "p50_s",
            "low_s",
            "high_s",
            "p99_s",
            "source",
        ]
        return pd.DataFrame(rows, columns=names)

    def summary(self) -> dict[str, float]:
        """p50, p95 and p99 in seconds: of one replica, of the first answer, of all replicas."""
        found = {}
        for name, samples in (
            ("one_ready", self.one_s),
            ("first_answer", self.first_s),
            ("all_ready", self.all_s),
        ):
            for percent in (50, 95, 99):
                found[f"{name}_p{percent}_s"] = float(np.percentile(samples, percent))
        return found

    def explain(self, step: str = "") -> str:
        """Where a step's time comes from; without a step, which ones take longest.

        Raises: ModelError for a step that this start does not have.
        """
        names = [each.name for each in self.steps]
        if step and step not in names:
            raise ModelError(f"no step {step!r} in this start{nearest(step, names)}.")
        if not step:
            ranked = sorted(self.steps, key=lambda each: -float(np.median(each.took_s)))[:3]
            told = ", ".join(f"{each.name} {np.median(each.took_s):.3g} s" for each in ranked)
            return f"The first answer comes after {np.median(self.first_s):.3g} s; longest: {told}."
        row = self.table[self.table["step"] == step].iloc[0]
        return (
            f"{step} begins after {row['begins_s']:.3g} s and takes {row['p50_s']:.3g} s "
            f"({row['low_s']:.3g} to {row['high_s']:.3g}, p99 {row['p99_s']:.3g}); {row['source']}."
        )

    def _repr_html_(self) -> str:
        html: str = self.table.round(2).to_html(index=False)
        return html


@dataclass(frozen=True, eq=False)
class Starts:
    """The same image on several platforms."""

    each: tuple[StartUp, ...]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a platform: platform, p50_s, p95_s, p99_s of one replica, longest_step."""
        rows = []
        for one in self.each:
            p50, p95, p99 = np.percentile(one.one_s, [50, 95, 99])
            longest = max(one.steps, key=lambda step: float(np.median(step.took_s))).name
            rows.append((one.platform, p50, p95, p99, longest))
        return pd.DataFrame(rows, columns=["platform", "p50_s", "p95_s", "p99_s", "longest_step"])

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """Of all of them, each once."""
        return tuple(dict.fromkeys(a for one in self.each for a in one.assumptions))

    def summary(self) -> dict[str, float]:
        """Median seconds of one replica by platform."""
        return dict(zip(self.table["platform"], self.table["p50_s"].tolist(), strict=True))

    def explain(self, platform: str) -> str:
        """The longest steps of a platform.

        Raises: ModelError if the platform was not compared.
        """
        known = {one.platform: one for one in self.each}
        for name, one in known.items():
            if name == platform:
                return one.explain()
        raise ModelError(f"no platform {platform!r} here{nearest(platform, known)}.")

    def _repr_html_(self) -> str:
        html: str = self.table.round(2).to_html(index=False)
        return html
