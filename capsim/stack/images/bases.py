"""What a base image weighs: rows of data/catalogue/registry_limits.csv, or a stated range."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import pandas as pd

from capsim.data_files import data_path
from capsim.scenario import Assumption
from capsim.stack.images.parameters import of_images
from capsim.stack.interval import Interval, total

MB = 1e6
_PREFIX = re.compile(r"^(?:(?:docker\.io|index\.docker\.io)/)?(?:library/)?")
#: Share of the first layer, the operating system, where layers are only counted.
_FIRST_SHARE = 0.5


@dataclass(frozen=True)
class Base:
    """A base image: gzip bytes of each layer, lowest first."""

    reference: str
    layers: tuple[Interval, ...]
    """MB compressed."""
    known: str
    """How it was found: "listed", "other version", "other variant", "unknown"."""
    assumption: Assumption
    catalogued: str = ""
    """The row that the sizes come from, name:tag."""

    @property
    def compressed_mb(self) -> Interval:
        """All layers together."""
        return total(self.layers)


def base_image(reference: str) -> Base:
    """Size and layers of an image by name; one that no table lists gets a range that says so.

    Docker Hub's own images are looked up by name and tag, then by name with the nearest version of
    the same variant (slim, alpine, ...), then by name alone.

    >>> base_image("python:3.9-slim").compressed_mb.value
    47.2
    """
    if reference.lower() == "scratch":
        nothing = Assumption(name="base image scratch", value="0 MB", source="Dockerfile reference")
        return Base("scratch", (), "listed", nothing)
    name, tag = split_reference(reference)
    rows = images()[images()["image"] == name]
    exact = rows[rows["tag"] == tag]
    if len(exact):
        return _base(reference, exact, "listed")
    alike = rows[rows["tag"].map(variant) == variant(tag)]
    if len(alike):
        return _base(reference, alike, "other version")
    if len(rows):
        return _base(reference, rows, "other variant")
    return _unknown(reference, tag)


def split_reference(reference: str) -> tuple[str, str]:
    """Name and tag; Docker Hub's prefixes and digests are taken off.

    >>> split_reference("docker.io/library/python@sha256:00")
    ('python', 'latest')
    """
    plain = _PREFIX.sub("", reference.split("@", 1)[0])
    head, _, tail = plain.rpartition(":")
    return (head, tail) if head and "/" not in tail else (plain, "latest")


def variant(tag: str) -> str:
    """What is left of a tag without version and Debian or Ubuntu name.

    >>> variant("3.9-slim-bookworm"), variant("3.12"), variant("16-alpine3.20")
    ('slim', '', 'alpine')
    """
    known = r"bookworm|bullseye|buster|trixie|jammy|noble|focal|latest|lts|stable"
    parts = [re.sub(r"[\d.]+$", "", part) for part in tag.split("-")]
    return "-".join(p for p in parts if p and not re.fullmatch(rf"{known}|[vV]?[\d.]*", p))


@cache
def images() -> pd.DataFrame:
    """Images for x86 Linux: image, tag, compressed_size_mb, layers, source, verified, ..."""
    table = pd.read_csv(data_path("catalogue", "registry_limits.csv"), dtype={"tag": "string"})
    found = table[(table["kind"] == "image") & (table["platform"] == "linux/amd64")]
    return found.rename(columns={"registry_or_image": "image"}).reset_index(drop=True)


def _base(reference: str, rows: pd.DataFrame, known: str) -> Base:
    row = rows.sort_values("source_date", key=lambda dates: dates.astype(str).str[:4]).iloc[-1]
    doubt = {
        "listed": "tag drift" if row["verified"] == "yes" else "unverified base",
        "other version": "other version",
        "other variant": "other variant",
    }[known]
    middle = float(row["compressed_size_mb"])
    by = of_images("base image", doubt).figure
    sizes = rows["compressed_size_mb"]
    least, most = float(sizes.min()), float(sizes.max())
    whole = Interval(middle, min(middle * by.low, least), max(middle * by.high, most))
    listed = f"{row['image']}:{row['tag']}"
    taken = "" if known == "listed" else f", taken from {listed} ({known})"
    assumption = Assumption(
        name=f"base image {reference}",
        value=f"{middle:g} MB compressed{taken}",
        low=f"{whole.low:.3g}",
        high=f"{whole.high:.3g}",
        source=f"{row['source']} ({row['source_date']})"
        + ("" if row["verified"] == "yes" else ", not verified"),
    )
    return Base(reference, _layers(row, whole), known, assumption, listed)


def _layers(row: pd.Series, whole: Interval) -> tuple[Interval, ...]:
    """Layers as the row's note lists them; else the first half the bytes, the rest alike."""
    noted = re.match(r"(?:.*?; )?layers: ([\d., a-zA-Z]+)", str(row["note"]))
    sizes = [float(each) for each in re.findall(r"\d+(?:\.\d+)?", noted[1])] if noted else []
    if not sizes:
        count = int(row["layers"]) if pd.notna(row["layers"]) else 5
        rest = (1 - _FIRST_SHARE) / (count - 1) if count > 1 else 0
        sizes = [_FIRST_SHARE if count > 1 else 1.0, *[rest] * (count - 1)]
    return tuple(whole * (size / sum(sizes)) for size in sizes)


def _unknown(reference: str, tag: str) -> Base:
    """Whatever listed images of such a tag weigh, from the 10th to the 90th percentile."""
    sizes = images()["compressed_size_mb"]
    small = images()["tag"].str.contains("alpine|slim", regex=True, na=False)
    alike = sizes[small] if re.search("alpine|slim", tag) else sizes
    low, middle, high = alike.quantile([0.1, 0.5, 0.9]).round(1).tolist()
    assumption = Assumption(
        name=f"base image {reference}",
        value=f"{middle:g} MB compressed: not in the catalogue",
        low=f"{low:g}",
        high=f"{high:g}",
        source="10th, 50th and 90th percentile of data/catalogue/registry_limits.csv; guess",
    )
    rest = Interval(middle, low, high) * ((1 - _FIRST_SHARE) / 4)
    first = Interval(middle, low, high) * _FIRST_SHARE
    return Base(reference, (first, rest, rest, rest, rest), "unknown", assumption)
