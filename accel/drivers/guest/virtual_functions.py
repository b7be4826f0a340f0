"""Making the virtual functions of a card, and taking them away.

The kernel takes a number only while there are none, so a change takes all away first: that is refused while any of them
is somebody's. While they are made for guests, the kernel is kept from binding its own drivers to them.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.drivers.guest.kernel_drivers import VFIO
from accel.drivers.sysfs import PciFunction, pci_function, read_number, read_text
from accel.errors import (
    ActFailed,
    ActNotSupported,
    ActRefused,
    NotVerified,
    VirtualFunctionsImpossible,
    VirtualFunctionsInUse,
)

_NUMBER, _AUTOPROBE = "sriov_numvfs", "sriov_drivers_autoprobe"
_SECONDS = 120.0
_REASONS = {
    errno.ERANGE: ("the card cannot have so many", ""),
    errno.EBUSY: ("others are there", "set their number to 0 first"),
    errno.ENOENT: ("its kernel driver cannot make any", "bind it to the maker's driver"),
    errno.ENOMEM: ("the firmware has left no room for them", "switch on SR-IOV in the firmware, or try pci=realloc"),
    errno.ENOSPC: ("the bus has no numbers left for them", "switch on ARI in the firmware, or try pci=assign-busses"),
}


def set_number(host: Host, function: PciFunction, count: int, progress: Progress, *, for_guests: bool) -> None:
    """Have exactly so many virtual functions.

    :param for_guests: whether the kernel's own drivers are to be kept off
    :raises ActNotSupported: the function has no SR-IOV
    :raises VirtualFunctionsImpossible: it cannot have so many
    :raises VirtualFunctionsInUse: there are some that somebody has
    :raises ActRefused: it did not work, and there are as many as there were
    :raises ActFailed: it did not work, and there are none, or another number
    """
    before = _check_possible(function, count)
    if before != count:
        _check_free(host, function)
        with _drivers_kept_off(host, function, is_wanted=for_guests and count > 0):
            try:
                _change(host, function, before, count, progress)
            except ActFailed as error:
                _restore(host, function, before, error)
    _verify(function, count)


def _check_possible(function: PciFunction, count: int) -> int:
    """How many there are now, if there can be so many."""
    most = function.total_virtual_functions
    if not most:
        raise ActNotSupported(f"{function.address} can have no virtual functions", "see whether the firmware allows it")
    if count > most:
        raise VirtualFunctionsImpossible(f"{function.address} can have {most} virtual functions, not {count}")
    if function.kernel_driver in {None, VFIO}:
        raise VirtualFunctionsImpossible(
            f"{function.address} is bound to {function.kernel_driver or 'no driver'}, which makes no virtual functions",
            "bind it to the maker's driver",
        )
    return read_number(function.path / _NUMBER) or 0


def _check_free(host: Host, function: PciFunction) -> None:
    for address in function.virtual_functions:
        virtual = pci_function(host, address)
        if virtual is not None and virtual.kernel_driver == VFIO:
            raise VirtualFunctionsInUse(
                f"the virtual function {address} of {function.address} is bound to {VFIO} for a guest",
                "release it first",
            )


def _change(host: Host, function: PciFunction, before: int, count: int, progress: Progress) -> None:
    if before:
        progress(f"taking away {before} virtual functions", 0.0)
        _write(host, function, 0)
    if count:
        progress(f"making {count} virtual functions", 0.5)
        _write(host, function, count)


def _restore(host: Host, function: PciFunction, before: int, why: ActFailed) -> None:
    """Have as many as there were, and say how that went."""
    now = read_number(function.path / _NUMBER)
    if now != before:
        try:
            _write(host, function, before)
        except ActFailed as error:
            raise ActFailed(f"{why.what}; it had {before} and has {now or 'none'} now", why.hint) from error
    kind = type(why) if isinstance(why, ActRefused) else ActRefused
    raise kind(f"{why.what}; it has {before or 'none'} as before", why.hint) from why


def _verify(function: PciFunction, count: int) -> None:
    there = len(function.virtual_functions)
    if there != count or read_number(function.path / _NUMBER) != count:
        raise NotVerified(f"{function.address} was to have {count} virtual functions, and has {there}", "see dmesg")


@contextmanager
def _drivers_kept_off(host: Host, function: PciFunction, *, is_wanted: bool) -> Iterator[None]:
    """Keep the kernel's drivers from functions that are made meanwhile; afterwards it is as it was."""
    attribute = function.path / _AUTOPROBE
    if not is_wanted or read_text(attribute) != "1":
        yield
        return
    host.privileged.write(attribute, "0")
    try:
        yield
    finally:
        host.privileged.write(attribute, "1")


def _write(host: Host, function: PciFunction, count: int) -> None:
    try:
        host.privileged.write(function.path / _NUMBER, str(count), timeout_seconds=_SECONDS)
    except OSError as error:
        reason, hint = _REASONS.get(error.errno or 0, (error.strerror or str(error), "see dmesg"))
        kind = VirtualFunctionsImpossible if error.errno in _REASONS else ActFailed
        raise kind(f"{function.address} does not take {count} virtual functions: {reason}", hint) from error
