"""What a Dockerfile builds, estimated: nothing is built, nothing is fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from capsim.errors import ModelError
from capsim.readers.dockerfile import read_context, read_dockerfile
from capsim.scenario import Assumption
from capsim.scenario.dockerfile import BuildContext, Dockerfile, Instruction, Stage
from capsim.scenario.dockerfile import sources as sources_of
from capsim.stack.images.bases import Base, base_image
from capsim.stack.images.parameters import of_images
from capsim.stack.images.result import Change, Image, Layer, Step
from capsim.stack.images.steps import (
    NOTHING,
    Added,
    added_by,
    copied,
    copies_manifest,
    copies_source,
    makes_layer,
)
from capsim.stack.interval import Interval, as_interval, total


def image(
    path: str | Path,
    *,
    target: str | int | None = None,
    build_args: Mapping[str, str] | None = None,
    context: str | Path | None = None,
    name: str = "",
) -> Image:
    """What a Dockerfile builds: its layers and their sizes, its build steps and what is cached.

    Packages come from requirements.txt and package.json beside it, sizes of files from the folder,
    less what .dockerignore leaves out. Nothing is built or fetched.

    Parameters: path of the Dockerfile or its folder; target, the stage to build; build_args;
    context, the folder that is built, by default the one the file lies in; name, of the image.
    Returns: Image, with .table (layers), .build (steps), .advice, .explain(line), .summary().
    Raises: InputError for a file that is wrong, naming its lines.
    Model: docs/models/images_and_starts.md, "Image size".

    >>> cs.image("Dockerfile").summary()
    """
    found = read_dockerfile(path, target=target, build_args=build_args)
    folder = Path(found.file).parent if context is None else context
    return image_of(found, read_context(folder, found.file), name=name)


def image_of(
    dockerfile: Dockerfile, context: BuildContext | None = None, *, name: str = ""
) -> Image:
    """As `image`, from a Dockerfile that was read already; without context sizes are ranges."""
    builder = _Builder(dockerfile, context)
    for index in dockerfile.needed:
        builder.stage(dockerfile.stages[index])
    folder = Path(dockerfile.file).resolve().parent.name
    return Image(
        name=name or folder or "image",
        layers=tuple(builder.layers[dockerfile.target]),
        steps=tuple(builder.steps),
        dockerfile=dockerfile,
        context=context,
        runtime=_runtime(dockerfile),
        assumptions=builder.stated(),
    )


class _Builder:
    """Goes through the stages in order, as the builder does."""

    def __init__(self, dockerfile: Dockerfile, context: BuildContext | None) -> None:
        self.dockerfile, self.context = dockerfile, context
        self.layers: dict[int, list[Layer]] = {}
        self.steps: list[Step] = []
        self.assumptions: list[Assumption] = []
        self._dirty: dict[int, frozenset[Change]] = {}
        """What rebuilds something of a stage."""

    def stage(self, stage: Stage) -> None:
        """The base, then instruction after instruction."""
        base = None if stage.base_stage is not None else base_image(stage.base)
        self.layers[stage.index] = (
            list(self.layers[stage.base_stage])
            if stage.base_stage is not None
            else self._base_layers(base, stage)
        )
        dirty = self._dirty[stage.base_stage] if stage.base_stage is not None else frozenset()
        fetch = Added(what="base image")
        if base is not None:
            self.assumptions.append(base.assumption)
            fetch.build_s = base.compressed_mb / of_images("build", "download").figure
        told = f"FROM {stage.base}"
        self.steps.append(
            Step(stage.index, stage.line, None, told, fetch, frozenset({"everything"}))
        )
        for instruction in stage.instructions:
            dirty = self._instruction(stage, instruction, dirty)
        self._dirty[stage.index] = dirty

    def _base_layers(self, base: Base | None, stage: Stage) -> list[Layer]:
        if base is None:
            return []
        ratio = of_images("image", "compression").figure
        key = base.catalogued or base.reference
        return [
            Layer(
                _digest(key, str(at)),
                size,
                Interval(size.value * ratio.value, size.low * ratio.low, size.high * ratio.high),
                f"{stage.base}, layer {at + 1}",
                True,
                stage.line,
            )
            for at, size in enumerate(base.layers)
        ]

    def _instruction(
        self, stage: Stage, instruction: Instruction, dirty: frozenset[Change]
    ) -> frozenset[Change]:
        waits = [self.dockerfile.stage_of(name) for name in sources_of(instruction)]
        stages = tuple(index for index in waits if index is not None)
        added = self._added(instruction, stages)
        own: set[Change] = {"everything"}
        if makes_layer(instruction):
            # Configuration is written anew in no time and does not hold up the steps that follow.
            own |= set(_brought(instruction)).union(*(self._dirty[index] for index in stages))
        now = dirty | frozenset(own)
        told = _told(instruction)
        self.steps.append(
            Step(stage.index, instruction.line, instruction, told, added, now, stages)
        )
        self.assumptions += added.assumptions
        if makes_layer(instruction) and instruction.text != "WORKDIR /":
            self._add_layer(stage, instruction, added)
        return now

    def _added(self, instruction: Instruction, stages: tuple[int, ...]) -> Added:
        if instruction.keyword == "COPY" and instruction.flag("from") is not None:
            return self._from_elsewhere(instruction, stages)
        added = added_by(instruction, self.context)
        _copy_up(added, self.steps)
        return added

    def _from_elsewhere(self, instruction: Instruction, stages: tuple[int, ...]) -> Added:
        """COPY --from: of a stage at most what the stage added, of an image a range."""
        added = Added(build_s=of_images("build", "step").figure)
        if not stages:
            size = added.guess("fetched file")
            added.what = "files of another image"
        else:
            size = _share_of_stage(instruction, stages[0], self.steps)
            added.what = f"files of stage {self.dockerfile.stages[stages[0]].name or stages[0]}"
        added.take(size, size * (1 / of_images("image", "compression").figure.value), NOTHING)
        return added

    def _add_layer(self, stage: Stage, instruction: Instruction, added: Added) -> None:
        chain = self.layers[stage.index]
        files = ""
        if instruction.keyword in ("COPY", "ADD") and self.context is not None:
            taken = copied(instruction, self.context)
            files = self.context.folder + repr([(f.path, f.size_bytes) for f in taken])
        digest = _digest(
            chain[-1].digest if chain else "", instruction.keyword, instruction.command, files
        )
        told = _told(instruction)
        chain.append(
            Layer(digest, added.compressed_mb, added.unpacked_mb, told, False, instruction.line)
        )

    def stated(self) -> tuple[Assumption, ...]:
        """Each assumption once."""
        always = [of_images("image", "compression").assumption, _SAME_LAYER]
        remarks = [
            Assumption(name="Dockerfile", value=said, source="as read")
            for said in self.dockerfile.remarks
        ]
        return tuple(dict.fromkeys((*self.assumptions, *always, *remarks)))


_SAME_LAYER = Assumption(
    name="shared layers",
    value="layers are one where base, instructions and files are the same, as from one build cache",
    source="Docker documentation, build cache (2025)",
)


def _told(instruction: Instruction) -> str:
    """The instruction as it is written, its flags --from and --chown included."""
    shown = [f"--{name}={value}" for name, value in instruction.flags if name in ("from", "chown")]
    return " ".join([instruction.keyword, *shown, *instruction.text.split()])


def _brought(instruction: Instruction) -> tuple[Change, ...]:
    """Changes of the context that an instruction brings in."""
    if copies_source(instruction):
        return ("source", "dependencies")
    return ("dependencies",) if copies_manifest(instruction) else ()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _copy_up(added: Added, steps: list[Step]) -> None:
    """Chown -R or chmod -R of what earlier layers hold writes those files once more."""
    for command in added.commands:
        if command.kind != "chown":
            continue
        for step in steps:
            copy = step.instruction
            if copy is not None and copy.keyword in ("COPY", "ADD") and copy.words:
                added.take(step.added.unpacked_mb, step.added.compressed_mb, NOTHING)


#: Words in the path of COPY --from, and the kinds of command whose result they mean.
_MEANT = (
    (("node_modules",), ("npm",)),
    (("site-packages", "venv", ".local", "/install", "wheel", "/opt"), ("pip",)),
)


def _share_of_stage(instruction: Instruction, stage: int, steps: list[Step]) -> Interval:
    """What a COPY takes from a stage: what its path means, else a part of all the stage added."""
    own = [step for step in steps if step.stage == stage and step.instruction is not None]
    path = " ".join(instruction.words[:-1])
    for words, kinds in _MEANT:
        made = [s for s in own if any(c.kind in kinds for c in s.added.commands)]
        if any(word in path for word in words) and made:
            whole = total(step.added.unpacked_mb for step in made)
            return Interval(whole.value, 0.5 * whole.low, whole.high)
    if any(command.kind == "compile" for step in own for command in step.added.commands):
        return of_images("build", "compiled program").figure
    whole = total(step.added.unpacked_mb for step in own)
    return Interval(0.5 * whole.value, 0.01 * whole.low, max(whole.high, 0.01))


_RUNTIMES = {
    "python": ("python", "pypy"),
    "node": ("node", "bun", "deno"),
    "java": ("openjdk", "temurin", "amazoncorretto", "tomcat", "maven", "gradle", "clojure"),
    "dotnet": ("dotnet", "aspnet"),
    "server": ("nginx", "httpd", "redis", "postgres", "mysql", "mariadb", "mongo", "memcached",
               "rabbitmq", "haproxy"),
    "go": ("golang", "rust", "scratch", "distroless", "alpine", "busybox"),
}  # fmt: skip


def _runtime(dockerfile: Dockerfile) -> str:
    """What runs in the image: by its base, else by the command it starts."""
    stage = dockerfile.stages[dockerfile.target]
    while stage.base_stage is not None:
        stage = dockerfile.stages[stage.base_stage]
    base = stage.base.lower()
    started = " ".join(
        each.text
        for each in dockerfile.stages[dockerfile.target].instructions
        if each.keyword in ("CMD", "ENTRYPOINT")
    ).lower()
    for text in (started, base):
        for runtime, names in _RUNTIMES.items():
            told = {"python": ("gunicorn", "uvicorn", "flask", "celery"), "node": ("npm",),
                    "java": ("java",)}.get(runtime, ())  # fmt: skip
            if any(name in text for name in (*names, *told)):
                return runtime
    return "unknown"


def sized_image(
    compressed_mb: float,
    *,
    layers: int = 8,
    base_share: float = 0.7,
    unpacked_mb: float | None = None,
    runtime: str = "unknown",
    name: str = "image",
) -> Image:
    """An image of which only the size is known, to ask for pulls and starts.

    The lowest layer has half the bytes of the base, the other layers share the rest evenly.

    Parameters: compressed_mb, as registries state it; layers; base_share of the bytes that the
    base image has; unpacked_mb, by default the usual ratio; runtime, what runs in it.
    Returns: Image.
    Raises: ModelError for a size that is not above 0, fewer than 2 layers, or a share out of 0..1.
    """
    if not 0 < compressed_mb <= _MOST_MB or layers < 2 or not 0 <= base_share <= 1:
        told = f"{compressed_mb} MB in {layers} layers, {base_share} of it base"
        raise ModelError(f"{told}, expected more than 0 MB, 2 layers and a share of 0 to 1.")
    below = max(1, min(layers - 1, round(base_share * layers)))
    first = base_share / 2 if below > 1 else base_share
    shares = [first, *[(base_share - first) / max(below - 1, 1)] * (below - 1)]
    shares += [(1 - base_share) / (layers - below)] * (layers - below)
    ratio = of_images("image", "compression").figure
    found = [_sized(name, at, compressed_mb * share, at < below) for at, share in enumerate(shares)]
    if unpacked_mb is not None:
        exact = unpacked_mb / compressed_mb
        ratio = as_interval(exact)
    return Image(
        name=name,
        layers=tuple(replace(x, unpacked_mb=ratio * x.compressed_mb.value) for x in found),
        steps=(),
        dockerfile=Dockerfile(
            file=name, stages=(Stage(index=0, line=0, base="scratch"),), target=0
        ),
        context=None,
        runtime=runtime,
        assumptions=(of_images("image", "compression").assumption,),
    )


_MOST_MB = 1e6


def _sized(name: str, at: int, size: float, of_base: bool) -> Layer:
    told = f"layer {at + 1}"
    exact = as_interval(size)
    digest = _digest("base" if of_base else name, str(at), f"{size:.6f}")
    return Layer(digest, exact, exact, told, of_base, 0)
