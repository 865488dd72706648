"""The main job, headless: inputs to a plan with tables, figures and a deck."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from capsim import warm
from capsim.errors import CapsimError, ModelError
from capsim.placement import Placement, place, size_cluster, stranded
from capsim.placement.headroom import Headroom, headroom
from capsim.placement.packing import compare_packers
from capsim.placement.shapes import commonest_machine
from capsim.placement.stranded import Stranded
from capsim.placement.tables import resources_told, shown_unit
from capsim.readers import read
from capsim.scenario import PODS, SchedulerProfile, ShapePoint, Template
from capsim.topology import Topology, compile_scenario

Step = Callable[[str], None]
#: Names of the command line to those of Kubernetes.
STRATEGIES = {
    "least-allocated": "LeastAllocated",
    "most-allocated": "MostAllocated",
    "requested-to-capacity-ratio": "RequestedToCapacityRatio",
}
#: The curve that the documentation of kube-scheduler gives for bin packing.
_PACKING_CURVE = (ShapePoint(utilization=0, score=0), ShapePoint(utilization=100, score=10))
_SHOWN_SHAPES = 3
#: Tables that say something where no units were given.
_OF_MACHINES_ALONE = ("nodes", "headroom", "assumptions")
_EXAMPLE_SIZE = "1 core, 4 GiB"
_EXAMPLE = {
    "example pod": Template.model_validate(
        {"containers": [{"requests": {"cpu": "1", "memory": "4Gi"}}]}
    )
}
_SHOWN_REMARKS = 4
_LINE = 100


def _silent(words: str) -> None:
    return None


@dataclass(frozen=True, eq=False)
class Report:
    """A placement, and the questions that a planner asks of it."""

    plan: Placement

    @cached_property
    def stranded(self) -> Stranded:
        """Free capacity that the scenario's own units cannot use."""
        return stranded(self.plan)

    @cached_property
    def headroom(self) -> Headroom:
        """How many more units of each frequent shape fit; without units, of an example's."""
        return headroom(self.plan, None if self.plan.scenario.units else _EXAMPLE)

    @cached_property
    def packers(self) -> pd.DataFrame:
        """Machines of the commonest shape that each packer needs for all units."""
        machine = commonest_machine(self.plan.topology)
        table = compare_packers(self.plan.topology, machine)
        table.insert(0, "machine", machine.shape)
        return table

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by file name."""
        return {
            "units": self.plan.table,
            "nodes": self.plan.nodes,
            "pending": self.plan.pending,
            "reasons": self.plan.reasons,
            "stranded": self.stranded.table,
            "headroom": self.headroom.table,
            "packers": self.packers,
            "assumptions": pd.DataFrame(
                [each.model_dump() for each in self.plan.assumptions],
                columns=["name", "value", "source", "low", "high"],
            ),
        }


def make(
    inputs: Sequence[str | Path],
    *,
    strategy: str | None = None,
    headroom: float = 0.0,
    overcommit_cpu: float = 1.0,
    overcommit_memory: float = 1.0,
    step: Step = _silent,
) -> Report:
    """Read, size a cluster where none is given, and place.

    Raises: CapsimError in plain words for anything wrong with the inputs.
    """
    step("reading")
    scenario = read(*inputs)
    if not scenario.nodes:
        step("sizing a cluster")
        scenario = size_cluster(scenario)
    step("compiling kernels (first run only)")
    warm.placing()
    step("placing")
    plan = place(
        compile_scenario(scenario),
        profile=_profile(scenario.profile, strategy),
        headroom=headroom,
        overcommit_cpu=overcommit_cpu,
        overcommit_memory=overcommit_memory,
    )
    return Report(plan)


def _profile(stated: SchedulerProfile, strategy: str | None) -> SchedulerProfile:
    if strategy is None:
        return stated
    name = STRATEGIES[strategy]
    shape = stated.shape or (_PACKING_CURVE if name == "RequestedToCapacityRatio" else ())
    fields = {field: getattr(stated, field) for field in SchedulerProfile.model_fields}
    return SchedulerProfile(**{**fields, "strategy": name, "shape": shape})


def write(report: Report, folder: Path, *, step: Step = _silent) -> tuple[Path, ...]:
    """Write tables (CSV, Parquet), figures (HTML) and the deck; all of it or nothing.

    Files of the same name are replaced, others in the folder are left alone.
    Raises: ModelError if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".capsim-") as draft:
            _write_all(report, Path(draft), step)
            made = sorted(Path(draft).iterdir())
            for file in made:
                shutil.move(file, folder / file.name)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written ({error.strerror or error}).") from None
    return tuple(folder / file.name for file in made)


def _write_all(report: Report, folder: Path, step: Step) -> None:
    from capsim import export, figures

    step("tables")
    for name, table in report.tables.items():
        if not (report.plan.scenario.units or name in _OF_MACHINES_ALONE):
            continue
        table.to_csv(folder / f"{name}.csv", index=False)
        table.to_parquet(folder / f"{name}.parquet", index=False)
    summary = json.dumps(plain(report, ()), indent=2)
    (folder / "summary.json").write_text(summary + "\n", encoding="utf-8")
    step("figures")
    if report.plan.scenario.units:
        made = figures.all_figures(report.plan, packings=report.packers)
    else:
        graph = figures.cluster_graph(report.plan)
        made = {"cluster_graph": graph, "headroom": figures.headroom(report.headroom)}
    title = f"Capacity plan: {report.plan.scenario.name}"
    export.save_html(made.values(), folder / "figures.html", title=title)
    step("deck")
    export.deck(
        list(made.values()),
        title=title,
        subtitle=headline(report.plan),
        numbers=_key_numbers(report.plan),
        assumptions=report.plan.assumptions,
    ).save(folder / "deck.pptx")


def _key_numbers(plan: Placement) -> dict[str, str]:
    """What the title slide shows: name to text."""
    numbers = plan.summary()
    shares = {
        f"{shown_unit(resource)[0].replace('_', ' ')} requested": (
            f"{numbers[f'requested_{shown_unit(resource)[0]}_share']:.0%}"
        )
        for resource in plan.resources_shown()
        if resource != PODS
    }
    counts = {
        "nodes": f"{int(numbers['nodes']):,}",
        f"{_kind(plan)} placed": f"{int(numbers['placed_units']):,}",
        f"{_kind(plan)} waiting": f"{int(numbers['waiting_units']):,}",
    }
    return {**counts, **shares}


def headline(plan: Placement) -> str:
    """The plan in one sentence."""
    numbers = plan.summary()
    nodes = int(numbers["nodes"])
    if not plan.scenario.units:
        told = f"{nodes:,} nodes" if nodes != 1 else "1 node"
        return f"{told}, and no workloads were given to place there."
    units, placed = int(numbers["units"]), int(numbers["placed_units"])
    fits = "all fit" if placed == units else f"{placed:,} fit, {units - placed:,} wait"
    on = f"{nodes:,} node{'' if nodes == 1 else 's'}"
    return f"{units:,} {_kind(plan)} on {on}: {fits}."


def _kind(plan: Placement) -> str:
    kinds = {template.kind for template in plan.scenario.templates.values()}
    if len(kinds) > 1:
        return "units"
    return {"pod": "pods", "vm": "VMs", "container": "containers"}[kinds.pop() if kinds else "pod"]


def text(report: Report, files: Sequence[Path]) -> str:
    """The summary, for one screen."""
    plan = report.plan
    lines = [headline(plan), f"Placed by {plan.method}, in {plan.seconds:.2f} s.", ""]
    lines += _resources(plan)
    lines += [""]
    lines += _answers(report) if plan.scenario.units else _example(report)
    remarks = [*plan.scenario.remarks]
    lines += [f"Note: {_clip(remark)}" for remark in remarks[:_SHOWN_REMARKS]]
    if len(remarks) > _SHOWN_REMARKS:
        lines.append(f"Note: {len(remarks) - _SHOWN_REMARKS} more in summary.json (--out).")
    if files:
        lines += [
            "",
            f"Wrote {len(files)} files to {files[0].parent}: deck.pptx, figures.html, ...",
        ]
    return "\n".join(lines)


def _answers(report: Report) -> list[str]:
    """What is stranded, what waits, what fits, and which machines would do."""
    return [
        report.stranded.headline(),
        *_waiting(report.plan),
        *_room(report),
        *_machines(report),
    ]


def _example(report: Report) -> list[str]:
    """For machines alone: what they would hold of a stated size."""
    fits = int(report.headroom.fits.sum())
    return [
        f"They would hold {fits:,} pods of {_EXAMPLE_SIZE} each, an example: give workloads "
        "(a dump, manifests or a CSV, see docs/how-to/inputs.md) for an answer about yours."
    ]


def _clip(sentence: str) -> str:
    limit = 3 * _LINE
    return sentence if len(sentence) <= limit else sentence[: limit - 3] + "..."


def _resources(plan: Placement) -> list[str]:
    numbers = plan.summary()
    lines = [f"{'':24}{'requested':>14}{'allocatable':>14}{'':>9}"]
    for resource in resources_told(plan):
        name, unit, _ = shown_unit(resource)
        label = f"{resource if '/' in resource and name not in ('gpu',) else name} ({unit})"
        label = label.replace("(gib)", "(GiB)").replace(" (count)", "")
        asked, offered = numbers[f"requested_{name}_{unit}"], numbers[f"allocatable_{name}_{unit}"]
        share = numbers[f"requested_{name}_share"]
        lines.append(f"{label:24}{asked:>14,.0f}{offered:>14,.0f}{share:>9.1%}")
    return lines


def _waiting(plan: Placement) -> list[str]:
    if len(plan.waiting) == 0:
        return []
    return [
        "Waiting:",
        *(
            f"  {units:,} for {reason}{_also(plan, reason)} (such as {example})"
            for reason, units, _, example, _ in plan.reasons.head(_SHOWN_SHAPES).to_numpy().tolist()
        ),
    ]


def _also(plan: Placement, reason: str) -> str:
    """What else refuses the units that wait for a reason, on some nodes; the most frequent."""
    units: Counter[str] = Counter()
    for refusal in plan.refusals:
        if refusal.main == reason:
            others = [name for name in refusal.nodes if not reason.startswith(name)]
            units.update(dict.fromkeys(others, len(refusal.units)))
    if not units:
        return ""
    name, number = units.most_common(1)[0]
    total = sum(len(refusal.units) for refusal in plan.refusals if refusal.main == reason)
    some = "" if number == total else f"{number:,} of them "
    return f", on other nodes {some}for {name}"


def _room(report: Report) -> list[str]:
    table = report.headroom.table.head(_SHOWN_SHAPES)
    if table.empty:
        return []
    fits = "; ".join(
        f"{row.fits:,} x {row.shape} (then: {row.limiting_resource})" for row in table.itertuples()
    )
    return [f"Room for, each alone, until something runs out: {fits}."]


def _machines(report: Report) -> list[str]:
    try:
        packers = report.packers
    except CapsimError as error:
        return [f"Machines needed: {error}"]
    best = packers.sort_values("machines", kind="stable").iloc[0]
    machines, units, left = (int(best[n]) for n in ("machines", "units", "unplaceable_units"))
    how = f"{best['algorithm']}; no packing does with fewer than {int(best['lower_bound']):,}"
    if not left:
        return [f"On machines of {best['machine']} alone {machines:,} would do ({how})."]
    from capsim.figures.packers import holding

    return [f"On machines of {best['machine']} alone: {holding(machines, units, left)} ({how})."]


def plain(report: Report, files: Sequence[Path]) -> dict[str, Any]:
    """The report as plain data, for JSON."""
    return {
        "headline": headline(report.plan),
        **report.plan.to_dict(),
        "stranded": report.stranded.headline(),
        "headroom": report.headroom.table.to_dict(orient="records"),
        "packers": report.packers.to_dict(orient="records"),
        "files": [str(file) for file in files],
    }


__all__ = ["Report", "Topology", "headline", "make", "plain", "text", "write"]
