"""Looking into the inventory, for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from support import holding
from support.reports import NODE

from accel.db import devices, heard, recorded, summary
from accel.db.counts import HandleCounts
from accel.db.engine import Database
from accel.db.paging import ListQuery
from accel.db.tables import AttachHandle, Base, Deployable, Event, Holder, Node
from accel.model.record import RecordedDevice, RecordedNode


def load(database: Database, name: str = NODE) -> RecordedNode:
    """What is recorded of a node."""
    with database.writer() as connection:
        node = heard.lock(connection, name)
        assert node is not None
        return recorded.load(connection, node.id, info=node.info, boot_id=node.boot_id)


def device(database: Database, identity: str) -> RecordedDevice:
    """One device of the node."""
    return {known.device.identity: known for known in load(database).devices}[identity]


def state(database: Database, name: str = NODE) -> str:
    """Whether a node is online."""
    of_node = select(Node.state).where(Node.name == name)
    return database.read(lambda connection: connection.execute(of_node).scalar_one())


def events(database: Database) -> list[Any]:
    """All events, in order."""
    with database.reader() as connection:
        return list(connection.execute(select(*Event.__table__.columns).order_by(Event.id)))


def event_kinds(database: Database) -> list[str]:
    """The kinds of all events, in order."""
    return [event.kind for event in events(database)]


def rows_in(database: Database, *tables: type[Base]) -> list[int]:
    """How many rows are in each of the tables."""
    counts = [select(func.count()).select_from(table) for table in tables]
    return database.read(lambda connection: [connection.scalar(count) or 0 for count in counts])


def handle_uuids(database: Database, deployable: str) -> Sequence[str]:
    """The UUIDs of the attach handles of a deployable."""
    handles = select(AttachHandle.uuid).join(Deployable).where(Deployable.name == deployable)
    with database.reader() as connection:
        return connection.scalars(handles.order_by(AttachHandle.id)).all()


def hold(database: Database, deployable: str, *, handle: str = "") -> str:
    """Have an instance hold a handle of a deployable, by default the first; gives the holder's UUID."""
    uuid = handle or handle_uuids(database, deployable)[0]
    now = datetime.now(UTC)
    return database.write(
        lambda connection: holding.hold(connection, uuid, kind="instance", name="vm", project_id="p", now=now)
    )


def release(database: Database, holder: str) -> None:
    """Give it back."""
    database.write(lambda connection: holding.release(connection, holder, now=datetime.now(UTC)))


def free_devices(database: Database) -> list[str]:
    """The identities of devices with something to hand out, as the list filters them."""
    with database.reader() as connection:
        return [row.identity for row in devices.find(connection, ListQuery(filters=[("free", True)])).rows]


def handles_in_all(database: Database) -> HandleCounts:
    """All attach handles, counted as the summary counts them."""
    with database.reader() as connection:
        return summary.groups(connection, ())[0].handles


def held_handles(database: Database) -> int:
    """How many attach handles have a holder."""
    return rows_in(database, Holder)[0]
