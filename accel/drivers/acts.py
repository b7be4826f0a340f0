"""What a driver may be able to do to a device beside seeing it: each a protocol of its own, of one or two methods.

A driver that has the methods is able to do it; there is nothing to register. The agent runs each act in a child process
of its own: the driver is constructed, ``discover()`` finds the device by its identity, then the act is called with the
device and the part as they are now.

Every act

- may be repeated: what is done already is left as it is;
- has verified its result by reading it back when it returns;
- raises ``accel.errors``, with a text that a person can act on: ``ActRefused`` or what is below it, ``InvalidValue``,
  ``Conflict`` or ``DriverUnavailable`` while nothing has been changed, ``ActFailed`` once something may have been: then
  the device is used for nothing until it is found out what it is like;
- may be ended by force when it takes too long, at any point; the next act on the device finds what it has left;
- may be cancelled: the tool that it runs is ended, and the next time that it says how far it is ``ActCancelled`` is
  raised there, once. Undo then what can be undone, as after any failure.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from accel.model.device import AttachHandle, Deployable, Device
from accel.model.health import Alarm, Signal


class Progress(Protocol):
    """Takes how far an act is."""

    def __call__(self, message: str, fraction: float | None = None, *, must_go_on: str = "") -> None:
        """Say it.

        :param message: what it is at, for people: ``writing, 12 of 64 MiB``
        :param fraction: how much is done, from 0 to 1; None: unknown
        :param must_go_on: why it cannot be cancelled until the next time that you say something; empty: it can
        :raises ActCancelled: it is to end here
        """
        ...


@runtime_checkable
class Programmable(Protocol):
    """Loads images into regions of FPGAs."""

    def program(self, device: Device, deployable: Deployable, image: Path, progress: Progress) -> None:
        """Load an image, whose digest and signature have been checked; whether it fits the region is yours to check."""
        ...

    def blank(self, device: Device, deployable: Deployable, progress: Progress) -> None:
        """Take out what is loaded, so that the next user finds nothing of it."""
        ...


@runtime_checkable
class Partitionable(Protocol):
    """Cuts devices into parts."""

    def partition(self, device: Device, layout: Mapping[str, int], progress: Progress) -> None:
        """Have exactly these parts.

        :param layout: how many of each kind, in the driver's words (``3g.20gb``); empty: none
        """
        ...


@runtime_checkable
class Virtualizable(Protocol):
    """Makes SR-IOV virtual functions."""

    def set_vfs(self, device: Device, count: int, progress: Progress) -> None:
        """Have exactly so many virtual functions; 0: none."""
        ...


@runtime_checkable
class Resettable(Protocol):
    """Resets devices."""

    def reset(self, device: Device, progress: Progress) -> None:
        """Bring the device back to the state after power-on, as far as it can."""
        ...


@runtime_checkable
class Scrubbable(Protocol):
    """Takes out what users leave on devices."""

    scrub_methods: ClassVar[Sequence[str]]
    """The ways it knows, the best first: ``crypto-erase``, ``block-erase``, ``zero`` …"""

    def scrub(self, device: Device, deployable: Deployable, method: str, progress: Progress) -> None:
        """Take out what the last user of this part has left.

        :param method: one of ``scrub_methods``
        """
        ...


@runtime_checkable
class Preparable(Protocol):
    """Makes attach handles ready for guests."""

    def prepare(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        """Make it ready.

        :param key: the handle's UUID, by which all that is made for it is known
        """
        ...

    def release(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        """Undo it, whoever has made it ready and however far that went."""
        ...


@runtime_checkable
class Examined(Protocol):
    """Knows signals of health."""

    def examine(self, device: Device) -> Iterable[Signal]:
        """What is known of the device's fitness now."""
        ...


class Tell(Protocol):
    """Takes what was heard."""

    def __call__(self, *alarms: Alarm) -> None:
        """Ask for a look at once.

        :param alarms: what is known already of which device: programs on the node see it before the look
        """
        ...


@runtime_checkable
class Watching(Protocol):
    """Hears of what the kernel does not tell everybody, such as errors that its library alone is told."""

    def watch(self, tell: Tell) -> None:
        """Listen for a while, in a process of its own that is started again whenever it ends.

        What is heard and matters to ``examine`` is remembered below ``host.memory``: a look is another process.

        :param tell: takes what was heard
        :raises DriverUnavailable: there is nothing to listen to here
        """
        ...


ACTS: tuple[type, ...] = (
    Programmable,
    Partitionable,
    Virtualizable,
    Resettable,
    Scrubbable,
    Preparable,
    Examined,
    Watching,
)
"""All that a driver may be able to do."""
