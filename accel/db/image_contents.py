"""The bytes of images: how they arrive, where they are found, and when they go.

They arrive part by part, each in a transaction of its own, so that a large image keeps nobody waiting. As long as they
arrive they belong to no image; the last transaction gives them to theirs, or drops them where the same bytes are there
already. Nobody sees which of both has happened: whoever wants an image to have certain bytes sends all of them.
"""

import io
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import BinaryIO, cast

from sqlalchemy import Connection, delete, insert, select, update

from accel.db.engine import Database
from accel.db.image_tables import Image, ImageChunk, ImageContent
from accel.model.registry import CHUNK_BYTES, DIGEST_PREFIX, ImageState


def begin(connection: Connection, *, now: datetime) -> int:
    """Let bytes arrive; gives the key by which they are added to."""
    statement = insert(ImageContent).values(digest=None, size_bytes=0, created_at=now)
    (key,) = cast("tuple[int]", connection.execute(statement).inserted_primary_key)
    return key


def add(connection: Connection, content_id: int, number: int, data: bytes) -> None:
    """Keep a part of arriving bytes.

    :param number: from 0, of parts of ``CHUNK_BYTES``
    """
    connection.execute(insert(ImageChunk).values(content_id=content_id, number=number, data=data))


def give(
    connection: Connection, image_id: int, content_id: int, *, digest: str, size_bytes: int, now: datetime
) -> None:
    """Make an image ready with bytes that have arrived."""
    stored = _same(connection, digest)
    if stored is None:
        whole = {"digest": digest, "size_bytes": size_bytes}
        connection.execute(update(ImageContent).where(ImageContent.id == content_id).values(**whole))
    else:
        abandon(connection, content_id)
    ready = {
        "digest": digest,
        "size_bytes": size_bytes,
        "content_id": content_id if stored is None else stored,
        "state": ImageState.READY,
        "reason": "",
        "lease_until": None,
        "updated_at": now,
    }
    connection.execute(update(Image).where(Image.id == image_id).values(**ready))


def abandon(connection: Connection, content_id: int) -> None:
    """Drop bytes that belong to no image."""
    connection.execute(delete(ImageChunk).where(ImageChunk.content_id == content_id))
    connection.execute(delete(ImageContent).where(ImageContent.id == content_id))


def abandon_late(connection: Connection, *, begun_before: datetime) -> int:
    """Drop bytes whose sender is gone; gives of how many images those were."""
    is_late = ImageContent.digest.is_(None) & (ImageContent.created_at < begun_before)
    late = connection.scalars(select(ImageContent.id).where(is_late).with_for_update()).all()
    for content_id in late:
        abandon(connection, content_id)
    return len(late)


def drop_if_unused(connection: Connection, content_id: int) -> None:
    """Drop the bytes of an image that is gone, unless another one has them too."""
    connection.execute(select(ImageContent.id).where(ImageContent.id == content_id).with_for_update()).all()
    if connection.execute(select(Image.id).where(Image.content_id == content_id).limit(1)).first() is None:
        abandon(connection, content_id)


def read(connection: Connection, digest: str, offset: int) -> bytes | None:
    """The part of some bytes that an offset is in; None: there is no such part.

    :param digest: with or without ``sha256:`` before it
    """
    is_meant = ImageContent.digest == digest.removeprefix(DIGEST_PREFIX)
    of_content = select(ImageChunk.data).join(ImageContent, ImageContent.id == ImageChunk.content_id)
    return connection.scalar(of_content.where(is_meant, ImageChunk.number == offset // CHUNK_BYTES))


def read_part(connection: Connection, content_id: int, number: int) -> bytes:
    """A part of some bytes; empty where there is none.

    :param number: from 0, of parts of ``CHUNK_BYTES``
    """
    statement = select(ImageChunk.data).where(ImageChunk.content_id == content_id, ImageChunk.number == number)
    return connection.scalar(statement) or b""


def parts(database: Database, content_id: int, size_bytes: int) -> Iterator[bytes]:
    """The bytes of an image, part by part. It ends early where they are deleted meanwhile."""
    for number in range(-(-size_bytes // CHUNK_BYTES)):
        yield database.read(lambda connection, number=number: read_part(connection, content_id, number))  # type: ignore[misc] # the name is bound at once


def as_file(database: Database, content_id: int, size_bytes: int) -> BinaryIO:
    """The bytes of an image as a file that can be read anywhere; only what is read is fetched."""

    def read_one(number: int) -> bytes:
        return database.read(lambda connection: read_part(connection, content_id, number))

    return cast(BinaryIO, io.BufferedReader(_Stored(read_one, size_bytes)))


class _Stored(io.RawIOBase):
    """Reads parts, each when it is needed.

    :param read_one: gives the part of a number
    """

    def __init__(self, read_one: Callable[[int], bytes], size: int) -> None:
        self._read_one = read_one
        self._size = size
        self._at = 0
        self._number, self._part = -1, b""

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on elsewhere."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # any writable buffer will do
        """Read as much as is in one part."""
        if self._at >= self._size:
            return 0
        number, start = divmod(self._at, CHUNK_BYTES)
        if number != self._number:
            self._number, self._part = number, self._read_one(number)
        data = self._part[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _same(connection: Connection, digest: str) -> int | None:
    """The same bytes, where they are; they stay until the end of the transaction."""
    return connection.scalar(select(ImageContent.id).where(ImageContent.digest == digest).with_for_update())
