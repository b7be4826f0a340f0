"""Nodes as the API reads them, with the word of their drivers and the figures of their devices."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from accel.db import counts, rows, summary
from accel.db.counts import HandleCounts
from accel.db.paging import AnySelect, Listing, ListQuery, Page, belonging_to
from accel.db.summary import DeviceCounts
from accel.db.tables import Device, Node, NodeDriver
from accel.errors import NotFound
from accel.model import device as model


class NodeRow(NamedTuple):
    """A node as the API shows it."""

    id: int
    uuid: str
    name: str
    state: str
    agent_version: str
    kernel: str
    rack: str
    labels: dict[str, str]
    numa: list[dict[str, Any]]
    last_heartbeat_at: datetime
    created_at: datetime
    updated_at: datetime | None


class DriverRow(NamedTuple):
    """The newest word of a driver; ``kind`` is None when it answered."""

    driver: str
    kind: str | None
    message: str
    hint: str
    changed_at: datetime


class NodeDevice(NamedTuple):
    """A device of a node, as the model has it, without its deployables."""

    uuid: str
    device: model.Device


_SELECT: AnySelect = select(*(getattr(Node, name) for name in NodeRow._fields))


def agent_of(connection: Connection, name: str) -> str:
    """By which name the agent of a node listens; empty: by that of the node, and where there is no such node."""
    return connection.scalar(select(Node.agent).where(Node.name == name)) or ""


def _has_label(label: tuple[str, str]) -> ColumnElement[bool]:
    key, value = label
    is_so: ColumnElement[bool] = Node.labels[key].as_string() == value
    return is_so


LISTING = Listing(
    key=Node.id,
    uuid=Node.uuid,
    filters={
        "name": lambda name: Node.name == name,
        "state": lambda state: Node.state == state,
        "rack": lambda rack: Node.rack == rack,
        "label": _has_label,
    },
    sort_keys={
        name: getattr(Node, name)
        for name in (
            *("uuid", "name", "state", "agent_version", "kernel", "rack"),
            *("last_heartbeat_at", "created_at", "updated_at"),
        )
    },
)


def find(connection: Connection, query: ListQuery) -> Page[NodeRow]:
    """The nodes of a list.

    :raises InvalidValue: marker or sort key are wrong
    """
    return LISTING.read(connection, _SELECT, query, make=NodeRow._make)


def get(connection: Connection, name_or_uuid: str) -> NodeRow:
    """One node; a name goes before a UUID.

    :raises NotFound: there is no such node
    """
    is_meant = (Node.name == name_or_uuid) | (Node.uuid == name_or_uuid.lower())
    found = connection.execute(_SELECT.where(is_meant).order_by(Node.name != name_or_uuid)).first()
    if found is None:
        raise NotFound("node", name_or_uuid)
    return NodeRow._make(found)


def drivers_of(connection: Connection, nodes: Sequence[NodeRow]) -> dict[int, list[DriverRow]]:
    """The drivers of nodes by name, by ``NodeRow.id``."""
    statement: AnySelect = select(
        NodeDriver.node_id,
        NodeDriver.driver,
        NodeDriver.failure_kind,
        NodeDriver.failure_message,
        NodeDriver.failure_hint,
        NodeDriver.changed_at,
    ).order_by(NodeDriver.driver)
    statement = belonging_to([node.id for node in nodes], statement, NodeDriver.node_id)
    found: defaultdict[int, list[DriverRow]] = defaultdict(list)
    for row in connection.execute(statement):
        found[row.node_id].append(DriverRow._make(row[1:]))
    return found


def devices_of(connection: Connection, nodes: Sequence[NodeRow]) -> dict[int, DeviceCounts]:
    """The devices of nodes, counted, by ``NodeRow.id``; a node without devices is left out."""
    statement: AnySelect = select(Device.node_id, *summary.device_columns()).group_by(Device.node_id)
    found = connection.execute(belonging_to([node.id for node in nodes], statement, Device.node_id))
    return {row[0]: DeviceCounts._make(row[1:]) for row in found}


def handles_of(connection: Connection, nodes: Sequence[NodeRow]) -> dict[int, HandleCounts]:
    """The attach handles of nodes, counted, by ``NodeRow.id``; a node without handles is left out."""
    return counts.handles_by(connection, Device.node_id, [node.id for node in nodes])


def values_of_devices(connection: Connection, row: NodeRow) -> list[NodeDevice]:
    """The devices of a node as values, in the order of their addresses."""
    statement = (
        select(Device.uuid, *(getattr(Device, name) for name in rows.DEVICE_COLUMNS))
        .where(Device.node_id == row.id)
        .order_by(Device.address.is_(None), Device.address, Device.id)
    )
    return [NodeDevice(found.uuid, rows.to_device(found)) for found in connection.execute(statement)]


def count_heard_since(connection: Connection, *, moment: datetime) -> int:
    """How many nodes were heard at that moment or later."""
    return connection.execute(select(func.count()).where(Node.last_heartbeat_at >= moment)).scalar_one()
