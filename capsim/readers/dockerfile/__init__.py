"""Reads a Dockerfile, and the folder it is built in.

read_dockerfile("Dockerfile", build_args={"VERSION": "3.12"}, target="runtime")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from capsim.errors import InputError, Problem
from capsim.readers import sources
from capsim.readers.dockerfile.context import read_context
from capsim.readers.dockerfile.lines import Refused, logical_lines
from capsim.readers.dockerfile.stages import StageReader
from capsim.scenario.dockerfile import Dockerfile

__all__ = ["MAX_BYTES", "parse_dockerfile", "read_context", "read_dockerfile"]

MAX_BYTES = 2**22
"""The most that a Dockerfile may have; 10,000 lines are a tenth of that."""


def read_dockerfile(
    path: str | Path,
    *,
    target: str | int | None = None,
    build_args: Mapping[str, str] | None = None,
) -> Dockerfile:
    """A Dockerfile, parsed; see `parse_dockerfile`.

    Parameters: path of the file, or of the folder that it lies in.
    Raises: InputError if it is not there, too large, or wrong.
    """
    file = Path(path)
    file = file / "Dockerfile" if file.is_dir() else file
    if file.is_file() and file.stat().st_size > MAX_BYTES:
        raise InputError(
            Problem(str(file), f"more than {MAX_BYTES >> 20} MiB", "a Dockerfile of a usual size")
        )
    return parse_dockerfile(_loaded(file), str(file), target=target, build_args=build_args)


def _loaded(file: Path) -> str:
    try:
        return sources.load(str(file))
    except InputError as error:
        told = (replace(each, expected="a Dockerfile") for each in error.problems)
        raise InputError(told) from None


def parse_dockerfile(
    text: str,
    file: str = "Dockerfile",
    *,
    target: str | int | None = None,
    build_args: Mapping[str, str] | None = None,
) -> Dockerfile:
    """The stages and instructions of a Dockerfile, its variables replaced as Docker does.

    Parameters: text; file, its name in messages; target, the stage to build, by name or number
    (the last one); build_args, as `docker build --build-arg`.
    Returns: Dockerfile; `.remarks` say what was assumed.
    Raises: InputError naming the line of everything that is wrong.
    Rules: Dockerfile reference (docs.docker.com, 2025).

    >>> parse_dockerfile("FROM python:3.9-slim").stages[0].base
    'python:3.9-slim'
    """
    if len(text) > MAX_BYTES:
        raise InputError(Problem(file, f"more than {MAX_BYTES >> 20} MiB", "a smaller Dockerfile"))
    try:
        directives, lines = logical_lines(text)
        reader = StageReader(directives, build_args or {})
        reader.read(lines)
        found = reader.finished(file, target, text.count("\n") + 1)
    except Refused as problem:
        raise InputError(_problem(file, problem)) from None
    if found is None:
        raise InputError(_problem(file, each) for each in reader.problems)
    return found


def _problem(file: str, refused: Refused) -> Problem:
    line = f"line {refused.line}" if refused.line else ""
    return Problem(file, refused.found, refused.expected, line)
