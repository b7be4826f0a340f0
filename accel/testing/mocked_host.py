"""A host whose devices come and go, for processes that look at "this host".

umockdev mocks its ``/sys`` and the kernel's events. It needs Debian's umockdev and its Python
bindings, which only the system's own Python has::

    with mocked_host(description) as host:
        agent = subprocess.Popen(["accel-agent"], env=host.environment)
        host.remove("/devices/pci0000:00/0000:00:03.0")
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PYTHON = "/usr/bin/python3"
_SCRIPT = Path(__file__).with_name("umockdev_host.py")
_PRELOAD = {"LD_PRELOAD": "libumockdev-preload.so.0"}
_BINDINGS = "import gi; gi.require_version('UMockdev', '1.0'); from gi.repository import UMockdev"


@dataclass(frozen=True)
class MockedHost:
    """A host that stands as long as its process runs. Paths are those of ``/sys``, and mean all that is below them."""

    environment: Mapping[str, str]
    """For processes that are to be on it."""
    _commands: IO[str]
    _answers: IO[str]

    def remove(self, *paths: str) -> None:
        """Pull devices: ``/devices/pci0000:00/…``. The kernel's events are sent when it returns."""
        self._obey("remove", *paths)

    def add(self, *paths: str) -> None:
        """Put them back."""
        self._obey("add", *paths)

    def _obey(self, *words: str) -> None:
        self._commands.write(" ".join(words) + "\n")
        self._commands.flush()
        assert self._answers.readline() == "done\n"


def what_is_missing() -> str:
    """Why no host can be mocked on this machine, in words; empty where one can."""
    if not Path(_PYTHON).exists():
        return f"{_PYTHON} is not there"
    done = subprocess.run([_PYTHON, "-c", _BINDINGS], env=os.environ | _PRELOAD, capture_output=True, check=False)
    return "Debian's packages umockdev, python3-gi and gir1.2-umockdev-1.0 are not installed" if done.returncode else ""


@contextmanager
def mocked_host(description: Path) -> Iterator[MockedHost]:
    """The host of a description that ``umockdev-record`` has written."""
    command = [_PYTHON, str(_SCRIPT), str(description)]
    environment = os.environ | _PRELOAD
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        root = process.stdout.readline().strip()
        try:
            yield MockedHost(environment | {"UMOCKDEV_DIR": root}, process.stdin, process.stdout)
        finally:
            process.stdin.close()
