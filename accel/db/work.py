"""The work of conductors on requests: who is at it, until when, and what it comes to.

A conductor that begins signs the row with its name and a deadline. What nobody has signed, and what has not come to an
end before its deadline, any conductor may take over: whoever was at it has died or hangs. Name and deadline together
are the lease: with every beginning and taking over the deadline is a new one, so whoever was at it before can neither
end it nor go on, even where it is another thread of the same conductor.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, or_, select, update

from accel.db import fences
from accel.db.events import Origin
from accel.db.scope import EVERYTHING
from accel.db.tables import AcceleratorRequest
from accel.db.transitions import RESTING, UNBOUND, HeldHandle, LockedRequest, Move, Terms, handles_of, lock, move
from accel.model.request import WORKING, Act, RequestState


class Work(NamedTuple):
    """What is to be done on a node for a request."""

    request: LockedRequest
    handle: HeldHandle | None
    """What the request holds; None: nothing, which an audit would find."""
    lease: datetime
    """The deadline; from then on another conductor may be at it."""
    is_late: bool
    """Whether it should have been done before."""


def due(connection: Connection, *, worker: str | None, now: datetime) -> Sequence[str]:
    """The UUIDs of requests on which nobody is at work who should be, the oldest first.

    :param worker: a conductor that has just started: what it was at work on before is due as well
    """
    is_left: ColumnElement[bool] = or_(AcceleratorRequest.worker.is_(None), AcceleratorRequest.deadline_at <= now)
    if worker is not None:
        is_left = or_(is_left, AcceleratorRequest.worker == worker)
    statement = select(AcceleratorRequest.uuid).where(AcceleratorRequest.state.in_(sorted(WORKING)), is_left)
    return list(connection.scalars(statement.order_by(AcceleratorRequest.id)))


def take_over(
    connection: Connection, uuid: str, *, terms: Terms, origin: Origin, is_fresh: bool = False
) -> Work | None:
    """Sign a request for work, unless somebody else is at it or there is nothing to do.

    :param is_fresh: the conductor has just started, so what it has signed before is not being worked on
    """
    request = _locked(connection, uuid)
    if request is None or request.state not in WORKING:
        return None
    is_ours = is_fresh and request.worker == terms.worker
    if request.worker is not None and not _is_late(request, origin.at) and not is_ours:
        return None
    return _sign(connection, request, terms, origin.at)


def resume(connection: Connection, uuid: str, *, lease: datetime, terms: Terms, origin: Origin) -> Work | None:
    """Sign a request anew that this conductor has signed, whatever is to be done for it now.

    :param lease: the deadline that it was signed with
    :return: None: there is nothing to do, or somebody else has taken it over
    """
    request = _locked(connection, uuid)
    if request is None or request.state not in WORKING or _lease(request) != (terms.worker, lease):
        return None
    return _sign(connection, request, terms, origin.at)


def finish(connection: Connection, work: Work, *, terms: Terms, origin: Origin, fence: str = "") -> bool:
    """The work is done: bound, unbound or deleted.

    :param fence: a job that has left in doubt what was held: it holds it from now on; empty: none
    :return: False: the request has changed meanwhile, or somebody else has taken it over
    """
    request = _still(connection, work)
    if request is None:
        return False
    act, values = {
        RequestState.BIND_STARTED: (Act.FINISH_BIND, RESTING | {"reason": ""}),
        RequestState.UNBIND_STARTED: (Act.FINISH_UNBIND, UNBOUND),
        RequestState.DELETING: (Act.FINISH_DELETE, {}),
    }[RequestState(request.state)]
    _fence(connection, request, fence, origin)
    changed = Move(request, values, work.handle, origin)
    move(connection, act, [changed], tells_nova=terms.tells_nova)
    return True


def fail(connection: Connection, work: Work, reason: str, *, terms: Terms, origin: Origin, fence: str = "") -> bool:
    """Binding has failed, and what was done for it is undone: the handle is given back.

    :param fence: as for ``finish``
    :return: False: the request has changed meanwhile, or somebody else has taken it over
    """
    request = _still(connection, work)
    if request is None:
        return False
    _fence(connection, request, fence, origin)
    failed = Move(request, RESTING | {"reason": reason, "steps": []}, work.handle, origin)
    move(connection, Act.FAIL_BIND, [failed], tells_nova=terms.tells_nova)
    return True


def hold_up(connection: Connection, work: Work, reason: str) -> None:
    """The work cannot be done now: say why where people look; it is tried again after its deadline.

    Nothing is said where the request has changed meanwhile, or somebody else has taken it over.
    """
    request = _still(connection, work)
    if request is not None:
        its_row = AcceleratorRequest.id == request.id
        connection.execute(update(AcceleratorRequest).where(its_row).values(reason=reason))


def _fence(connection: Connection, request: LockedRequest, job: str, origin: Origin) -> None:
    if job:
        fences.inherit(connection, request.id, job, origin)


def _locked(connection: Connection, uuid: str) -> LockedRequest | None:
    return next(iter(lock(connection, [uuid], scope=EVERYTHING)), None)


def _sign(connection: Connection, request: LockedRequest, terms: Terms, now: datetime) -> Work:
    lease = terms.deadline(now)
    connection.execute(
        update(AcceleratorRequest)
        .where(AcceleratorRequest.id == request.id)
        .values(worker=terms.worker, deadline_at=lease)
    )
    signed = request._replace(worker=terms.worker, deadline_at=lease)
    return Work(signed, handles_of(connection, [request]).get(request.id), lease, _is_late(request, now))


def _is_late(request: LockedRequest, now: datetime) -> bool:
    return request.deadline_at is not None and request.deadline_at <= now


def _still(connection: Connection, work: Work) -> LockedRequest | None:
    """The row of the request if it is as it was when the work began."""
    request = _locked(connection, work.request.uuid)
    if request is None or request.state != work.request.state or _lease(request) != _lease(work.request):
        return None
    return request


def _lease(request: LockedRequest) -> tuple[str | None, datetime | None]:
    return request.worker, request.deadline_at
