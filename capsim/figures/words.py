"""Numbers and names as people read them: counts, percentages, amounts, safe labels."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence

from capsim.placement.tables import shown_unit
from capsim.scenario import CPU, EPHEMERAL_STORAGE, GPU_MILLI, MEMORY, PODS, Scenario

#: Resource to (its name in a sentence, its name after "31 % of").
_NAMES = {
    CPU: ("CPU", "CPU"),
    MEMORY: ("memory", "memory"),
    PODS: ("pods", "pod slots"),
    EPHEMERAL_STORAGE: ("ephemeral storage", "ephemeral storage"),
    GPU_MILLI: ("GPU", "GPUs"),
}


def safe(text: str) -> str:
    """A name out of somebody's file, harmless in plotly's labels, which read HTML, $TeX$, %{..}."""
    printable = text if text.isprintable() else _printable(text)
    escaped = html.escape(printable, quote=False)
    return escaped.replace("$", "&#36;").replace("%{", "%&#123;")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def shorten(name: str, length: int = 34) -> str:
    """A long name with its middle left out: the ends of machine names tell them apart."""
    if len(name) <= length:
        return name
    tail = (length - 1) // 2
    return f"{name[: length - 1 - tail]}…{name[-tail:]}"


def short_names(names: Sequence[str], length: int) -> list[str]:
    """Names that still tell the things apart: without a shared domain, then without a shared head.

    >>> short_names(["node-001.eu.internal", "node-002.eu.internal"], 8)
    ['node-001', 'node-002']
    """
    heads = [name.split(".")[0] for name in names]
    kept = heads if len(set(heads)) == len(set(names)) else list(names)
    cut = max(_shared(kept).rfind(sign) for sign in "-_. ") + 1
    if cut and max(map(len, kept)) > length:
        kept = [f"…{name[cut:]}" for name in kept]
    return [shorten(name, length) for name in kept]


def _shared(names: Sequence[str]) -> str:
    """The letters with which all names begin: those that the first and the last in order share."""
    first, last = min(names, default=""), max(names, default="")
    pairs = zip(first, last, strict=False)
    same = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(first), len(last)))
    return first[:same]


def count(number: int, noun: str, plural: str = "") -> str:
    """A counted noun.

    >>> count(1, "node"), count(1523, "node")
    ('1 node', '1,523 nodes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


_NOUNS = {"pod": "pod", "vm": "VM", "container": "container"}


def noun(scenario: Scenario) -> str:
    """What the units of a scenario are called: "pod", "VM", "container", or "unit" for a mix."""
    kinds = {template.kind for template in scenario.templates.values()}
    return _NOUNS[kinds.pop()] if len(kinds) == 1 else "unit"


def percent(share: float) -> str:
    """A share as a percentage that never says 0 % or 100 % of what is not quite that.

    >>> percent(0.314), percent(0.0004), percent(0.9996)
    ('31 %', '<0.1 %', '99.9 %')
    """
    if not math.isfinite(share):
        return "–"
    if 0 < share < 0.001:
        return "<0.1 %"
    if share < 0.01 and round(share * 100, 1) != round(share * 100):
        return f"{share * 100:.1f} %"
    if 0.995 <= share < 1:
        return f"{math.floor(share * 1000) / 10:.1f} %"
    return f"{share * 100:,.0f} %"


def number(value: float) -> str:
    """A number with thousands separated, three figures where it is small.

    >>> number(1234.5), number(12.34), number(3.0)
    ('1,234', '12.3', '3')
    """
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def resource_name(resource: str) -> str:
    """A resource as a sentence calls it, harmless in labels: "CPU", "memory", "GPU"."""
    return _names(resource)[0]


def resource_mass(resource: str) -> str:
    """A resource after "31 % of", harmless in labels: "CPU", "memory", "GPUs"."""
    return _names(resource)[1]


def _names(resource: str) -> tuple[str, str]:
    if resource in _NAMES:
        return _NAMES[resource]
    plain = safe(resource.split("/", 1)[-1])
    return ("GPU", "GPUs") if plain == "gpu" else (plain, plain)


def amount(resource: str, value: float) -> str:
    """An amount in the engine's integers as people say it.

    >>> amount("cpu", 1500), amount("memory", 3 * 2**40)
    ('1.5 cores', '3 TiB')
    """
    _, unit, scale = shown_unit(resource)
    shown = value / scale
    if unit == "gib":
        return f"{number(shown / 1024)} TiB" if shown >= 1024 else f"{number(shown)} GiB"
    noun = {CPU: "core", GPU_MILLI: "GPU"}.get(resource) or resource_name(resource).rstrip("s")
    return f"{number(shown)} {noun}" + ("" if shown == 1 else "s")


def capital(sentence: str) -> str:
    """The sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]


def listed(parts: Sequence[str]) -> str:
    """Parts as prose: "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def wrap(text: str, width: int) -> str:
    """Text in lines for plotly; a number and its % sign stay together, and so does an entity."""
    kept = text.replace(" %", "\u00a0%")
    lines = textwrap.wrap(kept, width, break_long_words=True, break_on_hyphens=False)
    return "<br>".join(lines).replace("\u00a0%", " %")
