"""Measures what common Python packages weigh: wheel, installed files, and the gzip of a layer.

    python scripts/measure_packages.py data/platforms/python_packages.csv

Downloads the wheels of WANTED with their dependencies once, installs each alone with its bytecode
as pip does, and packs it as a layer is packed. Needs a package index; takes about two minutes.
"""

from __future__ import annotations

import csv
import datetime
import platform
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from email import message_from_bytes
from pathlib import Path

WANTED = (
    "flask gunicorn django fastapi uvicorn requests httpx aiohttp numpy pandas scipy scikit-learn "
    "matplotlib pillow sqlalchemy psycopg2-binary redis celery boto3 cryptography pyyaml pydantic "
    "openpyxl"
)
COLUMNS = (
    "package",
    "version",
    "wheel_mb",
    "installed_mb",
    "files",
    "layer_gzip_mb",
    "unpack_s",
    "needs",
    "source",
    "source_date",
)
_MB = 1e6


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder, "wheels")
        command = [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:"]
        subprocess.run([*command, "-d", str(wheels), *WANTED.split()], check=True)
        rows = [_measured(wheel, Path(folder)) for wheel in sorted(wheels.glob("*.whl"))]
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _measured(wheel: Path, folder: Path) -> dict[str, object]:
    name, version, needs = _metadata(wheel)
    site, layer, again = folder / name, folder / f"{name}.tar.gz", folder / f"{name}-unpacked"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True)
    files = [path for path in site.rglob("*") if path.is_file()]
    subprocess.run(["tar", "-C", str(site), "-czf", str(layer), "."], check=True)
    again.mkdir()
    begin = time.perf_counter()
    subprocess.run(["tar", "-C", str(again), "-xzf", str(layer)], check=True)
    return {
        "package": name,
        "version": version,
        "wheel_mb": f"{wheel.stat().st_size / _MB:.3f}",
        "installed_mb": f"{sum(path.stat().st_size for path in files) / _MB:.3f}",
        "files": len(files),
        "layer_gzip_mb": f"{layer.stat().st_size / _MB:.3f}",
        "unpack_s": f"{time.perf_counter() - begin:.3f}",
        "needs": " ".join(needs),
        "source": f"scripts/measure_packages.py; Python {platform.python_version()}, x86_64",
        "source_date": datetime.date.today().isoformat(),
    }


def _metadata(wheel: Path) -> tuple[str, str, list[str]]:
    """Name, version and unconditional needs; those for this Python and Linux count, extras not."""
    with zipfile.ZipFile(wheel) as archive:
        entry = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        found = message_from_bytes(archive.read(entry))
    wanted = [line.split(";") for line in found.get_all("Requires-Dist") or ()]
    plain = [parts[0] for parts in wanted if len(parts) == 1 or _holds(parts[1])]
    return _normal(found["Name"]), found["Version"], sorted({_normal(each) for each in plain})


def _holds(marker: str) -> bool:
    from pip._vendor.packaging.markers import Marker

    return "extra" not in marker and Marker(marker).evaluate()


def _normal(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    return re.sub(r"[-_.]+", "-", name[0] if name else "").lower()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
