"""JSON and YAML texts to documents."""

from __future__ import annotations

import json
import time

import pytest

from capsim.errors import InputError
from capsim.readers.parsing import documents


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        documents(text, "in")
    return str(caught.value)


def test_json_is_read_as_json() -> None:
    assert documents('{"a": [1, 2.5, "x", null, true]}', "in") == [{"a": [1, 2.5, "x", None, True]}]


@pytest.mark.parametrize(
    "text", ['{"a": 1}\n{"a": 2}\n', '{"a":1}{"a":2}', '{"a": 1}\n---\n{"a": 2}\n---\n']
)
def test_json_objects_one_after_the_other_are_documents(text: str) -> None:
    assert documents(text, "in") == [{"a": 1}, {"a": 2}]


def test_braces_without_quotes_are_yaml() -> None:
    assert documents("{a: 1, b: [x]}", "in") == [{"a": 1, "b": ["x"]}]
    assert documents("[a, b]", "in") == [["a", "b"]]


def test_empty_documents_are_passed_over() -> None:
    assert documents("# only a comment\n", "in") == []
    assert documents("---\n---\na: 1\n---\n", "in") == [{"a": 1}]


@pytest.mark.parametrize("text", ['{"a": ', '{"a": 1', '[{"a": 1},', '{"a": "b', '{"a": [1, 2'])
def test_truncated_json_is_said_to_break_off(text: str) -> None:
    words = refusal(text)
    assert words.startswith("in: found JSON that breaks off at line 1 column ")
    assert words.endswith(", expected a complete file.")


def test_broken_json_is_named_with_line_and_column() -> None:
    assert refusal('{"a": 1,\n "b": x}') == (
        "in: found broken JSON at line 2 column 7 (expecting value), expected valid JSON."
    )


def test_what_follows_a_json_document_must_be_json_too() -> None:
    assert "found broken JSON at line 1 column 10" in refusal('{"a": 1} rubbish')


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_lacks_are_refused(number: str) -> None:
    expected = f"in: found {number}, expected JSON, which has no such number."
    assert refusal(f'{{"a": {number}}}') == expected


def test_numbers_that_no_double_holds_are_refused() -> None:
    assert "found 1e999, expected a number that a double can hold." in refusal('{"a": 1e999}')
    assert "found a number of thousands of digits" in refusal('{"a": ' + "1" * 10_000 + "}")


def test_a_key_twice_in_one_json_object_is_refused() -> None:
    assert refusal('{"a": 1, "b": 2, "a": 3}') == (
        "in: found the key 'a' twice in one object, expected each key once."
    )


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '[{"a":' * 50_000])
def test_json_nested_without_end_is_refused_at_once(text: str) -> None:
    start = time.perf_counter()
    assert "nested too deeply" in refusal(text) or "nested more than 100 deep" in refusal(text)
    assert time.perf_counter() - start < 0.5


def test_a_yaml_error_is_named_with_its_line() -> None:
    assert refusal("a: 1\nb: !x y") == (
        "in: line 2: found the tag !x, expected plain YAML without tags."
    )


@pytest.mark.parametrize(
    "text",
    [
        "metadata:\n  name: {{ .Values.name }}\n",
        "{{- if .Values.on }}\nkind: Pod\n{{- end }}\n",
        '{{ include "x" . }}\n',
    ],
)
def test_a_helm_template_is_told_how_to_render(text: str) -> None:
    assert refusal(text) == (
        "in: found a template with {{ }} in it, "
        "expected rendered manifests: `helm template NAME CHART | capsim plan -`."
    )


def test_braces_inside_texts_are_no_template() -> None:
    text = "expr: '{{ $labels.pod }} is down'"
    assert documents(text, "in") == [{"expr": "{{ $labels.pod }} is down"}]


def test_large_json_parses_at_nearly_the_speed_of_the_parser() -> None:
    text = json.dumps([{"a": {"b": [{"c": "d"}] * 5}} for _ in range(20_000)])
    start = time.perf_counter()
    json.loads(text)
    plain = time.perf_counter() - start
    start = time.perf_counter()
    documents(text, "in")
    assert time.perf_counter() - start < 10 * plain + 0.2


def test_half_a_surrogate_pair_is_refused_and_a_whole_one_read() -> None:
    assert documents('{"a": "\\ud83d\\ude00"}', "in") == [{"a": "\U0001f600"}]
    assert "found half a character" in refusal('{"a": "\\ud83d"}')
