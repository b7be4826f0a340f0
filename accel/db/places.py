"""Where requests are bound: the deployables that are asked for, what speaks against each, and their free handles."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from accel.db.paging import AnySelect
from accel.db.same_thing import held_through_another_handle
from accel.db.tables import AttachHandle, Deployable, Device, Holder, Node
from accel.errors import Conflict, NotFound
from accel.model.device import Health, Presence
from accel.model.node import DeviceStatus


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


class FreeHandle(NamedTuple):
    """An attach handle that nobody holds."""

    id: int
    deployable_id: int
    uuid: str
    type: str
    info: dict[str, str]


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
)
"""What a ``Place`` is made of, in its order, of a statement over deployables, their devices and nodes."""

_PLACES: AnySelect = (
    select(*COLUMNS)
    .join(Device, Device.id == Deployable.device_id)
    .join(Node, Node.id == Device.node_id)
    .where(Deployable.rp_uuid.in_(bindparam("providers", expanding=True)))
    .order_by(Deployable.id)
)
_NODES: AnySelect = (
    select(Node.id).where(Node.name.in_(bindparam("nodes", expanding=True))).order_by(Node.id).with_for_update()
)
_NUMBER: Any = func.row_number().over(partition_by=AttachHandle.deployable_id, order_by=AttachHandle.id)
_OFFERED = (
    select(*(getattr(AttachHandle, name) for name in FreeHandle._fields), _NUMBER.label("number"))
    .join(Deployable, Deployable.id == AttachHandle.deployable_id)
    .join(Device, Device.id == Deployable.device_id)
    .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
    .where(
        AttachHandle.deployable_id.in_(bindparam("deployables", expanding=True)),
        AttachHandle.presence == Presence.PRESENT,
        Holder.id.is_(None),
        ~held_through_another_handle(),
    )
    .subquery()
)
_FREE: AnySelect = (
    select(*(_OFFERED.c[name] for name in FreeHandle._fields))
    .where(_OFFERED.c.number <= bindparam("most"))
    .order_by(_OFFERED.c.id)
)


def lock(connection: Connection, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Place]:
    """The places of some providers, each on the node where it is expected.

    It is the nodes that are locked, as for a report and before anything else of them: until the end of the transaction
    no report of theirs is taken, and nobody else takes a handle there.

    :param wanted: provider and node of each
    :return: the places by provider and node. Where a device has taken the slot of one that is lost, both have the same
        provider; the one that can be used is meant
    :raises NotFound: there is no such provider
    :raises Conflict: it is on another node, or not to be used now; the text says why
    """
    wanted = sorted(set(wanted))
    nodes = sorted({node for _, node in wanted})
    connection.execute(_NODES, {"nodes": nodes}).all()
    providers = sorted({provider for provider, _ in wanted})
    found = [Place._make(row) for row in connection.execute(_PLACES, {"providers": providers})]
    places = {(place.provider, place.node): place for place in sorted(found, key=_is_usable)}
    for provider, node in wanted:
        if (provider, node) not in places:
            _refuse_place(provider, node, found)
        place = places[provider, node]
        for obstacle in obstacles(place):
            raise Conflict(f"{place.name} (provider {provider}) cannot be bound to: {obstacle}")
    return {place: places[place] for place in wanted}


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


def free_handles(connection: Connection, amounts: Mapping[int, int]) -> dict[int, list[FreeHandle]]:
    """The first free handles of some deployables, which are locked.

    :param amounts: how many are wanted, by the key of the deployable
    :return: as many of each, or fewer where there are no more
    """
    found: dict[int, list[FreeHandle]] = {key: [] for key in amounts}
    values = {"deployables": sorted(amounts), "most": max(amounts.values())}
    for row in connection.execute(_FREE, values):
        handle = FreeHandle._make(row)
        found[handle.deployable_id].append(handle)
    return found


def why_none_is_free(connection: Connection, place: Place, wanted: int) -> str:
    """In words, why a place has fewer free handles than are wanted."""
    total, held = connection.execute(
        select(func.count(AttachHandle.id), func.count(Holder.id))
        .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
        .where(AttachHandle.deployable_id == place.deployable_id, AttachHandle.presence == Presence.PRESENT)
    ).one()
    return (
        f"{place.name} (provider {place.provider}) has {total - held} free of {total} attach handles"
        f"{', some of which stand for what is held through a lost device' if total - held >= wanted else ''}; "
        f"{wanted} wanted"
    )


def _is_usable(place: Place) -> bool:
    return not any(obstacles(place))


def _refuse_place(provider: str, node: str, found: Iterable[Place]) -> None:
    elsewhere = sorted(place.node for place in found if place.provider == provider)
    if not elsewhere:
        raise NotFound("resource provider", provider)
    raise Conflict(f"provider {provider} is on node {', '.join(elsewhere)}, not on {node}")
