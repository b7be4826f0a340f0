"""Accelerator requests as the API makes and reads them. What they hold is given and taken in ``accel.db.claims``."""

from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from accel.db import history, profiles
from accel.db.events import Origin
from accel.db.history import Entry
from accel.db.paging import AnySelect, Listing, ListQuery, Page, as_stored
from accel.db.refs import may_be_called
from accel.db.scope import Scope
from accel.db.tables import AcceleratorRequest, AttachHandle, Holder, PlacementClaim
from accel.errors import AccelError, InvalidValue, NotFound
from accel.model.event import EventKind
from accel.model.request import RESOLVED, RequestState, Wanted, accelerators_of, amounts_of

MOST_AT_ONCE = 1024
"""So many accelerators may be asked for in one go."""


class RequestRow(NamedTuple):
    """A request as the API shows it, with the attach handle that it holds. Times are UTC without their zone."""

    id: int
    uuid: str
    project_id: str
    state: str
    profile_name: str
    group_index: int
    group: dict[str, str]
    resource_class: str
    hostname: str | None
    device_rp_uuid: str | None
    instance_uuid: str | None
    reason: str
    created_at: datetime
    updated_at: datetime | None
    handle_uuid: str | None = None
    handle_type: str | None = None
    handle_info: dict[str, str] | None = None
    claim_uuid: str | None = None
    """The claim of placement that it belongs to."""


_COLUMNS: dict[str, Any] = {
    **{name: as_stored(getattr(AcceleratorRequest, name)) for name in ("created_at", "updated_at")},
    "handle_uuid": AttachHandle.uuid.label("handle_uuid"),
    "handle_type": AttachHandle.type.label("handle_type"),
    "handle_info": AttachHandle.info.label("handle_info"),
    "claim_uuid": PlacementClaim.uuid.label("claim_uuid"),
}
_SELECT: AnySelect = (
    select(*(_COLUMNS[name] if name in _COLUMNS else getattr(AcceleratorRequest, name) for name in RequestRow._fields))
    .select_from(AcceleratorRequest)
    .outerjoin(Holder, Holder.request_id == AcceleratorRequest.id)
    .outerjoin(AttachHandle, AttachHandle.id == Holder.attach_handle_id)
    .outerjoin(PlacementClaim, PlacementClaim.id == AcceleratorRequest.claim_id)
)

_CREATE = insert(AcceleratorRequest).inline()  # its key is not asked for


LISTING = Listing(
    key=AcceleratorRequest.id,
    uuid=AcceleratorRequest.uuid,
    filters={
        "instance": lambda uuid: AcceleratorRequest.instance_uuid == uuid,
        "bind_state": lambda _resolved: AcceleratorRequest.state.in_(sorted(RESOLVED)),
        "state": lambda state: AcceleratorRequest.state == state,
        "project_id": lambda project_id: AcceleratorRequest.project_id == project_id,
        "hostname": lambda name: AcceleratorRequest.hostname == name,
        "device_profile_name": lambda name: AcceleratorRequest.profile_name == name,
        "claim": lambda uuid: PlacementClaim.uuid == uuid.lower(),
        "ref": may_be_called(AcceleratorRequest.uuid, AcceleratorRequest.instance_uuid),
    },
    sort_keys={
        name: getattr(AcceleratorRequest, name)
        for name in ("uuid", "state", "hostname", "instance_uuid", "created_at", "updated_at")
    },
)


def find(connection: Connection, query: ListQuery, *, scope: Scope) -> Page[RequestRow]:
    """The requests of a list.

    :raises InvalidValue: marker or sort key are wrong
    """
    return LISTING.read(connection, _visible(scope), query, make=RequestRow._make)


def first_unresolved(connection: Connection, instance_uuid: str, *, scope: Scope) -> RequestRow | None:
    """A request of an instance that somebody still waits for, if there is one."""
    of_instance = _visible(scope).where(AcceleratorRequest.instance_uuid == instance_uuid)
    waiting = of_instance.where(AcceleratorRequest.state.not_in(sorted(RESOLVED))).limit(1)
    found = connection.execute(waiting).one_or_none()
    return RequestRow._make(found) if found is not None else None


def get(connection: Connection, uuid: str, *, scope: Scope) -> RequestRow:
    """One request.

    :raises NotFound: there is none with this UUID
    """
    found = connection.execute(_visible(scope).where(AcceleratorRequest.uuid == uuid.lower())).one_or_none()
    if found is None:
        raise NotFound("accelerator request", uuid)
    return RequestRow._make(found)


class Asked(NamedTuple):
    """What a caller asks for."""

    profile: str
    """The name of a device profile."""
    project_id: str
    """The project that the requests belong to."""
    scope: Scope
    origin: Origin

    @property
    def names(self) -> Sequence[Hashable]:
        """Nothing that there is: what two callers ask for can be made together."""
        return ()


def create(
    connection: Connection, profile_name: str, *, project_id: str, scope: Scope, origin: Origin
) -> list[RequestRow]:
    """Make the requests that a profile asks for, each with its event and a copy of its group.

    :param project_id: the project that they belong to
    :raises NotFound: there is no such device profile
    :raises InvalidValue: it asks for more than can be asked for at once
    """
    [made] = create_together(connection, [Asked(profile_name, project_id, scope, origin)])
    if isinstance(made, AccelError):
        raise made
    return made


def create_together(connection: Connection, asked: Sequence[Asked]) -> list[list[RequestRow] | AccelError]:
    """Make what callers ask for; a profile is read once for all that ask for it and see the same.

    :return: for each what ``create`` gives or raises
    """
    found = {key: _profile(connection, *key) for key in dict.fromkeys((each.profile, each.scope) for each in asked)}
    outcomes = [_made(found[each.profile, each.scope], each) for each in asked]
    values = [value for outcome in outcomes if isinstance(outcome, _Made) for value in outcome.values]
    if values:
        connection.execute(_CREATE, values)
        entries = [entry for outcome in outcomes if isinstance(outcome, _Made) for entry in outcome.entries]
        history.write(connection, entries, max(each.origin.at for each in asked))
    return [outcome.rows if isinstance(outcome, _Made) else outcome for outcome in outcomes]


class _Made(NamedTuple):
    """Requests, what is written of them, and the events that tell of them."""

    rows: list[RequestRow]
    values: list[dict[str, Any]]
    entries: list[Entry]


def _profile(connection: Connection, name: str, scope: Scope) -> profiles.ProfileRow | AccelError:
    try:
        profile = profiles.get_by_name(connection, name, scope=scope)
        _check_amount(profile.name, profile.groups)
    except AccelError as error:
        return error
    return profile


def _made(profile: profiles.ProfileRow | AccelError, asked: Asked) -> _Made | AccelError:
    if isinstance(profile, AccelError):
        return profile
    wanted = accelerators_of(tuple(profile.groups))
    rows = [_new_row(profile, one, asked.project_id, asked.origin.at) for one in wanted]
    return _Made(rows, [_values(row, profile.id) for row in rows], [_created(row, asked.origin) for row in rows])


def _created(row: RequestRow, origin: Origin) -> Entry:
    return Entry(
        kind=EventKind.REQUEST_CREATED,
        subject=row.uuid,
        source=origin.source,
        node=row.hostname,
        after={"state": row.state, "device_profile": row.profile_name, "resource_class": row.resource_class},
        request_id=origin.request_id,
        project_id=row.project_id,
        at=origin.at,
    )


def _visible(scope: Scope) -> AnySelect:
    return _SELECT.where(scope.owns(AcceleratorRequest.project_id))


def _check_amount(name: str, groups: Iterable[dict[str, str]]) -> None:
    amount = sum(max(count, 0) for group in groups for count in amounts_of(group).values())
    if amount > MOST_AT_ONCE:
        expected = f"a profile that asks for {MOST_AT_ONCE} accelerators at most: this one asks for {amount}"
        raise InvalidValue("device_profile_name", name, expected)


def _new_row(profile: profiles.ProfileRow, wanted: Wanted, project_id: str, now: datetime) -> RequestRow:
    return RequestRow(
        id=0,
        uuid=str(uuid4()),
        project_id=project_id,
        state=RequestState.INITIAL,
        profile_name=profile.name,
        group_index=wanted.group_index,
        group=profile.groups[wanted.group_index],
        resource_class=wanted.resource_class,
        hostname=None,
        device_rp_uuid=None,
        instance_uuid=None,
        reason="",
        created_at=now.replace(tzinfo=None),
        updated_at=None,
    )


_KEPT = (
    "uuid",
    "project_id",
    "state",
    "profile_name",
    "group_index",
    "group",
    "resource_class",
    "reason",
)


def _values(row: RequestRow, profile_id: int) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _KEPT}
    return values | {"profile_id": profile_id, "steps": [], "created_at": row.created_at.replace(tzinfo=UTC)}
