"""What a driver can ask for that takes privilege, and the values that it is asked with."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Context(StrEnum):
    """The kinds of acts, each of which has its privileges to itself."""

    SYSFS = "sysfs"
    """Writing attributes that make virtual functions and mediated devices, or reset a device."""
    VFIO = "vfio"
    """Binding PCI functions to drivers, and who may open the node of a group."""
    TOOLS = "tools"
    """Running the programs of vendors."""
    NVME = "nvme"
    """Commands to NVMe controllers."""
    NVML = "nvml"
    """NVIDIA's library, for what only root may ask of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAccess:
    """Who may open a node below ``/dev``."""

    user: int = -1
    """A user's number; -1: as it is. ``group`` likewise."""
    group: int = -1
    mode: int = 0o660


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminCommand:
    """One command to an NVMe controller, in the words of the NVMe specification's figure of the submission queue."""

    opcode: int
    namespace: int = 0
    dwords: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    """Command dwords 10 to 15."""
    data: bytes = b""
    """What is sent; empty for a command that sends nothing."""
    answer_bytes: int = 0
    """How many bytes come back; 0 for a command that reads nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminAnswer:
    """What the controller says."""

    status: int
    """The status field without the phase: 0 is success, 0x2 invalid field, 0x1d sanitize in progress …"""
    result: int = 0
    """Dword 0 of the completion."""
    data: bytes = b""


class Privileged(Protocol):
    """Acts with privilege. Immutable and picklable, so that it goes with the host into any process."""

    def write(self, path: Path, text: str, *, timeout_seconds: float = 30) -> None:
        """Write an attribute of sysfs.

        :raises ActNotAllowed: it is not on the list of what may be written
        :raises PermissionMissing: we have no such privilege
        :raises ActTimedOut: the kernel did not come back in time
        :raises OSError: the kernel refuses; what its numbers mean depends on the attribute
        """
        ...

    def run(self, *command: str, timeout_seconds: float = 60) -> str:
        """Run a tool of a vendor without a shell and give what it printed.

        :param command: the absolute path of the program, then its arguments
        :raises ActNotAllowed: it is not on the list of what may be run, or others than root could exchange it
        :raises PermissionMissing: we have no such privilege
        :raises ToolMissing: it is not installed, or is no program
        :raises ToolFailed: it ended with another status than 0
        :raises ActTimedOut: it did not end in time, and was killed
        """
        ...

    def end_tool(self) -> bool:
        """End the tool of a vendor that runs for us now: politely, and by force when that does not help.

        The call of ``run`` that waits for it, in another thread, raises ``ToolFailed``.

        :return: whether there was one
        """
        ...

    def nvme_admin(self, node: Path, command: AdminCommand, *, timeout_seconds: float = 60) -> AdminAnswer:
        """Send a command to an NVMe controller.

        :param node: ``/dev/nvme0``
        :raises ActNotAllowed: the command is not on the list
        :raises PermissionMissing: we have no such privilege
        :raises ActTimedOut: the controller did not answer in time
        :raises OSError: it could not be sent; a controller that answers with a failure has a status
        """
        ...

    def read_blocks(self, node: Path, offset: int, length: int, *, timeout_seconds: float = 60) -> bytes:
        """Read a piece of an NVMe namespace, from the drive itself; at most 1 MiB.

        :param node: ``/dev/nvme0n1``
        :raises ActNotAllowed: it is no namespace
        :raises PermissionMissing: we have no such privilege
        :raises ActTimedOut: the drive did not answer in time
        :raises OSError: it cannot be read
        """
        ...

    def zero_blocks(self, node: Path, offset: int, length: int, *, timeout_seconds: float = 600) -> None:
        """Write zeros to a piece of an NVMe namespace that nobody has mounted or holds. Raises as ``read_blocks``."""
        ...

    def nvml(self, call: str, *arguments: str | int, timeout_seconds: float = 60) -> str:
        """Have NVIDIA's library do something.

        :param call: one of ``accel.privileged.nvml.CALLS``
        :return: what the call gives, as text
        :raises ActNotAllowed: there is no such call
        :raises PermissionMissing: we have no such privilege
        :raises DriverUnavailable: the library is not there
        :raises ActFailed: it refused
        :raises ActTimedOut: it did not come back in time
        """
        ...

    def give(self, node: Path, access: NodeAccess) -> None:
        """Say who may open the node of a vfio group.

        :raises ActNotAllowed: it is no such node
        :raises PermissionMissing: we have no such privilege
        :raises OSError: it is not there
        """
        ...

    def is_open(self, node: Path) -> bool:
        """Whether a process has the node of a vfio group open; one that is not there is open to nobody.

        :raises ActNotAllowed: it is no such node
        :raises PermissionMissing: we have no such privilege
        :raises OSError: it cannot be told
        """
        ...

    def check(self, context: Context) -> str:
        """Try whether the acts of a context could be done now, without doing any.

        :return: by what right, in words
        :raises PermissionMissing: they could not; the text says what is missing and how to mend it
        """
        ...
