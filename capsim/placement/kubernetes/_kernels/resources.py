"""What resources, host ports and GPU boards say: filters and scores."""

from __future__ import annotations

import numpy as np

from capsim.placement.kubernetes._kernels.arithmetic import percent
from capsim.placement.kubernetes._kernels.jit import kernel


@kernel
def ports_filter(c, todo, count, nodes, units, code):
    """NodePorts: refuse where a conflicting host port is in use."""
    port_use, port = nodes.port_use, units.conflict_port
    first, last = units.conflict_start[c], units.conflict_start[c + 1]
    for i in range(count):
        for p in range(first, last):
            if code[i] == 0 and port_use[todo[i], port[p]] > 0:
                code[i] = -1


@kernel
def volumes_filter(c, todo, count, nodes, units, code):
    """NodeVolumeLimits, for volumes that several units use: each counts once on a node.

    What is the unit's alone is in `checked`; below 0 the plugin is not asked. Where units are
    placed in a row this is not asked, but a port of which it says where it is in use.
    Source: Kubernetes 1.34, nodevolumelimits plugin.
    """
    ports = nodes.port_use.shape[1]
    own = units.own_port[units.own_start[c] : units.own_start[c + 1]]
    for j in range(len(own)):
        r = own[j] // ports
        if r == 0 or units.checked[c, r] < 0:
            continue
        for i in range(count):
            if code[i] == 0:
                need = units.checked[c, r] + _new(r, own, nodes.port_use[todo[i]])
                if need > 0 and need > nodes.offered[todo[i], r] - nodes.used[todo[i], r]:
                    code[i] = -11


@kernel
def _new(r, own, port_use):
    """How many of the volumes of column r nobody holds on a node, each counted once."""
    ports = len(port_use)
    new = 0
    for k in range(len(own)):
        is_first = True
        for other in range(k):
            is_first = is_first and own[other] != own[k]
        if is_first and own[k] // ports == r:
            new += port_use[own[k] % ports] == 0
    return new


@kernel
def resources_filter(c, todo, count, nodes, units, code):
    """NodeResourcesFit: refuse where a resource, or a pod slot, is short."""
    offered, used, checked = nodes.offered, nodes.used, units.checked
    for i in range(count):
        n = todo[i]
        short = False
        for r in range(offered.shape[1]):
            need = checked[c, r]
            short |= need > 0 and need > offered[n, r] - used[n, r]
        if short and code[i] == 0:
            code[i] = -2


@kernel
def boards_filter(c, todo, count, nodes, units, code):
    """GpuShare: refuse where fewer boards than needed have enough thousandths left."""
    gpu_free, devices, milli = nodes.gpu_free, units.gpu_need[c, 0], units.gpu_need[c, 1]
    for i in range(count):
        if code[i] != 0:
            continue
        boards = 0
        for d in range(gpu_free.shape[1]):
            boards += gpu_free[todo[i], d] >= milli
        if boards < devices:
            code[i] = -3


@kernel
def fit_scores(c, todo, count, code, nodes, units, policy, weight, total):
    """NodeResourcesFit: add weight * (0..100) to total[i] of each node that fits.

    Source: Kubernetes 1.34, noderesources plugin.
    """
    if policy.fit_plain:
        plain_fit_scores(c, todo, count, code, nodes, units, policy, weight, total)
        return
    offered, used, accounted = nodes.offered, nodes.used, nodes.accounted
    scoring, strategy = units.scoring, policy.strategy
    columns, weights, scalar = policy.fit_columns, policy.fit_weights, policy.fit_scalar
    shape_u, shape_s = policy.shape_u, policy.shape_s
    for i in range(count):
        if code[i] != 0:
            continue
        n = todo[i]
        points = 0
        weight_sum = 0
        for j in range(len(columns)):
            r = columns[j]
            capacity = offered[n, r]
            asked = scoring[c, r]
            if capacity == 0 or (scalar[j] and asked == 0):
                continue
            requested = (accounted[n, r] if r < 2 else used[n, r]) + asked
            if strategy == 0:
                score = 0 if requested > capacity else percent(capacity - requested, capacity)
            elif strategy == 1:
                score = percent(min(requested, capacity), capacity)
            else:
                u = 100 if requested > capacity else requested * 100 // capacity
                score = _on_shape(u, shape_u, shape_s)
                if score <= 0:
                    continue
            points += score * weights[j]
            weight_sum += weights[j]
        if weight_sum == 0:
            continue
        if strategy == 2:
            total[i] += weight * int(np.floor(points / weight_sum + 0.5))
        else:
            total[i] += weight * (points if weight_sum == 1 else points // weight_sum)


@kernel
def plain_fit_scores(c, todo, count, code, nodes, units, policy, weight, total):
    """The same for cpu and memory alone, by LeastAllocated or MostAllocated."""
    offered, accounted = nodes.offered, nodes.accounted
    least = policy.strategy == 0
    cpu, memory = units.scoring[c, 0], units.scoring[c, 1]
    w_cpu, w_memory = policy.fit_weights[0], policy.fit_weights[1]
    for i in range(count):
        if code[i] != 0:
            continue
        n = todo[i]
        points = 0
        weights = 0
        capacity = offered[n, 0]
        if capacity > 0:
            free = max(0, capacity - accounted[n, 0] - cpu)
            points += w_cpu * percent(free if least else capacity - free, capacity)
            weights += w_cpu
        capacity = offered[n, 1]
        if capacity > 0:
            free = max(0, capacity - accounted[n, 1] - memory)
            points += w_memory * percent(free if least else capacity - free, capacity)
            weights += w_memory
        if weights == 2:
            total[i] += weight * (points >> 1)
        elif weights > 0:
            total[i] += weight * (points // weights)


@kernel
def _on_shape(u, shape_u, shape_s):
    """Broken line through (shape_u, shape_s), flat outside; slopes truncate toward zero."""
    if u <= shape_u[0]:
        return shape_s[0]
    for i in range(1, len(shape_u)):
        if u <= shape_u[i]:
            rise = (shape_s[i] - shape_s[i - 1]) * (u - shape_u[i - 1])
            run = shape_u[i] - shape_u[i - 1]
            step = rise // run if rise >= 0 else -((-rise) // run)
            return shape_s[i - 1] + step
    return shape_s[-1]


@kernel
def balanced_scores(c, todo, count, code, nodes, units, policy, weight, total):
    """NodeResourcesBalancedAllocation: add weight * int((1 - deviation of shares) * 100).

    Two shares: |a - b| / 2; more: the population standard deviation; fewer: 0.
    Source: Kubernetes 1.34, noderesources plugin.
    """
    offered, used, request = nodes.offered, nodes.used, units.request
    columns, scalar = policy.balanced_columns, policy.balanced_scalar
    shares = np.empty(len(columns), np.float64)
    for i in range(count):
        if code[i] != 0:
            continue
        n = todo[i]
        known = 0
        for j in range(len(columns)):
            r = columns[j]
            if offered[n, r] == 0 or (scalar[j] and request[c, r] == 0):
                continue
            shares[known] = min(1.0, (used[n, r] + request[c, r]) / offered[n, r])
            known += 1
        deviation = 0.0
        if known == 2:
            deviation = abs((shares[0] - shares[1]) / 2.0)
        elif known > 2:
            mean = 0.0
            for j in range(known):
                mean += shares[j]
            mean /= known
            for j in range(known):
                deviation += (shares[j] - mean) * (shares[j] - mean)
            deviation = np.sqrt(deviation / known)
        total[i] += weight * int((1.0 - deviation) * 100.0)


@kernel
def short_resources(c, nodes, units, out_short):
    """out_short: bool[N, R], resources of which too little is left on each node."""
    for n in range(out_short.shape[0]):
        for r in range(out_short.shape[1]):
            need = units.checked[c, r]
            out_short[n, r] = need > 0 and need > nodes.offered[n, r] - nodes.used[n, r]
