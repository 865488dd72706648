"""YAML to plain data, from the parser's events.

PyYAML's own loaders resolve YAML 1.1 (`on` is a boolean, `1:30` is ninety, dates become objects),
expand merges without bound and recurse. This one keeps a stack, counts what aliases copy, and
knows the scalars of YAML 1.2, which is what Kubernetes manifests and JSON mean.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

#: Values nested deeper than this are no manifest.
MAX_DEPTH = 100
#: How many values the aliases of one document may copy in all.
MAX_COPIED = 200_000

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD = "tag:yaml.org,2002:"
_TAGS = {"!", *(_STANDARD + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))}
_WORDS: Final[dict[str, bool | None]] = {
    "": None,
    **dict.fromkeys(("~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}|0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_NUMBER_START = frozenset("-+.0123456789")
_MERGE = object()
_NO_KEY = object()


class Refused(Exception):
    """YAML that is not read: what was found at which line, what was expected."""

    def __init__(self, found: str, expected: str, line: int | None = None) -> None:
        super().__init__(found)
        self.found, self.expected, self.line = found, expected, line


def load(text: str) -> list[Any]:
    """All documents of a YAML text as dicts, lists, str, int, float, bool and None.

    Keys are texts, as in JSON. Raises: Refused.
    """
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_PARSER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "it cannot be parsed"
        line = mark.line + 1 if mark else None
        raise Refused(f"broken YAML ({reason})", "valid YAML", line) from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise Refused(f"broken YAML ({reason})", "valid YAML") from None
    return builder.documents


class _Open:
    """A mapping or list that has begun and not ended."""

    __slots__ = ("anchor", "begun", "content", "key", "line", "merged")

    def __init__(self, content: Any, event: Any, begun: int) -> None:
        self.content, self.anchor, self.begun = content, event.anchor, begun
        self.line: int = event.start_mark.line + 1
        self.key: Any = _NO_KEY
        self.merged: list[dict[str, Any]] = []


class _Builder:
    def __init__(self) -> None:
        self.documents: list[Any] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0
        self._copied = 0

    def take(self, event: Event) -> None:
        kind = type(event)
        if kind is ScalarEvent:
            self._take_scalar(event)
        elif kind is MappingStartEvent:
            self._open({}, event)
        elif kind is SequenceStartEvent:
            self._open([], event)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self._close(event)
        elif kind is AliasEvent:
            self._take_alias(event)
        elif kind is DocumentStartEvent:
            self._anchors, self._count, self._copied = {}, 0, 0
        elif kind is DocumentEndEvent:
            pass

    def _take_scalar(self, event: Any) -> None:
        self._count += 1
        stack = self._stack
        if stack and stack[-1].key is _NO_KEY and type(stack[-1].content) is dict:
            self._take_key(stack[-1], event)
        else:
            value = _value(event)
            if event.anchor:
                self._anchors[event.anchor] = (value, 1)
            self._place(value, event)

    def _take_key(self, parent: _Open, event: Any) -> None:
        key = event.value
        if key == "<<" and event.implicit[0]:
            parent.key = _MERGE
            return
        if key in parent.content:
            raise Refused(f"the key {key!r} twice in one mapping", "each key once", _line(event))
        if event.anchor:
            self._anchors[event.anchor] = (key, 1)
        parent.key = key

    def _open(self, content: Any, event: Any) -> None:
        if event.tag is not None and event.tag not in _TAGS:
            raise _tag_refused(event)
        parent = self._stack[-1] if self._stack else None
        if parent and type(parent.content) is dict and parent.key is _NO_KEY:
            raise Refused("a key that is itself a mapping or list", "a text", _line(event))
        if len(self._stack) >= MAX_DEPTH:
            raise Refused(
                f"values nested more than {MAX_DEPTH} deep", "ordinary depth", _line(event)
            )
        self._count += 1
        self._anchors.pop(event.anchor, None)
        self._stack.append(_Open(content, event, self._count))

    def _close(self, event: Any) -> None:
        ended = self._stack.pop()
        for merged in ended.merged:
            ended.content = {**merged, **ended.content}
        if ended.anchor:
            self._anchors[ended.anchor] = (ended.content, self._count - ended.begun + 1)
        self._place(ended.content, event)

    def _take_alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise Refused(
                f"the alias *{event.anchor}, which stands for nothing (or for itself)",
                "an anchor before it",
                _line(event),
            )
        value, size = self._anchors[event.anchor]
        self._copied += size
        self._count += size
        if self._copied > MAX_COPIED:
            raise Refused(
                f"aliases that stand for more than {MAX_COPIED} values (a YAML bomb)",
                "YAML without them",
                _line(event),
            )
        self._place(value, event)

    def _place(self, value: Any, event: Any) -> None:
        if not self._stack:
            self.documents.append(value)
            return
        parent = self._stack[-1]
        if type(parent.content) is list:
            parent.content.append(value)
        elif parent.key is _MERGE:
            parent.merged += _mappings(value, event)
            parent.key = _NO_KEY
        elif parent.key is _NO_KEY:
            raise Refused("an alias as a key", "a text", _line(event))
        else:
            parent.content[parent.key] = value
            parent.key = _NO_KEY


def _mappings(value: Any, event: Any) -> list[dict[str, Any]]:
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in found):
        raise Refused("a merge (<<) of something else", "a mapping to merge", _line(event))
    # The first of several wins, and each is laid under what is there already.
    return found


def _value(event: Any) -> Any:
    tag = event.tag
    if tag is None or tag == "!":
        plain = event.implicit[0]
    elif tag in _TAGS:
        plain = tag != _STANDARD + "str"
    else:
        raise _tag_refused(event)
    return _resolve(event.value) if plain else event.value


def _resolve(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START or len(text) > 400:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _tag_refused(event: Any) -> Refused:
    tag = event.tag.replace(_STANDARD, "!!")
    return Refused(f"the tag {tag}", "plain YAML without tags", _line(event))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
