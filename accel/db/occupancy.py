"""What of a node is free and what is held: the part of a snapshot that changes with every claim.

A handle is free as ``accel.db.same_thing`` has it: nobody holds it, nor another one of its node that stands for the
same thing. Whether it may be given to anybody depends on the state of its device besides.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import is_
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from accel.db.named import Named
from accel.db.paging import AnySelect
from accel.db.tables import AcceleratorRequest, AttachHandle, Deployable, Device, Holder, Node, PlacementClaim
from accel.model.device import Presence
from accel.placement.snapshot import Card, Handle, Host, Unit


class Occupancy(NamedTuple):
    """The handles of a deployable that are free, and how many are held."""

    free: tuple[Handle, ...]
    held: int
    held_until: datetime | None
    """When the first of those ends that end by themselves."""


NOTHING = Occupancy((), 0, None)
# Asked for within the question, the claim of each holder is found by its key, also while the database takes the table
# of claims for so small that it would rather read the whole of it.
_EXPIRES_AT = (
    select(PlacementClaim.expires_at).where(PlacementClaim.id == AcceleratorRequest.claim_id).scalar_subquery()
)
HANDLES: AnySelect = (
    select(
        AttachHandle.deployable_id,
        AttachHandle.uuid,
        AttachHandle.type,
        AttachHandle.info_key,
        AttachHandle.presence,
        Deployable.num_accelerators,
        Holder.id.label("holder"),
        _EXPIRES_AT.label("expires_at"),
    )
    .select_from(AttachHandle)
    .join(Deployable, Deployable.id == AttachHandle.deployable_id)
    .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
    .outerjoin(AcceleratorRequest, AcceleratorRequest.id == Holder.request_id)
    .order_by(AttachHandle.id)
)
"""All handles with what is to be known of their holders."""

_WITH_NODES: AnySelect = (
    HANDLES.add_columns(Deployable.uuid.label("deployable"), Node.name.label("node"))
    .join(Device, Device.id == Deployable.device_id)
    .join(Node, Node.id == Device.node_id)
)
_OF_NODES = Named(Node.name, _WITH_NODES.where, is_list=True)


def of_node(handles: Sequence[Any]) -> dict[int, Occupancy]:
    """What is free and what is held of each deployable, by its key, of rows of all handles of a node."""
    taken = {(row.type, row.info_key) for row in handles if row.holder is not None}
    parts: defaultdict[int, list[Any]] = defaultdict(list)
    for row in handles:
        parts[row.deployable_id].append(row)
    return {key: _of_deployable(rows, taken) for key, rows in parts.items()}


def read(connection: Connection, names: Collection[str]) -> dict[str, dict[str, Occupancy]]:
    """What is free and held on nodes: by the names of those, then by the UUIDs of deployables. One statement."""
    of_nodes: defaultdict[str, list[Any]] = defaultdict(list)
    uuids: dict[int, str] = {}
    for row in _OF_NODES.execute(connection, list(names)):
        of_nodes[row.node].append(row)
        uuids[row.deployable_id] = row.deployable
    return {
        name: {uuids[key]: occupancy for key, occupancy in of_node(rows).items()} for name, rows in of_nodes.items()
    }


def occupied(host: Host, found: Mapping[str, Occupancy]) -> Host:
    """A node as it was, with what is held of it now; the same object where that has not changed."""
    cards = tuple(_card(card, found) for card in host.cards)
    return host if all(map(is_, cards, host.cards)) else replace(host, cards=cards)


def _of_deployable(handles: Iterable[Any], taken: set[tuple[str, str]]) -> Occupancy:
    rows = list(handles)
    ends = [row.expires_at for row in rows if row.expires_at is not None]
    present = [row for row in rows if row.presence == Presence.PRESENT]
    size = _handles_for_each(present)
    sets = (present[start : start + size] for start in range(0, len(present), size))
    return Occupancy(
        free=tuple(
            Handle(first.uuid, first.type, tuple(row.uuid for row in others))
            for first, *others in sets
            if taken.isdisjoint((row.type, row.info_key) for row in (first, *others))
        ),
        held=-(-sum(row.holder is not None for row in rows) // size),
        held_until=min(ends, default=None),
    )


def _handles_for_each(present: Sequence[Any]) -> int:
    """How many handles go to one workload together: several for a board of several functions."""
    count = present[0].num_accelerators if present else 0
    return len(present) // count if count > 0 and len(present) % count == 0 else 1


def _card(card: Card, found: Mapping[str, Occupancy]) -> Card:
    units = tuple(_unit(unit, found.get(unit.uuid, NOTHING)) for unit in card.units)
    return card if all(map(is_, units, card.units)) else replace(card, units=units)


def _unit(unit: Unit, now: Occupancy) -> Unit:
    if (unit.free, unit.held, unit.held_until) == now:
        return unit
    return replace(unit, free=now.free, held=now.held, held_until=now.held_until)
