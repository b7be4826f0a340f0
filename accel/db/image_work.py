"""The work of conductors on images: who fetches which, until when, and what comes of it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from accel.db import history, images
from accel.db.events import Origin
from accel.db.image_tables import Image
from accel.db.images import ImageRow
from accel.db.scope import EVERYTHING
from accel.model.event import EventKind
from accel.model.registry import Facts, ImageState


def due(connection: Connection, *, now: datetime) -> Sequence[str]:
    """The UUIDs of images that somebody should fetch and nobody does, the oldest first."""
    is_left = or_(Image.lease_until.is_(None), Image.lease_until <= now)
    query = select(Image.uuid).where(Image.state == ImageState.FETCHING, is_left).order_by(Image.id)
    return list(connection.scalars(query))


def take(connection: Connection, uuid: str, *, now: datetime, until: datetime) -> ImageRow | None:
    """Fetch an image from now on; None: somebody else does, or there is nothing to fetch any more."""
    is_left = or_(Image.lease_until.is_(None), Image.lease_until <= now)
    statement = update(Image).where(Image.uuid == uuid, Image.state == ImageState.FETCHING, is_left)
    taken = connection.execute(statement.values(lease_until=until), execution_options={"preserve_rowcount": True})
    return images.get(connection, uuid, scope=EVERYTHING) if taken.rowcount else None


def keep(connection: Connection, uuid: str, *, until: datetime) -> None:
    """Go on fetching for longer."""
    connection.execute(
        update(Image).where(Image.uuid == uuid, Image.state == ImageState.FETCHING).values(lease_until=until)
    )


def announce(connection: Connection, row: ImageRow, facts: Facts, *, digest: str, size_bytes: int | None) -> ImageRow:
    """Write down what its source says of an image before its bytes come.

    :param digest: empty: it does not say
    :param size_bytes: None: it does not say
    """
    images.set_facts(connection, row.id, facts)
    values = {"digest": row.digest or digest or None, "size_bytes": row.size_bytes or size_bytes}
    connection.execute(update(Image).where(Image.id == row.id).values(**values))
    return images.get(connection, row.uuid, scope=EVERYTHING)


def fail(connection: Connection, uuid: str, reason: str, *, origin: Origin) -> None:
    """Give an image up, with its event, unless it has its bytes meanwhile."""
    row = images.get_to_change(connection, uuid, scope=EVERYTHING)
    if row.state != ImageState.FETCHING:
        return
    values = {"state": ImageState.FAILED, "reason": reason, "lease_until": None, "updated_at": origin.at}
    connection.execute(update(Image).where(Image.id == row.id).values(**values))
    after = images.get(connection, uuid, scope=EVERYTHING)
    difference = history.differing(images.told(row), images.told(after))
    images.record(connection, EventKind.IMAGE_FAILED, after, *difference, origin=origin)
