"""What packages weigh once installed: measured where the tables know them, else a range.

Tables: data/platforms/python_packages.csv (wheels, scripts/measure_packages.py) and
debian_packages.csv (scripts/measure_debian_packages.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from capsim.data_files import data_path
from capsim.stack.images.parameters import of_images
from capsim.stack.interval import Interval, as_interval, total
from capsim.stack.parameters import Parameter, facts

#: Versions differ from those measured; half again either way covers most of a package's history.
_OTHER_VERSION = Interval(1.0, 0.7, 1.3)


@dataclass(frozen=True)
class Installed:
    """What an installation leaves in a layer, and what it takes."""

    unpacked_mb: Interval
    compressed_mb: Interval
    download_mb: Interval
    packages: Interval
    """How many, with all they need."""
    unknown: tuple[str, ...] = ()
    """Names that no table has."""


@cache
def _python() -> pd.DataFrame:
    table = pd.read_csv(data_path("platforms", "python_packages.csv"), keep_default_na=False)
    return table.set_index("package")


@cache
def _debian() -> pd.DataFrame:
    return pd.read_csv(data_path("platforms", "debian_packages.csv")).set_index("package")


def with_needs(names: Iterable[str]) -> list[str]:
    """Python packages with all that they need, each once; unknown ones stay by themselves."""
    table, found = _python(), dict[str, None]()
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting += str(table.at[name, "needs"]).split() if name in table.index else []
    return list(found)


def pip(names: Sequence[str]) -> Installed:
    """`pip install` of these packages, with their needs, into an image that has none of them."""
    return _pip(tuple(names))


@cache
def _pip(names: tuple[str, ...]) -> Installed:
    table, every = _python(), with_needs(names)
    known = table.loc[[name for name in every if name in table.index]]
    unknown = tuple(name for name in every if name not in table.index)
    guess = total(unmeasured(name).figure for name in unknown)
    sums = known[["installed_mb", "layer_gzip_mb", "wheel_mb"]].astype(float).sum().to_dict()
    squeeze = of_images("image", "compression").figure
    return Installed(
        unpacked_mb=_OTHER_VERSION * sums["installed_mb"] + guess,
        compressed_mb=_OTHER_VERSION * sums["layer_gzip_mb"] + _squeezed(guess, squeeze),
        download_mb=_OTHER_VERSION * sums["wheel_mb"] + _squeezed(guess, squeeze),
        packages=as_interval(float(len(every))),
        unknown=unknown,
    )


def unmeasured(name: str) -> Parameter:
    """The range of a Python package that was not measured: its own, or that of any package."""
    own = facts("images").get(("build", f"pip {name}"))
    return own or of_images("build", "unknown pip package")


def apt(names: Sequence[str], *, recommends: bool) -> Installed:
    """`apt-get install` of these packages into a slim Debian or Ubuntu image.

    Needs that two packages share are counted for each, so that the middle is on the high side.
    """
    table = _debian()
    plain = [name.split("=")[0].split(":")[0] for name in names]
    known = table.loc[[name for name in plain if name in table.index]]
    unknown = tuple(name for name in plain if name not in table.index)
    guess = of_images("build", "unknown apt package").figure * len(unknown)
    # Shared needs: at least the largest package comes whole.
    largest = float(known["installed_mb"].max()) if len(known) else 0.0
    total = float(known["installed_mb"].sum())
    added = Interval(total, max(largest, 0.5 * total), 1.2 * total) + guess
    if recommends:
        added = added * of_images("build", "recommends").figure
    count = float(known["packages"].sum()) + 5 * len(unknown)
    packed = _squeezed(added, of_images("image", "compression").figure)
    return Installed(added, packed, packed, Interval(count, 1, 2 * count), unknown)


def npm(direct: int | None) -> Installed:
    """`npm install` of so many direct dependencies; None: package.json is not there."""
    count = (
        of_images("build", "npm packages").figure if direct is None else as_interval(float(direct))
    )
    added = of_images("build", "npm package").figure * count
    packed = _squeezed(added, of_images("image", "compression").figure)
    return Installed(added, packed, packed, count)


def apk(names: Sequence[str]) -> Installed:
    """`apk add`: no table, a range for each."""
    added = of_images("build", "unknown apk package").figure * len(names)
    packed = _squeezed(added, of_images("image", "compression").figure)
    return Installed(added, packed, packed, as_interval(float(len(names))), tuple(names))


def _squeezed(unpacked: Interval, ratio: Interval) -> Interval:
    """Compressed bytes: the low end of one goes with the low end of the other."""
    return Interval(
        unpacked.value / ratio.value, unpacked.low / ratio.value, unpacked.high / ratio.value
    )
