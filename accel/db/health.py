"""The health of devices as the API reads it: the signals, and what followed from them."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from accel.db import signal_texts
from accel.db.paging import AnySelect, Listing, ListQuery, Page
from accel.db.tables import Device, Node
from accel.errors import NotFound
from accel.model.device import Health


class HealthRow(NamedTuple):
    """The health of one device as the API shows it."""

    uuid: str
    """The device's."""
    node: str
    address: str | None
    type: str
    model: str
    driver: str
    presence: str
    health: str
    reason: str
    signals_text: str | None
    lost_at: datetime | None


_SELECT: AnySelect = select(
    *(Node.name.label("node") if name == "node" else getattr(Device, name) for name in HealthRow._fields)
).join_from(Device, Node, Device.node_id == Node.id)

LISTING = Listing(
    key=Device.id,
    uuid=Device.uuid,
    filters={
        "node": lambda name: Node.name == name,
        "type": lambda kind: Device.type == kind,
        "health": lambda health: Device.health == health,
        "source": signal_texts.has_source,
        "value": signal_texts.has_value,
        "complaints": lambda wanted: signal_texts.complains() if wanted else ~signal_texts.complains(),
    },
    sort_keys={"node": Node.name, **{name: getattr(Device, name) for name in ("address", "type", "health", "uuid")}},
)


def find(connection: Connection, query: ListQuery) -> Page[HealthRow]:
    """The health of the devices of a list.

    :raises InvalidValue: marker or sort key are wrong
    """
    return LISTING.read(connection, _SELECT, query, make=HealthRow._make)


def get(connection: Connection, uuid: str) -> HealthRow:
    """The health of one device.

    :raises NotFound: there is no such device
    """
    row = connection.execute(_SELECT.where(Device.uuid == uuid.lower())).one_or_none()
    if row is None:
        raise NotFound("device", uuid)
    return HealthRow._make(row)


def complaints_by_source(connection: Connection) -> dict[tuple[str, ...], int]:
    """How many devices have a signal that is not healthy, by its source and its value."""
    counts: dict[tuple[str, ...], int] = {}
    for text in connection.execute(select(Device.signals_text).where(signal_texts.complains_by_signal())).scalars():
        for signal in signal_texts.signals_of(text):
            if signal.value is not Health.HEALTHY:
                key = signal.source, str(signal.value)
                counts[key] = counts.get(key, 0) + 1
    return counts
