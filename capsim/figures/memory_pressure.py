"""What happens on a node that runs out of memory, in order."""

from __future__ import annotations

import plotly.graph_objects as go

from capsim.contention.memory import MemoryEvent, NodeMemory
from capsim.figures import bars, theme, words

_MOST_ROWS = 12
_GIB = 2.0**30
_COLOURS = {
    "reclaim": theme.FREE,
    "swap": theme.STRANDED,
    "throttle": theme.USED,
    "evict": theme.WAITING,
    "oom kill": theme.AT_RISK,
}
_TOLD = {
    "reclaim": "page cache reclaimed",
    "swap": "swapped out",
    "throttle": "slowed above memory.high",
    "evict": "evicted by the kubelet",
    "oom kill": "killed by the kernel",
}


def memory_pressure(settled: NodeMemory, *, source: str = "") -> go.Figure:
    """Each step that a node took for memory, from the first at the top.

    Parameters: settled, from `contention.memory.settle_memory`.
    """
    footnote = source or (
        "Rules: cgroup v2, kubelet node-pressure eviction, kernel OOM badness, "
        "docs/models/memory_io_caches.md"
    )
    events = settled.events
    if not events:
        return theme.nothing("Memory suffices for all", "nothing had to be reclaimed", footnote)
    shown = events[:_MOST_ROWS]
    figure = bars.page(right=60)
    figure.update_layout(margin_t=140)
    for step in dict.fromkeys(event.step for event in shown):
        _draw(figure, shown, step)
    for at, event in enumerate(shown):
        bars.write_beside(figure, event.bytes / _GIB, at, _words(event))
    bars.name_rows(figure, [f"{at}. {event.group}" for at, event in enumerate(shown, start=1)])
    bars.count_axis(figure, "GiB", max(event.bytes for event in shown) / _GIB, room=0.75)
    figure.update_xaxes(dtick=None, showgrid=False, showline=True)
    steps = dict.fromkeys(event.step for event in shown)
    bars.key(figure, [(_TOLD[step], _COLOURS[step]) for step in steps])
    more = len(events) - len(shown)
    subtitle = "What the node did for memory, in order" + (f"; {more} more steps" if more else "")
    return theme.finish(figure, _title(settled), subtitle, footnote, settled.assumptions)


def _draw(figure: go.Figure, shown: tuple[MemoryEvent, ...], step: str) -> None:
    """The bars of one kind of step; rows of others are empty."""
    values = [event.bytes / _GIB if event.step == step else 0.0 for event in shown]
    hover = [
        f"{words.safe(event.group)}: {event.bytes / _GIB:.2f} GiB, {words.safe(event.why)}"
        for event in shown
    ]
    bars.add_bar(figure, values, _TOLD[step], _COLOURS[step], hover)
    figure.update_layout(barmode="stack")


def _words(event: MemoryEvent) -> str:
    amount = words.number(event.bytes / _GIB)
    why = words.safe(words.shorten(event.why, 52))
    return f"<b>{amount} GiB</b> <span style='color:{theme.SOFT}'>{why}</span>"


def _title(settled: NodeMemory) -> str:
    summary = settled.summary()
    parts = [
        words.count(int(summary[name]), "group") + f" {told}"
        for name, told in (("evicted", "evicted"), ("oom_killed", "killed"))
        if summary[name]
    ]
    if summary["throttled"]:
        parts.append(words.count(int(summary["throttled"]), "group") + " slowed")
    reclaimed = summary["reclaimed_bytes"] / _GIB
    given = f"{words.number(round(reclaimed, 2))} GiB of page cache given up"
    if not parts:
        return (
            f"Nobody is hurt: {given} is enough" if reclaimed else "Nobody is hurt: swap is enough"
        )
    return words.capital(words.listed([*parts, *([given] if reclaimed else [])]))
