"""How near the models come to the recorded kernel: `python -m benchmarks.kernel_fidelity`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capsim.contention.bandwidth import CpuLimit
from capsim.contention.latency import Jobs, replay_jobs
from capsim.contention.replay import replay_cpu, replay_latency

CASES = Path(__file__).parents[1] / "tests" / "golden" / "kernel" / "dev"
QUANTILES = {"p50_s": 0.10, "p95_s": 0.10, "p99_s": 0.20}
_FEW_TICKS_S = 0.06

Json = dict[str, Any]


def cases(family: str) -> list[Json]:
    """The recorded cases of a family."""
    content: Json = json.loads((CASES / f"{family}.json").read_text())
    return list(content["cases"])


def cpu_errors(recorded: list[Json] | None = None) -> pd.DataFrame:
    """One row a group: real and model cores and throttled fraction, errors, the likely reason."""
    rows = []
    for case in recorded or cases("cgroup-cpu"):
        result, seconds = replay_cpu(case)
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
                    "relative": model["rate_cores"] / real["rate_cores"] - 1,
                    "real_throttled": real["throttled_fraction"],
                    "throttled_error": model["throttled_fraction"] - real["throttled_fraction"],
                    "seconds": seconds,
                    "reason": _cpu_reason(case, real, model, real_sum),
                }
            )
    return pd.DataFrame(rows)


def _cpu_reason(case: Json, real: Json, model: Json, real_sum: float) -> str:
    if real["rate_cores"] * case["duration_s"] < _FEW_TICKS_S:
        return "a handful of ticks in all"
    if case["cpus"] == 1 and real_sum < 0.99:
        return f"the machine itself took {1 - real_sum:.1%}"
    if case["cpus"] > 1 and len(case["groups"]) > 1:
        spread = max(real["spread_cores"], model["spread_cores"])
        return f"placement of threads (runs differ by {spread:.3f} cores)"
    return "phase of period and tick"


def latency_errors(recorded: list[Json] | None = None) -> pd.DataFrame:
    """One row a case and measure: real, model, its range over phases, error, likely reason."""
    rows = []
    for case in recorded or cases("cgroup-latency"):
        result, seconds = replay_latency(case)
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
                    "relative": result[name] / real - 1 if real else np.nan,
                    "seconds": seconds,
                    "reason": "moves with the phase of the period"
                    if low <= real <= high
                    else "outside of all phases",
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    """Print how many are within the bounds, and the worst cases with the reason."""
    pd.set_option("display.width", 200)
    pd.set_option("display.max_columns", 20)
    cpu, times = cpu_errors(), latency_errors()
    sharp, placed = cpu[cpu.sharp], cpu[~cpu.sharp]
    print(
        f"One CPU or one group, {len(sharp)} groups: median {sharp.relative.abs().median():.2%}, "
        f"within 3 %: {(sharp.relative.abs() <= 0.03).mean():.1%}"
    )
    print(
        f"Two CPUs, {len(placed)} groups: within 0.05 cores: "
        f"{(placed.error_cores.abs() <= 0.05).mean():.1%}, "
        f"root mean square {np.sqrt((placed.error_cores**2).mean()):.4f} cores"
    )
    close = (cpu.throttled_error.abs() <= 0.05).mean()
    print(f"Throttled fraction within 0.05: {close:.1%} of {len(cpu)} groups")
    for name, bound in QUANTILES.items():
        part = times[times.measure == name]
        share = (part.relative.abs() <= bound).mean()
        print(f"{name} within {bound:.0%}: {share:.1%} of {len(part)} cases")
    part = times[times.measure == "throttled_fraction"]
    print(f"throttled_fraction within 0.05: {(part.error.abs() <= 0.05).mean():.1%}")
    shown = ["case", "group", "threads", "shares", "real_cores", "model_cores", "reason"]
    print("\nWorst on one CPU\n", _worst(sharp, "relative")[shown].to_string(index=False))
    print("\nWorst on two CPUs\n", _worst(placed, "error_cores")[shown].to_string(index=False))
    shown = ["case", "group", "real_throttled", "throttled_error", "reason"]
    print("\nWorst throttling\n", _worst(cpu, "throttled_error")[shown].to_string(index=False))
    shown = ["case", "measure", "real", "model", "low", "high", "reason"]
    print("\nWorst response times\n", _worst(times, "relative")[shown].to_string(index=False))


def _worst(table: pd.DataFrame, column: str) -> pd.DataFrame:
    return table.loc[table[column].abs().sort_values(ascending=False).index].head(8)


if __name__ == "__main__":
    main()
