"""Who shares my kernel? Isolation tenant by tenant, what it protects, and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go

from capsim.errors import CapsimError, ModelError
from capsim.figures import theme
from capsim.figures import words as say
from capsim.figures.isolation import (
    STRIKES,
    frontier_axes,
    frontier_traces,
    line_labels,
    now_trace,
)
from capsim.figures.isolation import isolation_frontier as frontier_figure
from capsim.figures.kernel_discs import Discs, discs, legend, tenant_ranks
from capsim.figures.kernels import disc_lines, disc_traces, key_text
from capsim.panels import words
from capsim.panels.common import (
    Afterwards,
    Controls,
    get_ready,
    menu,
    slider,
)
from capsim.panels.panel import DeckTray, Panel
from capsim.panels.picture import live
from capsim.placement.isolation_price import isolation_frontier
from capsim.placement.isolation_trial import Isolated, try_isolation
from capsim.scenario import Scenario
from capsim.stack.domains import Paths
from capsim.stack.isolation import ISOLATIONS, SHARED, belongs_to_node
from capsim.stack.parameters import parameter
from capsim.topology import Topology

_MENUS = 3
_REST = "all others"
_LEAST_PODS, _MOST_PODS = 2, 110
_LARGE = 2000
"""Units from which the frontier has fewer points."""
_STRIKES = {"a container escape": "escape", "a kernel panic": "panic"}
_SOON, _STILL = 0.02, 0.15
_LEFT, _RIGHT = (0.0, 0.54), (0.61, 0.885)
_ASPECT, _HEIGHT = 1.9, 400
_Key = tuple[tuple[str, ...], int]


def who_shares_my_kernel(
    cluster: Scenario | Topology, *, tray: DeckTray | None = None
) -> WhoSharesMyKernel:
    """Menus for the isolation of each tenant and a slider for the pods on a machine.

    Parameters: cluster; tray, where "add to deck" puts its slides.
    Returns: WhoSharesMyKernel, which shows itself as the last line of a cell.
    Raises: ModelError for a cluster without machines or without units.

    >>> cs.panels.who_shares_my_kernel(cs.read("cluster.yaml"))
    """
    scenario = cluster.scenario if isinstance(cluster, Topology) else cluster
    tenants = _tenants(scenario)
    if not scenario.nodes or not tenants:
        raise ModelError("The cluster has no machines or no units; cs.size_cluster gives machines.")
    return WhoSharesMyKernel(
        scenario,
        tenants,
        tray or DeckTray("who-shares-my-kernel.pptx", title=f"Kernel sharing: {scenario.name}"),
    )


def _tenants(scenario: Scenario) -> list[str]:
    """Tenants by number of units, the largest first; units that come with a node do not count."""
    counts = Counter(u.namespace for u in scenario.units if not belongs_to_node(u))
    return [name for name, _ in counts.most_common()]


class WhoSharesMyKernel(Panel):
    """The panel; `panel.controls.tenant_1.value = "kata"` chooses from code."""

    def __init__(self, scenario: Scenario, tenants: list[str], tray: DeckTray) -> None:
        super().__init__(tray)
        self.scenario, self.tenants = scenario, tenants
        self._tiles = widgets.HTML()
        self._known: dict[_Key, Isolated] = {}
        self._most = _MOST_PODS
        self.answer: Isolated
        self.frontier: pd.DataFrame
        get_ready(
            {
                "placing": self._begin,
                "the frontier": self._draw,
                "first moves": self._foresee,
            }
        )
        self.widget = self._laid_out(self._tiles, self.figure)
        self._afterwards = Afterwards((_SOON, self._tell), (_STILL, self._foresee))
        self._tell()
        self.controls.answer(self.respond)

    def _begin(self) -> None:
        """Everything shared; its fullest machine is where the slider ends."""
        self.answer = self._before = try_isolation(self.scenario)
        held = self.answer.sharing.paths
        self._most = max(_LEAST_PODS + 1, _fullest(held))
        self.controls = self._controls()
        self._known[self._asked()] = self.answer
        self._names = tenant_ranks(self.answer.sharing)[0]
        self._kinds = legend(self._names)

    def _controls(self) -> Controls:
        options = [(name, kind) for kind, name in ISOLATIONS.items()]
        listed = self.tenants[:_MENUS]
        if len(self.tenants) > _MENUS:
            listed = [*self.tenants[: _MENUS - 1], _REST]
        menus = {
            f"tenant_{at}": menu(f"{say.shorten(name, 22)} on", options, SHARED)
            for at, name in enumerate(listed, 1)
        }
        density = slider("Most pods on a machine", _LEAST_PODS, self._most)
        density.value = self._most
        strike = menu("What strikes", _STRIKES.items(), "escape")
        return Controls(density=density, **menus, strike=strike)

    def _asked(self, moved: Mapping[str, Any] | None = None) -> _Key:
        at = {**self.controls.values, **(moved or {})}
        kinds = tuple(value for name, value in at.items() if name.startswith("tenant_"))
        return kinds, at["density"]

    def _ask(self, key: _Key) -> Isolated:
        """The cluster so isolated; asked once."""
        if key not in self._known:
            kinds, density = key
            # The last menu is that of all tenants that have none of their own.
            named = {t: kinds[min(at, len(kinds) - 1)] for at, t in enumerate(self.tenants)}
            limit = None if density >= self._most else density
            self._known[key] = try_isolation(
                self.scenario,
                named,
                pods_per_node=limit,
                waiting=self._before.waiting_before,
            )
        return self._known[key]

    @property
    def strike(self) -> str:
        """What the right half is about: "escape" or "panic"."""
        return str(self.controls.strike.value)

    def respond(self) -> None:
        """What a move does: ask the engine and move the picture; the words follow."""
        self._afterwards.cancel()
        with self.message.errors():
            self.answer = self._ask(self._asked())
            self._update()
            self._afterwards()

    def _laid(self) -> Discs:
        _, ranks = tenant_ranks(self.answer.sharing)
        laid = discs(self.answer.sharing, _ASPECT, ranks, len(self._kinds))
        return laid.fitted(_ASPECT, 1.0)

    def _now(self) -> tuple[float, float]:
        """Where the choice stands among the lines."""
        found = self.answer
        pods = found.pods_reached if self.strike == "escape" else found.pods_lost
        return float(found.machines_in_use), pods

    def _draw(self) -> None:
        self.frontier = isolation_frontier(self.scenario, pods_per_node=self._limits())
        laid = self._laid()
        figure = go.Figure(layout={"template": theme.blank().layout.template})
        for trace in disc_traces(laid, self._kinds):
            figure.add_trace(trace)
        lines = frontier_traces(self.frontier, self.strike)
        for trace in (*lines, now_trace(*self._now())):
            figure.add_trace(trace.update(xaxis="x2", yaxis="y2"))
        across, up = frontier_axes(self.frontier, self.strike)
        figure.update_layout(
            # Shrinking the domain, never the range, keeps circles round at every width.
            xaxis={
                "domain": _LEFT,
                "range": [0, _ASPECT],
                "visible": False,
                "constrain": "domain",
                "constraintoward": "left",
            },
            yaxis={
                "range": [0, 1],
                "visible": False,
                "scaleanchor": "x",
                "constrain": "domain",
                "constraintoward": "top",
            },
            xaxis2={**across, "domain": _RIGHT, "anchor": "y2"},
            yaxis2={**up, "anchor": "x2"},
            annotations=self._annotations(),
        )
        self.figure = live(figure)
        self.figure.update_layout(height=_HEIGHT, margin={"l": 8, "r": 8, "t": 40, "b": 56})

    def _limits(self) -> list[int]:
        """Limits of pods on a machine for the points of the frontier."""
        wanted = (2, 5, 9) if len(self.scenario.units) > _LARGE else (2, 3, 4, 6, 9, 14, 30, 60)
        return [*(limit for limit in wanted if limit < self._most), self._most]

    def _annotations(self) -> list[dict[str, Any]]:
        """The colours of the dots and of the choice above both halves, then the lines' names."""
        choice = f"<span style='color:{theme.AT_RISK}'>⬤</span> your choice"
        above = [_above(self._key(), _LEFT[0]), _above(choice, _RIGHT[0])]
        return [*above, *line_labels(self.frontier, self.strike, "2")]

    def _key(self) -> str:
        ranks = tenant_ranks(self.answer.sharing)[1]
        return key_text(self._names, ranks, self.answer.sharing)

    def _update(self) -> None:
        """Moves everything as one redraw; the lines only when another strike is chosen."""
        laid = self._laid()
        lines = disc_lines(laid)
        with self.figure.batch_update():
            for trace, (x, y) in zip(self.figure.data, lines, strict=False):
                trace.x, trace.y = x, y
            self.figure.layout.annotations[0].text = self._key()
            now = self.figure.data[-1]
            now.x, now.y = now_trace(*self._now()).x, now_trace(*self._now()).y
            if self.figure.layout.yaxis2.title.text != STRIKES[self.strike][1]:
                self._another_strike(len(lines))

    def _another_strike(self, first: int) -> None:
        for trace, wanted in zip(
            self.figure.data[first:], frontier_traces(self.frontier, self.strike), strict=False
        ):
            trace.x, trace.y = wanted.x, wanted.y
        _, up = frontier_axes(self.frontier, self.strike)
        self.figure.layout.yaxis2.update(up)
        self.figure.layout.annotations = self._annotations()

    def _tell(self) -> None:
        self._tiles.value = words.grid(self.headline, self._four())
        self.numbers.refresh()

    def _foresee(self) -> None:
        """Asks what one step further would give, so that the step only has to be drawn."""
        for further in self.controls.further():
            with suppress(CapsimError):
                self._ask(self._asked(further))

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        found, added = self.answer, self.answer.machines_added
        more = f", {added:,} of them added" if added else ""
        waits = f"; {say.count(found.waiting_more, 'pod')} more wait" if found.waiting_more else ""
        machines = say.count(found.machines_in_use, "machine")
        if self.strike == "panic":
            told = f"A lost pod falls with {max(0.0, found.pods_lost - 1):.1f} others in a panic"
        else:
            told = f"An escape reaches {_pods(found.pods_reached)}"
        return f"{told}, on {machines}{more}{waits}"

    def _four(self) -> list[words.Tile]:
        found = self.answer
        told, before = found.sharing.summary(), self._before
        strangers = told["pods_of_other_tenants_reached_by_an_escape"]
        kernels = found.sharing.kernels
        gib = found.memory_added / 2**30
        return [
            (
                "A container escape reaches",
                theme.AT_RISK,
                _pods(found.pods_reached),
                f"{strangers:.1f} of other tenants<br>{before.pods_reached:.1f} on shared kernels",
            ),
            (
                "A kernel panic takes",
                theme.WAITING,
                _pods(found.pods_lost),
                f"as a lost pod sees it; worst {kernels.most_lost:,}"
                f"<br>{before.pods_lost:.1f} on shared kernels",
            ),
            (
                "Machines with tenants' pods",
                theme.USED,
                f"{found.machines_in_use:,}",
                f"{found.machines_added:,} added<br>{before.machines_in_use:,} on shared kernels",
            ),
            (
                "Isolation takes",
                theme.STRANDED,
                f"{say.number(gib)} GiB",
                f"{say.number(found.cores_added)} cores<br>{self._slowdown()}",
            ),
        ]

    def _slowdown(self) -> str:
        """How much system calls slow down on the weakest choice for them."""
        kinds = self._asked()[0]
        worst = max(
            (parameter(kind, "slowdown_syscalls").figure for kind in kinds),
            key=lambda each: each.high,
        )
        if worst.high == 1:
            return "no slower than today"
        return f"system calls ×{worst.low:g} to ×{worst.high:g}"

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The numbers behind the picture, as they are now."""
        return {
            "kernels": self.answer.sharing.table,
            "faults": self.answer.sharing.faults,
            "services": self.answer.sharing.services,
            "frontier": self.frontier,
            "settings": self.controls.table,
        }

    def slide(self) -> go.Figure:
        """The frontier with the choice marked, and what was chosen in the footnote."""
        figure = frontier_figure(self.frontier, strike=self.strike, now=self._now())
        meta = figure.layout.meta
        kinds = zip(self.controls.table["control"], self.controls.table["value"], strict=True)
        told = " · ".join(f"{say.safe(str(name))} {value}" for name, value in kinds)
        figure.layout.annotations = [a for a in figure.layout.annotations if a.name != "footnote"]
        return theme.finish(
            figure,
            self.headline,
            meta["subtitle"],
            f"{meta['source']} · {told}",
            self.answer.sharing.assumptions,
        )


def _above(text: str, left: float) -> dict[str, Any]:
    """A line above the plot from `left` of its width on."""
    return {
        "name": "key",
        "text": text,
        "x": left,
        "y": 1,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 10,
        "showarrow": False,
        "font": {"size": 13},
    }


def _fullest(paths: Paths) -> int:
    """Pods on the fullest machine."""
    counts = Counter(paths.node_of[paths.on_machine].tolist())
    return max(counts.values(), default=_LEAST_PODS)


def _pods(number: float) -> str:
    return f"{number:.1f} pods"
