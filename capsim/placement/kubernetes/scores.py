"""The weighted score of every plugin for every node that fits, as the scheduler reports them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.placement.kubernetes import (
    image_locality,
    inter_pod_affinity,
    node_affinity,
    node_resources_balanced_allocation,
    node_resources_fit,
    pod_topology_spread,
    taint_toleration,
)
from capsim.placement.kubernetes.answers import Answers
from capsim.placement.kubernetes.engine import Engine
from capsim.topology import Int64


def plugin_scores(engine: Engine, answers: Answers) -> dict[str, Int64]:
    """Plugin to int64[N], 0 where the unit does not fit; plugins that skip it are left out."""
    static, row = engine.static, answers.row
    profile = engine.profile_of(row)
    fits = answers.refusal == 0
    raw = {
        node_resources_fit.NAME: answers.fit,
        node_resources_balanced_allocation.NAME: answers.balanced,
        taint_toleration.NAME: _normalised(static.taint_raw[row, static.node_class], fits, True),
        node_affinity.NAME: _normalised(static.affinity_raw[row, static.node_class], fits, False),
        image_locality.NAME: static.image[row, static.node_class],
        pod_topology_spread.NAME: answers.spread,
        inter_pod_affinity.NAME: answers.pods,
    }
    if engine.skips_balance(row):
        del raw[node_resources_balanced_allocation.NAME]
    if node_affinity.skips_score(engine.template(row), profile):
        del raw[node_affinity.NAME]
    if not answers.is_spread:
        del raw[pod_topology_spread.NAME]
    if not answers.has_company:
        del raw[inter_pod_affinity.NAME]
    weights = profile.score_weights
    return {
        name: np.where(fits, score * weights[name], 0)
        for name, score in raw.items()
        if weights.get(name)
    }


def total_scores(engine: Engine, answers: Answers) -> Int64:
    """[N] the sum over the plugins, -1 where the unit does not fit."""
    parts = plugin_scores(engine, answers).values()
    total: Int64 = np.sum([*parts, np.zeros(len(answers.refusal), np.int64)], axis=0)
    return np.where(answers.refusal == 0, total, -1)


def best_node(engine: Engine, answers: Answers, among: NDArray[np.bool_]) -> int:
    """The first of the best nodes among some that fit."""
    return int(np.where(among, total_scores(engine, answers), -1).argmax())


def _normalised(raw: Int64, fits: NDArray[np.bool_], reverse: bool) -> Int64:
    """The default normalisation to 0..100 over the nodes that fit."""
    largest = int(raw[fits].max(initial=0))
    if largest == 0:
        return np.full(len(raw), 100 if reverse else 0, np.int64)
    scaled = raw * 100 // largest
    return 100 - scaled if reverse else scaled
