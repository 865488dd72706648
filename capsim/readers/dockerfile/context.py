"""The build context: files beside the Dockerfile, .dockerignore, and what they say of packages.

Rules of .dockerignore: Docker documentation, "Build context" (2025): patterns as in Go's
filepath.Match plus `**`, relative to the folder; `!` takes files back; the last match wins.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from capsim.errors import InputError, Problem
from capsim.scenario.dockerfile import BuildContext, ContextFile

MAX_FILES = 200_000
_MAX_TEXT = 2**20
_REQUIREMENTS = re.compile(r"(?:^|/)[^/]*requirements[^/]*\.(?:txt|in)$", re.IGNORECASE)
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def read_context(folder: str | Path, dockerfile: str = "Dockerfile") -> BuildContext:
    """The files that `docker build` sends from a folder, with their sizes.

    Parameters: folder; dockerfile, whose own ignore file (NAME.dockerignore) goes first.
    Returns: BuildContext.
    Raises: InputError for a folder that is missing or has more than 200,000 files.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(Problem(str(folder), "no such folder", "the folder that is built"))
    rules, has_rules = _rules(root, dockerfile)
    kept: list[ContextFile] = []
    left: list[int] = []
    for path, size in _walk(root):
        if _ignored(path, rules):
            left.append(size)
        else:
            kept.append(ContextFile(path=path, size_bytes=size))
    return BuildContext(
        folder=str(folder),
        files=tuple(kept),
        has_ignore_file=has_rules,
        ignored_files=len(left),
        ignored_bytes=sum(left),
        requirements=dict(_requirements(root, kept)),
        node_packages=dict(_node_packages(root, kept)),
    )


def _walk(root: Path) -> Iterator[tuple[str, int]]:
    count = 0
    for parent, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            full = os.path.join(parent, name)
            count += 1
            if count > MAX_FILES:
                found = f"more than {MAX_FILES:,} files"
                raise InputError(Problem(str(root), found, "the folder of one application"))
            try:
                size = os.lstat(full).st_size
            except OSError:
                continue
            yield os.path.relpath(full, root).replace(os.sep, "/"), size


def _rules(root: Path, dockerfile: str) -> tuple[list[tuple[bool, re.Pattern[str]]], bool]:
    for name in (f"{Path(dockerfile).name}.dockerignore", ".dockerignore"):
        if (root / name).is_file():
            return [*ignore_rules(_text(root / name).splitlines())], True
    return [], False


def ignore_rules(lines: Iterable[str]) -> Iterator[tuple[bool, re.Pattern[str]]]:
    """Each pattern with whether it leaves files out (True) or takes them back."""
    for line in lines:
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        out = not pattern.startswith("!")
        plain = os.path.normpath(pattern.removeprefix("!").strip().lstrip("/") or ".")
        if plain != ".":
            yield out, path_pattern(plain)


def path_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of paths as a regular expression; it also matches all that lies below."""
    out, at = [], 0
    while at < len(pattern):
        sign = pattern[at]
        if pattern.startswith("**/", at):
            out.append("(?:[^/]+/)*")
            at += 3
            continue
        if pattern.startswith("**", at):
            out.append(".*")
            at += 2
            continue
        if sign == "*":
            out.append("[^/]*")
        elif sign == "?":
            out.append("[^/]")
        elif sign == "[" and (end := pattern.find("]", at + 2)) > 0:
            inner = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"[{inner}]")
            at = end
        else:
            out.append(re.escape(sign))
        at += 1
    try:
        return re.compile("".join(out) + r"(?:/.*)?")
    except re.error:
        return re.compile(re.escape(pattern) + r"(?:/.*)?")


def _ignored(path: str, rules: list[tuple[bool, re.Pattern[str]]]) -> bool:
    ignored = False
    for out, pattern in rules:
        if out != ignored and pattern.fullmatch(path):
            ignored = out
    return ignored


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MAX_TEXT).decode("utf-8", "replace")


def _requirements(root: Path, files: list[ContextFile]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for file in files:
        if _REQUIREMENTS.search(file.path):
            yield file.path, tuple(requirement_names(_text(root / file.path)))


def requirement_names(text: str) -> Iterator[str]:
    """Names of the packages in a requirements file, normalised; options and links are passed."""
    for line in text.splitlines():
        plain = line.split("#", 1)[0].strip()
        match = _PACKAGE.match(plain)
        if match and "://" not in plain:
            yield re.sub(r"[-_.]+", "-", match[0]).lower()


def _node_packages(root: Path, files: list[ContextFile]) -> Iterator[tuple[str, int]]:
    for file in files:
        if file.path.rsplit("/", 1)[-1] == "package.json" and "node_modules" not in file.path:
            try:
                found = json.loads(_text(root / file.path))
            except (ValueError, RecursionError):
                continue
            wanted = found.get("dependencies") if isinstance(found, dict) else None
            yield file.path, len(wanted) if isinstance(wanted, dict) else 0
