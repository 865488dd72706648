"""Slow-downs, and starts of VMs, from the measurements that calibrate; never from test rows.

Each layer has one factor a part of a workload; a benchmark is a mix of parts:

    log slow-down = log sum_p share_p exp(sum_l theta_lp) + noise,   theta_lp ~ prior

The factors are the most probable ones under Student noise (4 degrees of freedom, so that one odd
benchmark moves little), found by Gauss-Newton. The noise of a benchmark has a floor and a part in
proportion to the overhead itself; both are chosen by leaving out one row after the other. The
range of a factor is where four in five further benchmarks should lie.
Model: docs/models/stack.md, "Slow-downs".
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product as pairs

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capsim.data_files import data_path
from capsim.stack.interval import Interval
from capsim.stack.published import (
    Measurement,
    benchmark_mixes,
    device_limit,
    measurements,
    observed,
)
from capsim.stack.slowdowns import FITTED_PARTS

Floats = NDArray[np.float64]

_PRIOR_REACH = 1.645
"""Standard deviations that hold nine in ten: what the ends of a prior mean."""
_DEGREES = 4.0
_STATED, _FITTED = 1.282, 1.533
"""Scales that hold four in five: of a normal distribution, of Student's t with 4 degrees."""
_ROUNDS = 25
_FLOORS = (0.01, 0.015, 0.02, 0.03, 0.05)
_SPREADS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
_START_SPREAD = 2.5
"""Clouds of one time differ by so much either way in starting a VM; a guess."""


@dataclass(frozen=True)
class Prior:
    """What is thought of a factor before measurements."""

    layer: str
    part: str
    log_mean: float
    log_sd: float
    reason: str


@dataclass(frozen=True)
class Fit:
    """Factors in logarithms, their covariance, and the noise that goes with them."""

    theta: Floats
    covariance: Floats
    floor: float
    """Noise of any benchmark, in logarithms."""
    spread: float
    """Noise as a share of the overhead."""
    loss: float
    """Minus the log-likelihood of rows left out one by one."""


@lru_cache(maxsize=1)
def priors() -> tuple[Prior, ...]:
    """The rows of data/platforms/slowdown_priors.csv."""
    with data_path("platforms", "slowdown_priors.csv").open(newline="", encoding="utf-8") as lines:
        return tuple(_prior(row) for row in csv.DictReader(lines))


def _prior(row: dict[str, str]) -> Prior:
    low, high = np.log(float(row["low"])), np.log(float(row["high"]))
    sd = max(float(high - low) / (2 * _PRIOR_REACH), 0.003)
    return Prior(row["layer"], row["part"], float(np.log(float(row["value"]))), sd, row["reason"])


def calibrating(quantity: str) -> tuple[Measurement, ...]:
    """The rows that may be fitted to, of one quantity."""
    return tuple(
        row
        for row in measurements().values()
        if (row.role, row.quantity) == ("calibrate", quantity)
    )


def fit_slowdowns() -> pd.DataFrame:
    """The factors of every layer and part: layer, part, value, low, high, measurements, reason."""
    rows = calibrating("slowdown")
    best = min(
        (_fit(rows, floor, spread) for floor, spread in pairs(_FLOORS, _SPREADS)),
        key=lambda fit: fit.loss,
    )
    counts = (_involved(rows) > 0.02).sum(axis=0)
    return pd.DataFrame([_factor_row(best, at, int(counts[at])) for at in range(len(priors()))])


def _factor_row(fit: Fit, at: int, count: int) -> dict[str, object]:
    prior, theta = priors()[at], fit.theta[at]
    scale = np.sqrt(fit.covariance[at, at] + fit.floor**2 + (fit.spread * theta) ** 2)
    reach = (_FITTED if count else _STATED) * scale
    # A layer adds work: what lies further below 1 than noise reaches is not possible.
    least = max(theta - reach, min(theta, 0.0) - _FITTED * fit.floor)
    told = prior.reason if count == 0 else f"fitted; before: {prior.reason}"
    return {
        "layer": prior.layer,
        "part": prior.part,
        "value": round(float(np.exp(theta)), 4),
        "low": round(float(np.exp(least)), 4),
        "high": round(float(np.exp(theta + reach)), 4),
        "measurements": count,
        "reason": told,
    }


def _fit(rows: Sequence[Measurement], floor: float, spread: float) -> Fit:
    """Gauss-Newton with weights of Student noise; then what each row says of the others' fit."""
    mean = np.array([prior.log_mean for prior in priors()])
    precision = np.array([prior.log_sd**-2 for prior in priors()])
    y = np.log([observed(row) for row in rows])
    theta, weight = mean.copy(), np.ones(len(rows))
    for _ in range(_ROUNDS):
        model, slope = _linearised(rows, theta)
        variance = floor**2 + ((slope * spread * theta) ** 2).sum(axis=1)
        weight = (_DEGREES + 1) / (_DEGREES + (y - model) ** 2 / variance) / variance
        covariance = np.linalg.inv(np.diag(precision) + (slope.T * weight) @ slope)
        pull = slope.T @ (weight * (y - model)) + precision * (mean - theta)
        theta = theta + 0.7 * covariance @ pull
    model, slope = _linearised(rows, theta)
    variance = floor**2 + ((slope * spread * theta) ** 2).sum(axis=1)
    loss = _left_out_loss(y - model, slope, weight, variance, covariance)
    return Fit(theta, covariance, floor, spread, loss)


def _left_out_loss(
    residual: Floats, slope: Floats, weight: Floats, variance: Floats, covariance: Floats
) -> float:
    """Minus the log-likelihood of each row under the fit to the others (hat-matrix shortcut)."""
    known = np.einsum("rp,pq,rq->r", slope, covariance, slope)
    left = 1 - np.minimum(weight * known, 0.999)
    scale2 = variance + known / left
    z2 = (residual / left) ** 2 / scale2
    tail = (_DEGREES + 1) / 2 * np.log1p(z2 / _DEGREES)
    return float((0.5 * np.log(scale2) + tail).sum())


def _linearised(rows: Sequence[Measurement], theta: Floats) -> tuple[Floats, Floats]:
    """Log slow-down of each row, and its slope by each factor."""
    places = {(prior.layer, prior.part): at for at, prior in enumerate(priors())}
    model, slope = np.zeros(len(rows)), np.zeros((len(rows), len(theta)))
    for number, row in enumerate(rows):
        times = np.zeros(len(FITTED_PARTS))
        touched: list[tuple[int, int]] = []
        for k, (part, share) in enumerate(
            zip(FITTED_PARTS, benchmark_mixes()[row.benchmark], strict=True)
        ):
            at = [places[layer, part] for layer in row.layers if (layer, part) in places]
            times[k] = share * np.exp(theta[at].sum())
            touched += [(k, place) for place in at if share]
        total, limit = times.sum(), device_limit(row).value
        model[number] = np.log(max(total, limit))
        if total >= limit:
            for k, place in touched:
                slope[number, place] += times[k] / total
    return model, slope


def _involved(rows: Sequence[Measurement]) -> Floats:
    mean = np.array([prior.log_mean for prior in priors()])
    return _linearised(rows, mean)[1]


def vm_start_time(kind: str) -> Interval:
    """Seconds to start a cloud VM of 2012: geometric mean of what calibrates, and a wide guess."""
    rows = [row for row in calibrating("vm_start") if row.layers == (kind,)]
    middle = float(np.exp(np.mean(np.log([observed(row) for row in rows]))))
    return Interval(middle, middle / _START_SPREAD, middle * _START_SPREAD)
