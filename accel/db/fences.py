"""Fences: attach handles that nobody gets, because of a job on their device.

A fence is a holder like all others, of a kind of its own and named after the job, so whoever looks for what is free
needs to know nothing of it. What is done while a job runs, and what nobody knows the state of after one, is fenced.
Every function is a part of a transaction that has locked the node.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.orm import aliased

from accel.db import history
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.job_tables import Job
from accel.db.paging import AnySelect
from accel.db.tables import AcceleratorRequest, AttachHandle, Deployable, Device, Holder, Node
from accel.errors import Conflict
from accel.model.device import Presence
from accel.model.event import EventKind
from accel.model.job import ENDED, JobKind, NewJob

FENCE = "fence"
"""The kind of holder that a fence is."""

UNDO = ":undo"
"""How the keys of jobs end that undo a step of work."""

_MAKE_PARTS = frozenset({JobKind.PARTITION, JobKind.SET_VFS})
"""The kinds of jobs that make parts, which may be reported before the job has ended, and be taken back by it."""
_Cutting = aliased(Job)

_HANDLES: AnySelect = (
    select(
        AttachHandle.id,
        AttachHandle.uuid,
        AttachHandle.info,
        AttachHandle.presence,
        Deployable.uuid.label("deployable"),
        Device.uuid.label("device"),
        Node.name.label("node"),
        Holder.id.label("holder_id"),
        Holder.uuid.label("holder"),
        Holder.kind,
        Holder.name.label("holder_name"),
        Holder.created_at.label("held_since"),
        AcceleratorRequest.uuid.label("request"),
        Job.state.label("job_state"),
        Job.kind.label("job_kind"),
        Job.key.label("job_key"),
    )
    .join_from(AttachHandle, Deployable, Deployable.id == AttachHandle.deployable_id)
    .join(Device, Device.id == Deployable.device_id)
    .join(Node, Node.id == Device.node_id)
    .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
    .outerjoin(AcceleratorRequest, AcceleratorRequest.id == Holder.request_id)
    .outerjoin(Job, Job.uuid == Holder.name)
    .order_by(AttachHandle.id)
)
_OF_DEVICE = _HANDLES.where(Device.uuid == bindparam("wanted"))
_OF_JOB = _HANDLES.where(Holder.kind == FENCE, Holder.name == bindparam("wanted"))
_NEWLY_FENCED: AnySelect = (
    _HANDLES.add_columns(_Cutting.uuid.label("job"), _Cutting.created_at.label("job_created_at"))
    .join(_Cutting, _Cutting.device_uuid == Device.uuid)
    .where(
        Node.name == bindparam("wanted"),
        Holder.id.is_(None),
        AttachHandle.presence == Presence.PRESENT,
        _Cutting.kind.in_(sorted(_MAKE_PARTS)),
        _Cutting.state.not_in(sorted(ENDED)),
    )
)
_OF_REQUEST = _HANDLES.where(Holder.request_id == bindparam("wanted"))


def put_up(connection: Connection, job: str, new: NewJob, *, origin: Origin) -> None:
    """Fence all that is free of a device, or of a part of it; what ended jobs have left fenced is taken over.

    What has not been tidied up after its last user is mended by doing that, and by nothing else.

    :param job: the UUID of the job
    :param new: what it is to do; what the request holds that it serves it keeps
    :raises Conflict: somebody holds something of it, or another job is at it, or it is to be tidied up first
    """
    device, deployable = new.device_uuid, new.deployable_uuid
    own = _own(connection, new.request_uuid)
    whole = [row for row in connection.execute(_OF_DEVICE, {"wanted": device}) if row.presence == Presence.PRESENT]
    # A part that nobody is handed alone, such as the region of a card, is behind all that is handed out of the device.
    rows = [row for row in whole if row.deployable == deployable] or whole
    for row in rows:
        _check(row, new, own)
    taken_over = [row.holder_id for row in rows if row.kind == FENCE]
    if taken_over:
        connection.execute(update(Holder).where(Holder.id.in_(taken_over)).values(name=job))  # in doubt since before it
    _add(connection, job, [row for row in rows if row.holder is None], origin)


def _check(row: Any, new: NewJob, own: Collection[str]) -> None:
    """Make sure that a handle is free, or held by a request of one's own, or fenced by what has ended.

    :raises Conflict: it is not, or the job that has fenced it is to be done again first
    """
    device = new.device_uuid
    if row.holder is None or row.request in own:
        return
    if row.kind != FENCE:
        raise Conflict(
            f"device {device}: its attach handle {row.uuid} is held ({row.kind}); it is touched only when nobody has "
            "anything of it"
        )
    if row.job_state is not None and row.job_state not in ENDED:
        raise Conflict(f"device {device}: job {row.holder_name} is at it; wait until it has ended")
    is_untidied = (row.job_key or "").endswith(UNDO)
    if is_untidied and row.job_key != new.key and row.job_kind != new.kind:
        raise Conflict(
            f"device {device}: job {row.holder_name} ({row.job_kind}) has not tidied up after the last user; do it "
            f"again first: accel job retry {row.holder_name[:8]}"
        )


def cover(connection: Connection, node: str, origin: Origin) -> None:
    """Fence what has been reported of devices of a node while a job makes parts of them."""
    found: dict[str, list[Any]] = {}
    for row in connection.execute(_NEWLY_FENCED, {"wanted": node}):
        found.setdefault(row.job, []).append(row)
    for job, rows in found.items():
        # The job may have been ordered by a clock that is ahead of ours, and its fences are as young as it is.
        _add(connection, job, rows, replace(origin, at=max(origin.at, rows[0].job_created_at)))


def _own(connection: Connection, request: str | None) -> set[str]:
    """The requests whose holdings a job for a request does not mind: its own, and others of the same instance."""
    if request is None:
        return set()
    instance = select(AcceleratorRequest.instance_uuid).where(AcceleratorRequest.uuid == request).scalar_subquery()
    siblings = select(AcceleratorRequest.uuid).where(AcceleratorRequest.instance_uuid == instance)
    return {request, *connection.scalars(siblings)}


def take_down(
    connection: Connection,
    job: str,
    origin: Origin,
    *,
    keeps_present: bool = False,
    since: datetime | None = None,
) -> int:
    """End the fences of a job; gives how many there were.

    :param keeps_present: only those of handles that are lost
    :param since: only those that were put up then or later: what was taken over is in doubt as before
    """
    rows = [
        row
        for row in connection.execute(_OF_JOB, {"wanted": job})
        if (not keeps_present or row.presence != Presence.PRESENT) and (since is None or row.held_since >= since)
    ]
    if rows:
        connection.execute(delete(Holder).where(Holder.id.in_([row.holder_id for row in rows])))
        history.write(connection, _entries(rows, job, origin, is_over=True), origin.at)
    return len(rows)


def pass_on(connection: Connection, job: str, to: str) -> None:
    """Let the fences of a job be those of another one, which is yet to be mended."""
    connection.execute(update(Holder).where(Holder.kind == FENCE, Holder.name == job).values(name=to))


def inherit(connection: Connection, request_id: int, job: str, origin: Origin) -> None:
    """Let a fence hold what a request has held, which is about to be over."""
    rows = connection.execute(_OF_REQUEST, {"wanted": request_id}).all()
    if rows:
        keys = [row.holder_id for row in rows]
        values = {"kind": FENCE, "name": job, "project_id": None, "request_id": None, "created_at": origin.at}
        connection.execute(update(Holder).where(Holder.id.in_(keys)).values(values))
        history.write(connection, _entries(rows, job, origin, is_over=False), origin.at)


def _add(connection: Connection, job: str, free: Sequence[Any], origin: Origin) -> None:
    if not free:
        return
    new = [
        {"uuid": str(uuid4()), "attach_handle_id": row.id, "kind": FENCE, "name": job, "created_at": origin.at}
        for row in free
    ]
    connection.execute(insert(Holder), new)
    uuids = {row.id: values["uuid"] for row, values in zip(free, new, strict=True)}
    history.write(connection, _entries(free, job, origin, is_over=False, uuids=uuids), origin.at)


def _entries(
    rows: Iterable[Any], job: str, origin: Origin, *, is_over: bool, uuids: dict[int, str] | None = None
) -> list[Entry]:
    found = []
    for row in rows:
        told = {"kind": FENCE, "name": job, "handle": row.uuid, "info": row.info}
        found.append(
            Entry(
                kind=EventKind.HOLDER_RELEASED if is_over else EventKind.HOLDER_ADDED,
                subject=(uuids or {}).get(row.id) or row.holder,
                source=origin.source,
                node=row.node,
                device_uuid=row.device,
                before=told if is_over else None,
                after=None if is_over else told,
                request_id=origin.request_id,
            )
        )
    return found
