"""Notices that hardware comes, goes or changes its driver, and asks for a new look.

An event says only that something happened; what is there, the drivers find out. So events that come together are one
call, and events that are lost because too many came are one too. The agent looks from time to time anyway, so a host on
which the kernel's events cannot be heard is served more slowly, not wrongly.

What comes or goes is looked at when the rest of it has come or gone, too: a device appears before its driver, and goes
after it. That it goes is told at once, because somebody may be given it meanwhile; one that fails is looked at at once.
"""

import errno
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from accel.model.device import Health
from accel.model.health import Alarm, Signal

_LOG = logging.getLogger(__name__)

SUBSYSTEMS = (
    "accel",
    "block",
    "drm",
    "fpga",
    "fpga_region",
    "kfd",
    "mdev",
    "nvme",
    "nvme-subsystem",
    "pci",
    "vfio",
    "xrt_mgmt",
)
"""Where accelerators show up."""

REMOVED, RECOVERY = "pci.removed", "pci.recovery"
"""What the kernel says of a function: that it is gone; that an error of its link is not recovered from, or not yet."""

_COALESCE_SECONDS = 1.0
_IDLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the kernel says."""

    is_urgent: bool = False
    """Whether it is looked at before anything else comes."""
    alarms: tuple[Alarm, ...] = ()
    """What is known by it without a look."""


class Events(Protocol):
    """Where the kernel's events come from."""

    def wait(self, timeout_seconds: float) -> Event | None:
        """The next event that matters; None where none came in time.

        :raises OSError: ENOBUFS: events were lost; anything else: there will be no more
        """
        ...


class KernelEvents:
    """The kernel's own events about devices.

    Those of udevd would come later and say no more that drivers read, and do not reach containers.

    :raises ImportError: libudev is not installed
    :raises OSError: the kernel does not let us listen
    """

    def __init__(self) -> None:
        import pyudev  # noqa: PLC0415  # it loads libudev, which a host may lack

        self._monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="kernel")
        for subsystem in SUBSYSTEMS:
            self._monitor.filter_by(subsystem)
        self._monitor.start()

    def wait(self, timeout_seconds: float) -> Event | None:
        """See ``Events.wait``."""
        device = self._monitor.poll(timeout_seconds)
        if device is None or (device.subsystem == "block" and not device.sys_name.startswith("nvme")):
            return None
        return event_of(device.subsystem, device.sys_name, dict(device.properties))


def event_of(subsystem: str, name: str, said: Mapping[str, str]) -> Event:
    """What an event of the kernel means.

    A PCI function's ``ERROR_EVENT`` is from the kernel's ``pci_uevent_ers``, an NVMe controller's ``NVME_AEN`` from its
    ``nvme_aen_uevent``: a drive tells so that it is in trouble.

    :param name: the device's, such as ``0000:3b:00.0``
    :param said: the event's own words, ``ACTION`` among them
    """
    action, error = said.get("ACTION", ""), said.get("ERROR_EVENT", "")
    if subsystem == "pci" and action == "remove":
        return Event(alarms=(_alarm(name, REMOVED, "the kernel has removed it"),))
    if subsystem == "pci" and error and said.get("DEVICE_ONLINE") == "0":
        return Event(is_urgent=True, alarms=(_alarm(name, RECOVERY, f"the kernel says {error} after an error"),))
    return Event(is_urgent=bool(error) or "NVME_AEN" in said)


def _alarm(device: str, source: str, text: str) -> Alarm:
    signal = Signal(source=source, at=datetime.now(UTC), value=Health.UNHEALTHY, text=text)
    return Alarm(device=device, signal=signal)


class Watcher:
    """Listens in a thread of its own.

    :param ring: what is called when the drivers are to look again
    :param warn: takes what is known before they do
    """

    def __init__(
        self,
        events: Events,
        ring: Callable[[], None],
        warn: Callable[..., None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events = events
        self._ring = ring
        self._warn = warn
        self._clock = clock
        self._is_stopped = threading.Event()

    def start(self) -> None:
        """Begin to listen; ends with the process."""
        threading.Thread(target=self.run, name="watcher", daemon=True).start()

    def stop(self) -> None:
        """Ring no more."""
        self._is_stopped.set()

    def run(self) -> None:
        """Listen until stopped, or until there is nothing to hear any more."""
        try:
            while not self._is_stopped.is_set():
                if self._heard(_IDLE_SECONDS):
                    self._let_others_come()
                    self._ring()
        except OSError as error:
            _LOG.error("The kernel's events cannot be heard any more: %s. The agent still looks periodically", error)

    def _let_others_come(self) -> None:
        end = self._clock() + _COALESCE_SECONDS
        while (left := end - self._clock()) > 0:
            self._heard(left)

    def _heard(self, timeout_seconds: float) -> bool:
        """Whether something was heard in time; what does not wait is done."""
        try:
            event = self._events.wait(timeout_seconds)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                return True
            raise
        if event is None:
            return False
        if event.alarms:
            self._warn(*event.alarms)
        if event.is_urgent:
            self._ring()
        return True
