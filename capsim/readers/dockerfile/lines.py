"""Dockerfile text to logical lines: directives, comments, continuations, heredocs.

Rules: Dockerfile reference, "Parser directives", "Escape", "Here-documents" (docs.docker.com,
2025), as BuildKit's parser applies them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from capsim.scenario.dockerfile import Heredoc

_DIRECTIVE = re.compile(r"^#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_DIRECTIVES = ("syntax", "escape", "check")
_HEREDOC = re.compile(r"^\d*<<(-?)([^<\s]+)$")
_TAKES_HEREDOC = re.compile(r"^\s*(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s", re.IGNORECASE)


class Refused(Exception):
    """What is wrong with a line: its number, what was found, what was expected."""

    def __init__(self, line: int, found: str, expected: str) -> None:
        super().__init__(found)
        self.line, self.found, self.expected = line, found, expected


@dataclass
class Logical:
    """One instruction as text, on one line, with the texts behind its `<<NAME`."""

    line: int
    text: str
    heredocs: list[Heredoc] = field(default_factory=list)


@dataclass
class Directives:
    """What the first lines say about the file."""

    syntax: str = ""
    escape: str = "\\"
    seen: tuple[str, ...] = ()


def logical_lines(text: str) -> tuple[Directives, list[Logical]]:
    """The directives and the instructions of a Dockerfile.

    Raises: Refused for a directive that is wrong, or a heredoc that never ends.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    directives, first = _directives(lines)
    return directives, list(_joined(lines, first, directives.escape))


def _directives(lines: list[str]) -> tuple[Directives, int]:
    found = Directives()
    for at, line in enumerate(lines):
        match = _DIRECTIVE.match(line.strip())
        if match is None or match[1].lower() not in _DIRECTIVES:
            return found, at
        name, value = match[1].lower(), match[2]
        if name in found.seen:
            raise Refused(at + 1, f"a second {name} directive", "one at most")
        if name == "escape" and value not in ("\\", "`"):
            raise Refused(at + 1, f"escape={value!r}", "a backslash or a backtick")
        found.escape = value if name == "escape" else found.escape
        found.syntax = value if name == "syntax" else found.syntax
        found.seen = (*found.seen, name)
    return found, len(lines)


def _joined(lines: list[str], at: int, escape: str) -> Iterator[Logical]:
    sign = re.escape(escape)
    # A sign at the end of a line continues it, unless it is escaped itself.
    continued = re.compile(rf"(?:^|(?<!{sign})){sign}[ \t]*$")
    while at < len(lines):
        begin, more = at, True
        parts: list[str] = []
        while more and at < len(lines):
            line, at = lines[at], at + 1
            if line.lstrip().startswith("#") or (parts and not line.strip()):
                continue
            cut = continued.search(line)
            parts.append(line[: cut.start()] if cut else line)
            more = cut is not None
            if len(parts) == 1:
                begin = at - 1
        text = "".join(parts).strip()
        if text:
            logical = Logical(begin + 1, text)
            at = _take_heredocs(logical, lines, at)
            yield logical


def _take_heredocs(logical: Logical, lines: list[str], at: int) -> int:
    """Reads the texts behind `<<NAME`; returns the line after the last of them."""
    if "<<" not in logical.text or not _TAKES_HEREDOC.match(logical.text + " "):
        return at
    for word in raw_words(logical.text)[1:]:
        match = _HEREDOC.match(word)
        if match is None:
            continue
        name = match[2].strip("\"'")
        if not name:
            continue
        content: list[str] = []
        for end in range(at, len(lines)):
            line = lines[end].lstrip("\t") if match[1] else lines[end]
            if line == name:
                break
            content.append(line)
        else:
            raise Refused(logical.line, f"<<{name} without a line {name!r}", "one that ends it")
        at = end + 1
        expand = match[2] == name
        logical.heredocs.append(Heredoc(name=name, content="\n".join(content), expand=expand))
    return at


def raw_words(text: str) -> list[str]:
    """Text split at spaces outside of quotes; the quotes stay."""
    words, word, quote = [], "", ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign.isspace():
            if word:
                words.append(word)
            word = ""
            continue
        word += sign
    return [*words, word] if word else words
