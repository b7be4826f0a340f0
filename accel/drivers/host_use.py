"""What the host itself does with its disks, so that nobody is handed the disk that the host runs from.

Seen without privileges: what is mounted, swapped to, or held by another block device (a volume group, a RAID, an
encrypted volume). Not seen: a program that opened the bare disk.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from accel.drivers.base import Host
from accel.drivers.sysfs import link_name, link_parts, names_in
from accel.model.address import PciAddress

_ESCAPED = re.compile(r"\\([0-7]{3})")
_NVME_PATH = re.compile(r"(nvme\d+)c\d+(n\d+)")
"""The hidden name of one way to a namespace, ``nvme1c2n1``; what is used is ``nvme1n1``."""
_MOUNT_TABLES = ("1/mountinfo", "self/mountinfo")
"""Of the first process, whose mounts are the host's where ours are those of a container, and of our own."""
_OLD_MOUNT_TABLES = ("self/mounts", "mounts")
"""Without device numbers; what captured hosts have."""


class HostUse:
    """Which block devices of a host are in use, as it is when this is made."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._uses: dict[str, set[str]] = defaultdict(set)
        for name, use in self._look():
            self._uses[name].add(use)

    def of_disk(self, directory: Path) -> tuple[str, ...]:
        """What the host uses a disk for: mount points, ``swap``, the block devices that hold it; empty if unused.

        :param directory: the disk's directory in sysfs
        """
        names = self._stacked_on(directory)
        uses = {use for name in names for use in self._uses.get(name, ())}
        return tuple(sorted(uses | {f"/dev/{name}" for name in names if not self._is_part_of(name, directory)}))

    def of_controller(self, address: PciAddress) -> tuple[str, ...]:
        """What the host uses the disks behind a PCI function for, as ``of_disk``."""
        blocks = self._host.sysfs / "class/block"
        disks = (
            blocks / _NVME_PATH.sub(r"\1\2", name)
            for name in names_in(blocks)
            if str(address) in link_parts(blocks / name)
        )
        return tuple(sorted({use for disk in disks for use in self.of_disk(disk)}))

    def _is_part_of(self, name: str, directory: Path) -> bool:
        return name == directory.name or (directory / name).is_dir()

    def _stacked_on(self, directory: Path) -> set[str]:
        """The names of a disk, of its partitions, and of what is built upon them, however high."""
        found: set[str] = set()
        waiting = [directory]
        while waiting:
            lower = waiting.pop()
            if lower.name not in found:
                found.add(lower.name)
                waiting += _partitions(lower)
                waiting += [self._host.sysfs / "class/block" / name for name in names_in(lower / "holders")]
        return found

    def _look(self) -> Iterator[tuple[str, str]]:
        """Pairs of a block device's name and its use."""
        tables = [list(_lines(self._host.proc / table)) for table in _MOUNT_TABLES]
        for line in (line for table in tables for line in table):
            yield from self._mounted(line)
        if not any(tables):
            for line in (line for table in _OLD_MOUNT_TABLES for line in _lines(self._host.proc / table)):
                source, where, *_ = line
                yield self._block_name(source), where
        for source, *_ in list(_lines(self._host.proc / "swaps"))[1:]:
            yield self._block_name(source), "swap"

    def _mounted(self, fields: list[str]) -> Iterator[tuple[str, str]]:
        """By number and by path: a file system over several devices has a number that is none of theirs.

        The source stands behind a dash, before which there may be any number of fields from the seventh on.
        """
        if "-" not in fields[6:-2]:
            return
        number, where, source = fields[2], fields[4], fields[fields.index("-", 6) + 2]
        yield link_name(self._host.sysfs / "dev/block" / number) or "", where
        yield self._block_name(source), where

    def _block_name(self, source: str) -> str:
        """The kernel's name of ``/dev/nvme0n1p2``, or of what ``/dev/mapper/…`` is a link to; empty for no device."""
        if not source.startswith("/dev/"):
            return ""
        node = self._host.dev / source.removeprefix("/dev/")
        return link_name(node) or node.name


def _partitions(directory: Path) -> list[Path]:
    return [directory / name for name in names_in(directory) if (directory / name / "partition").exists()]


def _lines(path: Path) -> Iterator[list[str]]:
    """The fields of each line of a table in ``/proc``; none when it may not be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        fields = [_ESCAPED.sub(lambda match: chr(int(match[1], 8)), field) for field in line.split()]
        if len(fields) > 1:
            yield fields
