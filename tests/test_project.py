"""The project's own files agree with one another."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()

#: Where conda-forge's name is not PyPI's.
CONDA_NAMES = {"kaleido": "python-kaleido", "playwright": "playwright-python"}

DATA_FILES = sorted(
    path.relative_to(ROOT / "data").as_posix()
    for path in (ROOT / "data").rglob("*")
    if path.is_file() and path.name != "README.md"
)


def declared() -> list[Requirement]:
    texts = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    return [Requirement(text) for text in texts]


def locked() -> list[Requirement]:
    lines = (line.removesuffix("\\") for line in LOCK.splitlines())
    return [Requirement(line) for line in lines if re.match(r"[a-z0-9]", line)]


def test_the_conda_environment_and_pyproject_ask_for_the_same():
    expected = {
        CONDA_NAMES.get(name := canonicalize_name(need.name), name): str(need.specifier)
        for need in declared()
    }
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    found = {
        (need := Requirement(entry)).name: str(need.specifier)
        for entry in environment["dependencies"]
        if isinstance(entry, str)
    }
    assert found.pop("python") == PROJECT["requires-python"]
    found.pop("pip")
    assert found == expected


@pytest.mark.parametrize("python", ["3.11.2", "3.12.1", "3.13.0"])
def test_the_lock_pins_every_dependency_once_within_its_bounds(python: str):
    environment = dict(
        default_environment(),
        python_full_version=python,
        python_version=python.rpartition(".")[0],
    )
    pins: dict[str, str] = {}
    for need in locked():
        if need.marker is None or need.marker.evaluate(environment):
            assert need.name not in pins
            pins[need.name] = str(need.specifier).removeprefix("==")
    for need in declared():
        assert need.specifier.contains(pins[canonicalize_name(need.name)]), need


def test_the_lock_names_hashes_and_no_address():
    assert LOCK.count("--hash=sha256:") > len(locked())
    assert not re.findall(r"://|--(?:extra-)?index-url|--find-links|file:", LOCK)


@pytest.mark.parametrize("name", DATA_FILES)
def test_every_data_file_is_described(name: str):
    assert f"[{name}]" in (ROOT / "data" / "README.md").read_text()


def test_every_described_data_file_exists():
    described = re.findall(r"^\| \[([^]]+)\]", (ROOT / "data" / "README.md").read_text(), re.M)
    assert sorted(described) == DATA_FILES


def test_make_has_the_targets_that_the_readme_promises():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    assert {"lab", "test", "bench", "docs", "lint", "lock", "clean"} <= set(targets)


def test_no_project_file_names_a_registry():
    for name in ("pyproject.toml", "environment.yml", "Makefile", ".ci/run"):
        text = (ROOT / name).read_text()
        assert not re.findall(r"index-url|pypi\.org|pythonhosted|--find-links", text), name
    for script in (f for f in (ROOT / "scripts").rglob("*.*") if f.suffix != ".pyc"):
        assert "index-url" not in script.read_text(), script.name
