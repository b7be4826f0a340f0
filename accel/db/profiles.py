"""Device profiles as the API reads, makes, changes and deletes them.

A name is unique over all projects, because Nova asks by name only. What a caller does not see is not there for the
caller, except that its name is taken.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from accel.db import history
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.paging import AnySelect, Listing, ListQuery, Page, as_stored
from accel.db.refs import may_be_called
from accel.db.rows import Values
from accel.db.scope import Scope, in_sight
from accel.db.tables import AcceleratorRequest, DeviceProfile
from accel.errors import Conflict, NotFound, StaleVersion, UuidInUse
from accel.model import profile as model
from accel.model.event import EventKind
from accel.model.profile import is_uuid_like

_MOST_USERS_NAMED = 10


class ProfileRow(NamedTuple):
    """A device profile as the API shows it. Times are UTC without their zone."""

    id: int
    uuid: str
    name: str
    description: str | None
    groups: list[dict[str, str]]
    version: int
    project_id: str | None
    is_public: bool
    created_at: datetime
    updated_at: datetime | None


_TIMES = {name: as_stored(getattr(DeviceProfile, name)) for name in ("created_at", "updated_at")}
_SELECT: AnySelect = select(*(_TIMES.get(name, getattr(DeviceProfile, name)) for name in ProfileRow._fields))
_BY_NAME: AnySelect = _SELECT.where(
    DeviceProfile.name == bindparam("wanted"), in_sight(DeviceProfile.project_id, DeviceProfile.is_public)
)
_TOLD = ("uuid", "name", "description", "groups", "version", "project_id", "is_public")
"""What events say of a profile."""


LISTING = Listing(
    key=DeviceProfile.id,
    uuid=DeviceProfile.uuid,
    filters={
        "name": lambda names: DeviceProfile.name.in_(sorted(set(names.split(",")))),
        "project_id": lambda project_id: DeviceProfile.project_id == project_id,
        "is_public": DeviceProfile.is_public.is_,
        "ref": may_be_called(DeviceProfile.uuid, DeviceProfile.name),
    },
    sort_keys={name: getattr(DeviceProfile, name) for name in ("uuid", "name", "created_at", "updated_at")},
)


def find(connection: Connection, query: ListQuery, *, scope: Scope) -> Page[ProfileRow]:
    """The device profiles of a list.

    :raises InvalidValue: marker or sort key are wrong
    """
    return LISTING.read(connection, _visible(scope), query, make=ProfileRow._make)


def get(connection: Connection, key: str, *, scope: Scope) -> ProfileRow:
    """One device profile, by its UUID, or by its name where that does not look like a UUID.

    :raises NotFound: there is no such device profile
    """
    return _get_all(connection, [key], _visible(scope))[0]


def get_by_name(connection: Connection, name: str, *, scope: Scope) -> ProfileRow:
    """One device profile by its name, whatever that looks like.

    :raises NotFound: there is no such device profile
    """
    found = connection.execute(_BY_NAME, {"wanted": name, **scope.values}).one_or_none()
    if found is None or found.name != name:  # MariaDB does not look at blanks at the end
        raise NotFound("device profile", name)
    return ProfileRow._make(found)


def get_to_change(connection: Connection, key: str, *, scope: Scope) -> ProfileRow:
    """As ``get``; nobody else changes or deletes it before the end of the transaction.

    :raises NotFound: there is no such device profile
    """
    return _get_all(connection, [key], _changeable(scope))[0]


def create(connection: Connection, profile: model.DeviceProfile, *, origin: Origin) -> ProfileRow:
    """Make a device profile, with its event.

    :raises Conflict: another one has the name
    :raises UuidInUse: another one has the UUID
    """
    _check_name(connection, profile.name)
    if connection.execute(select(DeviceProfile.id).where(DeviceProfile.uuid == profile.uuid)).first() is not None:
        raise UuidInUse(profile.uuid)
    values = asdict(profile) | {"groups": list(profile.groups), "version": 1, "created_at": origin.at}
    connection.execute(insert(DeviceProfile).values(values))
    row = _by_uuid(connection, profile.uuid)
    _record(connection, EventKind.PROFILE_CREATED, [(row, None, _told(row))], origin=origin)
    return row


def change(
    connection: Connection, row: ProfileRow, changes: Mapping[str, Any], *, version: int, origin: Origin
) -> ProfileRow:
    """Change a device profile, with its event, if it has not been changed since somebody read it.

    :param row: from ``get_to_change`` in this transaction
    :param changes: columns and their new values
    :param version: the one that was read
    :raises StaleVersion: it has been changed since
    :raises Conflict: another one has the new name
    """
    if row.version != version:
        raise StaleVersion(f"device profile {row.name}", given=version, current=row.version)
    if changes.get("name", row.name) != row.name:
        _check_name(connection, changes["name"])
    connection.execute(
        update(DeviceProfile)
        .where(DeviceProfile.id == row.id)
        .values(**changes, version=row.version + 1, updated_at=origin.at)
    )
    after = _by_uuid(connection, row.uuid)
    difference = history.differing(_told(row), _told(after))
    _record(connection, EventKind.PROFILE_CHANGED, [(after, *difference)], origin=origin)
    return after


def remove(connection: Connection, keys: Sequence[str], *, scope: Scope, origin: Origin) -> None:
    """Delete device profiles, each named as ``get`` takes it, with their events: all of them or none.

    :raises NotFound: there is no such device profile
    :raises Conflict: there are requests for what one of them describes
    """
    rows = _get_all(connection, keys, _changeable(scope))
    _check_unused(connection, rows)
    connection.execute(delete(DeviceProfile).where(DeviceProfile.id.in_([row.id for row in rows])))
    gone = [(row, _told(row), None) for row in rows]
    _record(connection, EventKind.PROFILE_DELETED, gone, origin=origin)


def _check_unused(connection: Connection, rows: Sequence[ProfileRow]) -> None:
    names = {row.id: row.name for row in rows}
    is_theirs = AcceleratorRequest.profile_id.in_(names)
    users = connection.execute(
        select(AcceleratorRequest.profile_id, AcceleratorRequest.uuid)
        .where(is_theirs)
        .order_by(AcceleratorRequest.id)
        .limit(_MOST_USERS_NAMED + 1)
    ).all()
    if users:
        named = ", ".join(user.uuid for user in users[:_MOST_USERS_NAMED])
        more = " and others" if len(users) > _MOST_USERS_NAMED else ""
        profiles = ", ".join(sorted({names[user.profile_id] for user in users}))
        raise Conflict(f"device profile {profiles} is in use by accelerator requests {named}{more}: delete those first")


def _visible(scope: Scope) -> AnySelect:
    return _SELECT.where(scope.shows(DeviceProfile.project_id, DeviceProfile.is_public))


def _changeable(scope: Scope) -> AnySelect:
    """What everybody sees only its own project changes, and what is nobody's only an administrator."""
    return _SELECT.where(scope.owns(DeviceProfile.project_id)).with_for_update()


def _get_all(connection: Connection, keys: Sequence[str], statement: AnySelect) -> list[ProfileRow]:
    """The device profiles of these keys, in the order of their creation.

    :raises NotFound: one of them is not there
    """
    uuids = {key: _canonical(key) for key in keys if is_uuid_like(key)}
    names = set(keys) - uuids.keys()
    is_meant = or_(DeviceProfile.uuid.in_(sorted(set(uuids.values()))), DeviceProfile.name.in_(sorted(names)))
    found = connection.execute(statement.where(is_meant).order_by(DeviceProfile.id))
    rows = [ProfileRow._make(row) for row in found]
    known = {row.uuid for row in rows} | {row.name for row in rows if row.name in names}
    for key in keys:
        if uuids.get(key, key) not in known:
            raise NotFound("device profile", key)
    return rows


def _canonical(uuid: str) -> str:
    return str(UUID(uuid))


def _by_uuid(connection: Connection, uuid: str) -> ProfileRow:
    return ProfileRow._make(connection.execute(_SELECT.where(DeviceProfile.uuid == uuid)).one())


def _check_name(connection: Connection, name: str) -> None:
    if connection.execute(select(DeviceProfile.id).where(DeviceProfile.name == name)).first() is not None:
        raise Conflict(f"name: another device profile is called {name}")


def _told(row: ProfileRow) -> Values:
    return {name: getattr(row, name) for name in _TOLD}


def _record(
    connection: Connection,
    kind: EventKind,
    changes: Iterable[tuple[ProfileRow, Values | None, Values | None]],
    *,
    origin: Origin,
) -> None:
    """Write an event for each profile with what was before and what is after."""
    entries = [
        Entry(
            kind=kind,
            subject=row.name,
            source=origin.source,
            node=None,
            before=before,
            after=after,
            request_id=origin.request_id,
            project_id=None if row.is_public else row.project_id,
        )
        for row, before, after in changes
    ]
    history.write(connection, entries, origin.at)
