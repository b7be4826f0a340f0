"""Attach handles as the API reads them: what can be handed out, who has it, and why nobody can have it."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, or_, select

from accel.db import counts, devices, places
from accel.db.paging import AnySelect, Listing, ListQuery, Page, as_stored
from accel.db.places import Place
from accel.db.refs import begins
from accel.db.same_thing import held_through_doubtful_handle
from accel.db.tables import AcceleratorRequest, AttachHandle, Deployable, Device, Holder, Node
from accel.errors import NotFound
from accel.model.address import PciAddress
from accel.model.device import Presence, pci_handle

_SHORTEST_INFO_VALUE = 6
"""What is shorter may be a part of a PCI address, which names nothing."""


class HolderRow(NamedTuple):
    """Who has an attach handle. Times are UTC without their zone."""

    uuid: str
    kind: str
    name: str
    project_id: str | None
    request_uuid: str | None
    since: datetime


class HandleRow(NamedTuple):
    """An attach handle, where it is and who has it. Times are UTC without their zone."""

    id: int
    uuid: str
    type: str
    info: dict[str, str]
    presence: str
    created_at: datetime
    updated_at: datetime | None
    deployable_uuid: str
    is_held_elsewhere: bool
    """Whether somebody has what it stands for through another handle."""
    place: Place
    holder: HolderRow | None

    def obstacles(self) -> Iterator[str]:
        """What keeps it from being given to anybody, beside whoever has it; the weightiest first."""
        if self.presence != Presence.PRESENT:
            yield "it is lost"
        yield from places.obstacles(self.place)
        if self.is_held_elsewhere:
            yield "what it stands for is held through the handle of a device that is lost"


_IS_HELD_ELSEWHERE: ColumnElement[bool] = and_(Holder.id.is_(None), held_through_doubtful_handle())
_OWN: tuple[Any, ...] = (
    AttachHandle.id,
    AttachHandle.uuid,
    AttachHandle.type,
    AttachHandle.info,
    AttachHandle.presence,
    as_stored(AttachHandle.created_at),
    as_stored(AttachHandle.updated_at),
    Deployable.uuid,
    case((_IS_HELD_ELSEWHERE, 1), else_=0),
)
_PLACE_ENDS = len(_OWN) + len(places.COLUMNS)
_HOLDER: tuple[Any, ...] = (
    Holder.uuid,
    Holder.kind,
    Holder.name,
    Holder.project_id,
    AcceleratorRequest.uuid,
    as_stored(Holder.created_at),
)
_SELECT: AnySelect = (
    select(*_OWN, *places.COLUMNS, *_HOLDER)
    .join_from(AttachHandle, Deployable, Deployable.id == AttachHandle.deployable_id)
    .join(Device, Device.id == Deployable.device_id)
    .join(Node, Node.id == Device.node_id)
    .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
    .outerjoin(AcceleratorRequest, AcceleratorRequest.id == Holder.request_id)
)
_SELECT_ONE = _SELECT.where(AttachHandle.uuid == bindparam("wanted"))


def _is_free(wanted: bool) -> ColumnElement[bool]:  # noqa: FBT001 - a filter takes its value
    return counts.IS_FREE if wanted else ~counts.IS_FREE


def _may_be_called(text: str) -> ColumnElement[bool]:
    """Handles that a person may mean: by the start of their UUID, by what they stand for, or by their device."""
    named = [devices.may_be_called(text), Deployable.name == text, begins(AttachHandle.uuid, text)]
    if len(text) >= _SHORTEST_INFO_VALUE:
        named.append(AttachHandle.info_key.contains(f":{json.dumps(text)}", autoescape=True))
    node, slash, place = text.rpartition("/")
    address = PciAddress.read(place)
    if address is None:
        return or_(*named)
    is_function = AttachHandle.info_key == pci_handle(address).key
    return or_(*named, and_(is_function, Node.name == node) if slash else is_function)


LISTING = Listing(
    key=AttachHandle.id,
    uuid=AttachHandle.uuid,
    filters={
        "device_uuid": lambda uuid: Device.uuid == uuid.lower(),
        "deployable_uuid": lambda uuid: Deployable.uuid == uuid.lower(),
        "node": lambda name: Node.name == name,
        "type": lambda type_: AttachHandle.type == type_,
        "presence": lambda presence: AttachHandle.presence == presence,
        "is_held": lambda wanted: Holder.id.is_not(None) if wanted else Holder.id.is_(None),
        "is_free": _is_free,
        "ref": _may_be_called,
    },
    sort_keys={
        **{name: getattr(AttachHandle, name) for name in ("uuid", "type", "presence", "created_at", "updated_at")},
        "node": Node.name,
        "device_uuid": Device.uuid,
        "deployable_name": Deployable.name,
    },
)


def find(connection: Connection, query: ListQuery) -> Page[HandleRow]:
    """The attach handles of a list.

    :raises InvalidValue: marker or sort key are wrong
    """
    return LISTING.read(connection, _SELECT, query, make=_row)


def get(connection: Connection, uuid: str) -> HandleRow:
    """One attach handle.

    :raises NotFound: there is no such attach handle
    """
    row = connection.execute(_SELECT_ONE, {"wanted": uuid.lower()}).one_or_none()
    if row is None:
        raise NotFound("attach handle", uuid)
    return _row(row)


def _row(values: Iterable[Any]) -> HandleRow:
    found = tuple(values)
    *own, is_held_elsewhere = found[: len(_OWN)]
    place, holder = Place._make(found[len(_OWN) : _PLACE_ENDS]), found[_PLACE_ENDS:]
    has_holder = holder[0] is not None
    return HandleRow._make(
        [*own, bool(is_held_elsewhere), place, HolderRow._make(holder) if has_holder else None],
    )
