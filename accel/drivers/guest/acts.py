"""What every driver of PCI cards can do, to be inherited: handles for guests, virtual functions, resets."""

from collections.abc import Sequence
from typing import ClassVar

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.drivers.guest import pass_through
from accel.drivers.guest.function_reset import can_be_reset, reset_function
from accel.drivers.guest.refusals import check_free
from accel.drivers.guest.virtual_functions import set_number
from accel.drivers.sysfs import PciFunction, pci_function, pci_functions
from accel.errors import ActNotSupported, ActRefused, DeviceGone
from accel.model.address import PciAddress
from accel.model.device import AttachHandle, Deployable, DeployableKind, Device, HandleType

RESET = "reset"

_COMPANION_CLASSES = frozenset({0x0403, 0x0C03, 0x0C80})
"""Sound, USB and serial buses: what graphics cards have beside the display."""


class PciGuests:
    """Makes PCI functions ready for guests. Whoever inherits it has the host in ``_host``."""

    _host: Host

    def prepare(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        """See ``accel.drivers.acts.Preparable``: binds a PCI function to vfio-pci."""
        del deployable
        if handle.type is HandleType.PCI:
            address = PciAddress.of_info(handle.info)
            pass_through.prepare(self._host, address, self._same_card(device, address), key)

    def release(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        """See ``accel.drivers.acts.Preparable``: binds it to its own driver again."""
        del device, deployable
        if handle.type is HandleType.PCI:
            pass_through.release(self._host, key)

    def _same_card(self, device: Device, address: PciAddress) -> set[PciAddress]:
        """The functions that are one card with a function; a virtual one is by itself."""
        function = self._function(address)
        if function is None or function.physical_function is not None:
            return {address}
        companions = {one.address for one in pci_functions(self._host) if _is_companion(one, address)}
        return {address, *device.functions, *companions}

    def _function(self, address: PciAddress) -> PciFunction | None:
        return pci_function(self._host, address)


class PciActs(PciGuests):
    """All that can be done to any card on PCI."""

    scrub_methods: ClassVar[Sequence[str]] = (RESET,)

    def set_vfs(self, device: Device, count: int, progress: Progress) -> None:
        """See ``accel.drivers.acts.Virtualizable``."""
        function = self._function_of(device)
        set_number(self._host, function, count, progress, for_guests=self._host.guests.has_virtual_functions)

    def reset(self, device: Device, progress: Progress) -> None:
        """See ``accel.drivers.acts.Resettable``: resets each function of the card that the kernel can reset."""
        functions = [one for one in map(self._function, sorted(device.functions)) if one]
        able = [one for one in functions if can_be_reset(one)]
        if not able:
            raise ActNotSupported(f"the kernel has no way to reset {device.address or device.identity}")
        check_free(self._host, functions)
        for done, function in enumerate(able):
            progress(f"resetting {function.address}", done / len(able))
            reset_function(self._host, function)

    def scrub(self, device: Device, deployable: Deployable, method: str, progress: Progress) -> None:
        """See ``accel.drivers.acts.Scrubbable``: resets the card, which is all that is known to help with any of them.

        Virtual functions are reset one by one as they are released: this would take them from the others.
        """
        del method
        if deployable.kind is not DeployableKind.CARD:
            raise ActRefused(f"{deployable.name} is a part of a card, and a reset takes the whole of it")
        self.reset(device, progress)

    def _function_of(self, device: Device) -> PciFunction:
        if device.address is None:
            raise ActNotSupported(f"{device.identity} is not on PCI")
        function = self._function(device.address)
        if function is None:
            raise DeviceGone(f"there is no PCI function {device.address}")
        return function


def _is_companion(function: PciFunction, address: PciAddress) -> bool:
    """Whether a function is of one card with another one and of no use without it, as the sound of a display is."""
    return function.address.slot == address.slot and function.base_class in _COMPANION_CLASSES
