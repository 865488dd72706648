"""How near the models come to a recorded kernel, case by case and in a short table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from capsim.contention.bandwidth import CpuLimit
from capsim.contention.latency import Jobs, replay_jobs

_FEW_TICKS_S = 0.06

Json = dict[str, Any]
#: A recorded case, and what `replay_cpu` or `replay_latency` made of it.
Replayed = tuple[Json, Json]


def cpu_errors(replayed: Iterable[Replayed]) -> pd.DataFrame:
    """One row a group: real and model cores and throttled fraction, errors, the likely reason.

    `sharp` marks what one can foretell exactly: groups on one CPU, or alone on the machine.
    """
    rows = []
    for case, result in replayed:
        real_sum = sum(group["rate_cores"] for group in case["expected"]["groups"])
        pairs = zip(case["groups"], case["expected"]["groups"], result["groups"], strict=True)
        for at, (group, real, model) in enumerate(pairs):
            rows.append(
                {
                    "case": case["id"],
                    "cpus": case["cpus"],
                    "sharp": case["cpus"] == 1 or len(case["groups"]) == 1,
                    "group": at,
                    "threads": group["threads"],
                    "shares": group["shares"],
                    "real_cores": real["rate_cores"],
                    "model_cores": model["rate_cores"],
                    "error_cores": model["rate_cores"] - real["rate_cores"],
                    "relative": _relative(model["rate_cores"], real["rate_cores"]),
                    "real_throttled": real["throttled_fraction"],
                    "throttled_error": model["throttled_fraction"] - real["throttled_fraction"],
                    "reason": _cpu_reason(case, real, model, real_sum),
                }
            )
    return pd.DataFrame(rows)


def _relative(model: float, real: float) -> float:
    return model / real - 1 if real else np.nan


def _cpu_reason(case: Json, real: Json, model: Json, real_sum: float) -> str:
    if real["rate_cores"] * case["duration_s"] < _FEW_TICKS_S:
        return "a handful of ticks in all"
    if case["cpus"] == 1 and real_sum < 0.99:
        return f"the machine itself took {1 - real_sum:.1%}"
    if case["cpus"] > 1 and len(case["groups"]) > 1:
        spread = max(real["spread_cores"], model["spread_cores"])
        return f"placement of threads (runs differ by {spread:.3f} cores)"
    return "phase of period and tick"


def latency_errors(replayed: Iterable[Replayed]) -> pd.DataFrame:
    """One row a case and measure: real, model, its range over phases, error, likely reason."""
    rows = []
    for case, result in replayed:
        jobs = Jobs(np.array(case["arrival_s"]), np.array(case["service_s"]))
        limit = CpuLimit(case["quota_s"], case["period_s"], case["burst_s"])
        phases = replay_jobs(limit, jobs, workers=case["workers"])
        for name, real in case["expected"].items():
            low, high = float(phases[name].min()), float(phases[name].max())
            rows.append(
                {
                    "case": case["id"],
                    "measure": name,
                    "real": real,
                    "model": result[name],
                    "low": low,
                    "high": high,
                    "error": result[name] - real,
                    "relative": _relative(result[name], real),
                    "reason": "moves with the phase of the period"
                    if low <= real <= high
                    else "outside of all phases",
                }
            )
    return pd.DataFrame(rows)


def cpu_verdict(replayed: Sequence[Replayed]) -> str:
    """How far shares and throttling are off, in a table of three lines."""
    errors = cpu_errors(replayed)
    sharp, placed = errors[errors["sharp"]], errors[~errors["sharp"]]
    groups = f"{len(replayed):,} cases, {len(errors):,} groups"
    return _table(
        f"{groups}: how far the model is off what the kernel did",
        (
            (f"cores, one CPU or one group ({len(sharp)})", sharp, "relative", "%"),
            (f"cores, groups on several CPUs ({len(placed)})", placed, "error_cores", "cores"),
            (f"throttled fraction ({len(errors)})", errors, "throttled_error", ""),
        ),
    )


def latency_verdict(replayed: Sequence[Replayed]) -> str:
    """How far response times are off, in a table of a line each."""
    errors = latency_errors(replayed)
    by_measure = [
        (f"{name} response time", errors[errors["measure"] == f"{name}_s"], "relative", "%")
        for name in ("p50", "p95", "p99")
    ]
    throttled = errors[errors["measure"] == "throttled_fraction"]
    return _table(
        f"{len(replayed):,} cases: how far the model is off what the kernel did",
        (*by_measure, ("throttled fraction", throttled, "error", "")),
    )


def _table(title: str, lines: Iterable[tuple[str, pd.DataFrame, str, str]]) -> str:
    told = [title, f"{'':42}{'median':>12}{'worst':>12}  worst case"]
    for name, part, column, unit in lines:
        off = part[column].abs().fillna(0.0)
        if len(off):
            case, reason = part[["case", "reason"]].to_numpy()[int(off.argmax())]
            numbers = f"{_number(off.median(), unit):>12}{_number(off.max(), unit):>12}"
            told.append(f"{name:42}{numbers}  {case}: {reason}")
    return "\n".join(told)


def _number(value: float, unit: str) -> str:
    return f"{value:.2%}".replace("%", " %") if unit == "%" else f"{value:.3f} {unit}".strip()


__all__ = ["cpu_errors", "cpu_verdict", "latency_errors", "latency_verdict"]
