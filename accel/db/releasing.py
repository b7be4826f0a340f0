"""How claims of placement are renewed and given back, each in one transaction.

The order of locks is that of ``accel.db.claims``: claims, requests, nodes, limits.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, bindparam, delete, select, update

from accel.db import claim_events, claims, history, placement_claims, transitions
from accel.db.events import Origin
from accel.db.paging import AnySelect
from accel.db.placement_claims import Claim, ClaimRow
from accel.db.scope import Scope, in_scope
from accel.db.tables import AcceleratorRequest, PlacementClaim
from accel.errors import InvalidValue, NotFound
from accel.model.event import EventKind

EXPIRED_AT_ONCE = 50
"""So many claims are released in one transaction: none waits long for another."""

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
    history.write(connection, claim_events.entries(EventKind.CLAIM_RENEWED, claim.row, nodes, origin), origin.at)
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
    left = claims.remove(connection, [(row, origin) for row in transitions.lock_of_claims(connection, keys)])
    connection.execute(_DELETE, {"claims": keys})
    entries = [
        entry
        for row in rows
        for entry in claim_events.entries(kind, row, [name for key, name in nodes if key == row.id], origin)
    ]
    history.write(connection, entries, origin.at)
    return left
