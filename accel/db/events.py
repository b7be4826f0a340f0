"""The history of what changed, and the one place where the API adds to it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from accel.db.paging import AnySelect, Listing, ListQuery, Page
from accel.db.tables import Event
from accel.model.event import EventKind


class EventRow(NamedTuple):
    """An event as the API shows it."""

    uuid: str
    kind: str
    node: str | None
    device_uuid: str | None
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    source: str
    request_id: str | None
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """When a change was asked for, and by which request to the API."""

    at: datetime
    request_id: str
    source: str = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What changed. ``name`` is for people."""

    node: str | None
    device_uuid: str | None
    name: str


_SELECT: AnySelect = select(*(getattr(Event, name) for name in EventRow._fields))

LISTING = Listing(
    key=Event.id,
    uuid=Event.uuid,
    filters={
        "device": lambda uuid: Event.device_uuid == uuid.lower(),
        "node": lambda name: Event.node == name,
        "kind": lambda kind: Event.kind == kind,
        "since": lambda moment: Event.occurred_at >= moment,
        "until": lambda moment: Event.occurred_at < moment,
    },
    sort_keys={},
)


def find(connection: Connection, query: ListQuery) -> Page[EventRow]:
    """The events of a list, oldest first unless asked otherwise.

    :raises InvalidValue: the marker is wrong
    """
    return LISTING.read(connection, _SELECT, query, make=EventRow._make)


def record(
    connection: Connection,
    kind: EventKind,
    *,
    origin: Origin,
    about: Subject,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add an event, in the transaction of the change that it tells of."""
    connection.execute(
        insert(Event).values(
            uuid=str(uuid4()),
            kind=kind,
            node=about.node,
            device_uuid=about.device_uuid,
            subject=about.name,
            before=before,
            after=after,
            source=origin.source,
            request_id=origin.request_id,
            occurred_at=origin.at,
        )
    )
