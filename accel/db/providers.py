"""What OpenStack Placement is to know of a node, read in two statements however many devices there are."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from accel.db.claims import INSTANCE
from accel.db.paging import AnySelect
from accel.db.tables import AcceleratorRequest, AttachHandle, Attribute, Deployable, Device, Holder, Node
from accel.model.attribute import RESOURCE_CLASS_KEY, TRAIT_KEY_PREFIX
from accel.model.device import Health, Presence
from accel.model.node import DeviceStatus
from accel.model.provider import Part

_PARTS: AnySelect = (
    select(
        Node.name.label("node"),
        Deployable.id,
        Deployable.rp_uuid,
        Deployable.name,
        Deployable.num_accelerators,
        Deployable.presence,
        Device.presence.label("device_presence"),
        Device.status,
        Device.health,
        AttachHandle.info_key,
        AttachHandle.presence.label("handle_presence"),
        Holder.kind.label("holder"),
    )
    .join_from(Node, Device, Device.node_id == Node.id)
    .join(Deployable, Deployable.device_id == Device.id)
    .outerjoin(AttachHandle, AttachHandle.deployable_id == Deployable.id)
    .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
    .where(Node.name.in_(bindparam("nodes", expanding=True)), Deployable.rp_uuid.is_not(None))
    .order_by(Deployable.id, AttachHandle.id)
)
_ATTRIBUTES: AnySelect = (
    select(Attribute.deployable_id, Attribute.key, Attribute.value)
    .join_from(Node, Device, Device.node_id == Node.id)
    .join(Deployable, Deployable.device_id == Device.id)
    .join(Attribute, Attribute.deployable_id == Deployable.id)
    .where(Node.name.in_(bindparam("nodes", expanding=True)), Attribute.driver_key.is_not(None))
)
"""Those of drivers: what an operator adds is no affair of Placement's."""


def load(connection: Connection, nodes: Iterable[str]) -> dict[str, list[Part]]:
    """The deployables of some nodes, the oldest first, by node; a node without any is left out."""
    names = {"nodes": sorted(set(nodes))}
    attributes: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for deployable, key, value in connection.execute(_ATTRIBUTES, names):
        attributes[deployable][key] = value
    rows: defaultdict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(_PARTS, names):
        rows[row.id].append(row)
    found: defaultdict[str, list[Part]] = defaultdict(list)
    for key, its_rows in rows.items():
        found[its_rows[0].node].append(_part(its_rows, attributes[key]))
    return dict(found)


class BoundRequest(NamedTuple):
    """A request that an instance has something by."""

    provider: str
    uuid: str
    instance: str
    project_id: str


_BOUND: AnySelect = (
    select(
        AcceleratorRequest.device_rp_uuid,
        AcceleratorRequest.uuid,
        AcceleratorRequest.instance_uuid,
        AcceleratorRequest.project_id,
    )
    .join(Holder, Holder.request_id == AcceleratorRequest.id)
    .where(AcceleratorRequest.hostname.in_(bindparam("nodes", expanding=True)), Holder.kind == INSTANCE)
    .order_by(AcceleratorRequest.id)
)


def bound(connection: Connection, nodes: Iterable[str]) -> list[BoundRequest]:
    """The requests by which instances have something of some nodes."""
    return [BoundRequest._make(row) for row in connection.execute(_BOUND, {"nodes": sorted(set(nodes))})]


def node_uuids(connection: Connection, nodes: Iterable[str]) -> dict[str, str]:
    """The UUIDs of some nodes, by name."""
    found = connection.execute(select(Node.name, Node.uuid).where(Node.name.in_(sorted(set(nodes)))))
    return {row.name: row.uuid for row in found}


def _part(rows: Sequence[Any], attributes: dict[str, str]) -> Part:
    """A deployable of its rows, one for each attach handle."""
    first = rows[0]
    is_lost = Presence.LOST in (first.presence, first.device_presence)
    return Part(
        provider=first.rp_uuid,
        name=first.name,
        resource_class=attributes.get(RESOURCE_CLASS_KEY, ""),
        traits=frozenset(value for key, value in attributes.items() if key.startswith(TRAIT_KEY_PREFIX)),
        total=first.num_accelerators,
        is_lost=is_lost,
        is_offered=not is_lost and first.status == DeviceStatus.ENABLED and first.health == Health.HEALTHY,
        handles=frozenset(row.info_key for row in rows if row.handle_presence == Presence.PRESENT),
        held=frozenset(row.info_key for row in rows if row.holder not in {None, INSTANCE}),
    )
