"""The fleet as placement looks at it, and which of its nodes have changed since.

Whoever keeps a snapshot reads the whole of it once, with its place in history, and then again and again the names of
the nodes that history tells of, and those nodes anew. Everything that placement looks at is changed in one transaction
with an event that names its node, so nothing is missed.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import orjson
from sqlalchemy import ColumnElement, Connection, Text, bindparam, cast, select, true
from sqlalchemy.orm import InstrumentedAttribute

from accel.db import attribute_texts, occupancy
from accel.db.occupancy import Occupancy
from accel.db.paging import AnySelect, rows_of
from accel.db.tables import AttachHandle, Attribute, Deployable, Device, Node
from accel.model.address import PciAddress
from accel.model.attribute import RESOURCE_CLASS_KEY, TRAIT_KEY_PREFIX
from accel.model.device import Health, Presence
from accel.model.node import DeviceStatus, NodeState
from accel.placement.snapshot import Card, Host, Obstacle, Unit

K = TypeVar("K", bound=Hashable)
_AnyRow = Any
"""A row whose columns are known by their names only."""
_MOST_NAMED = 500
"""With more names than this, reading all is cheaper; databases limit the number of values."""
_MOST_TEXTS = 10_000
"""Nodes alike have the same labels, paths and attributes: each text of these is read once, and kept once."""


class _Statements(NamedTuple):
    """What is read, a statement for each kind of thing. They are made once."""

    nodes: AnySelect
    devices: AnySelect
    deployables: AnySelect
    attributes: AnySelect
    handles: AnySelect


class _Character(NamedTuple):
    """What the attributes of a deployable say of it. Few different ones exist, however large the fleet."""

    resource_class: str
    traits: frozenset[str]
    figures: Mapping[str, str]


class _Parts(NamedTuple):
    """All that was read of some nodes: rows by what they are a part of, and what is known of deployables."""

    devices: defaultdict[int, list[_AnyRow]]
    deployables: defaultdict[int, list[_AnyRow]]
    characters: Mapping[int, _Character]
    occupancies: Mapping[int, Occupancy]


_PLAIN = _Character("", frozenset(), {})


def _among(column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    return column.in_(bindparam("wanted", expanding=True))


_DEVICE_COLUMNS = (
    *("id", "node_id", "uuid", "identity", "type", "vendor", "model", "numa_node", "address"),
    *("presence", "status", "health", "reason"),
)
_DEPLOYABLE_COLUMNS = ("id", "device_id", "uuid", "rp_uuid", "name", "kind", "presence")
_ALL = _Statements(
    nodes=select(Node.id, Node.name, Node.rack, cast(Node.labels, Text).label("labels"), Node.state).order_by(Node.id),
    devices=select(
        *(getattr(Device, name) for name in _DEVICE_COLUMNS),
        cast(Device.pci_path, Text).label("pci_path"),
        cast(Device.links, Text).label("links"),
    ).order_by(Device.id),
    deployables=select(*(getattr(Deployable, name) for name in _DEPLOYABLE_COLUMNS)).order_by(Deployable.id),
    attributes=attribute_texts.made(true()),
    handles=occupancy.HANDLES,
)
_SOME = _Statements(
    nodes=_ALL.nodes.where(_among(Node.name)),
    devices=_ALL.devices.where(_among(Device.node_id)),
    deployables=_ALL.deployables.where(_among(Deployable.device_id)),
    attributes=attribute_texts.made(_among(Attribute.deployable_id)),
    handles=_ALL.handles.where(_among(AttachHandle.deployable_id)),
)
"""The same of things with some keys, down from the nodes of some names: by keys only, so that no database has a choice
how to find them.
"""


def load(connection: Connection, names: Collection[str] | None = None) -> list[Host]:
    """The nodes of some names that are there, by default all; as many statements for one as for all.

    What changes meanwhile may be there in part: history tells of it afterwards.
    """
    is_some = names is not None and len(names) <= _MOST_NAMED
    statements = _SOME if is_some else _ALL

    def read(statement: AnySelect, wanted: Iterable[Any]) -> list[_AnyRow]:
        return list(rows_of(connection, statement, {"wanted": list(wanted)} if is_some else {}))

    nodes = read(statements.nodes, names or ())
    devices = read(statements.devices, (row.id for row in nodes))
    deployables = read(statements.deployables, (row.id for row in devices))
    attributes = read(statements.attributes, (row.id for row in deployables))
    handles = read(statements.handles, (row.id for row in deployables))
    node_of_device = {row.id: row.node_id for row in devices}
    node_of = {row.id: node_of_device.get(row.device_id) for row in deployables}
    parts = _Parts(
        devices=_by(devices, lambda row: row.node_id),
        deployables=_by(deployables, lambda row: row.device_id),
        characters={key: _character(text) for key, text in attributes},
        occupancies={
            key: its
            for rows in _by(handles, lambda row: node_of.get(row.deployable_id)).values()
            for key, its in occupancy.of_node(rows).items()
        },
    )
    return [_host(row, parts) for row in nodes if names is None or row.name in names]


def _by(rows: Iterable[_AnyRow], key: Callable[[_AnyRow], K]) -> defaultdict[K, list[_AnyRow]]:
    found: defaultdict[K, list[_AnyRow]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def _host(row: _AnyRow, parts: _Parts) -> Host:
    devices = parts.devices[row.id]
    links = _links(devices)
    return Host(
        name=row.name,
        rack=row.rack,
        labels=_labels(row.labels),
        is_online=row.state == NodeState.ONLINE,
        cards=tuple(_card(device, links[device.uuid], parts) for device in devices),
    )


def _card(row: _AnyRow, links: Mapping[str, int], parts: _Parts) -> Card:
    return Card(
        uuid=row.uuid,
        type=row.type,
        vendor=row.vendor,
        model=row.model,
        numa_node=row.numa_node,
        pci_path=_path(row.pci_path),
        address=PciAddress.parse(row.address) if row.address is not None else None,
        links=links,
        obstacle=_obstacle(row),
        reason=row.reason,
        units=tuple(_unit(part, parts) for part in parts.deployables[row.id]),
    )


def _unit(row: _AnyRow, parts: _Parts) -> Unit:
    character, its = parts.characters.get(row.id, _PLAIN), parts.occupancies.get(row.id, occupancy.NOTHING)
    obstacle = Obstacle.NONE if row.presence == Presence.PRESENT else Obstacle.LOST
    return Unit(
        uuid=row.uuid,
        provider=row.rp_uuid or "",
        name=row.name,
        kind=row.kind,
        resource_class=character.resource_class,
        traits=character.traits,
        figures=character.figures,
        free=its.free,
        held=its.held,
        held_until=its.held_until,
        obstacle=obstacle,
    )


def _obstacle(device: _AnyRow) -> Obstacle:
    """The weightiest reason not to use a device, by the same rule as ``accel.db.places.obstacles``."""
    if device.presence != Presence.PRESENT:
        return Obstacle.LOST
    if device.status != DeviceStatus.ENABLED:
        return Obstacle.DISABLED
    if device.health != Health.HEALTHY:
        return Obstacle.UNHEALTHY if device.health == Health.UNHEALTHY else Obstacle.UNKNOWN_HEALTH
    return Obstacle.NONE


def _links(devices: Iterable[_AnyRow]) -> Mapping[str, Mapping[str, int]]:
    """How many direct links there are between devices of a node, by their UUIDs.

    Being seen from one end is enough: the other one may be lost or keep silent.
    """
    uuids = {row.identity: row.uuid for row in devices}
    found: dict[str, dict[str, int]] = {uuid: {} for uuid in uuids.values()}
    for row in devices:
        widths: defaultdict[str, int] = defaultdict(int)
        for link in orjson.loads(row.links):
            if link["peer"] in uuids and link["peer"] != row.identity:
                widths[uuids[link["peer"]]] += link["width"]
        for peer, width in widths.items():
            most = max(width, found[row.uuid].get(peer, 0))
            found[row.uuid][peer] = found[peer][row.uuid] = most
    return found


@lru_cache(maxsize=_MOST_TEXTS)
def _labels(text: str) -> Mapping[str, str]:
    labels: Mapping[str, str] = orjson.loads(text)
    return labels


@lru_cache(maxsize=_MOST_TEXTS)
def _path(text: str) -> tuple[str, ...]:
    return tuple(orjson.loads(text))


@lru_cache(maxsize=_MOST_TEXTS)
def _character(text: str) -> _Character:
    attributes = [next(iter(each.items())) for each in orjson.loads(text)]
    traits = frozenset(value for key, value in attributes if key.startswith(TRAIT_KEY_PREFIX))
    figures: dict[str, str] = {}
    for key, value in attributes:
        if not key.startswith(TRAIT_KEY_PREFIX):
            figures.setdefault(key, value)
    return _Character(figures.pop(RESOURCE_CLASS_KEY, ""), traits, figures)
