"""The conductor's work that nobody asks for: a thread that looks at everything from time to time."""

import logging
from collections.abc import Callable, Sequence
from threading import Event, Thread

from accel.errors import Unavailable

_LOG = logging.getLogger(__name__)
_SHORTEST_PAUSE_SECONDS = 0.5


class Periodic:
    """Runs tasks, one after the other, at once and then again and again.

    While the database is away the round is tried again, soon at first and then less often, up to the interval. An
    error that is none of ours is a mistake in the program: it ends the thread and sets ``stop``, so that the whole
    service ends and is started anew, instead of living on with half of its work undone.

    :param tasks: each can be repeated safely
    :param stop: ends the thread when it is set, also between two tasks
    """

    def __init__(self, tasks: Sequence[Callable[[], object]], *, interval_seconds: float, stop: Event) -> None:
        self._tasks = tasks
        self._interval_seconds = interval_seconds
        self._stop = stop
        self._thread = Thread(target=self._run, name="periodic", daemon=True)
        self._has_failed = False

    @property
    def has_failed(self) -> bool:
        """Whether a mistake in the program has ended the thread."""
        return self._has_failed

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the task that runs now, if one does."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        self._has_failed = True
        try:
            self._repeat()
            self._has_failed = False
        finally:
            self._stop.set()

    def _repeat(self) -> None:
        retry_seconds = _SHORTEST_PAUSE_SECONDS
        while not self._stop.is_set():
            try:
                self._run_once()
            except Unavailable as error:
                pause = min(retry_seconds, self._interval_seconds)
                retry_seconds *= 2
                _LOG.warning("periodic work is held up, next attempt in %g s: %s", pause, error)
            else:
                if retry_seconds > _SHORTEST_PAUSE_SECONDS:
                    _LOG.info("periodic work goes on")
                pause, retry_seconds = self._interval_seconds, _SHORTEST_PAUSE_SECONDS
            self._stop.wait(pause)

    def _run_once(self) -> None:
        for task in self._tasks:
            if not self._stop.is_set():
                task()
