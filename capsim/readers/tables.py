"""CSV tables: told from other text, split into rows, and read cell by cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from capsim.errors import InputError, Problem, clip
from capsim.readers.estate import Content

T = TypeVar("T")

_DELIMITERS = ",;\t"
_MAX_CELL = 2**16


def looks_tabular(text: str) -> bool:
    """Whether the first line that says anything is a header: several columns, no `key: value`."""
    line = _first_line(text)
    return _delimiter(line) is not None and line[0] not in "{[-" and ":" not in line


def _first_line(text: str) -> str:
    lines = (line.strip() for line in io.StringIO(text[: 2**16]))
    return next((line for line in lines if line and not line.startswith("#")), "")


def _delimiter(line: str) -> str | None:
    best = max(_DELIMITERS, key=line.count)
    return best if best in line else None


def table(text: str, file: str) -> Content:
    """A CSV text as content: a header, and rows by line number; `#` lines and blank ones pass.

    The delimiter (comma, semicolon or tab) is taken from the header.
    Raises: InputError listing each row that has more cells than the header has columns.
    """
    rows = _split(text, file)
    _, header = next(rows, (0, []))
    names = tuple(header)
    if not names:
        raise InputError(Problem(file, "no names of columns", "a first line with them"))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(Problem(file, f"the column {twice!r} twice", "each column once"))
    read, problems = [], []
    for line, cells in rows:
        if len(cells) > len(names):
            found = f"{len(cells)} cells"
            problems.append(Problem(file, found, f"at most {len(names)}", f"line {line}"))
        read.append((line, dict(zip(names, cells, strict=False))))
    if problems:
        raise InputError(problems)
    return Content(file, header=names, rows=tuple(read))


def _split(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(_MAX_CELL)
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(_first_line(text)) or ",")
    try:
        for raw in reader:
            cells = [cell.strip() for cell in raw]
            while cells and not cells[-1]:  # spreadsheets end lines with empty cells
                cells.pop()
            if cells and not cells[0].startswith("#"):
                yield reader.line_num, cells
    except csv.Error as error:
        found = f"a broken table ({error})"
        raise InputError(Problem(file, found, "CSV", f"line {reader.line_num}")) from None


@dataclass(frozen=True)
class Row:
    """One row of a table; what is wrong in its cells is added to `problems`."""

    file: str
    line: int
    cells: dict[str, str]
    problems: list[Problem]

    def read(self, column: str, parse: Callable[[str], T], default: T, expected: str) -> T:
        """The cell of a column through `parse`, or the default where it is empty."""
        text = self.cells.get(column, "")
        if not text:
            return default
        try:
            return parse(text)
        except ValueError:
            self.wrong(column, clip(text), expected)
            return default

    def need(self, column: str, parse: Callable[[str], T], default: T, expected: str) -> T:
        """As `read`, but an empty cell is a problem."""
        if not self.cells.get(column):
            self.wrong(column, "nothing", expected)
        return self.read(column, parse, default, expected)

    def wrong(self, column: str, found: str, expected: str) -> None:
        """Notes a problem with a cell."""
        name = self.cells.get("name") or self.cells.get("sn")
        where = f"line {self.line}" + (f" ({name})" if name else "")
        self.problems.append(Problem(self.file, found, expected, where, column))


def whole(text: str, low: int = 0, high: int = 2**53) -> int:
    """A whole number within bounds. Raises: ValueError."""
    value = int(text) if text.isascii() and "_" not in text else None
    if value is None or not low <= value <= high:
        raise ValueError(text)
    return value
