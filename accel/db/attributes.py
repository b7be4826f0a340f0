"""Attributes as the API reads, adds and removes them."""

from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert, select, true

from accel.db import attribute_texts, history
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.paging import AnySelect, Listing, ListQuery, Page, as_stored
from accel.db.rows import Values
from accel.db.tables import Attribute, Deployable, Device, Node
from accel.errors import NotFound
from accel.model.event import EventKind


class AttributeRow(NamedTuple):
    """An attribute as the API shows it. Times are UTC without their zone."""

    id: int
    uuid: str
    deployable_id: int
    key: str
    value: str
    created_at: datetime
    updated_at: datetime | None


_TIMES = {name: as_stored(getattr(Attribute, name)) for name in ("created_at", "updated_at")}
_SELECT: AnySelect = select(*(_TIMES.get(name, getattr(Attribute, name)) for name in AttributeRow._fields))
_SELECT_ONE = _SELECT.where(Attribute.uuid == bindparam("wanted"))

LISTING = Listing(
    key=Attribute.id,
    uuid=Attribute.uuid,
    filters={
        "deployable_id": lambda key: Attribute.deployable_id == key if key else true(),  # 0 asks for all of them
        "key": lambda key: Attribute.key == key,
        "value": lambda value: Attribute.value == value,
    },
    sort_keys={name: getattr(Attribute, name) for name in ("uuid", "key", "deployable_id", "created_at", "updated_at")},
)


def find(connection: Connection, query: ListQuery) -> Page[AttributeRow]:
    """The attributes of a list.

    :raises InvalidValue: marker or sort key are wrong
    """
    return LISTING.read(connection, _SELECT, query, make=AttributeRow._make)


def get(connection: Connection, uuid: str) -> AttributeRow:
    """One attribute.

    :raises NotFound: there is no such attribute
    """
    row = connection.execute(_SELECT_ONE, {"wanted": uuid.lower()}).one_or_none()
    if row is None:
        raise NotFound("attribute", uuid)
    return AttributeRow._make(row)


def create(connection: Connection, deployable: int | str, *, key: str, value: str, origin: Origin) -> AttributeRow:
    """Add an operator's attribute to a deployable, with its event. Two with the same key may stand side by side.

    :param deployable: its integer key or its UUID
    :raises NotFound: there is no such deployable
    """
    is_named = Deployable.id == deployable if isinstance(deployable, int) else Deployable.uuid == deployable.lower()
    deployable_id = connection.execute(select(Deployable.id).where(is_named)).scalar_one_or_none()
    if deployable_id is None:
        raise NotFound("deployable", str(deployable))
    uuid = str(uuid4())
    with attribute_texts.kept(connection, [deployable_id]):
        connection.execute(
            insert(Attribute).values(uuid=uuid, deployable_id=deployable_id, key=key, value=value, created_at=origin.at)
        )
    _record(connection, EventKind.ATTRIBUTE_ADDED, deployable_id, None, {key: value}, origin=origin)
    return get(connection, uuid)


def remove(connection: Connection, uuid: str, *, origin: Origin) -> None:
    """Remove an attribute, with its event. What a driver reports comes back with the driver's next report.

    :raises NotFound: there is no such attribute
    """
    row = get(connection, uuid)
    with attribute_texts.kept(connection, [row.deployable_id]):
        connection.execute(delete(Attribute).where(Attribute.id == row.id))
    _record(connection, EventKind.ATTRIBUTE_REMOVED, row.deployable_id, {row.key: row.value}, None, origin=origin)


def _record(
    connection: Connection,
    kind: EventKind,
    deployable_id: int,
    before: Values | None,
    after: Values | None,
    *,
    origin: Origin,
) -> None:
    node, device_uuid, name = connection.execute(
        select(Node.name, Device.uuid, Deployable.name)
        .join_from(Deployable, Device, Deployable.device_id == Device.id)
        .join(Node, Device.node_id == Node.id)
        .where(Deployable.id == deployable_id)
    ).one()
    entry = Entry(
        kind=kind,
        subject=name,
        source=origin.source,
        node=node,
        device_uuid=device_uuid,
        request_id=origin.request_id,
        before=before,
        after=after,
    )
    history.write(connection, [entry], origin.at)
