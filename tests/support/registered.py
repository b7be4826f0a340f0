"""Images in the registry, for tests: made as the API makes them, over a database."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from accel.db import image_contents, image_keys, images
from accel.db.arrival import Arrival, Limits
from accel.db.engine import Database
from accel.db.events import Origin
from accel.db.images import ImageRow
from accel.db.scope import EVERYTHING
from accel.model.registry import Facts, ImageSource, NewImage, NewKey, Visibility

IMAGE, WAITING_IMAGE, KEY = (f"{kind}0000000-0000-4000-8000-000000000001" for kind in "def")
"""What ``add_images`` adds."""

LIMITS = Limits(size_bytes=16 << 20, duration=timedelta(minutes=5))


def announce(database: Database, clock: Callable[[], datetime], name: str = "blur", **values: Any) -> ImageRow:
    """An image that waits for its bytes."""
    defaults = {
        "uuid": str(uuid4()),
        "project_id": "own",
        "version": "",
        "facts": Facts(),
        "visibility": Visibility.PRIVATE,
        "projects": (),
        "source": ImageSource.UPLOAD,
        "source_ref": "",
        "digest": "",
        "size_bytes": None,
    }
    new = NewImage(**{"name": name, **defaults, **values})
    return database.write(lambda connection: images.create(connection, new, signed={}, origin=Origin(at=clock())))


def send(
    database: Database,
    row: ImageRow,
    parts: Iterable[bytes],
    clock: Callable[[], datetime],
    *,
    limits: Limits = LIMITS,
) -> ImageRow:
    """The image once its bytes are there."""
    with Arrival(database, row, limits=limits, clock=clock) as arrival:
        for part in parts:
            arrival.take(part)
        return arrival.give(Origin(at=clock()))


def bytes_of(database: Database, row: ImageRow) -> bytes:
    """What is kept of an image."""
    row = database.read(lambda connection: images.get(connection, row.uuid, scope=EVERYTHING))
    assert row.content_id is not None
    return b"".join(image_contents.parts(database, row.content_id, row.size_bytes or 0))


def sha256(data: bytes) -> str:
    """The digest of some bytes."""
    return hashlib.sha256(data).hexdigest()


def add_images(database: Database) -> None:
    """An image with its bytes, one that waits for them, and a key."""
    send(database, announce(database, _now, uuid=IMAGE), [b"hello"], _now)
    announce(database, _now, name="waiting", uuid=WAITING_IMAGE, digest=sha256(b"hello"), size_bytes=5)
    new = NewKey(uuid=KEY, project_id="own", name="release", public_key="iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=")
    database.write(lambda connection: image_keys.create(connection, new, origin=Origin(at=_now())))


def _now() -> datetime:
    return datetime.now(UTC)
