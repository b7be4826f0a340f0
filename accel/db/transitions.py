"""The moves of requests from state to state, as the table of transitions allows them, with all that goes with a move.

The requests are locked first, in the order of their keys. Each change of a state is one conditional update checked by
its row count; in the same transaction go the end of the holding, the event, and the word for Nova.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, NamedTuple

from oslo_config import cfg
from sqlalchemy import Connection, Row, Update, bindparam, delete, select, update

from accel.db import history, image_choice, notifications, placement_nodes
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.named import Named
from accel.db.paging import AnySelect
from accel.db.places import Place
from accel.db.scope import EVERYTHING, Scope, in_scope
from accel.db.tables import AcceleratorRequest, AttachHandle, Deployable, Device, Holder, PlacementClaim
from accel.errors import ConfigurationError, Conflict, InvalidValue
from accel.model.event import EventKind
from accel.model.notification import Notification, NotificationStatus
from accel.model.profile import Group
from accel.model.request import HOLDING, TRANSITIONS, Act, RequestState
from accel.model.steps import WorkPolicy

CheckImage = Callable[[Connection, Group, str, int], object]
"""Takes a group of a profile, a project and a deployable by its key; raises what ``image_choice.choose`` raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How requests are claimed."""

    worker: str | None
    """The name of the conductor that claims, by which whoever is at work on a request is known; None: no conductor
    does, and any may take up the work.
    """
    work_limit: timedelta
    """How long the work on a node may take before it counts as failed."""
    tells_nova: bool
    """Whether there is a Nova that wants to know."""
    steps_for: Callable[[str, Group, Place], Sequence[str]]
    """The names of the steps of work on the node that a type of handle needs under a group of a profile, at a place."""
    check_image: CheckImage = lambda *_: None
    """Makes sure that there is an image to load as a group wants it."""

    @classmethod
    def configured(cls, conf: cfg.ConfigOpts, *, worker: str | None = None) -> "Terms":
        """The terms of a configuration.

        :raises ConfigurationError: it says of work on nodes what cannot be
        """
        policy = work_policy(conf)
        return cls(
            worker=worker,
            work_limit=timedelta(seconds=conf.conductor.work_limit_seconds),
            tells_nova=bool(conf.nova.auth_type or conf.nova.auth_section),
            steps_for=lambda handle_type, group, place: policy.steps(handle_type, place.device_type, place.kind, group),
            check_image=partial(image_choice.check, requires_signature=conf.images.signature_required),
        )

    def deadline(self, now: datetime) -> datetime:
        """Until when work is to be done that begins now."""
        return now + self.work_limit


def work_policy(conf: cfg.ConfigOpts) -> WorkPolicy:
    """The policy of a configuration about work on nodes.

    :raises ConfigurationError: it says what cannot be
    """
    try:
        return WorkPolicy.read(conf.conductor.prepare, conf.conductor.scrub)
    except InvalidValue as error:
        raise ConfigurationError(f"[conductor] {error}") from error


class LockedRequest(NamedTuple):
    """The row of a request, which is locked until the end of the transaction."""

    id: int
    uuid: str
    project_id: str
    state: str
    profile_name: str
    group: dict[str, str]
    resource_class: str
    hostname: str | None
    device_rp_uuid: str | None
    instance_uuid: str | None
    reason: str
    steps: list[str]
    worker: str | None
    deadline_at: datetime | None
    claim: str | None
    """The UUID of the claim of placement that it belongs to."""


class HeldHandle(NamedTuple):
    """What a request holds, and where."""

    uuid: str
    type: str
    info: dict[str, str]
    device_uuid: str
    holder_uuid: str = ""
    """What it is held by: another one each time."""
    deployable_uuid: str = ""
    kind: str = ""
    """Of the deployable."""
    device_type: str = ""


class Move(NamedTuple):
    """A request on its way from one state to the next."""

    request: LockedRequest
    values: dict[str, Any]
    """What else of its row changes: the same columns for all that move together."""
    handle: HeldHandle | None
    """What it holds then, or has held until now."""
    origin: Origin
    """Who moves it."""


# Statements are made once: making one costs as much as sending it.
_CLAIM = select(PlacementClaim.uuid).where(PlacementClaim.id == AcceleratorRequest.claim_id).scalar_subquery()
_LOCKED: AnySelect = (
    select(*(getattr(AcceleratorRequest, name) for name in LockedRequest._fields if name != "claim"), _CLAIM)
    .where(in_scope(AcceleratorRequest.project_id))
    .order_by(AcceleratorRequest.id)
    .with_for_update()
)
_BY_UUID = Named(AcceleratorRequest.uuid, _LOCKED.where)
_BY_INSTANCE = Named(AcceleratorRequest.instance_uuid, _LOCKED.where)
_BY_CLAIM = Named(AcceleratorRequest.claim_id, _LOCKED.where)
_WITH_HANDLES: AnySelect = (
    select(
        Holder.request_id,
        *(AttachHandle.uuid, AttachHandle.type, AttachHandle.info),
        *(Device.uuid, Holder.uuid, Deployable.uuid, Deployable.kind, Device.type),
    )
    .join(AttachHandle, AttachHandle.id == Holder.attach_handle_id)
    .join(Deployable, Deployable.id == AttachHandle.deployable_id)
    .join(Device, Device.id == Deployable.device_id)
)
_HELD = Named(Holder.request_id, _WITH_HANDLES.where)
_GIVE_BACK = Named(Holder.request_id, delete(Holder).where)
_DELETE = Named(AcceleratorRequest.id, delete(AcceleratorRequest).where)
RESTING: dict[str, Any] = {"worker": None, "deadline_at": None}
"""What changes in the row of a request on which no conductor is at work any more."""
UNBOUND: dict[str, Any] = RESTING | {
    "hostname": None,
    "device_rp_uuid": None,
    "instance_uuid": None,
    "reason": "",
    "steps": [],
}
"""What changes in the row of a request that is unbound."""
_KINDS = {
    RequestState.BIND_STARTED: EventKind.REQUEST_BIND_STARTED,
    RequestState.BOUND: EventKind.REQUEST_BOUND,
    RequestState.BIND_FAILED: EventKind.REQUEST_BIND_FAILED,
    RequestState.UNBIND_STARTED: EventKind.REQUEST_UNBIND_STARTED,
    RequestState.UNBOUND: EventKind.REQUEST_UNBOUND,
    RequestState.DELETING: EventKind.REQUEST_DELETING,
    None: EventKind.REQUEST_DELETED,
}
_NOTIFIED = {
    RequestState.BOUND: NotificationStatus.COMPLETED,
    RequestState.BIND_FAILED: NotificationStatus.FAILED,
}


def lock(connection: Connection, uuids: Iterable[str], *, scope: Scope) -> list[LockedRequest]:
    """Lock the requests of these UUIDs that are there."""
    return _made(_BY_UUID.execute(connection, sorted(set(uuids)), **scope.values))


def lock_of_instance(connection: Connection, instance_uuid: str, *, scope: Scope) -> list[LockedRequest]:
    """Lock the requests of an instance."""
    return _made(_BY_INSTANCE.execute(connection, [instance_uuid], **scope.values))


def lock_of_claims(connection: Connection, claim_ids: Sequence[int]) -> list[LockedRequest]:
    """Lock the requests of claims of placement, which are locked."""
    return _made(_BY_CLAIM.execute(connection, claim_ids, **EVERYTHING.values))


def check_alone(requests: Iterable[LockedRequest]) -> None:
    """Make sure that requests may be changed one by one.

    :raises Conflict: one of them belongs to a claim of placement
    """
    for request in requests:
        if request.claim is not None:
            raise Conflict(
                f"accelerator request {request.uuid} belongs to claim {request.claim}, which is all or nothing: "
                "release the claim"
            )


def handles_of(connection: Connection, requests: Iterable[LockedRequest]) -> dict[int, HeldHandle]:
    """What requests hold, by their keys."""
    holding = [row.id for row in requests if row.state in HOLDING]
    if not holding:
        return {}
    found = _HELD.execute(connection, holding)
    return {row[0]: HeldHandle._make(row[1:]) for row in found if row[0] is not None}


def check(act: Act, requests: Iterable[LockedRequest]) -> None:
    """Make sure that something may happen to requests.

    :raises Conflict: one of them is in a state in which it cannot happen
    """
    for request in requests:
        if request.state not in TRANSITIONS[act].before:
            raise Conflict(f"accelerator request {request.uuid} is {request.state}: cannot {act}")


def move(connection: Connection, act: Act, moves: Sequence[Move], *, tells_nova: bool = False) -> None:
    """Let something happen to requests: state, holder, event and notification in one go.

    :param tells_nova: whether there is a Nova that wants to know
    :raises Conflict: one of them is in a state in which it cannot happen
    """
    if not moves:
        return
    transition = TRANSITIONS[act]
    check(act, (its.request for its in moves))
    if transition.after not in HOLDING:
        _give_back(connection, moves)
    if transition.after is None:
        changed = _DELETE.execute(connection, [its.request.id for its in moves]).rowcount
    else:
        changed = _update(connection, transition.after, moves)
    if changed != len(moves):
        raise Conflict(f"{len(moves) - changed} accelerator requests have changed meanwhile: cannot {act}")
    now = max(its.origin.at for its in moves)
    _record(connection, transition.after, moves, now)
    if transition.after not in HOLDING:
        placement_nodes.mark(connection, _nodes_of_reservations(moves), now)
    if tells_nova:
        _notify(connection, transition.after, moves, now)


def _made(found: Iterable[Row[*tuple[Any, ...]]]) -> list[LockedRequest]:
    return [LockedRequest._make(row) for row in found]


def _give_back(connection: Connection, moves: Iterable[Move]) -> None:
    holding = [its.request.id for its in moves if its.request.state in HOLDING]
    if holding:
        _GIVE_BACK.execute(connection, holding)


def _nodes_of_reservations(moves: Iterable[Move]) -> set[str]:
    """The nodes of which Placement has had something reserved for requests that held it for no instance of Nova's."""
    return {
        request.hostname
        for request in (its.request for its in moves)
        if request.hostname is not None and request.instance_uuid is None and request.state in HOLDING
    }


def _update(connection: Connection, state: RequestState, moves: Sequence[Move]) -> int:
    """Write the new states, each only over the one that was seen; gives how many were written."""
    rows = [
        {"its_id": request.id, "its_state": request.state, "new_state": state, "new_updated_at": origin.at}
        | {f"new_{name}": value for name, value in values.items()}
        for request, values, _, origin in moves
    ]
    statement = _updating(tuple(moves[0].values))
    return connection.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount


@cache
def _updating(names: tuple[str, ...]) -> Update:
    """The statement that changes these columns, with the state."""
    changed: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("state", "updated_at", *names)}
    is_as_seen = AcceleratorRequest.state == bindparam("its_state")
    return update(AcceleratorRequest).where(AcceleratorRequest.id == bindparam("its_id"), is_as_seen).values(changed)


def _record(connection: Connection, state: RequestState | None, moves: Iterable[Move], now: datetime) -> None:
    entries = [
        Entry(
            kind=_KINDS[state],
            subject=request.uuid,
            source=origin.source,
            node=request.hostname,
            device_uuid=handle.device_uuid if handle is not None else None,
            before=_told(request, RequestState(request.state), {}, handle),
            after=_told(request, state, values, handle) if state is not None else None,
            request_id=origin.request_id,
            project_id=request.project_id,
            at=origin.at,
        )
        for request, values, handle, origin in moves
    ]
    history.write(connection, entries, now)


def _told(
    request: LockedRequest, state: RequestState, values: Mapping[str, Any], handle: HeldHandle | None
) -> dict[str, Any]:
    told: dict[str, Any] = {"state": state}
    if state in HOLDING and handle is not None:
        told |= {"instance_uuid": request.instance_uuid, "handle": handle.uuid, "info": handle.info}
        if request.claim is not None:
            told["claim"] = request.claim
    if values.get("reason"):
        told["reason"] = values["reason"]
    return told


def _notify(connection: Connection, state: RequestState | None, moves: Iterable[Move], now: datetime) -> None:
    status = _NOTIFIED.get(state) if state is not None else None
    if status is None:
        return
    told = (
        Notification(request_uuid=request.uuid, instance_uuid=request.instance_uuid or "", status=status)
        for request in (its.request for its in moves)
    )
    notifications.add(connection, told, now)
