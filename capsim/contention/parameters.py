"""Parameters of the contention models: data/platforms/contention.csv."""

from __future__ import annotations

from capsim.stack.parameters import Parameter, fact


def parameter(name: str, applies_to: str = "any") -> Parameter:
    """One parameter.

    Raises: ModelError if there is none of that name for that thing.

    >>> parameter("cpu_ready_warning", "esxi").value
    5.0
    """
    return fact("contention", applies_to, name)
