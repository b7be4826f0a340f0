"""Does acts so that none can harm the agent: each in a process of its own, with the tools that it runs.

The process leads a group of its own, so that ending it by force ends the vendor's tool as well, which otherwise would
go on writing to the device.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from accel.agent.jobs.perform import Ending, ending_of, failed
from accel.agent.jobs.stopping import Stoppable
from accel.agent.nursery import Child, Nursery
from accel.agent.probe import Setup
from accel.drivers.acts import Progress
from accel.errors import ActCancelled, ActDied, ActInterrupted, ActNotSupported, ActTimedOut
from accel.model.job import JobOrder
from accel.privileged.capabilities import put_to_sleep
from accel.rpc import wire

_LOOK_SECONDS = 0.5
"""How soon it is noticed that acts are to stop."""
_DEATH_PATIENCE_SECONDS = 5.0
_STOP = b"stop"
"""What the process of an act is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The process of an act, so that whoever comes later knows it from another one with the same number."""

    pid: int
    started: str
    """Its start as the kernel counts it, field 22 of /proc/PID/stat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """What the process says: how far it is, or its last word."""

    message: str = ""
    fraction: float | None = None
    must_go_on: str = ""
    ending: Ending | None = None


class Acts(Protocol):
    """Does acts."""

    def do(
        self,
        order: JobOrder,
        image: Path | None,
        progress: Progress,
        *,
        begun: Callable[[Process], None],
        is_unwanted: Callable[[], bool],
    ) -> Ending:
        """Do one; returns when it has ended, in whatever way, and nothing of it goes on.

        :param begun: told of the process as soon as there is one
        :param is_unwanted: whether it is to be stopped; asked again and again
        """
        ...

    def stop(self) -> None:
        """End all that are under way by force, and begin none any more."""
        ...


class InlineActs:
    """Does them here: for drivers that write files of ours, and for tests."""

    def __init__(self, setup_of: Callable[[JobOrder], Setup]) -> None:
        self._setup_of = setup_of

    def do(
        self,
        order: JobOrder,
        image: Path | None,
        progress: Progress,
        *,
        begun: Callable[[Process], None],  # noqa: ARG002 - there is no process
        is_unwanted: Callable[[], bool],
    ) -> Ending:
        """See ``Acts.do``."""
        return ending_of(self._setup_of(order), order, image, Stoppable(progress, is_unwanted))

    def stop(self) -> None:
        """See ``Acts.stop``; there is nothing that could be ended."""


class ProcessActs:
    """Does each in a process of its own.

    :param setups: the enabled drivers, as they are set up for looking
    :param nursery: where the processes come from
    :param stop_patience_seconds: how long an act that is to stop may take to undo what it has done, before it is ended
        by force
    """

    def __init__(self, setups: Sequence[Setup], nursery: Nursery, *, stop_patience_seconds: float = 30.0) -> None:
        self._setups: Mapping[str, Setup] = {setup.driver: setup for setup in setups}
        self._nursery = nursery
        self._stop_patience_seconds = stop_patience_seconds
        self._is_stopping = False

    def do(
        self,
        order: JobOrder,
        image: Path | None,
        progress: Progress,
        *,
        begun: Callable[[Process], None],
        is_unwanted: Callable[[], bool],
    ) -> Ending:
        """See ``Acts.do``."""
        setup = self._setups.get(order.driver)
        if setup is None:
            enabled = ", ".join(self._setups) or "none"
            return failed(ActNotSupported(f"the driver {order.driver} is not enabled on {order.node}", enabled))
        with self._nursery.needed():
            child = self._nursery.start(_live, setup, order, image)
            begun(process_of(child.pid))
            try:
                return self._heard(_Act(child, order, self._stop_patience_seconds), progress, is_unwanted)
            finally:
                end_group(child.pid)
                child.join(_DEATH_PATIENCE_SECONDS)
                child.forget()

    def stop(self) -> None:
        """See ``Acts.stop``."""
        self._is_stopping = True

    def _heard(self, act: "_Act", progress: Progress, is_unwanted: Callable[[], bool]) -> Ending:
        must_go_on = ""
        while not self._is_stopping:
            if is_unwanted() and not must_go_on:
                act.stop()
            if late := act.why_late():
                return failed(late)
            try:
                word = act.heard()
            except EOFError:
                return failed(act.death())
            if word is not None and word.ending is not None:
                return word.ending
            if word is not None:
                must_go_on = word.must_go_on
                progress(word.message, word.fraction, must_go_on=must_go_on)
        return failed(interrupted(act.order))


class _Act:
    """The process of an act, as long as somebody listens to it."""

    def __init__(self, child: Child, order: JobOrder, stop_patience_seconds: float) -> None:
        self.order = order
        self._stop_patience_seconds = stop_patience_seconds
        self._child = child
        self._limit = time.monotonic() + order.time_limit_seconds
        self._stop_limit: float | None = None

    def stop(self) -> None:
        """Tell it to stop, once."""
        if self._stop_limit is None:
            self._stop_limit = time.monotonic() + self._stop_patience_seconds
            with suppress(OSError):  # it has just died, which is heard next
                self._child.words.send_bytes(_STOP)

    def why_late(self) -> ActTimedOut | ActCancelled | None:
        """Why it is not waited for any more; None: it is."""
        now, kind = time.monotonic(), self.order.kind
        if now >= self._limit:
            seconds = f"{self.order.time_limit_seconds:g} s"
            return ActTimedOut(f"{kind} did not end within {seconds} and was ended by force")
        if self._stop_limit is not None and now >= self._stop_limit:
            return ActCancelled(f"{kind} did not stop within {self._stop_patience_seconds:g} s and was ended by force")
        return None

    def heard(self) -> _Word | None:
        """What it says next; None: nothing for a while.

        :raises EOFError: it is dead
        """
        left = max(0.0, self._limit - time.monotonic())
        try:
            if self._child.words.poll(min(left, _LOOK_SECONDS)):
                return wire.decode_bytes(_Word, self._child.words.recv_bytes())
        except ConnectionError as error:
            raise EOFError from error
        return None

    def death(self) -> ActDied:
        """How it died."""
        return ActDied(f"the process of {self.order.kind} {_death(self._child.exit_code())}", "see dmesg")


def interrupted(order: JobOrder) -> ActInterrupted:
    """Why an act that the agent was at when it ended has failed."""
    return ActInterrupted(
        f"the agent of {order.node} ended while it was at {order.kind}, so the state of the device is unknown",
        "it is offered to nobody until it is found out; do it again, or scrub the device",
    )


def process_of(pid: int) -> Process:
    """A process that is there now."""
    return Process(pid=pid, started=_start_of(pid))


def end_left_over(process: Process) -> None:
    """End the group of a process that an earlier run of the agent has begun, if it is that one; wait for its death."""
    try:
        handle = os.pidfd_open(process.pid)
    except (OSError, OverflowError):  # there is none
        return
    try:
        if process.started and process.started == _start_of(process.pid):
            end_group(process.pid)
            select.select([handle], [], [], _DEATH_PATIENCE_SECONDS)
    finally:
        os.close(handle)


def end_group(pid: int) -> None:
    """End a process and the tools that it runs, whatever they run in turn; nothing where there is none.

    A tool has a group of its own, so that it can be given up alone, and those that it starts know nothing of us.
    """
    if pid > 0:
        below = list(_below(pid, _children()))
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        for one in (pid, *below):  # it may not have made its group yet
            with suppress(ProcessLookupError, PermissionError):
                os.kill(one, signal.SIGKILL)


def _children() -> Mapping[int, Sequence[int]]:
    """All processes that there are, by their parents."""
    found: dict[int, list[int]] = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdecimal() and (fields := _stat(int(directory.name))):
            found.setdefault(int(fields[1]), []).append(int(directory.name))
    return found


def _below(pid: int, children: Mapping[int, Sequence[int]]) -> Iterator[int]:
    for child in children.get(pid, ()):
        yield child
        yield from _below(child, children)


def _start_of(pid: int) -> str:
    """Empty where there is no such process."""
    return next(iter(_stat(pid)[19:]), "")


def _stat(pid: int) -> Sequence[str]:
    """What the kernel tells of a process, from field 3 of proc_pid_stat(5) on; nothing of one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ()
    return stat.rpartition(")")[2].split()


def _death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with status {exit_code} and gave no answer"


def _live(setup: Setup, order: JobOrder, image: Path | None, agent: Connection) -> None:
    """The life of a child."""
    os.setsid()
    put_to_sleep()
    unwanted = threading.Event()

    def tell(message: str, fraction: float | None = None, *, must_go_on: str = "") -> None:
        agent.send_bytes(wire.encode_bytes(_Word(message=message, fraction=fraction, must_go_on=must_go_on)))

    progress = Stoppable(tell, unwanted.is_set)

    def listen() -> None:
        with suppress(OSError, EOFError):  # the agent is gone: its next run ends us
            agent.recv_bytes()
            unwanted.set()
            progress.end_tool(setup.host.privileged.end_tool)

    threading.Thread(target=listen, name="listen", daemon=True).start()
    ending = ending_of(setup, order, image, progress)
    agent.send_bytes(wire.encode_bytes(_Word(ending=ending)))
    agent.close()
