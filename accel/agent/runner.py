"""Runs the drivers so that none can harm the agent or keep the others waiting.

Each look of each driver is a process of its own: a library that crashes takes only that process with it, and one that
hangs is killed.
"""

import logging
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Protocol

from accel.agent.nursery import Child, Nursery
from accel.agent.probe import Outcome, Setup, failed, look, looks, unexamined
from accel.drivers import registry
from accel.drivers.sysfs import surveyed
from accel.model.report import FailureKind
from accel.privileged.capabilities import put_to_sleep
from accel.rpc import wire

_LOG = logging.getLogger(__name__)
_MAX_AT_ONCE = 8
_DEATH_PATIENCE_SECONDS = 2.0
"""How long a killed process may take to die before it counts as stuck in the kernel."""


class Runner(Protocol):
    """Lets all enabled drivers look."""

    def discover(self) -> tuple[Outcome, ...]:
        """One outcome for each driver, in the order in which they are enabled."""
        ...


class InlineRunner:
    """Runs the drivers here, one after the other: for drivers that read files of ours, and for tests."""

    def __init__(self, setups: Sequence[Setup]) -> None:
        self._setups = tuple(setups)

    def discover(self) -> tuple[Outcome, ...]:
        """See ``Runner.discover``."""
        return tuple(look(setup) for setup in _prepared(self._setups))


class ProcessRunner:
    """Runs each driver in a process of its own, all at once.

    :param nursery: where the processes come from; see ``nursery_of``
    :param timeout_seconds: a driver that has not answered after this long is killed
    """

    def __init__(self, setups: Sequence[Setup], nursery: Nursery, *, timeout_seconds: float) -> None:
        self.setups = tuple(setups)
        self.nursery = nursery
        self._timeout_seconds = timeout_seconds
        self._stuck: dict[str, Child] = {}

    def discover(self) -> tuple[Outcome, ...]:
        """See ``Runner.discover``."""
        if not self.setups:
            return ()
        at_once = min(len(self.setups), _MAX_AT_ONCE)
        with self.nursery.needed(), ThreadPoolExecutor(at_once, thread_name_prefix="driver") as pool:
            return tuple(pool.map(self._look, _prepared(self.setups)))

    def _look(self, setup: Setup) -> Outcome:
        stuck = self._stuck.get(setup.driver)
        if stuck is not None and stuck.is_alive:
            return self._no_answer(setup, f"process {stuck.pid} of an earlier look still hangs in the kernel")
        child = self.nursery.start(_look_and_send, setup)
        outcome = self._heard(setup, child)
        self._end(setup.driver, child)  # a library's thread may keep it, though it has nothing more to say
        if outcome.traceback:
            _LOG.error("Driver %s raised:\n%s", setup.driver, outcome.traceback)
        return outcome

    def _heard(self, setup: Setup, child: Child) -> Outcome:
        """What the child has said before its time was over, it died, or it had nothing more to say."""
        limit = time.monotonic() + self._timeout_seconds
        seen: Outcome | None = None
        while child.words.poll(max(limit - time.monotonic(), 0)):
            try:
                seen = wire.decode_bytes(Outcome, child.words.recv_bytes())
            except (EOFError, ConnectionError):
                return self._died(setup, _death(child.exit_code()), seen)
            if seen.is_whole:
                return seen
        why = f"no answer within {self._timeout_seconds:g} s"
        return self._no_answer(setup, why) if seen is None else unexamined(seen, why)

    def _died(self, setup: Setup, how: str, seen: Outcome | None) -> Outcome:
        if seen is not None:
            return unexamined(seen, how)
        return Outcome(report=failed(setup.driver, FailureKind.CRASHED, how, "see the kernel's log: dmesg"), seconds=0)

    def _no_answer(self, setup: Setup, message: str) -> Outcome:
        report = failed(
            setup.driver,
            FailureKind.TIMEOUT,
            message,
            "a device or its library hangs: see dmesg; a slow host may need a higher [agent] driver_timeout_seconds",
        )
        return Outcome(report=report, seconds=self._timeout_seconds)

    def _end(self, driver: str, child: Child) -> None:
        child.kill()
        if child.join(_DEATH_PATIENCE_SECONDS):
            child.forget()
        else:
            self._stuck[driver] = child


def nursery_of(setups: Sequence[Setup]) -> Nursery:
    """Where the processes of these drivers come from."""
    entries = registry.installed()
    return Nursery([__name__, *(entries[setup.driver].module for setup in setups if setup.is_harmless)])


def _prepared(setups: Sequence[Setup]) -> list[Setup]:
    """The setups with what all drivers would find out, each for itself: where they are, and the host's PCI functions.

    What tells one function from another the kernel keeps in memory: reading it asks no device, so it can neither hang
    nor fail, and is done here.
    """
    hosts = {host: surveyed(host) for host in {setup.host for setup in setups}}
    sources = {name: entry.value for name, entry in registry.installed().items()}
    return [replace(one, host=hosts[one.host], source=sources.get(one.driver, "")) for one in setups]


def _look_and_send(setup: Setup, answer_to: Connection) -> None:
    """The life of a child."""
    put_to_sleep()
    for outcome in looks(setup):
        answer_to.send_bytes(wire.encode_bytes(outcome))
    answer_to.close()


def _death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"its process was ended by {signal.Signals(-exit_code).name}"
    return f"its process ended with status {exit_code} and gave no answer"
