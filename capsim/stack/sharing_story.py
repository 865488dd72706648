"""Who shares a kernel, in words: what `explain` answers for a unit or a kernel."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from capsim.errors import ModelError, nearest
from capsim.topology import Int32

if TYPE_CHECKING:
    from capsim.stack.kernel_sharing import KernelSharing


@dataclass(frozen=True, eq=False)
class Story:
    """An answer in a few sentences, and the units that it is about."""

    sentences: tuple[str, ...]
    table: pd.DataFrame
    """One row a unit that falls with the kernel: unit, tenant, kernel it runs on."""

    def __str__(self) -> str:
        return " ".join(self.sentences)

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(each)}</p>" for each in self.sentences)


def of_unit(sharing: KernelSharing, at: int) -> Story:
    """The kernel of one unit, who is on it with it, and what an escape from it reaches."""
    unit = sharing.topology.scenario.units[at]
    if sharing.paths.node_of[at] < 0:
        return Story((f"{unit.key} waits for a place, so it runs on no kernel.",), _table(sharing))
    kernel = int(sharing.paths.kernel_of[at])
    members = sharing.kernels.members(kernel)
    if sharing.paths.own[at]:
        node = sharing.topology.scenario.nodes[int(sharing.paths.node_of[at])].name
        below = np.isin(at, sharing.paths.on_machine)
        first = f"{unit.key} brings a kernel of its own, on {node}."
        second = "A panic of its kernel, or an escape into it, reaches nobody else."
        third = f"It falls with the kernel of {node} all the same." if below else ""
        return Story(tuple(s for s in (first, second, third) if s), _table(sharing, members))
    others = len(members) - 1
    strangers = int(sharing.strangers[at])
    name = sharing.kernel_names[kernel]
    first = f"{unit.key} shares the kernel of {name} with {_pods(others)}."
    if not others:
        first = f"{unit.key} is alone on the kernel of {name}."
    second = f"An escape from it reaches {_pods(others)}, {strangers:,} of them of other tenants."
    return Story((first, second, *_effects(sharing, kernel)), _table(sharing, members))


def of_kernel(sharing: KernelSharing, name: str, units: dict[str, int]) -> Story:
    """Who runs on the kernel of a node, and what its fault takes.

    Raises: ModelError if there is no such kernel.
    """
    names = sharing.kernel_names[: len(sharing.topology.scenario.nodes)]
    if name not in names:
        hint = nearest(name, [*names, *units])
        raise ModelError(f"There is no unit and no node called {name!r}{hint}.")
    kernel = names.index(name)
    members = sharing.kernels.members(kernel)
    tenants = int(sharing.kernels.distinct(sharing.tenants[1])[kernel])
    own = int(np.sum(sharing.paths.own[members]))
    first = f"The kernel of {name} carries {_pods(len(members))} of {_counted(tenants, 'tenant')}"
    boxed = f", {own:,} of them with a kernel of their own on top" if own else ""
    return Story((f"{first}{boxed}.", *_effects(sharing, kernel)), _table(sharing, members))


def _effects(sharing: KernelSharing, kernel: int) -> tuple[str, ...]:
    """What a panic and an escape do, in two sentences."""
    names, groups = sharing.groups
    domain, group, found = sharing.kernels.counts(groups, len(sharing.paths.node_of))
    here = domain == kernel
    whole = (found[here] == groups.sizes[group[here]]) & (found[here] > 1)
    down = [names[at] for at in group[here][whole].tolist()]
    lost = int(sharing.kernels.sizes[kernel])
    panic = f"A panic takes {_pods(lost)}"
    panic += f", and all replicas of {', '.join(down[:5])}" if down else ""
    secret_names, secrets = sharing.secrets
    held = sharing.kernels.counts(secrets, len(sharing.paths.node_of))
    reached = int(np.sum(held[0] == kernel))
    said = f"{_counted(reached, 'secret')} lie open to whoever is root on it."
    return f"{panic}.", said if secret_names else "No secret of any pod is known."


def _table(sharing: KernelSharing, rows: Int32 | None = None) -> pd.DataFrame:
    chosen = [] if rows is None else rows.tolist()
    units, kernels = sharing.topology.scenario.units, sharing.kernel_names
    return pd.DataFrame(
        [(units[r].key, units[r].namespace, kernels[sharing.paths.kernel_of[r]]) for r in chosen],
        columns=["unit", "tenant", "kernel"],
    )


def _pods(number: int) -> str:
    return _counted(number, "pod")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
