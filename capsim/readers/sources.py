"""Finds the files behind the paths a user names, and loads them within bounds."""

from __future__ import annotations

import codecs
import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from capsim.errors import InputError, Problem
from capsim.readers import rendered

#: The most that is read of one file, packed or unpacked.
MAX_FILE_BYTES = 2**30
#: What is read of a folder; each may be packed with gzip (".json.gz").
ENDINGS = (".json", ".yaml", ".yml", ".csv")
STDIN = "-"

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 2**20
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Source:
    """One file to read; `listed` says that it was found in a folder, not named by the user."""

    name: str
    listed: bool = False


def find(paths: Iterable[str | Path]) -> tuple[list[Source], list[str]]:
    """The files behind the paths, and a remark for each folder of which files were left out.

    A folder stands for all its files with a known ending, in it and below it, sorted by path;
    hidden files and folders are passed over.
    Raises: InputError naming every path that is missing and every folder with nothing to read.
    """
    sources: list[Source] = []
    remarks: list[str] = []
    problems: list[Problem] = []
    for path in map(str, paths):
        if path != STDIN and os.path.isdir(path):
            files = sorted(_files_below(path))
            readable = [file for file in files if _has_known_ending(file)]
            to_render = next(filter(None, map(rendered.recipe, files)), None)
            if to_render is None:
                sources += [Source(file, listed=True) for file in readable]
            if to_render is not None:
                problems.append(to_render)
            elif not readable:
                problems.append(_nothing_readable(path, files))
            elif len(files) > len(readable):
                remarks.append(_left_out(path, sorted(set(files) - set(readable))))
        elif path != STDIN and not os.path.exists(path):
            problems.append(Problem(path, "no such file or folder", "one that exists"))
        else:
            sources.append(Source(path))
    if problems:
        raise InputError(problems)
    return sources, remarks


def _files_below(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(parent, name) for name in names if not name.startswith("."))


def _has_known_ending(path: str) -> bool:
    return path.lower().removesuffix(".gz").endswith(ENDINGS)


def _nothing_readable(folder: str, files: Sequence[str]) -> Problem:
    found = f"nothing to read among {_count(files, 'file')}" if files else "an empty folder"
    return Problem(folder, found, f"files that end in {', '.join(ENDINGS)} (or these and .gz)")


def _left_out(folder: str, files: Sequence[str]) -> str:
    endings = Counter(os.path.splitext(file)[1] or "no ending" for file in files)
    kinds = ", ".join(f"{ending} {count}" for ending, count in endings.most_common(5))
    return f"{folder}: left out {_count(files, 'file')} of other endings ({kinds})."


def _count(files: Sequence[str], noun: str) -> str:
    return f"{len(files)} {noun}{'s' if len(files) != 1 else ''}"


def load(name: str) -> str:
    """The text of a file, or of standard input for "-"; gzip is unpacked.

    Raises: InputError if it cannot be read, is larger than MAX_FILE_BYTES or is not text.
    """
    try:
        if name == STDIN:
            data = _bounded(sys.stdin.buffer, name)
        else:
            with open(name, "rb") as file:
                data = _bounded(file, name)
    except OSError as error:
        found = f"a file that cannot be opened ({error.strerror})"
        raise _refused(name, found, "a readable one") from None
    if data.startswith(_GZIP_MAGIC):
        data = _unpacked(data, name)
    return _text(data, name)


def _bounded(file: BinaryIO, name: str) -> bytes:
    data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise _refused(name, f"more than {MAX_FILE_BYTES >> 20} MiB", "a smaller file, or parts")
    return data


def _unpacked(data: bytes, name: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data:
        unpacker = zlib.decompressobj(wbits=31)
        while data and not unpacker.eof:
            try:
                parts.append(unpacker.decompress(data, _CHUNK))
            except zlib.error:
                raise _refused(name, "broken gzip data", "a complete .gz file") from None
            size += len(parts[-1])
            if size > MAX_FILE_BYTES:
                limit = f"{MAX_FILE_BYTES >> 20} MiB"
                raise _refused(name, f"more than {limit} unpacked", "a smaller file, or parts")
            data = unpacker.unconsumed_tail
        if not unpacker.eof:
            raise _refused(name, "gzip data that breaks off", "a complete .gz file")
        data = unpacker.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _text(data: bytes, name: str) -> str:
    if not data.strip():
        raise _refused(name, "an empty file", "JSON, YAML or CSV")
    mark, encoding = next(
        ((mark, code) for mark, code in _BYTE_ORDER_MARKS if data.startswith(mark)), (b"", "utf-8")
    )
    if encoding == "utf-8" and b"\0" in data[: 2**16]:
        raise _refused(name, "a binary file", "text: JSON, YAML or CSV")
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        found = f"bytes that are not {encoding.upper()} (at {error.start + len(mark)})"
        raise _refused(name, found, "text: JSON, YAML or CSV in UTF-8") from None


def _refused(name: str, found: str, expected: str) -> InputError:
    return InputError(Problem("standard input" if name == STDIN else name, found, expected))
