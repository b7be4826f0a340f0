"""The work of conductors on jobs: who attends to which, until when, and how it goes.

As with requests (``accel.db.work``), name and end of the lease together are the lease: whoever was at a job before can
neither say how it goes nor end it. What the agent of the node does goes on meanwhile; another conductor joins it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from accel.db import fences, jobs
from accel.db.events import Origin
from accel.db.job_tables import Job
from accel.db.jobs import JobRow
from accel.errors import ActCancelled, NotFound
from accel.model.event import EventKind
from accel.model.job import ENDED, TOLD_BY_A_LOOK, JobKind, JobState, JobStatus

Ended = Callable[[Connection, JobRow, JobStatus, Origin], None]
"""Told of the end of a job in the transaction that writes it."""

_EVENTS = {
    JobState.DONE: EventKind.JOB_FINISHED,
    JobState.FAILED: EventKind.JOB_FAILED,
    JobState.CANCELLED: EventKind.JOB_CANCELLED,
}


_LONGEST_REASON = 255
"""How many characters of the reason why a job must go on are kept."""


def due(connection: Connection, *, worker: str | None, now: datetime) -> Sequence[str]:
    """The UUIDs of jobs that nobody attends to and somebody should, the oldest first.

    :param worker: a conductor that has just started: what it attended to before is due as well
    """
    is_left: ColumnElement[bool] = or_(Job.lease_until.is_(None), Job.lease_until <= now)
    if worker is not None:
        is_left = or_(is_left, Job.worker == worker)
    query = select(Job.uuid).where(and_(Job.state.not_in(sorted(ENDED)), is_left)).order_by(Job.id)
    return list(connection.scalars(query))


def take_over(
    connection: Connection, uuid: str, *, worker: str, lease_until: datetime, now: datetime, is_fresh: bool = False
) -> JobRow | None:
    """Sign a job, unless somebody else attends to it or it has ended.

    :param is_fresh: the conductor has just started, so it does not attend to what it has signed before
    """
    try:
        row = jobs.lock(connection, uuid)
    except NotFound:
        return None
    is_ours = is_fresh and row.worker == worker
    if row.is_ended or (row.lease_until is not None and row.lease_until > now and not is_ours):
        return None
    return _signed(connection, row, {"worker": worker, "lease_until": lease_until})


def go_on(
    connection: Connection, row: JobRow, status: JobStatus, *, lease_until: datetime, origin: Origin
) -> JobRow | None:
    """Say how it goes, and attend to it for longer; None: somebody else attends to it now, or it has ended."""
    now = _still(connection, row)
    if now is None:
        return None
    values: dict[str, Any] = {
        "message": status.message,
        "fraction": status.fraction,
        "must_go_on": status.must_go_on[:_LONGEST_REASON],
        "lease_until": lease_until,
    }
    if status.state is JobState.RUNNING and now.state != JobState.RUNNING:
        values |= {"state": JobState.RUNNING, "started_at": status.started_at or origin.at}
        jobs.tell(connection, EventKind.JOB_STARTED, now, {}, origin)
    return _signed(connection, now, values)


def put_off(connection: Connection, row: JobRow, message: str, *, until: datetime) -> None:
    """Nothing can be done for a job before a moment: say why, and let whoever looks then attend to it."""
    now = _still(connection, row)
    if now is not None:
        jobs.change(connection, now, {"message": message, "worker": None, "lease_until": until})


def end(connection: Connection, row: JobRow, status: JobStatus, *, origin: Origin, ended: Ended | None = None) -> bool:
    """A job has ended: what it has fenced is free again, unless nobody knows what that is like now.

    What has not come to its end although it was called off was cancelled, whoever has heard of that in time.

    :param ended: told of it
    :return: False: somebody else attends to it now, or it has ended before
    """
    now = _still(connection, row)
    if now is None:
        return False
    if now.is_cancel_wanted and status.state is JobState.FAILED:
        status = replace(status, state=JobState.CANCELLED, error_code=ActCancelled.code)
    values = {
        "state": status.state,
        "message": "",
        "fraction": status.fraction,
        "error_code": status.error_code,
        "error_text": status.error_text,
        "is_state_unknown": status.is_state_unknown,
        "must_go_on": "",
        "cancelled_by": now.cancelled_by if status.state is JobState.CANCELLED else None,
        "started_at": status.started_at or now.started_at,
        "finished_at": origin.at,
        "worker": None,
        "lease_until": None,
    }
    jobs.change(connection, now, values)
    left = jobs.left_undone(connection, now) if status.state is JobState.DONE else ""
    if left:
        fences.pass_on(connection, now.uuid, left)
    elif status.state is JobState.DONE:
        jobs.scrub_again(connection, now, origin=origin)
    is_in_doubt = status.is_state_unknown and JobKind(now.kind) not in TOLD_BY_A_LOOK
    since = None if status.state is JobState.DONE else now.created_at
    fences.take_down(connection, now.uuid, origin, keeps_present=is_in_doubt, since=since)
    told: dict[str, Any] = {}
    if status.error_code:
        told["error"] = {"code": status.error_code, "text": status.error_text}
    if status.state is JobState.CANCELLED:
        told["cancelled_by"] = now.cancelled_by
    jobs.tell(connection, _EVENTS[status.state], now, told, origin)
    if ended is not None:
        ended(connection, now, status, origin)
    return True


def _still(connection: Connection, row: JobRow) -> JobRow | None:
    """The job as it is, if whoever read the row still attends to it."""
    try:
        now = jobs.lock(connection, row.uuid)
    except NotFound:
        return None
    return now if not now.is_ended and (now.worker, now.lease_until) == (row.worker, row.lease_until) else None


def _signed(connection: Connection, row: JobRow, values: dict[str, Any]) -> JobRow:
    jobs.change(connection, row, values)
    return row._replace(**values)
