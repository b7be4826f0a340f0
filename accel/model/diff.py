"""What changes when a report is believed.

``diff`` compares what is recorded of a node with what its agent reports and gives the difference as a value: one
small change after the other, each with what was and what will be. It decides; ``accel.db.inventory`` only writes.

The rules:

- A driver that answered is believed wholly: what it does not report any more is lost. So is what was reported by a
  driver that is not asked any more.
- A driver that failed said nothing: its devices stay as they are, their health unknown.
- A device is never removed by a report. It becomes lost, keeps its parts and holders, and when it is seen again it is
  the same device. What nobody holds and no driver mentions any more is removed when a grace time is over:
  ``accel.model.expiry``.
- A part of a device (deployable, attach handle) that is gone while its device is there is removed, unless somebody
  holds it: then it is lost until it is given back. What a driver cannot see inside a lost device is left alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from accel.model.device import AttachHandle, Attribute, Deployable, Device, Health, Presence
from accel.model.event import EventKind
from accel.model.health import since
from accel.model.identity import Match, Sighting, match, sightings
from accel.model.record import RecordedAttribute, RecordedDeployable, RecordedDevice, RecordedHandle, RecordedNode
from accel.model.report import Failure, NodeInfo, NodeReport


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChange:
    """The host itself is another than before: rebooted, upgraded, moved to another rack."""

    before: NodeInfo
    after: NodeInfo
    boot_id_before: str
    boot_id_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverChange:
    """A driver began or ceased to be asked, failed, recovered, or fails with other words (no kind: no event)."""

    kind: EventKind | None
    driver: str
    before: Failure | None = None
    after: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChange:
    """A device is new (``before`` is None and ``after`` has its parts), will be recorded as ``after``, or is to be
    removed with all its parts (``after`` is None).
    """

    kind: EventKind | None
    """None: what has changed is no event, as figures that rise and fall."""
    driver: str
    before: RecordedDevice | None
    after: Device | None
    is_reported: bool = True
    """Whether the newest word of its driver mentions it, be it as lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployableChange:
    """A part of a recorded device is new (``after`` has all that is in it), other than before, lost, or to be removed
    with all that is in it (``after`` is None).
    """

    kind: EventKind
    driver: str
    device: RecordedDevice
    before: RecordedDeployable | None
    after: Deployable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeChange:
    """A driver's attribute of a recorded deployable; ``after`` is None when it is to be removed."""

    kind: EventKind
    driver: str
    device: RecordedDevice
    deployable: RecordedDeployable
    before: RecordedAttribute | None
    after: Attribute | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleChange:
    """An attach handle of a recorded deployable; ``after`` is None when it is to be removed."""

    kind: EventKind
    driver: str
    device: RecordedDevice
    deployable: RecordedDeployable
    before: RecordedHandle | None
    after: AttachHandle | None


Change = NodeChange | DriverChange | DeviceChange | DeployableChange | AttributeChange | HandleChange


def diff(recorded: RecordedNode, reported: NodeReport) -> tuple[Change, ...]:
    """The changes that make the record say what the report says; none when it does already."""
    failures = {answer.driver: answer.failure for answer in reported.drivers}
    matches, new = match(recorded.devices, sightings(reported))
    matched = {pair.recorded.id: pair for pair in matches}
    changes: list[Change] = [*_node_changes(recorded, reported), *_driver_changes(recorded.drivers, failures)]
    for known in recorded.devices:
        pair = matched.get(known.id)
        says_nothing_new = pair is None or (pair.is_weaker and known.unreported_at is None)
        if (failure := failures.get(known.driver)) is not None and says_nothing_new:
            changes.extend(_unanswered(known, failure))
        elif pair is None:
            changes.extend(_unreported(known))
        else:
            changes.extend(_reported(pair))
    changes.extend(_added(sighting) for sighting in new)
    return tuple(changes)


def _node_changes(recorded: RecordedNode, reported: NodeReport) -> Iterator[NodeChange]:
    if (recorded.info, recorded.boot_id) != (reported.node, reported.boot_id):
        yield NodeChange(
            before=recorded.info,
            after=reported.node,
            boot_id_before=recorded.boot_id,
            boot_id_after=reported.boot_id,
        )


def _driver_changes(
    before: Mapping[str, Failure | None], after: Mapping[str, Failure | None]
) -> Iterator[DriverChange]:
    for driver in sorted(before.keys() | after.keys()):
        old, new = before.get(driver), after.get(driver)
        if driver not in after:
            yield DriverChange(kind=EventKind.DRIVER_REMOVED, driver=driver, before=old)
        elif driver not in before or old != new:
            yield DriverChange(kind=_driver_event(old, new), driver=driver, before=old, after=new)


def _driver_event(before: Failure | None, after: Failure | None) -> EventKind | None:
    if after is None:
        return EventKind.DRIVER_ADDED if before is None else EventKind.DRIVER_RECOVERED
    return None if before is not None and before.kind is after.kind else EventKind.DRIVER_FAILED


def _added(sighting: Sighting) -> DeviceChange:
    parts = tuple(_tree(sighting.device.deployables).values())
    device = replace(sighting.device, deployables=parts)
    return DeviceChange(kind=EventKind.DEVICE_ADDED, driver=sighting.driver, before=None, after=device)


def _unanswered(known: RecordedDevice, failure: Failure) -> Iterator[DeviceChange]:
    """Its driver failed: we know no more than that it was there."""
    if known.device.presence is Presence.PRESENT:
        reason = f"driver {known.driver} has no answer: {failure.kind}"
        yield from _device_change(known, known.driver, replace(known.device, health=Health.UNKNOWN, reason=reason))


def _unreported(known: RecordedDevice) -> Iterator[DeviceChange]:
    if known.unreported_at is None:
        reason = f"not reported any more by driver {known.driver}"
        lost = replace(known.device, presence=Presence.LOST, health=Health.UNKNOWN, reason=reason)
        yield from (replace(change, is_reported=False) for change in _device_change(known, known.driver, lost))


def _reported(pair: Match) -> Iterator[Change]:
    driver = pair.sighting.driver
    device = replace(pair.device, signals=since(pair.recorded.device.signals, pair.device.signals))
    yield from _device_change(pair.recorded, driver, replace(device, deployables=()))
    if device.presence is Presence.PRESENT:
        yield from _part_changes(pair.recorded, driver, _tree(device.deployables))


def _device_change(known: RecordedDevice, driver: str, after: Device) -> Iterator[DeviceChange]:
    if (known.driver, known.device) != (driver, after):
        kind = _event(known.device, after) or (None if known.driver == driver else EventKind.DEVICE_CHANGED)
        yield DeviceChange(kind=kind, driver=driver, before=replace(known, deployables=()), after=after)


def _event(before: Device, after: Device) -> EventKind | None:
    if before.presence is not after.presence:
        return EventKind.DEVICE_LOST if after.presence is Presence.LOST else EventKind.DEVICE_RETURNED
    is_told = before.health is not after.health or _complaints(before) != _complaints(after)
    if is_told and after.presence is Presence.PRESENT:
        return EventKind.HEALTH_CHANGED
    return None if before == replace(after, signals=before.signals) else EventKind.DEVICE_CHANGED


def _complaints(device: Device) -> set[tuple[str, Health]]:
    """What is not well with it, by source."""
    return {(signal.source, signal.value) for signal in device.signals if signal.value is not Health.HEALTHY}


def _tree(deployables: Iterable[Deployable]) -> dict[str, Deployable]:
    """Deployables by name, parents first. A parent that is not there, or that is its own descendant, is none."""
    waiting = {part.name: part for part in deployables}
    tree: dict[str, Deployable] = {}
    while waiting:
        ready = [part for part in waiting.values() if part.parent is None or part.parent in tree]
        for part in ready or _cut_loose(waiting):
            tree[part.name] = part
            del waiting[part.name]
    return tree


def _cut_loose(waiting: Mapping[str, Deployable]) -> list[Deployable]:
    orphans = [part for part in waiting.values() if part.parent not in waiting]
    return [replace(part, parent=None) for part in orphans or list(waiting.values())[:1]]


def _part_changes(known: RecordedDevice, driver: str, reported: Mapping[str, Deployable]) -> Iterator[Change]:
    kept = needed(known.deployables)
    bare = replace(known, deployables=())
    names = {deployable.part.name for deployable in known.deployables}
    for deployable in known.deployables:
        after = reported.get(deployable.part.name)
        if after is not None:
            yield from _deployable_changes(bare, driver, deployable, after)
        elif deployable.part.name in kept:
            yield from _kept_for_holders(bare, driver, deployable)
        else:
            yield DeployableChange(
                kind=EventKind.DEPLOYABLE_REMOVED, driver=driver, device=bare, before=deployable, after=None
            )
    for name, part in reported.items():
        if name not in names:
            yield DeployableChange(kind=EventKind.DEPLOYABLE_ADDED, driver=driver, device=bare, before=None, after=part)


def needed(deployables: Iterable[RecordedDeployable]) -> set[str]:
    """The names of what somebody holds, and of all that it is a part of."""
    parents = {deployable.part.name: deployable.part.parent for deployable in deployables}
    names: set[str] = set()
    for deployable in deployables:
        name = deployable.part.name if deployable.is_held else None
        while name is not None and name not in names:
            names.add(name)
            name = parents.get(name)
    return names


def _kept_for_holders(device: RecordedDevice, driver: str, known: RecordedDeployable) -> Iterator[Change]:
    if known.presence is Presence.PRESENT:
        yield DeployableChange(
            kind=EventKind.DEPLOYABLE_LOST, driver=driver, device=device, before=_bare(known), after=known.part
        )
    yield from _handle_changes(device, driver, known, ())


def _deployable_changes(
    device: RecordedDevice, driver: str, known: RecordedDeployable, after: Deployable
) -> Iterator[Change]:
    part = replace(after, attributes=(), handles=())
    returns = known.presence is Presence.LOST
    if returns or known.part != part:
        kind = EventKind.DEPLOYABLE_RETURNED if returns else EventKind.DEPLOYABLE_CHANGED
        yield DeployableChange(kind=kind, driver=driver, device=device, before=_bare(known), after=part)
    yield from _attribute_changes(device, driver, known, after.attributes)
    yield from _handle_changes(device, driver, known, after.handles)


def _attribute_changes(
    device: RecordedDevice, driver: str, known: RecordedDeployable, reported: Iterable[Attribute]
) -> Iterator[AttributeChange]:
    before = {recorded.attribute.key: recorded for recorded in known.attributes}
    after = {attribute.key: attribute for attribute in reported}
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old is None or old.attribute != new:
            yield AttributeChange(
                kind=_ATTRIBUTE_EVENTS[old is not None, new is not None],
                driver=driver,
                device=device,
                deployable=_bare(known),
                before=old,
                after=new,
            )


_ATTRIBUTE_EVENTS = {
    (False, True): EventKind.ATTRIBUTE_ADDED,
    (True, True): EventKind.ATTRIBUTE_CHANGED,
    (True, False): EventKind.ATTRIBUTE_REMOVED,
}


def _handle_changes(
    device: RecordedDevice, driver: str, known: RecordedDeployable, reported: Iterable[AttachHandle]
) -> Iterator[HandleChange]:
    before = {recorded.handle.key: recorded for recorded in known.handles}
    after = {handle.key: handle for handle in reported}
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        kind = _handle_event(old, new)
        if kind is EventKind.HANDLE_LOST and old is not None:
            new = old.handle
        if kind is not None:
            yield HandleChange(kind=kind, driver=driver, device=device, deployable=_bare(known), before=old, after=new)


def _handle_event(before: RecordedHandle | None, after: AttachHandle | None) -> EventKind | None:
    if before is None:
        return EventKind.HANDLE_ADDED
    if after is None and not before.is_held:
        return EventKind.HANDLE_REMOVED
    if after is None:
        return EventKind.HANDLE_LOST if before.presence is Presence.PRESENT else None
    if before.presence is Presence.LOST:
        return EventKind.HANDLE_RETURNED
    return EventKind.HANDLE_CHANGED if before.handle != after else None


def _bare(known: RecordedDeployable) -> RecordedDeployable:
    """A deployable as changes inside of it refer to it: without all that is unchanged."""
    return replace(known, attributes=(), handles=())
