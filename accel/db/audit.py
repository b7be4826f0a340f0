"""What does not add up in the database: a statement for each kind of finding, however many there are.

None of it comes to be by what we do: each is kept out by a transaction that does all or nothing. An audit is there for
what a person does by hand, for a database that is put back to where it was yesterday, and for mistakes of ours. Nothing
found here is believed when it is mended: it is looked at again under a lock, for claims go on meanwhile.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, or_, select

from accel.db import claims, history, transitions
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.paging import AnySelect
from accel.db.scope import EVERYTHING
from accel.db.tables import AcceleratorRequest, AttachHandle, Deployable, Device, Holder, Node
from accel.db.transitions import RESTING, LockedRequest, Move, Terms
from accel.model.audit import Finding, FindingKind
from accel.model.device import Presence
from accel.model.event import EventKind
from accel.model.request import HOLDING, WORKING, Act, RequestState

_FORFEITED = "an audit has found that it holds nothing"
_IS_HOLDING = AcceleratorRequest.state.in_(sorted(HOLDING))
_HOLDERS: AnySelect = (
    select(
        Holder.uuid,
        Holder.kind,
        Holder.name,
        Holder.project_id,
        AttachHandle.uuid.label("handle"),
        AttachHandle.info,
        Device.uuid.label("device"),
        Node.name.label("node"),
        AcceleratorRequest.uuid.label("request"),
        AcceleratorRequest.state,
    )
    .join_from(Holder, AttachHandle, AttachHandle.id == Holder.attach_handle_id)
    .join(Deployable, Deployable.id == AttachHandle.deployable_id)
    .join(Device, Device.id == Deployable.device_id)
    .join(Node, Node.id == Device.node_id)
    .outerjoin(AcceleratorRequest, AcceleratorRequest.id == Holder.request_id)
)
_IS_NOBODYS = and_(Holder.kind == claims.INSTANCE, Holder.request_id.is_(None))
_NOBODYS = _HOLDERS.where(_IS_NOBODYS).order_by(Holder.id)
_AT_REST = _HOLDERS.where(AcceleratorRequest.id.is_not(None), ~_IS_HOLDING).order_by(Holder.id)
_LOST = _HOLDERS.where(
    or_(
        AttachHandle.presence == Presence.LOST,
        Deployable.presence == Presence.LOST,
        Device.presence == Presence.LOST,
    )
).order_by(Holder.id)

_REQUESTS: AnySelect = select(
    AcceleratorRequest.uuid,
    AcceleratorRequest.project_id,
    AcceleratorRequest.state,
    AcceleratorRequest.hostname.label("node"),
    AcceleratorRequest.instance_uuid.label("instance"),
    AcceleratorRequest.reason,
    AcceleratorRequest.worker,
    AcceleratorRequest.deadline_at.label("deadline"),
).order_by(AcceleratorRequest.id)
_EMPTY_HANDED = _REQUESTS.outerjoin(Holder, Holder.request_id == AcceleratorRequest.id).where(
    _IS_HOLDING, Holder.id.is_(None)
)
_OVERDUE = _REQUESTS.where(
    AcceleratorRequest.state.in_(sorted(WORKING)),
    AcceleratorRequest.deadline_at <= bindparam("now", type_=AcceleratorRequest.deadline_at.type),
)
_OF_INSTANCES = _REQUESTS.where(
    AcceleratorRequest.instance_uuid.is_not(None), AcceleratorRequest.state != RequestState.DELETING
)


def instances(connection: Connection) -> set[str]:
    """The UUIDs of all instances that requests are for."""
    return {row.instance for row in connection.execute(_OF_INSTANCES)}


def find(connection: Connection, *, now: datetime, gone: Collection[str] = ()) -> list[Finding]:
    """What does not add up now.

    :param gone: the UUIDs of instances that there are no more
    """
    return [*_of_holders(connection), *_of_requests(connection, now, gone)]


def mend(
    connection: Connection, finding: Finding, *, gone: Collection[str], terms: Terms, origin: Origin
) -> Sequence[str]:
    """Mend one finding, if it is still so. A conductor takes up overdue work, and a person decides about what is lost.

    :param gone: the UUIDs of instances that there are no more
    :return: the UUIDs of requests that wait for work on their node now
    :raises Conflict: what was found is in a state that does not allow it
    """
    if finding.kind is FindingKind.HOLDER_WITHOUT_REQUEST:
        _release(connection, and_(Holder.uuid == finding.subject, _IS_NOBODYS), origin)
        return []
    requests = transitions.lock(connection, [finding.subject], scope=EVERYTHING)
    match finding.kind:
        case FindingKind.REQUEST_AT_REST_HOLDS:
            resting = [row.id for row in requests if row.state not in HOLDING]
            _release(connection, Holder.request_id.in_(resting), origin)
        case FindingKind.REQUEST_HOLDS_NOTHING:
            _forfeit(connection, requests, terms, origin)
        case FindingKind.INSTANCE_GONE:
            return claims.remove(connection, [(row, origin) for row in requests if row.instance_uuid in gone])
    return []


def _release(connection: Connection, are_wanted: ColumnElement[bool], origin: Origin) -> None:
    """End holdings, each with an event."""
    rows = connection.execute(_HOLDERS.where(are_wanted).with_for_update(of=Holder)).all()
    connection.execute(delete(Holder).where(Holder.uuid.in_([row.uuid for row in rows])))
    entries = [
        Entry(
            kind=EventKind.HOLDER_RELEASED,
            subject=row.uuid,
            source=origin.source,
            node=row.node,
            device_uuid=row.device,
            before={"kind": row.kind, "name": row.name, "handle": row.handle, "info": row.info},
            request_id=origin.request_id,
            project_id=row.project_id,
        )
        for row in rows
    ]
    history.write(connection, entries, origin.at)


def _forfeit(connection: Connection, requests: Sequence[LockedRequest], terms: Terms, origin: Origin) -> None:
    """Let requests be what they are: without a handle."""
    held = transitions.handles_of(connection, requests)
    empty_handed = [row for row in requests if row.state in HOLDING and row.id not in held]
    for row in empty_handed:
        if row.state == RequestState.DELETING:
            transitions.move(connection, Act.FINISH_DELETE, [Move(row, {}, None, origin)])
        else:
            values = RESTING | {"reason": _FORFEITED, "steps": []}
            failed = [Move(row, values, None, origin)]
            transitions.move(connection, Act.FORFEIT, failed, tells_nova=terms.tells_nova)


def _of_holders(connection: Connection) -> Iterator[Finding]:
    for kind, statement, what in (
        (FindingKind.HOLDER_WITHOUT_REQUEST, _NOBODYS, "and no accelerator request says why"),
        (FindingKind.REQUEST_AT_REST_HOLDS, _AT_REST, "by an accelerator request that should hold nothing"),
        (FindingKind.HELD_BUT_LOST, _LOST, "which is lost"),
    ):
        for row in connection.execute(statement):
            state = f": it is {row.state}" if kind is FindingKind.REQUEST_AT_REST_HOLDS else ""
            yield Finding(
                kind=kind,
                subject=row.request or row.uuid,
                node=row.node,
                project_id=row.project_id,
                text=f"{row.kind} {row.name} holds attach handle {row.handle} of device {row.device}, {what}{state}",
            )


def _of_requests(connection: Connection, now: datetime, gone: Collection[str]) -> Iterator[Finding]:
    for row in connection.execute(_EMPTY_HANDED):
        yield _of_request(FindingKind.REQUEST_HOLDS_NOTHING, row, f"it is {row.state} and holds no attach handle")
    for row in connection.execute(_OVERDUE, {"now": now}):
        because = f": {row.reason}" if row.reason else ""
        text = (
            f"it is {row.state}, and conductor {row.worker} should have ended that by {row.deadline:%F %T} UTC{because}"
        )
        yield _of_request(FindingKind.WORK_OVERDUE, row, text)
    for row in connection.execute(_OF_INSTANCES) if gone else ():
        if row.instance in gone:
            text = f"it is {row.state} for instance {row.instance}, which Nova does not know"
            yield _of_request(FindingKind.INSTANCE_GONE, row, text)


def _of_request(kind: FindingKind, row: Any, text: str) -> Finding:
    return Finding(kind=kind, subject=row.uuid, node=row.node, project_id=row.project_id, text=text)
