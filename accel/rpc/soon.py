"""Work that nobody waits for."""

import threading
from collections.abc import Callable


class Soon:
    """Does the same work whenever it is called, in a thread of its own: whoever calls goes on at once.

    However often it is called while it is at work, it does it once more after that. The thread ends when there is
    nothing to do.

    :param work: raises nothing
    """

    def __init__(self, work: Callable[[], None], *, name: str) -> None:
        self._work = work
        self._name = name
        self._lock = threading.Lock()
        self._is_at_work = False
        self._is_wanted = False

    def __call__(self) -> None:
        """Have it done from now on."""
        with self._lock:
            self._is_wanted = True
            if self._is_at_work:
                return
            self._is_at_work = True
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while self._is_still_wanted():
            self._work()

    def _is_still_wanted(self) -> bool:
        with self._lock:
            self._is_at_work = is_wanted = self._is_wanted
            self._is_wanted = False
            return is_wanted
