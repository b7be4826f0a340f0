"""The work of conductors on requests: who is at it, since when, and what it comes to.

A conductor that begins signs the row with its name and a deadline. What nobody has signed, and what has not come to an
end before its deadline, any conductor may take over: whoever was at it has died or hangs.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, or_, select, update

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
    is_late = request.deadline_at is not None and request.deadline_at <= origin.at
    is_ours = is_fresh and request.worker == terms.worker
    if request.worker is not None and not is_late and not is_ours:
        return None
    values = {"worker": terms.worker, "deadline_at": origin.at + terms.work_limit}
    connection.execute(update(AcceleratorRequest).where(AcceleratorRequest.id == request.id).values(values))
    return Work(request._replace(worker=terms.worker), handles_of(connection, [request]).get(request.id), is_late)


def begun(connection: Connection, uuid: str, *, terms: Terms) -> Work | None:
    """The work on a request that this conductor has signed; None when there is none."""
    request = _locked(connection, uuid)
    if request is None or request.state not in WORKING or request.worker != terms.worker:
        return None
    return Work(request, handles_of(connection, [request]).get(request.id), is_late=False)


def finish(connection: Connection, work: Work, *, terms: Terms, origin: Origin) -> bool:
    """The work is done: bound, unbound or deleted.

    :return: False: the request has changed meanwhile, and something else is to be done now
    """
    request = _still(connection, work, terms)
    if request is None:
        return False
    act, values = {
        RequestState.BIND_STARTED: (Act.FINISH_BIND, RESTING),
        RequestState.UNBIND_STARTED: (Act.FINISH_UNBIND, UNBOUND),
        RequestState.DELETING: (Act.FINISH_DELETE, {}),
    }[RequestState(request.state)]
    changed = Move(request, values, work.handle)
    move(connection, act, [changed], origin=origin, tells_nova=terms.tells_nova)
    return True


def fail(connection: Connection, work: Work, reason: str, *, terms: Terms, origin: Origin) -> bool:
    """Binding has failed, and what was done for it is undone: the handle is given back.

    :return: False: the request has changed meanwhile, and something else is to be done now
    """
    request = _still(connection, work, terms)
    if request is None:
        return False
    failed = Move(request, RESTING | {"reason": reason, "steps": []}, work.handle)
    move(connection, Act.FAIL_BIND, [failed], origin=origin, tells_nova=terms.tells_nova)
    return True


def hold_up(connection: Connection, work: Work, reason: str) -> None:
    """The work cannot be done now: say why where people look; it is tried again after its deadline."""
    its_row = AcceleratorRequest.id == work.request.id
    connection.execute(update(AcceleratorRequest).where(its_row).values(reason=reason))


def _locked(connection: Connection, uuid: str) -> LockedRequest | None:
    return next(iter(lock(connection, [uuid], scope=EVERYTHING)), None)


def _still(connection: Connection, work: Work, terms: Terms) -> LockedRequest | None:
    """The row of the request if it is as it was when the work began."""
    request = _locked(connection, work.request.uuid)
    if request is None or (request.state, request.worker) != (work.request.state, terms.worker):
        return None
    return request
