"""Fetches images from where they are: each in a thread of its own, with a lease that goes on as long as bytes come."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from accel.conductor.glance import Glance
from accel.conductor.image_url import UrlSource
from accel.db import image_contents, image_work
from accel.db.arrival import Arrival, Limits
from accel.db.engine import Database
from accel.db.events import Origin
from accel.db.history import CONDUCTOR
from accel.db.images import ImageRow, facts_of, lists_of
from accel.errors import AccelError, DatabaseUnavailable, ImageSourceRefused, ImageSourceUnavailable
from accel.model.registry import CHUNK_BYTES, Facts, ImageSource

_LOG = logging.getLogger(__name__)
_LEASE = timedelta(seconds=90)
_PAUSE = timedelta(seconds=15)
"""How long a source that does not answer is left alone."""
_MOST_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where images are fetched from."""

    url: UrlSource
    glance: Glance | None = None


class Fetcher:
    """The conductor's work on images.

    :param clock: tells the time, with zone
    :param submit: runs a function some time soon, in another thread
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        sources: Sources,
        *,
        limits: Limits,
        submit: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sources = sources
        self._limits = limits
        self._submit = submit or _in_a_thread
        self._places = threading.BoundedSemaphore(_MOST_AT_ONCE)

    def fetch_due(self) -> None:
        """Begin to fetch what nobody fetches, a few at a time.

        :raises DatabaseUnavailable: nothing more was begun
        """
        for uuid in self._database.read(lambda connection: image_work.due(connection, now=self._clock())):
            if not self._places.acquire(blocking=False):
                return
            row = self._taken(uuid)
            if row is None:
                self._places.release()
            else:
                self._submit(lambda row=row: self._fetch(row))  # type: ignore[misc] # the row is bound at once

    def tidy(self) -> int:
        """Drop bytes whose sender is gone; gives of how many images.

        :raises DatabaseUnavailable: they are dropped at the next time
        """
        before = self._clock() - 2 * self._limits.duration
        return self._database.write(lambda connection: image_contents.abandon_late(connection, begun_before=before))

    def _taken(self, uuid: str) -> ImageRow | None:
        now = self._clock()
        try:
            return self._database.write(
                lambda connection: image_work.take(connection, uuid, now=now, until=now + _LEASE)
            )
        except BaseException:
            self._places.release()
            raise

    def _fetch(self, row: ImageRow) -> None:
        try:
            self._arrive(row)
        except ImageSourceUnavailable as error:
            self._put_off(row, error)
        except DatabaseUnavailable as error:
            _LOG.warning("image %s is fetched again later: %s", row.uuid, error)
        except AccelError as error:
            self._fail(row, str(error))
        finally:
            self._places.release()

    def _arrive(self, row: ImageRow) -> None:
        known, parts = self._opened(row)
        with Arrival(self._database, known, limits=self._limits, clock=self._clock) as arrival:
            renewed = self._clock()
            for part in parts:
                arrival.take(part)
                renewed = self._renewed(row, renewed)
            arrival.give(self._origin())

    def _renewed(self, row: ImageRow, since: datetime) -> datetime:
        """Since when there is a lease: a new one now and then."""
        now = self._clock()
        if now - since < _LEASE / 3:
            return since
        self._database.write(lambda connection: image_work.keep(connection, row.uuid, until=now + _LEASE))
        return now

    def _opened(self, row: ImageRow) -> tuple[ImageRow, Iterator[bytes]]:
        """An image as it is known then, and its bytes."""
        if row.source == ImageSource.URL:
            return row, self._sources.url.read(row, CHUNK_BYTES)
        if self._sources.glance is None:
            raise ImageSourceRefused("this conductor has no Glance: [glance] auth_type is not set")
        described = self._sources.glance.describe(row)
        lists = self._database.read(lambda connection: lists_of(connection, [row]))[row.id]
        facts = _merged(facts_of(row, lists), described.facts)
        size = described.size_bytes
        known = self._database.write(
            lambda connection: image_work.announce(connection, row, facts, digest=described.digest, size_bytes=size)
        )
        return known, self._sources.glance.read(row, described, CHUNK_BYTES)

    def _put_off(self, row: ImageRow, error: ImageSourceUnavailable) -> None:
        """Try again soon; what was not to be had for as long as it may take has failed."""
        now = self._clock()
        if now.replace(tzinfo=None) - row.created_at > self._limits.duration:
            self._fail(row, f"it could not be fetched in time: {error}")
            return
        _LOG.warning("image %s is fetched again in %g s: %s", row.uuid, _PAUSE.total_seconds(), error)
        self._database.write(lambda connection: image_work.keep(connection, row.uuid, until=now + _PAUSE))

    def _fail(self, row: ImageRow, reason: str) -> None:
        _LOG.warning("image %s cannot be fetched: %s", row.uuid, reason)
        self._database.write(lambda connection: image_work.fail(connection, row.uuid, reason, origin=self._origin()))

    def _origin(self) -> Origin:
        return Origin(at=self._clock(), service=CONDUCTOR)


def _merged(announced: Facts, said: Facts) -> Facts:
    """What was announced, and what its source says where nothing was."""
    return replace(
        announced,
        kind=announced.kind or said.kind,
        vendor=announced.vendor or said.vendor,
        platform=announced.platform or said.platform,
        region_ids=announced.region_ids or said.region_ids,
        function_ids=announced.function_ids or said.function_ids,
    )


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="image", daemon=True).start()
