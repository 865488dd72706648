"""Where the bundled data lies: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_path(*parts: str) -> Path:
    """The path of a bundled file.

    >>> data_path("catalogue", "aws_instances.csv").name
    'aws_instances.csv'
    """
    inside = _PACKAGE / "_data"
    folder = inside if inside.is_dir() else _PACKAGE.parent / "data"
    return folder.joinpath(*parts)
