"""Which processes on the host have a device open."""

from collections.abc import Collection, Iterator
from pathlib import Path

from accel.drivers.base import Host
from accel.drivers.sysfs import names_in, read_text
from accel.errors import DeviceInUse


def check_unused(host: Host, nodes: Collection[str]) -> None:
    """Whether nobody works with a device at the moment.

    Only root sees what others' processes have open; without it, the vendor's program and the kernel are what refuses.

    :param nodes: the device's, by absolute path: ``/dev/dfl-port.0``
    :raises DeviceInUse: a process has one of them open; the text names it
    """
    openers = list(_openers(host, nodes)) if nodes else []
    if openers:
        raise DeviceInUse(f"{', '.join(openers)} has {' or '.join(sorted(nodes))} open", "end it first")


def _openers(host: Host, nodes: Collection[str]) -> Iterator[str]:
    for number in filter(str.isdecimal, names_in(host.proc)):
        process = host.proc / number
        if any(target in nodes for target in _open_files(process / "fd")):
            yield f"process {number} ({read_text(process / 'comm') or 'unknown'})"


def _open_files(directory: Path) -> Iterator[str]:
    for name in names_in(directory):
        try:
            yield str((directory / name).readlink())
        except OSError:  # closed meanwhile
            continue
