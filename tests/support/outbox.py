"""What Nova is still to be told, for tests: written and looked at."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from support.site import Site

from accel.conductor.claims import Claims
from accel.db import notifications
from accel.db.engine import Database
from accel.db.tables import Notification as Row
from accel.model.notification import Notification, NotificationStatus


def about(*instances: str) -> list[Notification]:
    """That a request of each of the instances is bound."""
    return [
        Notification(request_uuid=str(uuid4()), instance_uuid=instance, status=NotificationStatus.COMPLETED)
        for instance in instances
    ]


def write(database: Database, told: list[Notification], now: datetime) -> None:
    """Have Nova told."""
    database.write(partial(notifications.add, notifications=told, now=now))


def waiting(database: Database) -> list[Any]:
    """All rows, in order."""
    with database.reader() as connection:
        return list(connection.execute(select(*Row.__table__.columns).order_by(Row.id)))


def bind(site: Site, conductor: Claims, instance: str, *, count: int = 1) -> list[str]:
    """Have a conductor bind new requests for an instance, all in one go; gives their UUIDs."""
    site.report(site.gpu(handles=count))
    uuids = site.make(count)
    conductor.change_requests(site.binds(uuids, instance_uuid=instance))
    return uuids
