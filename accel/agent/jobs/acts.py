"""Does acts so that none can harm the agent: each in a process of its own, with the tools that it runs.

The process leads a group of its own, so that ending it by force ends the vendor's tool as well, which otherwise would
go on writing to the device.
"""

import multiprocessing
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Protocol

from accel.agent.jobs.perform import Ending, ending_of, failed
from accel.agent.probe import Setup
from accel.drivers.acts import Progress
from accel.errors import ActDied, ActInterrupted, ActNotSupported, ActTimedOut
from accel.model.job import JobOrder
from accel.privileged.capabilities import put_to_sleep
from accel.rpc import wire

_LOOK_SECONDS = 0.5
"""How soon it is noticed that acts are to stop."""
_DEATH_PATIENCE_SECONDS = 5.0


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
    ending: Ending | None = None


class Acts(Protocol):
    """Does acts."""

    def do(
        self, order: JobOrder, image: Path | None, progress: Progress, *, begun: Callable[[Process], None]
    ) -> Ending:
        """Do one; returns when it has ended, in whatever way, and nothing of it goes on.

        :param begun: told of the process as soon as there is one
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
    ) -> Ending:
        """See ``Acts.do``."""
        return ending_of(self._setup_of(order), order, image, progress)

    def stop(self) -> None:
        """See ``Acts.stop``; there is nothing that could be ended."""


class ProcessActs:
    """Does each in a process of its own.

    :param setups: the enabled drivers, as they are set up for looking
    """

    def __init__(self, setups: Sequence[Setup]) -> None:
        self._setups: Mapping[str, Setup] = {setup.driver: setup for setup in setups}
        self._context = multiprocessing.get_context("forkserver")
        self._is_stopping = False

    def do(
        self, order: JobOrder, image: Path | None, progress: Progress, *, begun: Callable[[Process], None]
    ) -> Ending:
        """See ``Acts.do``."""
        setup = self._setups.get(order.driver)
        if setup is None:
            enabled = ", ".join(self._setups) or "none"
            return failed(ActNotSupported(f"the driver {order.driver} is not enabled on {order.node}", enabled))
        ours, theirs = self._context.Pipe(duplex=False)
        with ours:
            with theirs:
                child = self._context.Process(
                    target=_live, args=(setup, order, image, theirs), name=f"act-{order.kind}", daemon=True
                )
                child.start()
            begun(process_of(child.pid or 0))
            try:
                return self._heard(child, ours, order, progress)
            finally:
                end_group(child.pid or 0)
                child.join(_DEATH_PATIENCE_SECONDS)

    def stop(self) -> None:
        """See ``Acts.stop``."""
        self._is_stopping = True

    def _heard(self, child: ForkServerProcess, ours: Connection, order: JobOrder, progress: Progress) -> Ending:
        limit = time.monotonic() + order.time_limit_seconds
        while not self._is_stopping:
            left = limit - time.monotonic()
            if left <= 0:
                seconds = f"{order.time_limit_seconds:g} s"
                return failed(ActTimedOut(f"{order.kind} did not end within {seconds} and was ended by force"))
            try:
                if ours.poll(min(left, _LOOK_SECONDS)):
                    word = wire.decode_bytes(_Word, ours.recv_bytes())
                    if word.ending is not None:
                        return word.ending
                    progress(word.message, word.fraction)
            except EOFError:
                child.join(_DEATH_PATIENCE_SECONDS)
                return failed(ActDied(f"the process of {order.kind} {_death(child.exitcode)}", "see dmesg"))
        return failed(interrupted(order))


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


def _live(setup: Setup, order: JobOrder, image: Path | None, answer_to: Connection) -> None:
    """The life of a child."""
    os.setsid()
    put_to_sleep()

    def progress(message: str, fraction: float | None = None) -> None:
        answer_to.send_bytes(wire.encode_bytes(_Word(message=message, fraction=fraction)))

    ending = ending_of(setup, order, image, progress)
    answer_to.send_bytes(wire.encode_bytes(_Word(ending=ending)))
    answer_to.close()
