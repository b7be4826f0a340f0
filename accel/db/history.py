"""Events from changes: one row for each, written in the transaction of the change.

A new device or deployable is one event that tells of all its parts; so is a removed one. Of a change the event has
only what differs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import Connection, insert

from accel.db import placement_nodes
from accel.db.rows import Values, deployable_values, device_values, node_values
from accel.db.tables import Event
from accel.model.device import AttachHandle, Attribute, Deployable, Device, Presence
from accel.model.diff import (
    AttributeChange,
    Change,
    DeployableChange,
    DeviceChange,
    DriverChange,
    HandleChange,
    NodeChange,
)
from accel.model.event import EventKind
from accel.model.record import RecordedAttribute, RecordedDeployable, RecordedDevice, RecordedHandle
from accel.model.report import Failure

T = TypeVar("T")

AGENT = "agent"
CONDUCTOR = "conductor"
API = "api"
_OF_ATTRIBUTES = frozenset({EventKind.ATTRIBUTE_ADDED, EventKind.ATTRIBUTE_REMOVED})
_SUBJECT_LENGTH = 255
_WRITE = insert(Event).inline()  # its key is not asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event, before it has a row."""

    kind: EventKind
    subject: str
    source: str
    node: str | None
    device_uuid: str | None = None
    before: Values | None = None
    after: Values | None = None
    request_id: str | None = None
    """Of the request to the API that asked for the change."""
    project_id: str | None = None
    """The project whose affair it is; None for what is nobody's alone."""
    at: datetime | None = None
    """When; None: at the time of the transaction."""


def write(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    """Add the events in one statement, none when there are none; and have OpenStack Placement told of their nodes.

    That is the last thing that a transaction locks.
    """
    if entries:
        connection.execute(_WRITE, rows(entries, now))
    placement_nodes.mark(connection, nodes_to_tell_of(entries), now)


def rows(entries: Iterable[Entry], now: datetime) -> list[Values]:
    """The rows of events."""
    return [
        {
            "uuid": str(uuid4()),
            "kind": entry.kind,
            "node": entry.node,
            "device_uuid": entry.device_uuid,
            "subject": entry.subject[:_SUBJECT_LENGTH],
            "before": entry.before,
            "after": entry.after,
            "source": entry.source,
            "request_id": entry.request_id,
            "project_id": entry.project_id,
            "occurred_at": entry.at or now,
        }
        for entry in entries
    ]


def nodes_to_tell_of(entries: Iterable[Entry]) -> set[str]:
    """The nodes of events that OpenStack Placement may have to be told of."""
    return {entry.node for entry in entries if entry.node and _concerns(entry)}


def _concerns(entry: Entry) -> bool:
    """Whether Placement may have to be told of it. What an operator makes of attributes is no affair of Placement's."""
    is_operators = entry.kind in _OF_ATTRIBUTES and entry.source.startswith(API)
    return entry.kind in placement_nodes.CONCERNING and not is_operators


def entries(changes: Iterable[Change], *, node: str, new_devices: Mapping[str, str], source: str = "") -> list[Entry]:
    """The events of a difference, in its order.

    :param new_devices: the UUIDs that new devices were given, by identity
    :param source: who changed it; by default whoever reported it
    """
    told = [entry for change in changes if (entry := _entry(change, node, new_devices)) is not None]
    return [replace(entry, source=source) for entry in told] if source else told


def device_name(device: Device) -> str:
    """How a person would name a device: its model and where it is."""
    return f"{device.model} {device.address or device.identity}"


def _entry(change: Change, node: str, new_devices: Mapping[str, str]) -> Entry | None:
    kind = EventKind.NODE_CHANGED if isinstance(change, NodeChange) else change.kind
    if kind is None:
        return None
    before, after = differing(*_described(change))
    return Entry(
        kind=kind,
        subject=_subject(change, node),
        source=AGENT if isinstance(change, NodeChange | DriverChange) else f"driver:{change.driver}",
        node=node,
        device_uuid=_device_uuid(change, new_devices),
        before=before,
        after=after,
    )


def _subject(change: Change, node: str) -> str:
    match change:
        case NodeChange():
            return node
        case DriverChange():
            return change.driver
        case DeviceChange():
            device = change.after or (change.before.device if change.before is not None else None)
            return device_name(device) if device is not None else ""
        case DeployableChange():
            known = change.before.part if change.before is not None else change.after
            return known.name if known is not None else ""
        case AttributeChange():
            attribute = change.before.attribute if change.before is not None else change.after
            return " ".join((change.deployable.part.name, attribute.key if attribute is not None else ""))
        case HandleChange():
            handle = change.before.handle if change.before is not None else change.after
            return " ".join((change.deployable.part.name, handle.key if handle is not None else ""))


def _device_uuid(change: Change, new_devices: Mapping[str, str]) -> str | None:
    match change:
        case NodeChange() | DriverChange():
            return None
        case DeviceChange():
            if change.before is not None:
                return change.before.uuid
            return new_devices[change.after.identity] if change.after is not None else None
        case _:
            return change.device.uuid


def _described(change: Change) -> tuple[Values | None, Values | None]:
    match change:
        case NodeChange():
            before = node_values(change.before) | {"boot_id": change.boot_id_before}
            return before, node_values(change.after) | {"boot_id": change.boot_id_after}
        case DriverChange():
            return _given(_failure, change.before), _given(_failure, change.after)
        case DeviceChange():
            after = _device(change.after, change.driver) if change.after is not None else None
            return _given(_recorded_device, change.before), after
        case DeployableChange():
            after = _given(_deployable, change.after)
            return _given(_recorded_deployable, change.before), _with_presence(after, change.kind)
        case AttributeChange():
            return _given(_recorded_attribute, change.before), _given(_attribute, change.after)
        case HandleChange():
            after = _given(_handle, change.after)
            return _given(_recorded_handle, change.before), _with_presence(after, change.kind)


def _given(describe: Callable[[T], Values], value: T | None) -> Values | None:
    return describe(value) if value is not None else None


def differing(before: Values | None, after: Values | None) -> tuple[Values | None, Values | None]:
    """Of two states what differs; of one state all."""
    if before is None or after is None:
        return before, after
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}


def _failure(failure: Failure) -> Values:
    return {"kind": failure.kind, "message": failure.message, "hint": failure.hint}


def _recorded_device(recorded: RecordedDevice) -> Values:
    values = _device(recorded.device, recorded.driver)
    if recorded.deployables:
        values["deployables"] = [_recorded_deployable(known) for known in recorded.deployables]
    return values


def _device(device: Device, driver: str) -> Values:
    values = device_values(device) | {"driver": driver}
    del values["signals_text"]
    values |= {f"signal.{one.source}": f"{one.value}: {one.text}" for one in device.signals}
    if device.deployables:
        values["deployables"] = [_deployable(part) for part in device.deployables]
    return values


def _recorded_deployable(recorded: RecordedDeployable) -> Values:
    attributes = tuple(known.attribute for known in recorded.attributes)
    handles = tuple(known.handle for known in recorded.handles)
    whole = replace(recorded.part, attributes=attributes, handles=handles)
    return _deployable(whole) | {"presence": recorded.presence}


def _deployable(part: Deployable) -> Values:
    values = deployable_values(part) | {"parent": part.parent}
    if part.attributes:
        values["attributes"] = [_attribute(attribute) for attribute in part.attributes]
    if part.handles:
        values["handles"] = [_handle(handle) for handle in part.handles]
    return values


def _recorded_attribute(recorded: RecordedAttribute) -> Values:
    return _attribute(recorded.attribute)


def _attribute(attribute: Attribute) -> Values:
    return {"key": attribute.key, "value": attribute.value}


def _recorded_handle(recorded: RecordedHandle) -> Values:
    return _handle(recorded.handle) | {"presence": recorded.presence}


def _handle(handle: AttachHandle) -> Values:
    return {"type": handle.type, "info": dict(handle.info)}


def _with_presence(after: Values | None, kind: EventKind) -> Values | None:
    if after is None:
        return None
    lost = kind in {EventKind.DEPLOYABLE_LOST, EventKind.HANDLE_LOST}
    return after | {"presence": Presence.LOST if lost else Presence.PRESENT}
