"""The base of every model of a scenario: frozen, strict about names, spelled as in Kubernetes."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from capsim import units
from capsim.errors import clip, nearest
from capsim.scenario.wording import misfit

CPU = "cpu"
MEMORY = "memory"
PODS = "pods"
EPHEMERAL_STORAGE = "ephemeral-storage"
#: Thousandths of a GPU over all devices of a node; devices are whole boards of 1000.
GPU_MILLI = "alibabacloud.com/gpu-milli"

#: Written without a prefix, these are the only names that a node or container can have.
NATIVE_RESOURCES = (CPU, MEMORY, PODS, EPHEMERAL_STORAGE, "storage")
_NATIVE_PREFIXES = ("hugepages-", "attachable-volumes-")
_HASHABLE = (str, int, float)


#: Keeps sums over a node and percentages of them inside 64 bits (8 PiB, in bytes).
MAX_AMOUNT = 2**53


class Spec(BaseModel):
    """A frozen model whose fields are read and written under their Kubernetes (camelCase) names."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )


def field_names(model: type[Spec] = Spec) -> set[str]:
    """The names of all fields of all specs, as YAML has them."""
    own = {field.alias or name for name, field in model.model_fields.items()}
    return own.union(*(field_names(child) for child in model.__subclasses__()))


def read_resources(quantities: Any) -> dict[str, int]:
    """Quantities by resource name to integers: cpu in milli-cores, all else in whole units.

    Both are rounded up, as the scheduler does. Raises ValueError for a quantity that is
    malformed, negative or beyond 64 bits, or for a misspelt native name.
    """
    if not isinstance(quantities, dict):
        raise misfit(clip(quantities), "a mapping of resource names to quantities")
    # A cluster writes the same few hundred quantities over and over.
    return {
        name: (_known_resource if isinstance(text, _HASHABLE) else _read_resource)(name, text)
        for name, text in quantities.items()
    }


@lru_cache(maxsize=4096, typed=True)
def _known_resource(name: str, text: str | int | float) -> int:
    return _read_resource(name, text)


def _read_resource(name: Any, text: Any) -> int:
    if not isinstance(name, str) or not _is_resource_name(name):
        hint = nearest(str(name), NATIVE_RESOURCES)
        raise misfit(
            f"the resource {name!r}",
            f"one of {', '.join(NATIVE_RESOURCES)} or a name such as vendor.com/name{hint}",
        )
    try:
        value = units.parse_quantity(text)
    except ValueError:
        raise misfit(f"{clip(text)} of {name}", f"a quantity such as {_example(name)}") from None
    amount = math.ceil(value * 1000 if name == CPU else value)
    if value < 0:
        raise misfit(f"{clip(text)} of {name}", "an amount that is not negative")
    if amount > MAX_AMOUNT:
        raise misfit(f"{clip(text)} of {name}", "an amount that some machine has")
    return amount


def _is_resource_name(name: str) -> bool:
    return name in NATIVE_RESOURCES or "/" in name or name.startswith(_NATIVE_PREFIXES)


def _example(name: str) -> str:
    return {CPU: "250m or 2", MEMORY: "512Mi or 4Gi"}.get(name, "1 or 10Gi")


def print_resources(amounts: dict[str, int]) -> dict[str, str]:
    """The inverse of `read_resources`: integers back to quantities."""
    return {name: print_resource(name, amount) for name, amount in amounts.items()}


@lru_cache(maxsize=4096)
def print_resource(name: str, amount: int) -> str:
    """One amount as a person writes it: 250 of cpu is "250m", 2**30 of memory is "1Gi"."""
    if name == CPU:
        return units.format_cores(amount)
    if name in (MEMORY, EPHEMERAL_STORAGE, "storage") or name.startswith("hugepages-"):
        return units.format_bytes(amount)
    return str(amount)


Resources = Annotated[
    dict[str, int],
    BeforeValidator(read_resources),
    PlainSerializer(print_resources, return_type=dict[str, str]),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {
                "type": ["string", "number"],
                "description": "a Kubernetes quantity, for example 250m or 4Gi",
            },
        }
    ),
]
"""Amounts by resource: int milli-cores for cpu, int whole units (bytes, pieces) for the rest."""


class Assumption(Spec):
    """One model assumption: what was taken, its value, and where it comes from."""

    name: str
    value: str
    source: str
    low: str = ""
    """Lower end, where the value is a guess or a range."""
    high: str = ""

    def __str__(self) -> str:
        span = f" ({self.low} to {self.high})" if self.low or self.high else ""
        return f"{self.name}: {self.value}{span} [{self.source}]"
