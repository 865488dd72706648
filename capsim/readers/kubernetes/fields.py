"""Parts of Kubernetes objects as loose models: only what capsim reads, checked at the border."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel

from capsim.errors import Problem, clip
from capsim.scenario import LabelSelector
from capsim.scenario.spec import field_names
from capsim.scenario.wording import found_and_expected, misfit

#: Names more alike than this are taken for misspelt; less alike ones may be newer than capsim.
_TYPO = 0.8


class Loose(BaseModel):
    """Part of an object; null counts as absent, unknown fields pass unless they look misspelt."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        defer_build=True,
        extra="ignore",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
    )
    also: ClassVar[frozenset[str]] = frozenset()
    """Fields of the API that capsim does not read."""

    @model_validator(mode="before")
    @classmethod
    def _present_fields(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict):
            return value
        if not (info.context or {}).get("live"):
            cls._check_spelling(value)
        return {name: field for name, field in value.items() if field is not None}

    @classmethod
    def _check_spelling(cls, value: dict[Any, Any]) -> None:
        known = {field.alias or name for name, field in cls.model_fields.items()} | cls.also
        for name in value.keys() - known:
            close = difflib.get_close_matches(str(name), known, n=1, cutoff=_TYPO)
            if close:
                hint = f"a field of the API (did you mean {close[0]!r}?)"
                raise misfit(f"the unknown field {name!r}", hint)


def without_nulls(value: Any) -> Any:
    """The same data without entries that are null."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def _int_or_text(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise misfit(clip(value), 'a whole number or a percentage such as "50%"')
    return value


Count = Annotated[int, Field(strict=True, ge=0)]
Flag = Annotated[bool, Field(strict=True)]
IntOrText = Annotated[str, BeforeValidator(_int_or_text)]
Selector = Annotated[LabelSelector, BeforeValidator(without_nulls)]

Part = TypeVar("Part", bound=BaseModel)


def problems(
    error: ValidationError, file: str, name: str, content: Any, path: str = ""
) -> list[Problem]:
    """A validation error as problems of one object; `path` leads to the part that was checked."""
    return [
        Problem(
            file,
            *found_and_expected(detail, field_names()),
            name,
            _path(detail["loc"], content, path),
        )
        for detail in error.errors(include_url=False)
    ]


def _path(loc: tuple[int | str, ...], content: Any, path: str) -> str:
    return path + "".join(_steps(loc, content)) if path else "".join(_steps(loc, content))[1:]


def _steps(loc: tuple[int | str, ...], content: Any) -> Iterator[str]:
    """The way into an object: ".spec", ".containers", "[web]"; list entries by name or number."""
    for step in loc:
        content = _child(content, step)
        if isinstance(step, int):
            name = content.get("name") if isinstance(content, dict) else None
            yield f"[{name if isinstance(name, str) else step}]"
        else:
            yield f".{step}"


def _child(content: Any, step: int | str) -> Any:
    try:
        return content[step]
    except (KeyError, IndexError, TypeError):
        return None
