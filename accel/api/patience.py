"""Requests that wait for the end of a job: a few at a time, so that there are threads for everybody else."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import BoundedSemaphore, Event
from time import monotonic

from accel.api.refusals import StillUnderWay
from accel.db import jobs
from accel.db.engine import Database
from accel.db.jobs import JobRow
from accel.errors import TooManyWait

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0


class Patience:
    """Waits for jobs.

    :param seats: so many requests may wait at once
    :param limit: for so long
    """

    def __init__(self, *, seats: int, limit: timedelta) -> None:
        self._seats = BoundedSemaphore(max(1, seats))
        self._seconds = limit.total_seconds()

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Be one of those who may wait.

        :raises TooManyWait: all seats are taken
        """
        if not self._seats.acquire(blocking=False):
            raise TooManyWait("as many requests as may wait for jobs are waiting")
        try:
            yield
        finally:
            self._seats.release()

    def until_ended(self, database: Database, uuid: str) -> JobRow:
        """A job at its end.

        :raises StillUnderWay: it has not ended in time, and goes on
        """
        began, pause, tick = monotonic(), _FIRST_PAUSE_SECONDS, Event()
        while True:
            row = database.read(lambda connection: jobs.get(connection, uuid))
            if row.is_ended:
                return row
            if monotonic() - began >= self._seconds:
                raise StillUnderWay(f"job {uuid} is {row.state} and goes on: {row.message or 'it waits for its turn'}")
            tick.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
