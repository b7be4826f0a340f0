"""NVML without NVIDIA: a library built from C, a configuration that says what it tells, a child that reads it.

The library is loaded by name once in the life of a process, so each reading is done by a child of its own, with the
real nvidia-ml-py.
"""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pynvml
import pytest

from accel.drivers.base import Host
from accel.drivers.nvidia import NvidiaDriver
from accel.errors import AccelError, DriverFailure
from accel.model.device import Device
from accel.model.health import Alarm, Signal
from accel.testing.driver_contract import options
from accel.testing.host_tree import HostTree, PciRow

STUB = Path(__file__).parents[1] / "data/nvml-stub"
SAMPLE = (STUB / "sample.conf").read_text()
LIBRARY_NAME = "libnvidia-ml.so.1"

Answer = tuple[Device, ...] | DriverFailure


def build_library(directory: Path, *flags: str) -> Path:
    """Compile the stand-in; the directory is what goes into ``LD_LIBRARY_PATH``.

    Without a compiler the test is skipped; where CI is set it fails.
    """
    if shutil.which("gcc") is None and "CI" not in os.environ:
        pytest.skip("gcc is not installed, and the stand-in for NVML is built with it")
    output = directory / LIBRARY_NAME
    soname = f"-Wl,-soname,{LIBRARY_NAME}"
    command = ["gcc", "-shared", "-fPIC", "-O1", soname, *flags, "-o", str(output), str(STUB / "nvmlstub.c")]
    subprocess.run(command, check=True)
    return directory


def one_gpu(root: Path) -> HostTree:
    """A host with one GPU on its PCI bus, an A100 by its ids."""
    root.mkdir()
    tree = HostTree(root)
    card = PciRow(address="0000:07:00.0", vendor="10de", product="20b0", class_code=0x030200, driver="nvidia")
    tree.pci_function(card)
    return tree


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

    def act(self, root: Path, configuration: str, *acts: tuple[str, ...], **given: str) -> "Acted":
        """Do something with the first card, one act after the other, each found anew as the agent does it.

        :param acts: the name of a method of the driver and what it takes: ``("partition", {"3g.20gb": 1})``
        :param given: options of the driver
        """
        file = self.directory / "nvml-acts.conf"
        file.write_text(configuration)
        done = subprocess.run(
            [sys.executable, __file__, "--act", root, file],
            env={**os.environ, "LD_LIBRARY_PATH": str(self.library)},
            input=pickle.dumps((acts, given)),
            stdout=subprocess.PIPE,
            check=True,
        )
        return Acted(*pickle.loads(done.stdout))  # noqa: S301  # written by our own child

    def signals(self, root: Path, configuration: str) -> tuple[Signal, ...]:
        """What the driver knows of the health of the first card."""
        signals: tuple[Signal, ...] = self._asked("--examine", root, configuration)
        return signals

    def listened(self, root: Path, configuration: str, *, events: int) -> int:
        """How many looks it asks for while it listens; it is ended after so many events."""
        told: int = self._asked("--listen", root, configuration, str(events))
        return told

    def _asked(self, what: str, root: Path, configuration: str, *more: str) -> Any:
        file = self.directory / "nvml-asked.conf"
        file.write_text(configuration)
        done = subprocess.run(
            [sys.executable, __file__, what, root, file, *more],
            env={**os.environ, "LD_LIBRARY_PATH": str(self.library)},
            stdout=subprocess.PIPE,
            check=True,
        )
        return pickle.loads(done.stdout)  # noqa: S301  # written by our own child

    def devices(self, root: Path, configuration: str) -> tuple[Device, ...]:
        """The devices it reports; fails where the driver does."""
        (answer,) = self.look(root, configuration)
        assert not isinstance(answer, DriverFailure), answer
        return answer


@dataclass(frozen=True, slots=True)
class Acted:
    """What acts came to."""

    errors: tuple[AccelError | None, ...]
    """What each of them raised."""
    progress: tuple[str, ...]
    """What they said meanwhile."""
    devices: tuple[Device, ...]
    """What there is afterwards."""
    configuration: str
    """What the stand-in for the driver remembers afterwards."""


def _acting(
    root: str, configuration: str, asked: tuple[Sequence[tuple[str, ...]], Mapping[str, str]]
) -> tuple[object, ...]:
    os.environ["NVML_STUB_CONF"] = configuration
    acts, given = asked
    said: list[str] = []
    errors = [_error(_driver(root, **given), act, said) for act in acts]
    devices = _driver(root).discover()
    return tuple(errors), tuple(said), devices, Path(configuration).read_text()


def _error(driver: NvidiaDriver, act: tuple[str, ...], said: list[str]) -> AccelError | None:
    name, *arguments = act
    device, *_ = driver.discover()
    try:
        getattr(driver, name)(device, *arguments, lambda message, _fraction=None: said.append(message))
    except AccelError as error:
        return error
    return None


def _examined(root: str, configuration: str) -> tuple[Signal, ...]:
    os.environ["NVML_STUB_CONF"] = configuration
    driver = _driver(root)
    device, *_ = driver.discover()
    return tuple(driver.examine(device))


class _EnoughError(Exception):
    pass


def _listened(root: str, configuration: str, events: str) -> int:
    os.environ["NVML_STUB_CONF"] = configuration
    told: list[None] = []

    def tell(*_: Alarm) -> None:
        told.append(None)
        if len(told) == int(events):
            raise _EnoughError

    with suppress(_EnoughError):
        _driver(root).watch(tell)
    return len(told)


def _driver(root: str, **given: str) -> NvidiaDriver:
    return NvidiaDriver(Host(name="node-1", root=Path(root)), options(NvidiaDriver, **given), library=pynvml)


def _child(root: str, configurations: Sequence[str]) -> list[Answer]:
    driver = _driver(root)
    return [_answer(driver, configuration) for configuration in configurations]


def _answer(driver: NvidiaDriver, configuration: str) -> Answer:
    os.environ["NVML_STUB_CONF"] = configuration
    try:
        return driver.discover()
    except DriverFailure as error:
        return error


def _answered(what: str, *given: str) -> object:
    if what == "--act":
        return _acting(*given, pickle.load(sys.stdin.buffer))  # noqa: S301  # from our own parent
    if what == "--examine":
        return _examined(*given)
    if what == "--listen":
        return _listened(*given)
    return _child(what, given)


if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(_answered(*sys.argv[1:])))
