"""Handing PCI functions to a guest whole: bound to vfio-pci with all that goes with them, and back as they were."""

from collections.abc import Collection, Mapping, Sequence

from accel.drivers.base import Host
from accel.drivers.guest.function_reset import can_be_reset, reset_function
from accel.drivers.guest.groups import members
from accel.drivers.guest.kernel_drivers import VFIO, bind_to_own, bind_to_vfio, check_vfio_is_there, take_from_vfio
from accel.drivers.guest.memory import forget, recall, remember
from accel.drivers.guest.nodes import check_closed, give_group
from accel.drivers.guest.refusals import check_free
from accel.drivers.sysfs import PciFunction, pci_function, pci_functions
from accel.errors import ActFailed, ActRefused, DeviceGone
from accel.model.address import PciAddress


def prepare(host: Host, address: PciAddress, own: Collection[PciAddress], key: str) -> None:
    """Have a function, and what goes with it, bound to vfio-pci.

    :param own: the functions of the same card, which may be in one IOMMU group with it
    :param key: what it is prepared for; ``release`` is told the same
    :raises DeviceGone: there is no such function
    :raises ActRefused: it cannot be handed out, and is as it was
    :raises ActFailed: it went wrong on the way, and what it is like now is not known
    """
    function = _function(host, address)
    together = members(host, function, {address, *own})
    others = [one for one in together if one.kernel_driver != VFIO]
    if others:
        check_vfio_is_there(host)
        check_free(host, others)
    remember(host, key, {str(one.address): one.kernel_driver or "" for one in together})
    _bind_all(host, others, key)
    if function.iommu_group is not None:
        give_group(host, function.iommu_group)


def release(host: Host, key: str) -> None:
    """Have what was prepared for a key back as it was, reset. What nobody prepared is left alone.

    :raises DeviceInUse: a process has it open
    :raises ActFailed: it went wrong on the way
    """
    before = recall(host, key)
    there = [one for one in pci_functions(host) if str(one.address) in before]
    guests = [one for one in there if one.kernel_driver == VFIO]
    for group in {one.iommu_group for one in guests if one.iommu_group is not None}:
        check_closed(host, group)
    ours = [one for one in there if before[str(one.address)] != VFIO]
    for one in ours:
        take_from_vfio(host, one)
    for one in guests:
        if can_be_reset(one):
            reset_function(host, one)
    for one in ours:
        if driver := before[str(one.address)]:
            bind_to_own(host, one, driver)
    forget(host, key)


def _bind_all(host: Host, functions: Sequence[PciFunction], key: str) -> None:
    """Bind all or none."""
    try:
        for one in functions:
            bind_to_vfio(host, one)
    except ActFailed as error:
        _undo(host, functions, recall(host, key), error)
        forget(host, key)
        raise ActRefused(f"{error.what}; all is as it was", error.hint) from error


def _undo(host: Host, functions: Sequence[PciFunction], before: Mapping[str, str], why: ActFailed) -> None:
    for one in functions:
        try:
            take_from_vfio(host, one)
            if driver := before.get(str(one.address)):
                bind_to_own(host, one, driver)
        except ActFailed as error:
            raise ActFailed(f"{why.what}; {one.address} could not be given back: {error.what}", error.hint) from why


def _function(host: Host, address: PciAddress) -> PciFunction:
    function = pci_function(host, address)
    if function is None:
        raise DeviceGone(f"there is no PCI function {address}")
    return function
