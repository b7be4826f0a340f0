"""What goes to a guest together with a PCI function: whatever the IOMMU cannot tell from it.

The members of a group can reach each other's memory, so a group has one owner. Bridges stay with the host: they have no
memory of their own to reach.
"""

from collections.abc import Collection

from accel.drivers.base import Host
from accel.drivers.sysfs import PciFunction, pci_functions
from accel.errors import GroupNotViable, NoIommu
from accel.model.address import PciAddress

_BRIDGE = 0x06
"""The base class of bridges, the upper byte of the class code."""


def members(host: Host, function: PciFunction, own: Collection[PciAddress]) -> tuple[PciFunction, ...]:
    """The functions of a function's group that go with it, itself included, by address.

    :param own: the functions that are the same card
    :raises NoIommu: it is in no group
    :raises GroupNotViable: the group has members that are no part of the card
    """
    group = function.iommu_group
    if group is None:
        raise NoIommu(
            f"{function.address} is in no IOMMU group",
            "switch the IOMMU on in the firmware and by the kernel's intel_iommu=on, or whatever your processor wants",
        )
    inside = [one for one in pci_functions(host) if one.iommu_group == group and not _is_bridge(one)]
    foreign = [str(one.address) for one in inside if one.address not in own]
    if foreign:
        raise GroupNotViable(
            f"IOMMU group {group} of {function.address} has {', '.join(foreign)} in it, too",
            "put the card into another slot; a group goes to one guest as a whole",
        )
    return tuple(inside)


def _is_bridge(function: PciFunction) -> bool:
    return function.class_code is not None and function.class_code >> 16 == _BRIDGE
