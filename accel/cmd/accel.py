"""``accel``: the command line."""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from accel.cli.app import AccelApp
from accel.cli.errors import BROKEN_PIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    :param argv: without the program's name; None for what the process was started with
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an arrow on a terminal without UTF-8 is no reason to fail
    code = AccelApp().run(sys.argv[1:] if argv is None else argv)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = BROKEN_PIPE
    if code == BROKEN_PIPE:  # whoever read is gone; what is still to be flushed at the exit goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


if __name__ == "__main__":
    sys.exit(main())
