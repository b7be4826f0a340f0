"""What PCI tells of the fitness of any device on it: errors of its link, how wide and fast that is, temperatures.

Nothing of it wakes a device that sleeps. What a device has no files for, it has no signal of.
"""

from collections.abc import Iterator
from datetime import datetime

from accel.drivers.sysfs import PciFunction, Reading, read, read_number, read_text
from accel.drivers.temperature import SOURCE as TEMPERATURE
from accel.drivers.temperature import monitored, temperature
from accel.model.address import PciAddress
from accel.model.device import Health
from accel.model.health import Signal

AER, LINK = "pcie.aer", "pcie.link"

_SEVERITIES = {"fatal": "aer_dev_fatal", "non-fatal": "aer_dev_nonfatal", "correctable": "aer_dev_correctable"}
_HARMLESS = "correctable"
_MOST_LANES = 32
_ASLEEP = "the device sleeps, and is not woken to be asked"


def pci_signals(function: PciFunction, now: datetime) -> Iterator[Signal]:
    """The signals of one function.

    :param now: when it is looked at
    """
    yield from _errors(function, now)
    if not _sleeps(function):
        yield from _link(function, now)
        yield from temperature(monitored(function.path), now)
        return
    if _lanes(function) is not None:  # that it sleeps is nothing that is the matter with it, and comes and goes
        yield Signal(source=LINK, at=now, value=Health.HEALTHY, text=_ASLEEP)
    if any(monitored(function.path)):
        yield Signal(source=TEMPERATURE, at=now, value=Health.HEALTHY, text=_ASLEEP)


def _sleeps(function: PciFunction) -> bool:
    return read_text(function.path / "power/runtime_status") == "suspended"


def _errors(function: PciFunction, now: datetime) -> Iterator[Signal]:
    """Advanced Error Reporting: how many errors there were since the host was started, by severity.

    A device that had errors and goes on is not unfit for it; that their number grows is what matters.
    """
    readings = {severity: read(function.path / name) for severity, name in _SEVERITIES.items()}
    if not any(reading.text or reading.problem for reading in readings.values()):
        return
    problems = [reading.problem for reading in readings.values() if reading.problem]
    if problems:
        yield Signal(source=AER, at=now, value=Health.UNKNOWN, text=f"its counters cannot be read: {problems[0]}")
        return
    counts = {severity: _counts(reading) for severity, reading in readings.items()}
    grave = sum(sum(found.values()) for severity, found in counts.items() if severity != _HARMLESS)
    text = "; ".join(_told(severity, found) for severity, found in counts.items())
    yield Signal(source=AER, at=now, value=Health.HEALTHY, text=text, count=grave)


def _counts(reading: Reading) -> dict[str, int]:
    """Each kind of error by its name, without those that never were and without the total."""
    lines = (line.split() for line in reading.text.splitlines())
    pairs = {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdecimal()}
    return {name: count for name, count in pairs.items() if count and not name.startswith("TOTAL")}


def _told(severity: str, found: dict[str, int]) -> str:
    names = f" ({', '.join(f'{name} {count}' for name, count in found.items())})" if found else ""
    return f"{sum(found.values())} {severity}{names}"


def _link(function: PciFunction, now: datetime) -> Iterator[Signal]:
    """How many lanes of those that both ends have are in use, and how fast.

    A link that is narrower than both ends could have it has lost lanes, or never had them: some slots are wired with
    fewer than the board at their end says. It becomes slow whenever its device is idle, so its speed says nothing.
    """
    lanes, most = function.link_width, _lanes(function)
    if most is None:
        return
    if lanes is None:
        yield Signal(source=LINK, at=now, value=Health.UNKNOWN, text="it is down")
        return
    speed = f"{function.link_speed or 'unknown speed'} of at most {function.max_link_speed or 'unknown speed'}"
    if lanes < most:
        text = f"{lanes} lanes are in use, and both ends have {most}; {speed}"
        yield Signal(source=LINK, at=now, value=Health.UNHEALTHY, text=text)
    else:
        yield Signal(source=LINK, at=now, value=Health.HEALTHY, text=f"{lanes} lanes; {speed}")


def _lanes(function: PciFunction) -> int | None:
    """How many lanes the function and the bridge above it both have; None for what is not on PCI Express."""
    above = function.path.parent
    ends = [function.path, *([above] if PciAddress.read(above.name) else [])]
    known = [lanes for end in ends if (lanes := read_number(end / "max_link_width")) and lanes <= _MOST_LANES]
    return min(known) if known and read_number(function.path / "max_link_width") else None
