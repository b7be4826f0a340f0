"""What may interrupt the agent's wait."""

import queue
from enum import Enum, auto
from threading import Event


class Call(Enum):
    """What the agent is asked to do."""

    LOOK = auto()
    """Something may have changed: let the drivers look."""
    TELL = auto()
    """Who has what on the node has changed: the conductor is to know."""
    ASK = auto()
    """Who has what elsewhere may have changed: ask the conductor."""
    SPOKEN = auto()
    """A message that was sent aside has been taken, or not."""
    STOP = auto()


class Bell:
    """Rung by threads and signal handlers, heard by the agent's loop. Calls that wait are heard as one."""

    def __init__(self) -> None:
        # It may be put to from a signal handler.
        self._calls: queue.SimpleQueue[tuple[Call, Event | None]] = queue.SimpleQueue()
        self._heard: list[Event] = []
        self._is_closed = False

    def ring(self, call: Call) -> None:
        """Interrupt the wait, or the next one."""
        self._calls.put((call, None))

    def ring_and_wait(self, call: Call, timeout_seconds: float) -> bool:
        """Ring, and wait until the call has been answered; gives whether it has been in time."""
        answered = Event()
        self._calls.put((call, answered))
        return not self._is_closed and answered.wait(timeout_seconds)

    def close(self) -> None:
        """Nobody hears the bell any more, so nobody waits for an answer."""
        self._is_closed = True
        self.wait(0)
        for answered in self._heard:
            answered.set()

    def wait(self, timeout_seconds: float) -> frozenset[Call]:
        """Wait for calls; empty when none came in time. Whoever waited before has answered the calls of that time."""
        for answered in self._heard:
            answered.set()
        self._heard.clear()
        heard: set[Call] = set()
        try:
            heard.add(self._take(max(0.0, timeout_seconds)))
            while True:
                heard.add(self._take(0.0))
        except queue.Empty:
            return frozenset(heard)

    def _take(self, timeout_seconds: float) -> Call:
        call, answered = self._calls.get(block=timeout_seconds > 0, timeout=timeout_seconds or None)
        if answered is not None:
            self._heard.append(answered)
        return call
