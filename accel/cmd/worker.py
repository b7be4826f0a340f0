"""Gunicorn's worker with threads, whose threads stay with a client for a moment.

After every answer gunicorn hands the connection back to one thread that watches all of them, and that one gives it to
some thread again with the next request. Programs that do one thing after the other ask again as soon as they are
answered; the thread that has answered waits that long for them.
"""

import select
from threading import BoundedSemaphore
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

_MOMENT_MILLISECONDS = 20


class StayingWorker(ThreadWorker):  # type: ignore[misc] # gunicorn publishes no types
    """Half of its threads may stay with a client at once; the others are there for whoever comes."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._seats = BoundedSemaphore(max(1, self.cfg.threads // 2))
        self._may_stay = self.cfg.threads > 1

    def handle(self, conn: TConn) -> object:
        """Answer a request, and those that follow it at once; gives whether the connection is to be kept."""
        is_kept = super().handle(conn)
        while is_kept is True and self._asks_again(conn):
            is_kept = super().handle(conn)
        return is_kept

    def _asks_again(self, conn: TConn) -> bool:
        """Whether there is another request within a moment, if a thread can be spared to wait for it."""
        if not (self._may_stay and self.alive and self._seats.acquire(blocking=False)):
            return False
        try:
            waiting = select.poll()
            waiting.register(conn.sock, select.POLLIN)
            return bool(waiting.poll(_MOMENT_MILLISECONDS))
        finally:
            self._seats.release()
