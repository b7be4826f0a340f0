"""Waiting for what must happen soon but tells nobody when it has."""

import time
from collections.abc import Callable
from threading import Event


def until(holds: Callable[[], object], *, patience_seconds: float = 60) -> None:
    """Look again and again, until something holds; a test that waits in vain fails."""
    deadline, pause = time.monotonic() + patience_seconds, Event()
    while not holds():
        assert time.monotonic() < deadline, f"it did not happen within {patience_seconds:g} s"
        pause.wait(0.05)
