"""SIGINT and SIGTERM as an exception, held back while groups and processes come and go."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal asked to stop; not an Exception, so that nothing on the way swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Gate:
    """Whether a signal must wait, and which one waits."""

    depth = 0
    waiting = 0

    def stop(self, number: int, _: object) -> None:
        """The handler. Only the first signal counts: a second must not break the clearing away."""
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        if self.depth:
            self.waiting = number
        else:
            raise Interrupted(number)

    def let_through(self) -> None:
        """Raises for a signal that waits, once nothing holds it back."""
        if not self.depth and self.waiting:
            number, self.waiting = self.waiting, 0
            raise Interrupted(number)


_GATE = _Gate()


@contextmanager
def raised() -> Iterator[None]:
    """SIGINT and SIGTERM raise Interrupted, so that every `finally` on the way is run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [signal.signal(number, _GATE.stop) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """A signal that comes meanwhile is raised at the end."""
    _GATE.depth += 1
    try:
        yield
    finally:
        _GATE.depth -= 1
        _GATE.let_through()
