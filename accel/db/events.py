"""The history of what changed, as the API reads it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from accel.db.history import API
from accel.db.paging import AnySelect, Listing, ListQuery, Page
from accel.db.scope import Scope
from accel.db.tables import Event


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
    project_id: str | None
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """When a change was asked for, by which request to the API, and by whom."""

    at: datetime
    request_id: str | None = None
    """None: by no request, the service does it on its own account."""
    user_id: str | None = None
    """None: by whoever has reached a service that asks nobody who they are."""
    service: str = API

    @property
    def source(self) -> str:
        """What the event of the change says about it."""
        return f"{self.service}:{self.user_id}" if self.user_id else self.service


_SELECT: AnySelect = select(*(getattr(Event, name) for name in EventRow._fields))

LISTING = Listing(
    key=Event.id,
    uuid=Event.uuid,
    filters={
        "device": lambda uuid: Event.device_uuid == uuid.lower(),
        "node": lambda name: Event.node == name,
        "kind": lambda kind: Event.kind == kind,
        "subject": lambda subject: Event.subject == subject,
        "project_id": lambda project_id: Event.project_id == project_id,
        "since": lambda moment: Event.occurred_at >= moment,
        "until": lambda moment: Event.occurred_at < moment,
    },
    sort_keys={},
)


def find(connection: Connection, query: ListQuery, *, scope: Scope) -> Page[EventRow]:
    """The events of a list that are nobody's affair alone or the caller's, oldest first unless asked otherwise.

    :raises InvalidValue: the marker is wrong
    """
    return LISTING.read(connection, _SELECT.where(scope.concerns(Event.project_id)), query, make=EventRow._make)
