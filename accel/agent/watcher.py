"""Notices that hardware comes, goes or changes its driver, and asks for a new look.

An event says only that something happened; what is there, the drivers find out. So events that come together are one
call, and events that are lost because too many came are one too. The agent looks from time to time anyway, so a host on
which the kernel's events cannot be heard is served more slowly, not wrongly.
"""

import errno
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

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

_COALESCE_SECONDS = 1.0
_IDLE_SECONDS = 60.0


class Events(Protocol):
    """Where the kernel's events come from."""

    def wait(self, timeout_seconds: float) -> bool:
        """Whether an event that matters came in time.

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

    def wait(self, timeout_seconds: float) -> bool:
        """See ``Events.wait``."""
        device = self._monitor.poll(timeout_seconds)
        return device is not None and (device.subsystem != "block" or device.sys_name.startswith("nvme"))


class Watcher:
    """Listens in a thread of its own.

    :param ring: what is called when the drivers are to look again
    """

    def __init__(
        self, events: Events, ring: Callable[[], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._events = events
        self._ring = ring
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
        try:
            return self._events.wait(timeout_seconds)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                return True
            raise
