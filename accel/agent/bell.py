"""What may interrupt the agent's wait."""

import queue
from enum import Enum, auto


class Call(Enum):
    """What the agent is asked to do."""

    LOOK = auto()
    """Something may have changed: let the drivers look."""
    STOP = auto()


class Bell:
    """Rung by threads and signal handlers, heard by the agent's loop. Calls that wait are heard as one."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()  # it may be put to from a signal handler

    def ring(self, call: Call) -> None:
        """Interrupt the wait, or the next one."""
        self._calls.put(call)

    def wait(self, timeout_seconds: float) -> frozenset[Call]:
        """Wait for calls; empty when none came in time."""
        heard: set[Call] = set()
        try:
            heard.add(self._calls.get(timeout=max(0.0, timeout_seconds)))
            while True:
                heard.add(self._calls.get_nowait())
        except queue.Empty:
            return frozenset(heard)
