"""Pictures of figures: PNG and SVG, drawn by a headless Chromium through kaleido."""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capsim.errors import CapsimError, clip
from capsim.figures import theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

FORMATS = ("png", "svg")
NO_BROWSER = (
    "Pictures need Chromium or Chrome and none was found: install one (Debian: apt-get install "
    "chromium) or set BROWSER_PATH; tables, HTML pages and native charts do without."
)
_NOISE = ("kaleido", "choreographer", "logistro")
_PATIENCE_S = 90


class ExportError(CapsimError):
    """Something cannot be written: no browser for pictures, an unknown format, no folder."""


def save_image(figure: go.Figure, path: str | Path, *, scale: float = 2.0) -> Path:
    """Writes one picture; the ending chooses the format, .png or .svg.

    Parameters: scale, pixels of a PNG for each pixel of the figure.
    Returns: the path.
    Raises: ExportError for another ending, a folder that is not there, or without a browser.

    >>> cs.export.save_image(cs.figures.utilisation(plan), "utilisation.svg")
    """
    return save_images({path: figure}, scale=scale)[0]


def save_images(
    figures: Mapping[str, go.Figure] | Mapping[Path, go.Figure] | Mapping[str | Path, go.Figure],
    *,
    scale: float = 2.0,
) -> list[Path]:
    """Writes several pictures with one browser: the first takes seconds, a further one less.

    Parameters: figures by path; scale as for `save_image`.
    Returns: the paths. Raises: as `save_image`; nothing is written then.
    """
    paths = [_writable(Path(path)) for path in figures]
    formats = [path.suffix[1:].lower() for path in paths]
    for path, picture in zip(paths, draw(list(figures.values()), formats, scale), strict=True):
        path.write_bytes(picture)
    return paths


def draw(figures: Sequence[go.Figure], formats: Sequence[str], scale: float = 2.0) -> list[bytes]:
    """Figures as pictures, by one browser that is started and stopped here.

    Raises: ExportError without a browser, or where it cannot draw.
    """
    if not figures:
        return []
    jobs = [
        (figure.to_plotly_json(), {"format": form, "scale": scale, **_size(figure)})
        for figure, form in zip(figures, formats, strict=True)
    ]
    with _quiet():
        result = _in_thread(jobs)
    if isinstance(result, BaseException):
        raise _told(result) from result
    return result


def _size(figure: go.Figure) -> dict[str, float]:
    layout = figure.layout
    return {"width": layout.width or theme.WIDTH, "height": layout.height or theme.HEIGHT}


def _in_thread(jobs: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[bytes] | BaseException:
    """A thread of its own has no event loop yet, which a notebook's has."""
    result: list[list[bytes] | BaseException] = []

    def run() -> None:
        try:
            result.append(asyncio.run(_draw(jobs)))
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return result[0]


async def _draw(jobs: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[bytes]:
    kaleido = importlib.import_module("kaleido")
    # Without mathjax=False the page would load it from the network.
    async with kaleido.Kaleido(n=1, timeout=_PATIENCE_S, mathjax=False) as browser:
        return [await browser.calc_fig(figure, opts=options) for figure, options in jobs]


def _told(error: BaseException) -> BaseException:
    """The error in one sentence."""
    if not isinstance(error, Exception) or isinstance(error, CapsimError):
        return error
    if "NotFound" in type(error).__name__:
        return ExportError(NO_BROWSER)
    return ExportError(f"The browser could not draw: {clip(str(error) or type(error), 160)}.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the browser's chatter off the terminal."""
    loggers = [logging.getLogger(name) for name in _NOISE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _writable(path: Path) -> Path:
    if path.suffix[1:].lower() not in FORMATS:
        raise ExportError(f"{path}: found the ending {path.suffix!r}, expected .png or .svg.")
    return in_folder(path)


def in_folder(path: Path) -> Path:
    """The path, if its folder is there. Raises: ExportError if not."""
    if not path.parent.is_dir():
        raise ExportError(f"{path}: the folder {path.parent} is not there.")
    return path
