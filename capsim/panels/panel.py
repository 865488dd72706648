"""What every panel has besides its question: slides for a deck, a reset, its numbers, itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from itertools import count as count_from
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go

from capsim.errors import ModelError
from capsim.figures.words import count
from capsim.panels.common import Controls, Message, Numbers, buttons, link_to_file, shown

Action = tuple[str, str, Callable[..., None]]
"""Words of a button, what the pointer says, and what a click does."""


class DeckTray:
    """Slides collected from panels, and the deck that they make.

    What somebody else wrote is never overwritten: plan.pptx becomes plan-2.pptx then. What this
    tray wrote itself is written anew.

    >>> tray = cs.panels.DeckTray("q3.pptx", title="Q3 plan")
    """

    def __init__(
        self, file: str | Path = "capsim-deck.pptx", *, title: str = "Capacity plan"
    ) -> None:
        self.file = Path(file)
        self.title = title
        self.slides: list[go.Figure] = []
        self._written: Path | None = None

    def add(self, slide: go.Figure) -> None:
        """Put a figure on a slide of its own."""
        self.slides.append(slide)

    def save(self) -> Path:
        """Write the deck.

        Returns: the file that was written.
        Raises: ModelError if there is no slide, or the file cannot be written.
        """
        from capsim.export import deck

        if not self.slides:
            raise ModelError("The deck has no slides yet: add one first.")
        stated = [each for slide in self.slides for each in slide.layout.meta["assumptions"]]
        target = self._written or _free(self.file)
        try:
            deck(self.slides, title=self.title, assumptions=stated).save(target)
        except OSError as error:
            raise ModelError(f"{target}: cannot be written ({error.strerror}).") from None
        self._written = target
        return target


def _free(file: Path) -> Path:
    """The file, or the first of name-2, name-3, ... that is not there yet."""
    numbered = (file.with_stem(f"{file.stem}-{at}") for at in count_from(2))
    return next(each for each in chain((file,), numbered) if not each.exists())


class Panel(ABC):
    """Controls over a picture, with a bar of actions and the numbers below it.

    A panel sets `controls`, asks its engine, and gives its picture as `slide` and `tables`.
    """

    controls: Controls
    widget: Any

    def __init__(self, tray: DeckTray) -> None:
        self.tray = tray
        self.message, self.said = Message(), Message()
        self.numbers = Numbers(lambda: self.tables)

    @property
    @abstractmethod
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The numbers behind the picture, as they are now."""

    @abstractmethod
    def slide(self) -> go.Figure:
        """The picture as it stands, with its takeaway as title."""

    def add_to_deck(self, *_: object) -> None:
        """Collect the picture as it stands."""
        with self.said.errors():
            self.tray.add(self.slide())
        self.said.say(f"{count(len(self.tray.slides), 'slide')} collected")

    def save_deck(self, *_: object) -> None:
        """Write all slides that were collected."""
        self.said.say("Writing the deck …")
        with self.said.errors():
            file = self.tray.save()
            self.said.say(f"Saved {file}", link=link_to_file(file))

    def reset(self, *_: object) -> None:
        """Put every control back; what was said before is over."""
        self.said.say("")
        self.controls.reset()

    def _laid_out(self, *picture: Any, further: Sequence[Action] = ()) -> Any:
        """Controls, message, picture, the bar with further actions before its own, numbers."""
        actions = buttons(
            *further,
            ("Reset", "Put every control back", self.reset),
            ("Add to deck", "Collect the picture as it stands", self.add_to_deck),
            ("Save deck", f"Write {self.tray.file} with all slides", self.save_deck),
        )
        bar = widgets.HBox([*actions, self.said.widget], layout={"margin": "10px 0"})
        parts = [self.controls.widget, self.message.widget, *picture, bar, self.numbers.widget]
        return widgets.VBox(parts, layout={"max_width": "1180px"})

    def _ipython_display_(self) -> None:
        shown(self.widget)
