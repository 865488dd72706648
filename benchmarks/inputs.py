"""The inputs that benchmarks share."""

from __future__ import annotations

import random

import capsim as cs
from capsim.data_files import data_path
from capsim.scenario import (
    HOSTNAME_LABEL,
    Container,
    LabelSelector,
    Node,
    Template,
    TemplateTable,
    TopologySpreadConstraint,
    Unit,
)

_ZONE = "topology.kubernetes.io/zone"


def openb() -> cs.Scenario:
    """The openb cluster: 1,523 nodes, 8,152 pods."""
    return cs.read(data_path("clusters", "openb"))


def synthetic(
    nodes: int, pods: int, templates: int = 20, seed: int = 1, *, spread: bool = False
) -> cs.Scenario:
    """Nodes of nine sizes in three zones; pods of some templates that arrive mixed.

    spread: every template is spread softly over hosts and zones, as kube-scheduler spreads the
    pods of a Deployment behind a Service by default.
    """
    draw = random.Random(seed)
    table = TemplateTable()
    keys = [
        table.key(
            Template(
                labels={"app": f"app-{i}"},
                topology_spread_constraints=_spread(f"app-{i}") if spread else (),
                containers=(
                    Container(
                        requests={
                            "cpu": f"{draw.choice((50, 100, 200, 250, 500))}m",
                            "memory": f"{draw.choice((64, 128, 256, 512, 700))}Mi",
                        }
                    ),
                ),
            ),
            f"app-{i}",
        )
        for i in range(templates)
    ]
    return cs.Scenario(
        name=f"synthetic-{nodes}",
        nodes=tuple(
            Node(
                name=f"n{i:05d}",
                labels={_ZONE: f"z{i % 3}", HOSTNAME_LABEL: f"n{i:05d}"},
                allocatable={
                    "cpu": str(draw.choice((8, 16, 32))),
                    "memory": f"{draw.choice((32, 64, 128))}Gi",
                    "pods": "110",
                },
            )
            for i in range(nodes)
        ),
        templates=table.templates,
        units=tuple(Unit(name=f"p{i}", template=draw.choice(keys)) for i in range(pods)),
    )


def _spread(app: str) -> tuple[TopologySpreadConstraint, ...]:
    return tuple(
        TopologySpreadConstraint(
            max_skew=skew,
            topology_key=key,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=LabelSelector(match_labels={"app": app}),
        )
        for key, skew in ((HOSTNAME_LABEL, 3), (_ZONE, 5))
    )
