"""Pulls: shared layers move once, more bandwidth is never slower, caches never hurt."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.errors import ModelError
from capsim.stack.images import _kernels
from capsim.stack.images.estimate import sized_image
from capsim.stack.images.registry import Links, pull, pull_limits
from capsim.stack.images.store import stored, unique_layers
from tests.stack.images.builders import built, flask

# The kernel against a plain version ----------------------------------------------------------


@dataclass
class Node:
    """One node of the plain version: layers as [image, left, unpack_s, fetched_at]."""

    start: float
    layers: list[list[float]]
    images: int
    begins: list[float] = field(default_factory=list)
    ready: list[float | None] = field(default_factory=list)


def plain_storm(
    start, count, size, unpack, image, images_at_once, layers_at_once, link, stream, registry
):
    """Every node by itself, every event by itself, rates by sorting."""
    nodes = []
    for c in range(len(start)):
        for _ in range(count[c]):
            own = [
                [image[j], size[c][j], unpack[j], None]
                for j in range(len(image))
                if size[c][j] >= 0
            ]
            node = Node(start[c], own, max(image) + 1)
            node.begins = [start[c] if k < images_at_once else np.inf for k in range(node.images)]
            node.ready = [None] * node.images
            nodes.append(node)
    now = 0.0
    while any(r is None for node in nodes for r in node.ready):
        for node in nodes:
            settle(node, now, images_at_once)
        active = [streams(node, now, layers_at_once) for node in nodes]
        rates = fair([min(link, stream * len(a)) for a in active], registry)
        waits = [b - now for node in nodes for b in node.begins if now < b < np.inf]
        for running, rate in zip(active, rates, strict=True):
            waits += [layer[1] / (rate / len(running)) for layer in running]
        if not waits:
            continue
        step = min(waits)
        now += step
        for running, rate in zip(active, rates, strict=True):
            for layer in running:
                layer[1] -= rate / len(running) * step
                if layer[1] < 1e-9:
                    layer[1], layer[3] = 0.0, now
    ends, at = [], 0
    for c in range(len(start)):
        ends.append([nodes[at].ready[k] for k in range(nodes[at].images)])
        at += count[c]
    return np.array(ends, float)


def settle(node, now, images_at_once):
    for k in range(node.images):
        own = [layer for layer in node.layers if layer[0] == k]
        if node.ready[k] is None and node.begins[k] <= now and all(x[3] is not None for x in own):
            end = node.begins[k]
            for layer in own:
                end = max(end, layer[3]) + layer[2]
            node.ready[k] = end
            if k + images_at_once < node.images:
                node.begins[k + images_at_once] = end


def streams(node, now, layers_at_once):
    found = []
    for k in range(node.images):
        if node.begins[k] <= now:
            waiting = [x for x in node.layers if x[0] == k and x[3] is None]
            found += waiting[:layers_at_once]
    return found


def fair(demands, capacity):
    rates, left = [0.0] * len(demands), capacity
    order = sorted((d, i) for i, d in enumerate(demands) if d > 0)
    for place, (demand, i) in enumerate(order):
        rates[i] = min(demand, left / (len(order) - place))
        left -= rates[i]
    return rates


_SIZE = st.one_of(st.just(-1.0), st.floats(0.5, 50.0))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_kernel_agrees_with_a_plain_simulation(data):
    classes, layers = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 6))
    size = np.array([[data.draw(_SIZE) for _ in range(layers)] for _ in range(classes)])
    image = np.sort([data.draw(st.integers(0, 2)) for _ in range(layers)])
    image = np.unique(image, return_inverse=True)[1].astype(np.int64)
    start = np.array([data.draw(st.sampled_from([0.0, 0.7, 3.0])) for _ in range(classes)])
    count = np.array([data.draw(st.integers(1, 3)) for _ in range(classes)], np.int64)
    unpack = np.array([data.draw(st.floats(0.0, 2.0)) for _ in range(layers)])
    images_at_once, layers_at_once = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    link, stream, registry = (data.draw(st.floats(1.0, 50.0)) for _ in range(3))
    ready = np.empty((classes, image[-1] + 1))
    _kernels.storm(
        start, count, size, unpack, image, images_at_once, layers_at_once, link, stream, registry,
        np.empty(classes), ready,
    )  # fmt: skip
    expected = plain_storm(
        start, count, size, unpack, image, images_at_once, layers_at_once, link, stream, registry
    )
    np.testing.assert_allclose(ready, expected, rtol=1e-6, atol=1e-6)


def test_one_layer_takes_its_bytes_over_the_rate_and_then_its_unpacking():
    image = sized_image(100, layers=2, base_share=1.0)
    links = Links(node_mb_s=50, stream_mb_s=50, registry_mb_s=1e4, unpack_mb_s=90, request_s=0.5)
    one = pull(image, links=links)
    assert one.downloaded_s[0] == pytest.approx(0.5 + 100 / 50)
    assert one.ready_s[0] == pytest.approx(0.5 + 2 + 270 / 90)


def test_nodes_share_a_registry_that_is_too_slow_for_all():
    image = sized_image(100)
    links = Links(registry_mb_s=100, request_s=0)
    ten = pull(image, 10, links=links)
    assert ten.downloaded_s[0] == pytest.approx(10 * 100 / 100)
    assert ten.registry_share == pytest.approx(1.0)
    assert "held back by the registry's 100 MB/s" in ten.explain()


# Invariants ----------------------------------------------------------------------------------

_RATE = st.floats(1.0, 500.0)


@settings(max_examples=60, deadline=None)
@given(
    size=st.floats(1, 2000), layers=st.integers(2, 15), nodes=st.integers(1, 60),
    rates=st.tuples(_RATE, _RATE, _RATE, _RATE), more=st.integers(0, 3), factor=st.floats(1.0, 4.0),
)  # fmt: skip
def test_more_bandwidth_is_never_slower(size, layers, nodes, rates, more, factor):
    names = ("node_mb_s", "stream_mb_s", "registry_mb_s", "unpack_mb_s")
    fields = dict(zip(names, rates, strict=True))
    image = sized_image(size, layers=layers)
    before = pull(image, nodes, links=Links(**fields)).ready_s[0]
    fields[names[more]] *= factor
    assert pull(image, nodes, links=Links(**fields)).ready_s[0] <= before * (1 + 1e-9)


@settings(max_examples=40, deadline=None)
@given(size=st.floats(1, 2000), layers=st.integers(2, 15), nodes=st.integers(1, 40), rate=_RATE)
def test_a_cached_node_is_never_slower_than_a_cold_one(size, layers, nodes, rate):
    image = sized_image(size, layers=layers)
    mixed = pull(image, {"cold": nodes, "base": nodes, "warm": 1}, links=Links(registry_mb_s=rate))
    cold, base, warm = mixed.ready_s
    assert warm == 0
    assert base <= cold
    assert pull(image, 2 * nodes, links=Links(registry_mb_s=rate)).ready_s[0] >= cold * (1 - 1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 500), st.integers(2, 8)), min_size=1, max_size=4))
def test_what_images_share_is_stored_once(shapes):
    images = [sized_image(size, layers=n, name=f"i{at}") for at, (size, n) in enumerate(shapes)]
    kept = stored([*images, *images])
    assert kept.registry_mb == pytest.approx(stored(images).registry_mb)
    assert kept.registry_mb <= sum(image.compressed_mb.value for image in images) + 1e-9
    assert len({x.digest for x in unique_layers(images)}) == len(unique_layers(images))


def test_two_services_on_one_base_share_its_layers():
    text = "FROM python:3.9-slim\nCOPY {} /app"
    one, two = (
        built(text.format(f), {"a.bin": 9_000_000, "b.bin": 5_000_000}) for f in ("a.bin", "b.bin")
    )
    both = stored([one, two])
    assert both.table["shared_mb"].tolist() == pytest.approx([0, 47.2], abs=0.1)
    assert both.registry_mb < one.compressed_mb.value + two.compressed_mb.value - 47
    together = pull([one, two])
    assert together.pulled_mb[0] == pytest.approx(both.registry_mb)


def test_an_image_that_others_already_brought_costs_nothing_more():
    assert pull([flask(), flask()]).ready_s[0] == pytest.approx(pull(flask()).ready_s[0])


# Limits --------------------------------------------------------------------------------------


def test_docker_hub_refuses_what_one_address_pulls_too_much():
    limits = pull_limits(250).set_index("plan")
    free = limits.loc["Docker Hub, unauthenticated"]
    assert (free["refused_pulls"], free["hours_until_all"]) == (150, 12)
    assert pull_limits(250, addresses=3)["refused_pulls"].iloc[0] == 0
    assert limits["refused_pulls"].iloc[2] == 0
    assert pull(flask(), {"warm": 500}).limits["refused_pulls"].sum() == 0


def test_a_full_disk_is_collected_down_to_80_percent():
    image = sized_image(1000, unpacked_mb=2700)
    assert stored([image], disk_gb=4).to_collect_mb == pytest.approx(3700 - 3200)
    assert stored([image], disk_gb=100).to_collect_mb == 0


def test_absurd_pulls_are_refused_in_one_sentence():
    for call in (
        lambda: pull(flask(), 0),
        lambda: pull(flask(), {"tepid": 1}),  # type: ignore[dict-item]
        lambda: pull(flask(), -1),
        lambda: Links(node_mb_s=0),
        lambda: Links(registry_mb_s=float("nan")),
        lambda: Links(layers_at_once=0),
        lambda: pull(built("FROM scratch", {})),
        lambda: stored([flask()], disk_gb=0),
        lambda: pull_limits(5, addresses=0),
    ):
        with pytest.raises(ModelError) as error:
            call()
        assert "\n" not in str(error.value)
