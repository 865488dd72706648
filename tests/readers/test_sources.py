"""Paths to files to text."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import pytest

from capsim.errors import InputError
from capsim.readers import sources
from capsim.readers.sources import find, load


def refusal(path: Path | str, folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(str(path))
    return str(caught.value).replace(f"{folder}/", "")


def found(folder: Path) -> list[str]:
    return [str(Path(source.name).relative_to(folder)) for source in find([folder])[0]]


def test_a_folder_stands_for_the_files_below_it_in_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/z.json", "a/b/c.csv", "c.yml", "d.json.gz", "E.YAML"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    expected = ["E.YAML", "a/b/c.csv", "a/z.json", "b.yaml", "c.yml", "d.json.gz"]
    assert found(tmp_path) == expected


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for name in (".git/x.yaml", ".hidden.yaml", "seen.yaml"):
        (tmp_path / name).write_text("x")
    sources_found, remarks = find([tmp_path])
    assert [Path(source.name).name for source in sources_found] == ["seen.yaml"]
    assert remarks == []


def test_files_of_other_endings_are_counted(tmp_path: Path) -> None:
    for name in ("a.yaml", "README.md", "NOTES.md", "Makefile"):
        (tmp_path / name).write_text("x")
    _, remarks = find([tmp_path])
    assert remarks == [f"{tmp_path}: left out 3 files of other endings (.md 2, no ending 1)."]


def test_a_folder_linked_into_itself_is_no_endless_walk(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert found(tmp_path) == ["a.yaml"]


def test_every_path_that_is_missing_or_has_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "README.md").write_text("x")
    with pytest.raises(InputError) as caught:
        find([tmp_path / "missing.yaml", tmp_path / "empty", tmp_path / "other"])
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        "missing.yaml: found no such file or folder, expected one that exists.",
        "empty: found an empty folder, "
        "expected files that end in .json, .yaml, .yml, .csv (or these and .gz).",
        "other: found nothing to read among 1 file, "
        "expected files that end in .json, .yaml, .yml, .csv (or these and .gz).",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("kustomization.yaml", "a kustomization, expected rendered manifests: `kubectl kustomize"),
        ("Kustomization", "a kustomization, expected rendered manifests: `kubectl kustomize"),
        ("Chart.yaml", "a Helm chart, expected rendered manifests: `helm template NAME"),
    ],
)
def test_a_folder_to_be_rendered_says_how(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "patch.yaml").write_text("spec: {}")
    (tmp_path / "base" / name).write_text("resources: []")
    with pytest.raises(InputError) as caught:
        find([tmp_path])
    assert words in str(caught.value)
    assert f"{tmp_path / 'base'} | capsim plan -`" in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_with_or_without_a_mark_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "in.yaml"
    path.write_bytes("name: Köln\n".encode(encoding))
    assert load(str(path)) == "name: Köln\n"


def test_gzip_is_unpacked_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(gzip.compress(b"one\n", mtime=0) + gzip.compress(b"two\n"))
    assert load(str(path)) == "one\ntwo\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "in: found an empty file, expected JSON, YAML or CSV."),
        (b" \n\t\n", "in: found an empty file, expected JSON, YAML or CSV."),
        (b"\x7fELF\0\0\0", "in: found a binary file, expected text: JSON, YAML or CSV."),
        (
            "name: Köln".encode("latin-1"),
            "in: found bytes that are not UTF-8 (at 7), expected text: JSON, YAML or CSV in UTF-8.",
        ),
        (
            gzip.compress(b"x" * 1000, mtime=0)[:-12],
            "in: found gzip data that breaks off, expected a",
        ),
        (b"\x1f\x8bnonsense", "in: found broken gzip data, expected a complete .gz file."),
        (gzip.compress(b"  ", mtime=0), "in: found an empty file, expected JSON, YAML or CSV."),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "in"
    path.write_bytes(data)
    assert refusal(path, tmp_path).startswith(words)


def test_a_file_beyond_the_bound_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 2**20)
    path = tmp_path / "big"
    path.write_bytes(b"x" * (2**20 + 1))
    assert (
        refusal(path, tmp_path) == "big: found more than 1 MiB, expected a smaller file, or parts."
    )


def test_a_gzip_bomb_is_refused_without_unpacking_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 2**20)
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b"x" * 2**28, mtime=0))
    assert "found more than 1 MiB unpacked" in refusal(path, tmp_path)


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    assert "a file that cannot be opened (Is a directory)" in refusal(tmp_path, tmp_path.parent)


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"kind: Pod\n")))
    assert find(["-"])[0][0].name == "-"
    assert load("-") == "kind: Pod\n"


def test_trouble_with_standard_input_is_told_by_that_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(InputError, match="standard input: found an empty file"):
        load("-")
