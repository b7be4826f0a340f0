"""How the conductor begins to serve, and the work that nobody asks it for; each in a thread of its own."""

import logging
from collections.abc import Callable, Sequence
from threading import Event, Thread

from accel.errors import Unavailable

_LOG = logging.getLogger(__name__)
_SHORTEST_PAUSE_SECONDS = 0.5
_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 1.0
"""What takes longer to begin is said to be waited for."""


def begin(start: Callable[[], object], stop: Event, *, awaited: str) -> bool:
    """Start a server as soon as what it needs is there.

    The start may wait for that without end and cannot be interrupted, so it has a thread that the process may end
    without. A mistake in the program ends the thread, whose traceback is shown.

    :param start: returns once the server serves
    :param stop: ends the waiting when it is set
    :param awaited: what the server needs, for the log
    :return: whether it serves
    """
    has_begun = Event()

    def run() -> None:
        start()
        has_begun.set()

    thread = Thread(target=run, name="begin", daemon=True)
    thread.start()
    thread.join(_PATIENCE_SECONDS)
    if thread.is_alive():
        _LOG.warning("waiting for %s", awaited)
    while thread.is_alive() and not stop.is_set():
        thread.join(_LOOK_SECONDS)
    return has_begun.is_set()


class Periodic:
    """Runs tasks, one after the other, at once and then again and again, and whenever it is woken.

    While the database is away the round is tried again, soon at first and then less often, up to the interval. An
    error that is none of ours is a mistake in the program: it ends the thread and sets ``stop``, so that the whole
    service ends and is started anew, instead of living on with half of its work undone.

    :param tasks: each can be repeated safely
    :param stop: no task is begun any more when it is set
    :param name: what the tasks are, for the log
    """

    def __init__(
        self,
        tasks: Sequence[Callable[[], object]],
        *,
        interval_seconds: float,
        stop: Event,
        name: str = "periodic work",
    ) -> None:
        self._tasks = tasks
        self._interval_seconds = interval_seconds
        self._stop = stop
        self._name = name
        self._bell = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._has_failed = False

    @property
    def has_failed(self) -> bool:
        """Whether a mistake in the program has ended the thread."""
        return self._has_failed

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Have a round begin now, or right after the one that runs."""
        self._bell.set()

    def stop(self) -> None:
        """End after the task that runs now, if one does."""
        self._stop.set()
        self._bell.set()
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
        while not self._is_over():
            try:
                self._run_once()
            except Unavailable as error:
                pause = min(retry_seconds, self._interval_seconds)
                retry_seconds *= 2
                _LOG.warning("%s is held up, next attempt in %g s: %s", self._name, pause, error)
            else:
                if retry_seconds > _SHORTEST_PAUSE_SECONDS:
                    _LOG.info("%s goes on", self._name)
                pause, retry_seconds = self._interval_seconds, _SHORTEST_PAUSE_SECONDS
            self._bell.wait(pause)

    def _is_over(self) -> bool:
        """Whether to end. What rings after the question was asked is heard."""
        self._bell.clear()
        return self._stop.is_set()

    def _run_once(self) -> None:
        for task in self._tasks:
            if not self._stop.is_set():
                task()
