"""Showing something again and again: in place on a terminal, a line of JSON each time into a pipe."""

import argparse
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from typing import TextIO

from accel.cli import arguments
from accel.cli.errors import CommandFailed, WrongUse

DEFAULT_SECONDS = 2.0

_HOME = "\033[H"
_CLEAR = "\033[2J"
_CLEAR_TO_END_OF_LINE = "\033[K"
_CLEAR_BELOW = "\033[J"

Wait = Callable[[float], object]
"""Waits so many seconds. KeyboardInterrupt out of it ends the watching."""


class Frame(StringIO):
    """What is drawn before it is shown: a terminal, as far as whoever writes to it can tell."""

    def __init__(self, terminal: TextIO) -> None:
        super().__init__()
        self._is_terminal = terminal.isatty()

    def isatty(self) -> bool:
        """Whether it will be shown on a terminal."""
        return self._is_terminal


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--watch``."""
    parser.add_argument(
        "--watch",
        nargs="?",
        type=arguments.seconds,
        const=DEFAULT_SECONDS,
        metavar="SECONDS",
        help=f"show it again every so many seconds (default: {DEFAULT_SECONDS:g}); into a pipe a line of JSON each",
    )


def check_format(name: str) -> None:
    """Refuse to mix formats in a pipe.

    :raises WrongUse: the person asked for a format that is not JSON
    """
    if name not in {"table", "json"}:
        raise WrongUse(f"into a pipe --watch writes lines of JSON: leave out -f {name}")


def watch(draw: Callable[[Frame], None], *, stdout: TextIO, stderr: TextIO, interval: float, wait: Wait) -> int:
    """Draw until interrupted. The first drawing may fail; after it, what fails is told and tried again.

    :param draw: writes one whole picture
    """
    is_terminal = stdout.isatty()
    stdout.write(_CLEAR if is_terminal else "")
    picture = _drawn(draw, stdout)
    try:
        while True:
            _show(picture, stdout, interval=interval, is_terminal=is_terminal)
            wait(interval)
            picture = _drawn_again(draw, picture, stdout, stderr)
    except KeyboardInterrupt:
        return 0


def _drawn(draw: Callable[[Frame], None], stdout: TextIO) -> str:
    frame = Frame(stdout)
    draw(frame)
    return frame.getvalue()


def _drawn_again(draw: Callable[[Frame], None], before: str, stdout: TextIO, stderr: TextIO) -> str:
    try:
        return _drawn(draw, stdout)
    except CommandFailed as error:
        if not stdout.isatty():
            stderr.write(f"{error}\n")
            stderr.flush()
            return ""
        notice = f"{str(error).splitlines()[0]}; what follows is old\n\n"
        return notice + before.removeprefix(notice)


def _show(picture: str, stdout: TextIO, *, interval: float, is_terminal: bool) -> None:
    if is_terminal:
        title = f"every {interval:g} s, {datetime.now(UTC):%H:%M:%S} UTC, Ctrl-C ends"
        stdout.write(in_place([title, "", *picture.splitlines()], height=shutil.get_terminal_size().lines))
    else:
        stdout.write(picture)
    stdout.flush()


def in_place(lines: list[str], *, height: int) -> str:
    """The characters that put lines where the last ones were, without flicker.

    :param height: lines of the terminal; what is beyond is counted, not shown
    """
    if len(lines) >= height:
        hidden = len(lines) - (height - 2)
        lines = [*lines[: height - 2], f"… {hidden} more lines"]
    return _HOME + "".join(f"{line}{_CLEAR_TO_END_OF_LINE}\n" for line in lines) + _CLEAR_BELOW
