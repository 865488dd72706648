"""Images for tests, from Dockerfile text."""

from __future__ import annotations

from capsim.data_files import data_path
from capsim.readers.dockerfile import parse_dockerfile
from capsim.scenario.dockerfile import BuildContext, ContextFile
from capsim.stack.images.estimate import image, image_of
from capsim.stack.images.result import Image

FLASK = data_path("examples", "flask")


def flask() -> Image:
    return image(FLASK)


def built(text: str, files: dict[str, int] | None = None, **context: object) -> Image:
    listed = tuple(ContextFile(path=p, size_bytes=n) for p, n in (files or {}).items())
    folder = BuildContext(folder="app", files=listed, **context)
    return image_of(parse_dockerfile(text), None if files is None else folder, name="app")
