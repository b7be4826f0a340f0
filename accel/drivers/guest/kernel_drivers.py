"""Which kernel driver a PCI function is bound to, and having it bound to another one.

``driver_override`` names the one driver that may have a function; it is cleared by a newline, and ``new_id`` is never
used: it would take every function of the same make. After each step the link to the driver is what counts.
"""

from accel.drivers.base import Host
from accel.drivers.sysfs import PciFunction, read_text
from accel.errors import ActFailed, ActRefused, NotVerified

VFIO = "vfio-pci"

_CLEAR = "\n"
_NO_OVERRIDE = frozenset({"", "(null)"})
_SECONDS = 60.0
"""A driver that lets go of its device may have to wait for what is under way."""


def check_vfio_is_there(host: Host) -> None:
    """Make sure that the kernel has the driver for guests.

    :raises ActRefused: it has not
    """
    if not (host.sysfs / "bus/pci/drivers" / VFIO).is_dir():
        raise ActRefused(f"the kernel driver {VFIO} is not loaded", f"modprobe {VFIO}, and in /etc/modules-load.d")


def bind_to_vfio(host: Host, function: PciFunction) -> None:
    """Have a function bound to vfio-pci; nothing is done where it is.

    :raises NotVerified: the kernel did all that it was told, and the function is bound to another driver or none
    :raises ActFailed: the kernel refuses a step
    """
    if function.kernel_driver == VFIO:
        return
    _write(host, function, "driver_override", VFIO)
    if function.kernel_driver is not None:
        _unbind(host, function)
    _probe(host, function)
    if function.kernel_driver != VFIO:
        raise NotVerified(f"{function.address} is bound to {function.kernel_driver or 'no driver'}, not to {VFIO}")


def take_from_vfio(host: Host, function: PciFunction) -> None:
    """Have a function bound to nothing, and free for any driver; nothing is done where another driver has it.

    :raises ActFailed: the kernel refuses a step
    """
    if read_text(function.path / "driver_override") not in _NO_OVERRIDE:
        _write(host, function, "driver_override", _CLEAR)
    if function.kernel_driver == VFIO:
        _unbind(host, function)
    if function.kernel_driver == VFIO:
        raise NotVerified(f"{function.address} is still bound to {VFIO}", "a guest may have it open: see dmesg")


def bind_to_own(host: Host, function: PciFunction, driver: str) -> None:
    """Have a function bound to the driver that it had.

    :raises NotVerified: it is not bound to that one
    :raises ActFailed: the kernel refuses a step
    """
    if function.kernel_driver is None:
        _probe(host, function)
    if function.kernel_driver != driver:
        raise NotVerified(
            f"{function.address} is bound to {function.kernel_driver or 'no driver'}, and was to {driver} before",
            f"load the module of {driver}",
        )


def _unbind(host: Host, function: PciFunction) -> None:
    _write(host, function, "driver/unbind", str(function.address))


def _probe(host: Host, function: PciFunction) -> None:
    path = host.sysfs / "bus/pci/drivers_probe"
    try:
        host.privileged.write(path, str(function.address), timeout_seconds=_SECONDS)
    except OSError as error:
        raise ActFailed(f"no driver could be found for {function.address}: {error.strerror}", "see dmesg") from error


def _write(host: Host, function: PciFunction, attribute: str, text: str) -> None:
    try:
        host.privileged.write(function.path / attribute, text, timeout_seconds=_SECONDS)
    except OSError as error:
        what = f"the kernel refuses {text.strip() or 'a newline'!r} for {attribute} of {function.address}"
        raise ActFailed(f"{what}: {error.strerror}", "see dmesg") from error
