"""How placing grows with the cluster: `python -m benchmarks.growth` draws docs/images/growth.png.

Every size is measured in a process of its own: seconds of placing (the median of three) and the
peak memory of the process, for pods that look at resources alone and for pods that are spread over
hosts and zones. 30 pods a node, 20 templates. Prints a JSON row a size.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import plotly.graph_objects as go

import capsim as cs
from benchmarks import inputs
from capsim import warm
from capsim.figures import theme

ROOT = Path(__file__).parents[1]
NODES = (500, 1_000, 2_000, 5_000, 10_000, 15_000)
PODS_A_NODE = 30
KINDS = {"resources alone": theme.USED, "spread over hosts and zones": theme.STRANDED}


def measure(nodes: int, kind: str) -> dict[str, float | int | str]:
    """Seconds and memory of placing one cluster."""
    warm.placing()
    spread = kind != "resources alone"
    topology = cs.compile_scenario(inputs.synthetic(nodes, nodes * PODS_A_NODE, spread=spread))
    seconds = statistics.median(cs.place(topology).seconds for _ in range(3))
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pods = nodes * PODS_A_NODE
    return {
        "kind": kind,
        "nodes": nodes,
        "pods": pods,
        "seconds": seconds,
        "us_per_pod": 1e6 * seconds / pods,
        "peak_memory_mib": peak_mib,
    }


def in_a_process(nodes: int, kind: str) -> dict[str, float | int | str]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.growth", str(nodes), kind]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    row: dict[str, float | int | str] = json.loads(done.stdout.splitlines()[-1])
    return row


def picture(rows: list[dict[str, float | int | str]]) -> go.Figure:
    """Seconds against pods, both on logarithmic axes."""
    figure = theme.blank()
    for kind, colour in KINDS.items():
        mine = [row for row in rows if row["kind"] == kind]
        figure.add_scatter(
            x=[row["pods"] for row in mine],
            y=[row["seconds"] for row in mine],
            mode="lines+markers+text",
            text=[""] * (len(mine) - 1) + [f"  {kind}"],
            textposition="middle right",
            textfont={"color": colour, "size": 15},
            line={"color": colour, "width": 3},
            marker={"size": 9},
            cliponaxis=False,
            showlegend=False,
        )
    figure.update_xaxes(
        type="log",
        title_text="Pods placed (30 a node, 20 templates)",
        tickvals=[nodes * PODS_A_NODE for nodes in NODES],
        tickformat=",",
    )
    figure.update_yaxes(
        type="log",
        title_text="Time to place them all (s)",
        tickvals=[0.01, 0.03, 0.1, 0.3, 1, 3, 10],
        tickformat="~g",
    )
    last = rows[len(rows) // 2 - 1]
    figure.update_layout(margin={"r": 240})
    return theme.finish(
        figure,
        f"{last['pods']:,} pods on {last['nodes']:,} nodes are placed in {last['seconds']:.1f} s",
        "Seconds of placing, measured on two cores",
        "python -m benchmarks.growth",
        (),
    )


def main() -> None:
    """Measure every size and draw."""
    rows = [in_a_process(nodes, kind) for kind in KINDS for nodes in NODES]
    for row in rows:
        print(json.dumps(row))
    cs.export.save_image(picture(rows), ROOT / "docs" / "images" / "growth.png", scale=1.5)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))
    else:
        main()
