"""Packers: how few machines each algorithm needs, against what no packing can do without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from capsim.figures import bars, theme, words

if TYPE_CHECKING:
    from capsim.placement.packing import Packing


def packers(packings: Sequence[Packing] | pd.DataFrame, *, source: str = "") -> go.Figure:
    """Machines needed by each packer, with the lower bound as a line.

    Parameters: packings of the same units, or the table of `compare_packers`; source, the footnote.
    """
    rows = _rows(packings)
    footnote = source or _source(packings)
    if not rows:
        return theme.nothing("No packing", "no packer was asked", footnote)
    bound = max(row.bound for row in rows)
    figure = bars.page(right=60)
    figure.update_layout(margin_t=140)
    counts = [row.machines for row in rows]
    hover = [f"{row.algorithm}: {row.machines:,} machines" for row in rows]
    bars.add_bar(figure, counts, "machines", theme.USED, hover)
    for at, row in enumerate(rows):
        bars.write_beside(figure, row.machines, at, _told(row))
    bars.name_rows(figure, [_name(row.algorithm) for row in rows])
    _draw_bound(figure, bound, len(rows))
    bars.count_axis(figure, "Machines", max(*counts, bound), room=0.22)
    return theme.finish(figure, _title(rows), _subtitle(rows), footnote)


@dataclass(frozen=True)
class _Row:
    algorithm: str
    machines: int
    bound: int
    units: int
    left_out: int


def _rows(packings: Sequence[Packing] | pd.DataFrame) -> list[_Row]:
    """One row a packer, the fewest machines first."""
    if isinstance(packings, pd.DataFrame):
        names = ["algorithm", "machines", "lower_bound", "units", "unplaceable_units"]
        cells = packings[names].itertuples(index=False)
        rows = [_Row(str(name), *map(int, numbers)) for name, *numbers in cells]
    else:
        rows = [
            _Row(
                each.algorithm,
                each.count,
                each.lower_bound,
                len(each.units),
                int((each.bin_of < 0).sum()),
            )
            for each in packings
        ]
    return sorted(rows, key=lambda row: row.machines)


def _draw_bound(figure: go.Figure, bound: int, rows: int) -> None:
    figure.add_shape(
        name="bound",
        type="line",
        x0=bound,
        x1=bound,
        y0=-0.5,
        y1=rows - 0.5,
        line={"color": theme.AT_RISK, "width": 2, "dash": "dash"},
    )
    figure.add_annotation(
        name="bound",
        x=bound,
        y=1,
        yref="paper",
        text=f"<b>lower bound {bound:,}</b>",
        showarrow=False,
        yanchor="bottom",
        yshift=6,
        font={"size": 14, "color": theme.AT_RISK},
    )


def _told(row: _Row) -> str:
    machines, bound = row.machines, row.bound
    over = machines / bound - 1 if bound else 0.0
    above = f"+{machines - bound:,} ({words.percent(over)})" if over > 0 else "as few as possible"
    return f"<b>{machines:,}</b> <span style='color:{theme.SOFT}'>{above}</span>"


def _title(rows: list[_Row]) -> str:
    best, bound = rows[0].machines, rows[0].bound
    machines = words.count(best, "machine")
    if rows[0].left_out:
        return holding(best, rows[0].units, rows[0].left_out)
    if best <= bound:
        return f"{machines} will do: {_name(rows[0].algorithm)} reaches the lower bound"
    gap = words.percent(best / bound - 1) if bound else "–"
    return f"{machines} will do, at most {gap} more than the {bound:,} that any packing needs"


def holding(machines: int, units: int, left: int) -> str:
    """What machines hold where some units are too large for them.

    >>> holding(12, 80, 8)
    '12 machines hold 72 of 80 units; 8 fit on no such machine'
    """
    fit = "fits" if left == 1 else "fit"
    if left == units:
        return f"No such machine holds any of {words.count(units, 'unit')}"
    hold = "holds" if machines == 1 else "hold"
    held = f"{words.count(machines, 'machine')} {hold} {units - left:,} of {units:,} units"
    return f"{held}; {left:,} {fit} on no such machine"


def _subtitle(rows: list[_Row]) -> str:
    left = rows[0].left_out
    if not left:
        return "Machines that each packing algorithm needs for all units"
    those = f"{words.count(left, 'unit')} that {'fits' if left == 1 else 'fit'} on none of them"
    return f"Machines that each packing algorithm needs, without {those}"


def _name(algorithm: str) -> str:
    return algorithm.replace("-", " ")


def _source(packings: Sequence[Packing] | pd.DataFrame) -> str:
    if isinstance(packings, pd.DataFrame) or not packings:
        return ""
    first = packings[0]
    scenario = first.topology.scenario
    units = words.count(len(first.units), words.noun(scenario))
    shapes = words.listed([shape.shape for shape in first.shapes])
    return words.safe(f"Source: {scenario.name} · {units} · machines of {shapes}")
