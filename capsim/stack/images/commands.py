"""What a RUN does: its shell text to the commands that leave something in the layer.

Shell is not parsed in full: quotes, `&&`, `||`, `;`, `|`, newlines and comments are. A command
that no rule knows is carried as a range.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "pip", "apt", "apt-update", "apk", "npm", "compile", "fetch", "chown", "rm", "light", "other"
]
_LIGHT = frozenset(
    [
        "addgroup", "adduser", "apt-mark", "cat", "cd", "chmod", "chown", "cp",
        "dpkg-reconfigure", "echo", "env", "exec", "exit", "export", "false", "find", "getent",
        "groupadd", "head", "id", "install", "ldconfig", "ln", "ls", "mkdir", "mv", "printf",
        "pwd", "rm", "sed", "set", "sort", "test", "touch", "true", "umask", "uname", "useradd",
        "usermod", "which", "[", ":", ".", "source", "python", "python3", "node",
        "update-ca-certificates",
    ]
)  # fmt: skip
#: Commands that install what a lock file names, and that file.
_LOCKED = {
    ("poetry", "install"): "poetry.lock",
    ("pipenv", "install"): "Pipfile.lock",
    ("pipenv", "sync"): "Pipfile.lock",
    ("uv", "sync"): "uv.lock",
}
_VARIABLE = re.compile(r"\$(?:\{(\w+)[^}]*\}|(\w+))")
_ASSIGNMENT = re.compile(r"^\w+=")
_ANY_PACKAGE = re.compile(r"[A-Za-z0-9@][A-Za-z0-9@._+/-]*")
_MOST_COMMANDS = 500


@dataclass(frozen=True)
class Command:
    """One command of a RUN."""

    kind: Kind
    words: tuple[str, ...]
    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Requirements files that it reads."""
    options: frozenset[str] = field(default_factory=frozenset)


def commands(text: str, environment: dict[str, str]) -> list[Command]:
    """The commands of a RUN in order, variables replaced where their value is known."""
    return [_recognised(words) for words in _split(text, environment)][:_MOST_COMMANDS]


def _split(text: str, environment: dict[str, str]) -> Iterator[list[str]]:
    known = _VARIABLE.sub(lambda m: environment.get(m[1] or m[2], m[0]), text)
    for line in known.replace("\\\n", " ").splitlines():
        if line.strip().startswith("<<"):
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split = True
        try:
            tokens = list(lexer)
        except ValueError:
            tokens = line.split()
        yield from _between_operators(tokens)


def _between_operators(tokens: Sequence[str]) -> Iterator[list[str]]:
    words: list[str] = []
    for token in [*tokens, ";"]:
        if token and set(token) <= set("();|&"):
            while words and (
                _ASSIGNMENT.match(words[0]) or words[0] in ("sudo", "then", "do", "if")
            ):
                words.pop(0)
            if words:
                yield words
            words = []
        else:
            words.append(token)


def _recognised(words: list[str]) -> Command:
    name = words[0].rsplit("/", 1)[-1]
    if name.startswith("python") and words[1:3] == ["-m", "pip"]:
        name, words = "pip", words[2:]
    if name == "uv" and words[1:2] == ["pip"]:
        name, words = "pip", words[1:]
    if (name, *words[1:2]) in _LOCKED:
        return Command("pip", tuple(words), (), (_LOCKED[name, words[1]],))
    for names, rule in _RULES:
        if name in names:
            found = rule(words)
            if found is not None:
                return found
    return Command("light" if name in _LIGHT else "other", tuple(words))


def _pip(words: list[str]) -> Command | None:
    if "install" not in words[1:3]:
        return Command("light", tuple(words))
    packages, files, at = [], [], words.index("install") + 1
    options: set[str] = set()
    while at < len(words):
        word = words[at]
        if word in ("-r", "--requirement") and at + 1 < len(words):
            files.append(words[at := at + 1])
        elif word in ("-c", "--constraint", "-i", "--index-url", "--extra-index-url", "--target",
                      "-t", "-e", "-f", "--find-links", "--prefix", "--platform"):  # fmt: skip
            at += 1
        elif word.startswith("-"):
            options.add(word.split("=")[0])
        elif _ANY_PACKAGE.match(word) and "/" not in word and not word.endswith((".whl", ".gz")):
            packages.append(_python_name(word))
        at += 1
    tools = ("pip", "setuptools", "wheel")
    kept = tuple(name for name in packages if name not in tools)
    if packages and not kept and not files:
        return Command("light", tuple(words))
    return Command("pip", tuple(words), kept, tuple(files), frozenset(options))


def _python_name(word: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[=<>!~;@ ]", word)[0]).lower()


def _apt(words: list[str]) -> Command | None:
    plain = [word for word in words[1:] if not word.startswith("-")]
    if plain[:1] == ["update"]:
        return Command("apt-update", tuple(words))
    if plain[:1] != ["install"]:
        return Command("light", tuple(words))
    options = frozenset(word for word in words if word.startswith("-"))
    return Command("apt", tuple(words), tuple(plain[1:]), (), options)


def _apk(words: list[str]) -> Command | None:
    plain = [word for word in words[1:] if not word.startswith("-")]
    if plain[:1] != ["add"]:
        return Command("light", tuple(words))
    options = frozenset(word for word in words if word.startswith("-"))
    return Command(
        "apk", tuple(words), tuple(re.split("[=<>~]", p)[0] for p in plain[1:]), (), options
    )


def _npm(words: list[str]) -> Command | None:
    plain = [word for word in words[1:] if not word.startswith("-")]
    if plain[:1] and plain[0] in ("install", "ci", "i", "add"):
        return Command("npm", tuple(words), tuple(plain[1:]))
    if plain[:1] == ["run"] or plain[:1] == ["build"]:
        return Command("compile", tuple(words))
    return Command("npm", tuple(words)) if words[0] in ("yarn", "pnpm") and not plain else None


def _compile(words: list[str]) -> Command | None:
    return Command("compile", tuple(words))


def _fetch(words: list[str]) -> Command | None:
    return Command("fetch", tuple(words))


def _chown(words: list[str]) -> Command | None:
    deep = any((word.startswith("-") and "R" in word) or word == "--recursive" for word in words)
    paths = tuple(word for word in words[2:] if not word.startswith("-"))
    return Command("chown", tuple(words), (), paths) if deep else Command("light", tuple(words))


def _rm(words: list[str]) -> Command | None:
    return Command("rm", tuple(words), (), tuple(w for w in words[1:] if not w.startswith("-")))


_RULES: tuple[tuple[tuple[str, ...], Callable[[list[str]], Command | None]], ...] = (
    (("pip", "pip3"), _pip),
    (("apt", "apt-get", "aptitude"), _apt),
    (("apk",), _apk),
    (("npm", "yarn", "pnpm"), _npm),
    (("go", "cargo", "mvn", "mvnw", "gradle", "gradlew", "make", "cmake", "dotnet", "gcc", "g++"),
     _compile),
    (("curl", "wget", "git"), _fetch),
    (("chown", "chmod"), _chown),
    (("rm",), _rm),
)  # fmt: skip


def removes(found: Sequence[Command], path: str) -> bool:
    """Whether one of the commands deletes a path, or one above it."""
    gone = (
        each.rstrip("/*") for command in found if command.kind == "rm" for each in command.files
    )
    return any(path.startswith(each) for each in gone if len(each) > 1)
