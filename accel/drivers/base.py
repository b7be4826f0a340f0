"""The smallest promise a driver makes, and what it is given.

A driver is a class with one required method::

    class Example:
        options: ClassVar[Sequence[cfg.Opt]] = ()

        def __init__(self, host: Host, options: cfg.GroupAttr) -> None: ...

        def discover(self) -> Iterable[Device]: ...

It registers under the entry point group ``accel.drivers``; the entry point's name is the driver's name and the name of
its option group. It opens no path but through its ``Host`` and reads no global, so a test gives it a directory
tree. Everything else a device may be able to do (program, partition, health, reset) is a separate protocol.
"""

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from oslo_config import cfg

from accel.errors import DriverFailure, DriverUnavailable
from accel.model.device import Device
from accel.privileged.base import Privileged
from accel.privileged.direct import Direct
from accel.privileged.separated import Separated

ENTRY_POINT_GROUP = "accel.drivers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guests:
    """What is done for those who are handed PCI functions."""

    has_virtual_functions: bool = False
    """Whether virtual functions are made for guests, so that the kernel's own drivers are to be kept off them."""
    node_group: str = ""
    """The group of users that may open the node of a vfio group; empty: root alone, as the kernel has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The machine a driver looks at: directories, a name, and who acts on it.

    Picklable, so that a driver may run in a child.
    """

    name: str
    """The node's name; deployable names start with it."""
    root: Path = Path("/")
    """What stands for ``/``: the real root, or a directory with a captured tree below it."""
    state: str = "var/lib/accel"
    """Where acts remember what must outlive them, below the root."""
    hands: Privileged | None = None
    """Who acts with privilege; None: whoever suits the root."""
    guests: Guests = Guests()

    @property
    def sysfs(self) -> Path:
        """Where ``/sys`` is."""
        return self.root / "sys"

    @property
    def proc(self) -> Path:
        """Where ``/proc`` is."""
        return self.root / "proc"

    @property
    def dev(self) -> Path:
        """Where ``/dev`` is."""
        return self.root / "dev"

    @property
    def privileged(self) -> Privileged:
        """What takes privilege to do: writing attributes, running tools. Looking needs none of it."""
        return self.hands or (Separated() if self.is_real else Direct(self.root))

    @property
    def memory(self) -> Path:
        """Where acts remember what must outlive them; the directory need not be there yet."""
        return self.root / self.state / "acts"

    @property
    def is_real(self) -> bool:
        """Whether this is the machine we run on, so that libraries which look for themselves (NVML) may be asked."""
        return self.root == Path("/")

    def run(self, *command: str, timeout_seconds: float = 10) -> str:
        """Run a command without a shell and return what it printed.

        :param command: the absolute path of the program, then its arguments
        :raises DriverUnavailable: the program is not installed
        :raises DriverFailure: it failed, or took too long
        """
        if not Path(command[0]).is_absolute():
            raise DriverFailure(f"{command[0]}: commands are given by absolute path")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds, check=True)
        except FileNotFoundError as error:
            raise DriverUnavailable(f"{command[0]} is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise DriverFailure(f"{command[0]} did not finish within {timeout_seconds:g} s") from error
        except subprocess.CalledProcessError as error:
            raise DriverFailure(f"{command[0]} failed with {error.returncode}: {error.stderr.strip()}") from error
        return done.stdout


@runtime_checkable
class Driver(Protocol):
    """What every driver must have."""

    options: ClassVar[Sequence[cfg.Opt]]
    """The options of its own group; empty where it needs none."""

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None: ...

    def discover(self) -> Iterable[Device]:
        """Say what is there now.

        A device that can be read only in part is reported with what is known, health unknown and a reason. No
        devices means that there are none.

        :raises DriverUnavailable: the library or interface that the driver reads is not on this host
        :raises DriverFailure: the driver could not look
        """
        ...
