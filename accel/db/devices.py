"""Devices as the API reads them, and the operator's word on them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Text, and_, bindparam, cast, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from accel.db import counts, history
from accel.db.counts import HandleCounts
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.paging import AnySelect, Listing, ListQuery, Page, as_stored
from accel.db.refs import begins
from accel.db.tables import Device, Node
from accel.errors import NotFound
from accel.model.address import PciAddress
from accel.model.event import EventKind
from accel.model.node import DeviceStatus


class BriefRow(NamedTuple):
    """A device as the API shows it in the versions of the reference: half of what is known of it.

    ``std_board_info`` is the JSON text itself: nobody on the way reads it. Times are UTC without their zone.
    """

    id: int
    uuid: str
    type: str
    vendor: str
    model: str
    std_board_info: str
    vendor_board_info: str
    node: str
    status: str
    created_at: datetime
    updated_at: datetime | None


class DeviceRow(NamedTuple):
    """A device as the API shows it since 2.4: a ``BriefRow`` and more."""

    id: int
    uuid: str
    type: str
    vendor: str
    model: str
    std_board_info: str
    vendor_board_info: str
    node: str
    status: str
    created_at: datetime
    updated_at: datetime | None
    address: str | None
    identity: str
    serial: str | None
    product: str
    driver: str
    kernel_driver: str | None
    numa_node: int | None
    presence: str
    health: str
    reason: str
    lost_at: datetime | None


_COLUMNS: dict[str, Any] = {
    **{name: getattr(Device, name) for name in DeviceRow._fields if name != "node"},
    "std_board_info": cast(Device.std_board_info, Text),
    **{name: as_stored(getattr(Device, name)) for name in ("created_at", "updated_at", "lost_at")},
    "node": Node.name,
}
_SELECT_BRIEF: AnySelect = select(*(_COLUMNS[name] for name in BriefRow._fields)).join_from(
    Device, Node, Device.node_id == Node.id
)
_SELECT = _SELECT_BRIEF.with_only_columns(*(_COLUMNS[name] for name in DeviceRow._fields))
_SELECT_ONE = _SELECT.where(Device.uuid == bindparam("wanted"))


def _equal(column: InstrumentedAttribute[Any]) -> Callable[[Any], ColumnElement[bool]]:
    return lambda value: column == value


_WITH_FREE_HANDLE = counts.joined_to_handles(select(Device.id)).where(counts.IS_FREE).correlate(None)
"""The keys of all devices with a free handle: found once, which no database does for what refers to the row outside."""


def _is_free(wanted: bool) -> ColumnElement[bool]:  # noqa: FBT001 - a filter takes its value
    return Device.id.in_(_WITH_FREE_HANDLE) if wanted else Device.id.not_in(_WITH_FREE_HANDLE)


def may_be_called(text: str) -> ColumnElement[bool]:
    """Devices that a person may mean: the start of a UUID, identity, serial number, PCI address, ``node/address``."""
    node, slash, place = text.rpartition("/")
    at_address = Device.address == _address(place)
    if slash:
        return and_(Node.name == node, or_(at_address, Device.identity == place))
    return or_(
        begins(Device.uuid, text),
        Device.identity == text,
        Device.serial == text,
        at_address,
    )


def _address(text: str) -> str:
    """The text as addresses are stored; what is no address is left as it is, and found nowhere."""
    return str(PciAddress.read(text) or text)


LISTING = Listing(
    key=Device.id,
    uuid=Device.uuid,
    filters={
        **{
            name: _equal(getattr(Device, name))
            for name in ("type", "vendor", "model", "status", "health", "presence", "driver", "numa_node", "identity")
        },
        "address": lambda text: Device.address == _address(text),
        "hostname": _equal(Node.name),
        "node": _equal(Node.name),
        "free": _is_free,
        "ref": may_be_called,
    },
    sort_keys={
        **{
            name: getattr(Device, name)
            for name in (
                *("uuid", "type", "vendor", "model", "product", "status", "health", "presence", "driver"),
                *("identity", "address", "serial", "numa_node", "created_at", "updated_at", "lost_at"),
            )
        },
        "hostname": Node.name,
        "node": Node.name,
    },
    newest_first_when_filtered="created_at",
)


def find(connection: Connection, query: ListQuery) -> Page[DeviceRow]:
    """The devices of a list.

    :raises InvalidValue: marker or sort key are wrong
    """
    return LISTING.read(connection, _SELECT, query, make=DeviceRow._make)


def find_brief(connection: Connection, query: ListQuery) -> Page[BriefRow]:
    """The same devices in brief, which costs half as much.

    :raises InvalidValue: marker or sort key are wrong
    """
    return LISTING.read(connection, _SELECT_BRIEF, query, make=BriefRow._make)


def get(connection: Connection, uuid: str) -> DeviceRow:
    """One device.

    :raises NotFound: there is no such device
    """
    row = connection.execute(_SELECT_ONE, {"wanted": uuid.lower()}).one_or_none()
    if row is None:
        raise NotFound("device", uuid)
    return DeviceRow._make(row)


def handles_of(connection: Connection, rows: list[DeviceRow]) -> dict[int, HandleCounts]:
    """The attach handles of devices, counted, by ``DeviceRow.id``; a device without handles is left out."""
    return counts.handles_by(connection, Device.id, [row.id for row in rows])


@dataclass(frozen=True, slots=True)
class _Change:
    kind: EventKind
    before: DeviceStatus


_CHANGES = {
    DeviceStatus.ENABLED: _Change(EventKind.DEVICE_ENABLED, DeviceStatus.MAINTAINING),
    DeviceStatus.MAINTAINING: _Change(EventKind.DEVICE_DISABLED, DeviceStatus.ENABLED),
}


def set_status(connection: Connection, uuid: str, status: DeviceStatus, *, origin: Origin) -> None:
    """Enable or disable a device, with its event. A device that is so already is left as it is, without an event.

    :raises NotFound: there is no such device
    """
    change = _CHANGES[status]
    changed = connection.execute(
        update(Device)
        .where(Device.uuid == uuid.lower(), Device.status == change.before)
        .values(status=status, updated_at=origin.at)
    )
    device = get(connection, uuid)
    if changed.rowcount:
        entry = Entry(
            kind=change.kind,
            subject=f"{device.model} {device.address or device.identity}",
            source=origin.source,
            node=device.node,
            device_uuid=device.uuid,
            before={"status": change.before},
            after={"status": status},
            request_id=origin.request_id,
        )
        history.write(connection, [entry], origin.at)
