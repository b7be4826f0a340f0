"""An NVMe drive as its controller shows it: what it answers to admin commands, and what they do to its namespaces.

It stands behind the seam through which drivers act with privilege. The data of each namespace is a file below ``/dev``
of the host's tree, which is read and written like any. Where things stand in an answer is as the NVM Express base
specification has it.
"""

import errno
import json
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accel.drivers.base import Host
from accel.drivers.sysfs import link_name
from accel.privileged.allowed import check_admin
from accel.privileged.base import AdminAnswer, AdminCommand
from accel.privileged.direct import Direct
from accel.testing import SimulatedKernel
from accel.testing.host_tree import HostTree, NvmeRow, PciRow

_ANOTHER_KEY = bytes(byte ^ 0x5A for byte in range(256))
ADDRESS = "0000:81:00.0"
_GET_LOG_PAGE, _IDENTIFY, _VIRTUALIZATION, _FORMAT, _SANITIZE = 0x02, 0x06, 0x1C, 0x80, 0x84
CHANGING = frozenset({_FORMAT, _SANITIZE})
BLOCK, OVERWRITE, CRYPTO = 2, 3, 4
NEVER, DONE, RUNNING, FAILED = 0, 1, 2, 3
ALL_SANITIZES, ALL_FORMATS = 0b111, 0b100
"""What SANICAP says of a drive that sanitizes in all ways, FNA of one that formats with crypto erase, each namespace
alone."""


@dataclass
class SecondaryController:
    """The controller of a virtual function."""

    number: int
    function: int
    is_online: bool = False
    queues: int = 0
    interrupts: int = 0
    never_comes: bool = False
    """Whether it stays offline whatever it is told."""


@dataclass
class EmulatedDrive:
    """A drive with one controller. A test may change all of it at any time."""

    files: dict[int, Path]
    """What its namespaces hold."""
    sanicap: int = ALL_SANITIZES
    oacs: int = 0b1010
    """Format and namespace management."""
    fna: int = ALL_FORMATS
    cmic: int = 0
    """2: the drive may have several controllers. One that has none beside itself does not know their list."""
    unknown_lists: set[int] = field(default_factory=set)
    """What it can be asked by Identify and does not know."""
    hidden: list[int] = field(default_factory=list)
    """Namespaces that are not attached to this host."""
    controllers: list[int] = field(default_factory=lambda: [0])
    secondaries: list["SecondaryController"] = field(default_factory=list)
    queues: int = 0
    """Flexible queues that it has, for all its secondary controllers; ``interrupts`` likewise. 0: none are flexible."""
    interrupts: int = 0
    most_each: int = 8
    smart: bytes = bytes(512)
    statuses: dict[int, int] = field(default_factory=dict)
    """What it answers commands of an opcode with, instead of doing them."""
    refused_namespace: int = 0
    """The namespace that it does not format."""
    looks_until_done: int = 3
    """How often it says that it is not done yet."""
    fails: bool = False
    """Whether it finds at the end of a sanitize that it has failed."""
    lies: bool = False
    """Whether it says that it erases and does not."""
    vanishes: bool = False
    """Whether it is gone from the bus as soon as a sanitize has begun."""
    memory: Path | None = None
    """Where it keeps what outlives the process that it is emulated in; a second file, ``.closed``, holds it up."""
    state: int = NEVER
    action: int = 0
    looks: int = 0
    sent: list[AdminCommand] = field(default_factory=list)

    @property
    def sanitizes(self) -> int:
        """How many sanitizes it has begun, whoever told it to."""
        return len(self._remembered()["begun"])

    @property
    def changes(self) -> list[int]:
        """The opcodes of the commands that change something, in the order in which they came."""
        return [command.opcode for command in self.sent if command.opcode in CHANGING]

    def answer(self, command: AdminCommand) -> AdminAnswer:
        """What it answers, once it has done what it is told."""
        known = self._remembered()
        self.state, self.action, self.looks = known["state"], known["action"], known["looks"]
        answer = self._answer(command)
        if self.memory and command.opcode == _SANITIZE:
            known["begun"].append(self.action)
        self._remember({**known, "state": self.state, "action": self.action, "looks": self.looks})
        return answer

    def _remembered(self) -> dict[str, Any]:
        if self.memory and self.memory.exists():
            known: dict[str, Any] = json.loads(self.memory.read_text())
            return known
        return {"state": self.state, "action": self.action, "looks": self.looks, "begun": []}

    def _remember(self, known: dict[str, Any]) -> None:
        if self.memory:
            new = self.memory.with_suffix(".new")
            new.write_text(json.dumps(known))
            new.rename(self.memory)

    def _answer(self, command: AdminCommand) -> AdminAnswer:
        self.sent.append(command)
        if command.opcode in self.statuses:
            return AdminAnswer(status=self.statuses[command.opcode] | 0x4000)
        if self.vanishes and self.state == RUNNING:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if command.opcode == _GET_LOG_PAGE:
            return AdminAnswer(status=0, data=self._log(command.dwords[0]))
        if command.opcode == _IDENTIFY:
            what = command.dwords[0] & 0xFF
            is_known = what not in self.unknown_lists and (what != 0x13 or self.cmic & 2)
            return AdminAnswer(status=0, data=self._identify(what)) if is_known else AdminAnswer(status=0x4002)
        return AdminAnswer(status=self._erase(command))

    # --- what it tells ---

    def _log(self, dword: int) -> bytes:
        length = ((dword >> 16) + 1) * 4
        page = self.smart if dword & 0xFF == 0x02 else self._sanitize_log()
        return page.ljust(length, b"\0")

    def _sanitize_log(self) -> bytes:
        if self.state == RUNNING and not (self.memory and self.memory.with_suffix(".closed").exists()):
            self.looks += 1
            if self.looks > self.looks_until_done:
                self._finish()
        done = 0xFFFF if self.state != RUNNING else 0x10000 * self.looks // (self.looks_until_done + 1)
        return struct.pack("<HHI", done, self.state | 1 << 8, self.action | 1 << 3)

    def _finish(self) -> None:
        self.state = FAILED if self.fails else DONE
        if not self.fails:
            for number in self.files:
                self._scramble(number, keeps_zeros=self.action != CRYPTO)

    def _identify(self, what: int) -> bytes:
        data = bytearray(4096)
        if what == 0:
            data[26], data[29] = 0x01, 0x00
        elif what == 1:
            struct.pack_into("<H", data, 256, self.oacs)
            struct.pack_into("<I", data, 328, self.sanicap)
            data[524] = self.fna
            data[76] = self.cmic
        elif what == 0x10:
            there = sorted([*self.files, *self.hidden])
            struct.pack_into(f"<{len(there)}I", data, 0, *there)
        elif what == 0x13:
            struct.pack_into(f"<H{len(self.controllers)}H", data, 0, len(self.controllers), *self.controllers)
        elif what == 0x15:
            data[0] = len(self.secondaries)
            for index, one in enumerate(self.secondaries, 1):
                has = (one.function, one.queues, one.interrupts)
                struct.pack_into("<HHB3xHHH", data, 32 * index, one.number, 0, one.is_online, *has)
        elif what == 0x14:
            given = (sum(one.queues for one in self.secondaries), sum(one.interrupts for one in self.secondaries))
            data[4] = bool(self.queues) | bool(self.interrupts) << 1
            for index, total in enumerate((self.queues, self.interrupts)):
                struct.pack_into("<IIHHHH", data, 32 + 32 * index, total, given[index], 0, 2, self.most_each, 1)
        return bytes(data)

    # --- what it does ---

    def _erase(self, command: AdminCommand) -> int:
        dword = command.dwords[0]
        if command.opcode == _VIRTUALIZATION:
            return self._virtualize(dword, command.dwords[1])
        if command.opcode == _SANITIZE:
            action = dword & 0b111
            if self.state == RUNNING:
                return 0x1D
            if action not in (BLOCK, OVERWRITE, CRYPTO) or (action == OVERWRITE and dword >> 4 & 0xF != 1):
                return 0x02
            self.state, self.action, self.looks = RUNNING, action, 0
            return 0
        if command.namespace == self.refused_namespace or command.namespace not in self.files:
            return 0x0B
        if dword & 0xF != 1 or dword >> 9 & 0b111 not in (1, 2):
            return 0x10A
        for number in self.files if self.fna & 0b11 else [command.namespace]:
            self._scramble(number, keeps_zeros=dword >> 9 & 0b111 == 1)
        return 0

    def _virtualize(self, dword: int, count: int) -> int:
        one = next((one for one in self.secondaries if one.number == dword >> 16), None)
        if one is None:
            return 0x11F
        if one.is_online:
            return 0x120
        if dword & 0xF == 9:
            one.is_online = not one.never_comes
            return 0 if one.queues >= 2 or not self.queues else 0x120
        what, total = (("queues", self.queues), ("interrupts", self.interrupts))[dword >> 8 & 0b111]
        given = sum(getattr(other, what) for other in self.secondaries if other is not one)
        if dword & 0xF != 8 or count > self.most_each or given + count > total:
            return 0x121
        setattr(one, what, count)
        return 0

    def _scramble(self, number: int, *, keeps_zeros: bool) -> None:
        """Zeros, or what another key makes of what is there."""
        if self.lies:
            return
        file = self.files[number]
        content = file.read_bytes()
        file.write_bytes(bytes(len(content)) if keeps_zeros else content.translate(_ANOTHER_KEY))


@dataclass(frozen=True)
class KernelHands(SimulatedKernel):
    """Acts on a host made of files as a kernel would, with an emulated NVMe controller."""

    drive: EmulatedDrive

    def nvme_admin(self, node: Path, command: AdminCommand, *, timeout_seconds: float = 60) -> AdminAnswer:
        """See ``accel.privileged.base.Privileged``."""
        del timeout_seconds
        check_admin(self.root / "dev", node, command.opcode)
        return self.drive.answer(command)

    def write(self, path: Path, text: str, *, timeout_seconds: float = 30) -> None:
        """See ``accel.privileged.base.Privileged``; a drive that the kernel's driver lets go of tells nothing more."""
        SimulatedKernel.write(self, path, text, timeout_seconds=timeout_seconds)
        is_driven = link_name(self.root / f"sys/bus/pci/devices/{ADDRESS}/driver") == "nvme"
        for name in ("class/nvme", "class/nvme-subsystem"):
            shown, hidden = self.root / "sys" / name, self.root / "sys" / f"{name}.hidden"
            if shown.exists() and not is_driven:
                shown.rename(hidden)
            elif hidden.exists() and is_driven:
                hidden.rename(shown)


@dataclass(frozen=True)
class Hands(Direct):
    """Acts on a host made of files, whose NVMe controller is an emulated one."""

    drive: EmulatedDrive

    def nvme_admin(self, node: Path, command: AdminCommand, *, timeout_seconds: float = 60) -> AdminAnswer:
        """See ``accel.privileged.base.Privileged``."""
        del timeout_seconds
        check_admin(self.root / "dev", node, command.opcode)
        return self.drive.answer(command)


def drive_in(tree: HostTree, *namespaces: int, kib: int = 512) -> EmulatedDrive:
    """A drive whose namespaces are full of data, as controller ``nvme0`` of the host."""
    tree.pci_function(
        PciRow(address=ADDRESS, vendor="144d", product="a80a", class_code=0x010802, driver="nvme", iommu_group=7)
    )
    sizes = dict.fromkeys(namespaces, kib << 10)
    directory = tree.nvme_controller(
        NvmeRow(name="nvme0", address=ADDRESS, subsystem="nvme-subsys0", serial="S1", namespaces=sizes)
    )
    (directory / "cntlid").write_text("0\n")
    tree.write("dev/nvme0", "")
    files = {number: tree.root / f"dev/nvme0n{number}" for number in namespaces}
    for number, file in files.items():
        fill(file, number, kib << 10)
    return EmulatedDrive(files=files)


def fill(file: Path, seed: int, size: int) -> None:
    """Put data into a namespace that is different in each of its blocks."""
    file.write_bytes(b"".join(struct.pack("<QQ", seed, number) * 256 for number in range(size // 4096)))


def host_of(tree: HostTree, drive: EmulatedDrive) -> Host:
    """The host, as a driver is given it."""
    return Host(name="node-1", root=tree.root, hands=Hands(tree.root, drive))
