"""Where requests are bound: the deployables that are asked for, what speaks against each, and their free handles."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, bindparam, case, exists, func, select

from accel.db.fences import FENCE
from accel.db.named import Named
from accel.db.paging import AnySelect
from accel.db.same_thing import held_through_another_handle
from accel.db.tables import AttachHandle, Deployable, Device, Holder, Node, Quota
from accel.errors import Conflict, NotFound, Overtaken
from accel.model.device import Health, Presence
from accel.model.node import DeviceStatus, NodeState


class Place(NamedTuple):
    """A deployable on its device on its node."""

    deployable_id: int
    provider: str
    """The UUID of its provider in OpenStack Placement."""
    name: str
    presence: str
    device_uuid: str
    device_presence: str
    status: str
    health: str
    reason: str
    node: str
    kind: str
    device_type: str


class FreeHandle(NamedTuple):
    """An attach handle that nobody holds."""

    deployable_id: int
    id: int
    uuid: str
    type: str
    info: dict[str, str]


class Offer(NamedTuple):
    """A place, and the first of its free handles."""

    place: Place
    free: list[FreeHandle]


class Found(NamedTuple):
    """A free handle on its place."""

    place: Place
    handle: FreeHandle

    @property
    def thing(self) -> tuple[str, str, str]:
        """What the handle stands for; another one may stand for the same."""
        return self.place.node, self.handle.type, orjson.dumps(self.handle.info, option=orjson.OPT_SORT_KEYS).decode()


class LockedHandles(NamedTuple):
    """Attach handles that were free a moment ago, and their nodes, which are locked."""

    states: Mapping[str, str]
    """The states of the nodes that are locked, by name."""
    found: Mapping[str, Found]
    """Those of the handles that are free, by their UUIDs."""
    are_quotas: bool
    """Whether anybody has a quota."""

    def get(self, nodes: Mapping[str, str]) -> Mapping[str, Found]:
        """Some of them.

        :param nodes: the name of the node of each, by the UUID of the handle
        :return: each with its place, by its UUID
        :raises Overtaken: one of them is not to be had any more
        """
        for uuid, node in nodes.items():
            if uuid not in self.found or self.found[uuid].place.node != node:
                raise Overtaken(f"attach handle {uuid} is not free on node {node} any more")
            if self.states[node] != NodeState.ONLINE:
                raise Overtaken(f"node {node} is {self.states[node]}")
            for obstacle in obstacles(self.found[uuid].place):
                raise Overtaken(f"attach handle {uuid} cannot be used any more: {obstacle}")
        return {uuid: self.found[uuid] for uuid in nodes}


NO_HANDLES = LockedHandles({}, {}, are_quotas=False)

COLUMNS: tuple[Any, ...] = (
    Deployable.id,
    Deployable.rp_uuid,
    Deployable.name,
    Deployable.presence,
    Device.uuid,
    Device.presence,
    Device.status,
    Device.health,
    Device.reason,
    Node.name,
    Deployable.kind,
    Device.type,
)
"""What a ``Place`` is made of, in its order, of a statement over deployables, their devices and nodes."""

ON_NODES: AnySelect = (
    select(*COLUMNS)
    .join_from(Deployable, Device, Device.id == Deployable.device_id)
    .join(Node, Node.id == Device.node_id)
    .order_by(Deployable.id)
)
"""Deployables where they are, each a ``Place``."""
_NUMBER: Any = func.row_number().over(partition_by=AttachHandle.deployable_id, order_by=AttachHandle.id)
_HOLDER = select(Holder.id).where(Holder.attach_handle_id == AttachHandle.id).correlate(AttachHandle)
_OF_FREE = tuple(getattr(AttachHandle, name) for name in FreeHandle._fields)


def _first_free(are_of_place: ColumnElement[bool]) -> AnySelect:
    """That it asks for handles by the keys of places, which are at hand, and joins nothing, lets a database go by the
    keys that knows nothing of its tables yet.
    """
    numbered = (
        select(*_OF_FREE, _NUMBER.label("number"))
        .where(
            are_of_place,
            AttachHandle.presence == Presence.PRESENT,
            _HOLDER.scalar_subquery().is_(None),
            ~held_through_another_handle(),
        )
        .subquery()
    )
    columns = (numbered.c[name] for name in FreeHandle._fields)
    return select(*columns).where(numbered.c.number <= bindparam("most")).order_by(numbered.c.id)


_FREE = Named(AttachHandle.deployable_id, _first_free)
_FREE_WITH_PLACES: AnySelect = (
    select(*COLUMNS, *_OF_FREE, exists(select(Quota.id)))
    .join_from(AttachHandle, Deployable, Deployable.id == AttachHandle.deployable_id)
    .join(Device, Device.id == Deployable.device_id)
    .join(Node, Node.id == Device.node_id)
    .where(
        AttachHandle.presence == Presence.PRESENT,
        _HOLDER.scalar_subquery().is_(None),
        ~held_through_another_handle(),
    )
)
_OF_UUIDS = Named(AttachHandle.uuid, _FREE_WITH_PLACES.where, is_list=True)
_STATES: AnySelect = select(Node.name, Node.state).order_by(Node.id)
_NODES = Named(Node.name, _STATES.with_for_update().where, is_list=True)
_UNLOCKED_NODES = Named(Node.name, _STATES.with_for_update(skip_locked=True).where, is_list=True)


def lock_nodes(connection: Connection, names: Iterable[str], *, waits: bool = True) -> dict[str, str]:
    """Lock nodes, as for a report and before anything else of them.

    Until the end of the transaction no report of theirs is taken, and nobody else takes a handle there.

    :param waits: for nodes that somebody else has locked; else they are left out
    :return: their states, by name
    """
    nodes = _NODES if waits else _UNLOCKED_NODES
    return {row.name: row.state for row in nodes.execute(connection, sorted(set(names)))}


def offers(
    connection: Connection, wanted: Counter[tuple[str, str]], found: Iterable[Place]
) -> dict[tuple[str, str], Offer]:
    """What can be had of some providers, each on the node where it is expected, which is locked.

    :param wanted: how many handles are wanted, by provider and node
    :param found: the places of the providers, as they are now
    :return: the places by provider and node, each with as many free handles as are wanted, or fewer where there are no
        more. Where a device has taken the slot of one that is lost, both have the same provider; the one that can be
        used is meant
    :raises NotFound: there is no such provider
    :raises Conflict: it is on another node, or not to be used now; the text says why
    """
    best = {(place.provider, place.node): place for place in sorted(found, key=_is_usable)}
    for provider, node in sorted(wanted):
        if (provider, node) not in best:
            _refuse_place(provider, node, best)
        place = best[provider, node]
        for obstacle in obstacles(place):
            raise Conflict(f"{place.name} (provider {provider}) cannot be bound to: {obstacle}")
    free: dict[int, list[FreeHandle]] = {best[where].deployable_id: [] for where in wanted}
    for row in _FREE.execute(connection, sorted(free), most=max(wanted.values())):
        handle = FreeHandle._make(row)
        free[handle.deployable_id].append(handle)
    return {where: Offer(best[where], free[best[where].deployable_id]) for where in wanted}


def lock_handles(connection: Connection, nodes: Mapping[str, str], *, waits: bool = True) -> LockedHandles:
    """Lock the nodes of attach handles that were free a moment ago, as ``lock_nodes`` does, and look what is.

    :param nodes: the name of the node of each, by the UUID of the handle
    :param waits: for nodes that somebody else has locked; else they are left out
    """
    states = lock_nodes(connection, nodes.values(), waits=waits)
    ends = len(COLUMNS)
    rows = _OF_UUIDS.execute(connection, sorted(nodes)).all()
    pairs = [Found(Place._make(row[:ends]), FreeHandle._make(row[ends:-1])) for row in rows]
    return LockedHandles(states, {pair.handle.uuid: pair for pair in pairs}, any(row[-1] for row in rows))


def obstacles(place: Place) -> Iterator[str]:
    """What speaks against using a place, the weightiest first."""
    if place.device_presence != Presence.PRESENT:
        yield f"its device {place.device_uuid} is lost"
    if place.presence != Presence.PRESENT:
        yield f"{place.name} is lost"
    if place.status != DeviceStatus.ENABLED:
        yield f"its device {place.device_uuid} is disabled ({place.status})"
    if place.health != Health.HEALTHY:
        because = f": {place.reason}" if place.reason else ""
        yield f"the health of its device {place.device_uuid} is {place.health}{because}"


def why_none_is_free(connection: Connection, place: Place, wanted: int) -> str:
    """In words, why a place has fewer free handles than are wanted."""
    total, held, fenced = connection.execute(
        select(func.count(AttachHandle.id), func.count(Holder.id), func.count(case((Holder.kind == FENCE, Holder.id))))
        .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
        .where(AttachHandle.deployable_id == place.deployable_id, AttachHandle.presence == Presence.PRESENT)
    ).one()
    return (
        f"{place.name} (provider {place.provider}) has {total - held} free of {total} attach handles"
        f"{', some of which stand for what is held through a lost device' if total - held >= wanted else ''}"
        f"{f', and {fenced} fenced by jobs on device {place.device_uuid}' if fenced else ''}; "
        f"{wanted} wanted"
    )


def _is_usable(place: Place) -> bool:
    return not any(obstacles(place))


def _refuse_place(provider: str, node: str, found: Iterable[tuple[str, str]]) -> None:
    elsewhere = sorted(place for its_provider, place in found if its_provider == provider)
    if not elsewhere:
        raise NotFound("resource provider", provider)
    raise Conflict(f"provider {provider} is on node {', '.join(elsewhere)}, not on {node}")
