"""What the demos have in common: words for the guide, commands as one types them, and everything in one process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ACCEL = Path(sys.executable).with_name("accel")
PATIENCE_SECONDS = 60


class DemoFailure(Exception):
    """A step did not do what the demo says it does."""


def say(text: str) -> None:
    """A line of the guide."""
    print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)


def accel(*arguments: str) -> str:
    """Run ``accel`` and give back what it printed.

    :raises DemoFailure: it failed
    """
    done = subprocess.run([ACCEL, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailure(f"accel {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def show(*arguments: str) -> None:
    """Run ``accel`` as a person would and show command and output."""
    print(f"$ accel {' '.join(arguments)}".rstrip(), flush=True)
    print(accel(*arguments).rstrip(), flush=True)


def show_refused(code: int, *arguments: str) -> None:
    """Run ``accel`` as a person would and show command and refusal.

    :param code: what it ends with
    :raises DemoFailure: it does not
    """
    print(f"$ accel {' '.join(arguments)}", flush=True)
    done = subprocess.run([ACCEL, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != code:
        raise DemoFailure(f"accel {' '.join(arguments)} was not refused:\n{done.stdout}{done.stderr}")
    print(f"{done.stdout}{done.stderr}".rstrip(), flush=True)


@contextmanager
def accel_up(directory: Path, *arguments: str | Path) -> Iterator[None]:
    """``accel up``, whose endpoint commands use meanwhile."""
    log = directory / "accel.log"
    command = [ACCEL, "up", "--state-path", directory / "state", "--listen", "127.0.0.1:0", *arguments]
    with log.open("w") as stderr, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as up:
        try:
            endpoint = wait_until_ready(up, log)
            for name in [name for name in os.environ if name.startswith(("ACCEL_", "OS_"))]:
                del os.environ[name]  # this server asks nobody who they are
            os.environ["ACCEL_ENDPOINT"] = endpoint
            yield
        finally:
            up.terminate()
            up.communicate(timeout=PATIENCE_SECONDS)
    if up.returncode:
        raise DemoFailure(f"accel up ended with {up.returncode}:\n{log.read_text()}")


def wait_until_ready(up: "subprocess.Popen[str]", log: Path) -> str:
    """The endpoint that ``accel up`` announces once the first reports are taken."""
    if up.stdout is None:
        raise DemoFailure("accel up has no standard output")
    for line in up.stdout:
        print(line, end="", flush=True)
        if line.startswith("Ready:"):
            return line.split()[1]
    raise DemoFailure(f"accel up did not get ready:\n{log.read_text()}")
