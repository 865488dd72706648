"""Queues with a formula: M/M/c, M/G/1, processor sharing, and a server that is interrupted.

Rates in requests/s, times in seconds. Each answers for a queue in balance and raises ModelError
where the load is as large as the capacity. Sources and ranges: docs/models/cpu.md, "Queues".
"""

from __future__ import annotations

import math

from capsim.errors import ModelError, clip


def waiting_probability(rate: float, service_s: float, servers: int) -> float:
    """Erlang C: the share of requests that find all servers of an M/M/c queue busy.

    Computed from Erlang B, B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)), a = rate * service.

    >>> round(waiting_probability(8, 0.1, 1), 3)
    0.8
    """
    load = _load(rate, service_s, servers)
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = load * blocked / (k + load * blocked)
    return servers * blocked / (servers - load * (1 - blocked))


def mmc_mean(rate: float, service_s: float, servers: int) -> float:
    """Mean response time of M/M/c: S + C(c, a) S / (c - a)."""
    load = _load(rate, service_s, servers)
    return service_s + waiting_probability(rate, service_s, servers) * service_s / (servers - load)


def mmc_quantile(share: float, rate: float, service_s: float, servers: int) -> float:
    """The response time that this share of the requests of an M/M/c queue does not exceed.

    P(T > t) = e^(-x) (1 + C (1 - e^(-x (c - 1 - a))) / (c - 1 - a)) with x = t / S, first come
    first served; solved by halving.

    >>> round(mmc_quantile(0.5, 5, 0.1, 1), 4)  # ln 2 / (10 - 5)
    0.1386
    """
    if not 0 < share < 1:
        raise ModelError(f"The share is {clip(share)}, expected between 0 and 1.")
    load = _load(rate, service_s, servers)
    waits, spare = waiting_probability(rate, service_s, servers), servers - 1 - load

    def longer(x: float) -> float:
        if abs(x * spare) > 1:
            # Near its capacity a queue is so long that e^(-x spare) alone has no float.
            rest = (math.exp(-x) - math.exp(-x * (1 + spare))) / spare
            return math.exp(-x) + waits * rest
        # expm1 keeps the digits where spare is close to 0, and the limit there is x.
        rest = x if abs(spare) < 1e-12 else -math.expm1(-x * spare) / spare
        return math.exp(-x) * (1 + waits * rest)

    low, high = 0.0, 1.0
    while longer(high) > 1 - share:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if longer(middle) > 1 - share else (low, middle)
    return high * service_s


def mg1_mean(rate: float, service_s: float, variation: float = 1.0) -> float:
    """Mean response of M/G/1, first come first served (Pollaczek and Khinchine).

    S + rho S (1 + v^2) / (2 (1 - rho)); variation v: standard deviation / mean of the service.

    >>> round(mg1_mean(5, 0.1, 0), 3)
    0.15
    """
    load = _load(rate, service_s, 1)
    return service_s + load * service_s * (1 + variation**2) / (2 * (1 - load))


def shared_mean(rate: float, service_s: float, cores: float = 1.0) -> float:
    """Mean response of M/G/1 processor sharing: (S / c) / (1 - rho), whatever the distribution."""
    load = _load(rate, service_s / cores, 1)
    return service_s / cores / (1 - load)


def interrupted_mean(
    rate: float, service_s: float, on_s: float, off_s: float, variation: float = 1.0
) -> float:
    """Mean response of M/G/1 whose server stalls for `off_s` after each `on_s` of work.

    Completion: E[C] = E[S] (1 + R / U), E[C^2] = E[S^2] (1 + R / U)^2 + E[S] R^2 / U; then
    Pollaczek and Khinchine with C (Avi-Itzhak and Naor 1963). Interruptions come at random in
    that model: for a quota that is often not spent it is far above the truth.
    """
    stretch = 1 + off_s / on_s
    completion = service_s * stretch
    load = _load(rate, completion, 1)
    second = (service_s * stretch) ** 2 * (1 + variation**2) + service_s * off_s**2 / on_s
    return completion + rate * second / (2 * (1 - load))


def _load(rate: float, service_s: float, servers: int) -> float:
    """Busy servers on average; ModelError where the queue would grow for ever."""
    if not (0 < rate < math.inf and 0 < service_s < math.inf and servers >= 1):
        raise ModelError(
            f"A queue with rate {clip(rate)} /s, service {clip(service_s)} s and {clip(servers)} "
            "servers: expected numbers above 0."
        )
    load = rate * service_s
    if load >= servers:
        raise ModelError(
            f"{rate:g} requests/s of {service_s:g} s keep {load:g} servers busy and there are "
            f"{servers}: the queue grows without end."
        )
    return load
