"""What capsim says when input or a request cannot be honoured."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SHOWN_PROBLEMS = 20


class CapsimError(Exception):
    """Anything a user can put right; the command line prints it and exits with 2."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input: where it is, what was found, what was expected."""

    file: str
    found: str
    expected: str
    object: str = ""
    field: str = ""

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.object, self.field) if part)
        return f"{where}: found {self.found}, expected {self.expected}."


class InputError(CapsimError):
    """An input cannot be used; holds every problem that was found in it, not just the first."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        listed = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.problems: tuple[Problem, ...] = listed
        super().__init__(_lines(listed))


class ModelError(CapsimError):
    """A question that the model cannot answer, for example an unknown unit or strategy."""


def _lines(problems: Sequence[Problem]) -> str:
    shown = [str(problem) for problem in problems[:_SHOWN_PROBLEMS]]
    if len(problems) > _SHOWN_PROBLEMS:
        shown.append(f"... and {len(problems) - _SHOWN_PROBLEMS} more problems.")
    return "\n".join(shown)


def clip(value: object, length: int = 60) -> str:
    """A value as it was found, short enough for one line of an error."""
    text = repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as " (did you mean 'cpu'?)", or nothing when no known name is close."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
