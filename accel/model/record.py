"""What is recorded of a node: the values drivers reported, with the keys and the memory that the record adds.

``device`` and ``part`` are the reported values without what is below them (``deployables``; ``attributes`` and
``handles``): that is recorded, with its own keys, beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from accel.model.device import AttachHandle, Attribute, Deployable, Device, Presence
from accel.model.report import Failure, NodeInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAttribute:
    """An attribute that a driver set. Those of operators are none of a report's business and are not here."""

    id: int
    attribute: Attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHandle:
    """An attach handle, and whether somebody has it."""

    id: int
    handle: AttachHandle
    presence: Presence = Presence.PRESENT
    is_held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDeployable:
    """A deployable with its driver's attributes and its handles."""

    id: int
    part: Deployable
    presence: Presence = Presence.PRESENT
    attributes: tuple[RecordedAttribute, ...] = ()
    handles: tuple[RecordedHandle, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether somebody has one of its handles."""
        return any(handle.is_held for handle in self.handles)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDevice:
    """A device with its deployables. Its own presence is the device's."""

    id: int
    uuid: str
    driver: str
    """The driver that reported it last."""
    device: Device
    lost_at: datetime | None = None
    unreported_at: datetime | None = None
    """Since when no driver mentions it; None for one that a driver reports, be it as lost."""
    deployables: tuple[RecordedDeployable, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether somebody has something of it."""
        return any(deployable.is_held for deployable in self.deployables)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedNode:
    """Everything a report is compared with."""

    info: NodeInfo
    boot_id: str
    drivers: Mapping[str, Failure | None]
    """The drivers that were asked last time: None for one that answered."""
    devices: tuple[RecordedDevice, ...] = ()
