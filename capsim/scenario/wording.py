"""Validation errors in words: what was found, and what was expected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError

from capsim.errors import clip, nearest

_EXPECTED = {
    "missing": "a value",
    "string_type": "a text (numbers, true and false need quotes to be one)",
    "string_too_short": "a text that is not empty",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a number that 64 bits hold",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
    "too_short": ("a list of at least", "min_length"),
}


def misfit(found: str, expected: str) -> PydanticCustomError:
    """An error (a ValueError) for validators, which keeps what was found and expected apart."""
    context = {"found": found, "expected": expected}
    return PydanticCustomError("misfit", "found {found}, expected {expected}", context)


def misfits(found: Sequence[tuple[str, str, str]]) -> PydanticCustomError:
    """Several errors in one: of which object, what was found, what was expected."""
    first = "{} has {}, expected {}".format(*found[0])
    return PydanticCustomError("misfits", "{first}", {"first": first, "all": tuple(found)})


def found_and_expected(detail: Mapping[str, Any], fields: Collection[str] = ()) -> tuple[str, str]:
    """One entry of `ValidationError.errors()` in words; `fields` are names to suggest for typos."""
    kind, context = detail["type"], detail.get("ctx", {})
    found = "nothing" if kind == "missing" else clip(detail["input"])
    if kind == "misfit":
        return context["found"], context["expected"]
    if kind == "extra_forbidden":
        name = str(detail["loc"][-1])
        return f"the unknown field {name!r}", f"a field of the schema{nearest(name, fields)}"
    if kind == "literal_error":
        return found, _one_of(detail["input"], context["expected"])
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return found, f"{words} {context[bound]}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return found, _EXPECTED.get(kind) or message[0].lower() + message[1:]


def _one_of(found: Any, choices: str) -> str:
    known = [choice for choice in choices.replace(" or ", ", ").split(", ") if choice != "''"]
    hint = nearest(found, [choice.strip("'") for choice in known]) if isinstance(found, str) else ""
    return f"one of {', '.join(choice.strip(chr(39)) for choice in known)}{hint}"
