"""Lets drivers listen to what the kernel does not tell everybody, each in a process of its own.

A library that tells of errors holds the kernel's module, waits for hours, and may hang or die; none of that may reach
the agent. So the process is started again whenever it ends, and what it hears comes through a pipe: a call to look, and
what is known already, which programs on the node are told before anybody looks.
"""

import logging
import multiprocessing
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from accel.agent.probe import Setup, driver_of
from accel.drivers.acts import Tell, Watching
from accel.errors import DriverFailure
from accel.model.health import Alarm
from accel.rpc import wire

_LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 60.0
"""How soon a process that has ended is started again; a host whose library comes later is served from then on."""
_ENDED, _FAILED, _NOTHING = "ended", "failed", "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """What the process says: what it has heard, or its last word."""

    alarms: tuple[Alarm, ...] = ()
    last: str = ""


class Lookout:
    """Keeps one driver listening, in a thread of its own.

    :param tell: takes what is heard
    """

    def __init__(self, setup: Setup, tell: Tell, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._setup = setup
        self._tell = tell
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

    def _listen(self) -> str:
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
                return ""
            finally:
                child.kill()
                child.join()

    def _hear(self, ours: Connection) -> str:
        while not self._stopped.is_set():
            word = wire.decode_bytes(_Word, ours.recv_bytes())
            if word.last:
                return word.last
            self._tell(*word.alarms)
        return ""


def _live(setup: Setup, theirs: Connection) -> None:
    """What the process does."""

    def say(**word: Any) -> None:
        theirs.send_bytes(wire.encode_bytes(_Word(**word)))

    ending = _FAILED
    try:
        driver = driver_of(setup)
        if isinstance(driver, Watching):
            driver.watch(lambda *alarms: say(alarms=alarms))
            ending = _ENDED
        else:
            ending = _NOTHING
    except DriverFailure as error:
        _LOG.info("Driver %s has nothing to listen to: %s", setup.driver, error)
    finally:
        say(last=ending)
