"""One card that several drivers see is one device.

The drivers are asked in the order in which they are enabled, and the first that reports a card has it. A driver that
fails keeps what it had: a card must not change hands because the driver that knows it better has crashed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from accel.model.address import PciAddress
from accel.model.device import Device, HandleType
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
    return (device for device in devices if taken.isdisjoint(_names(device)))


def _names(device: Device) -> Iterator[str]:
    yield device.identity
    if device.address is not None:
        yield str(device.address)


def _claims(devices: Iterable[Device]) -> frozenset[str]:
    """All names of the devices, and the functions that they hand out."""
    return frozenset(name for device in devices for name in (*_names(device), *_functions(device)))


def _functions(device: Device) -> Iterator[str]:
    for part in device.deployables:
        for handle in part.handles:
            if handle.type is HandleType.PCI:
                parts = (int(handle.info[key], 16) for key in ("domain", "bus", "device", "function"))
                yield str(PciAddress(*parts))
