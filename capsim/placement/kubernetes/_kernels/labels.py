"""What labels, taints and images say: filter and scores."""

from __future__ import annotations

from capsim.placement.kubernetes._kernels.arithmetic import normalised
from capsim.placement.kubernetes._kernels.jit import kernel


@kernel
def static_filter(c, todo, count, static, code):
    """What cordons, names, taints and affinities say."""
    node_class, refusal = static.node_class, static.refusal
    for i in range(count):
        code[i] = refusal[c, node_class[todo[i]]]


@kernel
def static_scores(c, todo, count, code, static, policy, taint_top, affinity_top, total):
    """ImageLocality and the normalised scores of TaintToleration and NodeAffinity."""
    node_class, score = static.node_class, static.score
    taint_raw, affinity_raw = static.taint_raw, static.affinity_raw
    for i in range(count):
        if code[i] == 0:
            k = node_class[todo[i]]
            total[i] += (
                score[c, k]
                + policy.w_taint * normalised(taint_raw[c, k], taint_top, True)
                + policy.w_affinity * normalised(affinity_raw[c, k], affinity_top, False)
            )


@kernel
def varied_scores(c, todo, count, code, static, policy, total):
    """The same for nodes whose largest raw scores are not known yet."""
    node_class, score = static.node_class, static.score[c]
    taint_raw, affinity_raw = static.taint_raw[c], static.affinity_raw[c]
    w_taint, w_affinity = policy.w_taint, policy.w_affinity
    taint_top = 0
    affinity_top = 0
    for i in range(count):
        if code[i] == 0:
            k = node_class[todo[i]]
            taint_top = max(taint_top, taint_raw[k])
            affinity_top = max(affinity_top, affinity_raw[k])
    for i in range(count):
        if code[i] == 0:
            k = node_class[todo[i]]
            total[i] += (
                score[k]
                + w_taint * normalised(taint_raw[k], taint_top, True)
                + w_affinity * normalised(affinity_raw[k], affinity_top, False)
            )
