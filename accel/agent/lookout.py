"""Lets drivers listen to what the kernel does not tell everybody, each in a process of its own.

A library that tells of errors holds the kernel's module, waits for hours, and may hang or die; none of that may reach
the agent. So the process is started again whenever it ends, and what it hears comes through a pipe: a call to look, and
what is known already, which programs on the node are told before anybody looks.
"""

import logging
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from accel.agent.nursery import Child, Nursery
from accel.agent.probe import Setup, driver_of
from accel.drivers.acts import Tell, Watching
from accel.errors import DriverFailure, DriverUnavailable
from accel.model.health import Alarm
from accel.rpc import wire

_LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 60.0
"""How much later than the last one a process is started."""
_PAUSES_IF_ABSENT = 10
"""How many of these pauses there are where nothing is to be listened to: the library may come, but not every minute."""
_DEATH_PATIENCE_SECONDS = 2.0
_ENDED, _ABSENT, _NOTHING = "ended", "absent", "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """What the process says: what it has heard, or its last word."""

    alarms: tuple[Alarm, ...] = ()
    last: str = ""


class Lookout:
    """Keeps one driver listening, in a thread of its own.

    :param nursery: where its processes come from
    :param tell: takes what is heard
    """

    def __init__(self, setup: Setup, nursery: Nursery, tell: Tell, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._setup = setup
        self._nursery = nursery
        self._tell = tell
        self._pause_seconds = pause_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lookout-{setup.driver}", daemon=True)
        self._child: Child | None = None

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
            started = time.monotonic()
            said = self._listen()
            if said == _NOTHING:
                return
            pause = self._pause_seconds * (_PAUSES_IF_ABSENT if said == _ABSENT else 1)
            self._stopped.wait(max(0.0, started + pause - time.monotonic()))

    def _listen(self) -> str:
        """Listen once; gives the last word of the process, empty where it died."""
        self._child = child = self._nursery.start(_live, self._setup)
        try:
            return self._hear(child.words)
        except (EOFError, ConnectionError):
            return ""
        finally:
            child.kill()
            child.join(_DEATH_PATIENCE_SECONDS)
            child.forget()

    def _hear(self, words: Connection) -> str:
        while not self._stopped.is_set():
            word = wire.decode_bytes(_Word, words.recv_bytes())
            if word.last:
                return word.last
            self._tell(*word.alarms)
        return ""


def _live(setup: Setup, theirs: Connection) -> None:
    """What the process does."""

    def say(**word: Any) -> None:
        theirs.send_bytes(wire.encode_bytes(_Word(**word)))

    ending = _ENDED
    try:
        driver = driver_of(setup)
        if isinstance(driver, Watching):
            driver.watch(lambda *alarms: say(alarms=alarms))
        else:
            ending = _NOTHING
    except DriverFailure as error:
        ending = _ABSENT if isinstance(error, DriverUnavailable) else _ENDED
        _LOG.info("Driver %s has nothing to listen to: %s", setup.driver, error)
    finally:
        say(last=ending)
