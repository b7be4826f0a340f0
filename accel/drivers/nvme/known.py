"""The drives of a host that the kernel drives, each with what it is known by."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from accel.drivers.base import Host
from accel.drivers.nvme.subsystems import Controller, Drive, drives
from accel.drivers.sysfs import PciFunction, pci_functions
from accel.model.address import PciAddress
from accel.model.device import weak_identity

Functions = Mapping[PciAddress, PciFunction]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDrive:
    """A drive, and where it is."""

    identity: str
    drive: Drive
    ports: tuple[Controller, ...]
    """Its controllers, without those of its virtual functions."""
    functions: Functions
    """All PCI functions of the host."""

    @property
    def function(self) -> PciFunction | None:
        """The PCI function of its first controller; None when it is not on PCI."""
        address = self.ports[0].address
        return self.functions.get(address) if address else None

    @property
    def virtual_functions(self) -> tuple[PciAddress, ...]:
        """Those of all its controllers."""
        mine = [self.functions[port.address] for port in self.ports if port.address and port.address in self.functions]
        return tuple(address for function in mine for address in function.virtual_functions)


def by_address(host: Host) -> Functions:
    """The PCI functions of a host."""
    return {function.address: function for function in pci_functions(host)}


def known_drives(host: Host, functions: Functions) -> Iterator[KnownDrive]:
    """The drives that the kernel drives, in the order of its names."""
    whole = [(drive, ports) for drive in drives(host) if (ports := _ports(drive, functions))]
    for (drive, ports), identity in zip(whole, _identities(whole), strict=True):
        yield KnownDrive(identity=identity, drive=drive, ports=ports, functions=functions)


def is_virtual(address: PciAddress | None, functions: Functions) -> bool:
    """Whether it is a virtual function of a physical one that is to be seen."""
    function = functions.get(address) if address else None
    return function is not None and function.physical_function in functions


def _ports(drive: Drive, functions: Functions) -> tuple[Controller, ...]:
    return tuple(port for port in drive.controllers if not is_virtual(port.address, functions))


def _identities(whole: Sequence[tuple[Drive, Sequence[Controller]]]) -> Iterator[str]:
    """The serial number of each drive where no two have the same, else its qualified name, else where it sits."""
    serials = Counter(drive.serial for drive, _ in whole)
    qualified_names = Counter(drive.qualified_name for drive, _ in whole)
    for drive, ports in whole:
        if drive.serial and serials[drive.serial] == 1:
            yield f"serial:{drive.serial}"
        elif drive.qualified_name and qualified_names[drive.qualified_name] == 1:
            yield f"nqn:{drive.qualified_name}"
        else:
            address = ports[0].address
            yield weak_identity(address) if address else f"name:{ports[0].name}"
