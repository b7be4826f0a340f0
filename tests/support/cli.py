"""The command line for tests: a command in this process, and what it wrote."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import Any

from accel.cli.app import AccelApp


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command ended with and wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote, as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines it wrote."""
        return self.out.splitlines()


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def refuse_to_wait(_seconds: float) -> None:
    """A command that should not wait does."""
    raise AssertionError("the command waits")


def run(
    *argv: str, endpoint: str, stdout: StringIO | None = None, wait: Callable[[float], object] = refuse_to_wait
) -> Outcome:
    """Run a command against a server.

    :param stdout: a terminal, where it should write to one
    :param wait: what it does between two looks
    """
    out, err = stdout or StringIO(), StringIO()
    code = AccelApp(stdout=out, stderr=err, wait=wait).run(["--endpoint", endpoint, *argv])
    return Outcome(code, out.getvalue(), err.getvalue())


def looks(count: int, between: Callable[[], object] = lambda: None) -> Callable[[float], object]:
    """A wait that lets a command look so many times and then interrupts it.

    :param between: what happens before each look after the first
    """
    left = iter(range(count - 1))

    def wait(_seconds: float) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        between()

    return wait
