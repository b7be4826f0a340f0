"""How an act is stopped while it is under way: where it says how far it is, and with the tool that it runs.

An act is stopped where its driver is ready for it, so that what the driver undoes after a failure is undone. Where
nothing is heard of it any more, whoever waits for it ends it by force.
"""

import threading
from collections.abc import Callable

from accel.drivers.acts import Progress
from accel.errors import ActCancelled

_AGAIN_SECONDS = 0.5
"""How soon it is tried again to end a tool that was not there yet."""
_WHOLE = 1.0


class Stoppable:
    """What an act tells how far it is; once it is to stop, it is ended the next time that it does.

    What must go on does so until it is over: whoever wants it stopped is heard then, if anything is left to be done.
    """

    def __init__(self, tell: Progress, is_unwanted: Callable[[], bool]) -> None:
        self._tell = tell
        self._is_unwanted = is_unwanted
        self._lock = threading.Lock()
        self._must_go_on = ""
        self._has_stopped = threading.Event()

    def __call__(self, message: str, fraction: float | None = None, *, must_go_on: str = "") -> None:
        """See ``Progress``."""
        with self._lock:
            goes_on = bool(self._must_go_on and must_go_on) or fraction == _WHOLE
            if not goes_on and not self._has_stopped.is_set() and self._is_unwanted():
                self._has_stopped.set()
                raise ActCancelled(f"it was stopped before this: {message}")
            self._must_go_on = must_go_on
        self._tell(message, fraction, must_go_on=must_go_on)

    def end_tool(self, end: Callable[[], bool]) -> None:
        """End the tool that the act runs, or is about to run; returns when that is done, or the act is stopping.

        :param end: ends one; gives whether there was one
        """
        is_ended = False
        while not is_ended:
            with self._lock:
                is_ended = self._has_stopped.is_set() or (not self._must_go_on and end())
            is_ended = is_ended or self._has_stopped.wait(_AGAIN_SECONDS)
