"""One card that several drivers see is one device, and what one driver hands out no other does.

The drivers are asked in the order in which they are enabled, and the first that reports a card has it. A driver that
fails keeps what it had: a card must not change hands because the driver that knows it better has crashed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from accel.model.address import PciAddress
from accel.model.device import AttachHandle, Deployable, Device, HandleType
from accel.model.report import DriverReport

Claims = Mapping[str, frozenset[str]]
"""By driver, the identities and PCI addresses of all that is its."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What the drivers say together."""

    reports: tuple[DriverReport, ...]
    """The answers without the cards that an earlier driver has, devices by identity."""
    claims: Claims
    """To be given to the next merge."""


def merge(answers: Sequence[DriverReport], earlier: Claims) -> Merged:
    """Give every card to the first driver that reports it.

    :param answers: in the order in which the drivers are enabled
    :param earlier: the claims of the merge before; empty for the first
    """
    reports: list[DriverReport] = []
    claims: dict[str, frozenset[str]] = {}
    taken: set[str] = set()
    for answer in answers:
        devices = tuple(sorted(_not_taken(answer.devices, taken), key=lambda device: device.identity))
        reports.append(replace(answer, devices=devices))
        claims[answer.driver] = _claims(devices) if answer.failure is None else earlier.get(answer.driver, frozenset())
        taken |= claims[answer.driver]
    return Merged(reports=tuple(reports), claims=claims)


def _not_taken(devices: Iterable[Device], taken: set[str]) -> Iterator[Device]:
    return (_without(device, taken) for device in devices if taken.isdisjoint(_names(device)))


def _without(device: Device, taken: set[str]) -> Device:
    """A device without the handles of functions that an earlier driver has, as of a virtual function it reports."""
    if taken.isdisjoint(_handed_out(device)):
        return device
    return replace(device, deployables=tuple(_part_without(part, taken) for part in device.deployables))


def _part_without(part: Deployable, taken: set[str]) -> Deployable:
    """What is left of a part. Of handles that go to one workload together either all are left or none."""
    left = tuple(handle for handle in part.handles if _function(handle) not in taken)
    if len(part.handles) != part.num_accelerators and len(left) != len(part.handles):
        left = ()
    return replace(part, handles=left, num_accelerators=len(left)) if left != part.handles else part


def _names(device: Device) -> Iterator[str]:
    yield device.identity
    yield from map(str, device.functions)


def _claims(devices: Iterable[Device]) -> frozenset[str]:
    """All names of the devices, and the functions that they hand out."""
    return frozenset(name for device in devices for name in (*_names(device), *_handed_out(device)))


def _handed_out(device: Device) -> Iterator[str]:
    return filter(None, (_function(handle) for part in device.deployables for handle in part.handles))


def _function(handle: AttachHandle) -> str:
    """The PCI function that a handle hands out; empty for another kind of handle."""
    if handle.type is not HandleType.PCI:
        return ""
    return str(PciAddress(*(int(handle.info[key], 16) for key in ("domain", "bus", "device", "function"))))
