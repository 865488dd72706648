"""Text to plain data: JSON and YAML, safely.

Nothing is executed, nothing is expanded without bound, nothing is quietly dropped: unknown tags,
duplicate keys, endless aliases and values nested too deeply are refused in one sentence.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from capsim.errors import InputError, Problem
from capsim.readers import rendered, yaml_events

_GO_TEMPLATE = re.compile(r"\{\{-?\s*[.$#/a-z\"(]")


def documents(text: str, file: str) -> list[Any]:
    """The documents of a JSON or YAML text: one, several with `---` between, or JSON lines.

    Raises: InputError naming the line of the first thing that is wrong.
    """
    try:
        found = _json(text, file) if _looks_like_json(text) else yaml_events.load(text)
    except yaml_events.Refused as error:
        if _GO_TEMPLATE.search(text):
            raise InputError(rendered.template_problem(file)) from None
        raise InputError(Problem(file, error.found, error.expected, _line(error.line))) from None
    except RecursionError:
        raise InputError(Problem(file, "values nested too deeply", "fewer levels")) from None
    return [document for document in found if document is not None]


def _looks_like_json(text: str) -> bool:
    """Braces alone do not tell: `{a: b}` is YAML and `{{ .Values }}` a template."""
    start = re.match(r"\s*([\[{])\s*(\S)", text)
    if start is None:
        return False
    return start[2] in '"}' if start[1] == "{" else start[2] in '{["]'


def _json(text: str, file: str) -> list[Any]:
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite
    )
    found: list[Any] = []
    position = _next_document(text, 0)
    while position < len(text):
        try:
            document, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise InputError(_bad_json(error, text, file)) from None
        except _Refused as error:
            raise InputError(Problem(file, error.found, error.expected)) from None
        except ValueError:  # int() bounds the number of digits
            raise InputError(Problem(file, "a number of thousands of digits", "JSON")) from None
        found.append(document)
        position = _next_document(text, position)
    if _SURROGATE.search(text):
        _check_characters(found, file)
    return found


def _check_characters(documents: list[Any], file: str) -> None:
    """Half of a surrogate pair is no character; nothing could write it down again."""
    try:
        json.dumps(documents, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        found = "half a character (an unpaired surrogate such as \\ud800)"
        raise InputError(Problem(file, found, "whole characters")) from None


def _next_document(text: str, position: int) -> int:
    separators = _SEPARATORS.match(text, position)
    return separators.end() if separators else position


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SEPARATORS = re.compile(r"(?:\s|^---(?=\s|$))*", re.MULTILINE)


class _Refused(Exception):
    def __init__(self, found: str, expected: str) -> None:
        self.found, self.expected = found, expected


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(f"the key {twice!r} twice in one object", "each key once")
    return content


def _no_constant(name: str) -> NoReturn:
    raise _Refused(name, "JSON, which has no such number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Refused(text, "a number that a double can hold")
    return number


def _bad_json(error: json.JSONDecodeError, text: str, file: str) -> Problem:
    where = f"line {error.lineno} column {error.colno}"
    if not text[error.pos :].strip() or error.msg.startswith("Unterminated string"):
        return Problem(file, f"JSON that breaks off at {where}", "a complete file")
    reason = error.msg[0].lower() + error.msg[1:]
    return Problem(file, f"broken JSON at {where} ({reason})", "valid JSON")


def _line(number: int | None) -> str:
    return f"line {number}" if number else ""
