"""Pull storms: nodes that fetch and unpack layers from one registry at the same time."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def fair_level(capacity, demand, count):
    """The level of max-min fairness: every node gets min(demand, level).

    Nodes that want less than an equal part get what they want; the rest is divided again. Infinite
    where the capacity is enough for all.

    capacity: float, per second. demand: float64[C] of one node of each class. count: int64[C].
    """
    total = 0.0
    for c in range(demand.shape[0]):
        total += demand[c] * count[c]
    if total <= capacity:
        return np.inf
    left = capacity
    nodes = 0
    for c in range(demand.shape[0]):
        if demand[c] > 0:
            nodes += count[c]
    level = left / nodes
    satisfied = np.zeros(demand.shape[0], np.bool_)
    again = True
    while again:
        again = False
        for c in range(demand.shape[0]):
            if not satisfied[c] and 0 < demand[c] <= level:
                satisfied[c] = True
                left -= demand[c] * count[c]
                nodes -= count[c]
                again = True
        if nodes == 0:
            return np.inf
        level = left / nodes
    return level


@njit(cache=True)
def settle(c, now, size, unpack_s, image, images_at_once, layers_at_once, volume, begun, done,
           fetched_s, ends_at, begins_s, ready_s):  # fmt: skip
    """Begins what a node of class c may fetch now, and ends images that are complete.

    Arrays as in `storm`; of class c, begun, done, ends_at, begins_s and ready_s are changed.
    Returns when its next image begins, infinite if none is known.
    """
    layers, images = size.shape[1], ready_s.shape[1]
    wakes_s = np.inf
    for k in range(images):
        if ready_s[c, k] < np.inf:
            continue
        if begins_s[c, k] > now:
            wakes_s = min(wakes_s, begins_s[c, k])
            continue
        active, missing = 0, 0
        for j in range(layers):
            if image[j] != k or done[c, j] or size[c, j] < 0:
                continue
            missing += 1
            if not begun[c, j] and active < layers_at_once:
                begun[c, j] = True
                ends_at[c, j] = volume[c] + size[c, j]
            if begun[c, j]:
                active += 1
        if missing == 0:
            end = begins_s[c, k]
            for j in range(layers):
                if image[j] == k and size[c, j] >= 0:
                    end = max(end, fetched_s[c, j]) + unpack_s[j]
            ready_s[c, k] = end
            if k + images_at_once < images:
                begins_s[c, k + images_at_once] = end
                wakes_s = min(wakes_s, end)
    return wakes_s


@njit(cache=True)
def storm(start_s, count, size, unpack_s, image, images_at_once, layers_at_once, link, stream,
          registry, downloaded_s, ready_s):  # fmt: skip
    """When each class of equal nodes has every image, downloaded and unpacked.

    A node fetches the layers of an image in order, up to `layers_at_once` of them at a time, and
    unpacks them one after another in order while it fetches on; image k begins when image
    k - images_at_once is unpacked. Streams of a node share its link evenly, none faster than
    `stream`; nodes share the registry by max-min fairness. Exact between events (fluid model):
    `volume` is what one stream of a node has fetched so far, a layer ends at a volume.

    start_s: float64[C], when a class begins. count: int64[C], nodes in it. size: float64[C, L],
    amount to fetch, negative where the layer is there already. unpack_s: float64[L]. image:
    int64[L], image of each layer, from 0, ascending. link, stream, registry: amount per second.
    downloaded_s: float64[C], ready_s: float64[C, I]: overwritten.
    Source: containerd max_concurrent_downloads and unpacks, kubelet serializeImagePulls; the fluid
    model is processor sharing with caps.
    """
    classes, layers = size.shape
    images = ready_s.shape[1]
    done = np.zeros((classes, layers), np.bool_)
    begun = np.zeros((classes, layers), np.bool_)
    ends_at = np.full((classes, layers), np.inf)
    fetched_s = np.zeros((classes, layers))
    begins_s = np.full((classes, images), np.inf)
    volume = np.zeros(classes)
    streams = np.zeros(classes, np.int64)
    next_end = np.full(classes, np.inf)
    wakes_s = np.full(classes, np.inf)
    demand = np.zeros(classes)
    changed = np.ones(classes, np.bool_)
    ready_s[:] = np.inf
    downloaded_s[:] = start_s
    begins_s[:, : min(images_at_once, images)] = start_s.reshape(-1, 1)
    now = 0.0
    while True:
        for c in range(classes):
            if not changed[c]:
                continue
            changed[c] = False
            wakes_s[c] = settle(c, now, size, unpack_s, image, images_at_once, layers_at_once,
                                volume, begun, done, fetched_s, ends_at, begins_s,
                                ready_s)  # fmt: skip
            streams[c] = 0
            next_end[c] = np.inf
            for j in range(layers):
                if begun[c, j] and not done[c, j]:
                    streams[c] += 1
                    next_end[c] = min(next_end[c], ends_at[c, j])
            demand[c] = min(link, streams[c] * stream)
        level = fair_level(registry, demand, count)
        step = np.inf
        for c in range(classes):
            step = min(step, wakes_s[c] - now)
            if streams[c] > 0:
                rate = min(demand[c], level) / streams[c]
                step = min(step, (next_end[c] - volume[c]) / rate)
        if step == np.inf:
            return
        step = max(step, 0.0)
        now += step
        for c in range(classes):
            changed[c] = wakes_s[c] <= now
            if streams[c] == 0:
                continue
            volume[c] += min(demand[c], level) / streams[c] * step
            if volume[c] >= next_end[c] * (1 - 1e-12) - 1e-12:
                volume[c] = next_end[c]
                changed[c] = True
                downloaded_s[c] = now
                for j in range(layers):
                    if begun[c, j] and not done[c, j] and ends_at[c, j] <= next_end[c]:
                        done[c, j] = True
                        fetched_s[c, j] = now


@njit(cache=True)
def storms(start_s, count, missing, size, unpack_s, image, images_at_once, layers_at_once, link,
           stream, registry, ready_s):  # fmt: skip
    """`storm` once for each sample.

    start_s: float64[S, C]. count: int64[C]. missing: bool[C, L], layers that a class fetches. size,
    unpack_s: float64[S, L]. image: int64[L]. link, stream, registry: float64[S]. ready_s:
    float64[S, C], when the last image is ready; overwritten.
    """
    samples, classes = start_s.shape
    layers = image.shape[0]
    images = image[-1] + 1
    amount = np.empty((classes, layers))
    downloaded = np.empty(classes)
    ready = np.empty((classes, images))
    for s in range(samples):
        for c in range(classes):
            for j in range(layers):
                amount[c, j] = size[s, j] if missing[c, j] else -1.0
        storm(start_s[s], count, amount, unpack_s[s], image, images_at_once, layers_at_once,
              link[s], stream[s], registry[s], downloaded, ready)  # fmt: skip
        for c in range(classes):
            last = 0.0
            for k in range(images):
                last = max(last, ready[c, k])
            ready_s[s, c] = last
