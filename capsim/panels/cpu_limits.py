"""What does a CPU limit cost? Response times and throttling, as the limit and its use move."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from capsim.contention.bandwidth import CpuLimit
from capsim.contention.curve import LatencyCurve, Service, latency_curve
from capsim.errors import CapsimError
from capsim.figures import cpu_limits as figures
from capsim.figures import theme
from capsim.panels.common import Afterwards, Controls, get_ready, menu, slider
from capsim.panels.panel import DeckTray, Panel
from capsim.panels.picture import live

_MACHINE_CORES = 16
_SERVICES = {
    "exponential: some long": "exponential",
    "lognormal: a few very long": "lognormal",
    "deterministic: all alike": "deterministic",
}
_NOW = "at this rate"
_SOON, _STILL, _AT_REST = 0.01, 0.06, 0.3
"""Seconds: until the picture is on its way; without a move; without one for longer."""


def cpu_limits(*, tray: DeckTray | None = None) -> CpuLimits:
    """Sliders for a CPU limit: cores, period, burst, threads, requests, rate, neighbours.

    Parameters: tray, where "add to deck" puts its slides.
    Returns: CpuLimits, which shows itself as the last line of a cell.

    >>> cs.panels.cpu_limits()
    """
    return CpuLimits(tray or DeckTray("cpu-limits.pptx", title="CPU limits and latency"))


@lru_cache(maxsize=16)
def _asked(service: Service) -> LatencyCurve:
    return latency_curve(service)


class CpuLimits(Panel):
    """The panel; `panel.controls.limit.value = 0.5` moves a slider from code."""

    def __init__(self, tray: DeckTray) -> None:
        super().__init__(tray)
        self.controls = _controls()
        self._tiles = widgets.HTML()
        self.curve: LatencyCurve
        get_ready({"queues": self._begin, "first moves": self._foresee})
        self.widget = self._laid_out(self._tiles, self.figure)
        self._afterwards = Afterwards(
            (_SOON, self._show), (_STILL, self._foresee), (_AT_REST, self.numbers.refresh)
        )
        self.controls.answer(self.respond)

    def _begin(self) -> None:
        self.curve = _asked(self._service())
        figure = figures.draw_curve(self.curve)
        figure.add_scatter(
            name=_NOW,
            mode="lines",
            line={"color": theme.INK, "width": 1.5, "dash": "dash"},
            hoverinfo="skip",
            showlegend=False,
        )
        self.figure = live(figure)
        self.figure.update_layout(height=460, margin_l=96, margin_r=130)
        self._update()
        self._show()

    def _service(self, moved: Mapping[str, Any] | None = None) -> Service:
        at = {**self.controls.values, **(moved or {})}
        quota = at["limit"] * at["period"] / 1000
        limit = CpuLimit(quota, at["period"] / 1000, quota * at["burst"] / 100)
        return Service(
            limit,
            service_s=at["service"] / 1000,
            threads=at["threads"],
            distribution=at["distribution"],
            machine_cores=_MACHINE_CORES,
            weight=at["weight"],
            neighbour_cores=at["neighbours"],
        )

    def respond(self) -> None:
        """What a move does: ask the engine and move the lines; the slower rest follows."""
        self._afterwards.cancel()
        with self.message.errors():
            self.curve = _asked(self._service())
            self._update()
            self._afterwards()

    def _show(self) -> None:
        self._tiles.value = self._told()

    def _foresee(self) -> None:
        """Asks what one step further would give, so that the step only has to be drawn."""
        for further in self.controls.further():
            with suppress(CapsimError):
                _asked(self._service(further))

    @property
    def use(self) -> float:
        """Mean CPU use at the rate of the slider, as a share of the limit."""
        service = self.curve.service
        return float(self.controls.rate.value * service.service_s / service.limit.cores)

    def _update(self) -> None:
        x = (100 * self.curve.use).astype(np.float32)
        lines = {trace.name: trace for trace in self.figure.data}
        notes = {note.name: note for note in self.figure.layout.annotations}
        times = figures.times_ms(self.curve)
        low, high = figures.time_range(self.curve)
        with self.figure.batch_update():
            for name, y in times.items():
                lines[name].y = y
            for name, height in figures.label_heights(self.curve).items():
                if name in notes:
                    notes[name].y = height
            lines[figures.THROTTLED].y = (100 * self.curve.limited[:, 3]).astype(np.float32)
            lines[_NOW].x = np.full(2, min(100 * self.use, 100), np.float32)
            lines[_NOW].y = np.array([10**low, 10**high], np.float32)
            self.figure.layout.yaxis.update(range=[low, high], **theme.log_ticks(10**low, 10**high))
            if not np.array_equal(lines["p99"].x, x):
                for name in (*times, figures.THROTTLED):
                    lines[name].x = x

    def _told(self) -> str:
        rate = self.controls.rate.value
        if self.use >= 1:
            told = (
                f"At {rate:g} requests/s the service wants {self.use:.0%} of its limit: the queue "
                "grows without end."
            )
        else:
            found = self._found()
            told = (
                f"At {rate:g} requests/s ({self.use:.0%} of the limit): p50 "
                f"{1000 * found['p50_s']:.3g} ms, p95 {1000 * found['p95_s']:.3g} ms, p99 "
                f"{1000 * found['p99_s']:.3g} ms, {found['throttled_fraction']:.0%} of the "
                "periods throttled."
            )
        return (
            f"<div style='font-size:17px;font-weight:600;line-height:1.35'>{self.headline}</div>"
            f"<div style='color:{theme.SOFT};margin-bottom:4px'>{told}</div>"
        )

    def _found(self) -> dict[str, float]:
        """Times at the rate of the slider, between the points of the curve."""
        names = ("p50_s", "p95_s", "p99_s", "throttled_fraction")
        return {
            name: float(np.interp(self.use, self.curve.use, self.curve.limited[:, column]))
            for column, name in enumerate(names)
        }

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        return figures.cpu_limit_title(self.curve)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The numbers behind the picture, as they are now."""
        return {"response times": self.curve.table, "settings": self.controls.table}

    def slide(self) -> go.Figure:
        """The picture as it stands, with its takeaway as title."""
        return figures.cpu_limit(self.curve)


def _controls() -> Controls:
    """In reading order: on the left the limit, on the right the work and the neighbours."""

    def from_(start: float, control: Any) -> Any:
        control.value = start
        return control

    return Controls(
        limit=from_(1.0, slider("CPU limit (cores)", 0.1, 8.0, 0.1)),
        rate=from_(20, slider("Requests (per second)", 1, 400)),
        period=from_(100, slider("Period (ms)", 10, 500, 10)),
        service=from_(20, slider("CPU per request (ms)", 1, 100)),
        burst=slider("Burst (% of the quota)", 0, 100, 10),
        distribution=menu("Requests are", _SERVICES.items(), "exponential"),
        threads=from_(8, slider("Threads", 1, 32)),
        neighbours=slider("Neighbours want (cores)", 0, 32),
        weight=from_(100, slider("Own cpu.weight", 10, 1000, 10)),
    )
