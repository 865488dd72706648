"""What would make an image smaller or its build quicker, read off its own steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from capsim.stack.images.result import Image, Step
from capsim.stack.images.steps import copies_source

_INSTALLS = ("pip", "npm", "apt", "apk")
_TOOLS = ("build-essential", "gcc", "g++", "make", "cmake", "default-jdk-headless", "git")
_HEAVY_FOLDERS = (".git/", "node_modules/", ".venv/", "venv/", "__pycache__/")

Found = tuple[float, str]
"""Weight for the order (MB saved, or MB for each 10 seconds), sentence."""


def advice(image: Image) -> tuple[str, ...]:
    """One sentence for each thing worth changing, the largest gain first."""
    found = [each for rule in _RULES for each in rule(image)]
    return tuple(text for _, text in sorted(found, key=lambda each: -each[0]))


def _installs_after_source(image: Image) -> Iterator[Found]:
    """Packages are installed again for every change of the source."""
    source: dict[int, int] = {}
    for step in image.steps:
        if step.instruction is None:
            continue
        if copies_source(step.instruction):
            source.setdefault(step.stage, step.line)
        made = [c.kind for c in step.added.commands if c.kind in _INSTALLS]
        if made and step.stage in source:
            seconds = step.added.build_s.value
            yield (
                seconds / 10,
                f"Line {step.line}: packages are installed anew with every change of the source, "
                f"about {seconds:.0f} s; copy what names them (requirements.txt, package.json) and "
                f"install before line {source[step.stage]}.",
            )


def _kept_caches(image: Image) -> Iterator[Found]:
    lines = {layer.line for layer in image.layers}
    for step in image.steps:
        kept = step.added.kept_cache_mb.value
        if kept > 0.5 and step.line in lines:
            apt = any(command.kind == "apt-update" for command in step.added.commands)
            how = "rm -rf /var/lib/apt/lists/* in the same RUN" if apt else "pip --no-cache-dir"
            yield (
                kept,
                f"Line {step.line}: about {kept:.0f} MB of caches stay in the layer; {how}, or a "
                "cache mount, leaves them out.",
            )


def _removed_later(image: Image) -> Iterator[Found]:
    for step in _runs(image):
        kinds = {command.kind for command in step.added.commands}
        if "rm" in kinds and kinds <= {"rm", "light"}:
            yield (
                0.5,
                f"Line {step.line}: what a later RUN removes stays in the layer below; remove it "
                "in the RUN that made it.",
            )


def _copied_up(image: Image) -> Iterator[Found]:
    for step in _runs(image):
        size = step.added.unpacked_mb.value
        if any(command.kind == "chown" for command in step.added.commands) and size > 0.5:
            yield (
                size / 3,
                f"Line {step.line}: changing owner or mode of copied files stores {size:.0f} MB a "
                "second time; COPY --chown or --chmod does not.",
            )


def _recommended(image: Image) -> Iterator[Found]:
    for step in _runs(image):
        for command in step.added.commands:
            if command.kind == "apt" and "--no-install-recommends" not in command.options:
                saved = step.added.compressed_mb.value / 3
                yield (
                    saved,
                    f"Line {step.line}: apt-get installs recommended packages too, about "
                    f"{saved:.0f} MB; --no-install-recommends leaves them out.",
                )


def _build_tools(image: Image) -> Iterator[Found]:
    lines = {layer.line for layer in image.layers}
    for step in _runs(image):
        named = {p for c in step.added.commands if c.kind == "apt" for p in c.packages}
        tools = sorted(named & set(_TOOLS))
        if tools and step.line in lines:
            yield (
                step.added.compressed_mb.value,
                f"Line {step.line}: {', '.join(tools)} stay in the image, about "
                f"{step.added.compressed_mb.value:.0f} MB; build in a stage of its own and copy "
                "the result.",
            )


def _heavy_context(image: Image) -> Iterator[Found]:
    if image.context is None:
        return
    for folder in _HEAVY_FOLDERS:
        inside = [f.size_bytes for f in image.context.files if f"/{folder}" in f"/{f.path}"]
        if sum(inside) > 1e6:
            size = sum(inside) / 1e6
            yield (
                size,
                f"{folder} is sent to the builder, {size:.0f} MB; name it in .dockerignore.",
            )


def _unpinned(image: Image) -> Iterator[Found]:
    for index in image.dockerfile.needed:
        stage = image.dockerfile.stages[index]
        bare = ":" not in stage.base.rsplit("/", 1)[-1] and stage.base != "scratch"
        if stage.base_stage is None and (bare or stage.base.endswith(":latest")):
            yield (
                0.1,
                f"Line {stage.line}: {stage.base} has no fixed tag; what is built, and whether "
                "nodes have its layers, changes with it.",
            )


def _runs(image: Image) -> list[Step]:
    runs = (step for step in image.steps if step.instruction is not None)
    return [step for step in runs if step.instruction and step.instruction.keyword == "RUN"]


_RULES: tuple[Callable[[Image], Iterator[Found]], ...] = (
    _installs_after_source,
    _kept_caches,
    _removed_later,
    _copied_up,
    _recommended,
    _build_tools,
    _heavy_context,
    _unpinned,
)
