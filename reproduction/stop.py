"""SIGTERM, which a scheduler sends before it takes the machine away: at once, or where work can be
gone on from.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """SIGTERM came: a scheduler's time limit, a preemption, or ``kill``."""


class _Signal:
    came = False  #: whether it has come
    held = 0  #: how many `held` are open


def listen() -> None:
    """Answer SIGTERM with `Terminated`, raised at once, or within `held` left to those
    who ask whether it `came`."""
    signal.signal(signal.SIGTERM, _answer)


def _answer(*_: object) -> None:
    _Signal.came = True
    if not _Signal.held:
        raise Terminated


@contextmanager
def held() -> Iterator[None]:
    """Within it SIGTERM waits for somebody to ask."""
    _Signal.held += 1
    try:
        yield
    finally:
        _Signal.held -= 1


def came() -> bool:
    """Whether SIGTERM has come."""
    return _Signal.came
