"""Deployables as the API reads them: with their attributes, and with their attach handles where those are wanted."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, exists, select
from sqlalchemy.orm import aliased

from accel.db import attribute_texts
from accel.db.paging import AnySelect, Listing, ListQuery, Page, as_stored, belonging_to, rows_of
from accel.db.refs import may_be_called
from accel.db.tables import AttachHandle, Attribute, Deployable, Device, Holder, Node
from accel.errors import NotFound
from accel.model.attribute import RESOURCE_CLASS_KEY


class DeployableRow(NamedTuple):
    """A deployable as the API shows it in every version. Times are UTC without their zone."""

    id: int
    uuid: str
    parent_id: int | None
    root_id: int | None
    name: str
    num_accelerators: int
    device_id: int
    rp_uuid: str | None
    driver_name: str
    bitstream_id: str | None
    attributes: str
    """A JSON text: a list of objects with one member each, in the order of their making."""
    created_at: datetime
    updated_at: datetime | None


class PlaceRow(NamedTuple):
    """What a deployable is, and what it is a part of."""

    kind: str
    device_uuid: str
    parent_uuid: str | None
    root_uuid: str | None
    node: str
    presence: str


class HandleRow(NamedTuple):
    """An attach handle as the API shows it."""

    uuid: str
    type: str
    info: dict[str, str]
    presence: str
    held: bool


_COLUMNS: dict[str, Any] = {
    "driver_name": Device.driver,
    "attributes": Deployable.attributes_text,
    **{name: as_stored(getattr(Deployable, name)) for name in ("created_at", "updated_at")},
}
_SELECT: AnySelect = (
    select(*(_COLUMNS[name] if name in _COLUMNS else getattr(Deployable, name) for name in DeployableRow._fields))
    .join_from(Deployable, Device, Deployable.device_id == Device.id)
    .join(Node, Device.node_id == Node.id)
)
_SELECT_ONE = _SELECT.where(Deployable.uuid == bindparam("wanted"))

_Parent = aliased(Deployable)
_Root = aliased(Deployable)
_SELECT_PLACES: AnySelect = (
    select(
        Deployable.id,
        Deployable.kind,
        Device.uuid,
        _Parent.uuid,
        _Root.uuid,
        Node.name,
        Deployable.presence,
    )
    .join_from(Deployable, Device, Deployable.device_id == Device.id)
    .join(Node, Device.node_id == Node.id)
    .outerjoin(_Parent, Deployable.parent_id == _Parent.id)
    .outerjoin(_Root, Deployable.root_id == _Root.id)
)


def _has_resource_class(name: str) -> ColumnElement[bool]:
    return exists(
        select(Attribute.id)
        .where(Attribute.deployable_id == Deployable.id, Attribute.key == RESOURCE_CLASS_KEY, Attribute.value == name)
        .correlate(Deployable)
    )


LISTING = Listing(
    key=Deployable.id,
    uuid=Deployable.uuid,
    filters={
        "name": lambda name: Deployable.name == name,
        "device": lambda uuid: Device.uuid == uuid.lower(),
        "node": lambda name: Node.name == name,
        "kind": lambda kind: Deployable.kind == kind,
        "presence": lambda presence: Deployable.presence == presence,
        "driver_name": lambda driver: Device.driver == driver,
        "rc": _has_resource_class,
        "rp_uuid": lambda uuid: Deployable.rp_uuid == uuid.lower(),
        "ref": may_be_called(Deployable.uuid, Deployable.name),
    },
    sort_keys={
        **{
            name: getattr(Deployable, name)
            for name in ("uuid", "name", "kind", "num_accelerators", "presence", "rp_uuid", "created_at", "updated_at")
        },
        "node": Node.name,
        "driver_name": Device.driver,
        "device_uuid": Device.uuid,
    },
    newest_first_when_filtered="created_at",
)


def find(connection: Connection, query: ListQuery) -> Page[DeployableRow]:
    """The deployables of a list.

    :raises InvalidValue: marker or sort key are wrong
    """
    page = LISTING.read(connection, _SELECT, query, make=DeployableRow._make)
    return Page(_whole(connection, page.rows), page.has_more)


def get(connection: Connection, uuid: str) -> DeployableRow:
    """One deployable.

    :raises NotFound: there is no such deployable
    """
    row = connection.execute(_SELECT_ONE, {"wanted": uuid.lower()}).one_or_none()
    if row is None:
        raise NotFound("deployable", uuid)
    return _whole(connection, [DeployableRow._make(row)])[0]


def _whole(connection: Connection, rows: list[DeployableRow]) -> list[DeployableRow]:
    """The rows, each with the text of its attributes, which not all may have had."""
    lacking = [row.id for row in rows if row.attributes is None]
    if not lacking:
        return rows
    made = attribute_texts.make(connection, lacking)
    return [row if row.attributes else row._replace(attributes=made.get(row.id, attribute_texts.NONE)) for row in rows]


def places_of(connection: Connection, rows: Sequence[DeployableRow]) -> dict[int, PlaceRow]:
    """What deployables are and what they are parts of, by ``DeployableRow.id``."""
    statement = belonging_to([row.id for row in rows], _SELECT_PLACES, Deployable.id)
    return {row[0]: PlaceRow._make(row[1:]) for row in rows_of(connection, statement)}


def handles_of(connection: Connection, rows: Sequence[DeployableRow]) -> dict[int, list[HandleRow]]:
    """The attach handles of deployables, in the order of their making, by ``DeployableRow.id``."""
    statement: AnySelect = (
        select(
            AttachHandle.deployable_id,
            AttachHandle.uuid,
            AttachHandle.type,
            AttachHandle.info,
            AttachHandle.presence,
            Holder.id.is_not(None),
        )
        .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
        .order_by(AttachHandle.id)
    )
    statement = belonging_to([row.id for row in rows], statement, AttachHandle.deployable_id)
    found: defaultdict[int, list[HandleRow]] = defaultdict(list)
    for row in rows_of(connection, statement):
        found[row.deployable_id].append(HandleRow._make(row[1:]))
    return found
