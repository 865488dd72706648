"""Slide decks: one slide a figure, its takeaway as title, its chart native and editable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from capsim.export.images import in_folder

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False)
class Deck:
    """Figures as slides, ready to be saved."""

    figures: tuple[go.Figure, ...]
    title: str
    subtitle: str = ""
    numbers: tuple[tuple[str, str], ...] = ()
    """What the title slide shows large: name and number in words."""
    assumptions: tuple[str, ...] = ()
    pictures: bool = False
    """Pictures, drawn by a browser, where a figure cannot be native without loss."""

    def save(self, path: str | Path) -> Path:
        """Writes the deck as .pptx.

        Returns: the path. Raises: ExportError if its folder is not there, or where pictures are
        asked for and there is no browser.
        """
        from capsim.export.presentation import build

        target = in_folder(Path(path))
        build(self).save(str(target))
        return target


def deck(
    figures: Iterable[go.Figure] | Mapping[str, go.Figure],
    *,
    title: str,
    subtitle: str | None = None,
    numbers: Mapping[str, str] | None = None,
    assumptions: Iterable[object] = (),
    pictures: bool = False,
) -> Deck:
    """A slide deck of figures: a title slide, the findings, a slide for each, the assumptions.

    Bars, lines, scatter, stacked areas and small heat maps become native charts and tables that
    can be edited; large heat maps become bars of bands of use.

    Parameters: figures in order; title, subtitle and numbers (name to text) of the title slide;
    assumptions, for the notes and the last slide; pictures, to draw the large heat maps and all
    that has no native form with a browser.
    Returns: Deck. Its .save(path) writes the file.

    >>> cs.deck([fig1, fig2], title="Q3 plan").save("plan.pptx")
    """
    listed = tuple(figures.values() if isinstance(figures, Mapping) else figures)
    return Deck(
        figures=listed,
        title=title,
        subtitle=subtitle or "",
        numbers=tuple((numbers or {}).items()),
        assumptions=tuple(dict.fromkeys(str(each) for each in assumptions)),
        pictures=pictures,
    )
