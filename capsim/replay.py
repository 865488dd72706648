"""Replaying recorded cases of the real systems: the check that anyone can make from outside."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capsim.errors import CapsimError, InputError, ModelError, Problem, nearest

#: Most bytes of a case file after decompression.
_MAX_BYTES = 2**30
_SUFFIXES = (".json", ".json.gz")


def _scheduler(case: dict[str, Any]) -> tuple[Any, float]:
    from capsim import warm
    from capsim.placement.kubernetes.replay import replay

    warm.placing()
    return replay(case)


def _cgroup_cpu(case: dict[str, Any]) -> tuple[Any, float]:
    from capsim.contention.replay import replay_cpu

    return replay_cpu(case)


def _cgroup_latency(case: dict[str, Any]) -> tuple[Any, float]:
    from capsim.contention.replay import replay_latency

    return replay_latency(case)


#: Family to what decides a case of it: the result and the seconds spent deciding.
FAMILIES: dict[str, Callable[[dict[str, Any]], tuple[Any, float]]] = {
    "scheduler": _scheduler,
    "cgroup-cpu": _cgroup_cpu,
    "cgroup-latency": _cgroup_latency,
}


_SHOWN_CASES = 5


def replay(family: str, paths: Iterable[str | Path]) -> Iterator[dict[str, Any]]:
    """One record a case: id, result and seconds, or id and error where it cannot be replayed.

    Parameters: family, such as "scheduler"; paths of files (.json, .json.gz; one case or
    {"cases": [...]}) or folders of them. Files of a folder whose "suite" names another family are
    left out.
    Raises: ModelError for an unknown family, InputError for a file that cannot be read.
    """
    return (record for _, record in _replayed(family, paths))


@dataclass(frozen=True)
class Verdict:
    """Recorded cases against the models, in words; `code` is 0, 1 (differs) or 2 (not replayed)."""

    text: str
    code: int


def check(family: str, paths: Iterable[str | Path]) -> Verdict:
    """Replays recorded cases and holds the results against what the real system did.

    Parameters: as for `replay`; each case carries `decisions` (scheduler) or `expected`.
    Raises: as `replay`, and ModelError where no case carries what the real system did.
    """
    replayed = list(_replayed(family, paths))
    errors = [f"{record['id']}: {record['error']}" for _, record in replayed if "error" in record]
    done = [(case, record) for case, record in replayed if "error" not in record]
    recorded = [(case, record) for case, record in done if case.keys() & {"decisions", "expected"}]
    if not recorded and not errors:
        raise ModelError("No case carries what the real system did (decisions or expected).")
    lines, code = _compared(family, recorded) if recorded else ([], 0)
    if len(done) > len(recorded):
        lines.append(f"{len(done) - len(recorded):,} more carry nothing to compare with.")
    if errors:
        lines.append(f"{len(errors):,} could not be replayed: {_first(errors)}")
    return Verdict("\n".join(lines), 2 if errors else code)


def _compared(
    family: str, recorded: Sequence[tuple[dict[str, Any], dict[str, Any]]]
) -> tuple[list[str], int]:
    from capsim.contention import fidelity

    pairs = [(case, record["result"]) for case, record in recorded]
    if family == "cgroup-cpu":
        return [fidelity.cpu_verdict(pairs)], 0
    if family == "cgroup-latency":
        return [fidelity.latency_verdict(pairs)], 0
    wrong = [
        f"{record['id']} ({_difference(case['decisions'], record['result'])})"
        for case, record in recorded
        if case["decisions"] != record["result"]
    ]
    decisions = sum(len(case["decisions"]) for case, _ in recorded)
    same = len(recorded) - len(wrong)
    line = f"{same:,} of {len(recorded):,} cases identical ({decisions:,} decisions)"
    return [f"{line}; differ: {_first(wrong)}" if wrong else line], int(bool(wrong))


def _difference(real: Sequence[Any], ours: Sequence[Any]) -> str:
    """The first decision of a case that is not as recorded."""
    pairs = zip(real, ours, strict=False)
    first = next((pair for pair in pairs if pair[0] != pair[1]), None)
    if first is None:
        return f"{len(ours):,} decisions, recorded {len(real):,}"
    real_one, our_one = first
    fields = [
        name for name in real_one.keys() | our_one.keys() if real_one.get(name) != our_one.get(name)
    ]
    return f"first at {real_one.get('pod')}: {', '.join(sorted(fields))}"


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_CASES:,} more" if len(names) > _SHOWN_CASES else ""
    return "; ".join(names[:_SHOWN_CASES]) + more


def _replayed(
    family: str, paths: Iterable[str | Path]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each case, and its record."""
    if family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise ModelError(f"Unknown family {family!r}{nearest(family, FAMILIES)}; known: {known}.")
    for file, others in _files(paths):
        content = _content(file)
        if others and _suite(content) in FAMILIES.keys() - {family}:
            continue
        for number, case in enumerate(_cases(content)):
            yield case, _record(family, case, f"{file.name}[{number}]")


def _record(family: str, case: Any, fallback: str) -> dict[str, Any]:
    if not isinstance(case, dict):
        return {"id": fallback, "error": f"{fallback} is not a case (a mapping)."}
    name = case.get("name") or case.get("id") or fallback
    try:
        result, seconds = FAMILIES[family](case)
    except CapsimError as error:
        return {"id": name, "error": str(error)}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return {"id": name, "error": f"the case has not the shape of its family ({error!r})."}
    return {"id": name, "result": result, "seconds": seconds}


def _files(paths: Iterable[str | Path]) -> Iterator[tuple[Path, bool]]:
    """Each file, and whether it came with others in a folder."""
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.name.endswith(_SUFFIXES))
            if not found:
                raise InputError(Problem(str(path), "no cases", "files .json or .json.gz"))
            yield from ((file, True) for file in found)
        elif path.is_file():
            yield path, False
        else:
            raise InputError(Problem(str(path), "nothing there", "a file or folder of cases"))


def _content(file: Path) -> Any:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            text = stream.read(_MAX_BYTES + 1)
        if len(text) > _MAX_BYTES:
            raise InputError(Problem(str(file), "more than 1 GiB", "a case file of ordinary size"))
        return json.loads(text)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        problem = Problem(str(file), f"unreadable content ({error})", "JSON, plain or gzipped")
        raise InputError(problem) from None


def _suite(content: Any) -> str:
    """The family that a file names, if it does."""
    return str(content.get("suite", "")) if isinstance(content, dict) else ""


def _cases(content: Any) -> list[Any]:
    if isinstance(content, dict) and isinstance(content.get("cases"), list):
        return list(content["cases"])
    return [content]
