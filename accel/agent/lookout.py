"""Lets drivers listen to what the kernel does not tell everybody, each in a process of its own.

A library that tells of errors holds the kernel's module, waits for hours, and may hang or die; none of that may reach
the agent. So the process is started again whenever it ends, and what it hears comes through a pipe as a call to look.
"""

import logging
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from accel.agent.probe import Setup, driver_of
from accel.drivers.acts import Watching
from accel.errors import DriverFailure

_LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 60.0
"""How soon a process that has ended is started again; a host whose library comes later is served from then on."""
_HEARD, _ENDED, _FAILED, _NOTHING = b"heard", b"ended", b"failed", b"nothing"


class Lookout:
    """Keeps one driver listening, in a thread of its own.

    :param ring: asks for a look
    """

    def __init__(self, setup: Setup, ring: Callable[[], None], *, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._setup = setup
        self._ring = ring
        self._pause_seconds = pause_seconds
        self._context = multiprocessing.get_context("forkserver")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lookout-{setup.driver}", daemon=True)
        self._child: ForkServerProcess | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the driver listens, or will again."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to listen; ends with the process at the latest."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stopped.set()
        child = self._child
        if child is not None:
            child.kill()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            said = self._listen()
            if said == _NOTHING:
                return
            if said != _ENDED:
                self._stopped.wait(self._pause_seconds)

    def _listen(self) -> bytes:
        """Listen once; gives the last word of the process, empty where it died."""
        ours, theirs = self._context.Pipe(duplex=False)
        with ours:
            with theirs:
                name = f"lookout-{self._setup.driver}"
                child = self._context.Process(target=_live, args=(self._setup, theirs), name=name, daemon=True)
                child.start()
            self._child = child
            try:
                return self._hear(ours)
            except EOFError:
                return b""
            finally:
                child.kill()
                child.join()

    def _hear(self, ours: Connection) -> bytes:
        while not self._stopped.is_set():
            said = ours.recv_bytes()
            if said != _HEARD:
                return said
            self._ring()
        return b""


def _live(setup: Setup, theirs: Connection) -> None:
    """What the process does."""
    ending = _FAILED
    try:
        driver = driver_of(setup)
        if isinstance(driver, Watching):
            driver.watch(lambda: theirs.send_bytes(_HEARD))
            ending = _ENDED
        else:
            ending = _NOTHING
    except DriverFailure as error:
        _LOG.info("Driver %s has nothing to listen to: %s", setup.driver, error)
    finally:
        theirs.send_bytes(ending)
