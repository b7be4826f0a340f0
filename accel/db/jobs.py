"""Jobs as they are ordered and as people see them. How conductors attend to them is in ``accel.db.job_work``."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from accel.db import fences, history, places
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.job_tables import Job
from accel.db.paging import AnySelect, Listing, ListQuery, Page
from accel.db.refs import may_be_called
from accel.db.scope import EVERYTHING, Scope
from accel.db.tables import AcceleratorRequest, Deployable, Device, Holder, Node
from accel.errors import Conflict, NotFound
from accel.model.device import Presence
from accel.model.event import EventKind
from accel.model.job import ENDED, HandleOrder, ImageOrder, JobKind, JobOrder, JobState, JobStatus, NewJob
from accel.model.steps import SCRUB


class JobRow(NamedTuple):
    """A job."""

    id: int
    uuid: str
    kind: str
    state: str
    node: str
    driver: str
    identity: str
    device_uuid: str
    deployable: str | None
    deployable_uuid: str | None
    handle: dict[str, Any] | None
    arguments: dict[str, str]
    image: dict[str, Any] | None
    time_limit_seconds: float
    deadline_at: datetime
    project_id: str | None
    request_uuid: str | None
    key: str
    message: str
    fraction: float | None
    error_code: str
    error_text: str
    is_state_unknown: bool
    is_cancel_wanted: bool
    cancelled_by: str | None
    must_go_on: str
    worker: str | None
    lease_until: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_ended(self) -> bool:
        """Whether it stays as it is."""
        return self.state in ENDED

    @property
    def order(self) -> JobOrder:
        """What the node is told."""
        return JobOrder(
            uuid=self.uuid,
            kind=JobKind(self.kind),
            node=self.node,
            driver=self.driver,
            device=self.identity,
            deployable=self.deployable,
            handle=HandleOrder(**self.handle) if self.handle is not None else None,
            arguments=self.arguments,
            image=ImageOrder(**self.image) if self.image is not None else None,
            time_limit_seconds=self.time_limit_seconds,
            deadline=self.deadline_at,
        )

    @property
    def status(self) -> JobStatus:
        """How it goes."""
        return JobStatus(
            uuid=self.uuid,
            state=JobState(self.state),
            message=self.message,
            fraction=self.fraction,
            error_code=self.error_code,
            error_text=self.error_text,
            is_state_unknown=self.is_state_unknown,
            must_go_on=self.must_go_on,
            started_at=self.started_at,
            finished_at=self.finished_at,
        )


SELECT: AnySelect = select(*(getattr(Job, name) for name in JobRow._fields))
LISTING = Listing(
    key=Job.id,
    uuid=Job.uuid,
    filters={
        "kind": lambda kind: Job.kind == kind,
        "state": lambda state: Job.state == state,
        "node": lambda node: Job.node == node,
        "device": lambda uuid: Job.device_uuid == uuid.lower(),
        "request": lambda uuid: Job.request_uuid == uuid.lower(),
        "project_id": lambda project_id: Job.project_id == project_id,
        "ref": may_be_called(Job.uuid, Job.uuid),
    },
    sort_keys={name: getattr(Job, name) for name in ("uuid", "kind", "state", "node", "created_at", "finished_at")},
)
_DEVICE: AnySelect = select(Device.uuid, Device.identity, Device.driver, Device.presence, Node.name.label("node")).join(
    Node, Node.id == Device.node_id
)


def order_job(connection: Connection, new: NewJob, *, origin: Origin) -> str:
    """Have something done; a conductor begins it when it looks for work, so ring one after the transaction.

    :return: the UUID of the job
    :raises NotFound: there is no such device, or it has no such part
    :raises Conflict: the device is lost, or somebody holds what is to be fenced
    """
    row = _row(connection, new, origin)
    if new.fences:
        found = replace(new, device_uuid=row["device_uuid"], deployable_uuid=row["deployable_uuid"])
        fences.put_up(connection, row["uuid"], found, origin=origin)
    connection.execute(insert(Job), row)
    told = {"kind": row["kind"], "deployable": row["deployable"], "arguments": row["arguments"]}
    tell(connection, EventKind.JOB_ORDERED, JobRow(id=0, **row), told, origin)
    return str(row["uuid"])


def find(connection: Connection, query: ListQuery, *, scope: Scope) -> Page[JobRow]:
    """The jobs of a list: those of the caller's project, or all.

    :raises InvalidValue: marker or sort key are wrong
    """
    return LISTING.read(connection, SELECT.where(scope.owns(Job.project_id)), query, make=JobRow._make)


def get(connection: Connection, uuid: str, *, scope: Scope = EVERYTHING) -> JobRow:
    """One job.

    :raises NotFound: there is no such job
    """
    found = connection.execute(SELECT.where(Job.uuid == uuid.lower(), scope.owns(Job.project_id))).one_or_none()
    if found is None:
        raise NotFound("job", uuid)
    return JobRow._make(found)


def newest_of(connection: Connection, key: str) -> JobRow | None:
    """The newest job that is a part of something."""
    found = connection.execute(SELECT.where(Job.key == key).order_by(Job.id.desc()).limit(1)).one_or_none()
    return JobRow._make(found) if found is not None else None


def left_undone(connection: Connection, row: JobRow) -> str:
    """The UUID of a job that was to undo something of the same holding as this one, and did not; empty: none."""
    holder, _, rest = row.key.partition(":")
    if not rest.endswith(fences.UNDO):
        return ""
    query = SELECT.where(Job.key.startswith(f"{holder}:", autoescape=True), Job.key.endswith(fences.UNDO)).order_by(
        Job.id
    )
    newest = {found.key: JobRow._make(found) for found in connection.execute(query)}
    return next((one.uuid for one in newest.values() if one.state != JobState.DONE and one.uuid != row.uuid), "")


def loading(connection: Connection, deployable_uuid: str, digest: str, request_uuid: str) -> str | None:
    """The job that loads an image into a part for another request of the same instance; None: there is none."""
    instance = select(AcceleratorRequest.instance_uuid).where(AcceleratorRequest.uuid == request_uuid)
    siblings = select(AcceleratorRequest.uuid).where(AcceleratorRequest.instance_uuid == instance.scalar_subquery())
    query = SELECT.where(
        Job.kind == JobKind.PROGRAM, Job.deployable_uuid == deployable_uuid, Job.request_uuid.in_(siblings)
    )
    rows = [JobRow._make(row) for row in connection.execute(query.order_by(Job.id.desc()))]
    return next((row.uuid for row in rows if (row.image or {}).get("digest") == digest), None)


def cancel(connection: Connection, uuid: str, *, scope: Scope, origin: Origin, stops_begun: bool = True) -> JobRow:
    """End a job: here if it has not reached its node, else it is ended there as soon as that hears of it.

    :param stops_begun: whether one that has begun, or may have, is to be ended, too
    :raises NotFound: there is no such job
    :raises Conflict: it has ended, or it cannot be stopped
    """
    row = lock(connection, uuid, scope=scope)
    if row.is_ended:
        raise Conflict(f"job {uuid} is {row.state}")
    if row.key.endswith(fences.UNDO):
        raise Conflict(f"job {uuid} tidies up after a request; what it is about is not offered before that is done")
    if row.state == JobState.RUNNING and (row.must_go_on or not stops_begun):
        because = row.must_go_on or "half of it would be worse than the whole"
        raise Conflict(
            f"job {uuid} has begun on node {row.node} and is not stopped: {because}. It ends by itself, "
            f"after {row.time_limit_seconds:g} seconds at the latest"
        )
    wanted = {"is_cancel_wanted": True, "cancelled_by": row.cancelled_by or origin.source}
    is_at_its_node = row.worker is not None or (stops_begun and row.lease_until is not None)
    if row.state == JobState.QUEUED and not is_at_its_node:
        over = {"state": JobState.CANCELLED, "finished_at": origin.at, "lease_until": None}
        change(connection, row, wanted | over)
        fences.take_down(connection, row.uuid, origin, since=row.created_at)
        tell(connection, EventKind.JOB_CANCELLED, row, {}, origin)
    elif not row.is_cancel_wanted:
        change(connection, row, wanted)
        tell(connection, EventKind.JOB_CALLED_OFF, row, {}, origin)
    return get(connection, uuid)


def lift(connection: Connection, uuid: str, *, scope: Scope, origin: Origin) -> int:
    """End the fences that a job has left: an operator knows what the device is like; gives how many there were.

    :raises NotFound: there is no such job
    :raises Conflict: it has not ended
    """
    row = lock(connection, uuid, scope=scope)
    if not row.is_ended:
        raise Conflict(f"job {uuid} is {row.state}: what it fences is fenced until it has ended")
    return fences.take_down(connection, row.uuid, origin)


def retry(connection: Connection, uuid: str, *, scope: Scope, origin: Origin) -> str:
    """Order the same again; gives the UUID of the new job, which takes over what the old one has left fenced.

    :raises NotFound: there is no such job, or its device is not there any more
    :raises Conflict: it has not failed, or somebody holds something of the device
    """
    row = lock(connection, uuid, scope=scope)
    if row.state not in {JobState.FAILED, JobState.CANCELLED}:
        raise Conflict(f"job {uuid} is {row.state}: only what has failed or was cancelled can be done again")
    return order_job(connection, _again(row), origin=origin)


def scrub_again(connection: Connection, row: JobRow, *, origin: Origin) -> None:
    """What was scrubbed before it was given back may have been used since: have it scrubbed, and fenced until then.

    :param row: a job that has given a handle back
    """
    holder, _, rest = row.key.partition(":")
    if row.kind != JobKind.RELEASE or not rest.endswith(fences.UNDO):
        return
    scrub = newest_of(connection, f"{holder}:{SCRUB}{fences.UNDO}")
    if scrub is not None and scrub.state == JobState.DONE and scrub.id < row.id:
        new = replace(_again(scrub), fences=False, is_wanted_of_lost=True)
        fences.pass_on(connection, row.uuid, order_job(connection, new, origin=origin))


def _again(row: JobRow) -> NewJob:
    """An order for what a job was about."""
    return NewJob(
        kind=JobKind(row.kind),
        device_uuid=row.device_uuid,
        deployable_uuid=row.deployable_uuid,
        handle=row.order.handle,
        arguments=row.arguments,
        image=row.order.image,
        time_limit_seconds=row.time_limit_seconds,
        project_id=row.project_id,
        request_uuid=row.request_uuid,
        key=row.key,
    )


def fenced_by(connection: Connection, uuids: list[str]) -> dict[str, int]:
    """How many attach handles each of some jobs fences."""
    query = select(Holder.name).where(Holder.kind == fences.FENCE, Holder.name.in_(uuids))
    counts = dict.fromkeys(uuids, 0)
    for name in connection.scalars(query) if uuids else ():
        counts[name] += 1
    return counts


def forget_ended(connection: Connection, *, before: datetime) -> int:
    """Delete jobs that ended before a moment and fence nothing; gives how many those were."""
    fencing = select(Holder.name).where(Holder.kind == fences.FENCE)
    old = Job.finished_at < before, Job.uuid.not_in(fencing)
    return connection.execute(delete(Job).where(*old), execution_options={"preserve_rowcount": True}).rowcount


# --- for those who attend to jobs ---


def lock(connection: Connection, uuid: str, *, scope: Scope = EVERYTHING) -> JobRow:
    """Lock a job, and before it its node.

    :raises NotFound: there is no such job
    """
    node = connection.scalar(select(Job.node).where(Job.uuid == uuid.lower(), scope.owns(Job.project_id)))
    if node is None:
        raise NotFound("job", uuid)
    places.lock_nodes(connection, [node])
    found = connection.execute(SELECT.where(Job.uuid == uuid.lower()).with_for_update()).one_or_none()
    if found is None:
        raise NotFound("job", uuid)
    return JobRow._make(found)


def change(connection: Connection, row: JobRow, values: Mapping[str, Any]) -> None:
    """Change a job that is locked."""
    connection.execute(update(Job).where(Job.id == row.id).values(dict(values)))


def tell(connection: Connection, kind: EventKind, row: JobRow, told: Mapping[str, Any], origin: Origin) -> None:
    """Write an event of a job."""
    entry = Entry(
        kind=kind,
        subject=row.uuid,
        source=origin.source,
        node=row.node,
        device_uuid=row.device_uuid,
        after={"job": row.kind, **told},
        request_id=origin.request_id,
        project_id=row.project_id,
    )
    history.write(connection, [entry], origin.at)


def _row(connection: Connection, new: NewJob, origin: Origin) -> dict[str, Any]:
    """What becomes the row of a new job; the node of its device is locked then."""
    node = connection.scalar(_DEVICE.with_only_columns(Node.name).where(Device.uuid == new.device_uuid.lower()))
    if node is None:
        raise NotFound("device", new.device_uuid)
    places.lock_nodes(connection, [node])
    device = connection.execute(_DEVICE.where(Device.uuid == new.device_uuid.lower())).one_or_none()
    if device is None:
        raise NotFound("device", new.device_uuid)
    if device.presence != Presence.PRESENT and not new.is_wanted_of_lost:
        raise Conflict(f"device {new.device_uuid} is lost: nothing can be done to it")
    part = _part(connection, new) if new.deployable_uuid is not None else None
    return {
        "uuid": str(uuid4()),
        "kind": new.kind,
        "state": JobState.QUEUED,
        "node": device.node,
        "driver": device.driver,
        "identity": device.identity,
        "device_uuid": device.uuid,
        "deployable": part.name if part is not None else None,
        "deployable_uuid": part.uuid if part is not None else None,
        "handle": _plain(new.handle),
        "arguments": dict(new.arguments),
        "image": _plain(new.image),
        "time_limit_seconds": new.time_limit_seconds,
        "deadline_at": origin.at + timedelta(seconds=new.begins_within_seconds),
        "project_id": new.project_id,
        "request_uuid": new.request_uuid,
        "key": new.key,
        "message": "",
        "fraction": None,
        "error_code": "",
        "error_text": "",
        "is_state_unknown": False,
        "is_cancel_wanted": False,
        "cancelled_by": None,
        "must_go_on": "",
        "worker": None,
        "lease_until": None,
        "created_at": origin.at,
        "started_at": None,
        "finished_at": None,
    }


def _part(connection: Connection, new: NewJob) -> Any:
    query = (
        select(Deployable.uuid, Deployable.name)
        .join(Device, Device.id == Deployable.device_id)
        .where(Deployable.uuid == (new.deployable_uuid or "").lower(), Device.uuid == new.device_uuid.lower())
    )
    found = connection.execute(query).one_or_none()
    if found is None:
        raise NotFound("deployable", f"{new.deployable_uuid} of device {new.device_uuid}")
    return found


def _plain(order: HandleOrder | ImageOrder | None) -> dict[str, Any] | None:
    return asdict(order) if order is not None else None
