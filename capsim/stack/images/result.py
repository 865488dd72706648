"""An image: its layers and sizes, its build steps, and what a change rebuilds."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import pandas as pd

from capsim.errors import ModelError, nearest
from capsim.scenario import Assumption
from capsim.scenario.dockerfile import BuildContext, Dockerfile, Instruction
from capsim.stack.images.steps import NOTHING, Added, makes_layer
from capsim.stack.interval import Interval, total

Change = Literal["nothing", "source", "dependencies", "everything"]
_CHANGES: tuple[Change, ...] = ("nothing", "source", "dependencies", "everything")


@dataclass(frozen=True)
class Layer:
    """One layer of an image: what a registry and a node store once, whoever uses it."""

    digest: str
    """Stands for the content: the same base, instructions and files give the same."""
    compressed_mb: Interval
    unpacked_mb: Interval
    told: str
    """The instruction, or the base image."""
    of_base: bool
    line: int


@dataclass(frozen=True)
class Step:
    """One instruction as it is built."""

    stage: int
    line: int
    instruction: Instruction | None
    """None: the base image of the stage is fetched."""
    told: str
    added: Added
    rebuilt_by: frozenset[Change]
    waits_for: tuple[int, ...] = ()
    """Stages that it copies from."""


@dataclass(frozen=True, eq=False)
class Image:
    """An image as its Dockerfile describes it; sizes in MB (10^6 bytes), with their range."""

    name: str
    layers: tuple[Layer, ...]
    """Lowest first; only of the stage that becomes the image."""
    steps: tuple[Step, ...]
    """Of all stages that are built."""
    dockerfile: Dockerfile
    context: BuildContext | None
    runtime: str
    """What runs in it: "python", "node", "java", "dotnet", "go", "server" or "unknown"."""
    assumptions: tuple[Assumption, ...] = field(default=())

    @property
    def compressed_mb(self) -> Interval:
        """What a registry stores and a node pulls."""
        return total(layer.compressed_mb for layer in self.layers)

    @property
    def unpacked_mb(self) -> Interval:
        """What a node keeps unpacked."""
        return total(layer.unpacked_mb for layer in self.layers)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a layer: layer, line, compressed_mb, low_mb, high_mb, unpacked_mb, of_base.

        The layers' own low_mb and high_mb are of the compressed size.
        """
        return pd.DataFrame(
            {
                "layer": [layer.told for layer in self.layers],
                "line": [layer.line for layer in self.layers],
                "compressed_mb": [layer.compressed_mb.value for layer in self.layers],
                "low_mb": [layer.compressed_mb.low for layer in self.layers],
                "high_mb": [layer.compressed_mb.high for layer in self.layers],
                "unpacked_mb": [layer.unpacked_mb.value for layer in self.layers],
                "of_base": [layer.of_base for layer in self.layers],
                "digest": [layer.digest for layer in self.layers],
            }
        )

    @cached_property
    def build(self) -> pd.DataFrame:
        """One row a build step, over all stages: stage, line, step, makes_layer, build_s, low_s,
        high_s, rebuilt_when_source_changes, rebuilt_when_dependencies_change, does.
        """  # noqa: D205
        return pd.DataFrame(
            {
                "stage": [step.stage for step in self.steps],
                "line": [step.line for step in self.steps],
                "step": [step.told for step in self.steps],
                "makes_layer": [makes_layer(step.instruction) for step in self.steps],
                "build_s": [step.added.build_s.value for step in self.steps],
                "low_s": [step.added.build_s.low for step in self.steps],
                "high_s": [step.added.build_s.high for step in self.steps],
                "rebuilt_when_source_changes": ["source" in s.rebuilt_by for s in self.steps],
                "rebuilt_when_dependencies_change": [
                    "dependencies" in step.rebuilt_by for step in self.steps
                ],
                "does": [step.added.what for step in self.steps],
            }
        )

    def build_s(self, changed: Change = "everything") -> Interval:
        """Seconds of a build after a change, with stages side by side as BuildKit does.

        Raises: ModelError for a change that is none of nothing, source, dependencies, everything,
        and for an image that is known by its size alone.
        """
        if changed not in _CHANGES:
            raise ModelError(f"no change {changed!r}{nearest(changed, _CHANGES)}.")
        if not self.steps:
            raise ModelError(f"{self.name} has no Dockerfile to build; begin with 'scale'.")
        ends: dict[int, Interval] = {}
        for step in self.steps:
            stage = self.dockerfile.stages[step.stage]
            begins = [ends.get(step.stage, NOTHING), *(ends[s] for s in step.waits_for)]
            if step.instruction is None and stage.base_stage is not None:
                begins.append(ends[stage.base_stage])
            took = step.added.build_s if changed in step.rebuilt_by else NOTHING
            ends[step.stage] = _latest(begins) + took
        return ends[self.dockerfile.target]

    def pushed_mb(self, changed: Change = "everything") -> Interval:
        """Compressed MB that go to the registry after a change; what is there stays there."""
        return total(layer.compressed_mb for layer in self._new(changed))

    def exported_mb(self, changed: Change = "everything") -> Interval:
        """Unpacked MB that are compressed after a change: own layers, never the base's."""
        new = (layer for layer in self._new(changed) if not layer.of_base)
        return total(layer.unpacked_mb for layer in new)

    def _new(self, changed: Change) -> list[Layer]:
        lines = {
            step.line for step in self.steps if changed in step.rebuilt_by and step.instruction
        }
        return [
            layer
            for layer in self.layers
            if changed == "everything" or (not layer.of_base and layer.line in lines)
        ]

    def explain(self, line: int) -> str:
        """What an instruction adds, takes, and when it is rebuilt.

        Parameters: line, the number of the line it begins on.
        Raises: ModelError if no instruction begins there.
        """
        found = [step for step in self.steps if step.line == line and step.instruction is not None]
        if not found:
            lines = ", ".join(str(step.line) for step in self.steps if step.instruction)
            raise ModelError(
                f"no step of the build begins on line {line}, expected one of {lines}."
            )
        step = found[-1]
        added, took = step.added.compressed_mb, step.added.build_s
        size = f"adds {_range(added, 'MB')} compressed" if added.high > 0 else "adds no bytes"
        when = {True: "rebuilt whenever source changes", False: "kept when only source changes"}
        return (
            f"Line {line}, {step.told}: {step.added.what}; {size}, takes {_range(took, 's')}; "
            f"{when['source' in step.rebuilt_by]}."
        )

    @cached_property
    def advice(self) -> tuple[str, ...]:
        """What would make the image smaller or its build quicker, the largest gain first."""
        from capsim.stack.images.advice import advice

        return advice(self)

    def summary(self) -> dict[str, float]:
        """Sizes in MB with their range, layers, and build times in seconds."""
        packed, unpacked = self.compressed_mb, self.unpacked_mb
        return {
            "compressed_mb": packed.value,
            "compressed_low_mb": packed.low,
            "compressed_high_mb": packed.high,
            "unpacked_mb": unpacked.value,
            "layers": len(self.layers),
            "build_s": self.build_s().value,
            "rebuild_after_source_change_s": self.build_s("source").value,
            "pushed_after_source_change_mb": self.pushed_mb("source").value,
        }

    def _repr_html_(self) -> str:
        html: str = self.table.drop(columns="digest").to_html(index=False)
        return html


def _range(span: Interval, unit: str) -> str:
    return f"{span.value:.3g} {unit} ({span.low:.3g} to {span.high:.3g})"


def _latest(spans: list[Interval]) -> Interval:
    return Interval(*(max(getattr(s, end) for s in spans) for end in ("value", "low", "high")))
