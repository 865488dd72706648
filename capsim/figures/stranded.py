"""Stranded capacity: what is free and yet of no use, and what it lies behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from capsim.figures import bars, theme, words
from capsim.figures.groups import Group, group_by_shape
from capsim.scenario import CPU, GPU_MILLI, MEMORY, PODS, Assumption

if TYPE_CHECKING:
    import pandas as pd

    from capsim.placement.stranded import Stranded

_MOST_SHAPES = 8
_MUCH, _MOST_NAMED = 0.05, 3
_PARTS = (("used", theme.USED), ("free", theme.FREE), ("stranded", theme.STRANDED))
_BEHIND = {CPU: "behind full CPUs", MEMORY: "behind full memory", PODS: "behind full pod slots"}
_KEY = [("used", theme.USED), ("free and usable", theme.FREE), ("stranded", theme.STRANDED)]


def stranded_capacity(stranded: Stranded) -> go.Figure:
    """Used, usable and stranded share of every resource, and what the stranded part lies behind."""
    table, noun = stranded.table, words.noun(stranded.topology.scenario)
    if table.empty or not (table["offered"] > 0).any():
        return theme.nothing(
            "Nothing is stranded", f"no {noun} requests what a node offers", _source(stranded)
        )
    figure = bars.page(right=300)
    figure.update_layout(barmode="stack", margin_t=140)
    shares = _shares(table)
    units = [_unit_words(*row) for row in zip(table["resource"], table["unit"], strict=True)]
    offered = [float(amount) for amount in table["offered"]]
    for name, colour in _PARTS:
        hover = [
            f"{name}: {words.number(each[name] * of)} {unit}"
            for each, of, unit in zip(shares, offered, units, strict=True)
        ]
        bars.add_bar(figure, [100 * each[name] for each in shares], name, colour, hover)
    for row, resource in enumerate(table["resource"]):
        told = _headline(stranded, resource).partition(" of ")[0]
        lines = int(bars.row_height(len(shares)) / 19) - 1
        reasons = _reasons(stranded, resource, lines)
        bars.write_beside(figure, 100, row, f"<b>{told} stranded</b>{reasons}")
    _write_used(figure, shares)
    named = [words.capital(words.resource_name(_long(name))) for name in table["resource"]]
    sizes = [f"{words.number(of)} {u} offered" for of, u in zip(offered, units, strict=True)]
    bars.name_rows(figure, named, sizes)
    bars.key(figure, _KEY)
    figure.update_xaxes(range=[0, 100], title_text="Share of what all nodes offer (%)")
    figure.update_xaxes(**theme.percent_ticks())
    return theme.finish(
        figure,
        stranded_title(stranded),
        f"Free capacity that no further {noun} of the mix can use where it is"
        f"{_also_stranded(stranded, shares)}",
        _source(stranded),
        stranded.assumptions,
    )


def stranded_title(stranded: Stranded, resource: str | None = None) -> str:
    """The takeaway: the share that is stranded and the two main reasons."""
    told, _, reasons = _headline(stranded, resource).partition(": ")
    main = [part for part in reasons.split(", ") if part][:2]
    return f"{told}: {' and '.join(main)}" if main else told


def _also_stranded(stranded: Stranded, shares: list[dict[str, float]]) -> str:
    """The resources that the title leaves out, where much of them is stranded too."""
    lost = {
        name: each["stranded"]
        for name, each in zip(stranded.table["resource"], shares, strict=True)
        if name != _default(stranded) and each["stranded"] >= _MUCH
    }
    most = sorted(lost, key=lambda name: -lost[name])[:_MOST_NAMED]
    told = [f"{words.percent(lost[name])} of {words.resource_mass(_long(name))}" for name in most]
    return f"; stranded as well: {words.listed(told)}" if told else ""


def _headline(stranded: Stranded, resource: str | None) -> str:
    """The finding of the table, resources by the names that figures use."""
    told = words.safe(stranded.headline(resource).rstrip("."))
    for name in stranded.topology.resources:
        if "/" in name:
            told = told.replace(words.safe(name), words.resource_mass(name))
    return told


def stranded_by_shape(stranded: Stranded, resource: str | None = None) -> go.Figure:
    """Used, usable and stranded amount of one resource in the machines of each shape.

    Parameters: resource, a name of `stranded.table`; by default GPUs where there are any, else the
    resource of which most is stranded.
    """
    chosen = _default(stranded) if resource is None else resource
    if chosen is None:
        return theme.nothing("Nothing is stranded", "nothing requests anything", _source(stranded))
    column = _column(stranded, chosen)
    groups = [
        group
        for group in group_by_shape(stranded.topology.scenario, most=_MOST_SHAPES)
        if stranded.offered[group.rows, column].any()
    ]
    if not groups:
        told = f"No node offers {words.resource_mass(_long(chosen))}"
        return theme.nothing(told, "no machine shape has any of it", _source(stranded))
    amounts = [_amounts(stranded, group, column) for group in groups]
    figure = bars.page(right=270)
    figure.update_layout(barmode="stack", margin_t=140)
    unit, scale = _unit(stranded, chosen)
    for name, colour in _PARTS:
        values = [each[name] / scale for each in amounts]
        hover = [f"{name}: {words.number(value)} {unit}" for value in values]
        bars.add_bar(figure, values, name, colour, hover)
    for row, (group, each) in enumerate(zip(groups, amounts, strict=True)):
        lost, total = each["stranded"], sum(each.values())
        told = f"<b>{words.percent(lost / total)}</b> stranded{_cause(stranded, group, column)}"
        bars.write_beside(figure, total / scale, row, told, size=13)
    bars.name_rows(
        figure,
        [group.name for group in groups],
        [words.count(len(group.rows), "node") for group in groups],
    )
    bars.key(figure, _KEY)
    figure.update_xaxes(
        title_text=_axis_title(chosen, unit),
        tickformat=",",
        range=[0, 1.02 * max(sum(each.values()) for each in amounts) / scale],
    )
    return theme.finish(
        figure, _shape_title(groups, amounts, chosen), _subtitle(chosen), _source(stranded),
        stranded.assumptions,
    )  # fmt: skip


def _shape_title(groups: list[Group], amounts: list[dict[str, float]], resource: str) -> str:
    lost = [each["stranded"] for each in amounts]
    total, most = sum(lost), int(np.argmax(lost))
    mass = words.resource_mass(_long(resource))
    plural = mass.endswith("s")
    if not total:
        return f"No {mass} {'are' if plural else 'is'} stranded on any machine shape"
    if len(groups) == 1:
        share, be = words.percent(total / sum(amounts[0].values())), "are" if plural else "is"
        return f"{share} of {mass} {be} stranded, in machines of {words.safe(groups[0].name)}"
    where = words.safe(groups[most].name)
    sits = "sit" if plural else "sits"
    share = words.percent(lost[most] / total)
    return f"{share} of the stranded {mass} {sits} in machines of {where}"


def _subtitle(resource: str) -> str:
    mass = words.capital(words.resource_mass(_long(resource)))
    return f"{mass} in the machines of each shape: what is used, usable and stranded"


def _axis_title(resource: str, unit: str) -> str:
    mass = words.capital(words.resource_mass(_long(resource)))
    return mass if mass == unit else f"{mass} ({unit})"


def _shares(table: pd.DataFrame) -> list[dict[str, float]]:
    """Used, usable and stranded share of each resource; they add up to 1."""
    shares = []
    for row in table.to_dict("records"):
        offered = max(row["offered"], 1e-12)
        lost = min(row["stranded"], row["free"])
        used = max(0.0, row["offered"] - row["free"])
        parts = {"used": used, "free": row["free"] - lost, "stranded": lost}
        shares.append({name: value / offered for name, value in parts.items()})
    return shares


def _write_used(figure: go.Figure, shares: list[dict[str, float]]) -> None:
    for row, each in enumerate(shares):
        if each["used"] < 0.06:
            continue
        figure.add_annotation(
            name="label",
            x=100 * each["used"] / 2,
            y=row,
            text=f"{words.percent(each['used'])}",
            showarrow=False,
            font={"size": 14, "color": theme.PAPER},
        )


def _reasons(stranded: Stranded, resource: str, most: int) -> str:
    """Below the share: each reason on a line, the main ones first."""
    _, _, told = _headline(stranded, resource).partition(": ")
    parts = [part for part in told.split(", ") if part][:most]
    return "".join(f"<br><span style='color:{theme.SOFT}'>{part}</span>" for part in parts)


def _amounts(stranded: Stranded, group: Group, column: int) -> dict[str, float]:
    offered = float(stranded.offered[group.rows, column].sum())
    free = float(stranded.free[group.rows, column].sum())
    lost = min(float(stranded.by_node_and_cause[group.rows, column].sum()), free)
    return {"used": max(0.0, offered - free), "free": free - lost, "stranded": lost}


def _cause(stranded: Stranded, group: Group, column: int) -> str:
    """The main reason in these machines, in the words of the headline."""
    causes = stranded.by_node_and_cause[group.rows, column].sum(axis=0)
    if not causes.any():
        return ""
    return f",<br>mostly {_behind(stranded, column, int(np.argmax(causes)))}"


def _behind(stranded: Stranded, column: int, cause: int) -> str:
    resources = stranded.topology.resources
    if cause == len(resources):
        return "closed by rules"
    if cause == len(resources) + 1:
        return "fragments of boards" if resources[column] == GPU_MILLI else "remainders"
    name = resources[cause]
    return _BEHIND.get(name, f"for want of {words.resource_mass(name)}")


def _default(stranded: Stranded) -> str | None:
    table = stranded.table
    if table.empty:
        return None
    names = list(table["resource"])
    return "gpu" if "gpu" in names else str(names[int(table["share_of_offered"].argmax())])


def _column(stranded: Stranded, resource: str) -> int:
    return stranded.topology.column(_long(resource))


def _long(resource: str) -> str:
    """The engine's name of a resource as tables name it."""
    return GPU_MILLI if resource == "gpu" else resource


def _unit(stranded: Stranded, resource: str) -> tuple[str, float]:
    """The unit of the table, and how many of the engine's integers it has."""
    row = next(r for r in stranded.table.to_dict("records") if r["resource"] == resource)
    offered = float(row["offered"])
    whole = float(stranded.offered[:, _column(stranded, resource)].sum())
    return _unit_words(resource, str(row["unit"])), whole / offered if offered else 1.0


def _unit_words(resource: str, unit: str) -> str:
    """The unit of a table; what is counted in pieces is counted by its name."""
    return words.resource_mass(_long(resource)) if unit == "pieces" else unit


def _source(stranded: Stranded) -> str:
    scenario = stranded.topology.scenario
    rule = next((each for each in stranded.assumptions if each.name == "stranded capacity"), None)
    told: list[Assumption] = [rule] if rule else []
    parts = [
        f"Source: {words.shorten(scenario.name, 60)}",
        words.count(len(scenario.nodes), "node"),
        *(f"{each.name}: {each.value}" for each in told),
    ]
    return " · ".join(words.safe(part) for part in parts)
