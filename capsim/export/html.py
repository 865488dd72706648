"""One self-contained page: figures that can be zoomed, tables, no network."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capsim.export.images import in_folder
from capsim.export.plain import plain, takeaway

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_HEADING_PX = 36
"""Pixels of title and subtitle, which the page writes itself, less the room of the toolbar."""
_MOST_ROWS = 2000
_TOOLBAR = {
    "displaylogo": False,
    "displayModeBar": "hover",
    "plotlyServerURL": "",
    "scrollZoom": True,
}
#: Whatever the page holds, a browser fetches nothing; plotly's WebGL needs unsafe-eval.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; worker-src blob:"
)
_STYLE = """
body { margin: 0 auto; max-width: 1120px; padding: 32px 24px 64px; color: #1B2733;
  font: 16px/1.5 Inter, 'Segoe UI', 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif; }
h1 { font-size: 30px; line-height: 1.25; margin: 0 0 16px; }
h2 { font-size: 22px; line-height: 1.3; margin: 0 0 2px; }
nav { background: #F4F6F8; padding: 14px 20px; margin-bottom: 40px; }
nav ol { margin: 0; padding-left: 22px; }
a { color: #0072B2; text-decoration: none; }
section { margin-bottom: 52px; break-inside: avoid; }
section > p { color: #5B6875; margin: 0 0 4px; }
.figure { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th, td { padding: 4px 12px; border-bottom: 1px solid #E6EAEE; text-align: right; }
th { color: #5B6875; font-weight: 600; }
td:first-child, th:first-child { text-align: left; }
.table { overflow: auto; max-height: 480px; }
footer { color: #5B6875; font-size: 14px; }
"""


def save_html(
    figures: Iterable[go.Figure] | Mapping[str, go.Figure],
    path: str | Path,
    *,
    title: str,
    tables: Mapping[str, pd.DataFrame] | None = None,
    assumptions: Iterable[object] = (),
) -> Path:
    """Writes figures, and tables if wanted, as one page that works without a network.

    Parameters: figures in order; title of the page; tables by heading; assumptions, listed last.
    Returns: the path. Raises: ExportError if its folder is not there.

    >>> cs.export.save_html(cs.figures.all_figures(plan), "plan.html", title="Q3 plan")
    """
    target = in_folder(Path(path))
    listed = list(figures.values() if isinstance(figures, Mapping) else figures)
    target.write_text(
        page(listed, title=title, tables=tables or {}, assumptions=assumptions), encoding="utf-8"
    )
    return target


def page(
    figures: Iterable[go.Figure],
    *,
    title: str,
    tables: Mapping[str, pd.DataFrame],
    assumptions: Iterable[object] = (),
) -> str:
    """The page as text; plotly's code is in it once."""
    from plotly.offline import get_plotlyjs

    listed = list(figures)
    heads = [takeaway(figure) for figure in listed]
    sections = [_section(at, figure, heads[at]) for at, figure in enumerate(listed)]
    sections += [_table(heading, table) for heading, table in tables.items()]
    name = html.escape(title)
    script = f"<script>{get_plotlyjs()}</script>" if listed else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{name}</title><style>{_STYLE}</style>{script}</head>\n"
        f"<body><h1>{name}</h1>\n{_contents(heads)}{''.join(sections)}{_foot(assumptions)}"
        "</body></html>\n"
    )


def _contents(heads: list[str]) -> str:
    if len(heads) < 2:
        return ""
    items = (
        f'<li><a href="#figure-{at}">{html.escape(head)}</a></li>' for at, head in enumerate(heads)
    )
    return f"<nav><ol>{''.join(items)}</ol></nav>\n"


def _section(at: int, figure: go.Figure, head: str) -> str:
    from plotly.io import to_html

    subtitle = plain(figure.layout.title.subtitle.text or "")
    drawn = to_html(
        _without_heading(figure),
        full_html=False,
        include_plotlyjs=False,
        div_id=f"plot-{at}",
        config={
            "displaylogo": False,
            "displayModeBar": "hover",
            "plotlyServerURL": "",
            "scrollZoom": True,
        },
    )
    return (
        f'<section id="figure-{at}"><h2>{html.escape(head)}</h2><p>{html.escape(subtitle)}</p>'
        f'<div class="figure">{drawn}</div></section>\n'
    )


def _without_heading(figure: go.Figure) -> dict[str, Any]:
    """The figure without its title, which is the section's heading, and without its room."""
    content: dict[str, Any] = figure.to_plotly_json()
    layout = {**content["layout"], "title": {"text": ""}}
    margin, height = layout.get("margin", {}), layout.get("height")
    if height and margin.get("t", 0) > _HEADING_PX:
        layout["margin"] = {**margin, "t": margin["t"] - _HEADING_PX}
        layout["height"] = height - _HEADING_PX
    return {**content, "layout": layout}


def _table(heading: str, table: pd.DataFrame) -> str:
    shown = table.head(_MOST_ROWS)
    left = len(table) - len(shown)
    note = f"<p>{left:,} further rows are left out here.</p>" if left else ""
    body = shown.to_html(index=False, border=0, escape=True, float_format=_spell, na_rep="")
    return (
        f'<section><h2>{html.escape(heading)}</h2><div class="table">{body}</div>{note}</section>\n'
    )


def _spell(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def _foot(assumptions: Iterable[object]) -> str:
    items = "".join(f"<li>{html.escape(str(each))}</li>" for each in assumptions)
    return f"<footer><h2>Assumptions</h2><ul>{items}</ul></footer>" if items else ""
