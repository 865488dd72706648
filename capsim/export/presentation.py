"""Builds the presentation of a deck, slide by slide."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pptx.enum.text import MSO_ANCHOR
from pptx.util import Emu, Pt

from capsim.export import slides, tables
from capsim.export.charts import add_chart
from capsim.export.deck import Deck
from capsim.export.geometry import Page, page_of
from capsim.export.images import NO_BROWSER, draw
from capsim.export.native import Bars, Cells, Native, is_filled, native_of
from capsim.export.plain import Run, lines, plain, printable, takeaway
from capsim.figures import theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

_FINDINGS_FROM = 3
_MOST_CARDS = 6
_MOST_ASSUMPTIONS = 14
_PICTURE_NOTE = (
    "This figure has no native form. Ask for pictures, with Chromium at hand, to have it here; "
    "its data are in the table."
)


def build(deck: Deck) -> Any:
    """The presentation of a deck, by python-pptx."""
    presentation = slides.empty_presentation()
    _title_slide(presentation, deck)
    if len(deck.figures) >= _FINDINGS_FROM:
        _findings(presentation, deck)
    natives = [native_of(figure) for figure in deck.figures]
    pictures = _pictures(deck, natives)
    for at, (figure, native) in enumerate(zip(deck.figures, natives, strict=True)):
        _figure_slide(presentation, deck, figure, native, pictures.get(at))
    if deck.assumptions:
        _assumptions(presentation, deck)
    return presentation


def _pictures(deck: Deck, natives: list[Native | None]) -> dict[int, bytes]:
    """Pictures of the figures that need one, if the deck has any."""
    if not deck.pictures:
        return {}
    wanted = [
        at
        for at, (figure, native) in enumerate(zip(deck.figures, natives, strict=True))
        if native is None or figure.data[0].type == "heatmap"
    ]
    chosen = [deck.figures[at] for at in wanted]
    return dict(zip(wanted, draw(chosen, ["png"] * len(chosen)), strict=True))


def _title_slide(presentation: Any, deck: Deck) -> None:
    slide = slides.add_slide(presentation, printable(deck.title))
    page = slides.whole_page()
    title = slide.shapes.title
    title.left, title.top = Emu(page.emu(32)), Emu(page.emu(150))
    title.width, title.height = Emu(page.emu(page.width - 64)), Emu(page.emu(120))
    title.text_frame.vertical_anchor = MSO_ANCHOR.BOTTOM
    size = 40.0 if len(deck.title) <= 60 else 30.0 if len(deck.title) <= 140 else 22.0
    for run in title.text_frame.paragraphs[0].runs:
        run.font.size = Pt(page.points(size))
    slides.add_text(
        slide, page, [[Run(printable(deck.subtitle))]], (32, 284), size_px=18, colour=theme.SOFT,
        width_px=page.width - 64,
    )  # fmt: skip
    _cards(slide, page, deck.numbers[:_MOST_CARDS])


def _cards(slide: Any, page: Page, numbers: tuple[tuple[str, str], ...]) -> None:
    """The numbers of the title slide, side by side."""
    wide = (page.width - 64) / max(len(numbers), 4)
    for at, (name, told) in enumerate(numbers):
        left = 32 + at * wide
        slides.add_text(
            slide, page, [[Run(printable(told))]], (left, 400), size_px=34, colour=theme.USED,
            bold=True,
        )  # fmt: skip
        slides.add_text(
            slide, page, [[Run(printable(name))]], (left, 450), size_px=15, colour=theme.SOFT,
            width_px=wide - 12,
        )  # fmt: skip


def _findings(presentation: Any, deck: Deck) -> None:
    """The takeaways of all figures on one slide, with the numbers of their slides."""
    slide = slides.add_slide(presentation, "In short")
    page = slides.whole_page()
    heads = [takeaway(figure) for figure in deck.figures]
    room = 470 / len(heads)
    size = min(18.0, room * 0.42)
    for at, head in enumerate(heads):
        top = 92 + at * room
        number = [[Run(str(at + 3), colour=theme.USED, bold=True)]]
        slides.add_text(slide, page, number, (32, top), size_px=size)
        told = [[Run(head.replace(" %", "\u00a0%"))]]
        slides.add_text(slide, page, told, (76, top), size_px=size, width_px=page.width - 120)


def _figure_slide(
    presentation: Any, deck: Deck, figure: go.Figure, native: Native | None, picture: bytes | None
) -> None:
    title = takeaway(figure)
    slide = slides.add_slide(presentation, title)
    page = page_of(figure)
    subtitle = figure.layout.title.subtitle.text or ""
    if isinstance(native, Bars) and native.stands_in and picture is None:
        subtitle = figure.layout.meta["instead"]["subtitle"]
    slides.add_subtitle(slide, title, subtitle)
    if picture is not None:
        _add_picture(slide, page, picture)
    elif native is None and not any(is_filled(trace) for trace in figure.data):
        _instead_of_picture(slide, page, figure)
    elif isinstance(native, Cells):
        tables.add_cells(slide, page, native)
    else:
        _add_native(slide, page, figure, native)
    if picture is None:
        _footnote(slide, page, figure)
    slides.add_note(slide, _notes(deck, figure))


def _add_native(slide: Any, page: Page, figure: go.Figure, native: Native | None) -> None:
    """Free forms behind, the chart, its labels, and what else the figure has drawn on it."""
    for trace in figure.data:
        if is_filled(trace):
            slides.add_outlines(slide, page, trace)
    notes = [note for note in figure.layout.annotations if note.name != "footnote"]
    named = any(note.name in ("label", "key", "group") for note in notes)
    if isinstance(native, Bars) and not native.stacked:
        native, notes = _with_labels(native, notes)
    if native is not None:
        add_chart(slide, native, figure, page)
    if isinstance(native, Bars) and native.stands_in:
        _key(slide, page, native)
        return
    for shape in figure.layout.shapes:
        slides.add_shape(slide, page, shape)
    for note in notes:
        slides.add_annotation(slide, page, note)
    for trace in figure.data:
        if trace.type == "scatter" and trace.mode == "text":
            slides.add_names(slide, page, trace)
    if not named:
        _legend(slide, page, figure)


def _with_labels(bars: Bars, notes: list[Any]) -> tuple[Bars, list[Any]]:
    """Labels beside bars as data labels of the bars; and the notes that are left."""
    series: list[dict[int, list[list[Run]]]] = [{} for _ in bars.series]
    left = []
    for note in notes:
        if note.name != "label" or not bars.horizontal:
            left.append(note)
            continue
        row = round(float(note.y))
        series[_labelled(bars, row, float(note.y) - row)][row] = _coloured(lines(note.text), note)
    return replace(
        bars,
        series=tuple(
            replace(each, labels=labels) for each, labels in zip(bars.series, series, strict=True)
        ),
    ), left


def _coloured(text: list[list[Run]], note: Any) -> list[list[Run]]:
    """The label in its own colour and size, where a run has none."""
    colour, size = note.font.color, note.font.size
    return [
        [replace(run, colour=run.colour or colour, size_px=run.size_px or size) for run in line]
        for line in text
    ]


def _labelled(bars: Bars, row: int, offset: float) -> int:
    """Which series a label belongs to: by its place, or the one that is seen."""
    if bars.overlap or len(bars.series) == 1:
        values = [abs(each.values[row] or 0) for each in bars.series]
        return values.index(max(values))
    return len(bars.series) - 1 if offset > 0 else 0


def _key(slide: Any, page: Page, bars: Bars) -> None:
    """What the colours mean, above the chart."""
    _write_key(slide, page, [(each.name, each.colour) for each in bars.series])


def _legend(slide: Any, page: Page, figure: go.Figure) -> None:
    """The names of several series, where nothing in the figure names them."""
    native = native_of(figure)
    series: list[tuple[str, str]] = []
    if native is not None and not isinstance(native, Cells):
        series = [(each.name, each.colour) for each in native.series if each.name]
    if len(series) > 1 and figure.layout.showlegend is not False:
        _write_key(slide, page, list(dict(series).items()))


def _write_key(slide: Any, page: Page, parts: list[tuple[str, str]]) -> None:
    left = page.left
    for name, colour in parts[:10]:
        run = [[Run("■ ", colour=colour), Run(name)]]
        slides.add_text(slide, page, run, (left, page.top - 10), size_px=14, down="bottom")
        left += 40 + 7.4 * len(name)


def _add_picture(slide: Any, page: Page, picture: bytes) -> None:
    """The drawing without the heading, which the slide has itself."""
    shape = slide.shapes.add_picture(
        io.BytesIO(picture), 0, 0, Emu(page.emu(page.width)), Emu(page.emu(page.height))
    )
    cut = (page.top - 42) / page.height
    shape.crop_top, shape.top = cut, Emu(page.emu(page.height * cut))
    shape.height = Emu(page.emu(page.height * (1 - cut)))
    slide.shapes._spTree.remove(shape._element)
    slide.shapes._spTree.insert(2, shape._element)


def _instead_of_picture(slide: Any, page: Page, figure: go.Figure) -> None:
    """A line that says what is missing, and the data as far as a slide holds them."""
    nothing = [note for note in figure.layout.annotations if note.name == "nothing"]
    if not figure.data:
        for note in nothing:
            slides.add_annotation(slide, page, note)
        return
    told = _PICTURE_NOTE if figure.data else NO_BROWSER
    slides.add_text(
        slide, page, [[Run(told)]], (32, page.top), size_px=14, colour=theme.SOFT,
        width_px=page.width - 64,
    )  # fmt: skip
    rows = tables.data_rows(figure)
    if rows:
        tables.add_table(slide, page, rows, top=page.top + 40)


def _footnote(slide: Any, page: Page, figure: go.Figure) -> None:
    for note in figure.layout.annotations:
        if note.name == "footnote" and note.text:
            slides.add_text(
                slide, page, lines(note.text), (32, page.height - 14), size_px=11,
                colour=theme.FAINT, down="bottom",
            )  # fmt: skip


def _notes(deck: Deck, figure: go.Figure) -> list[str]:
    """What the speaker should know: what is shown, where it is from, what was assumed."""
    meta = figure.layout.meta or {}
    own = [plain(str(each)) for each in meta.get("assumptions", ())]
    assumptions = list(dict.fromkeys([*own, *deck.assumptions]))
    parts = [plain(str(meta.get("subtitle", ""))), plain(str(meta.get("source", "")))]
    if assumptions:
        parts += ["Assumptions:", *(f"– {printable(each)}" for each in assumptions)]
    return [part for part in parts if part]


def _assumptions(presentation: Any, deck: Deck) -> None:
    shown = deck.assumptions[:_MOST_ASSUMPTIONS]
    left = len(deck.assumptions) - len(shown)
    slide = slides.add_slide(presentation, "What this rests on")
    page = slides.whole_page()
    room = min(62.0, 480 / len(shown))
    for at, text in enumerate(shown):
        slides.add_text(
            slide, page, _assumption_lines(printable(text)), (32, 92 + at * room),
            size_px=min(14.0, room * 0.3), width_px=page.width - 64,
        )  # fmt: skip
    if left:
        told = [[Run(f"{left} more in the notes.")]]
        slides.add_text(slide, page, told, (32, 580), size_px=12, colour=theme.SOFT)
    slides.add_note(slide, list(deck.assumptions))


def _assumption_lines(text: str) -> list[list[Run]]:
    """An assumption as its name in bold, its value, and the source below."""
    name, colon, rest = text.partition(": ")
    value, bracket, source = rest.rpartition(" [")
    if not colon or not bracket:
        return [[Run(text)]]
    return [
        [Run(f"{name}  ", bold=True), Run(value)],
        [Run(source.removesuffix("]"), colour=theme.SOFT)],
    ]
