"""Images: what their layers weigh, and which of them are shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import plotly.graph_objects as go

from capsim.figures import bars, theme, words
from capsim.stack.images.result import Image, Layer
from capsim.stack.images.store import stored

_BASE, _OWN, _SHARED = theme.USED, theme.STRANDED, "#009E73"
_LEAST_LABEL = 0.09
"""Share of the axis from which on a part is wide enough for its label."""
_MOST_IMAGES, _MOST_LAYERS = 12, 20
_TINY_MB = 0.05


def image_layers(images: Image | Sequence[Image]) -> go.Figure:
    """What images weigh when pulled, layer by layer; layers that several share are marked.

    Parameters: one image or several; the first 12 are shown.
    """
    listed = [images] if isinstance(images, Image) else list(images)
    shown = [image for image in listed if image.layers][:_MOST_IMAGES]
    if not shown:
        return theme.nothing("No layers", "the images are empty", "")
    if len(shown) == 1:
        return _one(shown[0])
    used = Counter(digest for image in shown for digest in {x.digest for x in image.layers})
    figure = bars.page(right=150)
    figure.update_layout(barmode="stack", margin_t=140)
    most = max(image.compressed_mb.value for image in shown)
    for row, image in enumerate(shown):
        _draw(figure, row, image, used, most)
    names = [image.name for image in shown]
    bars.name_rows(figure, names, [_below(image) for image in shown])
    bars.key(figure, _key(shown, used))
    figure.update_xaxes(title_text="Compressed size, as pulled (MB)", range=[0, 1.12 * most])
    return theme.finish(figure, _title(shown), _subtitle(shown, listed), _source(shown))


def _one(image: Image) -> go.Figure:
    """One image: a row a layer, each where the one below it ends."""
    layers = image.layers[-_MOST_LAYERS:]
    figure = bars.page(right=150)
    figure.update_layout(margin_t=140)
    whole = image.compressed_mb.value
    at = whole - sum(layer.compressed_mb.value for layer in layers)
    for row, layer in enumerate(layers):
        _piece(figure, row, at, layer, _BASE if layer.of_base else _OWN)
        at += layer.compressed_mb.value
        bars.write_beside(figure, at, row, _size(layer), size=13)
    bars.name_rows(figure, [layer.told for layer in layers])
    bars.key(figure, _key([image], Counter()))
    figure.update_xaxes(title_text="Compressed size, as pulled (MB)", range=[0, 1.15 * whole])
    left = len(image.layers) - len(layers)
    more = f"; the lowest {left} are not shown" if left else ""
    told = "layers from the lowest at the top, MB compressed and unpacked"
    subtitle = f"{words.safe(image.name)}: {told}{more}"
    return theme.finish(figure, _title([image]), subtitle, _source([image]), image.assumptions)


def _size(layer: Layer) -> str:
    size = layer.compressed_mb.value
    if size < _TINY_MB:
        return f"<span style='color:{theme.FAINT}'>under {_TINY_MB:g} MB</span>"
    unpacked = f"{words.number(layer.unpacked_mb.value)} MB unpacked"
    return f"<b>{size:.3g} MB</b> <span style='color:{theme.SOFT}'>{unpacked}</span>"


def _piece(figure: go.Figure, row: int, at: float, layer: Layer, colour: str) -> None:
    figure.add_bar(
        x=[layer.compressed_mb.value],
        y=[row],
        base=[at],
        orientation="h",
        marker={"color": colour, "line": {"width": 1.5, "color": theme.PAPER}},
        hovertext=[f"{words.safe(words.shorten(layer.told, 70))}: {_megabytes(layer)}"],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _draw(figure: go.Figure, row: int, image: Image, used: Counter[str], most: float) -> None:
    at = 0.0
    for layer in image.layers:
        size = layer.compressed_mb.value
        if size < most / 2000:
            continue
        _piece(figure, row, at, layer, _colour(layer, used))
        if size > _LEAST_LABEL * most:
            _label(figure, at + size / 2, row, f"{size:.0f}")
        at += size
    span = image.compressed_mb
    told = f"<b>{span.value:,.0f} MB</b><br><span style='color:{theme.SOFT}'>{_ends(image)}</span>"
    bars.write_beside(figure, at, row, told)


def _label(figure: go.Figure, x: float, row: int, text: str) -> None:
    figure.add_annotation(
        name="part",
        x=x,
        y=row,
        text=text,
        showarrow=False,
        font={"size": 13, "color": theme.PAPER},
    )


def _colour(layer: Layer, used: Counter[str]) -> str:
    if used[layer.digest] > 1:
        return _SHARED
    return _BASE if layer.of_base else _OWN


def _megabytes(layer: Layer) -> str:
    span = layer.compressed_mb
    ends = f"{span.low:.3g} to {span.high:.3g}"
    return f"{span.value:.3g} MB ({ends}), unpacked {layer.unpacked_mb.value:.3g} MB"


def _ends(image: Image) -> str:
    span = image.compressed_mb
    return f"{span.low:,.0f} to {span.high:,.0f}"


def _below(image: Image) -> str:
    return f"{words.count(len(image.layers), 'layer')}, {image.unpacked_mb.value:,.0f} MB unpacked"


def _key(images: Sequence[Image], used: Counter[str]) -> list[tuple[str, str]]:
    kinds = {_colour(layer, used) for image in images for layer in image.layers}
    told = (("shared with another image", _SHARED), ("base image", _BASE), ("own layers", _OWN))
    return [(text, colour) for text, colour in told if colour in kinds]


def _title(images: Sequence[Image]) -> str:
    if len(images) == 1:
        image = images[0]
        base = sum(x.compressed_mb.value for x in image.layers if x.of_base)
        whole = image.compressed_mb.value
        again = image.pushed_mb("source").value if image.steps else 0.0
        pushed = "under 0.1" if again < 0.1 else f"{again:,.1f}"
        return (
            f"{words.percent(base / whole)} of {whole:,.0f} MB is the base image; "
            f"a change of the source moves {pushed} MB"
        )
    kept = stored(images)
    whole = sum(image.compressed_mb.value for image in images)
    return (
        f"Shared layers save {words.percent(1 - kept.registry_mb / whole)}: "
        f"{kept.registry_mb:,.0f} MB are stored instead of {whole:,.0f} MB"
    )


def _subtitle(shown: Sequence[Image], listed: Sequence[Image]) -> str:
    left = len(listed) - len(shown)
    more = f"; {words.count(left, 'image')} not shown" if left else ""
    return f"Layers of each image from the lowest on the left, MB compressed and their range{more}"


def _source(images: Sequence[Image]) -> str:
    bases = sorted({x.told.split(",")[0] for image in images for x in image.layers if x.of_base})
    named = words.safe(words.shorten(", ".join(bases), 90))
    return (
        f"Source: estimated from Dockerfiles; base images {named} from docker-library/repo-info; "
        "packages measured 2026-11-25"
    )
