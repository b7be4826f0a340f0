"""Programs of vendors, run so that they cannot harm more than they must: no shell, no environment, a time limit.

A tool that is given up is killed with all that it has started; one that is cancelled is asked to end first. It dies
with the process that waits for it, too: nobody would know any more what it does to the device.
"""

import os
import signal
import stat
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from accel.errors import ActNotAllowed, ActTimedOut, ToolFailed, ToolMissing
from accel.privileged.allowed import check_tool

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/"}
_DIE_WITH_PARENT = ("/usr/bin/setpriv", "--pdeathsig", "KILL", "--")
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_END_PATIENCE_SECONDS = 5.0
_RUNNING: set["subprocess.Popen[str]"] = set()
"""The tools that run now, each the leader of a group of its own."""
_TOLD_LINES = 5
"""How much of what a tool printed is told when it fails."""

Finished = tuple[int, str, str]
"""What a tool came to: its status, negative for the signal that ended it, and what it printed on both streams."""


def run(command: Sequence[str], *, timeout_seconds: float, must_be_root_s: bool) -> Finished:
    """Run a tool to its end.

    :param must_be_root_s: whether nobody but root may be able to exchange the program
    :raises ActNotAllowed: it is not on the list, or others than root could exchange it
    :raises ToolMissing: it is not installed, or is no program
    :raises ActTimedOut: it did not end in time, and was killed
    """
    check_tool(tuple(command))
    program = Path(command[0])
    if not os.access(program, os.X_OK) or program.is_dir():
        raise ToolMissing(f"{program} is not there, or no program", "install it, or name it by the driver's option")
    if must_be_root_s:
        check_owner(program)
    return _run((*_prefix(), *command), program, timeout_seconds)


def printed(command: Sequence[str], finished: Finished) -> str:
    """What a tool printed on standard output.

    :raises ToolFailed: it ended with another status than 0
    """
    status, output, complaint = finished
    if status:
        said = _last_lines(complaint) or _last_lines(output) or "it says nothing"  # some complain on standard output
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        raise ToolFailed(f"{command[0]} {how}: {said}", status=status)
    return output


def end_running(*, patience_seconds: float = _END_PATIENCE_SECONDS) -> bool:
    """End the tools that run in this process: politely, then by force, with all that they have started.

    :param patience_seconds: how long each may take to end when it is asked to
    :return: whether there was one
    """
    running = tuple(_RUNNING)
    for process in running:
        _signal(process, signal.SIGTERM)
    for process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_seconds)
        _signal(process, signal.SIGKILL)
    return bool(running)


def check_owner(program: Path) -> None:
    """Make sure that a program, and every directory on the way to it, can be changed by root alone.

    :raises ActNotAllowed: others could exchange it
    """
    real = program.resolve()
    for path in dict.fromkeys((*program.parents, real, *real.parents)):
        status = path.stat()
        if status.st_uid != 0 or status.st_mode & _OTHERS_MAY_WRITE:
            mend = f"let {path} belong to root and nobody else write to it: chown root {path}; chmod go-w {path}"
            raise ActNotAllowed(f"{program} could be exchanged by others than root", mend)


def _prefix() -> tuple[str, ...]:
    return _DIE_WITH_PARENT if Path(_DIE_WITH_PARENT[0]).exists() else ()


def _run(command: tuple[str, ...], program: Path, timeout_seconds: float) -> Finished:
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    ) as process:
        _RUNNING.add(process)
        try:
            output, complaint = process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired as error:
            _signal(process, signal.SIGKILL)
            raise ActTimedOut(f"{program} did not end within {timeout_seconds:g} s, and was killed") from error
        finally:
            _RUNNING.discard(process)
    return process.returncode, output, complaint


def _signal(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """Tell a tool and all that it has started; those may outlive it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _last_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(lines[-_TOLD_LINES:])
