"""Resetting a PCI function, by whichever way the kernel has for it: ``reset_method`` lists them."""

from accel.drivers.base import Host
from accel.drivers.sysfs import PciFunction
from accel.errors import ActFailed, ActNotSupported, NotVerified

_SECONDS = 120.0
"""The slowest is a reset of the bus behind a card that takes its time to come back; the kernel waits a minute."""


def can_be_reset(function: PciFunction) -> bool:
    """Whether the kernel has a way: where it has none, there is no such attribute."""
    return (function.path / "reset").exists()


def reset_function(host: Host, function: PciFunction) -> None:
    """Reset it.

    :raises ActNotSupported: the kernel has no way to
    :raises ActFailed: it was tried and failed
    :raises NotVerified: it does not answer any more
    """
    if not can_be_reset(function):
        raise ActNotSupported(f"the kernel has no way to reset {function.address}")
    try:
        host.privileged.write(function.path / "reset", "1", timeout_seconds=_SECONDS)
    except OSError as error:
        raise ActFailed(f"{function.address} could not be reset: {error.strerror}", "see dmesg") from error
    if function.is_gone:
        raise NotVerified(f"{function.address} does not answer after its reset", "take the power from the card")
