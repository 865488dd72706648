"""YAML is read safely, and as Kubernetes and JSON mean it."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from capsim.readers import yaml_events
from capsim.readers.yaml_events import Refused, load

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


def refusal(text: str) -> Refused:
    with pytest.raises(Refused) as caught:
        load(text)
    return caught.value


@given(plain)
def test_what_json_can_say_is_read_back_from_yaml(value: Any) -> None:
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True)
    assert load(text) == [value]


@given(st.dictionaries(st.text(max_size=5), st.lists(st.text(max_size=5)), max_size=4))
def test_the_pure_python_parser_gives_the_same(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    fast = load(text)
    original = yaml_events._PARSER
    yaml_events._PARSER = yaml.SafeLoader
    try:
        assert load(text) == fast
    finally:
        yaml_events._PARSER = original


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("'null'", "null"),
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01T10:00:00Z", "2020-01-01T10:00:00Z"),
        ("1:30", "1:30"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        ("-1.5", -1.5),
        (".5", 0.5),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("9" * 500, "9" * 500),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("! 5", 5),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    read = load(f"a: {text}")[0]["a"]
    assert read == value
    assert type(read) is type(value)


def test_keys_are_texts_as_in_json() -> None:
    assert load("1: a\ntrue: b\nnull: c\non: d") == [
        {"1": "a", "true": "b", "null": "c", "on": "d"}
    ]


def test_several_documents_are_read_in_order() -> None:
    assert load("---\na: 1\n---\n---\n- b\n...\n") == [{"a": 1}, None, ["b"]]


def test_aliases_and_merges_are_followed() -> None:
    text = """
    base: &base {cpu: 1, memory: 2}
    more: &more {memory: 9, disk: 3}
    one: {<<: *base, cpu: 5}
    two: {cpu: 5, <<: [*base, *more]}
    same: *base
    text: &t word
    again: *t
    """
    read = load(text)[0]
    assert read["one"] == {"cpu": 5, "memory": 2}
    assert read["two"] == {"cpu": 5, "memory": 2, "disk": 3}
    assert read["same"] == read["base"]
    assert read["again"] == "word"


def test_a_quoted_merge_sign_is_an_ordinary_key() -> None:
    assert load("'<<': 1") == [{"<<": 1}]


@pytest.mark.parametrize(
    ("text", "found", "line"),
    [
        ("a: 1\nb: !!python/object/apply:os.system [ls]", "the tag !!python/object/apply", 2),
        ("a: !Ref x", "the tag !Ref", 1),
        ("a: !!binary aGk=", "the tag !!binary", 1),
        ("a: !!set {x}", "the tag !!set", 1),
        ("a: 1\nb: 2\na: 3", "the key 'a' twice in one mapping", 3),
        ("? [a, b]\n: c", "a key that is itself a mapping or list", 1),
        ("{{ a }}: b", "a key that is itself a mapping or list", 1),
        ("&a [*a]", "the alias *a, which stands for nothing (or for itself)", 1),
        ("a: *b", "the alias *b, which stands for nothing (or for itself)", 1),
        ("a: &x k\n*x : 1", "an alias as a key", 2),
        ("<<: 1", "a merge (<<) of something else", 1),
        ("a: 'x", "broken YAML (found unexpected end of stream)", 1),
        ("a: b: c", "broken YAML (mapping values are not allowed in this context)", 1),
        ("a: @b", "broken YAML (found character that cannot start any token)", 1),
        ("a:\n\t- b", "broken YAML (found character that cannot start any token)", 2),
    ],
)
def test_what_is_refused_is_named_with_its_line(text: str, found: str, line: int) -> None:
    refused = refusal(text)
    assert refused.found.startswith(found)
    assert refused.line == line


def test_control_characters_are_refused() -> None:
    assert "control characters are not allowed" in refusal("a: \x01").found


BOMBS = {
    "billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(20)
    ),
    "a merge of merges": "a: &a {k: v}\n"
    + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} {{<<: [{','.join([f'*{chr(97 + i)}'] * 9)}]}}\n"
        for i in range(20)
    ),
    "a wide list copied often": "a: &a [" + "x," * 10_000 + "]\nb: [" + "*a," * 10_000 + "]",
    "flow lists in flow lists": "[" * 1_000_000,
    "flow mappings in flow mappings": '{"a":' * 1_000_000,
    "lists in lists": "- " * 100_000 + "a",
    "mappings in mappings": "\n".join(" " * depth + "a:" for depth in range(3000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once_and_in_little_memory(name: str) -> None:
    tracemalloc.start()
    start = time.perf_counter()
    refused = refusal(BOMBS[name])
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "a YAML bomb" in refused.found or "nested more than 100 deep" in refused.found
    assert seconds < 0.5
    assert peak < 64 * 2**20


def test_ordinary_aliases_are_no_bomb() -> None:
    text = "a: &a {cpu: 1}\nb: [" + "*a," * 1000 + "]"
    assert len(load(text)[0]["b"]) == 1000
