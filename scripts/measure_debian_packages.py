"""Measures what Debian packages bring into an image: of the package lists, nothing is installed.

    apt-get update && python scripts/measure_debian_packages.py data/platforms/debian_packages.csv

Sums Size and Installed-Size over a package and all it needs, less what a slim image has already
(packages of priority required or important-by-need: the needs of BASE). Needs Debian's apt-cache.
"""

from __future__ import annotations

import csv
import datetime
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

WANTED = (
    "build-essential gcc g++ git curl wget make libpq-dev libpq5 ffmpeg nodejs nginx "
    "default-jre-headless default-jdk-headless vim-tiny python3 python3-pip postgresql-client "
    "libgl1 libglib2.0-0 ca-certificates netcat-openbsd procps unzip libffi-dev libssl-dev gnupg"
)
BASE = (
    "apt base-files bash coreutils debian-archive-keyring dpkg grep gzip libc-bin login mount "
    "perl-base tar util-linux"
)
COLUMNS = ("package", "packages", "download_mb", "installed_mb", "source", "source_date")


def main(target: Path) -> None:
    base = set().union(*(closure(name) for name in BASE.split()))
    rows = [row(name, base) for name in WANTED.split()]
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def row(name: str, base: set[str]) -> dict[str, object]:
    added = sorted(closure(name) - base)
    sizes = [sizes_of(each) for each in added]
    return {
        "package": name,
        "packages": len(added),
        "download_mb": f"{sum(size for size, _ in sizes) / 1e6:.2f}",
        "installed_mb": f"{sum(kib for _, kib in sizes) * 1024 / 1e6:.2f}",
        "source": "scripts/measure_debian_packages.py; Debian 12, amd64, without recommends",
        "source_date": datetime.date.today().isoformat(),
    }


def closure(name: str) -> set[str]:
    """The package and all it needs: first alternatives, and the first provider of a virtual one."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        package = waiting.pop()
        if package not in available():
            package = providers().get(package, "")
        if package and package not in found:
            found.add(package)
            waiting += needs(package)
    return found


def needs(package: str) -> list[str]:
    fields = available()[package]
    wanted = ", ".join(filter(None, (fields.get("Depends"), fields.get("Pre-Depends"))))
    return [re.split(r"[\s:(|]", each.strip())[0] for each in wanted.split(",") if each.strip()]


def sizes_of(package: str) -> tuple[int, int]:
    """Bytes of the archive and KiB installed."""
    fields = available()[package]
    return int(fields.get("Size", 0)), int(fields.get("Installed-Size", 0))


@cache
def available() -> dict[str, dict[str, str]]:
    command = ("apt-cache", "dumpavail")
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    stanzas = (dict(re.findall(r"^([A-Za-z-]+): (.*)$", s, re.M)) for s in text.split("\n\n"))
    return {fields["Package"]: fields for fields in stanzas if "Package" in fields}


@cache
def providers() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, fields in available().items():
        for each in fields.get("Provides", "").split(","):
            found.setdefault(re.split(r"[\s(]", each.strip() + " ")[0], name)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
