"""Write the changes of one node in bulk.

Whoever calls these functions holds the lock on the node's row (``accel.db.heard.lock``), so that nobody else changes
what the changes were computed from. The number of statements does not depend on how many devices there are; for new
deployables it depends on how deep their tree is.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert, update

from accel.db import rows
from accel.db.rows import Values
from accel.db.tables import AttachHandle, Attribute, Base, Deployable, Device, NodeDriver
from accel.model import device as model
from accel.model.device import Presence
from accel.model.diff import AttributeChange, Change, DeployableChange, DeviceChange, DriverChange, HandleChange
from accel.model.event import EventKind
from accel.model.node import DeviceStatus
from accel.model.record import RecordedNode

T = TypeVar("T")
U = TypeVar("U", model.Attribute, model.AttachHandle)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The key of a deployable and that of the root of its tree."""

    id: int
    root_id: int


_Places = dict[tuple[int, str | None], _Place]


@dataclass(slots=True, kw_only=True)
class _Writer:
    """What one application of changes carries along: where, when, and the keys that rows were given on the way."""

    connection: Connection
    node_id: int
    now: datetime
    places: _Places = field(default_factory=dict)
    """Where the deployables are, by device and name."""

    def insert(self, table: type[Base], new: Sequence[Values]) -> None:
        if new:
            self.connection.execute(insert(table), new)

    def insert_and_tell_keys(self, table: type[Device | Deployable], new: Sequence[Values]) -> dict[str, int]:
        """Insert rows and tell the key of each by its UUID."""
        if not new:
            return {}
        found = self.connection.execute(insert(table).returning(table.uuid, table.id), new)
        return {row.uuid: row.id for row in found}

    def update(self, table: type[Device | Deployable | Attribute | AttachHandle], changed: Sequence[Values]) -> None:
        """Update rows by ``row``, their key; all of them set the same columns."""
        if changed:
            names = [name for name in changed[0] if name != "row"]
            values: Values = {name: bindparam(f"new_{name}") for name in names}
            statement = update(table).where(table.id == bindparam("row")).values(updated_at=self.now, **values)
            parameters = [{"row": row["row"]} | {f"new_{name}": row[name] for name in names} for row in changed]
            self.connection.execute(statement, parameters)

    def new_row(self, values: Values) -> Values:
        return {"uuid": str(uuid4()), "created_at": self.now} | values


def apply(
    connection: Connection, node_id: int, recorded: RecordedNode, changes: Sequence[Change], now: datetime
) -> dict[str, str]:
    """Write the changes of a node; the caller writes the events.

    Rows are removed last: by then nothing that stays refers to them.

    :return: the UUIDs that new devices were given, by identity
    """
    writer = _Writer(connection=connection, node_id=node_id, now=now, places=_places(recorded))
    _write_drivers(writer, _of(DriverChange, changes))
    device_uuids, new_parts = _write_devices(writer, _of(DeviceChange, changes))
    deployables = _of(DeployableChange, changes)
    new_parts += [(c.device.id, c.after) for c in deployables if c.before is None and c.after is not None]
    _add_deployables(writer, new_parts)
    _change_deployables(writer, deployables)
    _write_attributes(writer, _of(AttributeChange, changes))
    _write_handles(writer, _of(HandleChange, changes))
    remove_deployables(connection, [c.before.id for c in deployables if c.before is not None and c.after is None])
    return device_uuids


def remove_deployables(connection: Connection, keys: Sequence[int]) -> None:
    """Remove deployables with their attributes and handles. None of them may be held, and whatever is part of one
    of them must be among them.
    """
    if not keys:
        return
    connection.execute(delete(AttachHandle).where(AttachHandle.deployable_id.in_(keys)))
    connection.execute(update(Deployable).where(Deployable.id.in_(keys)).values(parent_id=None, root_id=None))
    connection.execute(delete(Deployable).where(Deployable.id.in_(keys)))


def _places(recorded: RecordedNode) -> _Places:
    places: _Places = {}
    for device in recorded.devices:
        known = {deployable.part.name: deployable for deployable in device.deployables}
        for deployable in device.deployables:
            root = deployable
            while root.part.parent is not None:
                root = known[root.part.parent]
            places[device.id, deployable.part.name] = _Place(id=deployable.id, root_id=root.id)
    return places


def _of(kind: type[T], changes: Iterable[Change]) -> list[T]:
    return [change for change in changes if isinstance(change, kind)]


def _write_drivers(writer: _Writer, changes: Sequence[DriverChange]) -> None:
    if not changes:
        return
    names = [change.driver for change in changes]
    writer.connection.execute(
        delete(NodeDriver).where(NodeDriver.node_id == writer.node_id, NodeDriver.driver.in_(names))
    )
    writer.insert(
        NodeDriver,
        [
            {"node_id": writer.node_id, "driver": change.driver, "changed_at": writer.now}
            | rows.driver_values(change.after)
            for change in changes
            if change.kind is not EventKind.DRIVER_REMOVED
        ],
    )


def _write_devices(
    writer: _Writer, changes: Sequence[DeviceChange]
) -> tuple[dict[str, str], list[tuple[int, model.Deployable]]]:
    new = {change.after.identity: change for change in changes if change.before is None}
    states = {
        identity: writer.new_row({"node_id": writer.node_id, "status": DeviceStatus.ENABLED} | _device(writer, change))
        for identity, change in new.items()
    }
    keys = writer.insert_and_tell_keys(Device, list(states.values()))
    changed = [_device(writer, change) | {"row": change.before.id} for change in changes if change.before is not None]
    writer.update(Device, changed)
    uuids = {identity: values["uuid"] for identity, values in states.items()}
    parts = [(keys[uuids[name]], part) for name, change in new.items() for part in change.after.deployables]
    return uuids, parts


def _device(writer: _Writer, change: DeviceChange) -> Values:
    lost_at = None
    if change.after.presence is Presence.LOST:
        lost_at = (change.before.lost_at if change.before is not None else None) or writer.now
    return rows.device_values(change.after) | {"driver": change.driver, "lost_at": lost_at}


def _add_deployables(writer: _Writer, new: Iterable[tuple[int, model.Deployable]]) -> None:
    """Insert deployables with attributes and handles, level by level, because a child's row names its parent's."""
    depths: dict[tuple[int, str | None], int] = {}
    levels: defaultdict[int, list[tuple[int, model.Deployable]]] = defaultdict(list)
    for device_id, part in new:  # parents come before their children
        depth = depths.get((device_id, part.parent), -1) + 1
        depths[device_id, part.name] = depth
        levels[depth].append((device_id, part))
    for depth in sorted(levels):
        _add_level(writer, levels[depth])
    placed = [(writer.places[device_id, part.name].id, part) for level in levels.values() for device_id, part in level]
    writer.insert(Attribute, [_attribute(writer, key, a) for key, part in placed for a in _unique(part.attributes)])
    writer.insert(AttachHandle, [_handle(writer, key, h) for key, part in placed for h in _unique(part.handles)])


def _add_level(writer: _Writer, level: Sequence[tuple[int, model.Deployable]]) -> None:
    new = [
        writer.new_row({"device_id": device_id, "presence": Presence.PRESENT} | _deployable(writer, device_id, part))
        for device_id, part in level
    ]
    keys = writer.insert_and_tell_keys(Deployable, new)
    for values in new:
        key = keys[values["uuid"]]
        place = _Place(id=key, root_id=values["root_id"] or key)
        writer.places[values["device_id"], values["name"]] = place


def _deployable(writer: _Writer, device_id: int, part: model.Deployable) -> Values:
    parent = writer.places.get((device_id, part.parent))
    tree = {"parent_id": parent.id if parent else None, "root_id": parent.root_id if parent else None}
    return rows.deployable_values(part) | tree


def _change_deployables(writer: _Writer, changes: Iterable[DeployableChange]) -> None:
    changed = [
        _deployable(writer, change.device.id, change.after)
        | {"row": change.before.id, "presence": _presence(change.kind)}
        for change in changes
        if change.before is not None and change.after is not None
    ]
    writer.update(Deployable, changed)


def _write_attributes(writer: _Writer, changes: Sequence[AttributeChange]) -> None:
    added = [(c.deployable.id, c.after) for c in changes if c.before is None and c.after is not None]
    writer.insert(Attribute, [_attribute(writer, key, attribute) for key, attribute in added])
    changed = [(c.before.id, c.after) for c in changes if c.before is not None and c.after is not None]
    writer.update(Attribute, [{"row": key, "value": attribute.value} for key, attribute in changed])
    _remove(writer, Attribute, [c.before.id for c in changes if c.before is not None and c.after is None])


def _write_handles(writer: _Writer, changes: Sequence[HandleChange]) -> None:
    added = [(c.deployable.id, c.after) for c in changes if c.before is None and c.after is not None]
    writer.insert(AttachHandle, [_handle(writer, key, handle) for key, handle in added])
    changed = [
        {"row": c.before.id, "type": c.after.type, "presence": _presence(c.kind)}
        for c in changes
        if c.before is not None and c.after is not None
    ]
    writer.update(AttachHandle, changed)
    _remove(writer, AttachHandle, [c.before.id for c in changes if c.before is not None and c.after is None])


def _remove(writer: _Writer, table: type[Attribute | AttachHandle], keys: Sequence[int]) -> None:
    if keys:
        writer.connection.execute(delete(table).where(table.id.in_(keys)))


def _attribute(writer: _Writer, deployable_id: int, attribute: model.Attribute) -> Values:
    values = {"key": attribute.key, "driver_key": attribute.key, "value": attribute.value}
    return writer.new_row({"deployable_id": deployable_id} | values)


def _handle(writer: _Writer, deployable_id: int, handle: model.AttachHandle) -> Values:
    values = {"deployable_id": deployable_id, "presence": Presence.PRESENT}
    return writer.new_row(values | rows.handle_values(handle))


def _unique(things: Iterable[U]) -> Iterable[U]:
    """One thing for each key, as the diff sees them: the last."""
    return {thing.key: thing for thing in things}.values()


def _presence(kind: EventKind) -> Presence:
    lost = kind in {EventKind.DEPLOYABLE_LOST, EventKind.HANDLE_LOST}
    return Presence.LOST if lost else Presence.PRESENT
