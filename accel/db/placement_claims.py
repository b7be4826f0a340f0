"""Claims of placement as the API reads them: what was asked for and taken in one go, and what became of it.

A claim is there as long as it holds something. What it holds are accelerator requests like all others, so there is one
truth about who holds what, and one quota. Taking and giving back is in ``accel.db.taking``.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from accel.db import places
from accel.db.paging import AnySelect, Listing, ListQuery, Page, as_stored
from accel.db.places import Place
from accel.db.refs import may_be_called
from accel.db.scope import Scope, in_scope
from accel.db.tables import AcceleratorRequest, AttachHandle, Deployable, Device, Holder, Node, PlacementClaim
from accel.errors import NotFound
from accel.model.device import Presence

ProjectAndKey = tuple[str, str]
"""The id of a project and an idempotency key of its."""


class ClaimRow(NamedTuple):
    """A claim. Times are UTC without their zone."""

    id: int
    uuid: str
    project_id: str
    user_id: str | None
    consumer: str
    idempotency_key: str | None
    request: dict[str, Any]
    request_hash: str
    lease_seconds: int | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime | None


class AllocationRow(NamedTuple):
    """One accelerator of a claim: the request that stands for it, and what that holds."""

    request_uuid: str
    group_index: int
    resource_class: str
    state: str
    reason: str
    node: str | None
    provider: str | None
    handle_uuid: str | None
    """None: it holds nothing any more."""
    handle_type: str | None
    handle_info: dict[str, str] | None
    handle_presence: str | None
    place: Place | None

    @property
    def problem(self) -> str:
        """What keeps it from being of use, in words; empty where nothing does."""
        return next(self._problems(), "")

    def _problems(self) -> Iterator[str]:
        if self.place is None:
            yield self.reason or f"it is {self.state} and holds nothing"
            return
        if self.handle_presence != Presence.PRESENT:
            yield "it is lost"
        yield from places.obstacles(self.place)
        if self.reason:
            yield self.reason


class Claim(NamedTuple):
    """A claim with all that it holds."""

    row: ClaimRow
    allocations: list[AllocationRow]

    @property
    def uuid(self) -> str:
        """What it is known by."""
        return self.row.uuid


_TIMES = {name: as_stored(getattr(PlacementClaim, name)) for name in ("expires_at", "created_at", "updated_at")}
_SELECT: AnySelect = select(*(_TIMES.get(name, getattr(PlacementClaim, name)) for name in ClaimRow._fields))
_ONE = _SELECT.where(PlacementClaim.uuid == bindparam("wanted"), in_scope(PlacementClaim.project_id))
_WITH_KEYS = _SELECT.where(  # one project's key may be another's as well; asked for in pairs, MariaDB uses no index
    PlacementClaim.project_id.in_(bindparam("projects", expanding=True)),
    PlacementClaim.idempotency_key.in_(bindparam("keys", expanding=True)),
)
_OWN: tuple[Any, ...] = (
    AcceleratorRequest.uuid,
    AcceleratorRequest.group_index,
    AcceleratorRequest.resource_class,
    AcceleratorRequest.state,
    AcceleratorRequest.reason,
    AcceleratorRequest.hostname,
    AcceleratorRequest.device_rp_uuid,
    AttachHandle.uuid,
    AttachHandle.type,
    AttachHandle.info,
    AttachHandle.presence,
)
_ALLOCATIONS: AnySelect = (
    select(AcceleratorRequest.claim_id, *_OWN, *places.COLUMNS)
    .select_from(AcceleratorRequest)
    .outerjoin(Holder, Holder.request_id == AcceleratorRequest.id)
    .outerjoin(AttachHandle, AttachHandle.id == Holder.attach_handle_id)
    .outerjoin(Deployable, Deployable.id == AttachHandle.deployable_id)
    .outerjoin(Device, Device.id == Deployable.device_id)
    .outerjoin(Node, Node.id == Device.node_id)
    .where(AcceleratorRequest.claim_id.in_(bindparam("claims", expanding=True)))
    .order_by(AcceleratorRequest.id)
)


LISTING = Listing(
    key=PlacementClaim.id,
    uuid=PlacementClaim.uuid,
    filters={
        "project_id": lambda project_id: PlacementClaim.project_id == project_id,
        "consumer": lambda consumer: PlacementClaim.consumer == consumer,
        "idempotency_key": lambda key: PlacementClaim.idempotency_key == key,
        "ref": may_be_called(PlacementClaim.uuid, PlacementClaim.consumer),
        "node": lambda name: PlacementClaim.id.in_(
            select(AcceleratorRequest.claim_id).where(AcceleratorRequest.hostname == name)
        ),
    },
    sort_keys={
        name: getattr(PlacementClaim, name) for name in ("uuid", "consumer", "expires_at", "created_at", "updated_at")
    },
)


def find(connection: Connection, query: ListQuery, *, scope: Scope) -> Page[Claim]:
    """The claims of a list.

    :raises InvalidValue: marker or sort key are wrong
    """
    page = LISTING.read(connection, _SELECT.where(scope.owns(PlacementClaim.project_id)), query, make=ClaimRow._make)
    return Page(_whole(connection, page.rows), page.has_more)


def get(connection: Connection, uuid: str, *, scope: Scope) -> Claim:
    """One claim.

    :raises NotFound: there is no such claim
    """
    found = connection.execute(_ONE, {"wanted": uuid.lower(), **scope.values}).one_or_none()
    if found is None:
        raise NotFound("claim", uuid)
    return _whole(connection, [ClaimRow._make(found)])[0]


def with_keys(connection: Connection, keys: Collection[ProjectAndKey]) -> dict[ProjectAndKey, Claim]:
    """The claims that projects have made under idempotency keys, as far as they are still there."""
    if not keys:
        return {}
    projects, names = ({pair[number] for pair in keys} for number in (0, 1))
    found = connection.execute(_WITH_KEYS, {"projects": sorted(projects), "keys": sorted(names)})
    rows = {(row.project_id, row.idempotency_key): ClaimRow._make(row) for row in found}
    wanted = [pair for pair in keys if pair in rows]
    return dict(zip(wanted, _whole(connection, [rows[pair] for pair in wanted]), strict=True))


def _whole(connection: Connection, rows: Sequence[ClaimRow]) -> list[Claim]:
    ends = len(_OWN) + 1
    found: defaultdict[int, list[AllocationRow]] = defaultdict(list)
    for row in connection.execute(_ALLOCATIONS, {"claims": [row.id for row in rows]}) if rows else ():
        place = Place._make(row[ends:])
        is_held = place.deployable_id is not None
        found[row.claim_id].append(AllocationRow._make([*row[1:ends], place if is_held else None]))
    return [Claim(row, found[row.id]) for row in rows]
