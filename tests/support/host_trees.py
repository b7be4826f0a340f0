"""Captured hosts, unpacked once in a test run."""

import atexit
import tempfile
from functools import cache
from pathlib import Path

from accel.testing.host_tree import unpack

HOSTS = Path(__file__).parents[1] / "data" / "hosts"

KFD_PLACES = {"kfd-mi210x8": "sys/class/kfd/kfd/topology", "kfd-mi25x2": "sys/class/kfd/kfd"}
"""Where the archives that hold a part of a host belong."""


@cache
def captured(name: str) -> Path:
    """The root of a captured host."""
    top = _directory() / name
    (archive,) = (HOSTS / name).glob("*.tar.*")
    root = unpack(archive, top / KFD_PLACES.get(name, ""))
    return top if name in KFD_PLACES else root


@cache
def _directory() -> Path:
    directory = tempfile.TemporaryDirectory(prefix="accel-hosts-")
    atexit.register(directory.cleanup)
    return Path(directory.name)
