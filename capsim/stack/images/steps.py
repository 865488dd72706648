"""What each instruction adds to an image and takes at build: bytes and seconds, as ranges."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from capsim.readers.dockerfile.context import path_pattern
from capsim.scenario import Assumption
from capsim.scenario.dockerfile import BuildContext, ContextFile, Instruction
from capsim.stack.images import packages
from capsim.stack.images.commands import Command, commands, removes
from capsim.stack.images.packages import Installed
from capsim.stack.images.parameters import of_images
from capsim.stack.interval import Interval, as_interval

MB = 1e6
#: Instructions that change the file system; the others only write into the configuration.
LAYER_KEYWORDS = ("ADD", "COPY", "RUN", "WORKDIR")
NOTHING = as_interval(0.0)
#: Files that name packages and seldom change; everything else in a context is source.
_MANIFESTS = [
    "*requirements*.txt", "requirements*.in", "package.json", "package-lock.json",
    "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "pyproject.toml", "poetry.lock",
    "uv.lock", "pdm.lock", "Pipfile", "Pipfile.lock", "setup.py", "setup.cfg", "go.mod",
    "go.sum", "Cargo.toml", "Cargo.lock", "pom.xml", "build.gradle*", "settings.gradle*",
    "gradlew", "Gemfile", "Gemfile.lock", "composer.json", "composer.lock", "*.csproj", "*.sln",
    ".npmrc", ".yarnrc*",
]  # fmt: skip
_COMPRESSED = (".gz", ".zip", ".jar", ".whl", ".png", ".jpg", ".mp4", ".xz", ".zst", ".bz2", ".7z")


@dataclass
class Added:
    """What one instruction adds."""

    unpacked_mb: Interval = NOTHING
    compressed_mb: Interval = NOTHING
    build_s: Interval = NOTHING
    what: str = ""
    assumptions: list[Assumption] = field(default_factory=list)
    kept_cache_mb: Interval = NOTHING
    """Of it: caches and lists that nobody needs."""
    commands: list[Command] = field(default_factory=list)

    def take(self, unpacked: Interval, compressed: Interval, seconds: Interval) -> None:
        """Add some more."""
        self.unpacked_mb += unpacked
        self.compressed_mb += compressed
        self.build_s += seconds

    def guess(self, name: str, count: float = 1.0) -> Interval:
        """A parameter of images.csv, noted as an assumption."""
        found = of_images("build", name)
        self.assumptions.append(found.assumption)
        return found.figure * count


def added_by(instruction: Instruction, context: BuildContext | None) -> Added:
    """Bytes and seconds of an instruction; of a COPY from a stage see `image`."""
    if instruction.keyword == "RUN":
        return _run(instruction, context)
    if instruction.keyword in ("COPY", "ADD"):
        return _copy(instruction, context)
    if instruction.keyword == "WORKDIR":
        tiny = as_interval(0.001)
        return Added(tiny, tiny, of_images("build", "step").figure * 0.2, "folder")
    return Added(what="configuration")


def _run(instruction: Instruction, context: BuildContext | None) -> Added:
    text = " ".join(instruction.words) if instruction.json_form else instruction.command
    added = Added(build_s=of_images("build", "step").figure)
    added.commands = commands(text, instruction.environment)
    told = []
    for command in added.commands:
        rule = _RULES.get(command.kind)
        if rule is not None:
            told.append(rule(added, command, instruction, context))
    _keep_lists(added, instruction)
    added.what = ", ".join(dict.fromkeys(filter(None, told))) or "commands"
    return added


def _install(added: Added, found: Installed, manager: str, seconds_each: Interval) -> str:
    down = of_images("build", "download").figure
    write = of_images("build", "install rate").figure
    took = found.download_mb / down + found.unpacked_mb / write + seconds_each * found.packages
    added.take(found.unpacked_mb, found.compressed_mb, took)
    for name in found.unknown:
        known = (
            packages.unmeasured(name)
            if manager == "pip"
            else of_images("build", f"unknown {manager} package")
        )
        added.assumptions.append(
            known.assumption.model_copy(update={"name": f"{manager} package {name}"})
        )
    count = round(found.packages.value)
    return f"{manager}: {count} package{'' if count == 1 else 's'}"


def _pip(
    added: Added, command: Command, instruction: Instruction, context: BuildContext | None
) -> str:
    names = list(command.packages)
    unread = []
    for file in command.files:
        listed = _requirements(file, context)
        if listed is None:
            unread.append(f"pip: packages of {file}, which was not read")
            count = added.guess("pip packages")
            each = of_images("build", "unknown pip package").figure
            added.take(
                each * count, each * count * 0.4, of_images("build", "pip package").figure * count
            )
        else:
            names += listed
    told = ""
    if names:
        each = of_images("build", "pip package").figure
        told = _install(added, packages.pip(names), "pip", each)
    no_cache = "--no-cache-dir" in command.options
    no_cache |= instruction.environment.get("PIP_NO_CACHE_DIR", "").lower() in (
        "1",
        "true",
        "on",
        "yes",
    )
    if names and not (no_cache or _cache_mounted(instruction) or command.words[0] == "uv"):
        _keep(added, packages.pip(names).download_mb)
    return ", ".join(filter(None, (told, *unread)))


def _requirements(file: str, context: BuildContext | None) -> tuple[str, ...] | None:
    """The packages of a requirements file: by its path, or else its name alone."""
    if context is None:
        return None
    plain = file.lstrip("./")
    by_name = {path.rsplit("/", 1)[-1]: names for path, names in context.requirements.items()}
    return context.requirements.get(plain, by_name.get(plain.rsplit("/", 1)[-1]))


def _cache_mounted(instruction: Instruction) -> bool:
    mounts = [value for name, value in instruction.flags if name == "mount"]
    return any("type=cache" in mount for mount in mounts)


def _keep(added: Added, size: Interval) -> None:
    """A cache stays in the layer: compressed already."""
    added.take(size, size, NOTHING)
    added.kept_cache_mb += size


def _keep_lists(added: Added, instruction: Instruction) -> None:
    updates = any(command.kind == "apt-update" for command in added.commands)
    if (
        updates
        and not removes(added.commands, "/var/lib/apt/lists")
        and not _cache_mounted(instruction)
    ):
        _keep(added, of_images("build", "apt lists").figure)


def _apt(added: Added, command: Command, *_: object) -> str:
    recommends = not {"--no-install-recommends"} & command.options
    found = packages.apt(command.packages, recommends=recommends)
    return _install(added, found, "apt", of_images("build", "apt package").figure)


def _apt_update(added: Added, *_: object) -> str:
    added.take(NOTHING, NOTHING, of_images("build", "apt update").figure)
    return ""


def _apk(added: Added, command: Command, *_: object) -> str:
    return _install(added, packages.apk(command.packages), "apk", Interval(0.1, 0.03, 0.4))


def _npm(added: Added, command: Command, _: object, context: BuildContext | None) -> str:
    direct = len(command.packages) or None
    if direct is None and context is not None and context.node_packages:
        direct = max(context.node_packages.values())
    if direct is None:
        added.guess("npm packages")
    added.guess("npm package")
    return _install(added, packages.npm(direct), "npm", of_images("build", "npm time").figure)


def _compile(added: Added, *_: object) -> str:
    size, ratio = added.guess("compiled program"), of_images("image", "compression").figure
    added.take(size, size * (1 / ratio.value), added.guess("compile"))
    return "compiled program"


def _fetch(added: Added, *_: object) -> str:
    size = added.guess("fetched file")
    added.take(size, size * 0.8, size / of_images("build", "download").figure)
    return "fetched file"


def _other(added: Added, command: Command, *_: object) -> str:
    size = added.guess("any command")
    added.take(size, size * 0.5, added.guess("any command time"))
    return command.words[0][:20]


_Rule = Callable[[Added, Command, Instruction, BuildContext | None], str]
_RULES: dict[str, _Rule] = {
    "pip": _pip,
    "apt": _apt,
    "apt-update": _apt_update,
    "apk": _apk,
    "npm": _npm,
    "compile": _compile,
    "fetch": _fetch,
    "other": _other,
}


def _copy(instruction: Instruction, context: BuildContext | None) -> Added:
    step = of_images("build", "step").figure
    if instruction.heredocs:
        written = sum(len(each.content.encode()) for each in instruction.heredocs) / MB
        return Added(as_interval(written), as_interval(written), step, "text in the Dockerfile")
    added = Added(build_s=step)
    paths = instruction.words[:-1]
    if any("://" in path or path.startswith("git@") for path in paths):
        added.what = _fetch(added)
        return added
    if context is None:
        size = added.guess("source")
        added.take(size, size * (1 / of_images("source", "compression").figure.value), NOTHING)
        added.what = "source (no folder read)"
        return added
    files = copied(instruction, context)
    whole = sum(file.size_bytes for file in files) / MB
    packed = sum(file.size_bytes for file in files if file.path.endswith(_COMPRESSED)) / MB
    ratio = of_images("source", "compression").figure
    small = (whole - packed) / ratio
    added.take(as_interval(whole), small + as_interval(packed), NOTHING)
    added.what = f"{len(files):,} file{'' if len(files) == 1 else 's'}"
    return added


def copied(instruction: Instruction, context: BuildContext) -> list[ContextFile]:
    """The files of the context that a COPY or ADD takes."""
    chosen: dict[str, ContextFile] = {}
    for source in instruction.words[:-1]:
        plain = source.lstrip("/").removeprefix("./").rstrip("/")
        if plain in ("", "."):
            return list(context.files)
        pattern = path_pattern(plain)
        chosen |= {file.path: file for file in context.files if pattern.fullmatch(file.path)}
    return list(chosen.values())


def makes_layer(instruction: Instruction | None) -> bool:
    """Whether an instruction changes the file system."""
    return instruction is not None and instruction.keyword in LAYER_KEYWORDS


def is_manifest(path: str) -> bool:
    """Whether a path names packages (requirements.txt, package.json, ...) and is no source."""
    name = path.rstrip("/").rsplit("/", 1)[-1]
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _MANIFESTS)


def copies_source(instruction: Instruction) -> bool:
    """Whether a COPY or ADD brings source in, not just what names the packages."""
    if instruction.keyword not in ("COPY", "ADD") or instruction.flag("from") is not None:
        return False
    return not instruction.heredocs and any(
        not is_manifest(p) for p in _local(instruction.words[:-1])
    )


def copies_manifest(instruction: Instruction) -> bool:
    """Whether a COPY or ADD brings in what names the packages, and no source."""
    own = instruction.keyword in ("COPY", "ADD") and instruction.flag("from") is None
    return (
        own and not instruction.heredocs and all(map(is_manifest, _local(instruction.words[:-1])))
    )


def _local(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if "://" not in path]
