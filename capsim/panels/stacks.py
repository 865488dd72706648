"""VM or container? Five stacks and two sandboxes side by side, for a workload and a host."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go

from capsim.figures import theme
from capsim.figures.stacks import (
    LEFT,
    stacks,
    stacks_picture,
    stacks_title,
    update_stacks,
)
from capsim.panels.common import (
    Afterwards,
    Controls,
    get_ready,
    menu,
    slider,
)
from capsim.panels.panel import DeckTray, Panel
from capsim.panels.picture import live
from capsim.stack.compare import Host, StackComparison, UnitSize, compare_stacks
from capsim.stack.workload import PART_NAMES, PARTS, WorkloadProfile, profile, profiles

_HYPERVISORS = {"VMware ESXi": "esxi", "Microsoft Hyper-V": "hyper-v", "KVM": "kvm"}
_KUBERNETES = {"Amazon EKS": "eks", "Google GKE": "gke", "Azure AKS": "aks"}
_MICROVMS = {"AWS Fargate": "fargate", "Firecracker on own hosts": "firecracker"}
_HEIGHT = 560
_SOON, _AT_REST = 0.01, 0.3
"""Seconds: until the picture is on its way; without a move."""


def vm_or_container(workload: str = "web-api", *, tray: DeckTray | None = None) -> VmOrContainer:
    """Sliders for a workload's mix, a host and a unit; the stacks follow side by side.

    Parameters: workload, the profile to begin with; tray, where "add to deck" puts its slides.
    Returns: VmOrContainer, which shows itself as the last line of a cell.
    Raises: ModelError for an unknown workload.

    >>> cs.panels.vm_or_container("in-memory-cache")
    """
    profile(workload)
    return VmOrContainer(
        workload, tray or DeckTray("vm-or-container.pptx", title="VM or container")
    )


class VmOrContainer(Panel):
    """The panel; `panel.controls.unit_memory.value = 4` moves a slider from code."""

    def __init__(self, workload: str, tray: DeckTray) -> None:
        super().__init__(tray)
        self.controls = _controls(workload)
        self._workload = workload
        self._headline, self._charges = widgets.HTML(), widgets.HTML()
        self.comparison: StackComparison
        get_ready({"comparing": self._begin, "words": self._tell})
        self.widget = self._laid_out(self._headline, self.figure, self._charges)
        self._afterwards = Afterwards((_SOON, self._tell), (_AT_REST, self.numbers.refresh))
        self.controls.answer(self.respond)

    def _begin(self) -> None:
        self.comparison = self._ask()
        self.figure = live(stacks_picture(self.comparison))
        self.figure.update_layout(height=_HEIGHT, margin={"l": LEFT, "r": 44, "t": 60, "b": 8})

    def respond(self) -> None:
        """What a move does: compare and move the marks; words and tables follow."""
        self._afterwards.cancel()
        with self.message.errors():
            self._follow_workload()
            self.comparison = self._ask()
            update_stacks(self.figure, self.comparison)
            self._afterwards()

    def _follow_workload(self) -> None:
        """Another named workload puts the sliders of the mix to its shares."""
        chosen = self.controls.workload.value
        if chosen != self._workload:
            self._workload = chosen
            self.controls.put(_percents(profile(chosen)))

    def _ask(self) -> StackComparison:
        at = self.controls.values
        return compare_stacks(
            _mix(at),
            Host(at["host_cores"], at["host_memory"]),
            UnitSize(at["unit_cores"], at["unit_memory"]),
            stacks=(
                *("bare-metal", at["hypervisor"], "containers"),
                *(at["kubernetes"], at["microvm"], "gvisor", "kata"),
            ),
            node_cores=at["node_cores"],
        )

    def _tell(self) -> None:
        self._headline.value = (
            f"<div style='color:{theme.INK};font-size:20px;font-weight:700;line-height:1.3;"
            f"margin:8px 0 4px'>{html.escape(self.headline)}.</div>"
        )
        self._charges.value = _charges(self.comparison)

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        return stacks_title(self.comparison)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The numbers behind the picture, as they are now."""
        layers = [
            self.comparison.explain(stack.platform.key).assign(stack=stack.platform.name)
            for stack in self.comparison.stacks
        ]
        every = pd.concat(layers, ignore_index=True)
        return {
            "stacks": self.comparison.table,
            "slow-down by part": self.comparison.parts,
            "layers": every[["stack", *every.columns.drop("stack")]],
            "assumptions": pd.DataFrame(
                [each.model_dump() for each in self.comparison.assumptions]
            ),
            "settings": self.controls.table,
        }

    def slide(self) -> go.Figure:
        """The picture as it stands, with its takeaway as title."""
        return stacks(self.comparison)

    def reset(self, *_: object) -> None:
        """Put every control back."""
        self._workload = ""
        super().reset()


def _controls(workload: str) -> Controls:
    """In reading order: on the left sizes and platforms, on the right the workload and its mix."""
    shares = _percents(profile(workload))
    return Controls(
        host_cores=_at(slider("Cores of the host", 8, 256, 8), 64),
        workload=menu("Workload", profiles(), workload),
        host_memory=_at(slider("Memory of the host (GiB)", 16, 2048, 16), 256),
        **_share("compute", shares),
        unit_cores=_at(slider("Cores of a unit", 0.1, 8.0, 0.1), 1.0),
        **_share("syscall", shares),
        unit_memory=_at(slider("Memory of a unit (GiB)", 0.1, 32.0, 0.1), 2.0),
        **_share("fault_tlb", shares),
        node_cores=_at(slider("Cores of a node VM", 2, 64, 2), 8),
        **_share("packets", shares),
        hypervisor=menu("Hypervisor", _HYPERVISORS.items(), "kvm"),
        **_share("random_disk", shares),
        kubernetes=menu("Kubernetes", _KUBERNETES.items(), "eks"),
        **_share("sequential", shares),
        microvm=menu("MicroVM", _MICROVMS.items(), "fargate"),
    )


_SLIDER_NAMES = {
    "fault_tlb": "Faults, TLB misses (%)",
    "sequential": "Sequential, bulk (%)",
    "random_disk": "Random disk (%)",
}


def _share(part: str, shares: dict[str, int]) -> dict[str, Any]:
    name = PART_NAMES[part]  # type: ignore[index]
    words = _SLIDER_NAMES.get(part, f"{name[0].upper()}{name[1:]} (%)")
    return {part: _at(slider(words, 0, 100), shares[part])}


def _at(control: Any, value: float) -> Any:
    control.value = value
    return control


def _percents(mix: WorkloadProfile) -> dict[str, int]:
    return {part: round(100 * share.value) for part, share in zip(PARTS, mix.shares, strict=True)}


def _mix(at: dict[str, Any]) -> WorkloadProfile:
    """The named workload with its ranges, or the mix that the sliders say, scaled to a whole.

    Raises: ModelError if all shares are zero.
    """
    named = profile(at["workload"])
    weights = {part: at[part] for part in PARTS}
    if weights == _percents(named):
        return named
    return WorkloadProfile.scaled(f"own mix, from {named.name}", **weights)


def _charges(comparison: StackComparison) -> str:
    """What the layers charge, a line a stack that has any; not a comparison of prices."""
    charging = [
        stack for stack in comparison.stacks if any(layer.costs for layer in stack.platform.layers)
    ]
    lines = "".join(
        f"<div>{html.escape(stack.platform.name)}: {html.escape(stack.cost_words)}</div>"
        for stack in charging
    )
    return (
        f"<div style='color:{theme.SOFT};font-size:13px;line-height:1.45;margin-left:8px'>"
        f"<b style='color:{theme.INK}'>What the layers charge</b> (the hardware is not priced "
        f"here; layers that are not named charge nothing of their own){lines}</div>"
    )
