"""Variables in a Dockerfile: $x, ${x:-word} and their kin, quotes and escapes.

Rules: Dockerfile reference, "Environment replacement" and "ARG" (docs.docker.com, 2025).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping

from capsim.readers.dockerfile.lines import Refused

MAX_LENGTH = 2**16
"""Characters that a text may grow to: variables that double each other would fill the memory."""
_MAX_DEPTH = 20
_MAX_CUT = 4096
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_BRACED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+")


class Replacer:
    """Replaces variables by their values, as of one place in the file."""

    def __init__(self, values: Mapping[str, str], line: int, escape: str = "\\") -> None:
        self.values, self.line, self.escape = values, line, escape

    def __call__(self, text: str, *, keep_quotes: bool = False, depth: int = 0) -> str:
        """The text with every variable replaced; quotes are taken off unless told otherwise."""
        if depth > _MAX_DEPTH:
            raise Refused(self.line, "variables nested more than 20 deep", "fewer levels")
        out: list[str] = []
        size = at = 0
        quote = ""
        while at < len(text):
            sign = text[at]
            piece, step = sign, 1
            if sign == self.escape and quote != "'" and at + 1 < len(text):
                plain = quote == '"' and text[at + 1] not in ('"', "$", self.escape)
                piece = text[at : at + 2] if keep_quotes or plain else text[at + 1]
                step = 2
            elif sign in "\"'" and quote in ("", sign):
                quote = "" if quote else sign
                piece = sign if keep_quotes else ""
            elif sign == "$" and quote != "'":
                piece, step = self._variable(text, at, depth)
            out.append(piece)
            size += len(piece)
            at += step
            if size > MAX_LENGTH:
                raise Refused(self.line, "variables that grow over 64 KiB", "shorter values")
        return "".join(out)

    def _variable(self, text: str, at: int, depth: int) -> tuple[str, int]:
        """The value at a $, and how many characters it stood for."""
        if text.startswith("${", at):
            end = self._closing(text, at + 2)
            return self._braced(text[at + 2 : end], depth), end + 1 - at
        name = _NAME.match(text, at + 1)
        if name is None:
            return "$", 1
        return self.values.get(name[0], ""), len(name[0]) + 1

    def _closing(self, text: str, at: int) -> int:
        depth = 1
        while at < len(text):
            if text[at] == self.escape:
                at += 1
            elif text.startswith("${", at):
                depth += 1
                at += 1
            elif text[at] == "}":
                depth -= 1
                if not depth:
                    return at
            at += 1
        raise Refused(self.line, "a ${ without its }", "${name} or ${name:-word}")

    def _braced(self, inner: str, depth: int) -> str:
        name = _BRACED_NAME.match(inner)
        if name is None:
            raise Refused(self.line, f"${{{inner[:40]}}}", "${name} or ${name:-word}")
        value = self.values.get(name[0])
        rest = inner[name.end() :]
        if not rest:
            return value or ""
        return self._modified(name[0], value, rest, depth)

    def _modified(self, name: str, value: str | None, rest: str, depth: int) -> str:
        colon = rest.startswith(":")
        sign, word = rest[colon : colon + 1], rest[colon + 1 :]
        there = value is not None and not (colon and not value)
        if sign in ("-", "+", "?") and sign:
            if sign == "?" and not there:
                said = self(word, depth=depth + 1) or "not set"
                raise Refused(self.line, f"{name} missing ({said})", "a value for it")
            if sign == "+":
                return self(word, depth=depth + 1) if there else ""
            return (value or "") if there else self(word, depth=depth + 1)
        if not colon and sign in ("#", "%", "/"):
            if len(value or "") > _MAX_CUT:
                raise Refused(self.line, f"{name} of over {_MAX_CUT} characters cut", "less")
            return _cut(value or "", rest, lambda part: self(part, depth=depth + 1))
        raise Refused(self.line, f"${{{name}{rest[:20]}}}", "one of the modifiers - + ? # % /")


def _cut(value: str, rest: str, expand: Callable[[str], str]) -> str:
    """${x#pattern} and ${x%pattern} cut the shortest match, doubled the longest; / replaces."""
    doubled = rest[1:2] == rest[0]
    word = rest[1 + doubled :]
    if rest[0] == "/":
        pattern, _, by = word.partition("/")
        found = re.compile(_glob(expand(pattern)))
        new = expand(by)
        return found.sub(lambda _: new, value, count=0 if doubled else 1) if pattern else value
    found = re.compile(_glob(expand(word)))
    places = range(len(value) + 1)
    if rest[0] == "#":
        ends = [at for at in places if found.fullmatch(value[:at])]
        return value[(max(ends) if doubled else min(ends)) :] if ends else value
    starts = [at for at in places if found.fullmatch(value[at:])]
    return value[: (min(starts) if doubled else max(starts))] if starts else value


def _glob(pattern: str) -> str:
    return fnmatch.translate(pattern).removesuffix(r"\Z").removesuffix(r"\z")
