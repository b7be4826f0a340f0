"""What Alveo cards tell of their fitness: the firewall before the user's region, errors, temperatures."""

import re
from collections.abc import Iterator
from datetime import datetime

from accel.drivers.sysfs import names_in, read, read_text
from accel.drivers.temperature import Sensor, monitored, temperature
from accel.drivers.xilinx_fpga.boards import Board
from accel.drivers.xilinx_fpga.functions import AlveoFunction
from accel.model.device import Health
from accel.model.health import Signal

FIREWALL, ERROR = "fpga.firewall", "fpga.error"

_FIREWALL = re.compile(r"firewall\.m\.\d+")
_CONTROLLER = re.compile(r"xmc\.[mu]\.\d+")
_SENSORS = {"xmc_fpga_temp": "FPGA", "xmc_cage_temp0": "cage 0", "xmc_cage_temp1": "cage 1", "xmc_fan_temp": "fan"}
"""Whole degrees, as the card's own controller knows them."""


def examine(board: Board, now: datetime) -> Iterator[Signal]:
    """The signals of a card; those of its functions on PCI come from there, but for the user function's sensors."""
    for function in board.functions:
        yield from _firewall(function, now)
    yield from _error(board, now)
    sensors = [sensor for function in board.functions for sensor in _sensors(function)]
    directories = [path for function in board.functions for path in monitored(function.function.path)]
    yield from temperature(directories, now, sensors)


def _firewall(function: AlveoFunction, now: datetime) -> Iterator[Signal]:
    """What an image does to the card's bus trips it; from then on the image is cut off, until the card is reset."""
    directory = function.function.path
    for name in filter(_FIREWALL.fullmatch, names_in(directory)):
        level = read(directory / name / "detected_level")
        if level.problem:
            yield Signal(source=FIREWALL, at=now, value=Health.UNKNOWN, text=f"it cannot be read: {level.problem}")
        elif level.number:
            status = read_text(directory / name / "detected_status")
            text = f"it has tripped at level {level.number}, status {status or 'unknown'}: reset the card"
            yield Signal(source=FIREWALL, at=now, value=Health.UNHEALTHY, text=text)
        elif level.number == 0:
            yield Signal(source=FIREWALL, at=now, value=Health.HEALTHY, text="it has not tripped")


def _error(board: Board, now: datetime) -> Iterator[Signal]:
    """What the kernel's driver of the management function says went wrong."""
    if board.management is not None and (text := read_text(board.management.function.path / "error")):
        yield Signal(source=ERROR, at=now, value=Health.UNHEALTHY, text=" ".join(text.split()))


def _sensors(function: AlveoFunction) -> Iterator[Sensor]:
    directory = function.function.path
    for name in filter(_CONTROLLER.fullmatch, names_in(directory)):
        for file, label in _SENSORS.items():
            if degrees := read(directory / name / file).number:  # 0: there is no such sensor
                yield Sensor(label, degrees)
