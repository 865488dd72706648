"""A Dockerfile as it was read: stages of instructions, and the folder that it is built in."""

from __future__ import annotations

from pydantic import Field

from capsim.scenario.spec import Spec


class Heredoc(Spec):
    """A text that stands in the Dockerfile itself, behind `<<NAME`."""

    name: str
    content: str
    expand: bool = True
    """Whether variables in it are replaced: not where the name was quoted."""


class Instruction(Spec):
    """One instruction, with its variables replaced where Docker replaces them."""

    line: int
    """The line it begins on."""
    keyword: str
    """In capitals: "RUN", "COPY", ..."""
    text: str
    """What stands behind keyword and flags, on one line."""
    words: tuple[str, ...] = ()
    """The arguments: of the JSON form, or split at spaces."""
    json_form: bool = False
    flags: tuple[tuple[str, str], ...] = ()
    """--name=value, in order; a flag may come several times (--mount)."""
    heredocs: tuple[Heredoc, ...] = ()
    environment: dict[str, str] = {}
    """Of a RUN: the variables its shell sees."""
    trigger: bool = False
    """Comes from ONBUILD of the image below."""

    def flag(self, name: str) -> str | None:
        """The value of a flag, None where it is not there."""
        return next((value for key, value in self.flags if key == name), None)

    @property
    def command(self) -> str:
        """What a RUN hands to its shell: its text, or the script behind `<<EOF`."""
        return "\n".join([self.text, *(each.content for each in self.heredocs)])


class Stage(Spec):
    """FROM and what follows it."""

    index: int
    line: int
    base: str
    """The image it is built on, or the name of the stage."""
    base_stage: int | None = None
    """The stage it is built on; None: an image."""
    name: str = ""
    platform: str = ""
    instructions: tuple[Instruction, ...] = ()


class Dockerfile(Spec):
    """All stages in order; the last one is built unless a target is named."""

    file: str
    stages: tuple[Stage, ...] = Field(min_length=1)
    target: int
    """The stage that becomes the image."""
    escape: str = "\\"
    syntax: str = ""
    remarks: tuple[str, ...] = ()
    """What was assumed, and what Docker would warn of."""

    @property
    def needed(self) -> tuple[int, ...]:
        """The stages that the target needs, itself included; Docker builds no others."""
        found: set[int] = set()
        waiting = [self.target]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting += self._below(self.stages[index])
        return tuple(sorted(found))

    def _below(self, stage: Stage) -> list[int]:
        below = [stage.base_stage] if stage.base_stage is not None else []
        for each in stage.instructions:
            below += [i for i in map(self.stage_of, sources(each)) if i is not None]
        return below

    def stage_of(self, name: str) -> int | None:
        """The stage of this name or number, None where it is an image."""
        if name.isdecimal() and int(name) < len(self.stages):
            return int(name)
        wanted = name.lower()
        named = (stage.index for stage in self.stages if stage.name == wanted and wanted)
        return next(named, None)


def sources(instruction: Instruction) -> list[str]:
    """Stages or images that an instruction reads files from."""
    found = [value for name, value in instruction.flags if name == "from"]
    mounts = (value for name, value in instruction.flags if name == "mount")
    for mount in mounts:
        options = dict(part.partition("=")[::2] for part in mount.split(","))
        found += [options["from"]] if options.get("from") else []
    return found


class ContextFile(Spec):
    """A file of the build context."""

    path: str
    """Relative, with slashes."""
    size_bytes: int = Field(ge=0)


class BuildContext(Spec):
    """The folder that is sent to the builder, without what .dockerignore leaves out."""

    folder: str
    files: tuple[ContextFile, ...] = ()
    has_ignore_file: bool = False
    ignored_files: int = 0
    ignored_bytes: int = 0
    requirements: dict[str, tuple[str, ...]] = {}
    """Packages named in each requirements file, by its path."""
    node_packages: dict[str, int] = {}
    """Direct dependencies in each package.json, by its path."""

    @property
    def size_bytes(self) -> int:
        """Of all files that are sent."""
        return sum(file.size_bytes for file in self.files)
