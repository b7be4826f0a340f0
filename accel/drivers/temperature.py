"""What the temperature sensors of a device say, as the kernel's hardware monitoring shows them.

Each sensor is a few files in a directory ``hwmon0``: ``temp1_input`` in thousandths of a degree Celsius, and perhaps
``temp1_crit``, at which the device is damaged or switches itself off, and ``temp1_label``.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from accel.drivers.sysfs import names_in, read, read_number, read_text
from accel.model.device import Health
from accel.model.health import Signal

SOURCE = "temperature"

_INPUT = re.compile(r"(temp\d+)_input")
_HWMON = re.compile(r"hwmon\d+")


@dataclass(frozen=True, slots=True)
class Sensor:
    """One reading, in degrees Celsius."""

    name: str
    degrees: float
    limit: float | None = None
    """Where it becomes dangerous; None where the device does not say."""

    @property
    def margin(self) -> float:
        """How much warmer it may become; what has no limit comes last, the warmest first."""
        return self.limit - self.degrees if self.limit is not None else 1000 - self.degrees

    def __str__(self) -> str:
        limit = "" if self.limit is None else f" of at most {self.limit:.0f}"
        return f"{self.name} {self.degrees:.0f}{limit} °C"


def monitored(directory: Path) -> Iterator[Path]:
    """The directories of the sensors of a device, of which there may be several."""
    yield from (directory / "hwmon" / name for name in names_in(directory / "hwmon") if _HWMON.fullmatch(name))


def temperature(directories: Iterable[Path], now: datetime, more: Iterable[Sensor] = ()) -> Iterator[Signal]:
    """One signal for all sensors of a device; none where it has no sensor.

    :param directories: those of ``monitored``
    :param more: sensors that are read in another way
    """
    unread: list[str] = []
    sensors = list(more)
    for directory in directories:
        for name in filter(None, map(_INPUT.fullmatch, names_in(directory))):
            reading = read(directory / name[0])
            label = read_text(directory / f"{name[1]}_label") or name[1]
            if reading.number is None:
                unread.append(f"{label}: {reading.problem or 'says nothing'}")
            else:
                limit = read_number(directory / f"{name[1]}_crit")
                sensors.append(Sensor(label, reading.number / 1000, limit / 1000 if limit else None))
    if sensors:
        yield _judged(sensors, now)
    elif unread:
        yield Signal(source=SOURCE, at=now, value=Health.UNKNOWN, text=f"no sensor can be read; {unread[0]}")


def _judged(sensors: list[Sensor], now: datetime) -> Signal:
    ordered = sorted(sensors, key=lambda sensor: sensor.margin)
    hot = [sensor for sensor in ordered if sensor.limit is not None and sensor.degrees >= sensor.limit]
    if hot:
        text = f"too hot: {', '.join(map(str, hot))}"
        return Signal(source=SOURCE, at=now, value=Health.UNHEALTHY, text=text)
    others = f", the nearest to its limit of {len(sensors)}" if len(sensors) > 1 else ""
    return Signal(source=SOURCE, at=now, value=Health.HEALTHY, text=f"{ordered[0]}{others}")
