"""What Nova is still to be told: the outbox, which is written with each change itself (``accel.db.transitions``).

A conductor takes what is due by putting it off, for as long as telling may take. While it tells nobody else sees that
as due; when it dies it is due again after that time, and another conductor tells it. Nova may so be told twice, and
never not at all. What Nova has taken is deleted.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from accel.db import history
from accel.db.history import CONDUCTOR, Entry
from accel.db.paging import AnySelect
from accel.db.tables import AcceleratorRequest
from accel.db.tables import Notification as Row
from accel.errors import Conflict
from accel.model.event import EventKind
from accel.model.notification import Notification, NotificationStatus


class Taken(NamedTuple):
    """A notification that this conductor is to tell now."""

    id: int
    notification: Notification
    attempts: int
    """How often somebody has begun to tell it, with this time. It is ours while nobody has begun anew."""
    created_at: datetime


class Failure(NamedTuple):
    """One that Nova has not taken."""

    taken: Taken
    next_attempt_at: datetime
    reason: str


_ADD = insert(Row).inline()  # its key is not asked for
_DUE: AnySelect = select(Row.id, Row.request_uuid, Row.instance_uuid, Row.status, Row.attempts, Row.created_at)


def add(connection: Connection, notifications: Iterable[Notification], now: datetime) -> None:
    """Have Nova told, from now on."""
    rows = [
        {
            "request_uuid": notification.request_uuid,
            "instance_uuid": notification.instance_uuid,
            "status": notification.status,
            "attempts": 0,
            "next_attempt_at": now,
            "last_error": "",
            "created_at": now,
        }
        for notification in notifications
    ]
    if rows:
        connection.execute(_ADD, rows)


def take(connection: Connection, *, now: datetime, until: datetime, limit: int) -> list[Taken]:
    """Take what is due, the longest due first, and what nobody else is taking at this moment.

    :param until: when it is due again, if nothing is heard of it before
    :param limit: how many at most
    :raises Conflict: somebody has taken some of it between; nothing is taken
    """
    due = _DUE.where(Row.next_attempt_at <= now).order_by(Row.next_attempt_at, Row.id).limit(limit)
    found = connection.execute(due.with_for_update(skip_locked=True)).all()
    if not found:
        return []
    ours = (Row.id.in_([row.id for row in found]), Row.next_attempt_at <= now)
    put_off = update(Row).where(*ours).values(next_attempt_at=until, attempts=Row.attempts + 1)
    changed = connection.execute(put_off).rowcount
    if changed != len(found):
        raise Conflict(f"{len(found) - changed} notifications have been taken meanwhile")
    return [_taken(row) for row in found]


def conclude(
    connection: Connection,
    *,
    done: Iterable[Taken],
    later: Sequence[Failure],
    hopeless: Sequence[Failure],
    now: datetime,
) -> None:
    """Write down what has become of what was taken.

    :param done: needs no more telling
    :param later: is told again at its time
    :param hopeless: is told no more; the history keeps it where the request is still there
    """
    ids = [taken.id for taken in done]
    if ids:
        connection.execute(delete(Row).where(Row.id.in_(ids)))
    if later:
        statement = update(Row).where(Row.id == bindparam("its_id"), Row.attempts == bindparam("its_attempts"))
        new = statement.values(next_attempt_at=bindparam("new_moment"), last_error=bindparam("new_reason"))
        connection.execute(new, [_put_off(failure) for failure in later])
    if hopeless:
        _give_up(connection, hopeless, now)


def _give_up(connection: Connection, hopeless: Sequence[Failure], now: datetime) -> None:
    ids = [failure.taken.id for failure in hopeless]
    attempts = {row.id: row.attempts for row in connection.execute(_DUE.where(Row.id.in_(ids)).with_for_update())}
    ours = [failure for failure in hopeless if attempts.get(failure.taken.id) == failure.taken.attempts]
    connection.execute(delete(Row).where(Row.id.in_([failure.taken.id for failure in ours])))
    uuids = [failure.taken.notification.request_uuid for failure in ours]
    columns = (AcceleratorRequest.uuid, AcceleratorRequest.hostname, AcceleratorRequest.project_id)
    found = connection.execute(select(*columns).where(AcceleratorRequest.uuid.in_(uuids)))
    requests = {row.uuid: row for row in found}
    entries = [_untold(failure, requests[uuid]) for failure, uuid in zip(ours, uuids, strict=True) if uuid in requests]
    history.write(connection, entries, now)


def _untold(failure: Failure, request: Any) -> Entry:
    return Entry(
        kind=EventKind.REQUEST_UNTOLD,
        subject=request.uuid,
        source=CONDUCTOR,
        node=request.hostname,
        after={"status": failure.taken.notification.status, "reason": failure.reason},
        project_id=request.project_id,
    )


def count(connection: Connection) -> int:
    """How many Nova is still to be told."""
    return connection.scalar(select(func.count()).select_from(Row)) or 0


def _taken(row: Any) -> Taken:
    notification = Notification(
        request_uuid=row.request_uuid, instance_uuid=row.instance_uuid, status=NotificationStatus(row.status)
    )
    return Taken(row.id, notification, row.attempts + 1, row.created_at)


def _put_off(failure: Failure) -> dict[str, Any]:
    return {
        "its_id": failure.taken.id,
        "its_attempts": failure.taken.attempts,
        "new_moment": failure.next_attempt_at,
        "new_reason": failure.reason,
    }
