"""Plotly's marked-up labels as plain text and as runs of formatted text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

_COLOUR = re.compile(r"color:\s*(#[0-9A-Fa-f]{6})")
_SIZE = re.compile(r"font-size:\s*([\d.]+)px")
_NBSP = "\u00a0"


@dataclass(frozen=True)
class Run:
    """A stretch of text in one format; None: as its surroundings."""

    text: str
    bold: bool = False
    colour: str | None = None
    size_px: float | None = None


class _Reader(HTMLParser):
    """Reads the tags that plotly knows; all others are dropped, their text is kept."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[list[Run]] = [[]]
        self._open: list[tuple[str, Run]] = []
        self._now = Run("")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.lines.append([])
            return
        self._open.append((tag, self._now))
        style = dict(attrs).get("style") or ""
        colour, size = _COLOUR.search(style), _SIZE.search(style)
        self._now = replace(
            self._now,
            bold=self._now.bold or tag in ("b", "strong"),
            colour=colour.group(1) if colour else self._now.colour,
            size_px=float(size.group(1)) if size else self._now.size_px,
        )

    def handle_endtag(self, tag: str) -> None:
        if tag in (name for name, _ in self._open):
            while self._open:
                name, self._now = self._open.pop()
                if name == tag:
                    return

    def handle_data(self, data: str) -> None:
        text = printable(data).replace(" %", f"{_NBSP}%")
        if text:
            self.lines[-1].append(replace(self._now, text=text))


def lines(text: str) -> list[list[Run]]:
    """The lines of a label, each as runs; a number stays with its % sign."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.lines


def plain(text: str) -> str:
    """A label without its markup, on one line."""
    told = " ".join("".join(run.text for run in line) for line in lines(text))
    return " ".join(told.replace(_NBSP, " ").split())


def takeaway(figure: go.Figure) -> str:
    """The title of a figure as plain text."""
    return plain(figure.layout.title.text or "")


def printable(text: str) -> str:
    """Text without control characters, which neither XML nor people can read."""
    return "".join(c if c.isprintable() or c in (_NBSP, "\u200b") else " " for c in text)


def cell(text: str) -> str:
    """Text for a cell of a workbook, never taken for a formula or a link."""
    told = printable(text)
    return f" {told}" if re.match(r"[=+@{-]|\w+:", told) and not _is_number(told) else told


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?[\d.,]+", text))
