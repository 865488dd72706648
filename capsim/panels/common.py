"""What panels share: controls with a reset, tables with CSV, one line for errors."""

from __future__ import annotations

import asyncio
import base64
import gc
import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
from IPython import display, get_ipython

from capsim.errors import CapsimError
from capsim.figures import theme

_LOOK = {
    "style": {"description_width": "172px"},
    "layout": {"width": "auto", "min_width": "0"},
}
_MOST_ROWS = 40
_DIGITS = 9
"""Of slider values: sums of steps are not exact, and equal questions must be equal."""


def slider(words: str, low: float, high: float, step: float = 1) -> Any:
    """A slider that starts at its low end; the unit belongs into the words."""
    kind = widgets.IntSlider if isinstance(low, int) else widgets.FloatSlider
    return kind(low, min=low, max=high, step=step, description=words, **_LOOK)


def menu(words: str, options: Iterable[object], value: object) -> Any:
    """A choice of one."""
    return widgets.Dropdown(options=list(options), value=value, description=words, **_LOOK)


class Controls:
    """Named controls in two columns, which are reset together and answered by one function."""

    def __init__(self, **controls: Any) -> None:
        self._controls = controls
        self._initial = self.values
        self._respond: Callable[[], None] = lambda: None
        self._muted = False
        self._moved: Any = None
        columns = "repeat(auto-fit, minmax(400px, 1fr))"
        self.widget = widgets.GridBox(
            list(controls.values()),
            layout={"grid_template_columns": columns, "grid_gap": "2px 28px"},
        )

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_controls"][name]
        except KeyError:
            raise AttributeError(f"no control {name!r}") from None

    @property
    def values(self) -> dict[str, Any]:
        """Where every control stands."""
        values = {name: control.value for name, control in self._controls.items()}
        return {k: round(v, _DIGITS) if isinstance(v, float) else v for k, v in values.items()}

    @property
    def table(self) -> pd.DataFrame:
        """Where every control stands: its words, value."""
        rows = [(each.description, each.value) for each in self._controls.values()]
        return pd.DataFrame(rows, columns=["control", "value"])

    def answer(self, respond: Callable[[], None]) -> None:
        """Calls `respond` whenever a control moves."""
        self._respond = respond
        for control in self._controls.values():
            control.observe(self._changed, "value")

    def _changed(self, change: Any) -> None:
        self._moved = change
        if not self._muted:
            self._respond()

    def further(self) -> list[dict[str, Any]]:
        """Values that may come next: one step on of the slider moved last, at first of each."""
        if self._moved is None:
            sliders = [each for each in self._controls.values() if hasattr(each, "step")]
            return [self._one_on(each, each.step) for each in sliders]
        owner, old, new = (getattr(self._moved, name) for name in ("owner", "old", "new"))
        step = getattr(owner, "step", 0)
        ahead = self._one_on(owner, step if step and new > old else -step)
        return [ahead] if ahead else []

    def _one_on(self, slider: Any, step: float) -> dict[str, Any]:
        """The value one step on, by name; nothing for a menu and beyond the end of the slider."""
        if not step:
            return {}
        value = round(slider.value + step, _DIGITS)
        name = next(name for name, each in self._controls.items() if each is slider)
        return {name: value} if slider.min <= value <= slider.max else {}

    def put(self, values: Mapping[str, Any]) -> None:
        """Moves several controls without an answer to each."""
        self._muted = True
        try:
            for name, value in values.items():
                self._controls[name].value = value
        finally:
            self._muted = False

    def reset(self) -> None:
        """Puts every control back to where it was, as one move."""
        self.put(self._initial)
        self._respond()


class Afterwards:
    """Work that follows a move, each step in a turn of its own; the next move drops what is left.

    So what a move shows first is on its way before the rest is worked out. Without an event loop,
    as in a test, all steps are done at once.
    """

    def __init__(self, *steps: tuple[float, Callable[[], None]]) -> None:
        """Steps are pairs of the seconds to wait and what to do."""
        self._steps = steps
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        """Begin with the first step."""
        self.cancel()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            for _, work in self._steps:
                work()
        else:
            self._plan(0)

    def cancel(self) -> None:
        """Drop the steps that are left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _plan(self, number: int) -> None:
        if number < len(self._steps):
            seconds = self._steps[number][0]
            self._timer = asyncio.get_running_loop().call_later(seconds, self._do, number)

    def _do(self, number: int) -> None:
        self._steps[number][1]()
        self._plan(number + 1)


class Message:
    """One line: what went wrong, or what was done."""

    def __init__(self) -> None:
        self.widget = widgets.HTML()
        self.text = ""

    def say(self, text: str, *, link: str = "", wrong: bool = False) -> None:
        """Show a sentence, with HTML of a link behind it; an empty one clears the line."""
        self.text = text
        colour = theme.AT_RISK if wrong else theme.SOFT
        line = f"<div style='color:{colour};line-height:1.4'>{html.escape(text)} {link}</div>"
        self.widget.value = line if text else ""

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns what capsim cannot do into one sentence; clears the line where all goes well."""
        before = self.text
        try:
            yield
        except CapsimError as error:
            self.say(" ".join(str(error).split()), wrong=True)
        else:
            if before and self.text == before:
                self.say("")


class Numbers:
    """The tables behind a picture, folded away, each with its CSV; made when they are unfolded."""

    def __init__(self, tables: Callable[[], Mapping[str, pd.DataFrame]]) -> None:
        self._tables = tables
        self._body = widgets.HTML()
        self.widget = widgets.Accordion(
            [self._body], titles=("The numbers behind the picture",), selected_index=None
        )
        self.widget.observe(self.refresh, "selected_index")

    @property
    def html(self) -> str:
        """What is shown."""
        text: str = self._body.value
        return text

    def refresh(self, *_: object) -> None:
        """Show the tables as they are now, if anybody looks."""
        if self.widget.selected_index is not None:
            parts = [_titled(name, table) for name, table in self._tables().items() if len(table)]
            self._body.value = _TABLE_STYLE + "".join(parts)


_TABLE_STYLE = (
    "<style>.capsim-table td, .capsim-table th {text-align: right; padding: 2px 10px;"
    " white-space: nowrap} .capsim-table td.text, .capsim-table th.text {text-align: left}"
    f" .capsim-table th {{border-bottom: 1px solid {theme.FAINT}}}</style>"
)


def _titled(name: str, table: pd.DataFrame) -> str:
    return (
        f"<h4 style='margin:14px 0 4px'>{html.escape(name.capitalize())} "
        f"<small style='font-weight:400'>{csv_link(name, table)}</small></h4>{table_html(table)}"
    )


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV, numbers in full."""
    return table.to_csv(index=False)


def csv_link(name: str, table: pd.DataFrame) -> str:
    """A link that saves the table; the data is in the link, so no server is asked."""
    return _link(f"{name.replace(' ', '-')}.csv", csv_text(table).encode(), "CSV")


def link_to_file(file: Path) -> str:
    """A link that saves a copy of a file, for those who see the notebook from elsewhere."""
    return _link(file.name, file.read_bytes(), "download")


def _link(file: str, content: bytes, words: str) -> str:
    data = base64.b64encode(content).decode()
    return (
        f"<a download='{html.escape(file)}' href='data:application/octet-stream;base64,{data}' "
        f"style='color:{theme.USED};text-decoration:underline'>{words}</a>"
    )


def table_html(table: pd.DataFrame) -> str:
    """The first rows of a table, names escaped, numbers rounded for reading."""
    rows = table.head(_MOST_ROWS).to_dict("records")
    text = [not pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    head = "".join(_cell("th", name, is_text) for name, is_text in zip(table, text, strict=True))
    body = "".join(
        "<tr>"
        + "".join(_cell("td", v, t) for v, t in zip(row.values(), text, strict=True))
        + "</tr>"
        for row in rows
    )
    left = len(table) - len(rows)
    more = f"<p style='color:{theme.SOFT}'>… and {left:,} more rows in the CSV.</p>" if left else ""
    return (
        "<div style='overflow:auto;max-height:300px'><table class='capsim-table'>"
        f"<tr>{head}</tr>{body}</table></div>{more}"
    )


def _cell(tag: str, value: object, is_text: bool) -> str:
    kind = " class='text'" if is_text else ""
    return f"<{tag}{kind}>{html.escape(_readable(value))}</{tag}>"


def _readable(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def get_ready(steps: Mapping[str, Callable[[], object]]) -> None:
    """Does the steps one by one under a bar, so that the first move does not wait for compilers."""
    bar = widgets.IntProgress(
        max=len(steps), style={"description_width": "430px"}, layout={"width": "100%"}
    )
    if get_ipython() is not None:
        shown(bar)
    try:
        for words, step in steps.items():
            bar.description = f"Getting ready (longer the first time): {words}"
            step()
            bar.value += 1
    finally:
        bar.layout.display = "none"
        bar.close()
    # What is there now stays: walking it for cycles would hold up a move for 0.2 s now and then.
    gc.collect()
    gc.freeze()


def shown(widget: Any) -> None:
    """Shows a widget in the notebook."""
    display.display(widget)  # type: ignore[no-untyped-call]


def buttons(*wanted: tuple[str, str, Callable[..., None]]) -> Sequence[Any]:
    """Buttons from their words, what the pointer says, and what a click does."""
    made = []
    for words, tooltip, act in wanted:
        button = widgets.Button(description=words, tooltip=tooltip, layout={"width": "auto"})
        button.on_click(act)
        made.append(button)
    return made
