"""What Intel's boards tell of their fitness: the errors of the management engine and of the ports, temperatures."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from accel.drivers.intel_fpga.boards import Board
from accel.drivers.sysfs import Reading, names_in, read, read_number
from accel.drivers.temperature import Sensor, monitored, temperature
from accel.model.device import Health
from accel.model.health import Signal

ENGINE, PORT = "fpga.engine", "fpga.port"

_FATAL = "catfatal_errors"
_ENGINE_ERRORS = (
    _FATAL,
    "nonfatal_errors",
    "fme_errors",
    "fme-errors/errors",
    "pcie0_errors",
    "pcie1_errors",
)
"""Registers with a bit for each error that has been, until somebody clears it; the older driver's among them."""
_ON_THE_WAY_TO_SENSORS = re.compile("dfl|spi|bmc")
_DEPTH = 6


def examine(board: Board, now: datetime) -> Iterator[Signal]:
    """The signals of a board; those of its functions on PCI come from there."""
    if board.engine is not None:
        yield from _engine(board.engine.path, now)
        yield from temperature(_monitors(board.engine.path, _DEPTH), now, _old_sensor(board.engine.path))
    for port in board.ports:
        yield from _port(port.path, f"{PORT}{port.number}", now)


def _engine(directory: Path, now: datetime) -> Iterator[Signal]:
    """Fatal errors make a board unfit. What others have done to it is not known."""
    readings = {name: read(directory / "errors" / name) for name in _ENGINE_ERRORS}
    found = _found(readings)
    if readings[_FATAL].problem:
        text = f"{_FATAL} cannot be read: {readings[_FATAL].problem}"
        yield Signal(source=ENGINE, at=now, value=Health.UNKNOWN, text=text)
    elif _FATAL in found:
        yield Signal(source=ENGINE, at=now, value=Health.UNHEALTHY, text=_told(found))
    elif found:
        yield Signal(source=ENGINE, at=now, value=Health.UNKNOWN, text=_told(found))
    elif readings[_FATAL].text:
        yield Signal(source=ENGINE, at=now, value=Health.HEALTHY, text="no errors")


def _port(directory: Path, source: str, now: datetime) -> Iterator[Signal]:
    """Errors of a port are mistakes of the function that is loaded behind it, and say nothing of the board."""
    readings = {name: read(directory / "errors" / name) for name in ("errors", "first_malformed_req")}
    if problem := readings["errors"].problem:
        yield Signal(source=source, at=now, value=Health.UNKNOWN, text=f"its errors cannot be read: {problem}")
    elif found := _found(readings):
        text = f"the function that is loaded makes mistakes: {_told(found)}"
        yield Signal(source=source, at=now, value=Health.HEALTHY, text=text)
    elif readings["errors"].text:
        yield Signal(source=source, at=now, value=Health.HEALTHY, text="no errors")


def _found(readings: dict[str, Reading]) -> dict[str, int]:
    return {name: number for name, reading in readings.items() if (number := _bits(reading))}


def _bits(reading: Reading) -> int:
    """A register, which one of the files writes without ``0x``."""
    try:
        return int(reading.text or "0", 16)
    except ValueError:
        return 0


def _told(found: dict[str, int]) -> str:
    return ", ".join(f"{name} is {bits:#x}" for name, bits in found.items())


def _monitors(directory: Path, depth: int) -> Iterator[Path]:
    """The sensors of the chip, and of the board's management controller, which is somewhere below the engine."""
    yield from monitored(directory)
    if depth:
        for name in filter(_ON_THE_WAY_TO_SENSORS.search, names_in(directory)):
            if not (directory / name).is_symlink():
                yield from _monitors(directory / name, depth - 1)


def _old_sensor(directory: Path) -> Iterator[Sensor]:
    """The chip's sensor as the older driver shows it, in degrees."""
    degrees = read_number(directory / "thermal_mgmt/temperature")
    if degrees is not None:
        yield Sensor("chip", degrees)
