"""What requests hold: how it is taken and how it is given back.

Every function is a part of one transaction. The requests are locked first, in the order of their keys, then the nodes
where they are bound, then the limits they are under: two transactions that want the same wait for one another.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, bindparam, exists, insert, select

from accel.db import places, quotas
from accel.db.events import Origin
from accel.db.named import Named
from accel.db.paging import AnySelect
from accel.db.places import FreeHandle, Offer, Place
from accel.db.scope import Scope, in_scope
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
from accel.errors import Conflict, InvalidValue, NotFound
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


def change(
    connection: Connection, changes: Iterable[RequestChange], *, scope: Scope, terms: Terms, origin: Origin
) -> list[str]:
    """Bind and unbind requests, all or none.

    :return: the UUIDs of those that the caller is now to work on
    :raises NotFound: there is no such request, or no such provider
    :raises InvalidValue: an instance has other requests already
    :raises Conflict: a request is in a state that does not allow it, or cannot be bound there; the text says why
    """
    changes = list(changes)
    requests = {row.uuid: row for row in lock(connection, [change.request for change in changes], scope=scope)}
    for wanted in changes:
        if wanted.request not in requests:
            raise NotFound("accelerator request", wanted.request)
    check_alone(requests.values())
    binds = [(requests[wanted.request], wanted.target) for wanted in changes if wanted.target is not None]
    unbinds = [requests[wanted.request] for wanted in changes if wanted.target is None]
    return [
        *_unbind(connection, unbinds, terms=terms, origin=origin),
        *_bind(connection, binds, scope=scope, terms=terms, origin=origin),
    ]


def remove(connection: Connection, requests: Sequence[LockedRequest], *, origin: Origin) -> list[str]:
    """Delete requests; those that need work on the node go when a conductor has done that.

    :return: the UUIDs of the latter
    """
    held = handles_of(connection, requests)
    busy = [row for row in requests if _needs_work(row)]
    idle = [row for row in requests if not _needs_work(row) and row.state != RequestState.DELETING]
    begun = [Move(row, _begun(row, None, origin.at), held.get(row.id)) for row in busy]
    move(connection, Act.BEGIN_DELETE, begun, origin=origin)
    move(connection, Act.DELETE, [Move(row, {}, held.get(row.id)) for row in idle], origin=origin)
    return [row.uuid for row in busy]


def _unbind(connection: Connection, requests: Sequence[LockedRequest], *, terms: Terms, origin: Origin) -> list[str]:
    held = handles_of(connection, requests)
    busy = [row for row in requests if _needs_work(row) and row.state != RequestState.UNBIND_STARTED]
    idle = [row for row in requests if not _needs_work(row)]
    begun = [Move(row, _begun(row, terms.worker, terms.deadline(origin.at)), held.get(row.id)) for row in busy]
    move(connection, Act.BEGIN_UNBIND, begun, origin=origin)
    done = [Move(row, UNBOUND, held.get(row.id)) for row in idle]
    move(connection, Act.UNBIND, done, origin=origin)
    return [row.uuid for row in busy if row.state != RequestState.BIND_STARTED or row.worker is None]


def _bind(
    connection: Connection,
    binds: Sequence[tuple[LockedRequest, BindTarget]],
    *,
    scope: Scope,
    terms: Terms,
    origin: Origin,
) -> list[str]:
    if not binds:
        return []
    wanted = Counter((target.device_rp_uuid, target.hostname) for _, target in binds)
    instances = sorted({target.instance_uuid for _, target in binds})
    places.lock_nodes(connection, (node for _, node in wanted))
    found = _PLACES.execute(connection, sorted({provider for provider, _ in wanted}), instance=instances[0]).all()
    offers = places.offers(connection, wanted, (Place._make(row[:-2]) for row in found))
    has_requests, are_quotas = tuple(found[0])[-2:]
    if has_requests or len(instances) > 1:
        _check_instances(connection, binds, instances, scope)
    check(Act.BIND, (request for request, _ in binds))
    if are_quotas:
        quotas.check(
            connection, Counter((target.project_id or row.project_id, row.resource_class) for row, target in binds)
        )
    taken = _take_handles(connection, binds, offers)
    busy: list[Move] = []
    idle: list[Move] = []
    for request, target in binds:
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
        (busy if steps else idle).append(Move(bound, values, held))
    _hold(connection, [*busy, *idle], taken, origin.at)
    move(connection, Act.BEGIN_BIND, busy, origin=origin)
    move(connection, Act.BIND, idle, origin=origin, tells_nova=terms.tells_nova)
    return [request.uuid for request, _, _ in busy]


def _take_handles(
    connection: Connection,
    binds: Sequence[tuple[LockedRequest, BindTarget]],
    offers: Mapping[tuple[str, str], Offer],
) -> dict[int, tuple[Place, FreeHandle]]:
    """A free handle for each request, by its key, from its place, which is locked."""
    at = {request.id: (target.device_rp_uuid, target.hostname) for request, target in binds}
    for where, wanted in Counter(at.values()).items():
        if len(offers[where].free) < wanted:
            raise Conflict(places.why_none_is_free(connection, offers[where].place, wanted))
    free = {where: iter(offer.free) for where, offer in offers.items()}
    return {key: (offers[where].place, next(free[where])) for key, where in at.items()}


def _hold(
    connection: Connection,
    moves: Iterable[Move],
    taken: Mapping[int, tuple[Place, FreeHandle]],
    now: datetime,
) -> None:
    rows = [
        {
            "uuid": str(uuid4()),
            "attach_handle_id": taken[request.id][1].id,
            "kind": INSTANCE,
            "name": request.instance_uuid,
            "project_id": request.project_id,
            "request_id": request.id,
            "created_at": now,
        }
        for request, _, _ in moves
    ]
    connection.execute(_HOLD, rows)


def _check_instances(
    connection: Connection, binds: Sequence[tuple[LockedRequest, BindTarget]], instances: Sequence[str], scope: Scope
) -> None:
    """Make sure that no instance has other requests. An instance is on one node, so while that is locked none gets any.

    :raises InvalidValue: one of them has
    """
    values = {
        "instances": instances,
        "these": [request.id for request, _ in binds if request.state not in HOLDING],
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
