"""Programs of vendors, run without a shell and never for longer than they may."""

import os
import signal
import subprocess
from pathlib import Path

from accel.errors import ActRefused, ActTimedOut, ToolFailed, ToolMissing

_LAST_LINES = 5
"""How much of what a program printed is told when it fails."""


def run_tool(*command: str, timeout_seconds: float) -> str:
    """Run a program and give what it printed.

    Some of these programs start others. So they are a group of processes, which is ended as a whole when its time is
    over: what is left of it would hold the device, and the pipe that we read from.

    :param command: the absolute path of the program, then its arguments
    :raises ToolMissing: there is no such program, or it is not one
    :raises ToolFailed: it ended with another status than 0
    :raises ActTimedOut: it did not end in time
    """
    program = command[0]
    if not Path(program).is_absolute():
        raise ActRefused(f"{program}: programs are given by absolute path")
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ToolMissing(
            f"{program} cannot be run: {error.strerror}", "install it, or name it by the option"
        ) from error
    with process:
        try:
            output, errors = process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)
            raise ActTimedOut(f"{program} did not end within {timeout_seconds:g} s, and was killed") from error
    if process.returncode:
        said = _last_lines(errors) or _last_lines(output) or "it says nothing"
        raise ToolFailed(f"{program} ended with status {process.returncode}: {said}", status=process.returncode)
    return output


def _last_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(lines[-_LAST_LINES:])
