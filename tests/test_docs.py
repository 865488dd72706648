"""The documents say what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import capsim as cs
from capsim.scenario import json_schema

ROOT = Path(__file__).parents[1]


def test_the_schema_in_docs_is_that_of_the_code() -> None:
    """`make docs` writes it anew."""
    written = json.loads((ROOT / "docs" / "schema" / "scenario.schema.json").read_text())
    assert written == json.loads(json.dumps(json_schema()))


def test_every_model_that_a_docstring_refers_to_is_a_heading_of_models_md() -> None:
    headings = set(re.findall(r"^#+ (.+)$", (ROOT / "docs" / "models.md").read_text(), re.M))
    for source in (ROOT / "capsim").rglob("*.py"):
        for reference in re.findall(
            r"docs/models\.md((?:, (?:and )?\"[^\"]+\"| and \"[^\"]+\")+)", source.read_text()
        ):
            for title in re.findall(r"\"([^\"]+)\"", reference):
                assert title in headings, f"{source.name} refers to {title!r}"


def test_every_file_that_the_readme_links_to_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_every_public_name_resolves_and_is_documented() -> None:
    for name in cs.__all__:
        thing = getattr(cs, name)
        assert (thing.__doc__ or "").strip(), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(cs, "no_such_thing")
    assert "place" in dir(cs)
