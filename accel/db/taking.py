"""How a claim of placement is taken, renewed and given back, each in one transaction.

What is taken was chosen on a snapshot, which may be old: the nodes are locked and every handle is looked at again. The
order of locks is that of ``accel.db.claims``: claims, requests, nodes, limits.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from accel.db import claims, history, placement_claims, places, quotas, transitions
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.paging import AnySelect
from accel.db.placement_claims import AllocationRow, Claim, ClaimRow
from accel.db.places import Found
from accel.db.requests import MOST_AT_ONCE
from accel.db.scope import Scope, in_scope
from accel.db.tables import AcceleratorRequest, Holder, PlacementClaim
from accel.db.transitions import Terms
from accel.errors import Conflict, InvalidValue, NotFound
from accel.model.device import Presence
from accel.model.event import EventKind
from accel.model.profile import Group
from accel.model.request import RequestState

EXPIRED_AT_ONCE = 50
"""So many claims are released in one transaction: none waits long for another."""


class ProfileUsed(NamedTuple):
    """The device profile that a claim was made under."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClaim:
    """What a claim is made of, beside what it takes."""

    project_id: str
    user_id: str | None
    consumer: str = ""
    """What it is for, as whoever makes it calls it."""
    idempotency_key: str | None = None
    request: Mapping[str, Any]
    """What was asked for, as it was asked."""
    request_hash: str
    lease_seconds: int | None = None
    """How long it is held unless renewed; None: until it is released."""
    profile: ProfileUsed | None = None


class Chosen(NamedTuple):
    """One accelerator that is to be taken."""

    group_index: int
    group: Group
    """What was asked for, in the words of a device profile."""
    resource_class: str
    node: str
    handle_uuid: str


class _Taken(NamedTuple):
    """One accelerator that is being taken."""

    request_uuid: str
    chosen: Chosen
    found: Found
    steps: Sequence[str]

    @property
    def state(self) -> RequestState:
        return RequestState.BIND_STARTED if self.steps else RequestState.BOUND


_NEW_CLAIM = insert(PlacementClaim).returning(PlacementClaim.id)
_NEW_REQUEST = insert(AcceleratorRequest).returning(AcceleratorRequest.uuid, AcceleratorRequest.id)
_NEW_HOLDER = insert(Holder)
_LOCKED: AnySelect = (
    select(*(getattr(PlacementClaim, name) for name in ClaimRow._fields))
    .where(PlacementClaim.uuid == bindparam("wanted"), in_scope(PlacementClaim.project_id))
    .with_for_update()
)
_EXPIRED: AnySelect = (
    select(*(getattr(PlacementClaim, name) for name in ClaimRow._fields))
    .where(PlacementClaim.expires_at <= bindparam("now", type_=PlacementClaim.expires_at.type))
    .order_by(PlacementClaim.expires_at)
    .limit(EXPIRED_AT_ONCE)
    .with_for_update(skip_locked=True)
)
_RENEW = (
    update(PlacementClaim)
    .where(PlacementClaim.id == bindparam("claim"))
    .values({name: bindparam(f"new_{name}") for name in ("lease_seconds", "expires_at", "updated_at")})
)
_DELETE = delete(PlacementClaim).where(PlacementClaim.id.in_(bindparam("claims", expanding=True)))
_NODES: AnySelect = (
    select(AcceleratorRequest.claim_id, AcceleratorRequest.hostname)
    .where(
        AcceleratorRequest.claim_id.in_(bindparam("claims", expanding=True)), AcceleratorRequest.hostname.is_not(None)
    )
    .distinct()
)


def repeated(connection: Connection, new: NewClaim) -> Claim | None:
    """The claim that the same request has made before under the same key, if it has one.

    :raises Conflict: under that key something else was asked for
    """
    if new.idempotency_key is None:
        return None
    known = placement_claims.with_key(connection, new.project_id, new.idempotency_key)
    if known is not None and known.row.request_hash != new.request_hash:
        raise Conflict(
            f"idempotency_key: {new.idempotency_key!r} has been used for claim {known.uuid}, which asked for something "
            "else; give another key, or release that claim"
        )
    return known


def take(
    connection: Connection, new: NewClaim, chosen: Sequence[Chosen], *, terms: Terms, origin: Origin
) -> tuple[Claim, bool]:
    """Make a claim and take all that was chosen for it, or nothing.

    :return: the claim, and whether it is new: the same request may have made it already, under the same key
    :raises Overtaken: something of it is not to be had any more
    :raises Conflict: a quota does not allow it, or the key has been used for something else
    """
    known = repeated(connection, new)
    if known is not None:
        return known, False
    if len(chosen) > MOST_AT_ONCE:
        raise InvalidValue("groups", f"{len(chosen)} accelerators", f"for {MOST_AT_ONCE} accelerators at most")
    found = places.lock_handles(connection, {one.handle_uuid: one.node for one in chosen})
    quotas.check(connection, Counter((new.project_id, one.resource_class) for one in chosen))
    taken = [
        _Taken(str(uuid4()), one, its, terms.steps_for(its.handle.type, one.group, its.place))
        for one in chosen
        for its in [found[one.handle_uuid]]
    ]
    row = _insert_claim(connection, new, origin.at)
    _insert_requests(connection, new, row, taken, terms=terms, now=origin.at)
    claim = Claim(row, [_allocation(one) for one in taken])
    entries = [_request_entry(row, one, origin) for one in taken]
    entries += _entries(EventKind.CLAIM_CREATED, row, (one.node for one in chosen), origin)
    history.write(connection, entries, origin.at)
    return claim, True


def renew(connection: Connection, uuid: str, lease_seconds: int | None, *, scope: Scope, origin: Origin) -> Claim:
    """Hold a claim for so long from now on, by default as long as before.

    :raises NotFound: there is no such claim
    :raises InvalidValue: it has no lease and is given none
    """
    locked = _lock(connection, uuid, scope)
    lease = locked.lease_seconds if lease_seconds is None else lease_seconds
    if lease is None:
        raise InvalidValue("lease_seconds", None, "a number of seconds: the claim has no lease and is held for ever")
    values = {"lease_seconds": lease, "expires_at": origin.at + timedelta(seconds=lease), "updated_at": origin.at}
    connection.execute(_RENEW, {"claim": locked.id} | {f"new_{name}": value for name, value in values.items()})
    claim = placement_claims.get(connection, uuid, scope=scope)
    nodes = (one.node for one in claim.allocations)
    history.write(connection, _entries(EventKind.CLAIM_RENEWED, claim.row, nodes, origin), origin.at)
    return claim


def release(connection: Connection, uuid: str, *, scope: Scope, origin: Origin) -> Sequence[str]:
    """Give back all that a claim holds.

    :return: the UUIDs of requests that wait for work on their node now
    :raises NotFound: there is no such claim
    """
    return _release(connection, [_lock(connection, uuid, scope)], EventKind.CLAIM_RELEASED, origin)


def release_expired(connection: Connection, *, origin: Origin) -> tuple[int, Sequence[str]]:
    """Give back what claims hold that nobody has renewed in time: some of them, those that expired first.

    Whoever renews one at this moment has it locked, so it is left alone.

    :return: how many claims those were, and the UUIDs of requests that wait for work on their node now
    """
    expired = [ClaimRow._make(row) for row in connection.execute(_EXPIRED, {"now": origin.at})]
    return len(expired), _release(connection, expired, EventKind.CLAIM_EXPIRED, origin) if expired else []


def _lock(connection: Connection, uuid: str, scope: Scope) -> ClaimRow:
    found = connection.execute(_LOCKED, {"wanted": uuid.lower(), **scope.values}).one_or_none()
    if found is None:
        raise NotFound("claim", uuid)
    return ClaimRow._make(found)


def _release(connection: Connection, rows: Sequence[ClaimRow], kind: EventKind, origin: Origin) -> list[str]:
    keys = [row.id for row in rows]
    nodes = connection.execute(_NODES, {"claims": keys}).all()
    left = claims.remove(connection, transitions.lock_of_claims(connection, keys), origin=origin)
    connection.execute(_DELETE, {"claims": keys})
    entries = [
        entry for row in rows for entry in _entries(kind, row, [name for key, name in nodes if key == row.id], origin)
    ]
    history.write(connection, entries, origin.at)
    return left


def _insert_claim(connection: Connection, new: NewClaim, now: datetime) -> ClaimRow:
    expires_at = now + timedelta(seconds=new.lease_seconds) if new.lease_seconds is not None else None
    values: dict[str, Any] = {
        "uuid": str(uuid4()),
        "project_id": new.project_id,
        "user_id": new.user_id,
        "consumer": new.consumer,
        "idempotency_key": new.idempotency_key,
        "request": dict(new.request),
        "request_hash": new.request_hash,
        "lease_seconds": new.lease_seconds,
        "expires_at": expires_at,
        "created_at": now,
        "updated_at": None,
    }
    key = connection.execute(_NEW_CLAIM, values).scalar_one()
    stored = {
        "expires_at": expires_at.replace(tzinfo=None) if expires_at is not None else None,
        "created_at": now.replace(tzinfo=None),
    }
    return ClaimRow(id=key, **(values | stored))


def _insert_requests(
    connection: Connection, new: NewClaim, claim: ClaimRow, taken: Sequence[_Taken], *, terms: Terms, now: datetime
) -> None:
    """The requests that stand for what is taken, and their holders."""
    requests = [
        {
            "uuid": one.request_uuid,
            "project_id": new.project_id,
            "state": one.state,
            "profile_id": new.profile.id if new.profile is not None else None,
            "profile_name": new.profile.name if new.profile is not None else "",
            "claim_id": claim.id,
            "group_index": one.chosen.group_index,
            "group": dict(one.chosen.group),
            "resource_class": one.chosen.resource_class,
            "hostname": one.chosen.node,
            "device_rp_uuid": one.found.place.provider,
            "reason": "",
            "steps": list(one.steps),
            "deadline_at": terms.deadline(now) if one.steps else None,
            "created_at": now,
        }
        for one in taken
    ]
    keys = {row.uuid: row.id for row in connection.execute(_NEW_REQUEST, requests)}
    holders = [
        {
            "uuid": str(uuid4()),
            "attach_handle_id": one.found.handle.id,
            "kind": claims.RESERVATION,
            "name": new.consumer or claim.uuid,
            "project_id": new.project_id,
            "request_id": keys[one.request_uuid],
            "created_at": now,
        }
        for one in taken
    ]
    connection.execute(_NEW_HOLDER, holders)


def _allocation(taken: _Taken) -> AllocationRow:
    place, handle = taken.found
    return AllocationRow(
        request_uuid=taken.request_uuid,
        group_index=taken.chosen.group_index,
        resource_class=taken.chosen.resource_class,
        state=taken.state,
        reason="",
        node=taken.chosen.node,
        provider=place.provider,
        handle_uuid=handle.uuid,
        handle_type=handle.type,
        handle_info=handle.info,
        handle_presence=Presence.PRESENT,
        place=place,
    )


def _request_entry(claim: ClaimRow, taken: _Taken, origin: Origin) -> Entry:
    place, handle = taken.found
    kind = EventKind.REQUEST_BIND_STARTED if taken.steps else EventKind.REQUEST_BOUND
    return Entry(
        kind=kind,
        subject=taken.request_uuid,
        source=origin.source,
        node=taken.chosen.node,
        device_uuid=place.device_uuid,
        after={
            "state": taken.state,
            "claim": claim.uuid,
            "resource_class": taken.chosen.resource_class,
            "handle": handle.uuid,
            "info": handle.info,
        },
        request_id=origin.request_id,
        project_id=claim.project_id,
    )


def _entries(kind: EventKind, claim: ClaimRow, nodes: Iterable[str | None], origin: Origin) -> list[Entry]:
    """An event for each node of a claim: what a claim holds is a part of the history of all of them."""
    names = sorted({node for node in nodes if node is not None})
    return [_entry(kind, claim, node, origin) for node in names] or [_entry(kind, claim, None, origin)]


def _entry(kind: EventKind, claim: ClaimRow, node: str | None, origin: Origin) -> Entry:
    told = {
        "consumer": claim.consumer,
        "expires_at": claim.expires_at.replace(tzinfo=UTC).isoformat() if claim.expires_at is not None else None,
    }
    is_over = kind in {EventKind.CLAIM_RELEASED, EventKind.CLAIM_EXPIRED}
    return Entry(
        kind=kind,
        subject=claim.uuid,
        source=origin.source,
        node=node,
        before=told if is_over else None,
        after=None if is_over else told,
        request_id=origin.request_id,
        project_id=claim.project_id,
    )
