"""What the planner already has, read into a Scenario; one file a format, found by content."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from capsim.errors import InputError, Problem, clip
from capsim.readers import (
    capsim_yaml,
    kubernetes,
    machines_csv,
    openb,
    plain_csv,
    rendered,
    sources,
    workloads_csv,
)
from capsim.readers.estate import Content, Estate, counted, named
from capsim.readers.parsing import documents
from capsim.readers.sources import Source
from capsim.readers.tables import looks_tabular, table
from capsim.scenario import Scenario

__all__ = ["FORMATS", "Format", "read"]


@dataclass(frozen=True)
class Format:
    """One input format; `read` gets all contents of the format, over all files, at once."""

    name: str
    recognises: Callable[[Content], bool]
    read: Callable[[Sequence[Content], Estate], None]


#: In order of reading: what can bring machines stands before what asks which machines there are.
FORMATS = (
    Format("a capsim scenario", capsim_yaml.recognises, capsim_yaml.read),
    Format("openb tables", openb.recognises, openb.read),
    Format("a CSV of machines", machines_csv.recognises, machines_csv.read),
    Format("a CSV of workloads", workloads_csv.recognises, workloads_csv.read),
    Format("Kubernetes objects", kubernetes.recognises, kubernetes.read),
)


def read(*paths: str | Path | Iterable[str | Path]) -> Scenario:
    """A scenario from files and folders, merged as `kubectl -f` would.

    Each document or table is recognised by its content: `kubectl get ... -o json|yaml`,
    manifests, the openb tables, capsim YAML, CSV of machines or of workloads. A folder stands
    for the files below it, "-" for standard input.

    Parameters: paths, one or several, or a list of them.
    Returns: a Scenario; its `.remarks` say what was assumed or left out.
    Raises: InputError with every problem of every file.

    >>> cs.read("nodes.json", "deploy/")
    """
    listed = [path for item in paths for path in _flat(item)]
    try:
        with _collector_paused():
            return _read(listed)
    except RecursionError:
        raise InputError(
            Problem(_names(listed), "values nested too deeply", "fewer levels")
        ) from None


def _read(listed: list[str | Path]) -> Scenario:
    if not listed:
        raise InputError(Problem("read", "no input", "a file or folder"))
    found, remarks = sources.find(listed)
    estate = Estate()
    estate.remarks += remarks
    for form, own in _by_format(_contents(found, estate)).items():
        form.read(own, estate)
    scenario = estate.scenario(_name(listed[0]))
    if not (scenario.nodes or scenario.units or scenario.workloads):
        found_what = " ".join(("nothing to plan", *(f"({said})" for said in scenario.remarks)))
        raise InputError(Problem(_names(listed), found_what, "nodes, pods, VMs or workloads"))
    return scenario


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Reading makes millions of objects and no cycles; looking for them would double its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _flat(item: str | Path | Iterable[str | Path]) -> Iterable[str | Path]:
    return [item] if isinstance(item, str | Path) else item


def _names(paths: Iterable[str | Path]) -> str:
    return ", ".join(map(str, paths))


def _name(path: str | Path) -> str:
    return Path(path).resolve().name.split(".")[0] if str(path) != sources.STDIN else "scenario"


def _by_format(contents: Iterable[Content]) -> dict[Format, list[Content]]:
    grouped: dict[Format, list[Content]] = {form: [] for form in FORMATS}
    for content in contents:
        form = recognised(content)
        if form is not None:
            grouped[form].append(content)
    return {form: own for form, own in grouped.items() if own}


def recognised(content: Content) -> Format | None:
    """The format of a document or table, by its content."""
    return next((form for form in FORMATS if form.recognises(content)), None)


def _contents(found: Iterable[Source], estate: Estate) -> list[Content]:
    """What all files hold; in a folder, files that hold nothing for capsim are left out."""
    contents: list[Content] = []
    strange: list[str] = []
    for source in found:
        try:
            parsed = _parsed(source.name)
        except InputError as error:
            estate.problems += error.problems
            continue
        problems = [problem for content in parsed for problem in _strange(content)]
        nearly = any(plain_csv.is_nearly_known(content) for content in parsed)
        if source.listed and len(problems) == len(parsed) and not nearly:
            strange.append(source.name)
            continue
        if not parsed:
            expected = "JSON, YAML or CSV with some content"
            problems = [Problem(_shown(source.name), "no object in it", expected)]
        estate.problems += problems
        contents += [content for content in parsed if not _strange(content)]
    if strange:
        files = counted(len(strange), "file")
        estate.remark(f"Left out {files} that hold nothing capsim plans with ({named(strange)}).")
    return contents


def _shown(file: str) -> str:
    return "standard input" if file == sources.STDIN else file


def _parsed(file: str) -> list[Content]:
    text, name = sources.load(file), _shown(file)
    if looks_tabular(text):
        return [table(text, name)]
    return [Content(name, document) for document in documents(text, name)]


def _strange(content: Content) -> list[Problem]:
    """What is wrong with a document as such: it has to be rendered, or no format knows it."""
    to_render = rendered.problem(content)
    if to_render is not None:
        return [to_render]
    return [] if recognised(content) else [_unknown(content)]


def _unknown(content: Content) -> Problem:
    formats = ", ".join(form.name for form in FORMATS)
    if content.header and plain_csv.is_nearly_known(content):
        hint = plain_csv.misspelt(content)
        found = f"the unknown column{'s' if hint.count(' (did') > 1 else ''} {hint}"
        return Problem(content.file, found, "the columns of machines or of workloads")
    if content.header:
        hint = plain_csv.misspelt(content)
        found = f"a table with the columns {', '.join(content.header)}"
        found += f"; of these are unknown {hint}" if hint else ""
    elif isinstance(content.document, dict):
        keys = clip(", ".join(content.document)).strip("'")
        found = f"a mapping of {keys} without apiVersion and kind"
    else:
        found = clip(content.document)
    return Problem(content.file, found, f"one of: {formats}")
