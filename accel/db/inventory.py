"""Write the changes of one node in bulk.

Whoever calls these functions holds the lock on the node's row (``accel.db.heard.lock``), so that nobody else changes
what the changes were computed from. The number of statements does not depend on how many devices there are; for new
deployables it depends on how deep their tree is.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert, update

from accel.db import attribute_texts, rows
from accel.db.batches import batches
from accel.db.rows import Values
from accel.db.tables import AttachHandle, Attribute, Base, Deployable, Device, NodeDriver
from accel.model import device as model
from accel.model.device import Presence
from accel.model.diff import AttributeChange, Change, DeployableChange, DeviceChange, DriverChange, HandleChange
from accel.model.event import EventKind
from accel.model.node import DeviceStatus
from accel.model.record import RecordedDevice, RecordedNode

T = TypeVar("T")
U = TypeVar("U", model.Attribute, model.AttachHandle)


_Name = tuple[int, str]
"""A device's key and the name of one of its deployables."""


@dataclass(slots=True, kw_only=True)
class _Trees:
    """The deployables of devices: the keys of those that have a row, and what each is a part of."""

    keys: dict[_Name, int] = field(default_factory=dict)
    parents: dict[_Name, str | None] = field(default_factory=dict)

    def parent_id(self, name: _Name) -> int | None:
        parent = self.parents[name]
        return self.keys[name[0], parent] if parent is not None else None

    def root_id(self, name: _Name) -> int | None:
        """The key of the root; None for a root itself."""
        ancestors = self._ancestors(name)
        return self.keys[ancestors[-1]] if ancestors else None

    def depth(self, name: _Name) -> int:
        """How many of those above it have no row yet."""
        return sum(ancestor not in self.keys for ancestor in self._ancestors(name))

    def _ancestors(self, name: _Name) -> list[_Name]:
        found: list[_Name] = []
        while (parent := self.parents[name]) is not None:
            name = (name[0], parent)
            found.append(name)
        return found


@dataclass(slots=True, kw_only=True)
class _Writer:
    """What one application of changes carries along: where, when, and the keys that rows were given on the way."""

    connection: Connection
    node_id: int
    now: datetime
    trees: _Trees
    """As they will be."""

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
    writer = _Writer(connection=connection, node_id=node_id, now=now, trees=_recorded_trees(recorded))
    _write_drivers(writer, _of(DriverChange, changes))
    devices, deployables = _of(DeviceChange, changes), _of(DeployableChange, changes)
    device_uuids, new_parts = _write_devices(writer, devices)
    new_parts += [(c.device.id, c.after) for c in deployables if c.before is None and c.after is not None]
    _write_deployables(writer, recorded, deployables, new_parts)
    _write_attributes(writer, _of(AttributeChange, changes))
    _write_handles(writer, _of(HandleChange, changes))
    _remove_deployables(writer, [c.before.id for c in deployables if c.before is not None and c.after is None])
    _remove_devices(writer, [c.before for c in devices if c.before is not None and c.after is None])
    return device_uuids


def _recorded_trees(recorded: RecordedNode) -> _Trees:
    trees = _Trees()
    for device in recorded.devices:
        for known in device.deployables:
            trees.keys[device.id, known.part.name] = known.id
            trees.parents[device.id, known.part.name] = known.part.parent
    return trees


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
    """Add and change devices; gives the UUIDs of the new ones by identity, and their parts by key."""
    new = [(change, change.after) for change in changes if change.before is None and change.after is not None]
    enabled = {"node_id": writer.node_id, "status": DeviceStatus.ENABLED}
    states = {device.identity: writer.new_row(enabled | _device(writer, change, device)) for change, device in new}
    keys = writer.insert_and_tell_keys(Device, list(states.values()))
    changed = [
        _device(writer, change, change.after) | {"row": change.before.id}
        for change in changes
        if change.before is not None and change.after is not None
    ]
    writer.update(Device, changed)
    uuids = {identity: values["uuid"] for identity, values in states.items()}
    return uuids, [(keys[uuids[device.identity]], part) for _, device in new for part in device.deployables]


def _device(writer: _Writer, change: DeviceChange, after: model.Device) -> Values:
    lost_at = None
    if after.presence is Presence.LOST:
        lost_at = (change.before.lost_at if change.before is not None else None) or writer.now
    unreported_at = None if change.is_reported else writer.now
    return rows.device_values(after) | {"driver": change.driver, "lost_at": lost_at, "unreported_at": unreported_at}


def _remove_devices(writer: _Writer, devices: Sequence[RecordedDevice]) -> None:
    _remove_deployables(writer, [known.id for device in devices for known in device.deployables])
    _remove(writer, Device, [device.id for device in devices])


def _write_deployables(
    writer: _Writer,
    recorded: RecordedNode,
    changes: Iterable[DeployableChange],
    new: Sequence[tuple[int, model.Deployable]],
) -> None:
    changed = [(c, c.before, c.after) for c in changes if c.before is not None and c.after is not None]
    for device_id, part in [*new, *((change.device.id, after) for change, _, after in changed)]:
        writer.trees.parents[device_id, part.name] = part.parent
    _add_deployables(writer, new)
    rows_of_changed = [
        _deployable(writer, change.device.id, after) | {"row": before.id, "presence": _presence(change.kind)}
        for change, before, after in changed
    ]
    if rows_of_changed:
        writer.update(Deployable, rows_of_changed)
        _tell_roots(writer, recorded, {row["row"] for row in rows_of_changed})


def _tell_roots(writer: _Writer, recorded: RecordedNode, done: Container[int]) -> None:
    """Write the new root of whatever is in a part that has moved to another tree."""
    before = _recorded_trees(recorded)
    moved = [
        {"row": key, "root_id": writer.trees.root_id(name)}
        for name, key in before.keys.items()
        if key not in done and before.root_id(name) != writer.trees.root_id(name)
    ]
    writer.update(Deployable, moved)


def _add_deployables(writer: _Writer, new: Iterable[tuple[int, model.Deployable]]) -> None:
    """Insert deployables with attributes and handles, level by level, because a child's row names its parent's."""
    levels: defaultdict[int, list[tuple[int, model.Deployable]]] = defaultdict(list)
    for device_id, part in new:
        levels[writer.trees.depth((device_id, part.name))].append((device_id, part))
    for depth in sorted(levels):
        _add_level(writer, levels[depth])
    placed = [(writer.trees.keys[device_id, part.name], part) for level in levels.values() for device_id, part in level]
    writer.insert(Attribute, [_attribute(writer, key, a) for key, part in placed for a in _unique(part.attributes)])
    writer.insert(AttachHandle, [_handle(writer, key, h) for key, part in placed for h in _unique(part.handles)])


def _add_level(writer: _Writer, level: Sequence[tuple[int, model.Deployable]]) -> None:
    new = [
        writer.new_row(_deployable(writer, device_id, part) | _new_part(device_id, part)) for device_id, part in level
    ]
    keys = writer.insert_and_tell_keys(Deployable, new)
    writer.trees.keys.update({(values["device_id"], values["name"]): keys[values["uuid"]] for values in new})


def _new_part(device_id: int, part: model.Deployable) -> Values:
    text = attribute_texts.text_of(_unique(part.attributes))
    return {"device_id": device_id, "presence": Presence.PRESENT, "attributes_text": text}


def _deployable(writer: _Writer, device_id: int, part: model.Deployable) -> Values:
    name = (device_id, part.name)
    tree = {"parent_id": writer.trees.parent_id(name), "root_id": writer.trees.root_id(name)}
    return rows.deployable_values(part) | tree


def _remove_deployables(writer: _Writer, keys: Sequence[int]) -> None:
    """Remove deployables with their attributes and handles. None of them may be held, and whatever is part of one
    of them must be among them.
    """
    for some in batches(keys):
        writer.connection.execute(delete(AttachHandle).where(AttachHandle.deployable_id.in_(some)))
        writer.connection.execute(
            update(Deployable).where(Deployable.id.in_(some)).values(parent_id=None, root_id=None)
        )
    _remove(writer, Deployable, keys)


def _write_attributes(writer: _Writer, changes: Sequence[AttributeChange]) -> None:
    added = [(c.deployable.id, c.after) for c in changes if c.before is None and c.after is not None]
    changed = [(c.before.id, c.after) for c in changes if c.before is not None and c.after is not None]
    with attribute_texts.kept(writer.connection, {change.deployable.id for change in changes}):
        writer.insert(Attribute, [_attribute(writer, key, attribute) for key, attribute in added])
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


def _remove(writer: _Writer, table: type[Device | Deployable | Attribute | AttachHandle], keys: Sequence[int]) -> None:
    for some in batches(keys):
        writer.connection.execute(delete(table).where(table.id.in_(some)))


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
