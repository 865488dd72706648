"""What PodTopologySpread and InterPodAffinity say: filters and scores over counters."""

from __future__ import annotations

import numpy as np

from capsim.placement.kubernetes._kernels.arithmetic import percent
from capsim.placement.kubernetes._kernels.jit import inlined, kernel


@inlined
def topology_filter(c, todo, count, rows, counts, asks, code):
    """PodTopologySpread and InterPodAffinity: refuse by what the domains of a node hold."""
    if asks.hard_start[c + 1] > asks.hard_start[c]:
        spread_filter(c, todo, count, rows, counts, asks, code)
    company_filter(c, todo, count, rows, counts, asks, code)


@inlined
def company_filter(c, todo, count, rows, counts, asks, code):
    """InterPodAffinity: refuse by who else is there."""
    if asks.near_start[c + 1] > asks.near_start[c]:
        near_filter(c, todo, count, rows, counts, asks, code)
    if asks.apart_start[c + 1] > asks.apart_start[c]:
        apart_filter(asks.apart_row, asks.apart_start, c, todo, count, rows, counts, -7, code)
    if asks.shun_start[c + 1] > asks.shun_start[c]:
        apart_filter(asks.shun_row, asks.shun_start, c, todo, count, rows, counts, -8, code)


@kernel
def spread_filter(c, todo, count, rows, counts, asks, code):
    """PodTopologySpread: refuse where the unit would make a domain too full.

    Source: Kubernetes 1.34, podtopologyspread plugin.
    """
    domain, counted = rows.domain, counts.number
    for h in range(asks.hard_start[c], asks.hard_start[c + 1]):
        q = asks.hard_row[h]
        key, start = rows.key[q], rows.start[q]
        lowest = counts.lowest[q] if rows.domains[q] >= asks.hard_domains[h] else 0
        most = asks.hard_skew[h] + lowest - asks.hard_self[h]
        for i in range(count):
            if code[i] == 0:
                d = domain[key, todo[i]]
                if d < 0:
                    code[i] = -4
                elif counted[start + d] > most:
                    code[i] = -5


@kernel
def near_filter(c, todo, count, rows, counts, asks, code):
    """InterPodAffinity: refuse where required company is missing.

    The first unit of a kind that wants to be with its like needs only the labels.
    Source: Kubernetes 1.34, interpodaffinity plugin.
    """
    domain, counted = rows.domain, counts.number
    first, last = asks.near_start[c], asks.near_start[c + 1]
    alone = asks.near_self[c]
    for t in range(first, last):
        alone = alone and counts.total[asks.near_row[t]] == 0
    for t in range(first, last):
        q = asks.near_row[t]
        key, start = rows.key[q], rows.start[q]
        for i in range(count):
            if code[i] == 0:
                d = domain[key, todo[i]]
                if d < 0 or (not alone and counted[start + d] == 0):
                    code[i] = -6


@kernel
def apart_filter(term_row, term_start, c, todo, count, rows, counts, refusal, code):
    """InterPodAffinity: refuse where a row counts anyone in the node's domain."""
    domain, counted = rows.domain, counts.number
    for t in range(term_start[c], term_start[c + 1]):
        q = term_row[t]
        key, start = rows.key[q], rows.start[q]
        if counts.total[q] == 0:
            continue
        for i in range(count):
            if code[i] == 0:
                d = domain[key, todo[i]]
                if d >= 0 and counted[start + d] > 0:
                    code[i] = refusal


@kernel
def spread_scores(c, todo, count, code, have, rows, counts, asks, scratch, weight, total):
    """PodTopologySpread: add weight * (0..100), more where domains are emptier.

    todo[i] stands for have[i] nodes. Raw: sum over the keys of count * ln(domains + 2) +
    maxSkew - 1, rounded half up. Source: Kubernetes 1.34, podtopologyspread plugin.
    """
    domain, counted = rows.domain, counts.number
    raw, stamp, asked = scratch.raw, scratch.stamp, scratch.asked
    first, last = asks.soft_start[c], asks.soft_start[c + 1]
    if first == last:
        return
    for i in range(count):
        raw[i] = 0.0 if code[i] == 0 else -1.0
    if asks.need_all[c]:
        for t in range(first, last):
            key = rows.key[asks.soft_row[t]]
            for i in range(count):
                if domain[key, todo[i]] < 0:
                    raw[i] = -1.0
    scored = 0
    for i in range(count):
        if raw[i] >= 0.0:
            scored += have[i]
    for t in range(first, last):
        q = asks.soft_row[t]
        key, start = rows.key[q], rows.start[q]
        size = scored
        if not asks.soft_host[t]:
            size = 0
            asked[0] += 1
            for i in range(count):
                if raw[i] >= 0.0:
                    d = domain[key, todo[i]]
                    if d < 0:
                        d = rows.key_blank[key]
                    size += stamp[d] != asked[0]
                    stamp[d] = asked[0]
        factor = scratch.logarithm[size + 2]
        skew = float(asks.soft_skew[t] - 1)
        for i in range(count):
            d = domain[key, todo[i]]
            if raw[i] >= 0.0 and d >= 0:
                raw[i] += counted[start + d] * factor + skew
    lowest = np.iinfo(np.int64).max
    highest = 0
    for i in range(count):
        if raw[i] >= 0.0:
            raw[i] = np.floor(raw[i] + 0.5)
            lowest = min(lowest, int(raw[i]))
            highest = max(highest, int(raw[i]))
    for i in range(count):
        if raw[i] >= 0.0:
            points = highest + lowest - int(raw[i])
            total[i] += weight * (percent(points, highest) if highest > 0 else 100)


@kernel
def pods_scores(c, todo, count, code, rows, counts, asks, weight, total):
    """InterPodAffinity: add weight * (0..100), more where welcome company is.

    Returns: whether any term had anything to say.
    Source: Kubernetes 1.34, interpodaffinity plugin.
    """
    domain, counted = rows.domain, counts.number
    first, last = asks.pull_start[c], asks.pull_start[c + 1]
    said = False
    for t in range(first, last):
        said = said or counts.total[asks.pull_row[t]] > 0
    if not said:
        return False
    raw = np.zeros(count, np.int64)
    for t in range(first, last):
        q = asks.pull_row[t]
        key, start, worth = rows.key[q], rows.start[q], asks.pull_weight[t]
        if counts.total[q] == 0:
            continue
        for i in range(count):
            d = domain[key, todo[i]]
            if d >= 0:
                raw[i] += worth * counted[start + d]
    lowest = np.iinfo(np.int64).max
    highest = np.iinfo(np.int64).min
    for i in range(count):
        if code[i] == 0:
            lowest = min(lowest, raw[i])
            highest = max(highest, raw[i])
    if highest > lowest:
        for i in range(count):
            if code[i] == 0:
                share = float(raw[i] - lowest) / float(highest - lowest)
                total[i] += weight * int(100.0 * share)
    return True


@kernel
def topology_scores(c, todo, count, code, rows, counts, asks, scratch, out_spread, out_pods):
    """Scores of PodTopologySpread and InterPodAffinity, and whether each has anything to say."""
    have = np.ones(count, np.int64)
    spread_scores(c, todo, count, code, have, rows, counts, asks, scratch, 1, out_spread)
    said = pods_scores(c, todo, count, code, rows, counts, asks, 1, out_pods)
    return asks.soft_start[c + 1] > asks.soft_start[c], said
