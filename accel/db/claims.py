"""What requests hold: how it is taken and how it is given back.

Every function is a part of one transaction. The requests are locked first, in the order of their keys, then the nodes
where they are bound, then the limits they are under: two transactions that want the same wait for one another.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, bindparam, exists, insert, select

from accel.db import places, quotas
from accel.db.events import Origin
from accel.db.named import Named
from accel.db.paging import AnySelect
from accel.db.places import Found, Offer, Place
from accel.db.scope import Scope, in_scope
from accel.db.sharing import ALONE, Alone
from accel.db.tables import AcceleratorRequest, Deployable, Holder, Quota
from accel.db.transitions import (
    UNBOUND,
    HeldHandle,
    LockedRequest,
    Move,
    Terms,
    check,
    check_alone,
    handles_of,
    lock,
    move,
)
from accel.errors import AccelError, Conflict, InvalidValue, NotFound
from accel.model.request import HOLDING, TRANSITIONS, WORKING, Act, BindTarget, RequestChange, RequestState
from accel.model.steps import PROGRAM

INSTANCE = "instance"
"""The kind of holder that a bound request makes of what it is bound for."""
RESERVATION = "reservation"
"""The kind of holder that a claim of placement is."""

_HOLD = insert(Holder).inline()  # its key is not asked for
_OTHER_OF_INSTANCE: AnySelect = (
    select(AcceleratorRequest.uuid, AcceleratorRequest.instance_uuid)
    .where(
        AcceleratorRequest.instance_uuid.in_(bindparam("instances", expanding=True)),
        AcceleratorRequest.id.not_in(bindparam("these", expanding=True)),
        in_scope(AcceleratorRequest.project_id),
    )
    .limit(1)
)
_PLACES = Named(
    Deployable.rp_uuid,
    places.ON_NODES.add_columns(
        exists().where(AcceleratorRequest.instance_uuid == bindparam("instance")), exists(select(Quota.id))
    ).where,
)
"""The places of providers; whether an instance has any requests, and whether there are any quotas: mostly not, and then
nothing more is asked about them."""


class Changes(NamedTuple):
    """Requests that a caller wants to be bound or unbound, all or none."""

    changes: Sequence[RequestChange]
    scope: Scope
    origin: Origin

    @property
    def names(self) -> list[Hashable]:
        """What they are about: no two that are about the same are made together."""
        instances = {change.target.instance_uuid for change in self.changes if change.target is not None}
        return [*instances, *(change.request for change in self.changes)]


class _Bind(NamedTuple):
    """A request that is to be bound."""

    request: LockedRequest
    target: BindTarget
    origin: Origin


def change(
    connection: Connection, changes: Iterable[RequestChange], *, scope: Scope, terms: Terms, origin: Origin
) -> list[str]:
    """Bind and unbind requests, all or none.

    :return: the UUIDs of those that the caller is now to work on
    :raises NotFound: there is no such request, or no such provider
    :raises InvalidValue: an instance has other requests already
    :raises Conflict: a request is in a state that does not allow it, or cannot be bound there; the text says why
    """
    return _change(connection, [Changes(list(changes), scope, origin)], scope, terms, waits=True)


def change_together(connection: Connection, wanted: Sequence[Changes], *, terms: Terms) -> list[list[str] | Alone]:
    """Make the changes of callers that see the same, all of them or none; those of others are left alone.

    :param wanted: no two about the same
    :return: for each what ``change`` gives
    :raises AccelError: one of them cannot be made, or not without waiting for a node that somebody else has locked
    """
    scope = wanted[0].scope
    alike = [each for each in wanted if each.scope == scope]
    left = set(_change(connection, alike, scope, terms, waits=len(wanted) == 1))
    return [
        [change.request for change in each.changes if change.request in left] if each.scope == scope else ALONE
        for each in wanted
    ]


def _change(connection: Connection, wanted: Sequence[Changes], scope: Scope, terms: Terms, *, waits: bool) -> list[str]:
    changes = [(change, each.origin) for each in wanted for change in each.changes]
    requests = {row.uuid: row for row in lock(connection, [change.request for change, _ in changes], scope=scope)}
    for change_, _ in changes:
        if change_.request not in requests:
            raise NotFound("accelerator request", change_.request)
    check_alone(requests.values())
    binds = [_Bind(requests[it.request], it.target, origin) for it, origin in changes if it.target is not None]
    unbinds = [(requests[it.request], origin) for it, origin in changes if it.target is None]
    return [
        *_unbind(connection, unbinds, terms=terms),
        *_bind(connection, binds, scope=scope, terms=terms, waits=waits),
    ]


class Deletion(NamedTuple):
    """Requests that a caller wants to be deleted, as far as they are there."""

    uuids: Sequence[str]
    scope: Scope
    origin: Origin
    check: Callable[[Sequence[LockedRequest]], None]
    """Raises what refuses it."""

    @property
    def names(self) -> Sequence[Hashable]:
        """What it is about: no two that are about the same are done together."""
        return self.uuids


class Deleted(NamedTuple):
    """What has become of a deletion."""

    found: Sequence[LockedRequest]
    left: Sequence[str]
    """The UUIDs of those that wait for work on their node now."""


def delete_together(connection: Connection, wanted: Sequence[Deletion]) -> list[Deleted | AccelError | Alone]:
    """Delete what callers that see the same name; those of others are left alone.

    :param wanted: no two about the same
    """
    scope = wanted[0].scope
    alike = [each for each in wanted if each.scope == scope]
    rows = lock(connection, [uuid for each in alike for uuid in each.uuids], scope=scope)
    outcomes = [_deleted(each, rows) if each.scope == scope else ALONE for each in wanted]
    accepted = [
        (row, each.origin)
        for deleted, each in zip(outcomes, wanted, strict=True)
        if isinstance(deleted, Deleted)
        for row in deleted.found
    ]
    left = set(remove(connection, accepted))
    return [
        it._replace(left=[row.uuid for row in it.found if row.uuid in left]) if isinstance(it, Deleted) else it
        for it in outcomes
    ]


def _deleted(wanted: Deletion, rows: Iterable[LockedRequest]) -> Deleted | AccelError | Alone:
    """What becomes of a deletion, but for what is left."""
    found = [row for row in rows if row.uuid in wanted.uuids]
    try:
        wanted.check(found)
        check_alone(found)
    except AccelError as error:
        return error
    return Deleted(found, ())


def remove(connection: Connection, requests: Sequence[tuple[LockedRequest, Origin]]) -> list[str]:
    """Delete requests; those that need work on the node go when a conductor has done that.

    :param requests: each with who deletes it
    :return: the UUIDs of the latter
    """
    held = handles_of(connection, [row for row, _ in requests])
    begun = [Move(row, _begun(row, None, by.at), held.get(row.id), by) for row, by in requests if _needs_work(row)]
    idle = [(row, by) for row, by in requests if not _needs_work(row) and row.state != RequestState.DELETING]
    move(connection, Act.BEGIN_DELETE, begun)
    move(connection, Act.DELETE, [Move(row, {}, held.get(row.id), by) for row, by in idle])
    return [its.request.uuid for its in begun]


def _unbind(connection: Connection, requests: Sequence[tuple[LockedRequest, Origin]], *, terms: Terms) -> list[str]:
    held = handles_of(connection, [row for row, _ in requests])
    begun = [
        Move(row, _begun(row, terms.worker, terms.deadline(by.at)), held.get(row.id), by)
        for row, by in requests
        if _needs_work(row) and row.state != RequestState.UNBIND_STARTED
    ]
    move(connection, Act.BEGIN_UNBIND, begun)
    done = [Move(row, UNBOUND, held.get(row.id), by) for row, by in requests if not _needs_work(row)]
    move(connection, Act.UNBIND, done)
    busy = (its.request for its in begun)
    return [row.uuid for row in busy if row.state != RequestState.BIND_STARTED or row.worker is None]


def _bind(connection: Connection, binds: Sequence[_Bind], *, scope: Scope, terms: Terms, waits: bool) -> list[str]:
    if not binds:
        return []
    wanted = Counter((target.device_rp_uuid, target.hostname) for _, target, _ in binds)
    instances = sorted({target.instance_uuid for _, target, _ in binds})
    nodes = {node for _, node in wanted}
    locked = places.lock_nodes(connection, nodes, waits=waits)
    if not waits and locked.keys() < nodes:
        raise Conflict("somebody else has locked a node")
    found = _PLACES.execute(connection, sorted({provider for provider, _ in wanted}), instance=instances[0]).all()
    offers = places.offers(connection, wanted, (Place._make(row[:-2]) for row in found))
    has_requests, are_quotas = tuple(found[0])[-2:]
    if has_requests or len(instances) > 1:
        _check_instances(connection, binds, instances, scope)
    check(Act.BIND, (request for request, _, _ in binds))
    if are_quotas:
        quotas.check(
            connection, Counter((target.project_id or row.project_id, row.resource_class) for row, target, _ in binds)
        )
    taken = _take_handles(connection, binds, offers)
    busy: list[Move] = []
    idle: list[Move] = []
    for request, target, origin in binds:
        place, handle = taken[request.id]
        steps = list(terms.steps_for(handle.type, request.group, place))
        if PROGRAM in steps:
            terms.check_image(connection, request.group, target.project_id or request.project_id, place.deployable_id)
        values: dict[str, Any] = {
            "hostname": target.hostname,
            "device_rp_uuid": target.device_rp_uuid,
            "instance_uuid": target.instance_uuid,
            "project_id": target.project_id or request.project_id,
            "reason": "",
            "steps": steps,
            "worker": terms.worker if steps else None,
            "deadline_at": terms.deadline(origin.at) if steps else None,
        }
        bound = request._replace(
            hostname=target.hostname, instance_uuid=target.instance_uuid, project_id=values["project_id"]
        )
        held = HeldHandle(handle.uuid, handle.type, handle.info, place.device_uuid)
        (busy if steps else idle).append(Move(bound, values, held, origin))
    _hold(connection, [*busy, *idle], taken)
    move(connection, Act.BEGIN_BIND, busy)
    move(connection, Act.BIND, idle, tells_nova=terms.tells_nova)
    return [its.request.uuid for its in busy]


def _take_handles(
    connection: Connection,
    binds: Sequence[_Bind],
    offers: Mapping[tuple[str, str], Offer],
) -> dict[int, Found]:
    """A free handle for each request, by its key, from its place, which is locked."""
    at = {request.id: (target.device_rp_uuid, target.hostname) for request, target, _ in binds}
    for where, wanted in Counter(at.values()).items():
        if len(offers[where].free) < wanted:
            raise Conflict(places.why_none_is_free(connection, offers[where].place, wanted))
    free = {where: iter(offer.free) for where, offer in offers.items()}
    taken = {key: Found(offers[where].place, next(free[where])) for key, where in at.items()}
    if len({found.thing for found in taken.values()}) < len(taken):
        raise Conflict("of what is wanted, two attach handles stand for the same; one of them can be had")
    return taken


def _hold(
    connection: Connection,
    moves: Iterable[Move],
    taken: Mapping[int, Found],
) -> None:
    rows = [
        {
            "uuid": str(uuid4()),
            "attach_handle_id": taken[request.id].handle.id,
            "kind": INSTANCE,
            "name": request.instance_uuid,
            "project_id": request.project_id,
            "request_id": request.id,
            "created_at": origin.at,
        }
        for request, _, _, origin in moves
    ]
    connection.execute(_HOLD, rows)


def _check_instances(connection: Connection, binds: Sequence[_Bind], instances: Sequence[str], scope: Scope) -> None:
    """Make sure that no instance has other requests. An instance is on one node, so while that is locked none gets any.

    :raises InvalidValue: one of them has
    """
    values = {
        "instances": instances,
        "these": [request.id for request, _, _ in binds if request.state not in HOLDING],
    }
    other = connection.execute(_OTHER_OF_INSTANCE, values | scope.values).one_or_none()
    if other is not None:
        expected = f"new: all requests of an instance are bound at once, and it has {other.uuid} already"
        raise InvalidValue("instance_uuid", other.instance_uuid, expected)


def _needs_work(request: LockedRequest) -> bool:
    """Whether there is something on the node that is to be undone before the handle is given back."""
    return bool(request.steps) and request.state in TRANSITIONS[Act.BEGIN_DELETE].before


def _begun(request: LockedRequest, worker: str | None, deadline: datetime) -> dict[str, Any]:
    """Who is to work, and until when; whoever is at it already goes on, and finds out by the new state."""
    if request.state in WORKING:
        worker, deadline = request.worker, request.deadline_at or deadline
    return {"worker": worker, "deadline_at": deadline}
