"""Instructions to stages: FROM, ARG and ENV in their scopes, names, references, the target."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field

from capsim.errors import clip, nearest
from capsim.readers.dockerfile.instructions import keyword_of, pairs, parse
from capsim.readers.dockerfile.lines import Directives, Logical, Refused, raw_words
from capsim.readers.dockerfile.variables import Replacer
from capsim.scenario.dockerfile import Dockerfile, Instruction, Stage, sources

#: What Docker sets by itself for a build on and for x86 Linux; a stage has to name them.
PLATFORM_ARGS = {
    "TARGETPLATFORM": "linux/amd64",
    "TARGETOS": "linux",
    "TARGETARCH": "amd64",
    "TARGETVARIANT": "",
    "BUILDPLATFORM": "linux/amd64",
    "BUILDOS": "linux",
    "BUILDARCH": "amd64",
    "BUILDVARIANT": "",
}
_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_SCRATCH = "scratch"
#: Bare names that are images of Docker's own library as well as likely names of stages.
_LIBRARY = frozenset(
    [
        "alpine",
        "amazoncorretto",
        "busybox",
        "clojure",
        "debian",
        "eclipse-temurin",
        "elasticsearch",
        "fedora",
        "golang",
        "gradle",
        "haproxy",
        "httpd",
        "mariadb",
        "maven",
        "memcached",
        "mongo",
        "mysql",
        "nginx",
        "node",
        "openjdk",
        "perl",
        "php",
        "postgres",
        "python",
        "rabbitmq",
        "redis",
        "ruby",
        "rust",
        "tomcat",
        "ubuntu",
        "wordpress",
    ]
)


#: Variables that change what a RUN leaves behind without being named in it.
_QUIET = ("PIP_NO_CACHE_DIR",)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _seen(logical: Logical, values: Mapping[str, str]) -> dict[str, str]:
    """Those variables that a RUN's text names."""
    text = "\n".join([logical.text, *(each.content for each in logical.heredocs)])
    named = _WORD.findall(text) if "$" in text else []
    return {name: values[name] for name in (*named, *_QUIET) if name in values}


@dataclass
class _Open:
    """A stage that is being read."""

    stage: Stage
    args: dict[str, str]
    env: dict[str, str]
    instructions: list[Instruction] = field(default_factory=list)

    values: ChainMap[str, str] = field(init=False)
    """ENV wins over ARG."""

    def __post_init__(self) -> None:
        self.values = ChainMap(self.env, self.args)


class StageReader:
    """Reads logical lines one by one; `problems` holds what was wrong with each."""

    def __init__(self, directives: Directives, given: Mapping[str, str]) -> None:
        self.directives, self.given = directives, given
        self.stages: list[_Open] = []
        self.globals: dict[str, str] = {}
        self.problems: list[Refused] = []
        self.remarks: list[str] = []
        self._declared: set[str] = set()

    def read(self, lines: list[Logical]) -> None:
        """All lines; a line that is wrong is noted and left out."""
        for logical in lines:
            try:
                self._one(logical)
            except Refused as problem:
                self.problems.append(problem)

    def _one(self, logical: Logical) -> None:
        keyword, rest = keyword_of(logical)
        if keyword == "FROM":
            self._from(logical, rest)
        elif keyword == "ARG":
            self._arg(logical, rest)
        elif not self.stages:
            raise Refused(logical.line, f"{keyword} before the first FROM", "FROM or ARG")
        else:
            self._instruction(self.stages[-1], logical)

    def _replacer(self, values: Mapping[str, str], line: int) -> Replacer:
        return Replacer(values, line, self.directives.escape)

    def _arg(self, logical: Logical, rest: str) -> None:
        if not rest:
            raise Refused(logical.line, "ARG without a name", "ARG name or ARG name=default")
        here = self.stages[-1] if self.stages else None
        for word in raw_words(rest):
            values = here.values if here else {**PLATFORM_ARGS, **self.globals}
            name, sign, default = word.partition("=")
            name, value = name.strip("\"'"), self._replacer(values, logical.line)(default)
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise Refused(logical.line, f"ARG {clip(word)}", "ARG name or ARG name=default")
            self._declared.add(name)
            known = {**PLATFORM_ARGS, **self.globals} if here else PLATFORM_ARGS
            default_of = {**({name: known[name]} if name in known else {})}
            if sign:
                default_of[name] = value
            if name in self.given:
                default_of[name] = self.given[name]
            (here.args if here else self.globals).update(default_of)

    def _from(self, logical: Logical, rest: str) -> None:
        replace = self._replacer({**PLATFORM_ARGS, **self.globals}, logical.line)
        words = [replace(word) for word in raw_words(rest)]
        platform = ""
        while words and words[0].startswith("--"):
            name, _, platform = words.pop(0)[2:].partition("=")
            if name != "platform":
                raise Refused(logical.line, f"the flag --{name} of FROM", "--platform")
        named = len(words) == 3 and words[1].upper() == "AS"
        if not (len(words) == 1 or named) or not words[0]:
            found = clip(f"FROM {' '.join(words)}")
            raise Refused(logical.line, found, "FROM image, or FROM image AS name")
        name = words[2].lower() if named else ""
        if name and not _STAGE_NAME.fullmatch(name):
            raise Refused(
                logical.line, f"the stage name {clip(words[2])}", "a-z, then a-z 0-9 _ . -"
            )
        self._open(logical, words[0], name, platform)

    def _open(self, logical: Logical, base: str, name: str, platform: str) -> None:
        below = self._named(base)
        stage = Stage(
            index=len(self.stages),
            line=logical.line,
            base=base,
            base_stage=below.stage.index if below else None,
            name=name,
            platform=platform,
        )
        self.stages.append(_Open(stage, {}, dict(below.env) if below else {}))
        triggers = (
            [each for each in below.instructions if each.keyword == "ONBUILD"] if below else []
        )
        for each in triggers:
            line = Logical(logical.line, each.text, list(each.heredocs))
            self._instruction(self.stages[-1], line, trigger=True)

    def _named(self, name: str) -> _Open | None:
        same = [each for each in self.stages if each.stage.name == name.lower() and name]
        return same[-1] if same else None

    def _instruction(self, here: _Open, logical: Logical, *, trigger: bool = False) -> None:
        keyword, _ = keyword_of(logical)
        values = here.values
        replace = self._replacer(values, logical.line)
        seen = _seen(logical, values) if keyword == "RUN" else {}
        found = parse(logical, replace, seen, trigger=trigger)
        if keyword == "ENV":
            here.env.update(pairs(found))
        for source in sources(found):
            self._check_source(here, source, logical.line)
        here.instructions.append(found)

    def _check_source(self, here: _Open, source: str, line: int) -> None:
        """--from names an earlier stage or an image; a number is always a stage."""
        if source.isdecimal() and int(source) >= here.stage.index:
            raise Refused(line, f"--from={source[:20]}", "the number of an earlier stage")
        if source.lower() == here.stage.name and source:
            raise Refused(line, f"stage {source!r} that copies from itself", "an earlier stage")

    def _check_loops(self) -> None:
        """A stage can only stand on an earlier one; its own or a later name must be an image."""
        names = {each.stage.name: each.stage for each in reversed(self.stages) if each.stage.name}
        for here in self.stages:
            wanted = [here.stage.base] if here.stage.base_stage is None else []
            places = [(name, here.stage.line) for name in wanted]
            places += [(s, i.line) for i in here.instructions for s in sources(i)]
            for name, line in places:
                meant = names.get(name.lower())
                if meant is None or meant.index < here.stage.index:
                    continue
                if name.lower() in _LIBRARY:
                    self.remarks.append(
                        f"Line {line}: {name!r} is taken for the image, not for the stage of that "
                        f"name (line {meant.line})."
                    )
                    continue
                itself = "itself" if meant.index == here.stage.index else "a later stage"
                found = f"stage {name!r} built on {itself} (line {meant.line}), a loop"
                self.problems.append(Refused(line, found, "an earlier stage or an image"))

    def finished(self, file: str, target: str | int | None, last_line: int) -> Dockerfile | None:
        """The Dockerfile, or None where something was wrong (see `problems`)."""
        if not self.stages and not self.problems:
            self.problems.append(Refused(last_line, "no FROM", "at least one build stage"))
        self._check_loops()
        if self.problems or not self.stages:
            return None
        self._remark_args()
        stages = tuple(
            each.stage.model_copy(update={"instructions": tuple(each.instructions)})
            for each in self.stages
        )
        return Dockerfile(
            file=file,
            stages=stages,
            target=self._target(target),
            escape=self.directives.escape,
            syntax=self.directives.syntax,
            remarks=tuple(self.remarks),
        )

    def _remark_args(self) -> None:
        unused = sorted(set(self.given) - self._declared)
        if unused:
            self.remarks.append(f"Build arguments that no ARG names: {', '.join(unused)}.")

    def _target(self, target: str | int | None) -> int:
        if target is None:
            return len(self.stages) - 1
        if str(target).isdecimal() and int(target) < len(self.stages):
            return int(target)
        named = self._named(str(target))
        if named is None:
            names = [each.stage.name for each in self.stages if each.stage.name]
            raise Refused(
                0, f"the target {target!r}", f"a stage of the file{nearest(str(target), names)}"
            )
        return named.stage.index
