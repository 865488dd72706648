"""Slides in the house style: an empty 16:9 presentation, headings, text, shapes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from lxml import etree  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pptx import Presentation
from pptx.enum.dml import MSO_LINE_DASH_STYLE
from pptx.enum.shapes import MSO_CONNECTOR, MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, MSO_AUTO_SIZE, PP_ALIGN
from pptx.oxml.ns import qn
from pptx.util import Emu, Pt

from capsim.export.charts import FONT, rgb, write
from capsim.export.geometry import SLIDE_HEIGHT, SLIDE_WIDTH, Axis, Page
from capsim.export.plain import Run, lines, plain
from capsim.figures import theme

_EDGE_PX = 32.0
_KEPT_LAYOUTS = ("Title Only",)
_ACCENTS = (theme.USED, theme.FREE, theme.STRANDED, theme.AT_RISK, theme.WAITING, "#009E73")
_ALIGN = {"left": PP_ALIGN.LEFT, "center": PP_ALIGN.CENTER, "right": PP_ALIGN.RIGHT}
_ANCHOR = {"top": MSO_ANCHOR.TOP, "middle": MSO_ANCHOR.MIDDLE, "bottom": MSO_ANCHOR.BOTTOM}


def empty_presentation() -> Any:
    """A 16:9 presentation with one layout, a title at the top left, in the house colours."""
    presentation = Presentation()
    presentation.slide_width, presentation.slide_height = Emu(SLIDE_WIDTH), Emu(SLIDE_HEIGHT)
    master = presentation.slide_master
    for layout in list(master.slide_layouts):
        if layout.name not in _KEPT_LAYOUTS:
            master.slide_layouts.remove(layout)
    for holder in (master, master.slide_layouts[0]):
        for shape in list(holder.placeholders):
            if shape.placeholder_format.type != 1:  # 1: the title
                shape._element.getparent().remove(shape._element)
            else:
                _place_title(shape)
    _style_titles(master)
    _set_theme(master)
    return presentation


def _place_title(shape: Any) -> None:
    shape.left, shape.top = Emu(_px(_EDGE_PX)), Emu(_px(14))
    shape.width, shape.height = Emu(SLIDE_WIDTH - 2 * _px(_EDGE_PX)), Emu(_px(64))


def _px(pixels: float) -> int:
    return round(pixels * SLIDE_WIDTH / theme.WIDTH)


def _style_titles(master: Any) -> None:
    style = master._element.find(f".//{qn('p:titleStyle')}/{qn('a:lvl1pPr')}")
    style.set("algn", "l")
    run = style.find(qn("a:defRPr"))
    run.set("sz", "2000")
    run.set("b", "1")


def _set_theme(master: Any) -> None:
    """House fonts and colours, so that what people add looks the same."""
    part = next(
        rel.target_part for rel in master.part.rels.values() if rel.reltype.endswith("/theme")
    )
    text = part.blob.decode("utf-8")
    for at, colour in enumerate(_ACCENTS, start=1):
        pattern = rf"(<a:accent{at}>).*?(</a:accent{at}>)"
        text = re.sub(pattern, rf'\g<1><a:srgbClr val="{colour[1:]}"/>\g<2>', text, flags=re.S)
    text = re.sub(r'<a:latin typeface="[^"+]*"', f'<a:latin typeface="{FONT}"', text)
    part._blob = text.encode("utf-8")


def add_slide(presentation: Any, title: str) -> Any:
    """A slide with a title that shrinks until it fits, and its number."""
    slide = presentation.slides.add_slide(presentation.slide_layouts[0])
    frame = slide.shapes.title.text_frame
    frame.word_wrap = True
    frame.vertical_anchor = MSO_ANCHOR.TOP
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    size = title_size(title)
    for line in [[Run(title.replace(" %", "\u00a0%"))]]:
        write(frame, [line], whole_page(), size_px=size, colour=theme.INK, bold=True)
    _number(slide)
    return slide


def title_size(title: str) -> float:
    """Pixels of a title's letters: one line, two lines, or smaller."""
    return 23.0 if len(title) <= 160 else 23.0 * max(0.5, (160 / len(title)) ** 0.6)


def title_lines(title: str) -> int:
    """How many lines a title takes."""
    letters = theme.TITLE_WIDTH * 23.0 / title_size(title)
    return max(1, -(-len(title) // max(1, int(letters))))


def whole_page() -> Page:
    """A page in the house size without margins."""
    unit = Axis(0.0, 1.0, False, True)
    return Page(theme.WIDTH, theme.HEIGHT, 0, 0, 0, 0, unit, unit)


def _number(slide: Any) -> None:
    """The slide's number, as a field that PowerPoint keeps right."""
    box = slide.shapes.add_textbox(
        Emu(SLIDE_WIDTH - _px(92)), Emu(SLIDE_HEIGHT - _px(30)), Emu(_px(60)), Emu(_px(20))
    )
    box.name = "slide number"
    paragraph = box.text_frame.paragraphs[0]
    paragraph.alignment = PP_ALIGN.RIGHT
    field = etree.SubElement(paragraph._p, qn("a:fld"))
    field.set("id", "{86CB4B4D-7CA3-9044-876B-883B54F8677D}")
    field.set("type", "slidenum")
    properties = etree.SubElement(field, qn("a:rPr"))
    properties.set("lang", "en-US")
    properties.set("sz", "900")
    fill = etree.SubElement(etree.SubElement(properties, qn("a:solidFill")), qn("a:srgbClr"))
    fill.set("val", theme.FAINT[1:])
    number = len(slide.part.package.presentation_part.presentation.slides)
    etree.SubElement(field, qn("a:t")).text = str(number)


def add_text(
    slide: Any,
    page: Page,
    text: list[list[Run]],
    at: tuple[float, float],
    *,
    size_px: float,
    colour: str = theme.INK,
    across: str = "left",
    down: str = "top",
    width_px: float | None = None,
    bold: bool = False,
) -> Any:
    """Text at a point in pixels of the page, set to its left, right or middle.

    Parameters: width_px wraps the text; without it every line stays whole.
    """
    longest = max((sum(len(run.text) for run in line) for line in text), default=0)
    wide = width_px or 0.62 * size_px * longest + 16
    high = 1.34 * size_px * max(1, len(text))
    left = at[0] - {"left": 0.0, "center": wide / 2, "right": wide}[across]
    top = at[1] - {"top": 0.0, "middle": high / 2, "bottom": high}[down]
    box = slide.shapes.add_textbox(*(Emu(page.emu(value)) for value in (left, top, wide, high)))
    frame = box.text_frame
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    frame.word_wrap, frame.auto_size = width_px is not None, MSO_AUTO_SIZE.NONE
    frame.vertical_anchor = _ANCHOR[down]
    write(frame, text, page, size_px=size_px, colour=colour, bold=bold)
    for paragraph in frame.paragraphs:
        paragraph.alignment = _ALIGN[across]
    return box


def add_annotation(slide: Any, page: Page, note: Any) -> None:
    """An annotation of a figure as text where the figure has it."""
    x, y = page.place(float(note.x), float(note.y), note.xref or "x", note.yref or "y")
    x, y = x + (note.xshift or 0), y - (note.yshift or 0)
    add_text(
        slide,
        page,
        lines(note.text or ""),
        (x, y),
        size_px=float(note.font.size or 14),
        colour=note.font.color or theme.INK,
        across=note.xanchor if note.xanchor in _ALIGN else "center",
        down=note.yanchor if note.yanchor in _ANCHOR else "middle",
    )


def add_shape(slide: Any, page: Page, shape: Any) -> None:
    """A line or a box of a figure; boxes may have sizes in pixels from an anchor."""
    ends = []
    for end in ("0", "1"):
        x, y = shape[f"x{end}"], shape[f"y{end}"]
        px, py = page.place(
            float(shape.xanchor if shape.xsizemode == "pixel" else x),
            float(shape.yanchor if shape.ysizemode == "pixel" else y),
            shape.xref or "x",
            shape.yref or "y",
        )
        px += float(x) if shape.xsizemode == "pixel" else 0.0
        py -= float(y) if shape.ysizemode == "pixel" else 0.0
        ends.append((px, py))
    (x0, y0), (x1, y1) = ends
    if shape.type == "line":
        _add_line(slide, page, (x0, y0, x1, y1), shape.line)
    elif shape.type == "rect":
        corner = min(x0, x1), min(y0, y1)
        _add_box(slide, page, (*corner, abs(x1 - x0), abs(y1 - y0)), shape.fillcolor)


def _add_line(slide: Any, page: Page, ends: tuple[float, ...], line: Any) -> None:
    drawn = slide.shapes.add_connector(
        MSO_CONNECTOR.STRAIGHT, *(Emu(page.emu(value)) for value in ends)
    )
    _unstyle(drawn)
    drawn.line.color.rgb = rgb(line.color or theme.FAINT)
    drawn.line.width = Pt(page.points(float(line.width or 1)))
    if line.dash not in (None, "solid"):
        drawn.line.dash_style = MSO_LINE_DASH_STYLE.DASH


def _add_box(slide: Any, page: Page, box: tuple[float, ...], colour: str | None) -> None:
    drawn = slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, *(Emu(page.emu(value)) for value in box))
    _unstyle(drawn)
    drawn.line.fill.background()
    drawn.fill.solid()
    drawn.fill.fore_color.rgb = rgb(colour or theme.PANEL)


def _unstyle(shape: Any) -> None:
    """Takes the theme's style off a shape: its shadow, above all."""
    style = shape._element.find(qn("p:style"))
    if style is not None:
        shape._element.remove(style)


def add_outlines(slide: Any, page: Page, trace: Any) -> None:
    """Filled outlines of a figure: circles as ovals, all else as free forms."""
    x, y = np.asarray(trace.x, float), np.asarray(trace.y, float)
    finite = np.isfinite(x) & np.isfinite(y)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], finite.astype(int), [0]])))
    for start, end in edges.reshape(-1, 2).tolist():
        corners = [
            page.place(float(a), float(b), "x", "y")
            for a, b in zip(x[start:end], y[start:end], strict=True)
        ]
        drawn = _outline(slide, page, np.array(corners))
        _unstyle(drawn)
        drawn.name = plain(trace.name or "outline")
        drawn.fill.solid()
        drawn.fill.fore_color.rgb = rgb(trace.fillcolor or theme.PANEL)
        drawn.line.color.rgb = rgb(trace.line.color or theme.GRID)
        drawn.line.width = Pt(page.points(float(trace.line.width or 1)))


def _outline(slide: Any, page: Page, corners: NDArray[np.float64]) -> Any:
    low, high = corners.min(axis=0), corners.max(axis=0)
    away = np.hypot(*(corners - (low + high) / 2).T)
    if len(corners) > 8 and np.ptp(away) < 0.02 * away.max():
        box = (*low.tolist(), *(high - low).tolist())
        return slide.shapes.add_shape(MSO_SHAPE.OVAL, *(Emu(page.emu(each)) for each in box))
    points = [(page.emu(a), page.emu(b)) for a, b in corners.tolist()]
    builder = slide.shapes.build_freeform(*points[0], scale=1.0)
    builder.add_line_segments(points[1:], close=True)
    return builder.convert_to_shape()


def add_names(slide: Any, page: Page, trace: Any) -> None:
    """A trace of texts: each one where the figure has it."""
    size, colour = float(trace.textfont.size or 12), trace.textfont.color or theme.INK
    for x, y, text in zip(trace.x, trace.y, trace.text, strict=True):
        at = page.place(float(x), float(y), "x", "y")
        below = (trace.textposition or "").startswith("bottom")
        add_text(
            slide,
            page,
            lines(str(text)),
            (at[0], at[1] + (3 if below else 0)),
            size_px=size,
            colour=colour,
            across="center",
            down="top" if below else "middle",
        )


def add_note(slide: Any, parts: list[str]) -> None:
    """The speaker's notes."""
    slide.notes_slide.notes_text_frame.text = "\n".join(parts)


def add_subtitle(slide: Any, title: str, subtitle: str) -> None:
    """What is shown, below the title however many lines that takes."""
    if not subtitle:
        return
    top = 14 + title_lines(title) * title_size(title) * 1.2 + 5
    at = (_EDGE_PX, top)
    add_text(slide, whole_page(), lines(subtitle), at, size_px=15, colour=theme.SOFT)
