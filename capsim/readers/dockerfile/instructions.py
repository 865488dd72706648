"""One logical line to an instruction: flags, shell and JSON form, and what each keyword asks.

Rules: Dockerfile reference (docs.docker.com, 2025).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from capsim import units
from capsim.errors import clip, nearest
from capsim.readers.dockerfile.lines import Logical, Refused, raw_words
from capsim.readers.dockerfile.variables import Replacer
from capsim.scenario.dockerfile import Instruction

KEYWORDS = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
]
#: Docker replaces variables in these; in the others the container's shell does.
_REPLACED = frozenset(
    ["ADD", "COPY", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"]
)
_JSON_FORMS = frozenset(["ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"])
_FLAGS = {
    "ADD": "keep-git-dir checksum chown chmod link exclude unpack",
    "COPY": "from chown chmod link parents exclude",
    "FROM": "platform",
    "HEALTHCHECK": "interval timeout start-period start-interval retries",
    "RUN": "mount network security device",
}
_PORT = re.compile(r"(\d+)(?:-(\d+))?(?:/(?:tcp|udp|sctp))?", re.IGNORECASE | re.ASCII)
_NO_TRIGGER = ("ONBUILD", "FROM", "MAINTAINER")


def keyword_of(logical: Logical) -> tuple[str, str]:
    """The keyword in capitals, and what stands behind it.

    Raises: Refused for a keyword that Docker does not know, with the nearest it does.
    """
    parts = logical.text.split(None, 1)
    word, rest = parts[0], parts[1] if len(parts) > 1 else ""
    keyword = word.upper()
    if keyword not in KEYWORDS:
        hint = nearest(keyword, KEYWORDS)
        raise Refused(logical.line, f"the instruction {clip(word)}", f"one Docker knows{hint}")
    return keyword, rest


def parse(
    logical: Logical, replace: Replacer, environment: dict[str, str], *, trigger: bool = False
) -> Instruction:
    """An instruction other than FROM and ARG, checked, its variables replaced.

    Parameters: replace, the variables as of this line; environment, what a RUN's shell sees.
    Raises: Refused with what is wrong.
    """
    keyword, rest = keyword_of(logical)
    flags, rest = _flags(keyword, rest, logical.line)
    if not rest and keyword != "SHELL":
        raise Refused(logical.line, f"{keyword} without arguments", f"{keyword} and what it needs")
    words, is_json = _words(keyword, rest)
    if keyword in _REPLACED:
        flags = [(name, replace(value)) for name, value in flags]
        if not is_json:
            rest = replace(rest, keep_quotes=True)
        words = [replace(word) for word in (words if is_json else raw_words(rest))]
    found = Instruction(
        line=logical.line,
        keyword=keyword,
        text=" ".join(rest.split()) if keyword != "RUN" else rest,
        words=tuple(words),
        json_form=is_json,
        flags=tuple(flags),
        heredocs=tuple(logical.heredocs),
        environment=environment if keyword == "RUN" else {},
        trigger=trigger,
    )
    _CHECKS.get(keyword, _no_check)(found)
    return found


def _flags(keyword: str, rest: str, line: int) -> tuple[list[tuple[str, str]], str]:
    known = _FLAGS.get(keyword, "").split()
    flags: list[tuple[str, str]] = []
    while rest.startswith("--"):
        word = raw_words(rest)[0]
        rest = rest[len(word) :].lstrip()
        if word == "--":
            break
        name, _, value = word[2:].partition("=")
        if name not in known:
            expected = nearest(name, known) if known else " (it has none)"
            raise Refused(line, f"the flag --{name} of {keyword}", f"one it has{expected}")
        flags.append((name, value.strip("\"'")))
    return flags, rest


def _words(keyword: str, rest: str) -> tuple[list[str], bool]:
    """The JSON form where the text is a JSON list of texts, else the text split at spaces."""
    if keyword in _JSON_FORMS and rest.startswith("["):
        try:
            listed = json.loads(rest)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list) and all(isinstance(word, str) for word in listed):
            return listed, True
    return raw_words(rest), False


def pairs(found: Instruction) -> dict[str, str]:
    """Names and values of an ENV or LABEL: `a=1 b=2`, or `a 1` as it once was.

    Raises: Refused where neither form holds.
    """
    first = found.words[0]
    if "=" not in first:
        if len(found.words) < 2:
            raise Refused(found.line, f"{found.keyword} {clip(first)}", "name=value")
        return {first: " ".join(found.words[1:])}
    named = [word.partition("=") for word in found.words]
    for name, sign, _ in named:
        if not sign or not name:
            raise Refused(found.line, f"{found.keyword} {clip(name)}", "name=value")
    return {name: value for name, _, value in named}


def _no_check(found: Instruction) -> None:
    """Any arguments will do."""


def _check_pairs(found: Instruction) -> None:
    pairs(found)


def _check_copy(found: Instruction) -> None:
    if len(found.words) < 2:
        raise Refused(found.line, f"{found.keyword} of one path", "what to copy and where to")


def _check_shell(found: Instruction) -> None:
    if not found.json_form or not found.words:
        raise Refused(found.line, "SHELL in shell form", 'a JSON list such as ["/bin/sh", "-c"]')


def _check_ports(found: Instruction) -> None:
    for word in found.words:
        match = _PORT.fullmatch(word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (-1, -1)
        if not 0 <= first <= last <= 65535:
            raise Refused(found.line, f"the port {clip(word)}", "a port such as 5000 or 53/udp")


def _check_health(found: Instruction) -> None:
    if found.words[0].upper() not in ("NONE", "CMD"):
        raise Refused(found.line, f"HEALTHCHECK {clip(found.words[0])}", "NONE, or CMD and command")
    for name, value in found.flags:
        try:
            wrong = int(value) < 0 if name == "retries" else units.parse_duration(value) < 0
        except ValueError:
            wrong = True
        if wrong:
            expected = "a number" if name == "retries" else "a duration such as 30s"
            raise Refused(found.line, f"--{name}={clip(value)}", expected)


def _check_trigger(found: Instruction) -> None:
    keyword, _ = keyword_of(Logical(found.line, found.text))
    if keyword in _NO_TRIGGER:
        raise Refused(found.line, f"ONBUILD {keyword}", "an instruction of a build, such as RUN")


_CHECKS: dict[str, Callable[[Instruction], None]] = {
    "ENV": _check_pairs,
    "LABEL": _check_pairs,
    "COPY": _check_copy,
    "ADD": _check_copy,
    "SHELL": _check_shell,
    "EXPOSE": _check_ports,
    "HEALTHCHECK": _check_health,
    "ONBUILD": _check_trigger,
}
