"""Mediated devices, made when somebody gets one and named by the UUID of what he holds.

So who has a device can be told by its name, making it twice makes it once, and after a reboot, which leaves none, the
same device is made again.
"""

import errno
from pathlib import Path

from accel.drivers.base import Host
from accel.drivers.guest.nodes import give_group
from accel.drivers.sysfs import link_name, names_in, read_number
from accel.errors import ActFailed, ActRefused, DeviceInUse, MdevsUsedUp, MdevTypeGone, NotVerified

_USED_UP = frozenset({errno.EUSERS, errno.ENOSPC})
_SECONDS = 60.0


def make(host: Host, parent: str, kind: str, uuid: str) -> None:
    """Have a device; nothing is done where it is there already.

    :param parent: the kernel's name of the parent: an address, or whatever its bus calls it
    :param kind: the type: ``nvidia-223``
    :raises MdevTypeGone: the parent is gone, or makes no such devices any more
    :raises MdevsUsedUp: it has made as many as it can
    :raises ActRefused: another device has the UUID, or there is no such group of users as may open its node
    :raises ActFailed: the kernel refuses for another reason
    """
    if _is_there(host, uuid):
        _check_same(host, parent, kind, uuid)
    else:
        _make(host, parent, kind, uuid)
    group = link_name(_device_directory(host, uuid) / "iommu_group") or ""
    if group.isdecimal():
        give_group(host, int(group))


def _make(host: Host, parent: str, kind: str, uuid: str) -> None:
    directory = _type_directory(host, parent, kind)
    if read_number(directory / "available_instances") == 0:
        raise _used_up(parent, kind)
    try:
        host.privileged.write(directory / "create", uuid, timeout_seconds=_SECONDS)
    except OSError as error:
        if error.errno == errno.EEXIST:  # somebody made it this moment
            _check_same(host, parent, kind, uuid)
            return
        if error.errno in _USED_UP or read_number(directory / "available_instances") == 0:
            raise _used_up(parent, kind) from error
        raise ActFailed(f"{parent} does not make a device of type {kind}: {error.strerror}", "see dmesg") from error
    if not _is_there(host, uuid):
        raise NotVerified(f"{parent} was told to make device {uuid} of type {kind}, and there is none")


def remove(host: Host, uuid: str) -> None:
    """Have no such device; nothing is done where there is none.

    :raises DeviceInUse: a guest has it
    :raises ActFailed: the kernel refuses for another reason
    """
    directory = _device_directory(host, uuid)
    if not _is_there(host, uuid):
        return
    try:
        host.privileged.write(directory.resolve() / "remove", "1", timeout_seconds=_SECONDS)
    except FileNotFoundError:  # it went this moment
        pass
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise DeviceInUse(f"a guest has the mediated device {uuid}", "stop the guest first") from error
        raise ActFailed(f"the mediated device {uuid} stays: {error.strerror}", "see dmesg") from error
    if _is_there(host, uuid):
        raise NotVerified(f"the mediated device {uuid} was to be removed, and is still there")


def _check_same(host: Host, parent: str, kind: str, uuid: str) -> None:
    """Whether the device that has the UUID is the one that is wanted."""
    directory = _device_directory(host, uuid)
    has_kind, has_parent = link_name(directory / "mdev_type"), directory.resolve().parent.name
    if (has_kind, has_parent) != (kind, parent):
        raise ActRefused(
            f"there is a mediated device {uuid} already, of type {has_kind} on {has_parent}, not {kind} on {parent}",
            f"echo 1 > {directory}/remove",
        )


def _type_directory(host: Host, parent: str, kind: str) -> Path:
    types = host.sysfs / "class/mdev_bus" / parent / "mdev_supported_types"
    if not (types / kind).is_dir():
        there = ", ".join(names_in(types)) or "none"
        raise MdevTypeGone(
            f"{parent} makes no mediated devices of type {kind}; it has: {there}",
            "its kernel driver or the way it is partitioned has changed: see [mdev] types",
        )
    return types / kind


def _used_up(parent: str, kind: str) -> MdevsUsedUp:
    return MdevsUsedUp(f"{parent} cannot make any more devices of type {kind}", "somebody made some beside us")


def _device_directory(host: Host, uuid: str) -> Path:
    return host.sysfs / "bus/mdev/devices" / uuid


def _is_there(host: Host, uuid: str) -> bool:
    return _device_directory(host, uuid).exists()
