"""The fleet in figures: devices and attach handles by what they are, nodes by whether they are heard."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, select

from accel.db import counts
from accel.db.counts import HandleCounts, counted
from accel.db.first_part import FirstPart
from accel.db.tables import Device, Holder, Node
from accel.db.uses import POD
from accel.model.device import Health, Presence
from accel.model.node import DeviceStatus, NodeState

GROUPS: Mapping[str, Any] = {"type": Device.type, "vendor": Device.vendor, "model": Device.model}
"""What devices can be grouped by."""

FIGURES = ("devices", "total", "free", "held", "unhealthy", "unknown", "lost", "disabled")
"""What is counted: devices, their attach handles (total, free, held), devices by what is the matter with them."""


class DeviceCounts(NamedTuple):
    """Devices of one group. A lost one is neither unhealthy nor unknown: there is nothing to be healthy."""

    devices: int = 0
    unhealthy: int = 0
    unknown: int = 0
    lost: int = 0
    disabled: int = 0


class Group(NamedTuple):
    """One group: its values of the columns grouped by, its devices, their attach handles."""

    values: tuple[str, ...]
    devices: DeviceCounts
    handles: HandleCounts

    def figures(self) -> dict[str, int]:
        """What ``FIGURES`` names."""
        figures = {**self.devices._asdict(), **self.handles._asdict()}
        return {name: figures[name] for name in FIGURES}


def device_columns() -> tuple[ColumnElement[int], ...]:
    """The columns of ``DeviceCounts``, for a statement over devices."""
    is_present = Device.presence == Presence.PRESENT
    return (
        func.count(Device.id),
        counted(and_(is_present, Device.health == Health.UNHEALTHY)),
        counted(and_(is_present, Device.health == Health.UNKNOWN)),
        counted(Device.presence == Presence.LOST),
        counted(Device.status == DeviceStatus.MAINTAINING),
    )


def groups(connection: Connection, names: Sequence[str]) -> list[Group]:
    """All devices in groups, sorted; without names, everything in one group.

    :param names: keys of ``GROUPS``
    """
    columns = [GROUPS[name] for name in names]
    width = len(columns)
    figures = counts.handle_columns(counts.IS_FREE)
    handle_statement = counts.joined_to_handles(select(*columns, *figures)).group_by(*columns)
    handles = {tuple(row[:width]): HandleCounts._make(row[width:]) for row in connection.execute(handle_statement)}
    device_statement = select(*columns, *device_columns()).group_by(*columns).order_by(*columns)
    return [
        Group(tuple(row[:width]), DeviceCounts._make(row[width:]), handles.get(tuple(row[:width]), HandleCounts()))
        for row in connection.execute(device_statement)
    ]


class Holdings(NamedTuple):
    """How many attach handles are held by whom."""

    by_kind: Mapping[str, int]
    """By the kind of the holder, ``instance``, ``reservation``, ``pod``, ``fence`` …, as far as it holds anything."""
    by_namespace: Mapping[str, int]
    """Those of pods, by namespace."""


def holdings(connection: Connection) -> Holdings:
    """Who holds what there is."""
    # What a column and the grouping by it have in common must be the same text: values that are sent apart are not.
    pod, nothing = literal(POD, literal_execute=True), literal("", literal_execute=True)
    namespace = case((Holder.kind == pod, FirstPart(Holder.name)), else_=nothing).label("namespace")
    by_kind: Counter[str] = Counter()
    by_namespace: dict[str, int] = {}
    for kind, of, number in connection.execute(
        select(Holder.kind, namespace, func.count(Holder.id)).group_by(Holder.kind, namespace).order_by("namespace")
    ):
        by_kind[kind] += number
        if kind == POD:
            by_namespace[of] = number
    return Holdings(dict(sorted(by_kind.items())), by_namespace)


def nodes_by_state(connection: Connection) -> dict[str, int]:
    """How many nodes are in each state; every state is there."""
    found = connection.execute(select(Node.state, func.count(Node.id)).group_by(Node.state))
    return {**dict.fromkeys(map(str, NodeState), 0), **dict(found.all())}
