"""A slow, plain reference of the Kubernetes 1.34 scheduler: the oracle of the property tests.

It reads raw Kubernetes JSON, imports nothing from capsim, and is written to be checked by eye
against the rules: every filter, score and preemption is computed from the whole cluster anew.
Only label matching is remembered.
"""

from .scheduler import Scheduler, replay

__all__ = ["Scheduler", "replay"]
