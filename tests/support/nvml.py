"""NVML without NVIDIA: a library built from C, a configuration that says what it tells, a child that reads it.

The library is loaded by name once in the life of a process, so each reading is done by a child of its own, with the
real nvidia-ml-py.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pynvml

from accel.drivers.base import Host
from accel.drivers.nvidia import NvidiaDriver
from accel.errors import DriverFailure
from accel.model.device import Device
from accel.testing.driver_contract import options

STUB = Path(__file__).parents[1] / "data/nvml-stub"
SAMPLE = (STUB / "sample.conf").read_text()
LIBRARY_NAME = "libnvidia-ml.so.1"

Answer = tuple[Device, ...] | DriverFailure


def build_library(directory: Path, *flags: str) -> Path:
    """Compile the stand-in; the directory is what goes into ``LD_LIBRARY_PATH``."""
    output = directory / LIBRARY_NAME
    soname = f"-Wl,-soname,{LIBRARY_NAME}"
    command = ["gcc", "-shared", "-fPIC", "-O1", soname, *flags, "-o", str(output), str(STUB / "nvmlstub.c")]
    subprocess.run(command, check=True)
    return directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Nvml:
    """A way to read a host with one of the libraries."""

    library: Path
    """The directory it is in."""
    directory: Path
    """Where configurations are written to."""

    def look(self, root: Path, *configurations: str) -> list[Answer]:
        """What the driver answers in one process, under one configuration of the library after the other."""
        files = [self.directory / f"nvml-{number}.conf" for number, _ in enumerate(configurations)]
        for file, text in zip(files, configurations, strict=True):
            file.write_text(text)
        done = subprocess.run(
            [sys.executable, __file__, root, *files],
            env={**os.environ, "LD_LIBRARY_PATH": str(self.library)},
            stdout=subprocess.PIPE,
            check=True,
        )
        answers: list[Answer] = pickle.loads(done.stdout)  # noqa: S301  # written by our own child
        return answers

    def devices(self, root: Path, configuration: str) -> tuple[Device, ...]:
        """The devices it reports; fails where the driver does."""
        (answer,) = self.look(root, configuration)
        assert not isinstance(answer, DriverFailure), answer
        return answer


def _child(root: str, configurations: Sequence[str]) -> list[Answer]:
    driver = NvidiaDriver(Host(name="node-1", root=Path(root)), options(NvidiaDriver), library=pynvml)
    return [_answer(driver, configuration) for configuration in configurations]


def _answer(driver: NvidiaDriver, configuration: str) -> Answer:
    os.environ["NVML_STUB_CONF"] = configuration
    try:
        return driver.discover()
    except DriverFailure as error:
        return error


if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(_child(sys.argv[1], sys.argv[2:])))
