"""What the models of images and starts say of published measurements, by the measurement's id.

Each entry gives a Interval in the unit of the measurement. `CALIBRATED` names those that parameters
were taken from: they agree by construction and prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from capsim.stack.images.bases import images
from capsim.stack.images.draws import Samples
from capsim.stack.images.estimate import sized_image
from capsim.stack.images.parameters import start
from capsim.stack.images.platforms import PULL, Monitor, boot_range
from capsim.stack.images.start import start_up
from capsim.stack.images.timeline import StartUp
from capsim.stack.interval import Interval, as_interval

_PHP_MB, _PHP_LAYERS = 413.0, 15
_SLO_SAMPLES = 20_000


def predicted(measurement: str) -> Interval:
    """What the model says of a measurement, in the measurement's unit.

    >>> round(predicted("fc-boot-parallel-50-chv-p50").value)
    131
    """
    return PREDICTIONS[measurement]()


def _boot_ms(monitor: Monitor, percentile: str, at_once: int) -> Interval:
    chosen: dict[str, Interval] = {
        "p50": boot_range(monitor, "p50", at_once=at_once),
        "p99": boot_range(monitor, "p99", at_once=at_once),
    }
    return chosen[percentile] * 1000


def _percentiles(samples: Samples) -> Interval:
    low, middle, high = np.percentile(samples, [5, 50, 95])
    return Interval(float(middle), float(low), float(high))


def _until(run: StartUp, step: str) -> Samples:
    return next(each.end_s for each in run.steps if each.name == step)


def _took(run: StartUp, step: str) -> Samples:
    return next(each.took_s for each in run.steps if each.name == step)


def _pod_p99_s() -> Interval:
    """p99 of a pod whose image is there; the range is a tenth either way, of the draws alone."""
    run = start_up(sized_image(50), begin="scale", cache="warm", samples=_SLO_SAMPLES)
    return as_interval(float(np.percentile(_until(run, "report"), 99))) * Interval(1, 0.9, 1.1)


def _fargate_s(*, lazy: bool = False) -> Samples:
    image = sized_image(_PHP_MB, layers=_PHP_LAYERS)
    return _until(start_up(image, platform="fargate", begin="scale", lazy=lazy), "start")


def _container(size_mb: float, *, lazy: bool = False) -> StartUp:
    image = sized_image(size_mb, layers=_PHP_LAYERS, runtime="server")
    return start_up(image, platform="container", begin="scale", lazy=lazy, samples=500)


def _pull_share_percent() -> Interval:
    """Over the official images of the catalogue, as HelloBench is made of such images."""
    runs = [_container(size) for size in images()["compressed_size_mb"].tolist()]
    return _percentiles(np.array([np.median(_took(run, PULL) / run.one_s) for run in runs])) * 100


def _lazy_speedup() -> Interval:
    sizes = images()["compressed_size_mb"].tolist()
    ratios = [
        np.median(_container(size).one_s) / np.median(_container(size, lazy=True).one_s)
        for size in sizes
    ]
    return _percentiles(np.array(ratios))


def _lazy_pull_s() -> Interval:
    """A pull of 20 s, fetched lazily: what is read before the start, and the request."""
    size = 500.0
    plain, lazy = (_container(size, lazy=each) for each in (False, True))
    return _percentiles(_took(lazy, PULL) / _took(plain, PULL)) * 20


def _lambda_ms(runtime: str) -> Interval:
    return start(f"lambda/{runtime}", "init").figure * 1000


def _docker_ms() -> Interval:
    return start("container", "run").figure * 1000


_BOOTS: dict[str, tuple[Monitor, int]] = {
    "fc-boot-serial-fc-api": ("firecracker", 1),
    "fc-boot-serial-chv": ("cloud-hypervisor", 1),
    "fc-boot-serial-qboot": ("qemu-qboot", 1),
    "fc-boot-serial-qemu": ("qemu", 1),
    "fc-boot-parallel-50-fc-api": ("firecracker", 50),
    "fc-boot-parallel-100-fc-api": ("firecracker", 100),
    "fc-boot-parallel-50-chv": ("cloud-hypervisor", 50),
    "fc-boot-parallel-100-chv": ("cloud-hypervisor", 100),
    "fc-boot-parallel-50-qemu": ("qemu-qboot", 50),
    "fc-boot-parallel-100-qemu": ("qemu-qboot", 100),
}
PREDICTIONS: dict[str, Callable[[], Interval]] = {
    **{
        f"{name}-{percentile}": partial(_boot_ms, monitor, percentile, at_once)
        for name, (monitor, at_once) in _BOOTS.items()
        for percentile in ("p50", "p99")
    },
    "fc-boot-preconfigured-p50": lambda: start("firecracker", "boot preconfigured").figure * 1000,
    "k8s-pod-slo": _pod_p99_s,
    "fargate-soci-none": lambda: _percentiles(_fargate_s()),
    "slacker-pull-share": _pull_share_percent,
    "slacker-deploy": _lazy_speedup,
    "nydus-aliyun": _lazy_pull_s,
    "gvisor-startup-runc": _docker_ms,
    "gvisor-startup-runsc": _docker_ms,
    "lambda-init-python3.13": partial(_lambda_ms, "python"),
    "lambda-init-nodejs24.x": partial(_lambda_ms, "node"),
    "lambda-init-java21": partial(_lambda_ms, "java"),
    "lambda-init-dotnet10": partial(_lambda_ms, "dotnet"),
    "lambda-init-rust": partial(_lambda_ms, "go"),
}
CALIBRATED = frozenset(
    name
    for name in PREDICTIONS
    if name.startswith(("fc-boot-serial", "fc-boot-pre", "lambda-init"))
    or ("parallel" in name and "fc-api" in name)
    or name in ("fargate-soci-none", "gvisor-startup-runc")
)
