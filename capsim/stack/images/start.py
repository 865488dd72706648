"""From `docker build`, or from a scale decision, to the first answer: step by step, with chance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from capsim.errors import ModelError, nearest
from capsim.readers.deployment import Deployed, ReadinessProbe, ServiceType, read_deployment
from capsim.scenario import Assumption
from capsim.stack.images import _kernels
from capsim.stack.images.draws import Samples, drawn
from capsim.stack.images.parameters import of_images, start
from capsim.stack.images.platforms import (
    APPLICATION,
    MONITORS,
    PLATFORMS,
    PULL,
    Monitor,
    Platform,
    Way,
    application,
    boot_time,
    rate,
    way,
)
from capsim.stack.images.registry import CACHES, Cache, Links, columns
from capsim.stack.images.result import Change, Image
from capsim.stack.images.timeline import Begin, Starts, StartUp, Timed
from capsim.stack.interval import Interval

SAMPLES = 2000
_MOST_CELLS = 4_000_000
_SERVICES: tuple[ServiceType, ...] = ("none", "ClusterIP", "NodePort", "LoadBalancer")


def start_up(
    image: Image,
    *,
    platform: Platform = "pod",
    replicas: int = 1,
    service: ServiceType = "none",
    deployment: str | Path | Deployed | None = None,
    begin: Begin = "build",
    changed: Change = "everything",
    cache: Cache = "cold",
    nodes: int | None = None,
    links: Links | None = None,
    lazy: bool = False,
    monitor: Monitor = "firecracker",
    probe: ReadinessProbe | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
) -> StartUp:
    """How long from `docker build`, or from a scale decision, until the service answers.

    Each step is drawn from its range, the steps of each replica one after another, the load
    balancer beside them; the answer is a distribution. Pulls of several nodes share the registry.

    Parameters: image; platform; replicas; service in front; deployment, a file with replicas,
    service and readiness probe instead; begin with the build or with the decision to scale;
    changed, what a build does anew; cache, what nodes have; nodes that the replicas are on (each on
    its own); links, fixed rates instead of their ranges; lazy, pull while running (SOCI, stargz);
    monitor of microVMs; probe of readiness; samples; seed.
    Returns: StartUp, with .table (steps), .summary() (p50, p95, p99), .explain(step).
    Raises: ModelError for what is not known, or numbers out of range.
    Model: docs/models/images_and_starts.md, "Starts".

    >>> cs.start_up(cs.image("Dockerfile"), replicas=3, service="LoadBalancer").summary()
    """
    if deployment is not None:
        found = deployment if isinstance(deployment, Deployed) else read_deployment(deployment)
        replicas, service, probe = found.replicas, found.service, found.probe
    own = way(platform)
    _check(replicas, samples, nodes, service=service, begin=begin, cache=cache, monitor=monitor)
    samples = max(100, min(samples, _MOST_CELLS // replicas))
    run = _Run(np.random.default_rng(seed), samples, replicas)
    decided = _build(run, image, changed) if begin == "build" else np.zeros(samples)
    state: Cache = "cold" if own.always_cold else cache
    pulled = _pull(run, image, own, state, nodes or replicas, links, lazy) if own.pulls else None
    running, app = _unit(run, image, own, platform, decided, pulled, monitor)
    ready = _ready(run, own, running, app, probe)
    answers = np.maximum(ready, app).min(axis=1)
    if service == "LoadBalancer":
        answers = _balanced(run, begin, platform, decided, answers)
    return StartUp(
        image=image.name,
        platform=platform,
        replicas=replicas,
        service=service,
        begin=begin,
        steps=tuple(run.steps),
        one_s=np.maximum(ready, app) - decided[:, None],
        first_s=answers,
        all_s=np.maximum(ready, app).max(axis=1),
        assumptions=_assumptions(run, image, platform),
    )


def _check(replicas: int, samples: int, nodes: int | None, **chosen: str) -> None:
    for words, number in (("replicas", replicas), ("samples", samples), ("nodes", nodes or 1)):
        if not 1 <= number <= 100_000:
            raise ModelError(f"{number} {words}, expected 1 to 100,000.")
    known: dict[str, Sequence[str]] = {
        "service": _SERVICES,
        "begin": ("build", "scale"),
        "cache": CACHES,
        "monitor": MONITORS,
    }
    for words, value in chosen.items():
        if value not in known[words]:
            raise ModelError(f"no {words} {value!r}{nearest(value, known[words])}.")


class _Run:
    """The draws of one question, and the steps as they are timed."""

    def __init__(self, rng: np.random.Generator, samples: int, replicas: int) -> None:
        self.rng, self.samples, self.replicas = rng, samples, replicas
        self.steps: list[Timed] = []

    def shared(self, span: Interval) -> Samples:
        """[samples] one draw for all replicas."""
        return drawn(span, self.rng.standard_normal(self.samples))

    def each(self, span: Interval) -> Samples:
        """[samples, replicas] one draw a replica."""
        return drawn(span, self.rng.standard_normal((self.samples, self.replicas)))

    def step(
        self, phase: str, name: str, begin: Samples, took: Samples, source: str | Assumption
    ) -> Samples:
        """Notes a step and returns its end."""
        end: Samples = begin + took
        stated = source if isinstance(source, Assumption) else None
        told = source if isinstance(source, str) else source.source
        self.steps.append(Timed(name, phase, begin, end, told, stated))
        return end


def _build(run: _Run, image: Image, changed: Change) -> Samples:
    """Docker build, export, push, kubectl apply; the end is the decision to start."""
    at = np.zeros(run.samples)
    built = image.build_s(changed)
    at = run.step(
        "build", "build steps", at, run.shared(built), f"{len(image.steps)} steps, summed"
    )
    exported = image.exported_mb(changed) / of_images("push", "gzip rate").figure
    packing = of_images("push", "gzip rate").assumption
    at = run.step("build", "compress layers", at, run.shared(exported), packing)
    sent = image.pushed_mb(changed) / of_images("push", "push bandwidth").figure
    sent += of_images("push", "request").figure
    at = run.step(
        "push", "push", at, run.shared(sent), of_images("push", "push bandwidth").assumption
    )
    client = of_images("apply", "client")
    return run.step("deploy", "apply", at, run.shared(client.figure), client.assumption)


def _pull(
    run: _Run,
    image: Image,
    own: Way,
    cache: Cache,
    nodes: int,
    links: Links | None,
    lazy: bool,
) -> Samples:
    """[samples] until one of so many equal nodes has the image, from when they begin together."""
    if not image.layers or cache == "warm":
        return np.zeros(run.samples)
    layers, owner = columns([image])
    missing = np.array([[cache == "cold" or not layer.of_base for layer in layers]])
    size = np.column_stack([run.shared(layer.compressed_mb) for layer in layers])
    # Unpacked and compressed bytes of a layer err the same way.
    unpacked = size * [
        layer.unpacked_mb.value / (layer.compressed_mb.value or 1) for layer in layers
    ]
    rates = _rates(run, own, links)
    if lazy:
        read = run.shared(of_images("lazy", "read at start").figure)[:, None]
        size, unpacked = size * read, unpacked * read
    ready = np.empty((run.samples, 1))
    fixed = links or Links()
    _kernels.storms(
        np.where(missing.any(), rates["request"], 0.0)[:, None],
        np.array([nodes], np.int64),
        missing,
        size,
        np.where(missing, unpacked, 0.0) / rates["unpack rate"][:, None],
        owner,
        fixed.images_at_once,
        fixed.layers_at_once,
        rates["node bandwidth"],
        rates["stream bandwidth"],
        rates["registry bandwidth"],
        ready,
    )
    return ready[:, 0]


def _rates(run: _Run, own: Way, links: Links | None) -> dict[str, Samples]:
    names = ("node bandwidth", "stream bandwidth", "registry bandwidth", "unpack rate", "request")
    if links is None:
        return {name: run.shared(rate(own.rates, name).figure) for name in names}
    fixed = (
        links.node_mb_s,
        links.stream_mb_s,
        links.registry_mb_s,
        links.unpack_mb_s,
        links.request_s,
    )
    return {name: np.full(run.samples, value) for name, value in zip(names, fixed, strict=True)}


def _unit(
    run: _Run,
    image: Image,
    own: Way,
    platform: Platform,
    decided: Samples,
    pulled: Samples | None,
    monitor: Monitor,
) -> tuple[Samples, Samples]:
    """When the unit runs and when its application answers, [samples, replicas]."""
    at = np.repeat(decided[:, None], run.replicas, axis=1)
    for leg in own.legs:
        if leg.name == PULL:
            took = np.zeros(run.samples) if pulled is None else pulled
            told = f"{image.compressed_mb.value:.3g} MB; see rates of pulling"
            at = run.step("start", PULL, at, np.repeat(took[:, None], run.replicas, axis=1), told)
        elif leg.parameter is None:
            span = boot_time(monitor, at_once=run.replicas)
            at = run.step("start", leg.name, at, run.each(span), start(monitor, "boot").assumption)
        else:
            stated = leg.parameter.assumption
            at = run.step("start", leg.name, at, run.each(leg.parameter.figure), stated)
    own_start = application(image.runtime, platform)
    return at, run.step("start", APPLICATION, at, run.each(own_start.figure), own_start.assumption)


def _ready(
    run: _Run, own: Way, running: Samples, app: Samples, probe: ReadinessProbe | None
) -> Samples:
    """When traffic may arrive: after the probe's first success, or as soon as the unit runs."""
    if not own.ready:
        return app
    at = running
    if probe is not None:
        late = np.maximum(app - running - probe.initial_delay_s, 0)
        asked = probe.initial_delay_s + np.ceil(late / probe.period_s) * probe.period_s
        said = f"readiness probe every {probe.period_s:g} s after {probe.initial_delay_s:g} s"
        end = run.step("ready", "readiness probe", app, running + asked - app, said)
        at = end
    for leg in own.ready:
        assert leg.parameter is not None
        at = run.step(
            "ready", leg.name, at, run.each(leg.parameter.figure), leg.parameter.assumption
        )
    return at


def _balanced(
    run: _Run, begin: Begin, platform: Platform, decided: Samples, answers: Samples
) -> Samples:
    """A new balancer is made beside the units; it answers once its checks have passed."""
    if begin == "build":
        made = start("pod", "balancer")
        there = run.step(
            "balancer", "load balancer", decided, run.shared(made.figure), made.assumption
        )
        answers = np.maximum(answers, there)
    elif platform.startswith("pod"):
        return answers
    checks = start("pod", "health checks")
    return run.step(
        "balancer", "health checks", answers, run.shared(checks.figure), checks.assumption
    )


_TOGETHER = Assumption(
    name="start",
    value="steps vary independently; rates and sizes are drawn once for all replicas; nodes begin "
    "their pull together; each step is lognormal with its range as 5th and 95th percentile",
    source="definition of capsim.start_up",
)


def _assumptions(run: _Run, image: Image, platform: Platform) -> tuple[Assumption, ...]:
    own = way(platform)
    names = ("node bandwidth", "stream bandwidth", "registry bandwidth", "unpack rate", "request")
    rates = [rate(own.rates, name).assumption for name in names] if own.pulls else []
    steps = [step.assumption for step in run.steps if step.assumption is not None]
    return tuple(dict.fromkeys((*image.assumptions, *steps, *rates, _TOGETHER)))


def compare_starts(
    image: Image,
    platforms: Sequence[Platform] = PLATFORMS,
    *,
    cache: Cache = "cold",
    samples: int = SAMPLES,
    seed: int = 0,
) -> Starts:
    """One more replica on each platform: seconds from the scale decision until it is ready.

    Parameters: image; platforms; cache, what nodes have; samples; seed.
    Returns: Starts, with .table.

    >>> cs.compare_starts(cs.image("Dockerfile")).summary()
    """
    return Starts(
        tuple(
            start_up(image, platform=each, begin="scale", cache=cache, samples=samples, seed=seed)
            for each in platforms
        )
    )
