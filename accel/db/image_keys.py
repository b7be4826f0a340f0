"""The keys whose signatures projects vouch for. A project sees its own; an administrator all."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from accel.db import history
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.image_tables import ImageKey
from accel.db.paging import AnySelect, Listing, ListQuery, Page, as_stored
from accel.db.refs import may_be_called
from accel.db.rows import Values
from accel.db.scope import Scope
from accel.errors import Conflict, NotFound
from accel.model.event import EventKind
from accel.model.registry import NewKey


class KeyRow(NamedTuple):
    """A key as the API shows it. Times are UTC without their zone."""

    id: int
    uuid: str
    project_id: str
    name: str
    public_key: str
    revoked_at: datetime | None
    created_at: datetime


_TIMES = {name: as_stored(getattr(ImageKey, name)) for name in ("revoked_at", "created_at")}
_SELECT: AnySelect = select(*(_TIMES.get(name, getattr(ImageKey, name)) for name in KeyRow._fields))
_TOLD = ("uuid", "name", "public_key")

LISTING = Listing(
    key=ImageKey.id,
    uuid=ImageKey.uuid,
    filters={
        "name": lambda name: ImageKey.name == name,
        "project_id": lambda project_id: ImageKey.project_id == project_id,
        "is_revoked": lambda is_revoked: ImageKey.revoked_at.is_(None).is_not(is_revoked),
        "ref": may_be_called(ImageKey.uuid, ImageKey.name),
    },
    sort_keys={name: getattr(ImageKey, name) for name in ("uuid", "name", "created_at")},
)


def find(connection: Connection, query: ListQuery, *, scope: Scope) -> Page[KeyRow]:
    """The keys of a list.

    :raises InvalidValue: marker or sort key are wrong
    """
    return LISTING.read(connection, _SELECT.where(scope.owns(ImageKey.project_id)), query, make=KeyRow._make)


def get(connection: Connection, uuid: str, *, scope: Scope) -> KeyRow:
    """One key.

    :raises NotFound: there is none that is the caller's
    """
    statement = _SELECT.where(ImageKey.uuid == uuid.lower(), scope.owns(ImageKey.project_id))
    found = connection.execute(statement).one_or_none()
    if found is None:
        raise NotFound("image key", uuid)
    return KeyRow._make(found)


def of_project(connection: Connection, project_id: str) -> Sequence[KeyRow]:
    """The keys of a project, the revoked ones among them; none is revoked before the transaction ends."""
    statement = _SELECT.where(ImageKey.project_id == project_id)
    return [KeyRow._make(row) for row in connection.execute(statement.order_by(ImageKey.id).with_for_update())]


def create(connection: Connection, key: NewKey, *, origin: Origin) -> KeyRow:
    """Register a key, with its event.

    :raises Conflict: its project has another one of this name, or this one, perhaps revoked
    """
    of_project = ImageKey.project_id == key.project_id
    if connection.execute(select(ImageKey.id).where(of_project, ImageKey.name == key.name)).first() is not None:
        raise Conflict(f"name: the project has another key that is called {key.name}")
    same = connection.execute(
        select(ImageKey.name, ImageKey.revoked_at).where(of_project, ImageKey.public_key == key.public_key)
    ).first()
    if same is not None:
        state = "which is revoked: make a new one" if same.revoked_at else "which is good"
        raise Conflict(f"public_key: the project has this key already as {same.name}, {state}")
    values = {name: getattr(key, name) for name in ("uuid", "project_id", "name", "public_key")}
    connection.execute(insert(ImageKey).values(**values, created_at=origin.at))
    row = _by_uuid(connection, key.uuid)
    _record(connection, EventKind.IMAGE_KEY_CREATED, row, None, _told(row), origin=origin)
    return row


def revoke(connection: Connection, uuid: str, *, scope: Scope, origin: Origin) -> KeyRow:
    """Have nothing loaded any more that a key has signed, with its event; nothing happens to one that is revoked.

    :raises NotFound: there is none that is the caller's
    """
    connection.execute(select(ImageKey.id).where(ImageKey.uuid == uuid.lower()).with_for_update()).all()
    row = get(connection, uuid, scope=scope)
    if row.revoked_at is not None:
        return row
    connection.execute(update(ImageKey).where(ImageKey.id == row.id).values(revoked_at=origin.at))
    after = _by_uuid(connection, row.uuid)
    _record(connection, EventKind.IMAGE_KEY_REVOKED, after, _told(row), None, origin=origin)
    return after


def _by_uuid(connection: Connection, uuid: str) -> KeyRow:
    return KeyRow._make(connection.execute(_SELECT.where(ImageKey.uuid == uuid)).one())


def _told(row: KeyRow) -> Values:
    return {name: getattr(row, name) for name in _TOLD}


def _record(
    connection: Connection, kind: EventKind, row: KeyRow, before: Values | None, after: Values | None, *, origin: Origin
) -> None:
    entry = Entry(
        kind=kind,
        subject=row.name,
        source=origin.source,
        node=None,
        before=before,
        after=after,
        request_id=origin.request_id,
        project_id=row.project_id,
    )
    history.write(connection, [entry], origin.at)
