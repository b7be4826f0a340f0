"""The inventory twice: as the events tell it, and as the tables hold it."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from accel.db import rows
from accel.db.engine import Database
from accel.db.tables import AttachHandle, Attribute, Deployable, Device, Event, Node
from accel.model.device import AttachHandle as Handle
from accel.model.event import EventKind

State = dict[tuple[str, ...], dict[str, Any]]
"""What is known by kind and name: ("deployable", device's uuid, name) …"""

_KINDS = ("node", "device", "deployable", "attribute", "handle")
_PRESENT = {"presence": "present"}


def replayed(state: State, events: Iterable[Any]) -> State:
    """The state after further events; fails where one tells of another before than was."""
    state = copy.deepcopy(state)
    for event in events:
        what = "device" if event.kind == EventKind.HEALTH_CHANGED else event.kind.partition(".")[0]
        if what in _KINDS:
            _take(state, what, event)
    return state


def _take(state: State, what: str, event: Any) -> None:
    key = _key(what, event)
    before, after = event.before, event.after
    if before is not None:
        was = state[key]
        inner = ("deployables", "attributes", "handles")
        told = {name: value for name, value in before.items() if name not in inner and not name.startswith("signal.")}
        assert {name: was.get(name) for name in told} == told, f"{event.kind} of {event.subject}"
    if after is None:
        _forget(state, key)
    elif event.kind == EventKind.NODE_OFFLINE:
        state[key] |= {"state": after["state"]}
    else:
        _put(state, key, after)


def _key(what: str, event: Any) -> tuple[str, ...]:
    if what == "node":
        return (what, event.node)
    if what == "device":
        return (what, event.device_uuid)
    name, _, inner = event.subject.partition(" ")
    return (what, event.device_uuid, name, inner) if inner else (what, event.device_uuid, name)


def _put(state: State, key: tuple[str, ...], values: Mapping[str, Any]) -> None:
    """Set what is told; what is new may have other things in it."""
    what, *place = key
    known = state.setdefault(key, dict(_PRESENT) if what in ("deployable", "handle") else {})
    inner = ("deployables", "attributes", "handles")
    known |= {name: value for name, value in values.items() if name not in inner and not name.startswith("signal.")}
    for part in values.get("deployables", ()):
        _put(state, ("deployable", *place, part["name"]), part)
    for attribute in values.get("attributes", ()):
        _put(state, ("attribute", *place, attribute["key"]), attribute)
    for handle in values.get("handles", ()):
        _put(state, ("handle", *place, Handle(type=handle["type"], info=handle["info"]).key), handle)


def _forget(state: State, key: tuple[str, ...]) -> None:
    """Forget it and all that is in it."""
    place = key[1:]
    for other in [other for other in state if other == key or (key[0] in _INSIDE and _is_inside(other, key[0], place))]:
        del state[other]


_INSIDE = {"device": ("deployable", "attribute", "handle"), "deployable": ("attribute", "handle")}


def _is_inside(other: tuple[str, ...], what: str, place: tuple[str, ...]) -> bool:
    return other[0] in _INSIDE[what] and other[1 : len(place) + 1] == place


def events_after(database: Database, last: int) -> list[Any]:
    """The events with a greater key, in order."""
    with database.reader() as connection:
        columns = Event.__table__.columns
        return list(connection.execute(select(*columns).where(Event.id > last).order_by(Event.id)))


def stored(database: Database) -> State:
    """What the tables hold, in the words of events."""
    state: State = {}
    with database.reader() as connection:
        for row in connection.execute(select(*Node.__table__.columns)):
            values = rows.node_values(rows.to_node_info(row))
            state["node", row.name] = values | {"boot_id": row.boot_id, "state": row.state}
        for row in connection.execute(select(*Device.__table__.columns)):
            values = rows.device_values(rows.to_device(row)) | {"driver": row.driver}
            del values["signals_text"]  # what is only other words is no event
            state["device", row.uuid] = values
        devices = {row.id: row.uuid for row in connection.execute(select(Device.id, Device.uuid))}
        parts = {row.id: row for row in connection.execute(select(*Deployable.__table__.columns))}
        for row in parts.values():
            parent = parts[row.parent_id].name if row.parent_id is not None else None
            part = rows.deployable_values(rows.to_deployable(row, parent))
            state["deployable", devices[row.device_id], row.name] = part | {"parent": parent, "presence": row.presence}
        driver_set = select(*Attribute.__table__.columns).where(Attribute.driver_key.is_not(None))
        for row in connection.execute(driver_set):
            part = parts[row.deployable_id]
            key = ("attribute", devices[part.device_id], part.name, row.key)
            state[key] = {"key": row.key, "value": row.value}
        for row in connection.execute(select(*AttachHandle.__table__.columns)):
            part = parts[row.deployable_id]
            key = ("handle", devices[part.device_id], part.name, row.info_key)
            state[key] = {"type": row.type, "info": row.info, "presence": row.presence}
    return state
