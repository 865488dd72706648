"""Quantities as people write them ("250m", "1.5Gi", "90s"), exact, both ways.

The grammar is Kubernetes' resource.Quantity: a signed decimal number and one suffix, of the
decimal family (n, u, m, none, k, M, G, T, P, E), of the binary family (Ki .. Ei) or a decimal
exponent (e3, E-2). Values are kept as `Fraction`, so nothing is ever rounded by accident.
Source: Kubernetes API, resource/Quantity.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction

DECIMAL_SUFFIXES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
}
BINARY_SUFFIXES = {
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}
INT64_MAX = 2**63 - 1

_QUANTITY = re.compile(
    r"([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([eE][+-]?\d{1,3})|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?",
    re.ASCII,
)
_MAX_LENGTH = 64
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)", re.ASCII)
_DURATION_SECONDS = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}


def parse_quantity(text: str | int | float) -> Fraction:
    """The exact value of a Kubernetes quantity.

    Parameters: text, such as "250m", "1.5Gi", "1e3" or 2 (a plain number, as YAML gives it).
    Returns: the value in base units (cores, bytes, pieces).
    Raises: ValueError if the text is not a quantity.

    >>> parse_quantity("250m")
    Fraction(1, 4)
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(f"{text!r} is not a quantity")
    if isinstance(text, float) and not math.isfinite(text):
        raise ValueError(f"{text!r} is not a quantity")
    # repr keeps the digits that were written: 0.1 in YAML means one tenth, not its nearest double.
    written = text if isinstance(text, str) else repr(text)
    match = _QUANTITY.fullmatch(written) if len(written) <= _MAX_LENGTH else None
    if match is None:
        raise ValueError(f"{text!r} is not a quantity")
    sign, number, exponent, suffix = match.groups()
    value = Fraction(number) * _scale(exponent, suffix)
    return -value if sign == "-" else value


def _scale(exponent: str | None, suffix: str | None) -> Fraction:
    if exponent:
        return Fraction(10) ** int(exponent[1:])
    return DECIMAL_SUFFIXES.get(suffix or "") or BINARY_SUFFIXES[suffix or ""]


def parse_millis(text: str | int | float) -> int:
    """A quantity in thousandths, rounded up as the scheduler does: "0.1m" is 1.

    >>> parse_millis("1.5")
    1500
    """
    return _bounded(math.ceil(parse_quantity(text) * 1000), text)


def parse_whole(text: str | int | float) -> int:
    """A quantity in whole base units, rounded up as the scheduler does.

    >>> parse_whole("1.5Gi")
    1610612736
    """
    return _bounded(math.ceil(parse_quantity(text)), text)


def _bounded(value: int, text: object) -> int:
    if abs(value) > INT64_MAX:
        raise ValueError(f"{text!r} is more than a 64-bit integer holds")
    return value


def format_quantity(value: Fraction | int, *, binary: bool = False) -> str:
    """The shortest exact spelling of a quantity; `binary` prefers Ki, Mi, Gi.

    Returns a text that `parse_quantity` reads back to the same value.
    Raises: ValueError if the value has more decimals than nano-units hold.

    >>> format_quantity(Fraction(1, 4)), format_quantity(1610612736, binary=True)
    ('250m', '1536Mi')
    """
    exact = Fraction(value)
    if exact == 0:
        return "0"
    family = BINARY_SUFFIXES if binary and exact.denominator == 1 else DECIMAL_SUFFIXES
    for suffix, scale in reversed(family.items()):
        if (exact / scale).denominator == 1:
            return f"{(exact / scale).numerator}{suffix}"
    if family is BINARY_SUFFIXES:
        return str(exact.numerator)
    raise ValueError(f"{value!r} is finer than a quantity's smallest unit, 1n")


def format_cores(millicores: int) -> str:
    """Milli-cores as a quantity: 250 is "250m", 2000 is "2"."""
    whole, rest = divmod(millicores, 1000)
    return f"{millicores}m" if rest else str(whole)


def format_bytes(size: int) -> str:
    """Bytes as an exact binary quantity: 1610612736 is "1536Mi"."""
    return format_quantity(size, binary=True)


def parse_duration(text: str | int | float) -> float:
    """A duration in seconds: "90s", "1h30m", "500ms", "2d", or a plain number of seconds.

    Raises: ValueError if the text is not a duration.

    >>> parse_duration("1h30m")
    5400.0
    """
    if isinstance(text, int | float) and not isinstance(text, bool) and math.isfinite(text):
        return float(text)
    parts = _DURATION.findall(text) if isinstance(text, str) else []
    if not parts or "".join(n + u for n, u in parts) != text:
        raise ValueError(f"{text!r} is not a duration")
    return float(sum(Fraction(number) * _DURATION_SECONDS[unit] for number, unit in parts))


def format_duration(seconds: float) -> str:
    """Seconds as a duration that `parse_duration` reads back exactly.

    >>> format_duration(5400.0)
    '1h30m'
    """
    if seconds < 0 or not math.isfinite(seconds):
        raise ValueError(f"{seconds!r} is not a duration")
    whole = int(seconds)
    if seconds != whole or whole == 0:
        return f"{Decimal(repr(float(seconds))):f}s"
    parts, rest = [], whole
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
