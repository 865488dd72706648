"""How near the models come to the recorded kernel: `python -m benchmarks.kernel_fidelity`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capsim.contention import fidelity
from capsim.contention.replay import replay_cpu, replay_latency

CASES = Path(__file__).parents[1] / "tests" / "golden" / "kernel" / "dev"
QUANTILES = {"p50_s": 0.10, "p95_s": 0.10, "p99_s": 0.20}
Json = dict[str, Any]


def cases(family: str) -> list[Json]:
    """The recorded cases of a family."""
    content: Json = json.loads((CASES / f"{family}.json").read_text())
    return list(content["cases"])


def cpu_errors() -> pd.DataFrame:
    """The recorded groups beside the model, see `fidelity.cpu_errors`."""
    return fidelity.cpu_errors((case, replay_cpu(case)[0]) for case in cases("cgroup-cpu"))


def latency_errors() -> pd.DataFrame:
    """The recorded response times beside the model, see `fidelity.latency_errors`."""
    replayed = ((case, replay_latency(case)[0]) for case in cases("cgroup-latency"))
    return fidelity.latency_errors(replayed)


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
