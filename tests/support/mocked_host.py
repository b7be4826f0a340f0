"""umockdev for tests: a host whose devices come and go, and the environment in which a process is on it.

Where Debian's umockdev is not installed the test is skipped and says so; where CI is set it fails.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

_PYTHON = "/usr/bin/python3"
_SCRIPT = Path(__file__).with_name("umockdev_host.py")
_PRELOAD = {"LD_PRELOAD": "libumockdev-preload.so.0"}
_BINDINGS = "import gi; gi.require_version('UMockdev', '1.0'); from gi.repository import UMockdev"


@dataclass(frozen=True)
class MockedHost:
    """A host that stands as long as its process runs."""

    environment: Mapping[str, str]
    """For processes that are to be on it."""
    _commands: IO[str]
    _answers: IO[str]

    def remove(self, *paths: str) -> None:
        """Pull the devices at ``/sys`` + path, with all that is below them."""
        self._obey("remove", *paths)

    def add(self, *paths: str) -> None:
        """Put them back."""
        self._obey("add", *paths)

    def _obey(self, *words: str) -> None:
        self._commands.write(" ".join(words) + "\n")
        self._commands.flush()
        assert self._answers.readline() == "done\n"


@contextmanager
def mocked_host(description: Path) -> Iterator[MockedHost]:
    """The host of a umockdev description."""
    available = subprocess.run([_PYTHON, "-c", _BINDINGS], capture_output=True, text=True, check=False)
    if available.returncode:
        if os.environ.get("CI"):
            pytest.fail(f"umockdev is not installed: {available.stderr}")
        pytest.skip("Debian's packages umockdev, python3-gi and gir1.2-umockdev-1.0 are not installed")
    process = subprocess.Popen(
        [_PYTHON, str(_SCRIPT), str(description)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | _PRELOAD,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        root = process.stdout.readline().strip()
        environment = os.environ | _PRELOAD | {"UMOCKDEV_DIR": root}
        try:
            yield MockedHost(environment, process.stdin, process.stdout)
        finally:
            process.stdin.close()
