"""What the host does not give away, whoever asks and whatever the record says."""

from collections.abc import Sequence

from accel.drivers.base import Host
from accel.drivers.host_use import HostUse
from accel.drivers.pci_card import console_use
from accel.drivers.sysfs import PciFunction
from accel.errors import UsedByHost, VirtualFunctionsInUse

_MASS_STORAGE = 0x01
"""The upper byte of the class code of everything that has disks behind it."""


def check_free(host: Host, functions: Sequence[PciFunction]) -> None:
    """Make sure that the host can do without the kernel drivers of some functions.

    :raises UsedByHost: it runs from a disk behind one of them, or draws its console with one
    :raises VirtualFunctionsInUse: one has virtual functions, which would go with its driver
    """
    for function in functions:
        uses = _uses(host, function)
        if uses:
            raise UsedByHost(f"the host uses {function.address}: {', '.join(uses)}", "unmount and stop what is on it")
        virtual = function.virtual_functions
        if virtual:
            raise VirtualFunctionsInUse(
                f"{function.address} has {len(virtual)} virtual functions, which others may have",
                "set their number to 0 first",
            )


def _uses(host: Host, function: PciFunction) -> tuple[str, ...]:
    if function.class_code is not None and function.class_code >> 16 == _MASS_STORAGE:
        return HostUse(host).of_controller(function.address)
    return console_use(function)
