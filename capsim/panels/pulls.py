"""How long does a scale-out wait for its image? Nodes, caches and bandwidth against the clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from capsim.figures import theme, words
from capsim.panels.common import (
    Controls,
    get_ready,
    slider,
)
from capsim.panels.panel import DeckTray, Panel
from capsim.panels.picture import live
from capsim.stack.images import Image, Links, Pull, pull, sized_image
from capsim.stack.images.registry import Cache, pull_curve

SUBTITLE = "Seconds until the last of so many nodes has the image, downloaded and unpacked"
_POINTS = 33
_LINES: tuple[tuple[Cache, str, str], ...] = (
    ("cold", "nothing cached", theme.AT_RISK),
    ("base", "base image cached", theme.USED),
)
_NOW = "as set"


@dataclass(frozen=True)
class Answer:
    """What the panel shows."""

    image: Image
    now: Pull
    nodes: NDArray[np.float32]
    seconds: dict[Cache, NDArray[np.float32]]

    @property
    def table(self) -> pd.DataFrame:
        """The points of the lines: nodes, seconds by cache."""
        curves = {f"{cache}_ready_s": values for cache, values in self.seconds.items()}
        return pd.DataFrame({"nodes": self.nodes, **curves})


def image_pulls(image: Image | None = None, *, tray: DeckTray | None = None) -> ImagePulls:
    """Sliders for a scale-out: nodes, their caches, the size of the image, bandwidths.

    Parameters: image, whose layers are kept while its size is scaled (by default one of 500 MB in
    eight layers); tray, where "add to deck" puts its slides.
    Returns: ImagePulls, which shows itself as the last line of a cell.

    >>> cs.panels.image_pulls(cs.image("Dockerfile"))
    """
    return ImagePulls(
        image or sized_image(500), tray or DeckTray("image-pulls.pptx", title="Image pulls")
    )


def answered(image: Image, at: dict[str, Any]) -> Answer:
    """The engine's answer to a setting of the sliders."""
    scaled = _scaled(image, at["size"])
    links = Links(node_mb_s=at["node"], registry_mb_s=at["registry"], layers_at_once=at["layers"])
    warm = round(at["nodes"] * at["cached"] / 100)
    counts: dict[Cache, int] = {"cold": at["nodes"] - warm, "base": warm}
    nodes = np.unique(np.geomspace(1, max(2, 2 * at["nodes"]), _POINTS).round()).astype(np.int64)
    seconds = {
        cache: pull_curve(scaled, nodes.tolist(), cache=cache, links=links).astype(np.float32)
        for cache, _, _ in _LINES
    }
    return Answer(scaled, pull(scaled, counts, links=links), nodes.astype(np.float32), seconds)


def _scaled(image: Image, size_mb: float) -> Image:
    factor = size_mb / image.compressed_mb.value
    layers = tuple(
        replace(x, compressed_mb=x.compressed_mb * factor, unpacked_mb=x.unpacked_mb * factor)
        for x in image.layers
    )
    return replace(image, layers=layers)


def headline(answer: Answer) -> str:
    """The answer in one sentence."""
    found = answer.now.summary()
    nodes = words.count(int(found["nodes"]), "node")
    busy = found["registry_share"] > 0.9
    holds = "the registry is the bottleneck" if busy else "the nodes' own links and disks decide"
    return f"{nodes} wait {found['last_ready_s']:.0f} s for the image; {holds}"


def picture(answer: Answer) -> go.Figure:
    """Seconds over nodes, a line a cache state, and a dot where the sliders stand."""
    figure = theme.blank()
    for cache, told, colour in _LINES:
        figure.add_scatter(
            x=answer.nodes,
            y=answer.seconds[cache],
            meta=cache,
            mode="lines",
            line={"color": colour, "width": 3},
            hovertemplate=f"{told}: %{{x:,.0f}} nodes ready after %{{y:.1f}} s<extra></extra>",
            showlegend=False,
        )
    x, y = _dot(answer)
    figure.add_scatter(
        x=x,
        y=y,
        meta=_NOW,
        mode="markers",
        marker={"size": 13, "color": theme.INK},
        hovertemplate="as set: %{x:,.0f} nodes, the last ready after %{y:.1f} s<extra></extra>",
        showlegend=False,
    )
    parts = [f"<span style='color:{c}'><b>━ {told}</b></span>" for _, told, c in _LINES]
    figure.add_annotation(
        name="key",
        text="&nbsp;&nbsp; ".join([*parts, f"<span style='color:{theme.INK}'>● {_NOW}</span>"]),
        x=1, y=1, xref="paper", yref="paper", xanchor="right", yanchor="bottom",
        showarrow=False, font={"size": 14},
    )  # fmt: skip
    figure.update_xaxes(title_text="Nodes that pull at once (number)", rangemode="tozero")
    figure.update_yaxes(title_text="Until the last is ready (s)", rangemode="tozero")
    return figure


def _dot(answer: Answer) -> tuple[list[float], list[float]]:
    found = answer.now.summary()
    return [found["nodes"]], [found["last_ready_s"]]


def update(widget: Any, answer: Answer) -> None:
    """Moves lines and dot, as one redraw."""
    x, y = _dot(answer)
    with widget.batch_update():
        for trace in widget.data:
            now = trace.meta == _NOW
            trace.x = x if now else answer.nodes
            trace.y = y if now else answer.seconds[trace.meta]


class ImagePulls(Panel):
    """The panel; `panel.controls.nodes.value = 200` moves a slider from code."""

    def __init__(self, image: Image, tray: DeckTray) -> None:
        super().__init__(tray)
        self.image = image
        self.controls = _controls(image)
        self._headline = widgets.HTML()
        self.answer: Answer
        get_ready({"pulling": self._begin})
        self.widget = self._laid_out(self._headline, self.figure)
        self.controls.answer(self.respond)

    def _begin(self) -> None:
        self.answer = answered(self.image, self.controls.values)
        self.figure = live(picture(self.answer))
        self._tell()

    def _tell(self) -> None:
        explained = self.answer.now.explain()
        self._headline.value = (
            f"<h3 style='margin:8px 0 2px'>{headline(self.answer)}</h3>"
            f"<div style='color:{theme.SOFT}'>{explained}</div>"
        )

    def respond(self) -> None:
        """What a move does."""
        with self.message.errors():
            self.answer = answered(self.image, self.controls.values)
            update(self.figure, self.answer)
            self._tell()
            self.numbers.refresh()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The numbers behind the picture, as they are now."""
        return {
            "as set": self.answer.now.table,
            "curves": self.answer.table,
            "pull limits": self.answer.now.limits,
            "settings": self.controls.table,
        }

    def slide(self) -> go.Figure:
        """The picture as it stands, with its takeaway as title."""
        at = self.controls.values
        told = (
            f"{at['size']:,.0f} MB; a node takes {at['node']:,.0f} MB/s, the registry gives "
            f"{at['registry']:,.0f} MB/s; {at['cached']:.0f} % of nodes have the base image"
        )
        stated = self.answer.now.assumptions
        return theme.finish(picture(self.answer), headline(self.answer), SUBTITLE, told, stated)


def _controls(image: Image) -> Controls:
    size = slider("Image, compressed (MB)", 10.0, 5000.0, 10.0)
    size.value = min(max(round(image.compressed_mb.value, -1), 10.0), 5000.0)
    nodes = slider("Nodes that pull at once", 1, 500)
    nodes.value = 50
    node = slider("A node takes (MB/s)", 10.0, 1000.0, 10.0)
    registry = slider("The registry gives (MB/s)", 50.0, 10_000.0, 50.0)
    node.value, registry.value = Links().node_mb_s, Links().registry_mb_s
    layers = slider("Layers at once", 1, 10)
    layers.value = Links().layers_at_once
    return Controls(
        nodes=nodes,
        cached=slider("Have the base image (%)", 0, 100, 5),
        size=size,
        node=node,
        layers=layers,
        registry=registry,
    )
