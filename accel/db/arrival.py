"""How the bytes of an image come in, from whoever has them: checked as they come, and all of them or none.

::

    with Arrival(database, row, limits=limits, clock=clock) as arrival:
        for data in source:
            arrival.take(data)
        arrival.give(origin)

What is not given at the end of the block is dropped; what is left behind by a process that dies is dropped later, by
``image_contents.abandon_late``.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from accel.db import history, image_contents, images
from accel.db.engine import Connection, Database
from accel.db.events import Origin
from accel.db.images import ImageRow
from accel.db.scope import EVERYTHING
from accel.errors import Conflict, ImageTooLarge, InvalidValue
from accel.model import registry
from accel.model.event import EventKind
from accel.model.image import ImageHeader, read_header
from accel.model.registry import CHUNK_BYTES, ImageState
from accel.signing import check_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What images may be like; option group ``images`` explains each."""

    size_bytes: int
    duration: timedelta


def too_large(size_bytes: int, limits: Limits) -> ImageTooLarge:
    """What to say of an image that is."""
    return ImageTooLarge("size_bytes", size_bytes, f"at most the {limits.size_bytes} of [images] max_size_mib")


class Arrival:
    """Takes the bytes of one image.

    :param row: the image, which has none yet
    :param clock: tells the time, with zone
    """

    def __init__(self, database: Database, row: ImageRow, *, limits: Limits, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._row = row
        self._limits = limits
        self._clock = clock
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._count = 0
        self._size = 0
        self._content_id: int | None = None

    def __enter__(self) -> Self:
        self._began = self._clock()
        self._content_id = self._database.write(lambda connection: image_contents.begin(connection, now=self._began))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        content_id, self._content_id = self._content_id, None
        if content_id is not None:
            self._database.write(lambda connection: image_contents.abandon(connection, content_id))

    def take(self, data: bytes) -> None:
        """Take the next bytes, however many.

        :raises ImageTooLarge: they are more than an image may have
        :raises InvalidValue: they are more than was announced, or have taken too long
        """
        self._size += len(data)
        self._check_size()
        self._digest.update(data)
        self._waiting += data
        while len(self._waiting) >= CHUNK_BYTES:
            self._keep(bytes(self._waiting[:CHUNK_BYTES]))
            del self._waiting[:CHUNK_BYTES]

    def give(self, origin: Origin) -> ImageRow:
        """Make the image ready, with its event.

        :raises InvalidValue: there are fewer bytes than announced, or their header says something else of them
        :raises InvalidImage: their header says that they are damaged
        :raises DigestMismatch: they are others than announced
        :raises Conflict: the image has got its bytes from somebody else meanwhile
        :raises NotFound: it has been deleted meanwhile
        """
        row, content_id = self._row, self._content_id
        if content_id is None or not self._size or self._size != (row.size_bytes or self._size):
            raise InvalidValue("content", f"{self._size} bytes", f"an image of {row.size_bytes or 'some'} bytes")
        digest = self._digest.hexdigest()
        check_digest(row.title, expected=row.digest or digest, found=digest)
        if self._waiting:
            self._keep(bytes(self._waiting))
        with image_contents.as_file(self._database, content_id, self._size) as file:
            header = read_header(file)
        given = self._database.write(lambda connection: self._give(connection, content_id, header, origin))
        self._content_id = None
        return given

    def _give(self, connection: Connection, content_id: int, header: ImageHeader, origin: Origin) -> ImageRow:
        row = images.get_to_change(connection, self._row.uuid, scope=EVERYTHING)
        if row.state == ImageState.READY:
            raise Conflict(f"image {row.title} has its bytes already: make another one for others")
        announced = images.facts_of(row, images.lists_of(connection, [row])[row.id])
        images.set_facts(connection, row.id, registry.agreed(announced, header))
        digest, size = self._digest.hexdigest(), self._size
        image_contents.give(connection, row.id, content_id, digest=digest, size_bytes=size, now=origin.at)
        after = images.get(connection, row.uuid, scope=EVERYTHING)
        difference = history.differing(images.told(row), images.told(after))
        images.record(connection, EventKind.IMAGE_READY, after, *difference, origin=origin)
        return after

    def _check_size(self) -> None:
        if self._size > self._limits.size_bytes:
            raise too_large(self._size, self._limits)
        if self._row.size_bytes is not None and self._size > self._row.size_bytes:
            raise InvalidValue("content", f"{self._size} bytes and more", f"the {self._row.size_bytes} bytes announced")

    def _keep(self, data: bytes) -> None:
        if self._clock() - self._began > self._limits.duration:
            seconds = self._limits.duration.total_seconds()
            raise InvalidValue(
                "content", f"{self._size} bytes", f"complete within {seconds:g} s: [images] time_limit_seconds"
            )
        number, content_id = self._count, self._content_id
        assert content_id is not None  # noqa: S101 - within the block it is known
        self._database.write(lambda connection: image_contents.add(connection, content_id, number, data))
        self._count += 1
