"""What is removed from the record when time has passed: what is gone and held by nobody.

A device has a grace time to come back in. A part can be lost only because somebody held it when it vanished; when it is
given back there is nothing to wait for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from accel.model.device import Presence
from accel.model.diff import Change, DeployableChange, DeviceChange, HandleChange, needed
from accel.model.event import EventKind
from accel.model.record import RecordedDeployable, RecordedDevice


def expired(devices: Iterable[RecordedDevice], *, unreported_before: datetime) -> tuple[Change, ...]:
    """The changes that remove devices no driver mentions since before a moment, and lost parts of the others."""
    return tuple(change for device in devices for change in _expired(device, unreported_before))


def _expired(device: RecordedDevice, unreported_before: datetime) -> Iterator[Change]:
    if device.unreported_at is not None and device.unreported_at < unreported_before and not device.is_held:
        yield DeviceChange(kind=EventKind.DEVICE_REMOVED, driver=device.driver, before=device, after=None)
        return
    kept = needed(device.deployables)
    bare = replace(device, deployables=())
    for part in device.deployables:
        if part.presence is Presence.LOST and part.part.name not in kept:
            yield DeployableChange(
                kind=EventKind.DEPLOYABLE_REMOVED, driver=device.driver, device=bare, before=part, after=None
            )
        else:
            yield from _expired_handles(bare, part)


def _expired_handles(device: RecordedDevice, part: RecordedDeployable) -> Iterator[HandleChange]:
    for handle in part.handles:
        if handle.presence is Presence.LOST and not handle.is_held:
            yield HandleChange(
                kind=EventKind.HANDLE_REMOVED,
                driver=device.driver,
                device=device,
                deployable=replace(part, attributes=(), handles=()),
                before=handle,
                after=None,
            )
